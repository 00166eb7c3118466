"""Simulated ribosome profiles: negative-binomial counts of footprints and mRNA with known change of translation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["SETTINGS", "Experiment", "Setting", "simulate"]

N_TOP = 60
N_OTHER = 75


@dataclass(frozen=True)
class Setting:
    """What an experiment is like.

    Parameters
    ----------
    name
        In words.
    n
        Samples per group; each has footprints and mRNA.
    dispersion
        Of abundant genes; that of a gene is 1 / (mean + 5) more, times a log-normal factor (SD 0.5 of the log).
    shared
        Share of the dispersion that both assays of a sample have in common.
    """

    name: str
    n: int
    dispersion: float
    shared: float = 0.0


SETTINGS: tuple[Setting, ...] = (
    Setting("two replicates, even", 2, 0.01),
    Setting("two replicates", 2, 0.02),
    Setting("three replicates", 3, 0.02),
    Setting("three replicates, noisy", 3, 0.08),
    Setting("four replicates, samples differ", 4, 0.05, 0.6),
    Setting("six replicates", 6, 0.05),
)


@dataclass(frozen=True)
class Experiment:
    """Counts (samples x genes), treated samples, and the true change of translation (log2) per gene."""

    footprints: npt.NDArray[np.int64]
    mrna: npt.NDArray[np.int64]
    treated: npt.NDArray[np.bool_]
    change: npt.NDArray[np.float64]


def simulate(of: Setting, rng: np.random.Generator, n_genes: int = 1500) -> Experiment:
    """Return one experiment.

    Abundant genes in the place of 5'TOP mRNAs fall by one log2 unit; others change by about one unit either way;
    three in ten genes change their mRNA, and their translation with it.
    """
    mean = np.exp(rng.normal(5, 1.3, n_genes))
    mean[:N_TOP] *= 6
    change = np.zeros(n_genes)
    change[:N_TOP] = -1.0
    others = rng.choice(np.arange(N_TOP, n_genes), N_OTHER, replace=False)
    change[others] = rng.choice([-1.0, 1.0], N_OTHER) * np.abs(rng.normal(1.0, 0.3, N_OTHER))
    treated = np.repeat([False, True], of.n)
    mrna_change = rng.normal(0, 0.4, n_genes) * (rng.random(n_genes) < 0.3)
    scatter = np.exp(rng.normal(0, 0.5, n_genes) - 0.125)
    mrna = mean * 2.0 ** (treated[:, None] * mrna_change)
    footprints = 0.5 * mrna * 2.0 ** (rng.normal(0, 0.7, n_genes) + treated[:, None] * change)
    sample = _factor(rng, of.shared * of.dispersion * scatter, mrna.shape)
    counts = []
    for level in (footprints, mrna):
        own = ((1 - of.shared) * of.dispersion + 1 / (level.mean(axis=0) + 5)) * scatter
        library = rng.uniform(0.6, 1.6, (2 * of.n, 1))
        counts.append(rng.poisson(level * sample * _factor(rng, own, level.shape) * library))
    return Experiment(counts[0], counts[1], treated, change)


def _factor(
    rng: np.random.Generator, dispersion: npt.NDArray[np.float64], shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Return gamma factors of mean 1 and this variance per gene."""
    each = np.broadcast_to(np.maximum(dispersion, 1e-9), shape)
    return rng.gamma(1 / each, each)
