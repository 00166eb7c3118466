"""Which format a file or folder has, from its first bytes and lines rather than from its name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtorscore.errors import FormatError, examples
from mtorscore.io import unsupported
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.cell_text import guess_delimiter, is_number, split
from mtorscore.io.tables.preamble import preamble

__all__ = ["Found", "detect"]


@dataclass(frozen=True)
class Found:
    """A recognised format."""

    kind: str
    evidence: str
    compression: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def detect(path: Path) -> Found:
    """Recognise a file or folder.

    Raises
    ------
    FormatError
        If it is missing, empty or unknown.
    """
    file_bytes.check_exists(path)
    if path.is_dir():
        return _folder(path)
    with path.open("rb") as handle:
        start = handle.read(8)
    compression = file_bytes.compression_of(start)
    if compression == "zip":
        found = _zip(path)
        if found:
            return found
    first = file_bytes.head(path)
    binary = _binary(first)
    if binary and binary[0] == "hdf5":
        return _hdf5(path)
    if binary and binary[0] == "xls":
        raise FormatError("an old Excel workbook (.xls); save it as .xlsx or as tab-separated text.", path=path)
    if binary:
        return Found(binary[0], binary[1], compression)
    if other := unsupported.binary(first):
        raise FormatError(f"{other}.", path=path)
    whole = len(first) < file_bytes.HEAD
    lines = file_bytes.as_text(first, path, partial=not whole).lines(400)
    # The last line of a beginning may be cut.
    found = _text(lines if whole or len(lines) < 2 else lines[:-1], path)
    return Found(found.kind, found.evidence, compression, found.details)


def _zip(path: Path) -> Found | None:
    import zipfile

    try:
        names = zipfile.ZipFile(path).namelist()
    except zipfile.BadZipFile as error:
        raise FormatError(
            f"the zip archive is truncated or damaged ({error}); download it again.", path=path
        ) from error
    if "xl/workbook.xml" in names:
        return Found("excel", "a zip archive with xl/workbook.xml")
    if other := unsupported.zipped(names):
        raise FormatError(f"{other}.", path=path)
    return None


def _hdf5(path: Path) -> Found:
    import h5py

    try:
        with h5py.File(path) as file:
            keys = set(file)
            encoded = file.attrs.get("encoding-type", "")
            tenx = "matrix" in keys and isinstance(file["matrix"], h5py.Group)
            old = [k for k in keys if isinstance(file[k], h5py.Group) and {"indptr", "barcodes"} <= set(file[k])]
    except OSError as error:
        raise FormatError(f"the HDF5 file is truncated or damaged ({error}); download it again.", path=path) from error
    if encoded == "anndata" or {"obs", "var"} <= keys:
        return Found("h5ad", "HDF5 with obs and var")
    if tenx or old:
        return Found("10x-h5", "HDF5 with the groups of Cell Ranger")
    if {"matrix", "row_attrs", "col_attrs"} <= keys:
        return Found("loom", "HDF5 with matrix, row_attrs and col_attrs")
    raise FormatError(f"HDF5 of an unknown layout (groups {examples(sorted(keys), 6)}).", path=path)


def _binary(first: bytes) -> tuple[str, str] | None:
    if first.startswith(b"PAR1"):
        return "parquet", "starts with PAR1"
    if first.startswith(b"\x89HDF\r\n\x1a\n"):
        return "hdf5", "starts with the HDF5 signature"
    if first.startswith((b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n")):
        return "rdata", "an R workspace (save)"
    if first.startswith((b"X\n\0\0\0\2", b"X\n\0\0\0\3", b"A\n2\n", b"A\n3\n")):
        return "rdata", "one R object (saveRDS)"
    if first.startswith(b"\xd0\xcf\x11\xe0"):
        return "xls", "an old Excel workbook"
    if first.startswith((b"ARROW1", b"FEA1")):
        return "feather", "an Arrow table (Feather)"
    if first[257:262] == b"ustar":
        return "archive", "a tar archive"
    return None


def _folder(path: Path) -> Found:
    from mtorscore.io.formats import quantifiers
    from mtorscore.io.formats import tenx as _tenx
    from mtorscore.io.portals import gdc

    names = sorted(p.name for p in path.iterdir())
    if not names:
        raise FormatError("the folder is empty.", path=path)
    if {".zgroup", "zarr.json", ".zattrs"} & set(names):
        return Found("zarr", "a Zarr store")
    if "meta_study.txt" in names or any(n.startswith("meta_") and n.endswith(".txt") for n in names):
        return Found("cbioportal-study", "holds meta files of cBioPortal")
    if _tenx.is_folder(path):
        return Found("10x-mtx", "holds matrix.mtx with barcodes and features")
    series = [n for n in names if n.endswith(("_series_matrix.txt", "_series_matrix.txt.gz"))]
    if series:
        return Found("geo-series", f"holds {len(series)} GEO series matrices", details={"files": series})
    files = [f for f in path.rglob("*") if f.is_file()]
    counts = [f for f in files if gdc.COUNT_FILE.search(f.name)]
    if counts and "star_gene_counts" not in counts[0].name and detect(counts[0]).kind != "htseq-counts":
        counts = []
    if counts:
        star = sum("star_gene_counts" in f.name for f in counts)
        kind = "gdc-star-counts" if star == len(counts) else "htseq-counts"
        if 0 < star < len(counts):
            raise FormatError(
                f"STAR counts ({star}) and other count files ({len(counts) - star}) lie together; "
                "read their folders apart.",
                path=path,
            )
        return Found(kind, f"holds {len(counts)} per-sample count files", details={"files": len(counts)})
    quant = quantifiers.folder_kind(sorted(files))
    if quant:
        what = f"holds {len(quant[1])} files of one sample each ({quant[0]})"
        return Found("per-sample", what, details={"files": len(quant[1])})
    if len(names) == 1 and (path / names[0]).is_dir():
        inner = _folder(path / names[0])
        return Found(inner.kind, f"its only folder {inner.evidence}", details=inner.details | {"folder": names[0]})
    hint = f"it holds {examples(names, 6)}; read one of these files" if files else "it holds no file"
    raise FormatError(f"a folder that is no data set as a whole: {hint}.", path=path)


_FEATURE_TYPES = {
    "Gene Expression",
    "Antibody Capture",
    "CRISPR Guide Capture",
    "Multiplexing Capture",
    "Peaks",
    "Custom",
}
_SOFT = re.compile(r"\^(DATABASE|SERIES|SAMPLE|PLATFORM|DATASET|ANNOTATION)", re.IGNORECASE)
_META = re.compile(r"^[a-z_]+: ?\S")


def _text(lines: list[str], path: Path) -> Found:
    from mtorscore.io.formats import quantifier_kinds

    first = next((line for line in lines if line.strip()), "")
    special = _by_first_line(first, lines)
    if special:
        return special
    if other := unsupported.text(lines):
        raise FormatError(f"{other}.", path=path, line=1)
    above = preamble(lines)
    below = [lines[above.lines][above.cut :], *lines[above.lines + 1 :]]
    body = [line for line in below if line.strip() and not line.startswith("#")]
    if not body:
        raise FormatError("only comment lines and no table.", path=path, line=1)
    if quantifier_kinds.is_star([line.split("\t") for line in body[:60]]):
        return Found("star-counts", "four columns without a header, the counters of STAR first")
    if _two_columns(body):
        return Found("htseq-counts", "two columns without a header: a gene and a number")
    delimiter = above.delimiter or guess_delimiter(body[:60])
    fields = split(body[0], delimiter) if delimiter else [body[0]]
    if not delimiter and sum(bool(re.match(r"^[ACGTN]{10,80}(-\d+)?$", b)) for b in body) > 0.9 * len(body):
        return Found("list", "one cell barcode per line")
    if not delimiter and all(map(is_number, body)):
        raise FormatError(
            "numbers without names: nothing says which gene or sample they belong to. Give a table with both.",
            path=path,
            line=above.lines + 1,
        )
    if not delimiter and len(body) > 1 and all(re.match(r"^[A-Za-z0-9._-]{1,250}$", b) for b in body[:50]):
        return Found("list", "one name per line")
    if delimiter and 2 <= len(fields) <= 3 and _features(body, delimiter):
        return Found("10x-features", "gene, symbol (and type) without a header")
    if not delimiter or max(map(len, fields)) > 250 or _prose(body, delimiter):
        raise FormatError("running text, not a table of data.", path=path, line=1)
    details: dict[str, Any] = {"delimiter": {"\t": "tab", " ": "space"}.get(delimiter, delimiter)}
    details |= {"columns": len(fields), "header": examples(fields, 6)}
    kind, why = _by_columns(fields, lines)
    return Found(kind, why, details=details)


def _by_first_line(first: str, lines: list[str]) -> Found | None:
    if first.startswith("!Series_") or (first.startswith("!Sample_") and "\t" in first):
        return Found("geo-series-matrix", "starts with !Series_ lines")
    if _SOFT.match(first):
        kinds = {m[1].upper() for line in lines if (m := _SOFT.match(line))}
        if "ANNOTATION" in kinds:
            return Found("geo-annotation", "a GEO platform annotation (^Annotation)")
        if "DATASET" in kinds:
            return Found("geo-dataset", "a GEO DataSet (^DATASET)")
        return Found("geo-soft", f"SOFT with {', '.join(sorted(kinds))}")
    if first.startswith(("#1.2", "#1.3")):
        return Found("gct", f"GCT {first[1:4]}")
    if first.startswith("%%MatrixMarket"):
        return Found("mtx", "Matrix Market")
    if first.startswith(("# gene-model:", "gene_id\tgene_name\tgene_type\tunstranded")):
        return Found("gdc-star-counts", "the header of GDC STAR counts")
    if first.lstrip().startswith(("[", "{")) and not first.startswith("[Not"):
        return Found("gdc-cart", "JSON")
    if len(lines) > 1 and re.match(r"^\d+\s+\d+\s+1\s*$", first) and lines[1].startswith("#"):
        return Found("cls", "three numbers, then # and class names")
    head = [line for line in lines[:40] if line.strip()]
    if all(_META.match(line) for line in head) and any(line.startswith("cancer_study_identifier:") for line in head):
        return Found("cbioportal-meta", "key: value lines with cancer_study_identifier")
    return None


def _by_columns(fields: list[str], lines: list[str]) -> tuple[str, str]:
    from mtorscore.io.formats.quantifier_kinds import by_columns
    from mtorscore.io.portals.clinical_tables import route_of

    names = [f.strip('"') for f in fields]
    if {"id", "filename", "md5", "size"} <= set(names):
        return "gdc-manifest", "the columns of a GDC manifest"
    if {"File ID", "File Name", "Sample ID"} <= set(names):
        return "gdc-sample-sheet", "the columns of a GDC sample sheet"
    quant = by_columns(names)
    if quant:
        return quant
    if names[0] == "Hybridization REF":
        return "firehose-matrix", "the two header lines of Firehose"
    route, _ = route_of(names)
    if route:
        described_ = " and # lines above the names" if lines[0].startswith("#") else ""
        return f"clinical:{route}", f"the columns of {route}{described_}"
    if {"icgc_donor_id", "gene_id"} <= set(names) and {"normalized_read_count", "raw_read_count"} & set(names):
        return "icgc-exp-seq", "the columns of ICGC exp_seq"
    return "table", "text in rows and columns"


def _two_columns(body: list[str]) -> bool:
    from mtorscore.genes.identifier_kinds import gene_likeness
    from mtorscore.io.tables.matrix import SPECIAL

    rows = [line.split("\t") for line in body[:200]]
    genes = [r[0] for r in rows if not SPECIAL.match(r[0])]
    if len(genes) < 2 or not all(len(r) == 2 for r in rows):
        return False
    return all(is_number(r[1]) for r in rows) and gene_likeness(genes)[0] > 0.8


def _features(body: list[str], delimiter: str) -> bool:
    from mtorscore.genes.identifier_kinds import gene_likeness

    rows = [split(line, delimiter) for line in body[:300]]
    if any(is_number(f) for r in rows for f in r):
        return False
    if all(len(r) == 3 and r[2] in _FEATURE_TYPES for r in rows):
        return True
    return (
        all(gene_likeness([r[i] for r in rows[:1]])[0] == 1.0 for i in (0, 1))
        and gene_likeness([r[0] for r in rows])[0] > 0.5
    )


def _prose(body: list[str], delimiter: str) -> bool:
    """Whether lines split at spaces or commas into ever different numbers of words: sentences, not rows."""
    if delimiter == "\t":
        return False
    widths = [len(split(line, delimiter)) for line in body[:60]]
    common = max(set(widths), key=widths.count)
    return widths.count(common) < 0.5 * len(widths)
