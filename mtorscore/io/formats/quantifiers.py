"""Per-sample output of quantifiers: STAR, featureCounts, salmon, kallisto, RSEM, Cufflinks, and plain pairs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, FormatError
from mtorscore.io.formats.quantifier_kinds import FORMATS, by_columns, is_star
from mtorscore.io.formats.reader import Columns, Folder, Found, Reader, Rows
from mtorscore.io.formats.transcripts import summed_by_gene
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import assemble
from mtorscore.io.tables.checks import not_number_error, refuse_headless
from mtorscore.io.tables.delimited import Grid, parse
from mtorscore.io.tables.matrix import SPECIAL
from mtorscore.io.tables.per_sample import gene_order, one_unit, refuse_missing_or_negative

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READER"]


_PAIRS = ("htseq-counts", "featurecounts", "table")
_AUXILIARY = re.compile(
    r"^(readme|licen[cs]e|manifest|md5|checksums?|filelist|\.)|\.(md|json|log|html?|pdf|summary|yaml|yml|h5)$|"
    r"_(summary|log)\.|\.source\.json$",
    re.IGNORECASE,
)
_GENCODE = re.compile(r"^ENS[A-Z]*T\d+[^|]*\|(?P<gene>ENS[A-Z]*G[^|]*)\|(?:[^|]*\|){3}(?P<symbol>[^|]*)\|")
_NAMELESS = re.compile(r"(quant(\.genes)?\.sf|abundance\.tsv|genes\.(fpkm_tracking|results))(\.gz)?")
_ENDINGS = re.compile(
    r"(\.gz|\.bz2|\.txt|\.tsv|\.csv|\.tab|\.bam|\.sam|\.cram|\.sorted|\.out|ReadsPerGene|\.genes|\.isoforms|\.results|"
    r"\.fpkm_tracking|\.sf|[._-]?Aligned|\.sortedByCoord|\.toTranscriptome|[._-]htseq|[._-](read_?|raw_?|gene_?)?counts?|"
    r"[._-]featurecounts?)$",
    re.IGNORECASE,
)


def _files_of(folder: Folder) -> tuple[str, list[Path]] | None:
    """Name the quantifier that wrote the files of a folder, and which of them hold the samples.

    Files with names of a quantifier are taken at any depth. Others are taken only where all files are in one
    folder, apart from documentation, and the first and the last are tables of one sample.
    """
    for kind, known in FORMATS.items():
        if known.files:
            chosen = [f for f in folder.files if re.fullmatch(known.files + r"(\.gz)?", f.name)]
            genes = [f for f in chosen if ".genes." in f.name]
            if chosen:
                return kind, genes or chosen
    rest = [f for f in folder.files if not _AUXILIARY.search(f.name)]
    if len(rest) < 2 or len({f.parent for f in rest}) > 1:
        return None
    kinds = set()
    for file in (rest[0], rest[-1]):
        try:
            found = folder.detect(file)
        except FormatError:
            return None
        columns = int(found.details.get("columns", 2))
        kinds.add(found.kind if found.kind in ("htseq-counts", "featurecounts") or columns == 2 else "")
    kind = kinds.pop()
    return (kind, rest) if not kinds and kind in _PAIRS else None


def read(
    path: Path,
    *,
    found: Found,
    units: str | None = None,
    tx2gene: str | Path | None = None,
) -> tuple[AnnData, dict[str, Any]]:
    """Read the output of a quantifier, one file or a folder with a file per sample.

    Parameters
    ----------
    path
        File or folder.
    found
        What was recognised: the quantifier, and which files of a folder hold the samples.
    units
        Column to read: ``counts``, ``tpm`` or ``fpkm`` where the quantifier writes them. Salmon, kallisto and RSEM
        give TPM by default, with the estimated counts in ``layers["counts"]``; STAR the unstranded counts.

    tx2gene
        Table of two columns, transcript and gene, by which transcripts are summed to genes.

    Returns
    -------
    anndata.AnnData, dict
        Samples x genes (or transcripts). Samples are called by their file, or the folder of a file whose name is
        always the same. STAR's and HTSeq's counters are in ``obs``.
    """
    kind, files = found.handed.get("quantifier", found.kind), found.handed.get("files", [path])
    if path.is_dir() and "files" not in found.handed:
        raise FormatError("no file of a quantifier in this folder.", path=path)
    parts = [_one(f, kind, units) for f in files]
    genes, var = parts[0].genes, parts[0].var
    rows = [p.aligned(genes) for p in parts]
    samples = [s for p in parts for s in p.samples]
    frame = pd.DataFrame({"file_name": [p.file.name for p in parts for _ in p.samples]})
    if parts[0].columns:
        frame["column"] = [c for p in parts for c in p.columns]
    accessions = [re.match(r"GSM\d+", s) for s in samples]
    if all(accessions):
        frame["geo_accession"] = [m[0] for m in accessions if m]
    for key in dict.fromkeys(k for p in parts for k in p.facts):
        frame[key] = [float(v) for p in parts for v in p.facts.get(key, [np.nan] * len(p.samples))]
    unit = one_unit((p.units for p in parts), path)
    adata = assemble(np.vstack([r["x"] for r in rows]), samples, genes, obs=frame, var=var)
    if all("counts" in r for r in rows):
        adata.layers["counts"] = np.vstack([r["counts"] for r in rows])
    level = "transcripts" if _transcripts(genes) else "genes"
    if tx2gene is not None:
        adata, level = summed_by_gene(adata, tx2gene), "genes"
    evidence = f"{len(files)} file(s) of {kind}" if path.is_dir() else f"the columns of {kind}"
    return adata, {"table": "matrix", "kind": kind, "units": unit, "evidence": evidence,
                   "orientation": "one file per sample", "repairs": sorted({r for p in parts for r in p.repairs}),
                   "level": level}  # fmt: skip


@dataclass
class _Part:
    """One file: samples x genes."""

    file: Path
    genes: list[str]
    values: dict[str, npt.NDArray[np.float64]]
    samples: list[str]
    columns: list[str]
    units: str
    var: pd.DataFrame | None
    facts: dict[str, list[float]]
    repairs: list[str]

    def aligned(self, genes: list[str]) -> dict[str, npt.NDArray[np.float64]]:
        """Return the values in the order of `genes`; other genes are refused."""
        order = gene_order(self.genes, genes, self.file)
        return {k: v[:, order] for k, v in self.values.items()}


def _one(file: Path, kind: str, units: str | None) -> _Part:
    content = file_bytes.load(file)
    if kind == "star-counts":
        names = ["gene", "unstranded", "stranded_first", "stranded_second"]
        grid = parse(content, delimiter="\t", header=False, names=names)
    elif kind == "htseq-counts":
        grid = parse(content, delimiter="\t", header=False, names=["gene", "value"])
    else:
        grid = parse(content)
        refuse_headless(grid)
    columns, unit = _columns(grid, kind, units, file)
    for i in {i for wanted in columns.values() for i in wanted}:
        if grid.is_text(i):
            raise not_number_error(grid, content, i, grid.names[i])
    known = FORMATS.get(kind)
    at = next((grid.names.index(n) for n in (known.gene.split("|") if known else []) if n in grid.names), 0)
    ids = [str(v) for v in grid.columns[at]]
    keep = [i for i, n in enumerate(ids) if not SPECIAL.match(n)]
    special = [i for i in range(len(ids)) if SPECIAL.match(ids[i])]
    values = {k: np.vstack([grid.columns[i] for i in wanted]) for k, wanted in columns.items()}
    facts = {ids[i].lstrip("_"): [float(v) for v in values["x"][:, i]] for i in special}
    values = {k: v[:, keep] for k, v in values.items()}
    for column, row in zip(columns["x"], values["x"], strict=True):
        refuse_missing_or_negative(row, keep, grid, column, unit)
    genes = [ids[i] for i in keep]
    samples, published = _sample_names(file, kind, [grid.names[i] for i in columns["x"]])
    return _Part(
        file, genes, values, samples, published, unit,
        _var(grid, kind, at, keep, genes), facts, grid.repairs,
    )  # fmt: skip


def _columns(grid: Grid, kind: str, units: str | None, file: Path) -> tuple[dict[str, list[int]], str]:
    """Return the columns of the values (and of the counts, where there are both), and the units."""
    if kind not in FORMATS:
        known_units = _units_of_name(file.name) or ("" if kind == "table" else "counts")
        if units not in (None, known_units):
            raise DataError(f"{file}: units must be {known_units or 'left out'}; there is one column of values.")
        return {"x": [1]}, known_units
    if kind == "featurecounts":
        first = grid.names.index("Length") + 1
        wanted = [i for i in range(first, len(grid.names)) if not grid.is_text(i)]
        if not wanted:
            raise FormatError("no column of counts behind Length.", path=file, line=grid.header_line)
        return {"x": wanted}, "counts"
    known = {u: c for u, c in FORMATS[kind].units.items() if c in grid.names}
    chosen = units or next(iter(known))
    if chosen not in known:
        raise DataError(f"{file}: units must be one of {', '.join(known)}, not {chosen!r}.")
    columns = {"x": [grid.names.index(known[chosen])]}
    if chosen != "counts" and "counts" in known and kind != "star-counts":
        columns["counts"] = [grid.names.index(known["counts"])]
    return columns, "counts" if chosen.startswith("stranded") else chosen


def _units_of_name(name: str) -> str:
    found = re.search(r"fpkm|rpkm|tpm|counts?", name, re.IGNORECASE)
    return {"fpkm": "fpkm", "rpkm": "fpkm", "tpm": "tpm"}.get(found[0].lower(), "counts") if found else ""


def _sample_names(file: Path, kind: str, columns: list[str]) -> tuple[list[str], list[str]]:
    """Return the samples' names, and the published names of their columns where those are paths of alignments."""
    if kind == "featurecounts":
        names = [_cut(PurePosixPath(c.replace("\\", "/")).name) for c in columns]
        if len(set(names)) < len(names):
            # The same file name in a folder per sample: the folders tell the samples apart.
            names = [PurePosixPath(c.replace("\\", "/")).parent.name or c for c in columns]
        return (names if len(set(names)) == len(names) else columns), columns
    fixed = kind in FORMATS and _NAMELESS.fullmatch(file.name)
    return [file.parent.name if fixed else _cut(file.name)], []


def _cut(name: str) -> str:
    """Strip endings that name the format or the program from a file name."""
    while (shorter := _ENDINGS.sub("", name)) not in (name, ""):
        name = shorter
    return name.rstrip("._-") or name


def _var(grid: Grid, kind: str, at: int, keep: list[int], genes: list[str]) -> pd.DataFrame | None:
    table: dict[str, list[str]] = {}
    known = FORMATS.get(kind)
    wanted = known.further if known else ()
    if kind == "featurecounts":
        wanted = tuple(n for i, n in enumerate(grid.names) if n == "Length" or (i > at and grid.is_text(i)))
    for name in wanted:
        if name in grid.names and grid.names.index(name) != at:
            column = grid.columns[grid.names.index(name)]
            table[name] = [str(column[i]).removesuffix(".0") for i in keep]
    matches = [_GENCODE.match(g) for g in genes]
    if genes and all(matches):
        table["gene_id"] = [m["gene"] for m in matches if m]
        table["symbol"] = [m["symbol"] for m in matches if m]
    return pd.DataFrame(table) if table else None


def _transcripts(genes: list[str]) -> bool:
    from mtorscore.genes.identifier_kinds import kind_of

    return bool(genes) and kind_of(genes[0].split("|")[0]) == "ensembl_transcript"


def _is_folder(seen: Folder) -> Found | None:
    chosen = _files_of(seen)
    if chosen is None:
        return None
    kind, files = chosen
    return Found(
        "per-sample",
        f"holds {len(files)} files of one sample each ({kind})",
        details={"files": len(files)},
        sure=kind in FORMATS,
        handed={"quantifier": kind, "files": files},
    )


def _is_star(seen: Rows) -> Found | None:
    known = is_star([line.split("\t") for line in seen.body[:60]])
    return Found("star-counts", "four columns without a header, the counters of STAR first") if known else None


def _is_quantifier(seen: Columns) -> Found | None:
    kind = by_columns(seen.names)
    return Found(kind, f"the columns of {kind}") if kind else None


READER = Reader(
    kinds=("per-sample", *FORMATS),
    read=read,
    detect={Folder: _is_folder, Rows: _is_star, Columns: _is_quantifier},
    origin="Quantifiers",
    title="STAR `ReadsPerGene`, featureCounts, HTSeq, salmon, kallisto, RSEM, Cufflinks: a file, or a folder with one "
    "per sample",
    options={
        "units": "counts, tpm or fpkm, where the quantifier writes them",
        "tx2gene": "table of two columns, transcript and gene, by which transcripts are summed to genes",
    },
    needs=("found",),
)
