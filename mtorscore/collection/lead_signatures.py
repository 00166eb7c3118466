"""The signature that stands for a branch, chosen by the evidence in a context.

The rule, for each branch and context: among the established readouts of the branch (signatures that claim a direction,
components left out) that read as expected there, the one furthest from 0 in standard errors. Without any, the
branch's standing lead of ``library.yaml``, unless it is opposed there. Otherwise the branch has no lead.

Where the context is not known, a standing lead that is opposed anywhere does not stand for its branch.
"""

from __future__ import annotations

from collections.abc import Iterable

from mtorscore.collection.collection import library
from mtorscore.collection.entries import CONFOUNDER, Entry, Signature
from mtorscore.collection.grades import AS_EXPECTED, OPPOSED, context_named, evidence
from mtorscore.collection.library_files import library_meta

__all__ = ["lead_of", "leads", "why_no_lead"]


def leads(names: Iterable[str], *, confounders: bool = True, context: str | None = None) -> list[str]:
    """Choose the leading signature of each branch, for overviews and models of all branches together.

    Parameters
    ----------
    names
        Ids of the signatures at hand.
    confounders
        Also return the leading confounder signatures, after the branches.
    context
        Where: ``"HCC"``, ``"CCA"``, ``"HB"``, ``"other tumours"`` or ``"cell lines"``, in any case. None, or anything
        else: not known.

    Returns
    -------
    list of str
        The leads among `names` by the rule of this module, in the order of the branches. Names that the library does
        not know come first, since the user brought them.
    """
    known = set(library(experimental=True).names)
    given = list(dict.fromkeys(names))
    chosen: list[str] = []
    for branch, standing in _standing().items():
        if branch == CONFOUNDER:
            chosen += standing if confounders else []
        else:
            lead = lead_of(branch, context, given)
            chosen += [lead] if lead else []
    return [n for n in given if n not in known] + [n for n in chosen if n in set(given)]


def lead_of(branch: str, context: str | None = None, names: Iterable[str] | None = None) -> str | None:
    """Return the lead of a branch in a context, None where it has none.

    Parameters
    ----------
    branch
        One of the library's.
    context
        As of `leads`.
    names
        Ids to choose among; by default the whole library.
    """
    where, given = context_named(context), None if names is None else set(names)
    candidates = [e for e in library() if e.branch == branch and _is_readout(e) and (given is None or e.id in given)]
    shown = [e for e in candidates if where is not None and e.grades.get(where) == AS_EXPECTED]
    if shown:
        return max(shown, key=lambda e: (evidence()[e.id][str(where)].deviate, e.id)).id
    standing = [n for n in _standing().get(branch, []) if given is None or n in given]
    return next((n for n in standing if not _opposed(library(experimental=True)[n], where)), None)


def why_no_lead(branch: str, context: str | None = None) -> str:
    """Say why the standing lead of a branch does not stand for it in a context; "" where it does, or there is none."""
    where = context_named(context)
    for name in _standing().get(branch, []):
        entry = library(experimental=True)[name]
        if lead_of(branch, context) is None and _opposed(entry, where):
            found = [w for w in entry.graded(where) if w.startswith(OPPOSED)]
            return f"{name} is {'; '.join(found)}"
    return ""


def _standing() -> dict[str, list[str]]:
    table: dict[str, list[str]] = library_meta()["leads"]
    return table


def _is_readout(entry: Entry) -> bool:
    return isinstance(entry, Signature) and entry.sign != 0 and entry.level != "component"


def _opposed(entry: Entry, context: str | None) -> bool:
    grades = entry.grades
    return OPPOSED in (grades.values() if context is None else [grades.get(context)])
