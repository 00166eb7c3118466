"""Other ways to learn a footprint, tried after the results of the first were seen, and judged in the same way.

They say whether the published procedure was a poor choice, so none of them could become the default without studies
that nobody has looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

__all__ = ["PROCEDURES", "genome_wide", "modules"]

Studies = Mapping[str, pd.DataFrame]
Effect = Callable[[pd.DataFrame, pd.Series], float]
SHRINKAGE = 4.0


def modules(studies: Studies, arms: Mapping[str, pd.Series], effect: Effect, how: str) -> pd.Series:
    """Return weights that are equal within an arm: learned per arm, not per gene.

    Parameters
    ----------
    studies
        Training studies, genes x contrasts of deviates.
    arms
        Arm -> gene -> direction.
    effect
        Standardised effect of weights on a study.
    how
        ``"equal"`` (nothing learned), ``"mean"`` (mean effect, shrunken by the number of studies), or ``"cautious"``
        (mean less half a standard error). An arm that points the wrong way gets no weight.

    Returns
    -------
    pandas.Series
        Gene -> signed weight.
    """
    effects = pd.DataFrame({s: {a: effect(t, w) for a, w in arms.items()} for s, t in studies.items()})
    mean, n, spread = effects.mean(axis=1), effects.notna().sum(axis=1), effects.std(axis=1)
    strength = {
        "equal": pd.Series(1.0, index=mean.index),
        "mean": mean * n / (n + SHRINKAGE),
        "cautious": mean - 0.5 * spread / np.sqrt(n),
    }[how].clip(lower=0)
    chosen = [arms[a] * strength[a] / np.sqrt(len(arms[a])) for a in arms if strength[a] > 0]
    return pd.concat(chosen) if chosen else next(iter(arms.values()))


def genome_wide(studies: Studies, left_out: set[str], genes: int) -> pd.Series:
    """Return the genes that move most consistently over studies, whatever their arm.

    Parameters
    ----------
    studies
        Training studies.
    left_out
        Proliferation genes.
    genes
        Number of genes; each is measured in four training studies or more, and weighs its mean over a regularised
        standard error.

    Returns
    -------
    pandas.Series
        Gene -> signed weight.
    """
    means = pd.DataFrame({study: table.mean(axis=1) for study, table in studies.items()})
    n = means.notna().sum(axis=1)
    error = (means.std(axis=1).fillna(1) + 1) / np.sqrt(n)
    scores = (means.mean(axis=1) / error)[(n >= 4) & ~means.index.isin(left_out)]
    return scores[scores.abs().sort_values(ascending=False).index[:genes]]


PROCEDURES: dict[str, Callable[[Studies, Mapping[str, pd.Series], set[str], Effect], pd.Series]] = {
    "arms, equal": lambda s, arms, out, effect: modules(s, arms, effect, "equal"),  # noqa: ARG005
    "arms, by mean effect": lambda s, arms, out, effect: modules(s, arms, effect, "mean"),  # noqa: ARG005
    "arms, cautious": lambda s, arms, out, effect: modules(s, arms, effect, "cautious"),  # noqa: ARG005
    "50 genes of the genome": lambda s, arms, out, effect: genome_wide(s, out, 50),  # noqa: ARG005
    "200 genes of the genome": lambda s, arms, out, effect: genome_wide(s, out, 200),  # noqa: ARG005
    "500 genes of the genome": lambda s, arms, out, effect: genome_wide(s, out, 500),  # noqa: ARG005
}
