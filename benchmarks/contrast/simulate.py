"""Simulated experiments with known truth: correlated genes, groups, pairs, donors sampled twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["DESIGNS", "N_GENES", "N_SETS", "SIZE", "Experiment", "experiments", "set_matrix"]

Float = npt.NDArray[np.float64]

N_GENES, N_SETS, SIZE = 200, 12, 12
WITHIN_SET, DONOR, PRIOR = 0.3, 1.0, 6.0
DESIGNS = ("groups", "pairs", "donors")


@dataclass(frozen=True)
class Experiment:
    """One design.

    Attributes
    ----------
    design
        ``"groups"``: n against n independent samples. ``"pairs"``: n donors, each with one sample of both groups.
        ``"donors"``: n against n donors, each with two samples of one group.
    n
        Per group, samples or donors.
    """

    design: str
    n: int

    @property
    def treated(self) -> npt.NDArray[np.bool_]:
        """Group of each sample."""
        per_group = self.n * (2 if self.design == "donors" else 1)
        return np.repeat([True, False], per_group)

    @property
    def donor(self) -> npt.NDArray[np.int64]:
        """Donor of each sample."""
        if self.design == "groups":
            return np.arange(2 * self.n)
        if self.design == "pairs":
            return np.tile(np.arange(self.n), 2)
        return np.repeat(np.arange(2 * self.n), 2)


def set_matrix() -> Float:
    """Return ``(N_GENES, N_SETS)`` weights that sum to 1; the genes behind the last set are in none."""
    out = np.zeros((N_GENES, N_SETS))
    for k in range(N_SETS):
        out[k * SIZE : (k + 1) * SIZE, k] = 1 / SIZE
    return out


def experiments(of: Experiment, repetitions: int, seed: int, shift: float = 0.0) -> Iterator[Float]:
    """Yield samples x genes of repetition after repetition.

    Genes of a set share a factor (correlation 0.3), donors shift every gene by a normal effect as large as the
    residual (with the same sharing), gene variances are scaled inverse chi-squared. `shift` moves the genes of the
    first set in treated samples, in units of the mean residual SD.
    """
    rng = np.random.default_rng([seed, DESIGNS.index(of.design), of.n])
    n = len(of.treated)
    member = (np.arange(N_GENES) // SIZE).clip(max=N_SETS)
    inside = member < N_SETS

    def noise(rows: int) -> Float:
        own = rng.standard_normal((rows, N_GENES))
        shared = rng.standard_normal((rows, N_SETS + 1))[:, member]
        return np.where(inside, np.sqrt(1 - WITHIN_SET) * own + np.sqrt(WITHIN_SET) * shared, own)

    for _ in range(repetitions):
        y = noise(n)
        if of.design != "groups":
            y += np.sqrt(DONOR) * noise(int(of.donor.max()) + 1)[of.donor]
        y *= np.sqrt(PRIOR / rng.chisquare(PRIOR, N_GENES))
        y[np.ix_(of.treated, member == 0)] += shift
        # Single precision, so that R reads the same numbers.
        yield y.astype(np.float32).astype(np.float64)
