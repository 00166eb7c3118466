"""How patients were sampled (strata, clusters, robust errors), and which signatures are fitted together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.prognosis.endpoints.checks import check_not_outcome, names_of
from mtorscore.prognosis.endpoints.columns import EXCLUDED, row
from mtorscore.prognosis.endpoints.covariates import pick_columns
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData
from mtorscore.prognosis.endpoints.outcome_models import Outcome, with_design
from mtorscore.prognosis.statistics.inference import Effects
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["Beside", "Block", "Design", "blocks_of", "lacking_in"]

FEW_CLUSTERS = 30
"""Errors of fewer clusters with an event are too small (Cameron, Gelbach and Miller, Rev Econ Stat 2008;90:414)."""


@dataclass(frozen=True)
class Design:
    """Strata, clusters and robust errors of an association.

    Attributes
    ----------
    strata, clusters
        One value per row of the clinical table, missing where unknown; None where there are none.
    robust
        Whether errors are robust, whatever the clusters.
    what
        The same in words, for the record of the run.
    """

    strata: pd.Series | None = None
    clusters: pd.Series | None = None
    robust: bool = False
    what: str = ""

    @classmethod
    def of(
        cls,
        clinical: pd.DataFrame,
        strata: Sequence[Hashable] | str = (),
        cluster: Hashable | None = None,
        robust: bool = False,
        endpoints: Sequence[Endpoint] = (),
    ) -> Design:
        """Read strata and clusters from columns of a clinical table."""
        names = names_of(strata)
        for endpoint in endpoints:
            check_not_outcome([*names, *([] if cluster is None else [cluster])], endpoint, "stratified or clustered by")
        words = []
        joint = clusters = None
        if names:
            table = pick_columns(clinical, names, "column(s) of strata").astype(object)
            joint = pd.Series(
                [" / ".join(map(str, r)) for r in table.itertuples(index=False)], table.index, dtype=object
            )
            joint = joint.where(table.notna().all(axis=1))
            words.append(f"stratified by {', '.join(map(str, names))}")
        if cluster is not None:
            clusters = pick_columns(clinical, [cluster], "cluster column(s)")[cluster].astype(object)
            words.append(f"errors clustered by {cluster}")
        elif robust:
            words.append("robust errors")
        return cls(joint, clusters, robust, ", ".join(words))

    def known(self, data: Any) -> tuple[Any, pd.DataFrame]:
        """Return the observations of which stratum and cluster are known, and the log of the others."""
        keep, lost = np.ones(data.n, dtype=bool), []
        for column, what in ((self.strata, "no stratum"), (self.clusters, "no cluster")):
            if column is not None:
                here = column.reindex(data.index).notna().to_numpy()
                lost += [row(o, data.name, what) for o in data.index[keep & ~here]]
                keep &= here
        return (data if keep.all() else data.take(keep)), pd.DataFrame(lost, columns=EXCLUDED)

    def applied(self, outcome: Outcome, data: OutcomeData) -> Outcome:
        """Return the outcome model with strata and clusters.

        Raises
        ------
        DataError
            If the kind of outcome knows none.
        """
        if self.strata is None and self.clusters is None and not self.robust:
            return outcome
        codes = [
            None if column is None else pd.factorize(column.reindex(data.index))[0].astype(np.int64)
            for column in (self.strata, self.clusters)
        ]
        if self.robust and codes[1] is None:
            codes[1] = np.arange(data.n)
        return with_design(outcome, *codes)

    def doubts(self, found: dict[str, Any], index: pd.Index) -> tuple[list[str], bool]:
        """Return what to say of the errors of one row, and whether they can be trusted."""
        if self.clusters is None and not self.robust:
            return [], True
        if found.get("firth") is True:
            return ["Firth's penalty has no robust error: the interval takes patients as independent"], False
        if self.clusters is None:
            return [], True
        # No more clusters hold an event than there are events.
        k = min(self.clusters.reindex(index).nunique(), int(found["events"]))
        few = k < FEW_CLUSTERS
        return ([f"errors of {k} clusters with an event are too small below {FEW_CLUSTERS}"] if few else []), not few


@dataclass
class Block:
    """Signatures with scores for the same observations, standardised over these."""

    names: list[str]
    outcome: Outcome
    x: FloatArray
    sd: FloatArray
    effects: Effects | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Beside:
    """A confounder as signatures have it: who has a value, its standardised columns, and which signatures."""

    keep: npt.NDArray[np.bool_]
    z: FloatArray
    columns: list[int]


def blocks_of(scores: pd.DataFrame, outcome: Outcome) -> list[Block]:
    """Group signatures by the observations that have a score; one without any score forms its own block."""
    values = scores.reindex(outcome.index).to_numpy(dtype=np.float64)
    known = np.isfinite(values)
    blocks = []
    groups: dict[bytes, list[int]] = {}
    for j in range(values.shape[1]):
        groups.setdefault(known[:, j].tobytes(), []).append(j)
    for columns in groups.values():
        keep = known[:, columns[0]]
        part = outcome if keep.all() else outcome.take(keep)
        x = values[np.ix_(keep, columns)]
        sd = x.std(axis=0, ddof=1) if len(x) > 1 else np.zeros(len(columns))
        size = np.abs(x).max(axis=0, initial=0.0)
        sd = np.where(sd <= 1e-12 * np.maximum(size, 1e-300), 0.0, sd)
        centred = (x - x.mean(axis=0)) if len(x) else x
        blocks.append(Block([str(scores.columns[j]) for j in columns], part, centred / np.where(sd > 0, sd, 1), sd))
    return blocks


def lacking_in(block: Block, part: Outcome, z: FloatArray, label: str) -> str:
    """Reason why no adjusted model can be fitted; empty where one can."""
    if not block.outcome.n:
        return "no score"
    if not z.shape[1] or (len(z) > 1 and not z.std(axis=0).any()):
        return f"{label} does not vary among these patients (or is missing): nothing to adjust for"
    if not part.n:
        return f"{label} is missing for every patient with a score"
    if part.events == 0 or part.n < 2:
        return f"no event among the {part.n} patient(s) with {label}"
    return ""
