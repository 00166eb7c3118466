"""Where an observation stands between portal and central vein, by landmark genes, and scores without what follows that.

SREBP and glycolysis follow the lobule in normal liver, so that a pattern of their scores need not be one of mTOR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.collection.library_files import library_folder
from mtorscore.collection.yaml_text import load
from mtorscore.errors import DataError, StatisticsWarning, examples, warn
from mtorscore.tl.spatial.sections import Floats, Ints, Sections, scores_of, sections

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["adjusted", "landmark_genes", "without_zonation", "zonation"]

FILE = "zonation.yaml"
LEAST_RELIABILITY = 0.3
"""Below it the halves of the landmarks hardly agree, and the axis cannot be taken out of anything."""
_LEAST_DETECTED = 0.05
# A share of the product of its diagonal, below which a matrix of moments is not solved.
_WELL_POSED = 0.05


@lru_cache(maxsize=1)
def landmark_genes() -> Mapping[str, int]:
    """Return landmark gene -> 1 (central) or -1 (portal), in the order of ``signatures/zonation.yaml``."""
    text = (library_folder() / FILE).read_text(encoding="utf-8")
    raw: dict[str, Any] = load(text)
    return {str(gene): int(said["direction"]) for gene, said in raw["genes"].items()}


def zonation(
    adata: AnnData,
    *,
    section_key: str | None = None,
    layer: str | None = None,
    landmarks: Mapping[str, int] | None = None,
    key_added: str = "zonation",
) -> AnnData:
    """Place observations on the axis from portal (low) to central (high) by landmark genes.

    Counts are brought to the median depth, and logarithms are taken, log(1 + x), of what is on a linear scale.
    Each gene is standardised within its section; the coordinate is the mean of the central landmarks minus that of the
    portal ones. It is made twice, from two halves of the landmarks, whose agreement says how far it can be trusted:
    the reliability of their mean is 2r / (1 + r).

    Parameters
    ----------
    adata
        Spots or cells x genes, named by symbol.
    section_key
        Column of ``.obs``; by default that of the graph, else all observations are one section.
    layer
        Layer instead of ``.X``.
    landmarks
        Gene -> 1 (central) or -1 (portal), by default ``signatures/zonation.yaml``. Give others for another organism
        or a panel that lacks these; no output of a branch that you test.
    key_added
        Key in ``.obs`` (the coordinate), ``.obsm`` (its two halves) and ``.uns["mtorscore"]``.

    Returns
    -------
    AnnData
        The object handed in. ``uns["mtorscore"][key_added]`` has the landmarks used, those left out with the reason,
        and the reliability per section.

    Warns
    -----
    StatisticsWarning
        If the halves hardly agree in a section: nothing is adjusted there, and its numbers are NaN.

    Raises
    ------
    DataError
        If fewer than two landmarks of a direction can be used, or a direction is not 1 or -1.
    """
    import pandas as pd

    given = dict(landmark_genes() if landmarks is None else landmarks)
    wrong = [g for g, d in given.items() if d not in (1, -1)]
    if wrong:
        raise DataError(f"Landmarks are 1 (central) or -1 (portal); {examples(wrong)} have another direction.")
    where = sections(adata, section_key)
    values, scale, left_out = _landmark_values(adata, layer, given)
    chosen = [[g for g, d in given.items() if d == side and g not in left_out] for side in (1, -1)]
    if min(map(len, chosen)) < 2:
        raise DataError(
            f"Zonation needs two central and two portal landmarks; {len(chosen[0])} and {len(chosen[1])} can be used "
            f"(left out: {examples(f'{g}, {w}' for g, w in left_out.items())}). Name others with landmarks=."
        )
    z = _standardised(values, where)
    columns = {g: i for i, g in enumerate(values.columns)}
    halves = np.column_stack(
        [_difference(z, [[columns[g] for g in side[start::2]] for side in chosen]) for start in (0, 1)]
    )
    adata.obsm[key_added] = pd.DataFrame(halves, index=adata.obs_names, columns=["half_1", "half_2"])
    adata.obs[key_added] = halves.mean(axis=1)
    reliability = {name: _reliability(halves[where.rows(code)]) for code, name in enumerate(where.names)}
    adata.uns.setdefault("mtorscore", {})[key_added] = {
        "central": chosen[0], "portal": chosen[1], "left_out": left_out, "scale": scale, "reliability": reliability,
    }  # fmt: skip
    poor = [n or "all observations" for n, r in reliability.items() if not r >= LEAST_RELIABILITY]
    if poor:
        warn(
            f"The two halves of the landmarks hardly agree in {len(poor)} section(s) ({examples(poor)}; reliability "
            f"below {LEAST_RELIABILITY:g}): no lobules, or too few counts. Nothing is adjusted there.",
            StatisticsWarning,
        )
    return adata


def adjusted(
    adata: AnnData,
    *,
    method: str | None = None,
    signatures: str | Sequence[str] | None = None,
    zonation: str = "zonation",
    section_key: str | None = None,
    within: str | None = None,
) -> pd.DataFrame:
    """Return scores without what follows the portal-to-central axis, a parabola in each section.

    Its coefficients are solved from moments in which the two halves of the landmarks stand for each other, such as
    cov(half 1, half 2) for the variance of the coordinate: the noise of the landmarks, which would flatten an ordinary
    regression and leave zonation behind, is not shared by the halves and cancels out (Fuller, Measurement Error Models,
    1987). What bends more often along the axis than a parabola is not taken out.

    Parameters
    ----------
    adata
        Scored observations with `zonation`.
    method, signatures
        Which scores.
    zonation
        Its key.
    section_key
        Column of ``.obs``; by default that of the graph.
    within
        Column of ``.obs``, such as the region: slopes are then those within its values, so that a difference between
        them is not taken out with the axis, only their mean position is.

    Returns
    -------
    pandas.DataFrame
        Observations x signatures; NaN in sections where the halves of the landmarks hardly agree.

    Raises
    ------
    DataError
        If scores, coordinate or columns are absent.
    """
    import pandas as pd

    where = sections(adata, section_key)
    table = scores_of(adata, method, signatures)
    values, _ = without_zonation(adata, table.to_numpy(dtype=np.float64), where, zonation, within)
    return pd.DataFrame(values, index=table.index, columns=table.columns)


def without_zonation(
    adata: AnnData, values: Floats, where: Sections, key: str | None, within: str | None = None
) -> tuple[Floats, str]:
    """Take the axis out of values, section by section; the values themselves where no key is given.

    Parameters
    ----------
    adata
        With `zonation`.
    values
        ``(n_obs, n_signatures)``.
    where
        Sections.
    key
        Of `zonation`, or None.
    within
        As for `adjusted`.

    Returns
    -------
    values, lost
        The residuals on the level of the section, and the sections without any, as words.

    Raises
    ------
    DataError
        If there is no such key or column.
    """
    if key is None:
        return values, ""
    if key not in adata.obsm or key not in adata.obs:
        raise DataError(f"There is no zonation {key!r}; run mt.tl.spatial.zonation(adata) first.")
    halves = np.asarray(adata.obsm[key], dtype=np.float64)
    inner = _codes(adata, within)
    out, lost = np.full(values.shape, np.nan), []
    for code, name in enumerate(where.names):
        rows = where.rows(code)
        if not _reliability(halves[rows]) >= LEAST_RELIABILITY:
            lost.append(name or "all observations")
            continue
        for column in range(values.shape[1]):
            here = rows[~np.isnan(values[rows, column]) & ~np.isnan(halves[rows]).any(axis=1) & (inner[rows] >= 0)]
            if len(here):
                out[here, column] = _residuals(values[here, column], halves[here], inner[here])
    return out, f"zonation cannot be told in {examples(lost)}, left out" if lost else ""


def _codes(adata: AnnData, within: str | None) -> Ints:
    if within is None:
        return np.zeros(adata.n_obs, dtype=np.int64)
    if within not in adata.obs:
        raise DataError(f"obs has no column {within!r}; it has {examples(adata.obs.columns) or 'none'}.")
    return np.asarray(adata.obs[within].astype("category").cat.codes, dtype=np.int64)


def _residuals(y: Floats, halves: Floats, inner: Ints) -> Floats:
    """Return y without its parabola along the axis, its coefficients those within values of `inner`."""
    z = halves - halves.mean(axis=0)
    # The halves share no noise, so that their product is that of the true coordinate with itself, noise apart.
    basis = np.column_stack([z.mean(axis=1), z[:, 0] * z[:, 1]])
    own = np.column_stack([_centred(v, inner) for v in basis.T])
    target = own.T @ _centred(y, inner) / len(y)
    moments = _moments(z, own, inner)
    if not moments[0, 0] > 0:
        return np.full(len(y), np.nan)
    if moments[1, 1] > 0 and np.linalg.det(moments) > _WELL_POSED * moments[0, 0] * moments[1, 1]:
        slopes = np.linalg.solve(moments, target)
    else:
        slopes = np.array([target[0] / moments[0, 0], 0.0])
    return np.asarray(y - (basis - basis.mean(axis=0)) @ slopes)


def _moments(z: Floats, own: Floats, inner: Ints) -> Floats:
    """Return what the covariance of the coordinate and its square would be without the noise of the landmarks."""
    halves = np.column_stack([_centred(v, inner) for v in z.T])
    shared = float(np.mean(halves[:, 0] * halves[:, 1]))
    noise = np.maximum((halves**2).mean(axis=0) - shared, 0.0)
    third = float(own[:, 0] @ own[:, 1]) / len(own)
    fourth = float(own[:, 1] @ own[:, 1]) / len(own)
    fourth -= float(np.mean(z[:, 0] * z[:, 1])) * float(noise.sum()) + float(noise.prod())
    return np.array([[shared, third], [third, fourth]])


def _centred(values: Floats, inner: Ints) -> Floats:
    sizes = np.bincount(inner)
    return np.asarray(values - (np.bincount(inner, values) / np.maximum(sizes, 1))[inner])


def _reliability(halves: Floats) -> float:
    """Return that of the mean of two halves (Spearman and Brown), NaN where it is not defined."""
    here = halves[~np.isnan(halves).any(axis=1)]
    if len(here) < 3 or (np.ptp(here, axis=0) == 0).any():
        return float("nan")
    r = float(np.corrcoef(here[:, 0], here[:, 1])[0, 1])
    return 2 * r / (1 + r) if r > -1 else float("nan")


def _landmark_values(
    adata: AnnData, layer: str | None, given: Mapping[str, int]
) -> tuple[pd.DataFrame, str, dict[str, str]]:
    """Return values of the landmarks that are there and detected, their scale, and why others are left out."""
    import pandas as pd
    from scipy import sparse

    from mtorscore.pp.scale import LINEAR, detect_scale

    scale = detect_scale(adata, layer)
    matrix = adata.X if layer is None else adata.layers[layer]
    place = {str(g): i for i, g in enumerate(adata.var_names)}
    there = [g for g in given if g in place]
    picked = matrix[:, [place[g] for g in there]]
    values = np.asarray(picked.toarray() if sparse.issparse(picked) else picked, dtype=np.float64)
    left_out = {g: "not in the matrix" for g in given if g not in place}
    if scale.kind == "counts":
        depth = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
        middle = float(np.median(depth[depth > 0])) if (depth > 0).any() else 1.0
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(depth[:, None] > 0, values / depth[:, None] * middle, np.nan)
    if scale.kind in LINEAR:
        values = np.log1p(values)
    seen = np.nanmean(values > np.nanmin(values, axis=0), axis=0) if values.size else np.empty(0)
    left_out |= {g: f"seen in {s:.1%} of observations" for g, s in zip(there, seen, strict=True) if s < _LEAST_DETECTED}
    return pd.DataFrame(values, index=adata.obs_names, columns=there), scale.kind, left_out


def _standardised(values: pd.DataFrame, where: Sections) -> Floats:
    """Return values in SD from the mean of their section; 0 where a gene does not vary there."""
    x = values.to_numpy(dtype=np.float64)
    out = np.full(x.shape, np.nan)
    for code in range(len(where.names)):
        rows = where.rows(code)
        part = x[rows]
        if not len(rows) or np.isnan(part).all():
            continue
        sd = np.nanstd(part, axis=0)
        out[rows] = np.where(sd > 0, (part - np.nanmean(part, axis=0)) / np.where(sd > 0, sd, 1.0), 0.0 * part)
    return out


def _difference(z: Floats, sides: list[list[int]]) -> Floats:
    central, portal = (z[:, side].mean(axis=1) for side in sides)
    return np.asarray(central - portal)
