"""Signatures and collections of them: load, validate, resolve against a gene universe, hash.

An *entry* is one of four kinds. A `Signature` is a signed, optionally weighted gene list that the scoring methods
score. A `Ratio` and a `Panel` are evaluated once, on linear scale, whatever the method. A `Composite` is a signed
weighted sum over named entries, evaluated after scoring.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mtorscore.collection.entries import (
    BRANCHES,
    CANCERS,
    CONFOUNDER,
    ENTRY_CLASSES,
    EVIDENCE,
    LEVELS,
    USER_BRANCH,
    Composite,
    Entry,
    Panel,
    Ratio,
    Signature,
    Source,
    signature_from,
)
from mtorscore.collection.gene_index import Vocabulary, plain_hashes, plain_signatures
from mtorscore.collection.lead_signatures import leads
from mtorscore.collection.resolve import Resolved, lay
from mtorscore.errors import SignatureError, examples, nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BRANCHES",
    "CONFOUNDER",
    "ENTRY_CLASSES",
    "EVIDENCE",
    "LEVELS",
    "USER_BRANCH",
    "Composite",
    "Entry",
    "Panel",
    "Ratio",
    "Resolved",
    "Signature",
    "SignatureCollection",
    "Source",
    "as_collection",
    "leads",
    "library",
]


# So many gene lists are turned into signatures together.
MANY = 64


class SignatureCollection:
    """Entries by id, in a stated order.

    Parameters
    ----------
    entries
        Entries with unique ids.
    version
        Version of the library, where the collection is one.
    """

    def __init__(self, entries: Iterable[Entry] = (), *, version: str = "") -> None:
        self._entries: dict[str, Entry] = {}
        self.version = version
        for entry in entries:
            if not isinstance(entry, Entry):
                raise SignatureError(f"A collection holds Signature, Ratio, Panel or Composite, not {type(entry)}.")
            if entry.id in self._entries:
                raise SignatureError(f"Two entries are called {entry.id}; ids must be unique.")
            self._entries[entry.id] = entry

    @property
    def names(self) -> list[str]:
        """The ids, in order."""
        return list(self._entries)

    @property
    def signatures(self) -> list[Signature]:
        """The entries that scoring methods score."""
        return [e for e in self if isinstance(e, Signature)]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> Entry:
        if name not in self._entries:
            near = nearest(name, self._entries)
            hint = f" Did you mean {', '.join(near)}?" if near else ""
            raise SignatureError(f"No signature is called {name!r}.{hint}")
        return self._entries[name]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SignatureCollection) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __or__(self, other: SignatureCollection) -> SignatureCollection:
        """Return the entries of both, these first; one id with two contents is an error."""
        if not isinstance(other, SignatureCollection):
            return NotImplemented
        differing = [e.id for e in other if e.id in self and self[e.id].hash != e.hash]
        if differing:
            raise SignatureError(
                f"{len(differing)} id(s) stand in both collections with other content ({examples(differing)}); rename "
                "them, or take over an entry with .replace(entry)."
            )
        return SignatureCollection([*self, *(e for e in other if e.id not in self)], version=self.version)

    def __repr__(self) -> str:
        kinds = [e.kind for e in self]
        parts = ", ".join(f"{kinds.count(k)} {k}{'s' if kinds.count(k) != 1 else ''}" for k in dict.fromkeys(kinds))
        return f"SignatureCollection({parts or 'empty'})"

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the entries' hashes, the first 16 hexadecimal digits; independent of their order."""
        signatures = self.signatures
        plain = dict(zip((s.id for s in signatures), plain_hashes(signatures, self._vocabulary), strict=True))
        hashes = sorted(plain.get(e.id) or e.hash for e in self)
        return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:16]

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary.of(self.signatures)

    def select(
        self,
        names: Iterable[str] | None = None,
        *,
        branch: str | Iterable[str] | None = None,
        level: str | Iterable[str] | None = None,
        kind: str | Iterable[str] | None = None,
        cancer: str | None = None,
        evidence: str | Iterable[str] | None = None,
        experimental: bool | None = None,
    ) -> SignatureCollection:
        """Return the entries that fulfil every condition given, in their order here.

        Parameters
        ----------
        names
            Ids to keep; an unknown one is an error.
        branch, level, kind
            One value or several.
        cancer
            Entries that name this cancer, or none at all.
        evidence
            Entries all of whose genes have this evidence (one class or several); entries without genes are left out.
        experimental
            Keep only experimental (True) or only established (False) entries.

        Returns
        -------
        SignatureCollection
            A new collection; the entries are shared.

        Raises
        ------
        SignatureError
            If an id, branch, level, kind, cancer or evidence class is unknown.
        """
        wanted = {"branch": branch, "level": level, "kind": kind, "evidence": evidence, "cancer": cancer}
        known = {
            "branch": {*BRANCHES, USER_BRANCH, *(e.branch for e in self)},
            "level": set(LEVELS),
            "kind": set(ENTRY_CLASSES),
            "evidence": set(EVIDENCE),
            "cancer": {*CANCERS, *(c for e in self for c in e.cancers)},
        }
        sets: dict[str, set[str]] = {}
        for key, value in wanted.items():
            if value is None:
                continue
            sets[key] = {value} if isinstance(value, str) else set(value)
            unknown = sorted(sets[key] - known[key])
            if unknown:
                raise SignatureError(f"Unknown {key}: {examples(unknown)}. Known: {', '.join(sorted(known[key]))}.")
        classes = sets.pop("evidence", None)
        sets.pop("cancer", None)
        if isinstance(names, str):
            names = [names]
        entries = list(self) if names is None else [self[n] for n in names]
        kept = [
            e
            for e in entries
            if all(getattr(e, key) in allowed for key, allowed in sets.items())
            and (classes is None or (bool(e.genes) and all(e.evidence_of(g) in classes for g in e.genes)))
            and (cancer is None or not e.cancers or cancer in e.cancers)
            and (experimental is None or e.experimental == experimental)
        ]
        return SignatureCollection(kept, version=self.version)

    def holding(self, gene: str) -> SignatureCollection:
        """Return the entries that hold a gene.

        Parameters
        ----------
        gene
            Its symbol, current or historical: ``"SAMTOR"`` and ``"C7orf60"`` find ``BMT2``. An ambiguous name finds
            the entries of every gene that it can mean.

        Returns
        -------
        SignatureCollection
            The entries in their order here; none where no entry holds it.
        """
        from mtorscore.genes.symbols import current_symbol

        names = {gene, *current_symbol(gene)}
        return SignatureCollection((e for e in self if names.intersection(e.genes)), version=self.version)

    def resolve(self, universe: Sequence[str]) -> Resolved:
        """Lay the signatures over a gene universe.

        Parameters
        ----------
        universe
            Gene symbols of a matrix, in column order. A symbol that stands twice is refused, since nothing says
            which column is meant; collapse duplicates first.

        Returns
        -------
        Resolved
            One row per entry of kind ``"signature"``; other kinds are left out.

        Raises
        ------
        SignatureError
            If the universe repeats a symbol that a signature uses.
        """
        names = [str(g) for g in universe]
        position = {g: i for i, g in enumerate(names)}
        chosen = self.signatures
        if len(position) < len(names):
            used = {g for s in chosen for g in s.genes}
            counts: dict[str, int] = {}
            for g in names:
                if g in used:
                    counts[g] = counts.get(g, 0) + 1
            twice = [g for g, c in counts.items() if c > 1]
            if twice:
                raise SignatureError(
                    f"{len(twice)} gene(s) of the signatures stand more than once in the matrix ({examples(twice)}). "
                    "Collapse them first, for example with pp.harmonise_genes(adata)."
                )
        return lay(chosen, self._vocabulary, position, len(names))

    def union(self, names: Iterable[str] | None = None, *, id: str) -> Signature:  # noqa: A002
        """Return one signature with every gene of several (`set_operations.union`)."""
        from mtorscore.collection import set_operations

        return set_operations.union(self._gene_lists(names), id=id)

    def intersection(self, names: Iterable[str] | None = None, *, id: str) -> Signature:  # noqa: A002
        """Return one signature with the genes that several share (`set_operations.intersection`)."""
        from mtorscore.collection import set_operations

        return set_operations.intersection(self._gene_lists(names), id=id)

    def _gene_lists(self, names: Iterable[str] | None) -> list[Signature]:
        """Return the signatures of those names, or all there are; a name of another kind is an error."""
        if names is None:
            return self.signatures
        chosen = self.select(names)
        others = [f"{e.id} is a {e.kind}" for e in chosen if not isinstance(e, Signature)]
        if others:
            raise SignatureError(f"Only signatures are gene lists: {examples(others)}; leave those out.")
        return chosen.signatures

    def minus(self, confounder: str | Signature | SignatureCollection | Iterable[str]) -> SignatureCollection:
        """Return the collection without a confounder's genes (`set_operations.minus`)."""
        from mtorscore.collection import set_operations

        return set_operations.minus(self, confounder)

    def overlap(self, *, by: str = "entry", share: float = 0.3) -> pd.DataFrame:
        """Return shared genes and Jaccard index of every pair (`set_operations.overlap`)."""
        from mtorscore.collection import set_operations

        return set_operations.overlap(self, by=by, share=share)

    def overlap_matrix(self, *, by: str = "entry", value: str = "jaccard") -> pd.DataFrame:
        """Return the overlap of every pair as a square table (`set_operations.overlap_matrix`)."""
        from mtorscore.collection import set_operations

        return set_operations.overlap_matrix(self, by=by, value=value)

    def rename_genes(self) -> tuple[SignatureCollection, pd.DataFrame]:
        """Return the collection in current HGNC symbols, and what changed (`set_operations.rename_genes`)."""
        from mtorscore.collection import set_operations

        return set_operations.rename_genes(self)

    def translate(self, organism: str) -> tuple[SignatureCollection, pd.DataFrame]:
        """Return the collection for human or mouse, and what was lost (`set_operations.translate`)."""
        from mtorscore.collection import set_operations

        return set_operations.translate(self, organism)

    @classmethod
    def read(cls, path: str | Path, *, join_up_down: bool = False) -> SignatureCollection:
        """Read a collection from a file or a folder of YAML files.

        Parameters
        ----------
        path
            ``.gmt``, ``.gmx``, ``.grp``, ``.json`` (MSigDB), ``.tsv`` or ``.csv`` (source, target, weight),
            ``.yaml``, or a folder of YAML files.
        join_up_down
            Join pairs ``X_UP`` with ``X_DN`` or ``X_DOWN`` into one signed signature ``X``.

        Returns
        -------
        SignatureCollection
            The entries in file order.

        Raises
        ------
        FormatError
            If the file is not what its format promises.
        SignatureError
            If an entry is not valid.
        """
        from mtorscore.collection import files

        return files.read(Path(path), join_up_down=join_up_down)

    def write(self, path: str | Path) -> Path:
        """Write the collection in the format that the path's ending names.

        Parameters
        ----------
        path
            As for `read`; a path without an ending becomes a folder of YAML files. ``.gmt``, ``.gmx`` and ``.json``
            split signed signatures into ``X_UP`` and ``X_DN``; ``.yaml`` keeps everything, and one `IgnoredWarning`
            says what another format cannot hold.

        Returns
        -------
        pathlib.Path
            The file written.
        """
        from mtorscore.collection import files

        return files.write(self, Path(path))

    def replace(self, entry: Entry) -> SignatureCollection:
        """Return a collection with the entry of the same id replaced, or the entry added at the end."""
        return SignatureCollection((self._entries | {entry.id: entry}).values(), version=self.version)


SignaturesLike: TypeAlias = "SignatureCollection | Mapping[str, Any] | Iterable[Entry] | Entry | str | Path | None"


def as_collection(signatures: SignaturesLike) -> SignatureCollection:
    """Turn anything that users hand over as signatures into a collection.

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
            found.__dict__["_vocabulary"] = together[1]
            return found
        return SignatureCollection([signature_from(str(name), value) for name, value in signatures.items()])
    if isinstance(signatures, Iterable):
        return SignatureCollection(signatures)
    raise SignatureError(f"Signatures must be a collection, a mapping, a path or None, not {type(signatures)}.")


@lru_cache(maxsize=2)
def library(*, experimental: bool = False) -> SignatureCollection:
    """Return the signature library that ships with mtorscore.

    Parameters
    ----------
    experimental
        Also return entries marked experimental, such as those with genes that were only recalled.

    Returns
    -------
    SignatureCollection
        Entries of all kinds, sorted by branch in the order of `BRANCHES`, then by id.
    """
    from mtorscore.collection import files

    everything = files.read_library()
    return everything if experimental else everything.select(experimental=False)
