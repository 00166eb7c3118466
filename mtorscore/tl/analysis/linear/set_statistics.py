"""Tests of sets of genes that respect their correlation: CAMERA, rotation, permutation; signed and weighted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from mtorscore.tl.analysis.linear.moderation import (
    Moderated,
    moderate,
    normal_bailey,
    normal_hill,
    two_sided,
    variance_prior,
)

__all__ = [
    "GeneTests",
    "SetTest",
    "camera",
    "camera_from_z",
    "camera_preranked",
    "camera_ranks",
    "fry",
    "gene_deviates",
    "gene_effects",
    "gene_tests",
    "residual_correlation",
    "rotation_test",
]

_Float = npt.NDArray[np.float64]
_CHUNK = 64


@dataclass(frozen=True)
class GeneTests:
    """One contrast, gene by gene.

    Attributes
    ----------
    effects
        ``(1 + residual degrees of freedom, n_genes)``, from `gene_effects`.
    t
        Moderated t.
    moderated
        Variances behind it.
    """

    effects: _Float
    t: _Float
    moderated: Moderated

    @property
    def degrees(self) -> int:
        """Residual degrees of freedom."""
        return int(self.effects.shape[0]) - 1


@dataclass(frozen=True)
class SetTest:
    """Result per set.

    Attributes
    ----------
    statistic
        Positive where the genes move as the set says.
    p
        Two-sided.
    correlation
        Between genes of a set, as used; NaN where none is.
    mixed
        p of any change, whatever its direction (rotation alone).
    """

    statistic: _Float
    p: _Float
    correlation: _Float
    mixed: _Float


def gene_effects(y: _Float, design: _Float) -> _Float:
    """Rotate data so that the first row holds the contrast and the others are residual.

    Parameters
    ----------
    y
        Observations x genes.
    design
        Observations x columns of full rank; the last is the contrast.

    Returns
    -------
    ndarray
        ``(1 + residual degrees of freedom, n_genes)``; rows are orthonormal rotations of the data, and the first has
        the sign of the coefficient of the last column.
    """
    q, r = np.linalg.qr(design, mode="complete")
    p = design.shape[1]
    effects: _Float = q.T[p - 1 :] @ y
    effects[0] *= np.sign(r[p - 1, p - 1])
    return effects


def gene_tests(effects: _Float) -> GeneTests:
    """Return the moderated t of every gene.

    Parameters
    ----------
    effects
        From `gene_effects`, with one residual row at least.

    Returns
    -------
    GeneTests
        Their degrees of freedom stand in `moderated`.
    """
    moderated = moderate((effects[1:] ** 2).mean(axis=0), effects.shape[0] - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return GeneTests(effects, effects[0] / np.sqrt(moderated.variance), moderated)


def _within(z: _Float, weights: _Float, correlation: float | None, unit: _Float | None) -> tuple[float, float, float]:
    """Return standardised difference, degrees taken by nothing, and correlation of one set against all other genes."""
    inside = weights != 0
    w, sign = weights[inside] / np.abs(weights[inside]).sum(), np.sign(weights[inside])
    m, rest = int(inside.sum()), int((~inside).sum())
    if m == 0 or rest < 2:
        return np.nan, np.nan, np.nan
    outside = z[~inside]
    moved = sign * (z[inside] - outside.mean())
    difference = float(np.abs(w) @ moved)
    left = ((outside - outside.mean()) ** 2).sum() + ((moved - moved.mean()) ** 2).sum()
    pooled = float(left) / (len(z) - 2)
    own = float((w**2).sum())
    if unit is not None:
        ratio = float(((unit[:, inside] @ w) ** 2).mean()) / own if m > 1 else 1.0
        correlation = (ratio - 1) / (1 / own - 1) if m > 1 else np.nan
    else:
        correlation = 0.0 if correlation is None else correlation
        ratio = 1 + (1 / own - 1) * correlation
    variance = pooled * (own * max(ratio, 1.0) + float(w.sum()) ** 2 / rest)
    return difference / np.sqrt(variance) if variance > 0 else np.nan, difference, correlation


def camera(tests: GeneTests, sets: _Float, correlation: float | None = 0.01) -> SetTest:
    """Compare the genes of each set with all others (Wu and Smyth, Nucleic Acids Res 2012;40:e133).

    Of signed sets, down genes count turned round; of weighted ones, the weighted mean of the normal deviates is
    compared, its variance being ``sum w^2 + correlation * (1 - sum w^2)`` for absolute weights that sum to 1. Unsigned
    and unweighted, these are limma's formulas.

    Parameters
    ----------
    tests
        Of all genes.
    sets
        ``(n_genes, n_sets)`` signed weights.
    correlation
        Between genes of a set; None: that of the residuals of each set, and never below 0.

    Returns
    -------
    SetTest
        The statistic is t with ``n_genes - 2`` degrees of freedom, with an estimated correlation at most the residual
        ones.
    """
    genes, total = len(tests.t), tests.degrees + tests.moderated.prior_degrees
    z = normal_hill(tests.t, float(min(total, genes * tests.degrees)))
    unit = None
    if correlation is None:
        variance = (tests.effects[1:] ** 2).mean(axis=0)
        unit = tests.effects[1:] / np.sqrt(np.maximum(variance, 1e-8))
    found = np.array([_within(z, w, correlation, unit) for w in sets.T]).reshape(-1, 3)
    degrees = genes - 2 if correlation is not None else min(tests.degrees, genes - 2)
    return SetTest(found[:, 0], two_sided(found[:, 0], degrees), found[:, 2], np.full(len(found), np.nan))


def camera_preranked(statistic: _Float, sets: _Float, correlation: float = 0.01) -> SetTest:
    """Compare the genes of each set with all others by any statistic per gene, with a preset correlation.

    Parameters
    ----------
    statistic
        Per gene, such as a t.
    sets
        ``(n_genes, n_sets)`` signed weights.
    correlation
        Between genes of a set.

    Returns
    -------
    SetTest
        The statistic is t with ``n_genes - 2`` degrees of freedom.
    """
    found = np.array([_within(statistic, w, correlation, None) for w in sets.T]).reshape(-1, 3)
    p = two_sided(found[:, 0], len(statistic) - 2)
    return SetTest(found[:, 0], p, found[:, 2], np.full(len(found), np.nan))


def camera_ranks(tests: GeneTests, sets: _Float, correlation: float | None = 0.01) -> SetTest:
    """Compare ranks instead of normal deviates (limma's ``use.ranks``); NaN for signed and for weighted sets.

    Parameters
    ----------
    tests, sets, correlation
        As for `camera`.

    Returns
    -------
    SetTest
        The statistic is the rank sum, standardised with the variance that a correlation gives it.
    """
    estimated = camera(tests, sets, None).correlation if correlation is None else None
    ranks = stats.rankdata(tests.t)
    n = len(ranks)
    degrees = np.inf if correlation is not None else min(tests.degrees, n - 2)
    ties = np.unique(ranks, return_counts=True)[1].astype(np.float64)
    tied = float((ties * (ties + 1) * (ties - 1)).sum()) / (n * (n + 1) * (n - 1))
    out, used = np.full((sets.shape[1], 2), np.nan), np.full(sets.shape[1], np.nan)
    for i, weights in enumerate(sets.T):
        inside = weights != 0
        m, rest = int(inside.sum()), int((~inside).sum())
        rho = float(estimated[i]) if estimated is not None else float(correlation or 0.0)
        used[i] = rho
        if m == 0 or rest == 0 or np.ptp(weights[inside]) > 0 or weights[inside][0] < 0:
            continue
        variance = _rank_sum_variance(m, rest, max(0.0, rho) if np.isfinite(rho) else 0.0) * (1 - tied)
        excess = float(ranks[inside].sum()) - m * (m + 1) / 2 - m * rest / 2
        upper, lower = (excess - 0.5) / np.sqrt(variance), (excess + 0.5) / np.sqrt(variance)
        p = 2 * min(stats.t.sf(upper, degrees), stats.t.cdf(lower, degrees))
        out[i] = excess / np.sqrt(variance), min(p, 1.0)
    return SetTest(out[:, 0], out[:, 1], used, np.full(len(out), np.nan))


def _rank_sum_variance(m: int, rest: int, rho: float) -> float:
    """Variance of a rank sum whose members correlate (Barry, Nobel and Wright, Ann Appl Stat 2008;2:286)."""
    if rho == 0 or m == 1:
        return m * rest * (m + rest + 1) / 12
    total = np.arcsin(1.0) * m * rest + np.arcsin(0.5) * m * rest * (rest - 1)
    total += np.arcsin(rho / 2) * m * (m - 1) * rest * (rest - 1) + np.arcsin((rho + 1) / 2) * m * (m - 1) * rest
    return float(total / 2 / np.pi)


def gene_deviates(first: _Float, total: _Float, tests: GeneTests, *, normal: bool = True) -> _Float:
    """Return moderated t, or their normal deviates, of other first effects of the same data.

    Parameters
    ----------
    first
        First effect, anything x genes.
    total
        Sum of squares of all effects, of the same shape or per gene.
    tests
        The data's own: their prior and degrees of freedom are used.
    normal
        Whether normal deviates are returned.

    Returns
    -------
    ndarray
        Shape of `first`.
    """
    prior, prior_degrees = tests.moderated.prior_variance, tests.moderated.prior_degrees
    with np.errstate(invalid="ignore", divide="ignore"):
        if np.isinf(prior_degrees):
            t = first / np.sqrt(prior)
        else:
            spread = np.maximum(total - first**2, 0)
            t = first / np.sqrt((prior_degrees * prior + spread) / (prior_degrees + tests.degrees))
    return normal_bailey(t, min(prior_degrees + tests.degrees, 10_000.0)) if normal else t


def rotation_test(
    tests: GeneTests, sets: _Float, n: int = 1999, seed: int = 0, *, centred: bool = False, normal: bool = True
) -> SetTest:
    """Test sets of genes by rotating the effects (Langsrud 2005; ROAST of Wu et al., Bioinformatics 2010;26:2176).

    Parameters
    ----------
    tests
        Of all genes.
    sets
        ``(n_genes, n_sets)`` signed weights, absolute column sums of 1.
    n
        Rotations.
    seed
        Of the rotations.
    centred
        Whether the mean of all genes is subtracted, so that a shift of all genes is no change of a set.
    normal
        Whether the mean is that of normal deviates (as in limma's roast) instead of moderated t.

    Returns
    -------
    SetTest
        The statistic is the weighted mean; p is at least ``1 / (n + 1)``.
    """
    some = np.ones(len(tests.t), dtype=bool) if centred else (sets != 0).any(axis=1)
    effects, sets = tests.effects[:, some], sets[some]
    total, degrees = (effects**2).sum(axis=0), tests.degrees
    balance = sets.sum(axis=0)

    def values(first: _Float) -> _Float:
        return gene_deviates(first, total, tests, normal=normal)

    def statistic(value: _Float) -> _Float:
        out: _Float = value @ sets
        return out - value.mean(axis=-1, keepdims=True) * balance if centred else out

    first = values(effects[0])
    observed, either = statistic(first), np.abs(first) @ np.abs(sets)
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(n, degrees + 1))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    beyond, any_way = np.zeros(len(observed)), np.zeros(len(observed))
    for start in range(0, n, _CHUNK):
        rotated = values(directions[start : start + _CHUNK] @ effects)
        beyond += (np.abs(statistic(rotated)) >= np.abs(observed)).sum(axis=0)
        any_way += (np.abs(rotated) @ np.abs(sets) >= either).sum(axis=0)
    empty = ~(sets != 0).any(axis=0)
    p, mixed = (np.where(empty, np.nan, (k + 1) / (n + 1)) for k in (beyond, any_way))
    return SetTest(np.where(empty, np.nan, observed), p, np.full(len(p), np.nan), mixed)


def fry(tests: GeneTests, sets: _Float) -> SetTest:
    """Return the limit of `rotation_test` for many rotations, as limma's fry approximates it.

    Parameters
    ----------
    tests
        Of all genes.
    sets
        ``(n_genes, n_sets)`` signed weights.

    Returns
    -------
    SetTest
        The statistic is t with the residual degrees of freedom.
    """
    degrees = tests.degrees
    nodes, weights = np.polynomial.legendre.leggauss(128)
    nodes, weights = (nodes + 1) / 2, weights / 2
    largest = float(((degrees + 1) * nodes**degrees * stats.chi2.ppf(nodes, 1) * weights).sum())
    square = tests.effects**2
    robust = (square.sum(axis=0) - square.max(axis=0)) / (degrees + 1 - largest)
    prior, prior_degrees = variance_prior((square[1:]).mean(axis=0), degrees)
    own = 0.92 * degrees
    if np.isinf(prior_degrees):
        robust = np.full_like(robust, prior)
    else:
        robust = (prior_degrees * prior + own * robust) / (prior_degrees + own)
    means = (tests.effects / np.sqrt(robust)) @ sets
    with np.errstate(invalid="ignore", divide="ignore"):
        t = means[0] / np.sqrt((means[1:] ** 2).mean(axis=0))
    unknown = np.full(len(t), np.nan)
    return SetTest(t, two_sided(t, degrees), unknown, unknown)


def camera_from_z(z: _Float, sets: _Float, rho: _Float | float) -> tuple[_Float, _Float]:
    """Compare a set's mean z with that of all genes, its variance inflated by the correlation of genes.

    Parameters
    ----------
    z
        Per gene.
    sets
        ``(n_genes, n_sets)`` signed weights, absolute column sums of 1.
    rho
        Mean correlation of the genes of each set.

    Returns
    -------
    tuple of ndarray
        Standardised statistic and two-sided p by the normal distribution, per set.
    """
    centred = z - z.mean()
    m = (sets != 0).sum(axis=0)
    inflation = 1 + (m - 1) * np.maximum(rho, 0)
    spread = centred.std() * np.sqrt((sets**2).sum(axis=0) * inflation)
    statistic: _Float = centred @ sets / np.where(spread > 0, spread, np.nan)
    return statistic, 2 * stats.norm.sf(np.abs(statistic))


def residual_correlation(effects: _Float, sets: _Float) -> _Float:
    """Return the mean correlation between residuals of the genes of each set, down genes turned round.

    Parameters
    ----------
    effects
        From `gene_effects`.
    sets
        ``(n_genes, n_sets)`` signed weights.

    Returns
    -------
    ndarray
        Per set; 0 for fewer than two genes.
    """
    unit = effects[1:] / np.sqrt((effects[1:] ** 2).sum(axis=0)).clip(min=1e-300)
    out = np.zeros(sets.shape[1])
    for i, weights in enumerate(sets.T):
        inside = weights != 0
        m = int(inside.sum())
        if m > 1:
            mean = (unit[:, inside] * np.sign(weights[inside])).mean(axis=1)
            out[i] = (float(m * (mean**2).sum()) - 1) / (m - 1)
    return out
