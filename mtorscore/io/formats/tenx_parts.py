"""What matrices of 10x Genomics hold beside their values: files of a folder, groups of a genome, features, barcodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._doors import option
from mtorscore._sparse_structure import check_stored_pointers
from mtorscore.errors import FormatError, examples
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.cell_text import split

__all__ = [
    "GENES",
    "Features",
    "barcodes_in",
    "barcodes_of",
    "check_names",
    "check_sizes",
    "features_in",
    "features_of",
    "files_of",
    "group_of",
    "texts",
    "three_files",
]

GENES = "Gene Expression"
# Types of 10x's own software that are no genes.
_OTHERS = frozenset(
    {
        "Antibody Capture", "Antigen Capture", "CRISPR Guide Capture", "Custom", "Multiplexing Capture", "Peaks", "VDJ",
        "Negative Control Probe", "Negative Control Codeword", "Unassigned Codeword", "Blank Codeword",
        "Deprecated Codeword", "Genomic Control", "Protein Expression",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Features:
    """The features of a matrix that are kept.

    Attributes
    ----------
    names
        By which they are identified.
    var
        What else is known of each.
    columns
        Their numbers among all features of the file; None for all.
    left_out
        How many features of other types are left out.
    """

    names: list[str]
    var: pd.DataFrame
    columns: npt.NDArray[np.int64] | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    def words(self) -> str:
        """Return what is left out, in a sentence; "" where nothing is."""
        if not self.left_out:
            return ""
        types = ", ".join(f"{n} of the type {t}" for t, n in self.left_out.items())
        return (
            f"{sum(self.left_out.values())} features are no genes ({types}) and are left out; "
            "mtorscore.read(path, other_features=True) keeps them."
        )


def files_of(path: Path, prefix: str = "") -> dict[str, Path]:
    """Return matrix, barcodes and features of a 10x folder, as far as they are there (GEO prefixes allowed)."""
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        name = file.name.removesuffix(".gz")
        if not name.startswith(prefix):
            continue
        for part, endings in (
            ("matrix", ("matrix.mtx",)),
            ("barcodes", ("barcodes.tsv",)),
            ("features", ("features.tsv", "genes.tsv")),
        ):
            if name.endswith(endings):
                found.setdefault(part, file)
    return found


def three_files(path: Path, prefix: str = "") -> dict[str, Path]:
    """Return matrix, barcodes and features of a 10x folder.

    Raises
    ------
    FormatError
        If one of them is missing, or several samples lie together.
    """
    matrices = [f.name for f in sorted(path.iterdir()) if f.name.removesuffix(".gz").endswith("matrix.mtx")]
    if sum(m.startswith(prefix) for m in matrices) > 1:
        starts = [m[: m.index("matrix.mtx")] for m in matrices]
        raise FormatError(
            f"{len(matrices)} samples lie together ({examples(starts)}); choose one with {option('prefix')}, such as "
            f"{option('prefix', starts[0])}.",
            path=path,
        )
    files = files_of(path, prefix)
    missing = [p for p in ("matrix", "barcodes", "features") if p not in files]
    if missing:
        named = {"matrix": "matrix.mtx", "barcodes": "barcodes.tsv", "features": "features.tsv (or genes.tsv)"}
        there = examples(sorted(f.name for f in path.iterdir()), 6) or "nothing"
        raise FormatError(
            f"a 10x folder without {' and '.join(missing)}: {' and '.join(named[m] for m in missing)}, plain or .gz, "
            f"must lie beside the others, and there is {there}.",
            path=path,
        )
    return files


def _lines(path: Path) -> list[list[str]]:
    return [split(line, "\t") for line in file_bytes.load(path).data.decode().split("\n") if line]


def barcodes_of(path: Path) -> list[str]:
    """Return the first column of a file of barcodes."""
    return [r[0] for r in _lines(path)]


def features_of(path: Path, *, gene_ids: bool = True, other_features: bool = False) -> tuple[Features, int]:
    """Read the features of a 10x folder: ids, symbols (the ids again, where there is one column), types.

    Parameters
    ----------
    path
        features.tsv or genes.tsv.
    gene_ids
        Identify genes by the first column, with symbols in ``symbol``; False the other way round.
    other_features
        Keep what is no gene.

    Returns
    -------
    features, n
        What is kept, and how many there are.
    """
    rows = _lines(path)
    ids = [f[0] for f in rows]
    symbols = [f[1] if len(f) > 1 else f[0] for f in rows]
    var = pd.DataFrame({"symbol": symbols} if gene_ids else {"gene_id": ids})
    if all(len(f) > 2 for f in rows):
        var["feature_type"] = [f[2] for f in rows]
    return _kept(ids if gene_ids else symbols, var, path, other_features), len(rows)


def group_of(file: Any, path: Path, genome: str | None) -> tuple[str, Any, npt.NDArray[np.int64], tuple[int, int]]:
    """Return name, group, pointers and shape (cells x features) of the matrix in a 10x HDF5 file.

    Parameters
    ----------
    file
        Open HDF5 file of Cell Ranger 2 (one group per genome) or 3 (group ``matrix``).
    path
        For the error.
    genome
        Which one, where there are several.
    """
    import h5py

    groups = [k for k in file if isinstance(file[k], h5py.Group) and "indptr" in file[k]]
    several = groups != ["matrix"]
    if genome is None and len(groups) > 1:
        raise FormatError(
            f"{len(groups)} genomes ({examples(groups)}); choose one with {option('genome', groups[0])}.", path=path
        )
    name = (genome if several else None) or (groups[0] if groups else "")
    if name not in groups:
        raise FormatError(f"there is no genome {name!r}; there are {examples(groups)}.", path=path)
    group = file[name]
    n_genes, n_cells = (int(v) for v in group["shape"][()])
    pointers = check_stored_pointers(group, (n_cells, n_genes), n_cells, path=path, name=name)
    return name, group, pointers, (n_cells, n_genes)


def barcodes_in(group: Any) -> npt.NDArray[Any]:
    """Return the barcodes as they are stored."""
    return np.asarray(group["barcodes"][()])


def features_in(
    group: Any, path: Path, *, genome: str | None = None, other_features: bool = False
) -> tuple[Features, int]:
    """Read the features of a 10x HDF5 file.

    Parameters
    ----------
    group
        The group of the matrix.
    path
        For the error.
    genome
        Of a file of Cell Ranger 3 with several genomes: keep the genes of this one, and name them without its name.
    other_features
        Keep what is no gene.

    Returns
    -------
    features, n
        What is kept, and how many there are.
    """
    if "features" not in group:
        ids, symbols = texts(group["genes"][()]), texts(group["gene_names"][()])
        return Features(ids, pd.DataFrame({"symbol": symbols})), len(ids)
    inside = group["features"]
    ids, symbols = texts(inside["id"][()]), texts(inside["name"][()])
    var = pd.DataFrame({"symbol": symbols})
    if "feature_type" in inside:
        var["feature_type"] = texts(inside["feature_type"][()])
    kept = _kept(ids, var, path, other_features)
    if genome is None or genome == group.name.strip("/"):
        return kept, len(ids)
    return _of_genome(kept, texts(inside["genome"][()]) if "genome" in inside else [], genome, path), len(ids)


def _of_genome(kept: Features, genomes: Sequence[str], genome: str, path: Path) -> Features:
    """Keep the genes of one genome; where there are several, their names begin with that of the genome."""
    columns = np.arange(len(genomes)) if kept.columns is None else kept.columns
    mine = np.array([genomes[int(c)] == genome for c in columns], dtype=np.bool_)
    if not mine.any():
        there = sorted({genomes[int(c)] for c in columns if int(c) < len(genomes)})
        raise FormatError(f"there is no genome {genome!r}; there are {examples(there) or 'none'}.", path=path)
    var = kept.var[mine].reset_index(drop=True)
    var["symbol"] = [s.removeprefix(f"{genome}_") for s in var["symbol"]]
    names = [n.removeprefix(f"{genome}_") for n, m in zip(kept.names, mine, strict=True) if m]
    return Features(names, var, columns[mine], kept.left_out)


def _kept(names: list[str], var: pd.DataFrame, path: Path, other_features: bool) -> Features:
    """Leave out features that are said to be no genes."""
    if other_features or "feature_type" not in var:
        return Features(names, var)
    types = var["feature_type"].astype(str)
    genes = (types == GENES).to_numpy()
    if not genes.any():
        if set(types) & _OTHERS:
            there = examples(sorted(set(types)))
            raise FormatError(f"none of {len(types)} features is of the type {GENES!r}; there are {there}.", path=path)
        return Features(names, var)
    if genes.all():
        return Features(names, var)
    left_out = {t: int((types == t).sum()) for t in sorted(set(types)) if t != GENES}
    kept = np.flatnonzero(genes)
    return Features([names[int(k)] for k in kept], var[genes].reset_index(drop=True), kept, left_out)


def check_sizes(shape: tuple[int, int], n_features: int, n_barcodes: int, path: Path) -> None:
    """Refuse a matrix of a folder (features x barcodes) that is not as large as its names say."""
    if shape == (n_barcodes, n_features) and n_barcodes != n_features:
        raise FormatError(
            f"the matrix has the {n_barcodes} barcodes in its rows and the {n_features} features in its columns; Cell "
            "Ranger writes features x barcodes. Transpose it, or give the folder that Cell Ranger wrote.",
            path=path,
            line=1,
        )
    if shape != (n_features, n_barcodes):
        raise FormatError(
            f"the matrix is {shape[0]} x {shape[1]}, and there are {n_features} features and {n_barcodes} "
            "barcodes; the files belong to different runs.",
            path=path,
            line=1,
        )


def check_names(shape: tuple[int, int], n_features: int, n_barcodes: int, path: Path) -> None:
    """Refuse an HDF5 file whose matrix (cells x features) is not as large as its names say."""
    if shape != (n_barcodes, n_features):
        raise FormatError(
            f"{n_features} genes and {n_barcodes} barcodes for a matrix of {shape[1]} x {shape[0]}; the file is "
            "damaged. Download it again.",
            path=path,
        )


def texts(values: Any) -> list[str]:
    """Return stored text as text."""
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]
