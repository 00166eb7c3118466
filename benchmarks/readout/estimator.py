"""Blocks of evidence, and the parts of an estimator learned from them; see `benchmarks.readout.estimator_plan`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, stats

from benchmarks.readout.data import arms, drug_background, profiles
from benchmarks.readout.estimator_plan import (
    ARM_BRANCHES,
    ARM_SHRINKAGE,
    LAMBDAS,
    LEAST_LANDMARKS,
    LEFT_OUT_SETS,
    N_GENES,
    STUDY_WEIGHT,
)
from benchmarks.readout.rppa import axes, measured
from benchmarks.readout.run import RAPALOGS, learned_here
from mtorscore.collection import Signature, library

__all__ = ["DRUGS", "Arms", "Block", "Fitted", "blocks_of", "deviates", "learn", "library_arms", "weights_of"]

Float = npt.NDArray[np.float64]
DRUGS = "L1000"
UPPER = 0.4
"""Share of genes by level below which a gene is no candidate."""


@dataclass(frozen=True)
class Block:
    """One cohort or study: rows centred within it.

    Parameters
    ----------
    name
        Cohort or study.
    tumours
        Whether rows are tumours.
    x
        Rows x genes, deviates in SD within the block.
    y
        Target per row, centred.
    weight
        Of each row; their sum is the block's.
    raw
        Rows x genes, centred log values.
    contrast
        Of each row, the contrast that it belongs to.
    levels
        Mean log2 level per gene, of tumours.
    """

    name: str
    tumours: bool
    x: pd.DataFrame
    y: Float
    weight: Float
    raw: pd.DataFrame
    contrast: npt.NDArray[np.object_]
    levels: pd.Series | None = None


@dataclass(frozen=True)
class Arms:
    """Arms as columns of signed weights, positive in the direction that the library claims.

    Parameters
    ----------
    names
        Ids.
    weights
        Genes x arms, absolute values of a column sum to 1.
    """

    names: tuple[str, ...]
    weights: pd.DataFrame


@dataclass(frozen=True)
class Fitted:
    """What was learned.

    Parameters
    ----------
    parts
        Genes x parts, weights of deviates in SD, scaled to a score of SD 1 over the training tumours.
    weights
        The entry: gene -> weight of its log value.
    arms
        Coefficient of each arm in the first part.
    penalties
        Part -> penalty chosen within the training data.
    """

    parts: pd.DataFrame
    weights: pd.Series
    arms: pd.Series
    penalties: Mapping[str, float]


def blocks_of(shared: Path) -> dict[str, dict[str, Block]]:
    """Return per measured axis or designed activity the blocks by name: axes of tumours, activities of studies."""
    out: dict[str, dict[str, Block]] = {}
    for one in measured(shared):
        raw = pd.DataFrame(np.asarray(one.rna.X), one.rna.obs_names, one.rna.var_names)
        protein = axes(one.protein)
        for axis in protein:
            y = stats.norm.ppf((stats.rankdata(protein[axis]) - 0.5) / len(protein))
            out.setdefault(axis, {})[one.name] = _block(one.name, raw, y, levels=raw.mean(axis=0))
    for activity in ("mtorc1", "akt"):
        found: dict[str, list[Block]] = {}
        for arm in arms(shared):
            sign = arm.activity.get(activity, 0)
            if sign:
                raw = pd.DataFrame(np.asarray(arm.data.X, dtype=np.float64), arm.data.obs_names, arm.data.var_names)
                codes = pd.Series(arm.block, index=raw.index)
                raw = raw - raw.groupby(codes).transform("mean")
                y = pd.Series(np.where(arm.treated, sign, -sign).astype(float), index=raw.index)
                y = y - y.groupby(codes).transform("mean")
                found.setdefault(arm.study, []).append(_block(arm.study, raw, y.to_numpy(), contrast=arm.name))
        for profile in profiles(shared):
            sign = profile.activity.get(activity, 0)
            if sign:
                found.setdefault(profile.study, []).append(_of_profile(profile.study, profile.name, profile.z, sign))
        out[activity] = {study: _study(study, parts) for study, parts in found.items()}
    out["drugs"] = {DRUGS: _drugs(drug_background(shared))}
    return out


def _block(
    name: str, raw: pd.DataFrame, y: Float, *, levels: pd.Series | None = None, contrast: str = ""
) -> Block:  # fmt: skip
    centred = raw - raw.mean(axis=0)
    return Block(
        name, levels is not None, deviates(raw), y - y.mean(), np.ones(len(y)), centred,
        np.full(len(y), contrast, dtype=object), levels,
    )  # fmt: skip


def deviates(raw: pd.DataFrame) -> pd.DataFrame:
    """Return columns centred and in units of their SD; constant ones are 0."""
    spread = raw.std(axis=0, ddof=1)
    return ((raw - raw.mean(axis=0)) / spread.where(spread > 1e-8)).fillna(0.0)


def _of_profile(study: str, name: str, z: pd.Series, sign: int) -> Block:
    row = ((z - z.mean()) / z.std()).clip(-4, 4).to_frame().T
    return Block(
        study, False, row, np.array([float(sign)]), np.ones(1), row, np.array([name], dtype=object)
    )  # fmt: skip


def _study(name: str, parts: Sequence[Block]) -> Block:
    x = pd.concat([p.x for p in parts], ignore_index=True).fillna(0.0)
    raw = pd.concat([p.raw for p in parts], ignore_index=True)
    weight = np.concatenate([np.full(len(p.y), STUDY_WEIGHT / len(parts) / len(p.y)) for p in parts])
    return Block(
        name, False, x, np.concatenate([p.y for p in parts]), weight, raw, np.concatenate([p.contrast for p in parts])
    )  # fmt: skip


def _drugs(z: pd.DataFrame) -> Block:
    scores = stats.norm.ppf((z.rank(axis=1).to_numpy() - 0.5) / z.shape[1])
    raw = pd.DataFrame(scores, z.index, z.columns)
    rapalog = raw.index.isin(list(RAPALOGS))
    weight = np.where(rapalog, 0.5 / rapalog.sum(), 0.5 / (~rapalog).sum()) * STUDY_WEIGHT
    x = deviates(raw)
    x = x - np.average(x, axis=0, weights=weight)
    y = np.where(rapalog, -1.0, 0.0)
    return Block(DRUGS, False, x, y - np.average(y, weights=weight), weight, raw - raw.mean(axis=0), z.index.to_numpy())


def candidates(cohorts: Sequence[Block]) -> list[str]:
    """Return the genes that may have a weight: measured in all cohorts, not low in most, in no set that is left out."""
    shared = set.intersection(*(set(b.x.columns) for b in cohorts))
    everything = library(experimental=True)
    shared -= {g for name in LEFT_OUT_SETS for g in everything[name].genes}
    genes = sorted(shared)
    high = sum((b.levels.rank(pct=True)[genes] > UPPER).astype(int) for b in cohorts if b.levels is not None)
    return [g for g, n in zip(genes, high, strict=True) if n > len(cohorts) / 2]


def library_arms(genes: Sequence[str]) -> Arms:
    """Return the signatures with a sign of the mTOR branches, on these genes; those learned here are left out."""
    columns = {}
    index = pd.Index(genes)
    for entry in library(experimental=True):
        if not isinstance(entry, Signature) or entry.branch not in ARM_BRANCHES or not entry.sign:
            continue
        if learned_here(entry):
            continue
        weights = pd.Series(entry.signed_weights(), dtype=np.float64).reindex(index).fillna(0.0) * entry.sign
        if (weights != 0).sum() >= 3:
            columns[entry.id] = weights / weights.abs().sum()
    table = pd.DataFrame(columns)
    return Arms(tuple(table), table)


@dataclass(frozen=True)
class _Stacked:
    x: Float
    a: Float
    y: Float
    weight: Float
    tumours: npt.NDArray[np.bool_]
    block: npt.NDArray[np.int64]
    spread: Float


def _stack(blocks: Sequence[Block], genes: Sequence[str], held: Arms) -> _Stacked:
    x, a = [], []
    matrix = held.weights.to_numpy()
    for b in blocks:
        known = b.x.columns.intersection(genes)
        values = b.x.reindex(columns=genes).fillna(0.0).to_numpy()
        present = pd.Index(genes).isin(known).astype(float) @ np.abs(matrix)
        x.append(values)
        a.append(values @ matrix / np.where(present > 0.1, present, np.inf))
    tumours = np.concatenate([np.full(len(b.y), b.tumours) for b in blocks])
    stacked = np.concatenate(a)
    spread = stacked[tumours].std(axis=0)
    return _Stacked(
        np.concatenate(x), stacked / spread, np.concatenate([b.y for b in blocks]),
        np.concatenate([b.weight for b in blocks]), tumours,
        np.repeat(np.arange(len(blocks)), [len(b.y) for b in blocks]), spread,
    )  # fmt: skip


def _by_arms(d: _Stacked, penalty: float, held: Arms) -> tuple[Float, Float]:
    """Return gene weights and coefficients of the non-negative ridge on the arms."""
    root = np.sqrt(d.weight)[:, None]
    lam = penalty * float((d.a**2).sum(axis=1).mean())
    design = np.vstack([d.a * root, np.sqrt(lam) * np.eye(d.a.shape[1])])
    response = np.concatenate([d.y * root[:, 0], np.zeros(d.a.shape[1])])
    beta = optimize.nnls(design, response)[0]
    return held.weights.to_numpy() @ (beta / d.spread), beta


@dataclass(frozen=True)
class _Kernel:
    """Half genes, half arms, each of mean diagonal 1/2."""

    values: Float
    of_genes: float
    of_arms: float


def _kernel(d: _Stacked) -> _Kernel:
    k_x, k_a = d.x @ d.x.T, d.a @ d.a.T
    s_x, s_a = 0.5 / float(np.diag(k_x).mean()), 0.5 / float(np.diag(k_a).mean())
    return _Kernel(s_x * k_x + s_a * k_a, s_x, s_a)


def _by_genes(d: _Stacked, kernel: _Kernel, penalty: float, held: Arms) -> Float:
    """Return gene weights of the ridge on that kernel."""
    alpha = np.linalg.solve(kernel.values + penalty * np.diag(1 / d.weight), d.y)
    arms_side = held.weights.to_numpy() @ ((d.a.T @ alpha) / d.spread)
    out: Float = kernel.of_genes * (d.x.T @ alpha) + kernel.of_arms * arms_side
    return out


def _marginal(d: _Stacked, held: Arms) -> Float:
    """Return each gene's mean correlation within blocks, shrunken towards that of its arms."""
    total_x, total_a = np.zeros(d.x.shape[1]), np.zeros(d.a.shape[1])
    known_x, known_a = total_x.copy(), total_a.copy()
    for b in range(d.block.max() + 1):
        rows = d.block == b
        w = d.weight[rows]
        y = d.y[rows] / np.sqrt(np.average(d.y[rows] ** 2, weights=w))
        for values, total, known in ((d.x[rows], total_x, known_x), (d.a[rows], total_a, known_a)):
            size = np.sqrt(np.average(values**2, axis=0, weights=w))
            here = size > 0
            r = np.average(values * y[:, None], axis=0, weights=w) / np.where(here, size, 1.0)
            if rows.sum() == 1:  # a contrast without samples: its deviates are what there is
                r = values[0] * y[0] / 4
            total += np.where(here, r * w.sum(), 0.0)
            known += np.where(here, w.sum(), 0.0)
    arm_r = total_a / np.maximum(known_a, 1e-12)
    sides = np.sign(held.weights.to_numpy())
    towards = sides @ arm_r / np.maximum(np.abs(sides).sum(axis=1), 1)
    out: Float = (total_x + ARM_SHRINKAGE * towards) / (known_x + ARM_SHRINKAGE)
    return out


def _choose(d: _Stacked, kernel: _Kernel, held: Arms) -> dict[str, float]:
    """Return the penalty of each part by the tumour cohorts left out within these rows."""
    totals = {(part, p): 0.0 for part in ("arms", "genes") for p in LAMBDAS}
    for out in np.unique(d.block[d.tumours]):
        test, train = d.block == out, d.block != out
        inner = _Stacked(
            d.x[train], d.a[train], d.y[train], d.weight[train], d.tumours[train], d.block[train], d.spread
        )
        inside = kernel.values[np.ix_(train, train)]
        for p in LAMBDAS:
            found = {"arms": d.a[test] @ _by_arms(inner, p, held)[1]}
            alpha = np.linalg.solve(inside + p * np.diag(1 / inner.weight), inner.y)
            found["genes"] = kernel.values[np.ix_(test, train)] @ alpha
            for part, values in found.items():
                if values.std() > 0:
                    totals[part, p] += test.sum() * float(stats.spearmanr(values, d.y[test]).statistic)
    return {part: max(LAMBDAS, key=lambda p: totals[part, p]) for part in ("arms", "genes")}


def learn(blocks: Sequence[Block], landmarks: frozenset[str]) -> Fitted:
    """Learn an entry from blocks, by the plan.

    Parameters
    ----------
    blocks
        Cohorts and studies.
    landmarks
        Genes of the L1000 panel.

    Returns
    -------
    Fitted
        Parts, entry, arms and penalties.
    """
    cohorts = [b for b in blocks if b.tumours]
    genes = candidates(cohorts)
    held = library_arms(genes)
    d = _stack(blocks, genes, held)
    kernel = _kernel(d)
    penalties = _choose(d, kernel, held)
    by_arms, beta = _by_arms(d, penalties["arms"], held)
    parts = {"arms": by_arms, "genes": _by_genes(d, kernel, penalties["genes"], held), "marginal": _marginal(d, held)}
    scaled = {name: w / max(float((d.x[d.tumours] @ w).std()), 1e-12) for name, w in parts.items()}
    table = pd.DataFrame(scaled, index=pd.Index(genes))
    return Fitted(
        table, weights_of(table.mean(axis=1), cohorts, landmarks), pd.Series(beta, index=held.names), penalties
    )  # fmt: skip


def weights_of(deviate_weights: pd.Series, cohorts: Sequence[Block], landmarks: frozenset[str]) -> pd.Series:
    """Return the largest weights, at least so many of them of landmarks, for log values.

    Parameters
    ----------
    deviate_weights
        Gene -> weight of its deviate in SD.
    cohorts
        Blocks of tumours, whose mean SD is that of the gene.
    landmarks
        Genes of the L1000 panel.
    """
    order = deviate_weights[deviate_weights != 0].abs().sort_values(ascending=False, kind="stable").index
    chosen = list(order[:N_GENES])
    inside = [g for g in order if g in landmarks][:LEAST_LANDMARKS]
    missing = [g for g in inside if g not in chosen]
    if missing:
        others = [g for g in chosen if g not in landmarks]
        chosen = [g for g in chosen if g not in set(others[len(others) - len(missing) :])] + missing
    spread = pd.DataFrame({b.name: b.raw[chosen].std(axis=0, ddof=1) for b in cohorts}).mean(axis=1)
    return deviate_weights[chosen] / spread
