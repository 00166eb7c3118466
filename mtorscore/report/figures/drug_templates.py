"""The drug-class panel: response templates, shown for research and never as advice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from mtorscore import pl
from mtorscore.pl.theme import signed
from mtorscore.report.data.run_files import Cohort
from mtorscore.report.figures.picture import Drawer, Picture

BRANCH = "drug"
_LEAST_NORMALS = 10


@dataclass(frozen=True)
class Template:
    """One drug class as the panel shows it."""

    id: str
    title: str
    graded: str
    caveat: str
    parts: str
    words: str


def template_values(cohort: Cohort, method: str | None) -> tuple[pd.DataFrame, str]:
    """Compute the templates from their parts, each on the scale of the cohort's normal samples.

    Parameters
    ----------
    cohort
        Results.
    method
        The method whose scores are used.

    Returns
    -------
    values, why
        Observations x templates: the mean over parts of the signed distance from normal tissue, in SD of the normals
        (these are the frozen reference; no tumour moves it). Without templates the sentence says why.
    """
    scores = cohort.scores.get(method or "", pd.DataFrame(index=cohort.obs.index))
    columns, lacking = {}, False
    normal = cohort.obs.index[cohort.obs["sample_type"].astype(str) == "normal"] if "sample_type" in cohort.obs else []
    for name, parts in _parts().items():
        if not set(parts) <= set(scores.columns):
            lacking = True
            continue
        beside = scores.loc[normal, list(parts)]
        if len(beside) < _LEAST_NORMALS or not (beside.std() > 0).all():
            continue
        signs = pd.Series(parts)
        columns[name] = ((scores[list(parts)] - beside.mean()) / beside.std() * signs).sum(axis=1) / signs.abs().sum()
    if columns:
        return pd.DataFrame(columns), ""
    if lacking:
        return pd.DataFrame(), "The parts of the drug-class templates were not scored in this run."
    count = len(normal)
    return pd.DataFrame(), (
        f"{count} normal sample(s): templates are on the scale of normal tissue, which takes {_LEAST_NORMALS}. "
        "The scores of their parts are in the tables."
    )


@cache
def _parts() -> dict[str, dict[str, float]]:
    from mtorscore.collection import Composite, library

    entries = library(experimental=True)
    found = {n: entries[n] for n in entries.names if entries[n].branch == BRANCH}
    return {n: dict(e.parts) for n, e in found.items() if isinstance(e, Composite)}


def templates(cohort: Cohort, values: pd.DataFrame) -> list[Template]:
    """Summarise templates over the tumours of a cohort.

    Parameters
    ----------
    cohort
        Results.
    values
        As `template_values` returns them.

    Returns
    -------
    list of Template
        Median and quartiles over tumours.
    """
    from mtorscore.collection import library

    out = []
    for name in values.columns:
        entry = library(experimental=True)[name]
        known = values.loc[cohort.tumours, name].dropna()
        if not len(known):
            continue
        low, middle, high = (signed(float(v)) for v in np.quantile(known, [0.25, 0.5, 0.75]))
        moves = ", ".join(f"{p} {'up' if w > 0 else 'down'}" for p, w in _parts()[name].items())
        graded = "; ".join(entry.graded(cohort.context))
        out.append(Template(name, entry.title, graded, entry.caveat, moves, f"{middle} ({low} to {high})"))
    return out


def drug_picture(draw: Drawer) -> Picture:
    """Draw the templates by sample type."""
    values, why = template_values(draw.cohort, draw.method)
    if not len(values.columns):
        return draw.none("drugs", why)
    columns = min(3, len(values.columns))
    return draw.picture(
        "drugs",
        lambda: pl.violin(
            values, draw.cohort.obs, groupby=draw.cohort.group, columns=columns, ylabel="SD of normal tissue", width=130
        ),
        f"Distributions of {len(values.columns)} drug-class templates by sample type.",
        "Research use only. 0 is the mean of the normal samples, the unit their SD. A positive value means that the "
        "branches differ from normal tissue in the direction in which the class would be expected to change them; a "
        "negative value, in the opposite direction.",
    )
