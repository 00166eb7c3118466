"""What a declared result table is made of: `Column`, `Table`, and the columns that several tables share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mtorscore._outcome_terms import ENDPOINTS
from mtorscore.errors import DataWarning, examples, warn

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "number", "count", "share", "p-value", "time", "flag"]


@dataclass(frozen=True)
class Column:
    """One column of a result table.

    Attributes
    ----------
    name
        As in the file's header.
    kind
        ``"text"``, ``"number"``, ``"count"``, ``"share"`` (0 to 1), ``"p-value"``, ``"time"`` or ``"flag"`` (true or
        false).
    meaning
        In plain words; the report and the manual show it.
    """

    name: str
    kind: Kind
    meaning: str


@dataclass(frozen=True)
class Table:
    """One table of a run.

    Attributes
    ----------
    name
        What the code and the report call it.
    path
        Relative to the cohort's results folder; ``{method}`` is filled in per scoring method. Empty for a table that
        the report computes.
    columns
        In the order of the file.
    step
        The workflow's step that writes it.
    printed
        Names of the columns that the report prints, separated by blanks; all where nothing is said.
    empty
        What the report says where the table has no rows.
    report, script
        Whether the report reads it, and whether its page hands it to the interactive tables.
    per_signature
        Whether one more column per scored entry follows the declared ones.
    """

    name: str
    path: str
    columns: tuple[Column, ...]
    step: str = ""
    printed: str = ""
    empty: str = ""
    report: bool = False
    script: bool = False
    per_signature: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the declared columns."""
        return tuple(c.name for c in self.columns)

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of the columns that are true or false."""
        return tuple(c.name for c in self.columns if c.kind == "flag")

    def arrange(self, table: pd.DataFrame, *, index: bool = False) -> pd.DataFrame:
        """Return a table with the declared columns in their order.

        Parameters
        ----------
        table
            Rows to be written; an empty DataFrame gives a header alone.
        index
            Whether the first declared column is the table's index.

        Returns
        -------
        pandas.DataFrame
            Declared columns that `table` lacks are missing values.

        Warns
        -----
        DataWarning
            If a column is not declared; it comes last.
        """
        if self.per_signature:
            return table
        names = list(self.names[1:] if index else self.names)
        others = [c for c in table.columns if c not in names]
        if others:
            warn(f"{self.path} has {len(others)} column(s) that are not declared: {examples(others)}.", DataWarning)
        return table.reindex(columns=[*names, *others])


METHOD = Column("method", "text", "scoring method")
SIGNATURE = Column("signature", "text", "gene signature or composite")
_ENDPOINTS = ", ".join(f"{name} {known.title}" for name, known in ENDPOINTS.items())
ENDPOINT = Column(
    "endpoint", "text", f"outcome: {_ENDPOINTS}, or a label of the cohort such as recurrence within 24 months"
)
MODEL = Column("model", "text", "unadjusted: the score alone; adjusted: with one confounder beside it")
PREDICTOR = Column(
    "model",
    "text",
    "dummy (knows how often the outcome occurs, nothing else), clinical (age, sex and stage, where they are known), "
    "score (one score per branch), or clinical + score",
)
ADJUSTED_FOR = Column("adjusted_for", "text", "the one confounder beside the score")
VALID = Column("valid", "flag", "whether the numbers can be trusted")
REASON = Column("reason", "text", "why not, or what else to know")
OBSERVATION = Column("observation", "text", "sample or cell")
HORIZON = Column(
    "horizon", "time", "time in days by which the outcome is looked at; missing for labels and for all of follow-up"
)
POSITIVE = Column("positive", "text", "what a ratio above 1 or a higher risk means more of: the event, or a class")
COMPETING = Column(
    "competing", "text", "how many competing events there are, and how they count here; empty where there is none"
)
EVENTS = Column("events", "count", "patients in whom the event happened")
EFFECT = Column("effect", "text", "what hr is: a hazard ratio")
HAZARD_RATIO = (
    Column("hr", "number",
           "hazard ratio per standard deviation of the score; above 1, a worse outcome with a higher score"),
    Column("hr_low", "number", "lower end of its 95% interval"),
    Column("hr_high", "number", "upper end of its 95% interval"),
)  # fmt: skip
SAME_PATIENTS = Column(
    "unadjusted_same_n", "number", "hazard ratio of the score alone in the patients of the adjusted model"
)
AMONG_RANDOM = (
    Column("null_percentile", "number",
           "percent of random signatures of the same size and expression with a weaker association"),
    Column("null_p", "p-value", "p value among those random signatures"),
    Column("n_null", "count", "how many random signatures"),
)  # fmt: skip
LEVEL = Column("level", "share", "confidence level of the intervals")
TECHNICAL = Column(
    "technical_sd", "number",
    "standard deviation of the score by the noise of counts alone (random halves of the reads); missing where the "
    "values are no counts",
)  # fmt: skip


def agreement(what: str, *, above: str, prefix: str = "") -> tuple[Column, ...]:
    """Return the columns that say whether the scoring methods agree.

    Parameters
    ----------
    what
        The effect that they agree on.
    above
        What ``above`` means of it.
    prefix
        Of the columns' names.
    """
    return (
        Column(f"{prefix}methods_agree", "flag",
               f"whether all methods give {what} of one sign, and none differs; missing by one method"),
        Column(f"{prefix}differ", "text", "methods of the rarer sign, or beyond the intervals of all others"),
        Column(f"{prefix}claim", "text",
               f"what may be claimed: above ({above}) or below by all methods, or by those named alone; that methods "
               "disagree, that none finds it, or that it cannot be said"),
    )  # fmt: skip


BESIDE = (TECHNICAL.name, *(c.name for c in agreement("an effect", above="a higher one")))
"""Names of the columns that a run adds to what is computed of each method: noise of counts, agreement of methods."""
