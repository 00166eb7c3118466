"""Collections of signatures: select, combine, resolve against a gene universe, read and write.

An *entry* is one of four kinds. A `Signature` is a signed, optionally weighted gene list that the scoring methods
score. A `Ratio` and a `Panel` are evaluated once, on linear scale, whatever the method. A `Composite` is a signed
weighted sum over named entries, evaluated after scoring.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mtorscore.collection import set_operations
from mtorscore.collection.entries import (
    CANCERS,
    ENTRY_CLASSES,
    EVIDENCE,
    USER_BRANCH,
    Entry,
    Signature,
    by_id,
)
from mtorscore.collection.gene_index import GeneIndex, plain_hashes
from mtorscore.collection.grades import check_grades, grades_among
from mtorscore.collection.resolve import Resolved, resolve
from mtorscore.errors import SignatureError, examples, nearest
from mtorscore.genes.symbols import current_symbol

# pandas, and YAML with all that reads files, are loaded by the methods that use them.
if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SignatureCollection", "library"]


class SignatureCollection:
    """Collection of entries, ordered and by id.

    Parameters
    ----------
    entries
        Entries with unique ids.
    version
        Version of the library, where the collection is one.
    """

    def __init__(self, entries: Iterable[Entry] = (), *, version: str = "") -> None:
        self._entries = by_id(entries)
        self.version = version

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
                f"{len(differing)} id(s) are in both collections with different content ({examples(differing)}); "
                "rename them, or take over an entry with .replace(entry)."
            )
        return self._like([*self, *(e for e in other if e.id not in self)])

    def __repr__(self) -> str:
        kinds = [e.kind for e in self]
        parts = ", ".join(f"{kinds.count(k)} {k}{'s' if kinds.count(k) != 1 else ''}" for k in dict.fromkeys(kinds))
        return f"SignatureCollection({parts or 'empty'})"

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the entries' hashes, the first 16 hexadecimal digits; independent of their order."""
        signatures = self.signatures
        plain = dict(zip((s.id for s in signatures), plain_hashes(signatures, self._gene_index), strict=True))
        hashes = sorted(plain.get(e.id) or e.hash for e in self)
        return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:16]

    @cached_property
    def _gene_index(self) -> GeneIndex:
        return GeneIndex.of(self.signatures)

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
        confidence: str | Iterable[str] | None = None,
        context: str | None = None,
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
        confidence
            Grade, one or several: ``"as expected"``, ``"none"``, ``"opposed"``, ``"not tested"``. Entries that the
            library's evidence grades so in `context`, or where that is None in any context.
        context
            ``"HCC"``, ``"CCA"``, ``"HB"``, ``"other tumours"`` or ``"cell lines"``.

        Returns
        -------
        SignatureCollection
            A new collection; the entries are shared. Chosen by branch alone, a composite brings the parts that it
            needs, which come last.

        Raises
        ------
        SignatureError
            If an id, branch, level, kind, cancer, evidence class, grade or context is unknown.
        """
        from mtorscore.collection.library_files import BRANCHES, LEVELS

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
        graded = check_grades([confidence] if isinstance(confidence, str) else confidence or (), context)
        narrowed = names is not None or bool(graded) or classes is not None or not sets.keys() <= {"branch"}
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
            and (not graded or bool(graded.intersection(grades_among(e.grades, context))))
        ]
        return self._like(kept if narrowed or not sets else [*kept, *set_operations.parts_lacking(kept, self)])

    def holding(self, gene: str) -> SignatureCollection:
        """Return the entries that hold a gene.

        Parameters
        ----------
        gene
            Its symbol, current or historical: ``"SAMTOR"`` finds ``BMT2``; an ambiguous name every gene it can mean.

        Returns
        -------
        SignatureCollection
            The entries in their order here; none where no entry holds it.
        """
        names = {gene, *current_symbol(gene)}
        return self._like(e for e in self if names.intersection(e.genes))

    def resolve(self, universe: Sequence[str]) -> Resolved:
        """Resolve the signatures against a gene universe.

        Parameters
        ----------
        universe
            Gene symbols of a matrix, in column order; collapse duplicated ones first.

        Returns
        -------
        Resolved
            One row per entry of kind ``"signature"``; other kinds are left out.

        Raises
        ------
        SignatureError
            If the universe repeats a symbol that a signature uses.
        """
        return resolve(self.signatures, self._gene_index, universe)

    def union(self, names: Iterable[str] | None = None, *, id: str) -> Signature:  # noqa: A002
        """Return one signature with every gene of several, unweighted, in order of first appearance.

        Parameters
        ----------
        names
            Ids of signatures; all by default.
        id
            Id of the result. A gene that is up in one and down in another is left out, with one `DataWarning`.
        """
        return set_operations.union(self._gene_lists(names), id=id)

    def intersection(self, names: Iterable[str] | None = None, *, id: str) -> Signature:  # noqa: A002
        """Return one signature with the genes that all of several hold in the same direction, unweighted.

        Parameters
        ----------
        names
            Ids of signatures; all by default.
        id
            Id of the result.

        Raises
        ------
        SignatureError
            If they share no gene.
        """
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
        """Return the collection without a confounder's genes.

        Parameters
        ----------
        confounder
            A signature, the id of one in the collection or the library, a collection (such as
            ``mt.library().select(branch="confounder")``), or genes.

        Returns
        -------
        SignatureCollection
            Signatures that lost genes keep their id and say so in `remark`. The confounder itself, where it is in the
            collection, stays, and so do ratios, panels and composites.

        Raises
        ------
        SignatureError
            If a signature would be left without a gene.
        """
        genes: Collection[str]
        keep: Collection[str] = ()
        if isinstance(confounder, str | Entry):
            entry = confounder if isinstance(confounder, Entry) else self._or_library(confounder)
            genes, keep, name = entry.genes, {entry.id}, entry.id
        elif isinstance(confounder, SignatureCollection):
            genes = {g for e in confounder.signatures for g in e.genes}
            keep, name = confounder.names, examples(confounder.names)
        else:
            genes = set(confounder)
            name = f"{len(genes)} genes"
        return self._like(set_operations.minus(self, genes, name=name, keep=keep))

    def _or_library(self, name: str) -> Entry:
        return self[name] if name in self else library(experimental=True)[name]

    def overlap(self, *, by: str = "entry", share: float = 0.3) -> pd.DataFrame:
        """Return shared genes and Jaccard index of every pair of entries with genes.

        Parameters
        ----------
        by
            ``"entry"``, or ``"branch"`` for the union of genes per branch.
        share
            Two entries of different branches (or two branches) that share more than this part of the smaller one's
            genes are named in one `DataWarning`.

        Returns
        -------
        pandas.DataFrame
            One row per pair: ``first, second, first_branch, second_branch, n_first, n_second, shared, jaccard,
            share_of_smaller, opposed`` (genes up in one and down in the other), ``genes`` (shared, sorted, joined by
            commas), by falling Jaccard index, then names.
        """
        return set_operations.overlap(self, by=by, share=share)

    def overlap_matrix(self, *, by: str = "entry", value: str = "jaccard") -> pd.DataFrame:
        """Return the overlap of every pair as a square table, symmetric, in the collection's order.

        Parameters
        ----------
        by
            As for `overlap`.
        value
            ``"jaccard"``, ``"shared"`` (number of genes), or ``"share_of_smaller"``.
        """
        return set_operations.overlap_matrix(list(self), by=by, value=value)

    def rename_genes(self) -> tuple[SignatureCollection, pd.DataFrame]:
        """Return the collection in current HGNC symbols, and what changed.

        Earlier symbols, Ensembl and Entrez ids are followed, and mouse genes to their one-to-one orthologues.

        Returns
        -------
        SignatureCollection
            Symbols that are not current are replaced where exactly one gene can be meant; others stay.
        pandas.DataFrame
            One row per symbol that is not current: ``entry, symbol, current, status`` with status ``renamed``,
            ``merged`` (the entry holds the current symbol already), ``ambiguous`` or ``unknown``.
        """
        entries, report = set_operations.rename_genes(self)
        return self._like(entries), report

    def translate(self, organism: str) -> tuple[SignatureCollection, pd.DataFrame]:
        """Return the collection in the symbols of the other species, by one-to-one orthologues, and what was lost.

        Parameters
        ----------
        organism
            ``"mouse"`` (from human symbols) or ``"human"`` (from mouse symbols).

        Returns
        -------
        SignatureCollection
            Genes without a one-to-one orthologue are left out; an entry that loses all of them, a ratio that loses a
            side, and a composite that loses a part are dropped.
        pandas.DataFrame
            One row per gene: ``entry, symbol, current, status`` with status ``renamed``, ``same``, ``merged`` or
            ``lost``.
        """
        entries, report = set_operations.translate(self, organism)
        return self._like(entries), report

    def _like(self, entries: Iterable[Entry]) -> SignatureCollection:
        return SignatureCollection(entries, version=self.version)

    @classmethod
    def read(cls, path: str | Path, *, join_up_down: bool = False) -> SignatureCollection:
        """Read a collection from a file or a folder of YAML files.

        Parameters
        ----------
        path
            ``.gmt``, ``.gmx``, ``.grp``, ``.json`` (MSigDB), ``.tsv`` or ``.csv`` (source, target, weight; msigdbr;
            TERM2GENE; gene, weight), ``.yaml``, or a folder of YAML files.
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

        return cls(files.read(Path(path), join_up_down=join_up_down))

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
        return self._like((self._entries | {entry.id: entry}).values())


@cache
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
    from mtorscore.collection.library_files import BRANCHES, library_folder, library_meta

    if not experimental:
        return library(experimental=True).select(experimental=False)
    folder = library_folder()
    paths = [path for branch in BRANCHES for path in sorted((folder / branch).glob("*.yaml"))]
    entries = [entry for path in paths for entry in files.read_yaml(path, checked=False)]
    return SignatureCollection(entries, version=str(library_meta()["version"]))
