"""Recognise file types that are not supported, with what to do instead."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mtorscore.io.tables.cell_text import guess_delimiter, split

__all__ = ["binary", "columns", "rows", "text", "zipped"]

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document; tables inside one must be copied into a spreadsheet or text file"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"II*\0", "a picture (TIFF)"),
    (b"MM\0*", "a picture (TIFF)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls); save it as .xlsx or as tab-separated text"),
    (b"BAM\1", "alignments (BAM); count reads per gene first, with featureCounts or STAR"),
    (b"CRAM", "alignments (CRAM); count reads per gene first, with featureCounts or STAR"),
    (b"NCBI.sra", "raw reads (SRA); quantify them first, with salmon or STAR"),
    (b"[CEL]", "an Affymetrix CEL file of raw intensities; normalise it first (RMA) or take the series matrix"),
    (
        b"@\0\0\0\4\0\0\0",
        "an Affymetrix CEL file of raw intensities; normalise it first (RMA) or take the series matrix",
    ),
    (b";\1", "an Affymetrix CEL file of raw intensities; normalise it first (RMA) or take the series matrix"),
    (b"IDAT", "Illumina raw intensities (IDAT); take the processed table"),
    (b"SQLite format 3", "an SQLite database; export the table as tab-separated text"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"\x93NUMPY", "a NumPy array without names; save it as a table with gene and sample names"),
    (b"\x80\4\x95", "a Python pickle, which is never opened (it can run code); save it as h5ad or Parquet"),
    (b"\x80\5\x95", "a Python pickle, which is never opened (it can run code); save it as h5ad or Parquet"),
    (b"MATLAB 5.0", "a MATLAB file; export it as tab-separated text"),
)
_TEXT: tuple[tuple[str, str], ...] = (
    (r"##fileformat=VCF|#CHROM[\t ,]+POS[\t ,]", "variants (VCF), not expression"),
    (r"@[^\t]+\n[ACGTN]+\n\+", "raw reads (FASTQ); quantify them first, with salmon or STAR"),
    (r">[^\t\n]+\n[A-Za-z*-]+\n", "sequences (FASTA), not a table of data"),
    (r"@(HD|SQ|RG|PG)\t", "alignments (SAM); count reads per gene first"),
    (r"(#[^\n]*\n)*[^\t\n#]+\t[^\t\n]+\t(gene|transcript|exon|CDS|region)\t\d+\t\d+\t", "gene annotation (GTF or GFF)"),
    (r"(track [^\n]*\n)?chr[\w.]+\t\d+\t\d+(\t|\n|$)", "genomic intervals (BED), not a table of genes"),
    (r"\{\\rtf", "a word-processor document (RTF); save the table as tab-separated text"),
    (r"#!|import \w+\n|library\(", "a script, not a table of data"),
    (
        r"(#[^\n]*\n)*(---\s*\n)?[a-z_]{2,20}: [^\t\n]*\n[a-z_]{2,20}:( [^\t\n]*)?(\n|$)",
        "YAML, not a table of data; read signatures with SignatureCollection.read, give a configuration as --config",
    ),
    (r"<\?xml|<MINiML", "XML; take the series matrix or the SOFT family file instead of MINiML"),
    (r"(# [^\n]+\n\s*\n?)([A-Z`*\[-]|\| )[^\t]*$", "running text (Markdown), not a table of data"),
)
_ZIP = {
    "word/document.xml": "a Word document; copy its table into a spreadsheet or text file",
    "ppt/presentation.xml": "a PowerPoint file",
    "content.xml": "an OpenDocument file; save it as .xlsx or as tab-separated text",
}


def binary(first: bytes) -> str:
    """Return what unsupported type the first bytes of a file announce, "" for none that is known."""
    return next((what for magic, what in _MAGIC if first.startswith(magic)), "")


def zipped(names: Sequence[str]) -> str:
    """Return what unsupported type the members of a zip archive announce, "" for none that is known."""
    return next((what for name, what in _ZIP.items() if name in names), "")


def text(lines: Sequence[str]) -> str:
    """Return what unsupported type the first lines of a text announce, "" for none that is known."""
    start = "\n".join(lines[:40])
    for pattern, what in _TEXT:
        if re.match(pattern, start) and not (what.startswith("running text") and _table_below(lines)):
            return what
    if _gene_sets(lines):
        return "gene sets (GMT); read them with SignatureCollection.read"
    return ""


_BESIDE = "; read them with io.read_alterations, or hand them to a run as --alterations beside the expression"
_COLUMNS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"hugo_symbol", "variant_classification"}), f"mutations (MAF), not expression{_BESIDE}"),
    (frozenset({"hugo_symbol", "tumor_sample_barcode"}), f"mutations (MAF), not expression{_BESIDE}"),
    (frozenset({"chromosome", "start_position", "reference_allele"}), f"mutations (MAF), not expression{_BESIDE}"),
    (frozenset({"chrom", "pos", "ref", "alt"}), "variants (as in a VCF), not expression"),
    (frozenset({"chr", "pos", "ref", "alt"}), "variants (as in a VCF), not expression"),
    (frozenset({"chr", "start", "end", "ref", "alt"}), "annotated variants, not expression"),
    (frozenset({"chrom", "loc_start", "loc_end", "seg_mean"}), "segments of copy number (SEG), not expression"),
    (frozenset({"chromosome", "start", "end", "segment_mean"}), "segments of copy number (SEG), not expression"),
    (frozenset({"chromosome", "start", "end", "num_probes"}), "segments of copy number (SEG), not expression"),
    (frozenset({"gene_symbol", "locus_id", "cytoband"}), f"copy number by gene (GISTIC), not expression{_BESIDE}"),
    (frozenset({"gene_symbol", "gene_id", "cytoband"}), f"copy number by gene (GISTIC), not expression{_BESIDE}"),
    (frozenset({"sample_id", "site1_hugo_symbol"}), f"structural variants, not expression{_BESIDE}"),
    (frozenset({"track_name", "track_type"}), f"an OncoPrint of cBioPortal, not expression{_BESIDE}"),
    (frozenset({"sample", "gene", "alteration", "type"}), f"a list of the OncoPrinter, not expression{_BESIDE}"),
    (frozenset({"unique_name", "descriptor", "wide_peak_limits"}), "peaks of copy number (GISTIC), not expression"),
    (frozenset({"chrom", "start", "end", "name", "score", "strand"}), "genomic intervals (BED), not a table of genes"),
    (frozenset({"chrom", "chromstart", "chromend"}), "genomic intervals (BED), not a table of genes"),
)
_ASSIGNED = re.compile(r"(Assigned|Unassigned_\w+)[\t,;]")


def columns(names: Sequence[str]) -> str:
    """Return what unsupported table the names of its columns announce, "" for none that is known."""
    words = {re.sub(r"[^a-z0-9]+", "_", n.lower()).strip("_") for n in names}
    return next((what for wanted, what in _COLUMNS if wanted <= words), "")


def rows(body: Sequence[str]) -> str:
    """Return what unsupported table its rows announce, "" for none that is known."""
    if len(body) > 2 and all(_ASSIGNED.match(line) for line in body[1:6]):
        return "the summary of featureCounts (reads assigned per file), not the counts; give the file beside it"
    return ""


def _table_below(lines: Sequence[str]) -> bool:
    """Whether the lines below a heading split evenly into columns, as running text does not."""
    body = [line for line in lines[1:60] if line.strip() and not line.startswith("#")]
    delimiter = guess_delimiter(list(body)) if len(body) > 1 else ""
    if delimiter not in ("\t", ",", ";", "|"):
        return False
    widths = [len(split(line, delimiter)) for line in body]
    return max(widths) > 1 and widths.count(max(set(widths), key=widths.count)) >= 0.9 * len(widths)


def _gene_sets(lines: Sequence[str]) -> bool:
    """Whether each line is a gene set: a name, a description, and any number of genes."""
    from mtorscore.genes.identifier_kinds import gene_likeness

    rows = [line.rstrip("\t").split("\t") for line in lines[:20] if line.strip()]
    if not rows or any(len(r) < 3 for r in rows) or (len(rows) > 1 and len({len(r) for r in rows}) == 1):
        return False
    genes = [g for r in rows for g in r[2:]]
    if len(rows) == 1 and gene_likeness(rows[0][1:2])[0] > 0.8:
        return False  # a header of genes, samples in rows: so wide that no second line was seen
    likeness, kind = gene_likeness(genes)
    return likeness > 0.8 and kind not in ("entrez", "")
