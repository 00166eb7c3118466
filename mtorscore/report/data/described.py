"""Signatures, branches and levels as the report describes them, from the library's own statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from mtorscore.collection import CONFOUNDER, USER_BRANCH, SignatureCollection
from mtorscore.collection import leads as library_leads
from mtorscore.collection.library_files import library_meta

_MOST = 20


@dataclass(frozen=True)
class Described:
    """A signature as the report shows it."""

    id: str
    title: str
    branch: str
    level: str
    sign: int
    kind: str
    genes: int
    caveat: str
    graded: str
    grades: dict[str, str]


def describe(
    names: Sequence[str], library: SignatureCollection | None, contexts: Sequence[str] = ()
) -> dict[str, Described]:
    """Look scored names up in the library.

    Parameters
    ----------
    names
        Columns of the score tables.
    library
        The collection that was scored; None where it is not known.
    contexts
        Contexts of the run's cohorts, whose grades are told; all where there is none.

    Returns
    -------
    dict
        Name -> description, in the order of the library; names it does not hold come last, as the user's own.
    """
    known = [n for n in (library.names if library is not None else []) if n in set(names)]
    out: dict[str, Described] = {}
    for name in [*known, *(n for n in names if n not in set(known))]:
        if library is not None and name in library:
            e = library[name]
            told = "; ".join(w for c in dict.fromkeys(contexts) for w in e.graded(c)) or "; ".join(e.graded())
            out[name] = Described(
                name, e.title, e.branch, e.level, e.sign, e.kind, len(e.genes), e.caveat, told, dict(e.grades)
            )  # fmt: skip
        else:
            out[name] = Described(name, "", USER_BRANCH, "", 0, "signature", 0, "", "", {})
    return out


def leads(described: dict[str, Described], contexts: Sequence[str | None] = (None,)) -> list[str]:
    """Return the signatures of the overview figures: a user's own (20 at most), one per branch, the confounders.

    Parameters
    ----------
    described
        As `describe` returns it.
    contexts
        Of the cohorts that are shown.

    Returns
    -------
    list of str
        As `mtorscore.collection.leads` chooses in any of the contexts; without any, the first 20 signatures.
    """
    found = [n for c in dict.fromkeys(contexts) for n in library_leads(described, context=c)]
    chosen = [*dict.fromkeys(n for n in found if described[n].branch != CONFOUNDER)]
    chosen += [*dict.fromkeys(n for n in found if described[n].branch == CONFOUNDER)]
    own = [n for n in chosen if described[n].branch == USER_BRANCH]
    return own[:_MOST] + [n for n in chosen if n not in own] or list(described)[:_MOST]


def branch_titles() -> dict[str, str]:
    """Return branch -> title as ``signatures/library.yaml`` states it, and that of a user's own gene lists."""
    branches = library_meta()["branches"]
    return {name: str(about["title"]) for name, about in branches.items()} | {USER_BRANCH: "Your signatures"}


def level_meanings() -> dict[str, str]:
    """Return level -> what a transcript score can mean there, as ``signatures/library.yaml`` states it."""
    return {name: str(meaning) for name, meaning in library_meta()["levels"].items()}


def without_readout() -> dict[str, str]:
    """Return branch -> why no transcript score can read it, for the branches that have none."""
    return {b: str(v["no_readout"]) for b, v in library_meta()["branches"].items() if "no_readout" in v}


def as_json(described: dict[str, Described], names: Iterable[str]) -> list[dict[str, object]]:
    """Return descriptions as plain types, for the interactive layer."""
    return [asdict(described[n]) for n in names]
