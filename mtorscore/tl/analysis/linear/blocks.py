"""Random blocks: correlation within blocks by REML, the consensus of many responses, and mixed models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from mtorscore.tl.analysis.linear.fits import basis

__all__ = ["Mixed", "block_correlations", "consensus", "mixed_model"]

_Float = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.int64]
_HIGHEST = 0.99


@dataclass(frozen=True)
class Mixed:
    """The coefficient of one column in ``y ~ nuisance + x + (1 | block)``, by REML.

    Attributes
    ----------
    effect, error, degrees
        Per response; degrees of freedom by Satterthwaite's approximation.
    residual_variance, block_variance
        Components of variance.
    """

    effect: _Float
    error: _Float
    degrees: _Float
    residual_variance: _Float
    block_variance: _Float


@dataclass(frozen=True)
class _Spectrum:
    """Independent error contrasts: their squares, and the share of the block's variance in each."""

    square: _Float
    loading: _Float


def _spectrum(y: _Float, design: _Float, block: _Codes) -> _Spectrum:
    indicator = (block[:, None] == np.unique(block)[None, :]).astype(np.float64)
    q = basis(design)
    contrasts = np.linalg.svd(q, full_matrices=True)[0][:, q.shape[1] :]
    u, s, _ = np.linalg.svd(contrasts.T @ indicator, full_matrices=True)
    loading = np.zeros(u.shape[0])
    loading[: len(s)] = np.where(s > 1e-8, s, 0.0) ** 2
    return _Spectrum((u.T @ (contrasts.T @ y)) ** 2, loading)


def _slope(rho: _Float, of: _Spectrum) -> _Float:
    """Return the derivative of twice the negative profile likelihood (REML) in the correlation."""
    weight = 1 + rho[None, :] * (of.loading[:, None] - 1)
    change = of.loading[:, None] - 1
    explained = (of.square * change / weight**2).sum(axis=0) / (of.square / weight).sum(axis=0)
    out: _Float = (change / weight).sum(axis=0) - len(of.loading) * explained
    return out


def _criterion(rho: float, of: _Spectrum) -> _Float:
    weight = 1 + rho * (of.loading - 1)
    with np.errstate(divide="ignore"):
        out: _Float = len(weight) * np.log((of.square / weight[:, None]).sum(axis=0)) + np.log(weight).sum()
    return out


def _best_correlation(of: _Spectrum, low: float, high: float) -> _Float:
    """Return the correlation of highest restricted likelihood between two bounds, per response."""
    grid = np.tanh(np.linspace(np.arctanh(low), np.arctanh(high), 60))
    grid[0], grid[-1] = low, high
    at = np.argmin([_criterion(r, of) for r in grid], axis=0)
    left, right = grid[np.maximum(at - 1, 0)], grid[np.minimum(at + 1, len(grid) - 1)]
    for _ in range(60):
        middle = (left + right) / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            falling = _slope(middle, of) < 0
        left, right = np.where(falling, middle, left), np.where(falling, right, middle)
    out: _Float = (left + right) / 2
    return out


def block_correlations(y: _Float, design: _Float, block: _Codes) -> _Float:
    """Estimate the correlation within blocks of each response by REML.

    Parameters
    ----------
    y
        Observations x responses, without missing values.
    design
        Observations x fixed columns.
    block
        Block of each observation.

    Returns
    -------
    ndarray
        Per response, between ``1 / (1 - largest block) + 0.01`` and 0.99; NaN where the design cannot tell it.
    """
    n_blocks, largest = len(np.unique(block)), int(np.bincount(block).max())
    unknown: _Float = np.full(y.shape[1], np.nan)
    if largest < 2 or n_blocks < 2 or n_blocks >= len(block) - 1 or len(block) <= design.shape[1] + 2:
        return unknown
    of = _spectrum(y, design, block)
    if len(of.loading) < 2 or np.ptp(of.loading) < 1e-8:
        return unknown
    found = _best_correlation(of, 1 / (1 - largest) + 0.01, _HIGHEST)
    return np.where(of.square.sum(axis=0) > 0, found, np.nan)


def consensus(correlations: _Float) -> float:
    """Return the consensus of correlations: the trimmed mean (15% at each end) of their Fisher transforms.

    Smyth, Michaud and Scott, Bioinformatics 2005;21:2067.
    """
    known = np.arctanh(correlations[np.isfinite(correlations)])
    return float(np.tanh(stats.trim_mean(known, 0.15))) if known.size else np.nan


def mixed_model(y: _Float, x: _Float, nuisance: _Float, block: _Codes) -> Mixed:
    """Fit a random intercept per block by REML (Laird and Ware, Biometrics 1982;38:963).

    Parameters
    ----------
    y
        Observations x responses, without missing values.
    x
        The column of interest.
    nuisance
        Observations x other columns, the intercept among them.
    block
        Block of each observation.

    Returns
    -------
    Mixed
        Degrees of freedom from the expected information of the two variances (Satterthwaite, Biometrics 1946;2:110);
        the residual ones where the blocks' variance is estimated as 0.
    """
    design = np.column_stack([basis(nuisance), x])
    of = _spectrum(y, design, block)
    rho = _best_correlation(of, 0.0, 1 - 1e-9)
    rho = np.where(rho < 1e-9, 0.0, rho)
    weight = 1 + rho[None, :] * (of.loading[:, None] - 1)
    total = (of.square / weight).mean(axis=0)
    between, within = rho * total, (1 - rho) * total
    indicator = (block[:, None] == np.unique(block)[None, :]).astype(np.float64)
    values, vectors = np.linalg.eigh(indicator @ indicator.T)
    values = np.where(values > 1e-9, values, 0.0)
    rotated, response = vectors.T @ design, vectors.T @ y
    variance = within[None, :] + between[None, :] * values[:, None]  # observations x responses
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(variance > 0, 1 / variance, np.nan)
    cross = np.einsum("ip,im,iq->mpq", rotated, precision, rotated)
    right = np.einsum("ip,im,im->mp", rotated, precision, response)
    known = np.isfinite(cross).all(axis=(1, 2))
    inverse = np.full_like(cross, np.nan)
    inverse[known] = np.linalg.inv(cross[known])
    effect = np.einsum("mp,mp->m", inverse[:, -1], right)
    of_effect = inverse[:, -1, -1]
    degrees = _satterthwaite(of, within, between, inverse[:, -1], rotated, precision, values, of_effect)
    degrees = np.where(between > 0, degrees, len(of.loading))
    return Mixed(effect, np.sqrt(of_effect), degrees, within, between)


def _satterthwaite(
    of: _Spectrum, within: _Float, between: _Float, row: _Float, rotated: _Float, precision: _Float, values: _Float,
    of_effect: _Float,
) -> _Float:  # fmt: skip
    sensitivity = np.einsum("mp,ip->im", row, rotated) * precision
    gradient = np.stack([(sensitivity**2).sum(axis=0), (values[:, None] * sensitivity**2).sum(axis=0)])
    spread = within[None, :] + between[None, :] * of.loading[:, None]
    parts = np.stack([np.ones_like(of.loading), of.loading])
    with np.errstate(invalid="ignore", divide="ignore"):
        information = 0.5 * np.einsum("ki,li,im->mkl", parts, parts, 1 / spread**2)
        determinant = information[:, 0, 0] * information[:, 1, 1] - information[:, 0, 1] ** 2
        a, b = gradient
        quadratic = (
            a**2 * information[:, 1, 1] - 2 * a * b * information[:, 0, 1] + b**2 * information[:, 0, 0]
        ) / determinant
        out: _Float = 2 * of_effect**2 / quadratic
    return out
