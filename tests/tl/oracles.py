"""Slow and obvious versions of every method, written from the definitions; nothing is shared with the package.

Each takes one matrix (observations x genes), the positions of up and down genes, and returns one score per
observation. NaN where the definition has nothing to divide by.
"""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import Any

import numpy as np
from scipy.stats import norm, poisson, rankdata

Matrix = Any


def singscore(
    x: Matrix, up: list[int], down: list[int], ties: str = "min", known: bool = True, centre: bool = True
) -> Matrix:
    """Foroutan 2018 and the R package: mean rank between its theoretical bounds."""
    out = []
    for row in x:
        n = row.size
        rank = rankdata(row, method=ties)
        middle = np.ceil(np.median(rank))
        parts = []
        for genes, turned in ((up, False), (down, True)):
            if not genes:
                continue
            k = len(genes)
            r = rank if known else np.abs(rank - middle)
            r = n - r + 1 if turned else r
            low, high = (k + 1) / 2, (2 * n - k + 1) / 2
            if not known and not turned:
                few, all_ = k // 2, -(-n // 2)  # distinct distances from the middle: each occurs twice
                low, high = (few + 1) / 2, (2 * all_ - few + 1) / 2
            score = (r[genes].mean() - low) / (high - low) if high > low else np.nan
            parts.append(score - 0.5 if centre and known else score)
        out.append(sum(parts))
    return np.array(out)


def dispersion(x: Matrix, up: list[int], down: list[int], ties: str = "min", known: bool = True) -> Matrix:
    """R's mad of the ranks, averaged over the parts."""
    out = []
    for row in x:
        rank = rankdata(row, method=ties)
        if not known:
            rank = np.abs(rank - np.ceil(np.median(rank)))
        parts = [1.4826 * np.median(np.abs(rank[g] - np.median(rank[g]))) for g in (up, down) if g]
        out.append(np.mean(parts))
    return np.array(out)


def ucell(
    x: Matrix, up: list[int], down: list[int], absent: int = 0, max_rank: int = 1500, w_neg: float = 1.0
) -> Matrix:
    """Andreatta 2021 and the R package; `absent` up genes are imputed at max_rank."""
    out = []
    for row in x:
        most = min(max_rank, row.size)
        rank = np.minimum(rankdata(-row, method="average"), most)

        def part(genes: list[int], more: int = 0, rank: Any = rank, most: int = most) -> float:
            n = len(genes) + more
            low = n * (n + 1) / 2
            return float(1 - (rank[genes].sum() + more * most - low) / (n * most - low)) if n * most > low else np.nan

        if up and down:
            out.append(np.maximum(0.0, part(up, absent) - w_neg * part(down)))
        else:
            out.append(part(up, absent) if up else -w_neg * part(down))
    return np.array(out)


def aucell(x: Matrix, up: list[int], top: int) -> Matrix:
    """Aibar 2017: the recovery curve added up place by place, averaged over every order of the ties."""
    out = []
    k = len(up)
    best = sum(sum(g <= r for g in range(1, k + 1)) for r in range(1, top))
    for row in x:
        chance = np.zeros((row.size, row.size + 1))  # gene, place
        for gene, value in enumerate(row):
            above = int((row > value).sum())
            block = int((row == value).sum())
            chance[gene, above + 1 : above + block + 1] = 1 / block
        area = sum(chance[up, 1 : r + 1].sum() for r in range(1, top))
        out.append(area / best if best else np.nan)
    return np.array(out)


def _walk(order: Matrix, weight: Matrix, inside: Matrix) -> tuple[Matrix, Matrix]:
    hit = np.cumsum(np.where(inside[order], weight[order], 0.0))
    miss = np.cumsum(~inside[order])
    return hit / hit[-1], miss / miss[-1]


def ssgsea(x: Matrix, up: list[int], alpha: float = 0.25) -> Matrix:
    """Barbie 2009 as R GSVA does it: average ranks cut to whole numbers, ties walked in file order."""
    out = []
    for row in x:
        rank = np.trunc(rankdata(row, method="average"))
        inside = np.isin(np.arange(row.size), up)
        hit, miss = _walk(np.argsort(-rank, kind="stable"), rank**alpha, inside)
        out.append((hit - miss).sum())
    return np.array(out)


def ssgsea_over_orders(row: Matrix, up: list[int], alpha: float = 0.25) -> float:
    """Return the mean over every order of tied genes, with average ranks as weights; for few genes only."""
    rank = rankdata(row, method="average")
    inside = np.isin(np.arange(row.size), up)
    found = []
    for order in permutations(range(row.size)):
        if all(row[a] >= row[b] for a, b in pairwise(order)):
            hit, miss = _walk(np.array(order), rank**alpha, inside)
            found.append((hit - miss).sum())
    return float(np.mean(found))


def gsva(
    x: Matrix, up: list[int], kcdf: str = "gaussian", tau: float = 1.0, max_diff: bool = True, abs_ranking: bool = False
) -> Matrix:
    """Haenzelmann 2013 as R GSVA does it, ties in file order, the normal distribution in steps of 0.001."""
    kept = np.flatnonzero(x.max(axis=0) > x.min(axis=0))
    up = [int(np.flatnonzero(kept == g)[0]) for g in up if g in kept]
    y = x[:, kept]
    n, p = y.shape
    z = np.empty_like(y)
    for g in range(p):
        v = y[:, g]
        if kcdf == "gaussian":
            steps = (v[:, None] - v[None, :]) / (np.std(v, ddof=1) / 4)
            whole = np.minimum(np.trunc(np.abs(steps) / 10 * 10000), 10000) / 1000
            each = np.where(steps >= 0, norm.cdf(whole), 1 - norm.cdf(whole))
        elif kcdf == "poisson":
            each = poisson.cdf(v[:, None], v[None, :] + 0.5)
        else:
            each = (v[None, :] <= v[:, None]).astype(float)
        z[:, g] = each.mean(axis=1)
    out = []
    for i in range(n):
        order = np.argsort(-z[i], kind="stable")
        weight = np.empty(p)
        weight[order] = np.abs(p / 2 - np.arange(p)) ** tau
        inside = np.isin(np.arange(p), up)
        if not inside.any() or inside.all() or weight[inside].sum() == 0:
            out.append(np.nan)
            continue
        hit, miss = _walk(order, weight, inside)
        high, low = max(0.0, (hit - miss).max()), min(0.0, (hit - miss).min())
        if max_diff:
            out.append(high - low if abs_ranking else high + low)
        else:
            out.append(high if high > -low else low)
    return np.array(out)


def zscore(x: Matrix, weights: dict[int, float]) -> Matrix:
    """Lee 2008, constant genes left out."""
    used = [g for g in weights if x[:, g].max() > x[:, g].min()]
    w = np.array([weights[g] for g in used])
    z = (x[:, used] - x[:, used].mean(axis=0)) / x[:, used].std(axis=0, ddof=1)
    return z @ w / np.sqrt((w**2).sum()) if used else np.full(len(x), np.nan)


def plage(x: Matrix, up: list[int]) -> Matrix:
    """Tomfohr 2005: the eigenvector of the observations' cross-products, up to its sign."""
    used = [g for g in up if x[:, g].max() > x[:, g].min()]
    z = (x[:, used] - x[:, used].mean(axis=0)) / x[:, used].std(axis=0, ddof=1)
    return np.linalg.eigh(z @ z.T)[1][:, -1]


def mean(x: Matrix, weights: dict[int, float]) -> Matrix:
    """Weighted mean of the up genes minus that of the down genes."""
    total = np.zeros(len(x))
    for sign in (1, -1):
        part = {g: abs(w) for g, w in weights.items() if w * sign > 0}
        if part:
            total += sign * sum(x[:, g] * w for g, w in part.items()) / sum(part.values())
    return total


def wmean(x: Matrix, weights: dict[int, float]) -> Matrix:
    """Weighted mean over the sum of absolute weights."""
    return sum(x[:, g] * w for g, w in weights.items()) / sum(abs(w) for w in weights.values())


def regression(x: Matrix, designs: list[dict[int, float]]) -> tuple[Matrix, Matrix]:
    """Least squares of each observation on one design or several: t values and slopes, ``(n_obs, n_designs)``."""
    p = x.shape[1]
    a = np.ones((p, len(designs) + 1))
    for j, weights in enumerate(designs):
        a[:, j + 1] = [weights.get(g, 0.0) for g in range(p)]
    inverse = np.linalg.inv(a.T @ a)
    b = x @ a @ inverse
    residual = ((x - b @ a.T) ** 2).sum(axis=1) / (p - a.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        t = b / np.sqrt(residual[:, None] * np.diag(inverse))
    return t[:, 1:], b[:, 1:]


def seurat_controls(x: Matrix, up: list[int], n_bins: int, n_controls: int, rng: Any, n_draws: int) -> Matrix:
    """Seurat's AddModuleScore, drawn often; returns the mean score and its standard error."""
    means = x.mean(axis=0)
    breaks = np.unique(np.quantile(means, np.linspace(0, 1, n_bins + 1)))
    bins = np.searchsorted(breaks[1:-1], means, side="right")
    draws = []
    for _ in range(n_draws):
        pool: set[int] = set()
        for g in up:
            same = np.flatnonzero(bins == bins[g])
            pool |= {int(c) for c in rng.choice(same, min(n_controls, same.size), replace=False)}
        draws.append(x[:, up].mean(axis=1) - x[:, sorted(pool)].mean(axis=1))
    return np.mean(draws, axis=0), np.std(draws, axis=0, ddof=1) / np.sqrt(n_draws)
