"""Compare scores between two groups of observations, treated against control, within blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb, prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from mtorscore.errors import DataError, examples

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["contrast"]

_Float = npt.NDArray[np.float64]
_Bool = npt.NDArray[np.bool_]


def contrast(
    scores: pd.DataFrame | AnnData,
    groups: Sequence[Any] | pd.Series | str,
    *,
    treated: Any,
    control: Any,
    block: Sequence[Any] | pd.Series | str | None = None,
    method: str | None = None,
    n_permutations: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare scores of two groups, within blocks where the design has any.

    The difference is that of the linear model ``score ~ group + block``, in units of the score and, as Hedges' g, of
    its residual standard deviation (Hedges and Olkin, Statistical Methods for Meta-Analysis, 1985; interval by the
    normal approximation). The p value permutes group labels within blocks, so it respects the correlation of genes
    inside a score and anything that blocks share; all arrangements are taken where there are at most
    `n_permutations`, otherwise that many are drawn.

    Parameters
    ----------
    scores
        Observations x signatures, or a scored AnnData.
    groups
        Group of each observation, or the name of a column of ``.obs``.
    treated, control
        The two groups; other observations are left out.
    block
        Batch, patient, clone, ... of each observation, or the name of a column of ``.obs``. A block that holds one
        group only tells nothing and is left out.
    method
        Which scores of an AnnData; by default its only ones.
    n_permutations
        Most arrangements that are looked at.
    level
        Coverage of the intervals.
    seed
        Seed of the drawn arrangements.

    Returns
    -------
    pandas.DataFrame
        One row per signature: ``signature, n_treated, n_control, n_blocks, difference, low, high, hedges_g, g_low,
        g_high, auroc`` (of treated over control within blocks), ``t, p, n_arrangements``. With few arrangements the
        smallest possible p is ``1 / n_arrangements`` (twice that where groups are of equal size).

    Raises
    ------
    DataError
        If a group is absent, or no block holds both groups.
    """
    table, labels, blocks = _inputs(scores, groups, block, method)
    is_treated = (labels == treated).to_numpy()
    keep = is_treated | (labels == control).to_numpy()
    if not is_treated.any() or is_treated[keep].all():
        absent = treated if not is_treated.any() else control
        raise DataError(f"No observation is in group {absent!r}; there are {examples(sorted(map(str, set(labels))))}.")
    codes = pd.factorize(blocks)[0]
    informative = [b for b in set(codes[keep]) if 0 < is_treated[keep & (codes == b)].mean() < 1]
    keep &= np.isin(codes, informative)
    if not keep.any():
        raise DataError("No block holds both groups, so group and block cannot be told apart; leave `block` out.")
    y = table.to_numpy(dtype=np.float64)[keep]
    x = is_treated[keep]
    codes = pd.factorize(codes[keep])[0]
    return _contrast_table(list(table.columns), y, x, codes, n_permutations, level, seed)


def _inputs(
    scores: pd.DataFrame | AnnData, groups: Any, block: Any, method: str | None
) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    if isinstance(scores, pd.DataFrame):
        table, obs = scores, pd.DataFrame(index=scores.index)
    else:
        obs = scores.obs
        keys = [k for k in scores.obsm if k == f"score_{method}" or (method is None and k.startswith("score_"))]
        if len(keys) != 1:
            found = examples(k for k in scores.obsm if k.startswith("score_")) or "none"
            raise DataError(f"Say which scores to compare with `method`; there are {found}.")
        table = scores.obsm[keys[0]]
    return table, _column(groups, obs, "groups"), _column(0 if block is None else block, obs, "block")


def _column(given: Any, obs: pd.DataFrame, name: str) -> pd.Series:
    if isinstance(given, str):
        if given not in obs:
            raise DataError(f"`{name}` names the column {given!r}, which .obs does not have.")
        return pd.Series(obs[given].to_numpy(dtype=object), index=obs.index)
    if np.ndim(given) == 0:
        return pd.Series([given] * len(obs), index=obs.index, dtype=object)
    values = given.reindex(obs.index) if isinstance(given, pd.Series) and given.index.equals(obs.index) else given
    if len(values) != len(obs):
        raise DataError(f"`{name}` has {len(values)} values for {len(obs)} observations.")
    return pd.Series(np.asarray(values, dtype=object), index=obs.index)


def _contrast_table(
    names: list[Any], y: _Float, x: _Bool, codes: npt.NDArray[np.int64], most: int, level: float, seed: int
) -> pd.DataFrame:
    n_blocks = int(codes.max()) + 1
    degrees = len(x) - n_blocks - 1
    centred = y - _block_means(y, codes)
    difference, spread, effective = _blocked(centred, x, codes, degrees)
    arrangements, exact = _arrangements(x, codes, most, seed)
    observed = np.abs(difference / spread)
    at_least = np.zeros(y.shape[1])
    count = 0
    for arrangement in arrangements:
        d, s, _ = _blocked(centred, arrangement, codes, degrees)
        with np.errstate(invalid="ignore", divide="ignore"):
            at_least += np.abs(d / s) >= observed * (1 - 1e-9)
        count += 1
    p = at_least / count if exact else (at_least + 1) / (count + 1)
    standard_error = spread / np.sqrt(effective)
    correction = 1 - 3 / (4 * max(degrees, 1) - 1)
    g = difference / spread * correction
    z = stats.norm.ppf(0.5 + level / 2)
    g_error = np.sqrt(1 / effective + g**2 / (2 * max(degrees, 1)))
    quantile = stats.t.ppf(0.5 + level / 2, degrees) if degrees > 0 else np.nan
    return pd.DataFrame(
        {
            "signature": names,
            "n_treated": int(x.sum()),
            "n_control": int((~x).sum()),
            "n_blocks": n_blocks,
            "difference": difference,
            "low": difference - quantile * standard_error,
            "high": difference + quantile * standard_error,
            "hedges_g": g,
            "g_low": g - z * g_error,
            "g_high": g + z * g_error,
            "auroc": _auroc(y, x, codes),
            "t": difference / standard_error,
            "p": np.where(np.isfinite(observed), p, np.nan),
            "n_arrangements": count,
        }
    )


def _block_means(y: _Float, codes: npt.NDArray[np.int64]) -> _Float:
    sums = np.zeros((int(codes.max()) + 1, y.shape[1]))
    np.add.at(sums, codes, y)
    means: _Float = (sums / np.bincount(codes)[:, None])[codes]
    return means


def _blocked(centred: _Float, x: _Bool, codes: npt.NDArray[np.int64], degrees: int) -> tuple[_Float, _Float, float]:
    """Return difference, residual standard deviation and effective size of ``score ~ group + block``."""
    share = np.bincount(codes, weights=x) / np.bincount(codes)
    regressor = x - share[codes]
    effective = float(regressor @ regressor)
    difference = regressor @ centred / effective
    residual = centred - regressor[:, None] * difference
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt((residual**2).sum(axis=0) / degrees) if degrees > 0 else np.full(centred.shape[1], np.nan)
    return difference, np.where(spread > 0, spread, np.nan), effective


def _arrangements(x: _Bool, codes: npt.NDArray[np.int64], most: int, seed: int) -> tuple[Iterator[_Bool], bool]:
    places = [np.flatnonzero(codes == b) for b in range(int(codes.max()) + 1)]
    numbers = [int(x[p].sum()) for p in places]
    total = prod(comb(len(p), k) for p, k in zip(places, numbers, strict=True))
    if total <= most:
        return _every(len(x), places, numbers), True
    return _drawn(x, places, most, np.random.default_rng(seed)), False


def _every(n: int, places: list[npt.NDArray[np.int64]], numbers: list[int]) -> Iterator[_Bool]:
    if not places:
        yield np.zeros(n, dtype=bool)
        return
    for rest in _every(n, places[1:], numbers[1:]):
        for chosen in combinations(places[0], numbers[0]):
            out = rest.copy()
            out[list(chosen)] = True
            yield out


def _drawn(x: _Bool, places: list[npt.NDArray[np.int64]], number: int, rng: np.random.Generator) -> Iterator[_Bool]:
    for _ in range(number):
        out = np.empty_like(x)
        for place in places:
            out[place] = rng.permutation(x[place])
        yield out


def _auroc(y: _Float, x: _Bool, codes: npt.NDArray[np.int64]) -> _Float:
    wins = np.zeros(y.shape[1])
    pairs = 0
    for block in range(int(codes.max()) + 1):
        high, low = y[(codes == block) & x], y[(codes == block) & ~x]
        sign = np.sign(high[:, None, :] - low[None, :, :])
        wins += ((sign + 1) / 2).sum(axis=(0, 1))
        pairs += len(high) * len(low)
    out: _Float = wins / pairs
    return out
