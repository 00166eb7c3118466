"""Set operations on entries: union, intersection, subtraction, overlap, renaming and translation of symbols."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.collection.entries import EVIDENCE, Composite, Entry, Panel, Ratio, Signature
from mtorscore.errors import DataWarning, SignatureError, examples, warn
from mtorscore.genes.symbols import human_to_mouse, symbols_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["intersection", "minus", "overlap", "overlap_matrix", "rename_genes", "translate", "union"]

_Mapper = Callable[[str], tuple[str, ...]]
_OVERLAP = (
    "first", "second", "first_branch", "second_branch", "n_first", "n_second", "shared", "jaccard", "share_of_smaller",
    "opposed", "genes",
)  # fmt: skip


def union(signatures: Sequence[Signature], *, id: str) -> Signature:  # noqa: A002
    """Return one signature with every gene of several.

    Parameters
    ----------
    signatures
        At least one.
    id
        Id of the result.

    Returns
    -------
    Signature
        Genes in order of first appearance, unweighted. A gene that is up in one and down in another is left out,
        with one `DataWarning`.

    Raises
    ------
    SignatureError
        If there is no signature.
    """
    directions = _directions(signatures)
    clash = [g for g, d in directions.items() if len(d) > 1]
    if clash:
        warn(
            f"{len(clash)} gene(s) are up in one signature and down in another ({examples(clash)}); they are left out.",
            DataWarning,
        )
    return _combined(signatures, {g: d.copy().pop() for g, d in directions.items() if len(d) == 1}, id)


def intersection(signatures: Sequence[Signature], *, id: str) -> Signature:  # noqa: A002
    """Return one signature with the genes that all of several hold in the same direction.

    Parameters
    ----------
    signatures
        At least one.
    id
        Id of the result.

    Returns
    -------
    Signature
        Genes in the order of the first signature, unweighted.

    Raises
    ------
    SignatureError
        If there is no signature, or they share no gene.
    """
    directions = _directions(signatures)
    held = [set(s.genes) for s in signatures]
    shared = {g: d.copy().pop() for g, d in directions.items() if len(d) == 1 and all(g in h for h in held)}
    if not shared:
        raise SignatureError(f"{examples(s.id for s in signatures)} share no gene in the same direction.")
    return _combined(signatures, shared, id)


def minus(entries: Iterable[Entry], genes: Collection[str], *, name: str, keep: Collection[str] = ()) -> list[Entry]:
    """Return entries without some genes.

    Parameters
    ----------
    entries
        Ratios, panels and composites stay as they are.
    genes
        Genes to leave out.
    name
        What the genes are called in remarks and messages.
    keep
        Ids of entries that stay as they are, such as the confounder itself.

    Returns
    -------
    list of Entry
        Signatures that lost genes keep their id and say so in `remark`.

    Raises
    ------
    SignatureError
        If a signature would be left without a gene.
    """
    kept: list[Entry] = []
    empty: list[str] = []
    for entry in entries:
        lost = set(genes).intersection(entry.genes)
        if not isinstance(entry, Signature) or entry.id in keep or not lost:
            kept.append(entry)
        elif len(lost) == len(entry.genes):
            empty.append(entry.id)
        else:
            remark = f"{entry.remark} Without {len(lost)} gene(s) of {name}.".strip()
            kept.append(replace(_with_symbols(entry, {g: g for g in entry.genes if g not in lost}), remark=remark))
    if empty:
        raise SignatureError(
            f"{len(empty)} signature(s) hold no gene outside {name} ({examples(empty)}); leave them out first."
        )
    return kept


def parts_lacking(entries: Sequence[Entry], everything: Iterable[Entry]) -> list[Entry]:
    """Return the parts of composites among `entries` that are not among these, in the order of `everything`."""
    wanted = {p for e in entries if isinstance(e, Composite) for p in e.parts} - {e.id for e in entries}
    return [e for e in everything if e.id in wanted]


def overlap(entries: Iterable[Entry], *, by: str = "entry", share: float = 0.3) -> pd.DataFrame:
    """Return shared genes and Jaccard index of every pair.

    Parameters
    ----------
    entries
        Those without genes (composites) are left out.
    by
        ``"entry"``, or ``"branch"`` for the union of genes per branch.
    share
        Where two entries of different branches (or two branches) share more than this part of the smaller one's
        genes, one `DataWarning` names them: their scores are not independent.

    Returns
    -------
    pandas.DataFrame
        One row per pair: ``first, second, first_branch, second_branch, n_first, n_second, shared, jaccard,
        share_of_smaller, opposed`` (genes up in one and down in the other), ``genes`` (shared, sorted, joined by
        commas), by falling Jaccard index, then names.

    Raises
    ------
    SignatureError
        If `by` is unknown.
    """
    if by not in {"entry", "branch"}:
        raise SignatureError(f"Overlap is by 'entry' or 'branch', not {by!r}.")
    import pandas as pd

    sets: dict[str, tuple[str, set[str], set[str]]] = {}
    for entry in entries:
        if not entry.genes:
            continue
        name = entry.id if by == "entry" else entry.branch
        _, up, down = sets.setdefault(name, (entry.branch, set(), set()))
        falling = set(entry.down) if isinstance(entry, Signature) else set()
        up |= set(entry.genes) - falling
        down |= falling
    rows = []
    for (first, (branch, up, down)), (second, (other, up2, down2)) in combinations(sets.items(), 2):
        a, b = up | down, up2 | down2
        both = a & b
        rows.append(
            {
                "first": first,
                "second": second,
                "first_branch": branch,
                "second_branch": other,
                "n_first": len(a),
                "n_second": len(b),
                "shared": len(both),
                "jaccard": len(both) / len(a | b),
                "share_of_smaller": len(both) / min(len(a), len(b)),
                "opposed": len((up & down2) | (down & up2)),
                "genes": ",".join(sorted(both)),
            }
        )
    table = pd.DataFrame(rows, columns=list(_OVERLAP))
    table = table.sort_values(["jaccard", "first", "second"], ascending=[False, True, True], ignore_index=True)
    close = table[(table["share_of_smaller"] > share) & (table["first_branch"] != table["second_branch"])]
    if len(close):
        pairs = (f"{r.first} and {r.second} ({r.share_of_smaller:.0%})" for r in close.itertuples())
        warn(
            f"{len(close)} pair(s) of different branches share more than {share:.0%} of the smaller one's genes: "
            f"{examples(pairs)}. Their scores are not independent.",
            DataWarning,
        )
    return table


def overlap_matrix(entries: Sequence[Entry], *, by: str = "entry", value: str = "jaccard") -> pd.DataFrame:
    """Return the overlap of every pair as a square table.

    Parameters
    ----------
    entries, by
        As for `overlap`; without its warning.
    value
        ``"jaccard"``, ``"shared"`` (number of genes), or ``"share_of_smaller"``.

    Returns
    -------
    pandas.DataFrame
        Entries (or branches) x the same, symmetric, in the order given; an entry with itself on the diagonal.

    Raises
    ------
    SignatureError
        If `by` or `value` is unknown.
    """
    if value not in {"jaccard", "shared", "share_of_smaller"}:
        raise SignatureError(f"`value` is 'jaccard', 'shared' or 'share_of_smaller', not {value!r}.")
    import pandas as pd

    pairs = overlap(entries, by=by, share=1.0)
    sizes: dict[str, set[str]] = {}
    for entry in entries:
        if entry.genes:
            sizes.setdefault(entry.id if by == "entry" else entry.branch, set()).update(entry.genes)
    place = {name: i for i, name in enumerate(sizes)}
    cells = np.diag([float(len(genes)) if value == "shared" else 1.0 for genes in sizes.values()])
    rows, columns = ([place[n] for n in pairs[side]] for side in ("first", "second"))
    cells[rows, columns] = cells[columns, rows] = pairs[value].to_numpy(dtype=np.float64)
    table = pd.DataFrame(cells, index=list(sizes), columns=list(sizes))
    return table.astype(int) if value == "shared" else table


def rename_genes(entries: Iterable[Entry]) -> tuple[list[Entry], pd.DataFrame]:
    """Return entries in current HGNC symbols.

    Parameters
    ----------
    entries
        Entries whose genes are human symbols of any vintage, Ensembl or Entrez ids, or mouse symbols or Ensembl ids;
        the latter become their one-to-one orthologues.

    Returns
    -------
    list of Entry
        Names that are not current are replaced where exactly one gene can be meant; ambiguous and unknown ones
        stay as they are.
    pandas.DataFrame
        One row per symbol that is not current: ``entry, symbol, current, status`` with status ``renamed``,
        ``merged`` (the entry holds the current symbol already), ``ambiguous`` or ``unknown``.
    """

    def status(options: tuple[str, ...]) -> str:
        return "renamed" if len(options) == 1 else "ambiguous" if options else "unknown"

    return _mapped(entries, symbols_of, status, keep_unmapped=True)


def translate(entries: Iterable[Entry], organism: str) -> tuple[list[Entry], pd.DataFrame]:
    """Return entries in the symbols of the other species, by one-to-one orthologues.

    Parameters
    ----------
    entries
        Human entries for ``"mouse"``, mouse entries for ``"human"``.
    organism
        ``"mouse"`` or ``"human"``.

    Returns
    -------
    list of Entry
        Genes without a one-to-one orthologue are left out; an entry that loses all of them, a ratio that loses a
        side, and a composite that loses a part are dropped.
    pandas.DataFrame
        One row per gene: ``entry, symbol, current, status`` with status ``renamed``, ``same``, ``merged`` or
        ``lost``.

    Raises
    ------
    SignatureError
        If the organism is neither.
    """
    if organism not in {"human", "mouse"}:
        raise SignatureError(f"Signatures are translated to 'human' or 'mouse', not {organism!r}.")
    pairs = human_to_mouse()
    table: Mapping[str, str] = pairs if organism == "mouse" else {m: h for h, m in pairs.items()}

    def lookup(symbol: str) -> tuple[str, ...]:
        return (table[symbol],) if symbol in table else ()

    return _mapped(entries, lookup, lambda options: "renamed" if options else "lost", keep_unmapped=False)


def _directions(signatures: Sequence[Signature]) -> dict[str, set[int]]:
    if not signatures:
        raise SignatureError("There is no signature to combine; name at least one.")
    out: dict[str, set[int]] = {}
    for signature in signatures:
        for gene in signature.up:
            out.setdefault(gene, set()).add(1)
        for gene in signature.down:
            out.setdefault(gene, set()).add(-1)
    return out


def _combined(signatures: Sequence[Signature], directions: Mapping[str, int], name: str) -> Signature:
    evidence: dict[str, str] = {}
    for signature in signatures:
        for gene, label in signature.evidence.items():
            if gene in directions:
                evidence[gene] = min(evidence.get(gene, label), label, key=EVIDENCE.index)
    notes: dict[str, str] = {}
    for signature in reversed(signatures):
        notes |= {g: text for g, text in signature.gene_sources.items() if g in directions}
    signs = {s.sign for s in signatures}
    branches = {s.branch for s in signatures}
    levels = {s.level for s in signatures}
    return Signature(
        id=name,
        title=f"Combined from {', '.join(s.id for s in signatures)}",
        branch=branches.pop() if len(branches) == 1 else "user",
        level=levels.pop() if len(levels) == 1 else "transcriptional",
        up=tuple(g for g, d in directions.items() if d > 0),
        down=tuple(g for g, d in directions.items() if d < 0),
        sign=signs.pop() if len(signs) == 1 else 0,
        evidence=evidence,
        gene_sources=notes,
        licence="; ".join(dict.fromkeys(s.licence for s in signatures if s.licence)),
        sources=tuple(dict.fromkeys(source for s in signatures for source in s.sources)),
        experimental=any(s.experimental for s in signatures),
    )


def _mapped(
    entries: Iterable[Entry], lookup: _Mapper, status: Callable[[tuple[str, ...]], str], *, keep_unmapped: bool
) -> tuple[list[Entry], pd.DataFrame]:
    import pandas as pd

    rows: list[tuple[str, str, str, str]] = []
    kept: list[Entry] = []
    for entry in entries:
        table: dict[str, str] = {}
        taken: set[str] = set()
        for gene in entry.genes:
            options = lookup(gene)
            word = status(options)
            new = options[0] if len(options) == 1 else gene if keep_unmapped else ""
            if new == gene and len(options) == 1:
                word = "same"
            if new and new in taken:
                word, new = "merged", ""
            if new:
                taken.add(new)
                table[gene] = new
            rows.append((entry.id, gene, ",".join(options), word))
        new_entry = _with_symbols(entry, table)
        one_sided = isinstance(new_entry, Ratio) and not (new_entry.numerator and new_entry.denominator)
        if isinstance(entry, Composite) or (table and not one_sided):
            kept.append(new_entry)
    report = pd.DataFrame(rows, columns=["entry", "symbol", "current", "status"])
    if keep_unmapped:
        report = report[report["status"] != "same"].reset_index(drop=True)
    ids = {e.id for e in kept}
    return [e for e in kept if not isinstance(e, Composite) or set(e.parts) <= ids], report


def _with_symbols(entry: Entry, table: Mapping[str, str]) -> Entry:
    """Return an entry with its genes renamed by a table; genes that the table lacks are left out."""

    def each(genes: Iterable[str]) -> tuple[str, ...]:
        return tuple(table[g] for g in genes if g in table)

    def keyed(values: Mapping[str, Any]) -> dict[str, Any]:
        return {table[g]: v for g, v in values.items() if g in table}

    if isinstance(entry, Signature):
        return replace(
            entry,
            up=each(entry.up),
            down=each(entry.down),
            weights=keyed(entry.weights),
            evidence=keyed(entry.evidence),
            gene_sources=keyed(entry.gene_sources),
        )
    if isinstance(entry, Ratio):
        return replace(
            entry,
            numerator=each(entry.numerator),
            denominator=each(entry.denominator),
            evidence=keyed(entry.evidence),
            gene_sources=keyed(entry.gene_sources),
        )
    if isinstance(entry, Panel):
        return replace(entry, members=keyed(entry.members), notes=keyed(entry.notes), evidence=keyed(entry.evidence))
    return entry
