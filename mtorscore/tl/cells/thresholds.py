"""Thresholds of scores of cells, samples as the unit: a quantile of reference cells, or the dip between two modes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_SAMPLES", "Cells", "Rule", "dip", "quantile", "share_interval", "threshold_interval"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rule = Callable[["Cells", Floats], Floats]
"""Called with cells and ``(n, n_samples)`` weights of their samples; returns ``(n,)`` thresholds."""

LEAST_SAMPLES = 5
"""Fewest samples whose resampling gives an interval."""
BINS, MOST_STEPS, LEAST_SHARE, STARTS = 128, 200, 0.01, (0.5, 0.8, 0.95)


@dataclass(frozen=True)
class Cells:
    """Scores of cells in ascending order, each with the number of its sample."""

    values: Floats
    samples: Ints
    n_samples: int

    @classmethod
    def of(cls, values: Floats, samples: Ints) -> Cells:
        """Sort the cells that have a score and a sample (a code of 0 or more); samples are numbered anew."""
        known = np.isfinite(values) & (samples >= 0)
        order = np.argsort(values[known], kind="stable")
        codes, found = np.unique(samples[known], return_inverse=True)
        return cls(values[known][order], found[order].astype(np.int64), len(codes))

    @cached_property
    def sizes(self) -> Ints:
        """``(n_samples,)`` cells of each sample."""
        return np.bincount(self.samples, minlength=self.n_samples).astype(np.int64)

    @cached_property
    def middles(self) -> Floats:
        """``(BINS,)`` middles of the bins of `histograms`."""
        edges = np.linspace(self.values[0], self.values[-1], BINS + 1)
        middles: Floats = (edges[1:] + edges[:-1]) / 2
        return middles

    @cached_property
    def histograms(self) -> Floats:
        """``(n_samples, BINS)`` share of the cells of each sample in each bin."""
        low, high = self.values[0], self.values[-1]
        bins = np.minimum((self.values - low) / (high - low) * BINS, BINS - 1).astype(np.int64)
        counts = np.bincount(self.samples * BINS + bins, minlength=self.n_samples * BINS)
        shares: Floats = counts.reshape(self.n_samples, BINS) / self.sizes[:, None]
        return shares

    @property
    def alike(self) -> Floats:
        """``(1, n_samples)`` weights by which samples count alike, whatever their number of cells."""
        return np.ones((1, self.n_samples))

    def shares_above(self, threshold: float) -> Floats:
        """Return the share of cells above a threshold, per sample."""
        above = np.bincount(self.samples, self.values > threshold, minlength=self.n_samples)
        shares: Floats = above / self.sizes
        return shares


def quantile(cells: Cells, weights: Floats, *, level: float) -> Floats:
    """Return the smallest score at or below which a share `level` of the weight lies."""
    found = []
    for times in weights:
        running = np.cumsum((times / cells.sizes / times.sum())[cells.samples])
        found.append(cells.values[min(int(np.searchsorted(running, level - 1e-12)), len(running) - 1)])
    return np.array(found, dtype=np.float64)


def dip(cells: Cells, weights: Floats) -> Floats:
    """Return where two modes meet: the lowest density between the means of two normal distributions; NaN without a dip.

    Two normal distributions are fitted to a histogram, as AUCell does; where their sum has no minimum between the two
    means, the cells have one mode, skewed or not, and no threshold between modes exists.
    """
    if not cells.values[-1] > cells.values[0]:
        return np.full(len(weights), np.nan)
    x = cells.middles
    heights = weights @ cells.histograms / weights.sum(axis=1, keepdims=True)
    fits = [_two_normals(x, heights, start) for start in STARTS]
    best = np.argmax([fit[3] for fit in fits], axis=0)
    rows = np.arange(len(weights))
    share, mean, sd = (np.stack([fit[k] for fit in fits])[best, rows] for k in range(3))
    between = np.linspace(mean.min(axis=1), mean.max(axis=1), 201, axis=1)
    density = _densities(between, share, mean, sd).sum(axis=1)
    at = np.argmin(density, axis=1)
    found = between[rows, at]
    sound = (at > 0) & (at < between.shape[1] - 1) & (share.min(axis=1) >= LEAST_SHARE)
    sound &= [_observed(x, *given) for given in zip(heights, found, mean, strict=True)]
    return np.where(sound, found, np.nan)


def _observed(x: Floats, heights: Floats, dip_at: float, means: Floats) -> bool:
    """Whether fewer cells lie around a dip than around both means; fits to one skewed mode have dips of their own."""
    half = (means.max() - means.min()) / 8
    running = np.concatenate([[0.0], np.cumsum(heights)])
    edges = np.concatenate([x - (x[1] - x[0]) / 2, [x[-1] + (x[1] - x[0]) / 2]])
    around = [np.interp(c + half, edges, running) - np.interp(c - half, edges, running) for c in (dip_at, *means)]
    return bool(around[0] < min(around[1:]))


def _densities(x: Floats, share: Floats, mean: Floats, sd: Floats) -> Floats:
    """Return ``(n, 2, n_x)`` densities of two normal distributions, but for the factor of both."""
    z = (x[:, None, :] - mean[:, :, None]) / sd[:, :, None]
    density: Floats = share[:, :, None] / sd[:, :, None] * np.exp(-0.5 * z * z)
    return density


def _two_normals(x: Floats, heights: Floats, start: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Fit shares, means and SD (``(n, 2)`` each) to ``(n, BINS)`` histograms; return them with the log likelihood.

    Expectation-maximisation, from the cells below and above a quantile.
    """
    width = x[1] - x[0]
    upper = (np.cumsum(heights, axis=1) > start).astype(np.float64)
    part = np.stack([1 - upper, upper], axis=1)
    before = np.full(len(heights), -np.inf)
    for _ in range(MOST_STEPS):
        weight = part * heights[:, None, :]
        total = np.maximum(weight.sum(axis=2), 1e-12)
        share, mean = total / total.sum(axis=1, keepdims=True), weight @ x / total
        spread = (weight * (x - mean[:, :, None]) ** 2).sum(axis=2) / total
        # No narrower than a bin, so that one value alone is no mode of a height without bound.
        sd = np.sqrt(np.maximum(spread, width**2))
        density = _densities(np.broadcast_to(x, heights.shape), share, mean, sd)
        together = np.maximum(density.sum(axis=1), 1e-300)
        part = density / together[:, None, :]
        likelihood = (heights * np.log(together)).sum(axis=1)
        if (likelihood - before).max() < 1e-7:
            break
        before = likelihood
    return share, mean, sd, likelihood


def threshold_interval(
    cells: Cells, rule: Rule, threshold: float, n_boot: int, level: float, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Return the interval of a threshold, and the share of resamples of whole samples that have one.

    Student's t, with one degree of freedom less than there are samples, on the error over resampled samples.
    """
    from scipy import stats

    n = cells.n_samples
    times = rng.multinomial(n, np.full(n, 1 / n), size=n_boot).astype(np.float64)
    found = rule(cells, times)
    known = found[np.isfinite(found)]
    if known.size < 2:
        return float("nan"), float("nan"), known.size / n_boot
    error = float(known.std(ddof=1)) * np.sqrt(n / (n - 1))
    half = float(stats.t.ppf(0.5 + level / 2, n - 1)) * error
    return threshold - half, threshold + half, known.size / n_boot


def share_interval(shares: Floats, fewest: Floats, most: Floats, level: float) -> tuple[float, float]:
    """Return the interval of the mean share over samples, of the spread of samples and of the threshold.

    Student's t over samples on the logit; for none or all, Wilson's interval with the samples as observations. The
    threshold's own uncertainty is added as in the recovery of variance estimates (Zou and Donner, Stat Med
    2008;27:1693).

    Parameters
    ----------
    shares, fewest, most
        ``(n_samples,)`` shares above the threshold, and above the upper and the lower end of its interval.
    level
        Of the interval.
    """
    from scipy import stats

    n, share = len(shares), float(shares.mean())
    error = float(shares.std(ddof=1)) / np.sqrt(n)
    if error == 0 or not 0 < share < 1:
        z = stats.norm.ppf(0.5 + level / 2) ** 2 / n
        middle, half = (share + z / 2) / (1 + z), np.sqrt(z * share * (1 - share) + z * z / 4) / (1 + z)
        low, high = middle - half, middle + half
    else:
        logit, half = np.log(share / (1 - share)), stats.t.ppf(0.5 + level / 2, n - 1) * error / (share * (1 - share))
        low, high = 1 / (1 + np.exp(half - logit)), 1 / (1 + np.exp(-half - logit))
    down, up = max(share - float(fewest.mean()), 0.0), max(float(most.mean()) - share, 0.0)
    return max(share - float(np.hypot(share - low, down)), 0.0), min(share + float(np.hypot(high - share, up)), 1.0)
