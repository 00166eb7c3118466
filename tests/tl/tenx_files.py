"""Matrices of 10x Genomics as Cell Ranger and others write them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy import sparse

from mtorscore import library
from mtorscore.genes.tables import human

N_CELLS = 150
KINDS = ("h5", "h5 of version 2", "mtx", "mtx of version 2", "mtx, genes descending", "mtx, cells mixed", "one column")


def genes() -> tuple[list[str], list[str]]:
    """Return Ensembl ids and symbols; two genes have one symbol."""
    table = human().by_symbol
    symbols = [g for g in sorted({g for e in library().signatures for g in e.genes}) if g in table and table[g].ensembl]
    chosen = symbols[::9][:220]
    ids = [str(table[g].ensembl) for g in chosen]
    return [*ids, "ENSG00000999999"], [*chosen, chosen[0]]


def counts(n_features: int) -> sparse.csr_matrix:
    """Return counts, cells x features; one cell shows nothing."""
    rng = np.random.default_rng(3)
    found = sparse.random(N_CELLS, n_features, density=0.2, random_state=2, data_rvs=lambda k: rng.integers(1, 30, k))
    dense = found.toarray()
    dense[7] = 0
    return sparse.csr_matrix(dense.astype(np.int32))


def barcodes() -> list[str]:
    """Barcodes of two lanes, of which some differ by the lane alone."""
    return [f"ACGT{i // 2:04d}-{1 + i % 2}" for i in range(N_CELLS)]


def write_tenx(folder: Path, kind: str) -> Path:
    """Write a matrix with three antibodies among the genes, where the format has types."""
    ids, symbols = genes()
    types = ["Gene Expression"] * len(ids)
    if kind in ("h5", "mtx", "mtx, genes descending", "mtx, cells mixed"):
        for at, name in ((0, "CD3"), (50, "CD4"), (len(ids) + 2, "CD8")):
            for values, value in ((ids, name), (symbols, symbols[30]), (types, "Antibody Capture")):
                values.insert(at, value)
    x = counts(len(ids))
    if kind.startswith("h5"):
        return write_h5(folder / "m.h5", x, ids, symbols, types, old=kind.endswith("2"))
    return write_mtx(folder / "m", x, kind, ids, symbols, types)


def write_h5(
    path: Path, x: Any, ids: list[str], symbols: list[str], types: list[str], *, old: bool = False, genome: Any = "hg"
) -> Path:
    """Write HDF5 of Cell Ranger 3, or of version 2."""
    with h5py.File(path, "w") as file:
        group = file.create_group("hg19" if old else "matrix")
        for name in ("data", "indices", "indptr"):
            group.create_dataset(name, data=getattr(x, name), chunks=(1000,) if name != "indptr" else None,
                                 maxshape=(None,), compression="gzip")  # fmt: skip
        group["shape"] = np.array(x.shape[::-1], dtype="i4")
        group["barcodes"] = np.array(barcodes(), dtype="S")
        if old:
            group["genes"], group["gene_names"] = np.array(ids, dtype="S"), np.array(symbols, dtype="S")
            return path
        inside = group.create_group("features")
        genomes = [genome] * len(ids) if isinstance(genome, str) else genome
        for name, values in (("id", ids), ("name", symbols), ("feature_type", types), ("genome", genomes)):
            inside[name] = np.array(values, dtype="S")
    return path


def write_mtx(folder: Path, x: Any, kind: str, ids: list[str], symbols: list[str], types: list[str]) -> Path:
    """Write the three files of a 10x folder."""
    folder.mkdir()
    coo = x.tocoo()
    order = np.lexsort((-coo.col if "descending" in kind else coo.col, coo.row))
    if "mixed" in kind:
        order = np.random.default_rng(1).permutation(order)
    entries = zip(coo.col[order], coo.row[order], coo.data[order], strict=True)
    lines = [f"{g + 1} {c + 1} {v}" for g, c, v in entries]
    head = ["%%MatrixMarket matrix coordinate integer general", "%", f"{x.shape[1]} {x.shape[0]} {len(lines)}"]
    columns = [ids] if kind == "one column" else [ids, symbols] if kind.endswith("2") else [ids, symbols, types]
    files = {
        "matrix.mtx": head + lines,
        "barcodes.tsv": barcodes(),
        "genes.tsv" if kind.endswith("2") else "features.tsv": ["\t".join(row) for row in zip(*columns, strict=True)],
    }
    for name, rows in files.items():
        text = ("\n".join(rows) + "\n").encode()
        if kind.endswith("2"):
            (folder / name).write_bytes(text)
        else:
            (folder / f"{name}.gz").write_bytes(gzip.compress(text))
    return folder
