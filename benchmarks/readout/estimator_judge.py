"""Estimators on cohorts and studies that they have not seen, beside published sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from benchmarks.readout.anchor import spearman_interval
from benchmarks.readout.estimator import DRUGS, Block, Fitted, learn
from benchmarks.readout.estimator_plan import COMPARATORS, ENSEMBLE
from mtorscore.collection import Signature, library
from mtorscore.prognosis.association.meta_analysis import combine

__all__ = ["OWN", "PARTS", "differences", "in_cohorts", "in_studies", "left_out", "pooled", "pooled_studies"]

Float = npt.NDArray[np.float64]
OWN = "the entry"
PARTS = tuple(f"part: {name}" for name in ENSEMBLE)
DRAWS = 1000
LEAST_GENES = 3


def left_out(blocks: Sequence[Block], landmarks: frozenset[str]) -> dict[str, Fitted]:
    """Return per block what was learned without it."""
    return {out.name: learn([b for b in blocks if b is not out], landmarks) for out in blocks}


def _weighted(block: Block, weights: pd.Series) -> Float:
    """Return the weighted mean of deviates; NaN with fewer than three genes."""
    genes = weights.index.intersection(block.x.columns)
    if len(genes) < LEAST_GENES:
        return np.full(len(block.y), np.nan)
    out: Float = block.x[genes].to_numpy() @ weights[genes].to_numpy() / weights[genes].abs().sum()
    return out


def _of_log(block: Block, weights: pd.Series) -> Float:
    """Return the weighted mean of log values, as `wmean` has it."""
    genes = weights.index.intersection(block.raw.columns)
    values = block.raw[genes].fillna(0.0).to_numpy()
    out: Float = values @ weights[genes].to_numpy() / weights[genes].abs().sum()
    return out


def scores(block: Block, fitted: Fitted) -> pd.DataFrame:
    """Return rows x scores: the entry, its parts, and the published sets."""
    out = {OWN: _of_log(block, fitted.weights)}
    out |= {f"part: {name}": _weighted(block, fitted.parts[name]) for name in fitted.parts}
    everything = library(experimental=True)
    for name in COMPARATORS:
        entry = everything[name]
        if isinstance(entry, Signature):
            out[name] = _weighted(block, pd.Series(entry.signed_weights(), dtype=np.float64))
    return pd.DataFrame(out)


def in_cohorts(blocks: Sequence[Block], fitted: Mapping[str, Fitted]) -> pd.DataFrame:
    """Return Spearman's correlation of every score with the axis in cohorts left out."""
    rows = []
    for b in (b for b in blocks if b.tumours):
        for name, values in scores(b, fitted[b.name]).items():
            rho = float(stats.spearmanr(values, b.y).statistic)
            low, high, p = spearman_interval(np.array(rho), len(b.y))
            rows.append((b.name, name, len(b.y), rho, float(low), float(high), float(p)))
    return pd.DataFrame(rows, columns=["cohort", "score", "n", "rho", "low", "high", "p"])


def pooled(table: pd.DataFrame) -> pd.DataFrame:
    """Return the correlations combined over cohorts: random effects (Hartung and Knapp), and by weights n - 3."""
    rows = []
    for name, part in table.groupby("score", sort=False):
        rho, n = part["rho"].to_numpy(), part["n"].to_numpy()
        found = combine(np.arctanh(rho), np.sqrt((1 + rho**2 / 2) / (n - 3)), knapp=True)
        middle, low, high = (float(np.tanh(np.log(found[k]))) for k in ("hr", "hr_low", "hr_high"))
        fixed, error = np.average(np.arctanh(rho), weights=n - 3), 1.06 / np.sqrt((n - 3).sum())
        ends = np.tanh([fixed, fixed - 1.96 * error, fixed + 1.96 * error])
        rows.append((name, int(n.sum()), middle, low, high, *ends))
    columns = ["score", "n", "rho", "low", "high", "rho_by_n", "low_by_n", "high_by_n"]
    return pd.DataFrame(rows, columns=columns)


def differences(blocks: Sequence[Block], fitted: Mapping[str, Fitted], seed: int = 0) -> pd.DataFrame:
    """Return the entry's correlation less each comparator's, with an interval by resampling tumours in cohorts."""
    rng = np.random.default_rng(seed)
    cohorts = [(b, scores(b, fitted[b.name])) for b in blocks if b.tumours]
    names = [OWN, *COMPARATORS]
    drawn = np.zeros((DRAWS + 1, len(names)))
    total = sum(len(b.y) - 3 for b, _ in cohorts)
    for b, table in cohorts:
        for i in range(DRAWS + 1):
            rows = np.arange(len(b.y)) if i == 0 else rng.integers(0, len(b.y), len(b.y))
            y = stats.rankdata(b.y[rows])
            ranked = stats.rankdata(table[names].to_numpy()[rows], axis=0)
            rho = np.array([np.corrcoef(ranked[:, j], y)[0, 1] for j in range(len(names))])
            drawn[i] += np.arctanh(np.clip(rho, -0.999, 0.999)) * (len(b.y) - 3) / total
    rho = np.tanh(drawn)
    rows_out = []
    for j, name in enumerate(COMPARATORS, start=1):
        d = rho[:, 0] - rho[:, j]
        low, high = np.quantile(d[1:], [0.025, 0.975])
        rows_out.append((name, rho[0, 0], rho[0, j], d[0], low, high))
    return pd.DataFrame(rows_out, columns=["comparator", "rho_own", "rho", "difference", "low", "high"])


def in_studies(blocks: Sequence[Block], fitted: Mapping[str, Fitted]) -> pd.DataFrame:
    """Return per contrast left out the AUROC of active against inactive rows; of drugs, rapalogs against all others.

    A contrast without samples has the deviate of the score's genes instead, and no AUROC.
    """
    rows = []
    for b in (b for b in blocks if not b.tumours):
        table = scores(b, fitted[b.name])
        contrasts = [DRUGS] * len(b.y) if b.name == DRUGS else b.contrast
        for contrast in dict.fromkeys(contrasts):
            here = np.asarray([c == contrast for c in contrasts])
            for name, values in table[here].items():
                auc, low, high = _auroc(values.to_numpy(), b.y[here])
                side = float(np.sign(values.iloc[0] * b.y[here][0])) if here.sum() == 1 else np.nan
                n_on, n_off = int((b.y[here] > 0).sum()), int((b.y[here] < 0).sum())
                rows.append((b.name, contrast, name, n_on, n_off, auc, low, high, side))
    columns = ["study", "contrast", "score", "n_on", "n_off", "auroc", "low", "high", "side"]
    return pd.DataFrame(rows, columns=columns)


def _auroc(values: Float, y: Float) -> tuple[float, float, float]:
    """Return the AUROC and its interval (DeLong, on the logit)."""
    on, off = values[y > 0], values[y < 0]
    if not len(on) or not len(off) or np.isnan(values).any():
        return np.nan, np.nan, np.nan
    wins = (on[:, None] > off).astype(float) + 0.5 * (on[:, None] == off)
    auc = float(wins.mean())
    if min(len(on), len(off)) < 2:
        return auc, np.nan, np.nan
    error = np.sqrt(wins.mean(axis=1).var(ddof=1) / len(on) + wins.mean(axis=0).var(ddof=1) / len(off))
    if not 0 < auc < 1:
        return auc, np.nan, np.nan
    half = 1.96 * error / (auc * (1 - auc))
    logit = np.log(auc / (1 - auc))
    return auc, float(1 / (1 + np.exp(half - logit))), float(1 / (1 + np.exp(-half - logit)))


def pooled_studies(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean AUROC over studies of samples (Student's interval), and the contrasts that are as designed."""
    rows = []
    samples = table[table["auroc"].notna() & (table["study"] != DRUGS)]
    for name, part in table.groupby("score", sort=False):
        means = samples[samples["score"] == name].groupby("study")["auroc"].mean()
        half = stats.t.ppf(0.975, len(means) - 1) * means.std() / np.sqrt(len(means)) if len(means) > 1 else np.nan
        sides = part["side"].where(part["side"].notna(), np.sign(part["auroc"] - 0.5))[part["study"] != DRUGS]
        rows.append(
            (name, len(means), means.mean(), max(0.0, means.mean() - half), min(1.0, means.mean() + half),
             int((sides > 0).sum()), int(sides.notna().sum()))
        )  # fmt: skip
    columns = ["score", "studies", "auroc", "low", "high", "as_designed", "contrasts"]
    return pd.DataFrame(rows, columns=columns)
