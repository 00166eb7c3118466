"""What has no meaning in a design, before anything is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mtorscore._doors import option
from mtorscore.errors import examples
from mtorscore.pp.groups import MOST_GROUPS, Groups, as_published, folded, values_of

__all__ = ["beside", "problems"]


def problems(
    groups: Groups,
    values: Sequence[str],
    columns: Collection[str],
    levels: Sequence[str] | None = None,
    shared: Sequence[str] | None = None,
) -> list[str]:
    """Return what has no meaning, one sentence each, with the option that gives it one.

    Parameters
    ----------
    groups
        With their reference, as `with_reference` gives them.
    values
        Group of each sample, "" where it is missing.
    columns
        Columns of the samples.
    levels
        Value of each sample in the interaction's column, where they are known.
    shared
        What each sample shares with others, of the column of pairs or blocks, where that is known.
    """
    counts = Counter(v for v in values if v)
    known = {folded(v) for v in counts}
    shown = examples(counts, 12)
    out = []
    for name in ("tumour", "reference", "order", "leave_out"):
        given = getattr(groups, name)
        absent = [v for v in ((given,) if isinstance(given, str) else given) if v and folded(v) not in known]
        # A recipe may list every spelling that a portal uses; one of them must be there.
        if absent and (name != "tumour" or len(absent) == len(given)):
            named = examples(map(repr, absent))
            out.append(f"No sample has {groups.column} = {named} ({option(name)}); the values are {shown}. Name those.")
    strange = [f"{v} ({n} sample{'s' if n > 1 else ''})" for v, n in counts.items() if not _means(groups, v)]
    if strange:
        ways = (
            [option("tumour"), option("normal"), option("leave_out")]
            if not groups.named
            else [option("order"), option("leave_out")]
        )
        out.append(
            f"{len(strange)} value(s) of {groups.column!r} have no meaning: {', '.join(strange)}. Give each one: "
            f"{', '.join(ways[:-1])} or {ways[-1]}."
        )
    used = [v for v in counts if groups.meanings.get(folded(v)) != "left_out"]
    if groups.named and not (groups.reference or groups.order) and len(used) > 1:
        out.append(
            f"Nothing says which of the groups of {groups.column} ({examples(used, 12)}) is the reference: "
            f"{option('reference', used[0])}, or {option('order')} where they have an order."
        )
    lost = [c for c in groups.columns if c not in columns]
    if lost:
        out.append(f"There is no column {examples(lost)}; there are {examples(columns, 12)}.")
    if groups.pair and groups.block:
        out.append(f"Give {option('pair')} or {option('block')}, not both: a pair is a block of two.")
    if shared is not None and not out and not _compares(groups, values, shared):
        name, column = ("pair", groups.pair) if groups.pair else ("block", groups.block)
        out.append(
            f"No value of {column} ({option(name)}) holds samples of two groups, so nothing can be compared within: "
            f"leave {option(name)} out, or name another column."
        )
    return out + _of_interaction(groups, levels)


def _compares(groups: Groups, values: Sequence[str], shared: Sequence[str]) -> bool:
    """Say whether a pair or block holds samples of two groups."""
    meanings = groups.meanings
    kinds = [folded(v) if groups.named else meanings.get(folded(v), "") for v in values]
    found: dict[str, set[str]] = {}
    for value, kind, which in zip(values, kinds, shared, strict=True):
        if which and value and meanings.get(folded(value)) != "left_out":
            found.setdefault(which, set()).add(kind)
    return any(len(k) > 1 for k in found.values())


def _of_interaction(groups: Groups, levels: Sequence[str] | None) -> list[str]:
    """Return what has no meaning in the column that the comparison may depend on."""
    name, reference = option("interaction"), groups.interaction_reference
    if not groups.interaction:
        return [f"{option('interaction_reference')} is a value of the column given with {name}."] if reference else []
    if groups.interaction == groups.column:
        return [f"{name} names another column than {option('group')}: the genotype beside the treatment."]
    there = sorted({v for v in levels or () if v})
    if levels is None:
        return []
    if not 2 <= len(there) <= MOST_GROUPS:
        return [
            f"{groups.interaction} ({name}) has {len(there)} values ({examples(there)}); 2 to {MOST_GROUPS} are used."
        ]
    if reference and folded(reference) not in {folded(v) for v in there}:
        ref = option("interaction_reference")
        return [f"No sample has {groups.interaction} = {reference!r} ({ref}); the values are {examples(there, 12)}."]
    return []


def _means(groups: Groups, value: str) -> bool:
    if folded(value) in groups.meanings:
        return True
    return groups.named and (not groups.order or folded(value) in {folded(v) for v in groups.order})


def beside(groups: Groups, columns: Mapping[str, Any]) -> tuple[list[str] | None, list[str] | None]:
    """Return the values of the interaction's column and of that of pairs or blocks; None for what is not there.

    Parameters
    ----------
    groups
        As the user says.
    columns
        Column -> values: a table, or a dictionary.
    """
    names = (groups.interaction, groups.pair or groups.block)
    found = [values_of(as_published(columns, n)) if n in columns else None for n in names]
    return found[0], found[1]
