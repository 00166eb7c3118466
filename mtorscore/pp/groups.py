"""Columns that tell groups of samples, and what their values mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from mtorscore._doors import option
from mtorscore.io.tables.cell_text import is_missing

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = [
    "MOST_GROUPS",
    "Groups",
    "arms",
    "as_design",
    "as_known",
    "as_published",
    "folded",
    "group_columns",
    "group_pairs",
    "in_order",
    "named_groups",
    "sample_types",
    "values_of",
    "with_levels",
    "with_reference",
]

MOST_GROUPS = 8
"""Most values of a column that tells groups."""
# Words of tissue, treatment and condition; a column that holds two of them tells groups.
_TISSUE = re.compile(
    r"normal|adjacent|non[ _-]?tumou?r(al|ous)?|tumou?r(al|ous)?|cancer|carcinoma|hcc|lihc|i?cca|healthy|control|ctrl|"
    r"ctl|cirrho\w*|dysplas\w*|hepatitis|fibro\w*|steato\w*|primary|recurren\w*|metasta\w*|vehicle|dmso|treated|"
    r"untreated|mock|wt|wild[ _-]?type|ko|knock[ _-]?out|sham|n|t|nt|nl|tl|tp",
    re.IGNORECASE,
)
_NORMAL_WORD = re.compile(
    r"((adjacent|healthy|paired|peri[ -]?tumou?r(al)?)[ _-]*)?(normal|non[ _-]?tumou?r(al|ous)?|healthy|adjacent)"
    r"([ _-]+(liver|tissue|adjacent|non[ _-]?tumou?r(al)?|solid tissue))*|solid tissue normal|nt|nl",
    re.IGNORECASE,
)
_CONTROL_WORD = re.compile(
    r"control|ctrl|ctl|vehicle|dmso|mock|untreated|wt|wild[ _-]?type|sham|baseline", re.IGNORECASE
)
_OTHER_MEANING = re.compile(
    r"sex|gender|age|race|ethnic\w*|stage\w*|grade\w*|status|vital|event|os|pfi|dss|dfi|dfs|rfs|efs|pfs|t|n|m|ajcc\w*|"
    r"path\w*|in_outcome|patient|sample_type",
    re.IGNORECASE,
)


def group_columns(obs: pd.DataFrame) -> dict[str, list[str]]:
    """Return the columns that look like groups of samples, with their values; those that name tissues come first.

    Parameters
    ----------
    obs
        Observations and their columns.

    Returns
    -------
    dict
        Column -> values, for columns of text with two to eight values of which some occur more than once, but those
        that have another usual meaning (sex, stage, ...). Where a column names tissue or treatment, only such.
    """
    likely, others = {}, {}
    for name in map(str, obs.columns):
        values = _words(obs[name])
        if not 2 <= len(set(values)) <= min(MOST_GROUPS, max(2, len(values) // 2)):
            continue
        found = list(dict.fromkeys(values))
        if sum(_is_tissue(v) for v in found) >= 2:
            likely[name] = found
        elif not _OTHER_MEANING.fullmatch(name):
            others[name] = found
    return likely or others


def _words(column: pd.Series) -> list[str]:
    """Return the values of a column of text; nothing for numbers."""
    known = column.dropna()
    if pd.api.types.is_numeric_dtype(known.dtype) or not len(known):
        return []
    return [str(v).strip() for v in known]


def _is_tissue(value: str) -> bool:
    return any(_TISSUE.fullmatch(word) for word in _split(value))


def _split(value: str) -> Iterable[str]:
    return (value, *re.split(r"[^A-Za-z]+", value))


@dataclass(frozen=True, kw_only=True)
class Groups:
    """How samples are grouped and compared, as a recipe's ``group`` says.

    Attributes
    ----------
    column
        Column of the observations; its values keep their names.
    tumour, normal, recurrent
        Values that mean these; without any of them, every value is a group of its own.
    reference
        The group that the others are compared with.
    order
        Groups from lowest to highest, for a trend.
    leave_out
        Values whose samples are left out.
    pair, block
        Column of what pairs observations (the patient), or of what they share (the batch).
    covariates
        Columns that the comparison is adjusted for.
    interaction, interaction_reference
        Column that the comparison may depend on, such as the genotype or the cell type; its value that the others are
        compared with.
    """

    column: str
    tumour: tuple[str, ...] = ()
    normal: tuple[str, ...] = ()
    recurrent: tuple[str, ...] = ()
    reference: str = ""
    order: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    pair: str = ""
    block: str = ""
    covariates: tuple[str, ...] = ()
    interaction: str = ""
    interaction_reference: str = ""

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Groups:
        """Return what a recipe's section says; a single value may stand for a list."""
        lists = ("tumour", "normal", "recurrent", "order", "leave_out", "covariates")
        said = {k: v for k, v in section.items() if v is not None}
        values: dict[str, Any] = {k: _listed(v) if k in lists else str(v).strip() for k, v in said.items()}
        return cls(**{"column": "", **values})

    @property
    def named(self) -> bool:
        """Whether values stand for themselves, rather than for tumour and normal tissue."""
        return not (self.tumour or self.normal or self.recurrent)

    @property
    def meanings(self) -> dict[str, str]:
        """Value in lower case -> tumour, normal, recurrent or left_out."""
        kinds = ("tumour", "normal", "recurrent")
        found = {folded(v): kind for kind in kinds for v in getattr(self, kind)}
        return found | {folded(v): "left_out" for v in self.leave_out}

    @property
    def columns(self) -> list[str]:
        """All columns of the observations that are needed."""
        return [c for c in (self.column, self.pair, self.block, self.interaction, *self.covariates) if c]


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(str(v).strip() for v in (value if isinstance(value, list | tuple) else [value]))


def folded(value: str) -> str:
    """Return a value as values are compared: without case and outer blanks."""
    return value.strip().lower()


def named_groups(adata: AnnData) -> tuple[pd.Series, list[str]]:
    """Return the groups of a prepared cohort whose values stand for themselves, and their names, the reference last.

    Parameters
    ----------
    adata
        Observations with ``comparison_group`` and ``uns["design"]``, as `resolve_patients` writes them.

    Returns
    -------
    labels : pandas.Series
        Group of each observation; empty where the cohort has no such groups.
    names : list of str
        The other groups, from the highest, then the reference.
    """
    design = adata.uns.get("design", {})
    order = [str(v) for v in design.get("order", ())]
    reference = str(design.get("reference", "")) or (order[0] if order else "")
    if not reference:
        return pd.Series(dtype=object), []
    labels = adata.obs["comparison_group"].astype(object).dropna()
    others = order or [str(v) for v in design["groups"]]
    there = set(labels)
    return labels, [*(g for g in reversed(others) if g != reference and g in there), reference]


def group_pairs(adata: AnnData) -> tuple[pd.Series, list[tuple[str, str]]]:
    """Return the groups of a prepared cohort and which of them are compared: each with the reference.

    Parameters
    ----------
    adata
        As for `named_groups`.

    Returns
    -------
    labels : pandas.Series
        Group of each observation; where the design has an interaction, its arm (group and value).
    pairs : list of tuple
        A group and its reference; of arms, those of one value.
    """
    labels, names = named_groups(adata)
    if "comparison_arm" not in adata.obs or not names:
        return labels, [(name, names[-1]) for name in names[:-1]]
    found = adata.obs["comparison_arm"].dropna()
    levels = list(dict.fromkeys(v for v in values_of(as_published(adata.obs, adata.uns["design"]["interaction"])) if v))
    pairs = [(f"{name} in {v}", f"{names[-1]} in {v}") for v in levels for name in names[:-1]]
    return found.astype(object), pairs


def as_published(obs: Any, column: str) -> pd.Series:
    """Return a column as it was published: ``stage`` may have become Roman numerals, and ``stage_raw`` keeps it."""
    return obs["stage_raw"] if column == "stage" and "stage_raw" in obs else obs[column]


def as_known(texts: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Return the names that texts hold, one or several by commas each; a known name may hold commas itself.

    Parameters
    ----------
    texts
        As typed: ``["normal,HCC, early", "HCC, late"]``.
    known
        The names there are; of what is none of them, every comma separates.
    """
    names = {folded(v) for v in known}
    out = []
    for text in texts:
        words = text.split(",")
        while words:
            sizes = (n for n in range(len(words), 1, -1) if folded(",".join(words[:n])) in names)
            size = next(sizes, 1)
            out.append(",".join(words[:size]).strip())
            words = words[size:]
    return tuple(v for v in out if v)


def values_of(column: Iterable[object]) -> list[str]:
    """Return the group of each sample as text, "" where it is missing."""
    return ["" if is_missing(v) else str(v).strip() for v in column]


def with_reference(groups: Groups, values: Sequence[str]) -> tuple[Groups, str]:
    """Return the groups with their reference, and the sentence that says how it was found where nobody said it.

    Parameters
    ----------
    groups
        As the user says.
    values
        Group of each sample.
    """
    if not groups.named or groups.reference or groups.order:
        return groups, ""
    there = [v for v in dict.fromkeys(values) if v and groups.meanings.get(folded(v)) != "left_out"]
    for words in (_CONTROL_WORD, _NORMAL_WORD):
        likely = [v for v in there if words.fullmatch(v)]
        if len(likely) == 1 and len(there) > 1:
            said = (
                f"The groups of {groups.column} are compared with {likely[0]}, as its name says; "
                f"{option('reference')} names another."
            )
            return replace(groups, reference=likely[0]), said
    return groups, ""


def with_levels(groups: Groups, levels: Sequence[str]) -> Groups:
    """Return the groups with the value of the interaction's column that the others are compared with.

    Parameters
    ----------
    groups
        As the user says.
    levels
        Value of each sample in the interaction's column.

    Returns
    -------
    Groups
        The value as it is written; where nobody named one, that whose name says control, else the first in the
        alphabet: every sentence names both.
    """
    if not groups.interaction:
        return groups
    there = sorted({v for v in levels if v})
    given = [v for v in there if folded(v) == folded(groups.interaction_reference)]
    likely = [v for v in there if _CONTROL_WORD.fullmatch(v)]
    found = given or (likely if len(likely) == 1 else there)
    return replace(groups, interaction_reference=found[0] if found else groups.interaction_reference)


def arms(labels: Iterable[object], levels: Iterable[object]) -> list[object]:
    """Return group and value of another column in one: ``drug in ko``, as contrasts call it; None without either.

    Parameters
    ----------
    labels, levels
        Group of each sample, and its value in the interaction's column.
    """
    pairs = zip(labels, levels, strict=True)
    return [None if is_missing(a) or is_missing(b) else f"{a} in {b}" for a, b in pairs]


def sample_types(groups: Groups, values: Sequence[str]) -> list[str]:
    """Return what each sample is: tumour, normal, recurrent, left_out, or no_group where its group is missing.

    A group that stands for itself is tumour, so that outcomes may be related to it, unless its name says that it is
    normal tissue.
    """
    if not groups.named:
        return [groups.meanings.get(folded(v), "no_group") for v in values]
    return [
        "no_group" if not v else groups.meanings.get(folded(v), "normal" if _NORMAL_WORD.fullmatch(v) else "tumour")
        for v in values
    ]


def in_order(groups: Groups, values: Iterable[str]) -> list[str]:
    """Return the names of the groups: as ordered, else the reference (normal tissue) first, then as they come."""
    there = [v for v in dict.fromkeys(values) if v and groups.meanings.get(folded(v)) != "left_out"]
    first = [folded(v) for v in (groups.order or (groups.reference, *groups.normal)) if v]
    return sorted(there, key=lambda v: first.index(folded(v)) if folded(v) in first else len(first))


def as_design(groups: Groups, values: Sequence[str]) -> dict[str, Any]:
    """Return the design as a step needs it: plain types, the values as they are written."""
    names = in_order(groups, values)
    spelt = {folded(v): v for v in names}
    kinds = groups.meanings
    design = {
        "column": groups.column,
        "groups": names,
        "reference": spelt.get(folded(groups.reference), ""),
        "order": [spelt[folded(v)] for v in groups.order if folded(v) in spelt],
        "tumour": [v for v in names if kinds.get(folded(v)) == "tumour"],
        "normal": [v for v in names if kinds.get(folded(v)) == "normal"],
        "pair": groups.pair,
        "block": groups.block,
        "covariates": list(groups.covariates),
        "interaction": groups.interaction,
        "interaction_reference": groups.interaction_reference,
    }
    return {key: value for key, value in design.items() if len(value)}
