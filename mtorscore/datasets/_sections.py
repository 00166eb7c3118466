"""Simulated tissue sections: spots on a hexagonal grid, lobules, and signatures whose pattern is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.collection import SignaturesLike, as_collection
from mtorscore.errors import DataError, examples

if TYPE_CHECKING:
    from anndata import AnnData

Floats = npt.NDArray[np.float64]

PATTERNS = ("gradient", "zonal", "region", "patches", "section")
"""``gradient`` from left to right, ``zonal`` from portal to central, ``region`` in the right half, ``patches`` without
a place of their own (autocorrelated noise), ``section``: another level in each section."""
# Spots from one central vein to the next.
_LOBULE = 8.0
# The landmarks of signatures/zonation.yaml; named here too, since the truth must not follow what is tested.
_CENTRAL, _PORTAL = ("GLUL", "CYP2E1", "CYP1A2", "CYP3A4"), ("ASS1", "ALB", "ASL", "HAL")


def simulate_sections(
    n_sections: int = 6,
    *,
    side: int = 30,
    effects: Mapping[str, Mapping[str, float]] | None = None,
    signatures: SignaturesLike = None,
    n_genes: int = 400,
    median_counts: float = 8000.0,
    landmark_share: float = 0.03,
    patch_size: float = 3.0,
    seed: int = 0,
) -> AnnData:
    """Simulate sections of liver whose patterns are known: counts, coordinates, lobules, two regions.

    Parameters
    ----------
    n_sections
        Sections, each of another patient.
    side
        Rows and columns of a section; ``side * side`` spots at a distance of 1 on a hexagonal grid.
    effects
        Signature -> pattern -> SD of its genes' logarithm that follows it: ``"gradient"``, ``"zonal"``, ``"region"``,
        ``"patches"``, ``"section"``.
    signatures
        Where the genes of `effects` are looked up; without them a signature has 20 genes of its own.
    n_genes
        Further genes without a pattern.
    median_counts
        Per spot.
    landmark_share
        Of the counts that fall on the landmarks of zonation.
    patch_size
        Of the patches, as the SD of their kernel, in spots.
    seed
        Another seed, other sections.

    Returns
    -------
    AnnData
        Spots x genes, counts; ``obs`` has section, patient, region (``"left"``, ``"right"``) and the true position
        ``central`` (0 portal, 1 central), ``obsm["spatial"]`` coordinates, ``uns["truth"]`` effects and genes.

    Raises
    ------
    DataError
        If a pattern is unknown, or a signature of `effects` has no genes.
    """
    from anndata import AnnData
    from scipy import sparse

    wanted = {k: dict(v) for k, v in (effects or {}).items()}
    unknown = sorted({p for v in wanted.values() for p in v} - set(PATTERNS))
    if unknown:
        raise DataError(f"No pattern is called {examples(map(repr, unknown))}; there are {', '.join(PATTERNS)}.")
    rng = np.random.default_rng(seed)
    genes_of = _genes_of(wanted, signatures)
    genes = [*_CENTRAL, *_PORTAL]
    genes += [g for g in dict.fromkeys(g for v in genes_of.values() for g in v) if g not in genes]
    genes += [f"GENE{i:04d}" for i in range(n_genes)]
    base = _base(genes, landmark_share, rng)
    xy = hexagonal(side)
    parts, tables = [], []
    for s in range(n_sections):
        central = _central(xy, rng)
        found = {name: _latent(xy, central, patterns, patch_size, rng) for name, patterns in wanted.items()}
        log = np.tile(base, (len(xy), 1))
        log[:, :8] += np.outer(central - 0.5, [1.5] * 4 + [-1.5] * 4)
        place = {g: i for i, g in enumerate(genes)}
        for name, latent in found.items():
            log[:, [place[g] for g in genes_of[name]]] += latent[:, None]
        parts.append(_counts(log, median_counts, rng))
        tables.append(_obs(xy, central, s))
    obs = pd.concat(tables)
    adata = AnnData(sparse.csr_matrix(np.vstack(parts)), obs, pd.DataFrame(index=pd.Index(genes, dtype=object)))
    adata.obsm["spatial"] = np.tile(xy, (n_sections, 1))
    adata.uns["truth"] = {"effects": wanted, "genes": {k: list(v) for k, v in genes_of.items()}}
    adata.uns["source"] = {"kind": "simulated sections", "units": "counts", "seed": seed}
    return adata


def hexagonal(side: int) -> Floats:
    """Return places on a hexagonal grid of distance 1, ``(side * side, 2)``."""
    row, column = np.divmod(np.arange(side * side), side)
    return np.column_stack([column + 0.5 * (row % 2), row * np.sqrt(3) / 2])


def autocorrelated(xy: Floats, size: float, rng: np.random.Generator) -> Floats:
    """Return noise of SD 1 that is alike within a distance: white noise through a Gaussian kernel."""
    from scipy.spatial.distance import cdist

    kernel = np.exp(-0.5 * (cdist(xy, xy) / size) ** 2)
    return np.asarray((kernel / np.sqrt((kernel**2).sum(axis=1, keepdims=True))) @ rng.normal(size=len(xy)))


def _genes_of(wanted: Mapping[str, object], signatures: SignaturesLike) -> dict[str, list[str]]:
    if signatures is None:
        return {name: [f"{name}_{i:02d}" for i in range(20)] for name in wanted}
    entries = as_collection(signatures)
    absent = [n for n in wanted if n not in entries or not getattr(entries[n], "up", None)]
    if absent:
        raise DataError(f"{len(absent)} signature(s) of effects= have no genes that go up ({examples(absent)}).")
    taken = {*_CENTRAL, *_PORTAL}
    return {name: [g for g in entries[name].up if g not in taken] for name in wanted}  # type: ignore[attr-defined]


def _base(genes: list[str], landmark_share: float, rng: np.random.Generator) -> Floats:
    level = rng.normal(0.0, 0.8, len(genes))
    others = np.exp(level[8:]).sum()
    level[:8] = np.log(landmark_share / (1 - landmark_share) * others / 8) + rng.normal(0, 0.2, 8)
    return level


def _central(xy: Floats, rng: np.random.Generator) -> Floats:
    """Return the nearness to a central vein, 1 at one and 0 farthest from all, veins on a shifted hexagonal grid."""
    from scipy.spatial import cKDTree

    reach = int(np.ceil(xy.max() / _LOBULE)) + 3
    veins = (hexagonal(reach + 2) - 1.5) * _LOBULE + rng.uniform(0, _LOBULE, 2)
    distance = cKDTree(veins).query(xy)[0]
    return np.asarray(1 - distance / (_LOBULE / np.sqrt(3)))


def _latent(
    xy: Floats, central: Floats, patterns: Mapping[str, float], patch_size: float, rng: np.random.Generator
) -> Floats:
    shapes = {
        "gradient": xy[:, 0],
        "zonal": central,
        "region": (xy[:, 0] > xy[:, 0].mean()).astype(np.float64),
    }
    total = np.zeros(len(xy))
    for name, sd in patterns.items():
        if name == "patches":
            total += sd * autocorrelated(xy, patch_size, rng)
        elif name == "section":
            total += sd * rng.normal()
        else:
            shape = shapes[name]
            total += sd * (shape - shape.mean()) / shape.std()
    return total


def _counts(log: Floats, median_counts: float, rng: np.random.Generator) -> Floats:
    depth = median_counts * np.exp(rng.normal(0, 0.3, len(log)))
    share = np.exp(log)
    return np.asarray(rng.poisson(share / share.sum(axis=1, keepdims=True) * depth[:, None]), dtype=np.float64)


def _obs(xy: Floats, central: Floats, s: int) -> pd.DataFrame:
    names = [f"S{s + 1}_{i:04d}" for i in range(len(xy))]
    region = np.where(xy[:, 0] > xy[:, 0].mean(), "right", "left").astype(object)
    return pd.DataFrame(
        {"section": f"S{s + 1}", "patient": f"P{s + 1}", "region": region, "central": central}, index=names
    )
