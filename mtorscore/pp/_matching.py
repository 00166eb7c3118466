"""What one identifier says: Ensembl, Entrez, symbols of any vintage, names mangled by spreadsheets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from mtorscore.errors import DataError, examples
from mtorscore.genes.identifier_kinds import (
    date_form,
    gene_likeness,
    is_symbol,
    kind_of,
    plain_form,
    split_pair,
    strip_version,
    without_affix,
)
from mtorscore.genes.numbers import entrez_evidence
from mtorscore.genes.tables import Gene, GeneTable, by_hgnc, excel_dates, human, mouse

__all__ = ["SEVERAL", "map_identifiers"]

SEVERAL = "a probe set of several genes"
_CALLED = {
    "refseq": "a RefSeq",
    "probe": "a probe",
    "ensembl_transcript": "an Ensembl transcript",
    "ensembl_other": "an Ensembl (other species)",
    "ensembl_mouse": "a mouse Ensembl",
}
_PREFIX = re.compile(r"^gene[:-]")
_NUMBERED = re.compile(r"^(?P<base>.+)[.~](?P<number>\d{1,2})$")


class _Match(NamedTuple):
    symbol: str
    how: str
    note: str = ""
    hgnc: str = ""
    entrez: str = ""
    ensembl: str = ""


def _from_gene(gene: Gene, how: str, note: str = "") -> _Match:
    return _Match(gene.symbol, how, note, gene.hgnc, gene.entrez, gene.ensembl)


def _unmapped(name: str, note: str, how: str = "unmapped") -> _Match:
    return _Match(name, how, note)


def _symbol(name: str, table: GeneTable) -> _Match:
    """Follow one human symbol through its history."""
    gene = table.by_symbol.get(name)
    if gene is not None:
        return _from_gene(gene, "current")
    for how, history in (("previous", table.previous), ("alias", table.alias)):
        found = history.get(name, ())
        if len(found) == 1:
            return _from_gene(found[0], how, f"{name} is {'an earlier symbol' if how == 'previous' else 'an alias'}")
        if found:
            return _unmapped(name, f"{how} symbol of {examples([g.symbol for g in found], 5)}", "ambiguous")
    upper = name.upper()
    for key in (upper, upper.replace(".", "-")):
        gene = table.by_upper.get(key)
        if gene is not None:
            return _from_gene(gene, "case", f"spelled {name}")
        found = table.previous.get(key, ())
        earlier = found[0] if len(found) == 1 else (None if found else table.previous_upper.get(key))
        if earlier is not None:
            return _from_gene(earlier, "previous", f"{name} is an earlier symbol")
    if upper.startswith("LOC") and upper[3:].isdigit() and upper[3:] in table.by_entrez:
        return _from_gene(table.by_entrez[upper[3:]], "entrez", f"{name} carries the Entrez id")
    return _unmapped(name, "not a symbol known to HGNC")


def _date(name: str, table: GeneTable) -> _Match:
    """Undo what a spreadsheet did to a gene name, where only one gene can have been meant."""
    form = date_form(name)
    symbols = excel_dates().get(form, ())
    if len(symbols) == 1 and symbols[0] in table.by_symbol:
        return _from_gene(table.by_symbol[symbols[0]], "excel", f"{name} is what a spreadsheet made of its former name")
    if symbols:
        return _unmapped(name, f"a spreadsheet date that may be {examples(symbols, 5)}", "ambiguous")
    return _unmapped(name, "a spreadsheet date")


def _human(name: str, table: GeneTable, numbers: bool) -> _Match:
    kind = kind_of(name)
    if kind == "ensembl":
        gene = table.by_ensembl.get(strip_version(name))
        if gene is None:
            return _unmapped(strip_version(name), "no approved gene has this Ensembl id")
        par = "pseudo-autosomal copy on Y" if name.startswith("ENSGR") or name.endswith("_PAR_Y") else ""
        return _from_gene(gene, "ensembl", par)
    if kind == "entrez" and numbers:
        gene = table.by_entrez.get(name)
        return _from_gene(gene, "entrez") if gene else _unmapped(name, "no approved gene has this Entrez id")
    if kind == "entrez":
        return _unmapped(name, "a number, which names no gene here")
    if kind == "symbol|entrez":
        symbol, entrez = split_pair(name)
        gene = table.by_entrez.get(entrez)
        if gene is not None:
            note = "" if symbol in ("", gene.symbol) else f"called {symbol} then"
            return _from_gene(gene, "entrez", note)
        return _symbol(symbol, table) if symbol else _unmapped(name, "no symbol, and an Entrez id that was withdrawn")
    if kind == "date":
        return _date(name, table)
    if kind in ("refseq", "probe", "ensembl_transcript", "ensembl_other", "ensembl_mouse"):
        return _unmapped(name, f"{_CALLED[kind]} identifier")
    if kind == "composite":
        return _composite(name, table)
    if "///" in name:
        parts = {m.symbol: m for m in (_symbol(p.strip(), table) for p in name.split("///")) if m.hgnc}
        if len(parts) == 1:
            return next(iter(parts.values()))
        return _unmapped(name, f"{SEVERAL}: {name}", "ambiguous")
    return _symbol(name, table)


def _from_plain(name: str, plain: str, table: GeneTable, numbers: bool) -> _Match:
    """Follow a name by what remains of it without the additions of a pipeline."""
    # hsa:7157 says itself that the number is an id.
    match = _human(plain, table, numbers or (plain.isdigit() and plain != name))
    if plain == name:
        parts = None if match.hgnc or match.how == "ambiguous" or kind_of(name) else _by_parts(name, table)
        return parts._replace(note=f"part of {name}") if parts else match
    if not match.hgnc:
        return _human(name, table, numbers)
    return match._replace(note=f"{plain} in {name}" + (f"; {match.note}" if match.note else ""))


def _composite(name: str, table: GeneTable) -> _Match:
    """Follow a name that holds several: the Ensembl id decides, else a symbol whose Entrez or HGNC id stands beside."""
    gene = by_hgnc().get(name)
    if gene is not None:
        return _from_gene(gene, "current", f"{name} is its HGNC id")
    parts = [p for p in re.split(r"[|_:;,() ]+", _PREFIX.sub("", name)) if p]
    genes = {table.by_ensembl.get(strip_version(p)) for p in parts if kind_of(p) == "ensembl"} - {None}
    if len(genes) == 1:
        return _from_gene(next(iter(genes)), "ensembl", f"part of {name}")  # type: ignore[arg-type]
    symbols = {m.symbol: m for m in (_symbol(p, table) for p in parts if not p.isdigit()) if m.hgnc}
    if len(symbols) == 1:
        found = next(iter(symbols.values()))
        numbers = [p for p in parts if p.isdigit()]
        if all(n == found.entrez for n in numbers):
            return found._replace(note=f"part of {name}")
    return _unmapped(
        name, "several names in one, of which none is known for certain", "ambiguous" if genes else "unmapped"
    )


def _mouse(name: str, table: GeneTable, target: str) -> _Match:
    kind = kind_of(name)
    if not kind:
        name = plain_form(name)
    gene = table.by_ensembl.get(strip_version(name)) if kind == "ensembl_mouse" else table.by_symbol.get(name)
    if gene is None and kind == "":
        gene = table.by_upper.get(name.upper())
    if gene is None:
        plain = strip_version(name) if kind == "ensembl_mouse" else name
        return _unmapped(plain, "no one-to-one human orthologue is known")
    if target == "mouse":
        return _Match(gene.symbol, "ensembl" if kind else "current", "", gene.hgnc, "", gene.ensembl)
    found = human().by_symbol[gene.human]
    return _from_gene(found, "orthologue", f"mouse {gene.symbol}")


def map_identifiers(names: Sequence[str], *, organism: str = "human", target: str | None = None) -> pd.DataFrame:
    """Map identifiers one by one, without collapsing anything.

    Parameters
    ----------
    names
        Ensembl ids (versions and PAR_Y marks allowed), Entrez ids, ``SYMBOL|Entrez``, symbols current or historical,
        names mangled by spreadsheets; mixed kinds are allowed.
    organism
        ``"human"`` or ``"mouse"``.
    target
        ``"human"`` (default: mouse genes become their one-to-one human orthologues) or ``"mouse"``.

    Returns
    -------
    pandas.DataFrame
        One row per name: ``id``, ``symbol``, ``match`` (ensembl, entrez, current, orthologue, previous, case, alias,
        excel, ambiguous, unmapped), ``note``, ``hgnc``, ``entrez``, ``ensembl``. Unmapped names keep themselves.

    Raises
    ------
    DataError
        If the organism is unknown, or most names are of the other organism.
    """
    if organism not in ("human", "mouse"):
        raise DataError(f'organism must be "human" or "mouse", not {organism!r}.')
    target = target or "human"
    if target not in ("human", "mouse") or (organism == "human" and target == "mouse"):
        raise DataError(f"{organism} identifiers cannot be mapped to {target!r}.")
    listed = [str(n).strip() for n in names]
    other = sum(kind_of(n) == ("ensembl_mouse" if organism == "human" else "ensembl") for n in listed)
    if other > 0.5 * max(len(listed), 1):
        wrong = "mouse" if organism == "human" else "human"
        raise DataError(f'{other} of {len(listed)} identifiers are {wrong} Ensembl ids; pass organism="{wrong}".')
    if organism == "human":
        table = human()
        # Bare numbers are Entrez ids only where they are the rule; among symbols they are debris.
        custom = _custom_entrez(listed)
        plain = [custom.get(n) or plain_form(n) for n in listed]
        if not custom:
            plain = _better_without_affix(plain)
        digits = [n for n in plain if n.isdigit()]
        numbers = len(digits) > 0.5 * len([n for n in listed if n != "?"]) and entrez_evidence(digits) >= -2
        matches = [_from_plain(n, p, table, numbers) for n, p in zip(listed, plain, strict=True)]
    else:
        mouse_table = mouse()
        matches = [_mouse(n, mouse_table, target) for n in listed]
    _follow_numbered(listed, matches)
    columns = dict(zip(_Match._fields, zip(*matches, strict=True), strict=True)) if matches else {}
    found = pd.DataFrame({"id": listed, **{f: columns.get(f, ()) for f in _Match._fields}}, dtype=object)
    return found.rename(columns={"how": "match"})


def _better_without_affix(names: list[str]) -> list[str]:
    """Return names without what all begin or end with, where they are genes only then."""
    shorter = without_affix(names)
    if shorter == names or gene_likeness(names)[0] >= 0.5 or gene_likeness(shorter)[0] < 0.5:
        return names
    digits = [n for n in shorter if n.isdigit()]
    if len(digits) > 0.5 * len(shorter) and entrez_evidence(digits) < 0:
        # row_1, row_2, row_3 are counted, and no Entrez ids.
        return names
    return [short if is_symbol(short) or kind_of(short) else n for n, short in zip(names, shorter, strict=True)]


def _by_parts(name: str, table: GeneTable) -> _Match | None:
    """Follow a symbol beside its own Entrez id, a repeat of it or a chromosome: ``7157|TP53``, ``chr17:TP53``."""
    parts = [p for p in re.split(r"[|:;_/ ]+", name) if p and not re.fullmatch(r"chr[\dXYM]+T?", p)]
    symbols = {p for p in parts if not p.isdigit()}
    if len(symbols) != 1 or (len(parts) == 1 and parts[0] == name):
        return None
    match = _symbol(symbols.pop(), table)
    sure = match.hgnc and match.how in ("current", "previous", "case")
    return match if sure and all(p == match.entrez for p in parts if p.isdigit()) else None


def _custom_entrez(names: list[str]) -> dict[str, str]:
    """Return probe set -> Entrez id where an array was summarised by gene (7157_at, as BrainArray's files do).

    Affymetrix's own probe sets have suffixes such as _s_at among them, and are no Entrez ids as a whole.
    """
    found = {n: n[:-3] for n in names if n.endswith("_at") and n[:-3].isdigit()}
    others = [n for n in names if n not in found and kind_of(n) == "probe" and not n.startswith("AFFX")]
    if not found or others or len(found) < 0.5 * len(names):
        return {}
    known = sum(e in human().by_entrez for e in found.values())
    sure = known >= 0.8 * len(found) and entrez_evidence(list(found.values())) >= 0
    return found if sure else {}


def _follow_numbered(names: list[str], matches: list[_Match]) -> None:
    """Give ``TP53.1``, as R numbers repeats, the gene of the ``TP53`` that stands beside it, in place."""
    at = {n: i for i, n in enumerate(names)}
    for i, match in enumerate(matches):
        found = None if match.hgnc else _NUMBERED.match(names[i])
        base = matches[at[found["base"]]] if found and found["base"] in at else None
        if base is not None and base.hgnc:
            matches[i] = base._replace(note=f"{names[i]} is a numbered repeat")
