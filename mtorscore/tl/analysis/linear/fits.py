"""Fit one column of a linear model beside nuisance columns, for many responses at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtorscore.tl.analysis.linear.moderation import two_sided

__all__ = ["Fit", "Robust", "basis", "correlated", "fit", "hc3", "independent", "paired", "welch"]

_Float = npt.NDArray[np.float64]
_TINY = 1e-10


@dataclass(frozen=True)
class Fit:
    """The coefficient of one column.

    Attributes
    ----------
    effect, variance, error
        Per response: coefficient, residual variance and standard error of the coefficient; NaN where there is no
        residual degree of freedom.
    unscaled
        Standard error for a residual variance of 1.
    degrees
        Residual degrees of freedom.
    regressor, residual
        The column without what nuisance columns explain, and residuals: observations (x responses).
    """

    effect: _Float
    variance: _Float
    error: _Float
    unscaled: float
    degrees: int
    regressor: _Float
    residual: _Float


def basis(columns: _Float) -> _Float:
    """Return an orthonormal basis of the space of columns, whatever their rank."""
    if columns.shape[1] == 0:
        return columns
    scale = np.sqrt((columns**2).sum(axis=0))
    u, s, _ = np.linalg.svd(columns[:, scale > 0] / scale[scale > 0], full_matrices=False)
    return np.ascontiguousarray(u[:, s > s[:1].max(initial=0.0) * 1e-9])


def independent(columns: _Float) -> _Float:
    """Return the columns without those that earlier ones determine."""
    chosen: list[_Float] = []
    for column in columns.T:
        q = basis(np.column_stack(chosen)) if chosen else np.empty((len(column), 0))
        left = column - q @ (q.T @ column)
        if left @ left > _TINY * (column @ column):
            chosen.append(column)
    return np.column_stack(chosen) if chosen else columns[:, :0]


def correlated(values: _Float, block: npt.NDArray[np.int64], correlation: float) -> _Float:
    """Whiten values whose errors correlate within blocks.

    Parameters
    ----------
    values
        Observations x anything.
    block
        Block of each observation.
    correlation
        Of two errors of one block.

    Returns
    -------
    ndarray
        Same shape, with independent errors of unchanged variance.
    """
    matrix: _Float = np.where(block[:, None] == block[None, :], correlation, 0.0)
    np.fill_diagonal(matrix, 1.0)
    out: _Float = np.linalg.solve(np.linalg.cholesky(matrix), values)
    return out


def fit(y: _Float, x: _Float, nuisance: _Float) -> Fit | None:
    """Fit ``y ~ nuisance + x`` by least squares.

    Parameters
    ----------
    y
        Observations x responses, without missing values.
    x
        The column of interest.
    nuisance
        Observations x other columns, the intercept among them; of any rank.

    Returns
    -------
    Fit or None
        None where x lies in the space of the nuisance columns.
    """
    q = basis(nuisance)
    regressor = x - q @ (q.T @ x)
    square = float(regressor @ regressor)
    if square <= _TINY * float(x @ x):
        return None
    centred = y - q @ (q.T @ y)
    effect = regressor @ centred / square
    residual = centred - regressor[:, None] * effect
    degrees = len(x) - q.shape[1] - 1
    unscaled = float(1 / np.sqrt(square))
    total = (residual**2).sum(axis=0)
    # What rounding leaves of scores that do not vary is no variance.
    total = np.where(total > 1e-24 * (y**2).sum(axis=0), total, 0.0)
    variance = total / degrees if degrees > 0 else np.full(y.shape[1], np.nan)
    return Fit(effect, variance, np.sqrt(variance) * unscaled, unscaled, degrees, regressor, residual)


@dataclass(frozen=True)
class Robust:
    """A test that does not take variances to be equal.

    Attributes
    ----------
    kind
        ``"welch"``, ``"hc3"``, ``"paired"`` or ``""``.
    t, degrees, p
        Per response.
    """

    kind: str
    t: _Float
    degrees: _Float
    p: _Float


def welch(y: _Float, treated: npt.NDArray[np.bool_]) -> Robust:
    """Compare two groups with their own variances (Welch, Biometrika 1947;34:28)."""
    first, second = y[treated], y[~treated]
    t, degrees = np.full(y.shape[1], np.nan), np.full(y.shape[1], np.nan)
    if min(len(first), len(second)) >= 2:
        a, b = first.var(axis=0, ddof=1) / len(first), second.var(axis=0, ddof=1) / len(second)
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.where(a + b > 0, (first.mean(axis=0) - second.mean(axis=0)) / np.sqrt(a + b), np.nan)
            degrees = (a + b) ** 2 / (a**2 / (len(first) - 1) + b**2 / (len(second) - 1))
    return Robust("welch", t, degrees, two_sided(t, degrees))


def hc3(fitted: Fit, nuisance: _Float) -> Robust:
    """Use the HC3 covariance (MacKinnon and White, J Econom 1985;29:305; Long and Ervin, Am Stat 2000;54:217)."""
    q = basis(nuisance)
    x = fitted.regressor
    square = float(x @ x)
    rest = 1 - (q**2).sum(axis=1) - x**2 / square
    n = fitted.residual.shape[1]
    if fitted.degrees < 1 or rest.min() < 1e-8:
        unknown = np.full(n, np.nan)
        return Robust("hc3", unknown, unknown, unknown)
    error = np.sqrt(((x / rest)[:, None] ** 2 * fitted.residual**2).sum(axis=0)) / square
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(error > 0, fitted.effect / error, np.nan)
    degrees = np.full(n, float(fitted.degrees))
    return Robust("hc3", t, degrees, two_sided(t, degrees))


def paired(fitted: Fit) -> Robust:
    """Return the test of pairs as it is: differences within pairs have one variance, whatever those of the groups."""
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(fitted.error > 0, fitted.effect / fitted.error, np.nan)
    degrees = np.full(len(t), float(fitted.degrees))
    return Robust("paired", t, degrees, two_sided(t, degrees))
