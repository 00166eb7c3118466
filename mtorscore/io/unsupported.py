"""Recognise file types that are not supported, with what to do instead."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["binary", "text"]

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
    (r"##fileformat=VCF", "variants (VCF), not expression"),
    (r"@[^\t]+\n[ACGTN]+\n\+", "raw reads (FASTQ); quantify them first, with salmon or STAR"),
    (r">[^\t\n]+\n[A-Za-z*-]+\n", "sequences (FASTA), not a table of data"),
    (r"@(HD|SQ|RG|PG)\t", "alignments (SAM); count reads per gene first"),
    (r"(#[^\n]*\n)*[^\t\n#]+\t[^\t\n]+\t(gene|transcript|exon|CDS|region)\t\d+\t\d+\t", "gene annotation (GTF or GFF)"),
    (r"(track [^\n]*\n)?chr[\w.]+\t\d+\t\d+(\t|\n|$)", "genomic intervals (BED), not a table of genes"),
    (r"\{\\rtf", "a word-processor document (RTF); save the table as tab-separated text"),
    (r"#!|import \w+\n|library\(", "a script, not a table of data"),
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
        if re.match(pattern, start):
            return what
    if _gene_sets(lines):
        return "gene sets (GMT); read them with SignatureCollection.read"
    return ""


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
