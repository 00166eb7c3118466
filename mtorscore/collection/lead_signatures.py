"""The leading signature of each branch."""

from __future__ import annotations

from collections.abc import Iterable

from mtorscore.collection.collection import library
from mtorscore.collection.entries import CONFOUNDER
from mtorscore.collection.library_files import library_meta

__all__ = ["leads"]


def leads(names: Iterable[str], *, confounders: bool = True) -> list[str]:
    """Choose the leading signature of each branch, for overviews and models of all branches together.

    Parameters
    ----------
    names
        Ids of the signatures at hand.
    confounders
        Also return the leading confounder signatures, after the branches.

    Returns
    -------
    list of str
        Ids of the library's leads (``signatures/library.yaml``) among `names`, in the order of the branches. Names
        that the library does not know come first, since the user brought them.
    """
    table: dict[str, list[str]] = library_meta()["leads"]
    known = set(library(experimental=True).names)
    given = list(dict.fromkeys(names))
    chosen = [n for branch, ids in table.items() for n in ids if confounders or branch != CONFOUNDER]
    return [n for n in given if n not in known] + [n for n in chosen if n in set(given)]
