"""What the depth of a library does to scores: binomial thinning, and the score that the full depth would give.

A library of depth d (a share of the full one) is a binomial thinning of the full library. Its score is noisier, and, as
ranks of rarely read genes tie at 0, shifted. What the full depth would hold is drawn from the posterior of the counts:
the rate of each gene varies between libraries of the cohort by a gamma distribution (by moments, the Poisson part taken
off), and the reads that were not seen are Poisson at a rate drawn given the reads that were. The score of such draws
would be right if genes varied independently. They do not, so it is calibrated where the truth is known: libraries of
the cohort are thinned to the same share, and the error, score(full) - score(thinned), is regressed on what the draws
say it is. The variance about that regression is a constant and a multiple of the variance of the draws' scores, as the
error is not the same in every library (most of a rank score can be clipped). The interval is that of a prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

from mtorscore.errors import DataError

__all__ = [
    "FEWEST_LIBRARIES",
    "SHALLOWEST",
    "DepthCalibration",
    "FullDepth",
    "GeneRates",
    "ThinnedCohort",
    "repeat_library",
    "thin",
    "thin_cohort",
]

Array: TypeAlias = npt.NDArray[np.float64]
ScoreCounts: TypeAlias = Callable[[Array], Array]

# Below this share of the full depth nothing was simulated.
SHALLOWEST = 0.1
# Libraries of a cohort from which an error can be learned: two coefficients and a variance.
FEWEST_LIBRARIES = 10
# Errors that are learned from at least; small cohorts are thinned several times.
LEARNED_FROM = 120
MOST_LIBRARIES = 120
# Draws of the full library.
DRAWS = 8
# Share of the mean variance below which a fitted one gives no more weight: libraries whose draws all score alike, as
# where a rank score is clipped, would else decide alone.
LEAST_FITTED = 0.05
# Libraries whose draws are scored together.
AT_ONCE = 8
# Of a gene's rate between libraries: no less than this squared coefficient of variation, and no smaller gamma shape.
LEAST_VARIATION, LEAST_SHAPE = 0.01, 0.05


def thin(counts: Array, share: float, random: np.random.Generator) -> Array:
    """Keep each read with probability `share`.

    Parameters
    ----------
    counts
        ``(n_obs, n_genes)`` counts; decimals are rounded.
    share
        From 0 to 1.
    random
        Source of random numbers.

    Returns
    -------
    numpy.ndarray
        Whole numbers as floats.
    """
    if share >= 1:
        return np.rint(counts)
    return random.binomial(np.rint(counts).astype(np.int64), share).astype(np.float64)


@dataclass(frozen=True)
class GeneRates:
    """Rates of genes in the libraries of a cohort, as shares of a library's reads.

    Attributes
    ----------
    total, squares
        ``(n_genes,)`` sums over libraries of the rates, and of their squares.
    n
        Libraries.
    depth
        Median reads of a library.
    """

    total: Array
    squares: Array
    n: int
    depth: float

    @classmethod
    def of(cls, counts: Array) -> GeneRates:
        """Return the rates of ``(n_libraries, n_genes)`` counts."""
        depths = counts.sum(axis=1)
        rates = counts / np.where(depths > 0, depths, 1.0)[:, None]
        return cls(rates.sum(axis=0), np.square(rates).sum(axis=0), len(counts), float(np.median(depths)))

    def without(self, counts: Array) -> GeneRates:
        """Return the rates of the other libraries, without the one with these counts."""
        rates = counts / max(float(counts.sum()), 1.0)
        return GeneRates(self.total - rates, self.squares - rates**2, self.n - 1, self.depth)

    def draw(self, counts: Array, share: float, random: np.random.Generator) -> Array:
        """Draw what a library would hold at full depth, given the reads that it holds at `share` of it.

        Parameters
        ----------
        counts
            ``(n_genes,)`` of the library.
        share, random
            As in `thin`.

        Returns
        -------
        numpy.ndarray
            ``(DRAWS, n_genes)``.
        """
        mean = np.maximum(self.total / self.n, 0.0)
        seen = (self.squares / self.n - mean**2) * self.n / max(self.n - 1, 1)
        variance = np.maximum(seen - mean / max(self.depth, 1.0), LEAST_VARIATION * mean**2)
        shape = np.maximum(mean**2 / np.where(variance > 0, variance, 1.0), LEAST_SHAPE)
        full = counts.sum() / share
        # A gene that no library of the cohort has is drawn as it was read.
        rate = shape / np.maximum(mean, 1e-12) + full * share
        drawn = random.gamma(np.broadcast_to(shape + counts, (DRAWS, counts.size))) / rate
        return np.asarray(counts + random.poisson(drawn * full * (1 - share)), dtype=np.float64)


class FullDepth(NamedTuple):
    """Scores as the full depth would give them, ``(n_sets,)`` each: estimate, interval, and standard error."""

    score: Array
    low: Array
    high: Array
    se: Array


class ThinnedCohort(NamedTuple):
    """A cohort thinned to a share of its depth, ``(n_repeats, n_libraries, n_sets)`` each.

    Attributes
    ----------
    errors
        Score at full depth minus that of the thinned library.
    drawn
        What the draws say it is: their mean score minus that of the thinned library.
    spread
        Variance of the draws' scores.
    """

    errors: Array
    drawn: Array
    spread: Array


@dataclass(frozen=True)
class DepthCalibration:
    """How scores at a share of the full depth differ from those at full depth, learned from a cohort.

    Attributes
    ----------
    share
        Of the full depth.
    rates
        Of the cohort's genes.
    coefficients
        ``(2, n_sets)``: of 1, and of the error by the draws.
    variance
        ``(2, n_sets)`` of the errors about the regression: a constant, and per unit of the variance of draws.
    pooled
        ``(n_sets,)`` variance of all errors about the regression.
    inverse
        ``(n_sets, 2, 2)`` inverse cross-products of the predictors.
    df
        ``(n_sets,)`` degrees of freedom: thinnings less coefficients, where those of one library count as often as
        their errors are apart from one another (by their intraclass correlation).
    """

    share: float
    rates: GeneRates
    coefficients: Array
    variance: Array
    pooled: Array
    inverse: Array
    df: Array

    @classmethod
    def learn(cls, counts: Array, score: ScoreCounts, share: float, random: np.random.Generator) -> DepthCalibration:
        """Thin the libraries of a cohort and learn the error of their scores.

        Parameters
        ----------
        counts
            ``(n_libraries, n_genes)`` at full depth.
        score
            Counts to scores, ``(n, n_genes) -> (n, n_sets)``.
        share
            Share of the full depth.
        random
            Source of random numbers.

        Raises
        ------
        DataError
            If there are fewer than `FEWEST_LIBRARIES` libraries, or the share is below `SHALLOWEST`.
        """
        return cls.fit(share, GeneRates.of(np.rint(counts)), thin_cohort(counts, score, share, random))

    @classmethod
    def fit(cls, share: float, rates: GeneRates, cohort: ThinnedCohort) -> DepthCalibration:
        """Learn from a cohort that was thinned.

        Parameters
        ----------
        share
            To which it was thinned.
        rates
            Of its genes.
        cohort
            See `thin_cohort`.
        """
        repeats, n, n_sets = cohort.errors.shape
        errors, drawn, spread = (part.reshape(-1, n_sets) for part in cohort)
        coefficients, inverse = np.full((2, n_sets), np.nan), np.full((n_sets, 2, 2), np.nan)
        variance, df = np.full((2, n_sets), np.nan), np.full(n_sets, float(n - 2))
        pooled = np.full(n_sets, np.nan)
        for k in range(n_sets):
            known = np.isfinite(errors[:, k]) & np.isfinite(drawn[:, k]) & np.isfinite(spread[:, k])
            if known.sum() < 4:
                continue
            error, design = errors[known, k], np.column_stack([np.ones(known.sum()), drawn[known, k]])
            inverse[k] = np.linalg.pinv(design.T @ design)
            coefficients[:, k] = inverse[k] @ design.T @ error
            rest = error - design @ coefficients[:, k]
            squares = rest**2 * known.sum() / (known.sum() - 2)
            pooled[k], variance[:, k] = squares.mean(), _variance(squares, spread[known, k])
            if known.all() and repeats > 1:
                df[k] = repeats * n / (1 + (repeats - 1) * _intraclass(rest.reshape(repeats, n))) - 2
        return cls(share, rates, coefficients, variance, pooled, inverse, df)

    def predict(self, counts: Array, score: ScoreCounts, level: float, random: np.random.Generator) -> FullDepth:
        """Say what one library's scores would be at full depth.

        Parameters
        ----------
        counts
            ``(n_genes,)`` of the library.
        score, random
            As for `learn`.
        level
            Coverage of the interval.
        """
        found = _drawn(np.rint(counts)[None, :], score, self.share, [self.rates], random)
        scored, drawn, spread = (part[0] for part in found)
        x = np.stack([np.ones(scored.size), drawn])
        estimate = scored + np.einsum("ik,ik->k", x, self.coefficients)
        leverage = np.einsum("ik,kij,jk->k", x, self.inverse, x)
        # The coefficients are as uncertain as all errors make them, also for a library whose draws all score alike.
        se = np.sqrt(self.variance[0] + self.variance[1] * spread + self.pooled * leverage)
        half = stats.t.ppf(0.5 + level / 2, self.df) * se
        return FullDepth(estimate, estimate - half, estimate + half, se)


def thin_cohort(counts: Array, score: ScoreCounts, share: float, random: np.random.Generator) -> ThinnedCohort:
    """Thin the libraries of a cohort and score them: at most `MOST_LIBRARIES`, small cohorts several times.

    Parameters
    ----------
    counts, score, share, random
        See `DepthCalibration.learn`.

    Raises
    ------
    DataError
        If there are fewer than `FEWEST_LIBRARIES` libraries, or the share is below `SHALLOWEST`.
    """
    if not SHALLOWEST <= share <= 1:
        raise DataError(f"A depth of {share:.2f} of the full one was not simulated ({SHALLOWEST} to 1 were).")
    if len(counts) < FEWEST_LIBRARIES:
        raise DataError(
            f"{len(counts)} libraries are too few to learn what depth does; at least {FEWEST_LIBRARIES} are needed."
        )
    every = np.rint(counts)
    chosen = every[np.unique(np.linspace(0, len(counts) - 1, min(len(counts), MOST_LIBRARIES)).astype(int))]
    rates, full = GeneRates.of(every), score(chosen)
    repeats = -(-LEARNED_FROM // len(chosen))
    out = np.full((3, repeats, *full.shape), np.nan)
    for r in range(repeats):
        thinned = thin(chosen, share, random)
        for start in range(0, len(chosen), AT_ONCE):
            here = slice(start, start + AT_ONCE)
            # What a library holds at full depth is not known to its own draws.
            others = [rates.without(c) for c in chosen[here]]
            scored, *told = _drawn(thinned[here], score, share, others, random)
            out[:, r, here] = full[here] - scored, *told
    return ThinnedCohort(*out)


def repeat_library(counts: Array, score: ScoreCounts, level: float, random: np.random.Generator) -> FullDepth:
    """Say in which range a second library of the same depth would score.

    The scores of random halves of a library scatter as those of whole libraries would: a halved count has, given the
    library, half its mean and a quarter of it as variance: the relative variance of a Poisson count of the whole.

    Parameters
    ----------
    counts
        ``(n_genes,)`` of the library.
    score, level, random
        See `DepthCalibration`.
    """
    whole = score(np.rint(counts)[None, :])[0]
    n = 40
    halves = score(thin(np.repeat(counts[None, :], n, axis=0), 0.5, random))
    se = halves.std(axis=0, ddof=1)
    half = stats.t.ppf(0.5 + level / 2, n - 1) * se
    return FullDepth(whole, whole - half, whole + half, se)


def _drawn(
    counts: Array, score: ScoreCounts, share: float, rates: Sequence[GeneRates], random: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Return scores of libraries, how far the mean of draws of their full depth is from them, and its variance."""
    rows = [np.vstack([c[None, :], r.draw(c, share, random)]) for c, r in zip(counts, rates, strict=True)]
    scores = score(np.vstack(rows)).reshape(len(counts), 1 + DRAWS, -1)
    return scores[:, 0], scores[:, 1:].mean(axis=1) - scores[:, 0], scores[:, 1:].var(axis=1, ddof=1)


def _variance(squares: Array, spread: Array) -> Array:
    """Return the constant and the slope, neither below 0, of squared residuals on the variance of draws.

    Weighted by the inverse square of the fit, as the variance of a squared normal residual is.
    """
    from scipy.optimize import nnls

    if not spread.mean() > 0 or not squares.mean() > 0:
        return np.array([squares.mean(), 0.0])
    # Brought to a scale of 1, whatever the units of the score.
    y, x = squares / squares.mean(), np.column_stack([np.ones(spread.size), spread / spread.mean()])
    weights, found = np.ones(y.size), np.zeros(2)
    for _ in range(3):
        found = nnls(x * weights[:, None], y * weights)[0]
        weights = 1 / np.maximum(x @ found, LEAST_FITTED)
    return np.asarray(found * squares.mean() / np.array([1.0, spread.mean()]))


def _intraclass(rest: Array) -> float:
    """Return how errors ``(n_repeats, n_libraries)`` of one library correlate, by their mean squares.

    No less than 0, and 1 where there is no error at all.
    """
    repeats, n = rest.shape
    between = repeats * np.sum((rest.mean(axis=0) - rest.mean()) ** 2) / (n - 1)
    within = np.sum((rest - rest.mean(axis=0)) ** 2) / (n * (repeats - 1))
    total = between + (repeats - 1) * within
    return max(float((between - within) / total), 0.0) if total > 0 else 1.0
