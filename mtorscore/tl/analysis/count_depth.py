"""What the depth of a library does to scores: binomial thinning, and the score that the full depth would give.

A library of depth d (a share of the full one) is a binomial thinning of the full library. Its score is noisier, and, as
ranks of rarely read genes tie at 0, shifted. Both can be seen in a cohort at full depth: its libraries are thinned to
the same share, and the error e = score(full) - score(thinned) is regressed on how the thinned score goes on to change
when the library is halved twice more (the extrapolation of simulation-extrapolation, Cook and Stefanski, J Am Stat
Assoc 1994;89:1314-1328, with the curve learned from the cohort). The interval is that of a prediction by this
regression.
"""

from __future__ import annotations

from collections.abc import Callable
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
    "ThinnedCohort",
    "repeat_library",
    "thin",
    "thin_cohort",
]

Array: TypeAlias = npt.NDArray[np.float64]
ScoreCounts: TypeAlias = Callable[[Array], Array]

# Below this share of the full depth nothing was simulated.
SHALLOWEST = 0.1
# Libraries of a cohort from which an error can be learned: three coefficients and a variance.
FEWEST_LIBRARIES = 10
# Errors that are learned from at least; small cohorts are thinned several times.
LEARNED_FROM = 120
# Thinnings over which a halved score is averaged.
HALVINGS = 4
MOST_LIBRARIES = 120


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
    first, second
        Change of the thinned score by one halving of its depth, and by the next.
    """

    errors: Array
    first: Array
    second: Array


@dataclass(frozen=True)
class DepthCalibration:
    """How scores at a share of the full depth differ from those at full depth, learned from a cohort.

    Attributes
    ----------
    share
        Of the full depth.
    coefficients
        ``(3, n_sets)``: of 1, of the change by one halving, of the change by the next.
    residual_sd
        ``(n_sets,)`` of the errors about the regression.
    inverse
        ``(n_sets, 3, 3)`` inverse cross-products of the predictors.
    df
        Degrees of freedom: libraries less coefficients.
    """

    share: float
    coefficients: Array
    residual_sd: Array
    inverse: Array
    df: int

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
        return cls.fit(share, thin_cohort(counts, score, share, random))

    @classmethod
    def fit(cls, share: float, cohort: ThinnedCohort) -> DepthCalibration:
        """Learn from a cohort that was thinned; `df` counts libraries, however often each was thinned.

        Parameters
        ----------
        share
            To which it was thinned.
        cohort
            See `thin_cohort`.
        """
        n_sets, df = cohort.errors.shape[2], cohort.errors.shape[1] - 3
        errors, first, second = (part.reshape(-1, n_sets) for part in cohort)
        coefficients, inverse = np.full((3, n_sets), np.nan), np.full((n_sets, 3, 3), np.nan)
        sd = np.full(n_sets, np.nan)
        for k in range(n_sets):
            design = np.column_stack([np.ones(len(errors)), first[:, k], second[:, k]])
            known = np.isfinite(design).all(axis=1) & np.isfinite(errors[:, k])
            if known.sum() < 4:
                continue
            design, error = design[known], errors[known, k]
            inverse[k] = np.linalg.pinv(design.T @ design)
            coefficients[:, k] = inverse[k] @ design.T @ error
            rest = error - design @ coefficients[:, k]
            sd[k] = np.sqrt(rest @ rest / (known.sum() - 3))
        return cls(share, coefficients, sd, inverse, df)

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
        scored, first, second = _halved(np.rint(counts)[None, :], score, random)
        x = np.stack([np.ones(scored.shape[1]), first[0], second[0]])
        estimate = scored[0] + np.einsum("ik,ik->k", x, self.coefficients)
        leverage = np.einsum("ik,kij,jk->k", x, self.inverse, x)
        se = self.residual_sd * np.sqrt(1 + leverage)
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
    chosen = counts[np.unique(np.linspace(0, len(counts) - 1, min(len(counts), MOST_LIBRARIES)).astype(int))]
    full = score(np.rint(chosen))
    parts = []
    for _ in range(-(-LEARNED_FROM // len(chosen))):
        scored, first, second = _halved(thin(chosen, share, random), score, random)
        parts.append((full - scored, first, second))
    return ThinnedCohort(*(np.stack(part) for part in zip(*parts, strict=True)))


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


def _halved(counts: Array, score: ScoreCounts, random: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return scores, how they differ from those of half of each library, and these from those of a quarter."""
    scored = score(counts)
    half, quarter = (np.mean([score(thin(counts, s, random)) for _ in range(HALVINGS)], axis=0) for s in (0.5, 0.25))
    return scored, scored - half, half - quarter
