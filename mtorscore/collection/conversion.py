"""Conversion of user input to a collection of signatures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from mtorscore.collection.collection import SignatureCollection, library
from mtorscore.collection.entries import Entry, signature_from
from mtorscore.collection.gene_index import plain_signatures
from mtorscore.errors import SignatureError

__all__ = ["SignaturesLike", "as_collection"]

# From this many gene lists on, signatures are made in one pass over all genes.
MANY = 64

SignaturesLike: TypeAlias = "SignatureCollection | Mapping[str, Any] | Iterable[Entry] | Entry | str | Path | None"


def as_collection(signatures: SignaturesLike) -> SignatureCollection:
    """Convert anything that describes signatures to a collection.

    Parameters
    ----------
    signatures
        None for the shipped library; a collection; an entry or several; a path; or a mapping of names to gene
        lists, to ``{"up": [...], "down": [...]}``, or to ``{gene: signed weight}``. A gene that a plain list
        repeats counts once.

    Returns
    -------
    SignatureCollection
        The same signatures.

    Raises
    ------
    SignatureError
        If the object is none of these.
    """
    if signatures is None:
        return library()
    if isinstance(signatures, SignatureCollection):
        return signatures
    if isinstance(signatures, Entry):
        return SignatureCollection([signatures])
    if isinstance(signatures, str | Path):
        return SignatureCollection.read(signatures)
    if isinstance(signatures, Mapping):
        together = plain_signatures(signatures) if len(signatures) >= MANY else None
        if together is not None:
            found = SignatureCollection(together[0])
            found.__dict__["_gene_index"] = together[1]
            return found
        return SignatureCollection([signature_from(str(name), value) for name, value in signatures.items()])
    if isinstance(signatures, Iterable):
        return SignatureCollection(signatures)
    raise SignatureError(f"Signatures must be a collection, a mapping, a path or None, not {type(signatures)}.")
