"""Gene identifiers of any vintage to current symbols, with an account of what happened to every row."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, DataWarning, examples
from mtorscore.io import _genes
from mtorscore.pp._collapse import DUPLICATES, collapse
from mtorscore.pp._mappings import advice, probe_symbols, read_mapping, share_out, shared_genes

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["harmonise_genes", "map_identifiers"]

# How a row was recognised, the strongest evidence first. A row that only an old name ties to a gene yields to one
# that names the gene outright.
EVIDENCE = ("ensembl", "entrez", "current", "orthologue", "previous", "case", "alias", "excel")
_STRENGTH = {name: i for i, name in enumerate(("unmapped", "excel", "alias", "case", "previous"), 0)}


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


def _from_gene(gene: _genes.Gene, how: str, note: str = "") -> _Match:
    return _Match(gene.symbol, how, note, gene.hgnc, gene.entrez, gene.ensembl)


def _unmapped(name: str, note: str, how: str = "unmapped") -> _Match:
    return _Match(name, how, note)


def _symbol(name: str, table: _genes.GeneTable) -> _Match:
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


def _date(name: str, table: _genes.GeneTable) -> _Match:
    """Undo what a spreadsheet did to a gene name, where only one gene can have been meant."""
    form = name
    if name[:4].isdigit():
        month = {"03": "Mar", "09": "Sep", "12": "Dec", "02": "Feb", "04": "Apr", "10": "Oct", "11": "Nov"}
        form = f"{int(name[8:10])}-{month.get(name[5:7], '?')}"
    elif not name[0].isdigit():
        word, number = name.split("-")
        form = f"{int(number)}-{word[:3]}"
    else:
        number, word = name.split("-")
        form = f"{int(number)}-{word[:3]}"
    symbols = _genes.excel_dates().get(form, ())
    if len(symbols) == 1 and symbols[0] in table.by_symbol:
        return _from_gene(table.by_symbol[symbols[0]], "excel", f"{name} is what a spreadsheet made of its former name")
    if symbols:
        return _unmapped(name, f"a spreadsheet date that may be {examples(symbols, 5)}", "ambiguous")
    return _unmapped(name, "a spreadsheet date")


def _human(name: str, table: _genes.GeneTable, numbers: bool) -> _Match:
    kind = _genes.kind_of(name)
    if kind == "ensembl":
        gene = table.by_ensembl.get(_genes.strip_version(name))
        if gene is None:
            return _unmapped(_genes.strip_version(name), "no approved gene has this Ensembl id")
        par = "pseudo-autosomal copy on Y" if name.startswith("ENSGR") or name.endswith("_PAR_Y") else ""
        return _from_gene(gene, "ensembl", par)
    if kind == "entrez" and numbers:
        gene = table.by_entrez.get(name)
        return _from_gene(gene, "entrez") if gene else _unmapped(name, "no approved gene has this Entrez id")
    if kind == "symbol|entrez":
        symbol, entrez = _genes.split_pair(name)
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


def _composite(name: str, table: _genes.GeneTable) -> _Match:
    """Follow a name that holds several: the Ensembl id decides, else a symbol whose Entrez or HGNC id stands beside."""
    gene = _genes.by_hgnc().get(name)
    if gene is not None:
        return _from_gene(gene, "current", f"{name} is its HGNC id")
    parts = [p for p in re.split(r"[|_:;,() ]+", _PREFIX.sub("", name)) if p]
    genes = {table.by_ensembl.get(_genes.strip_version(p)) for p in parts if _genes.kind_of(p) == "ensembl"} - {None}
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


def _mouse(name: str, table: _genes.GeneTable, target: str) -> _Match:
    kind = _genes.kind_of(name)
    gene = table.by_ensembl.get(_genes.strip_version(name)) if kind == "ensembl_mouse" else table.by_symbol.get(name)
    if gene is None and kind == "":
        gene = table.by_upper.get(name.upper())
    if gene is None:
        plain = _genes.strip_version(name) if kind == "ensembl_mouse" else name
        return _unmapped(plain, "no one-to-one human orthologue is known")
    if target == "mouse":
        return _Match(gene.symbol, "ensembl" if kind else "current", "", gene.hgnc, "", gene.ensembl)
    found = _genes.human().by_symbol[gene.human]
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
    other = sum(_genes.kind_of(n) == ("ensembl_mouse" if organism == "human" else "ensembl") for n in listed)
    if other > 0.5 * max(len(listed), 1):
        wrong = "mouse" if organism == "human" else "human"
        raise DataError(f'{other} of {len(listed)} identifiers are {wrong} Ensembl ids; pass organism="{wrong}".')
    if organism == "human":
        table = _genes.human()
        # Bare numbers are Entrez ids only where they are the rule; among symbols they are debris.
        numbers = sum(n.isdigit() for n in listed) > 0.5 * len(listed)
        matches = [_human(n, table, numbers) for n in listed]
    else:
        mouse = _genes.mouse()
        matches = [_mouse(n, mouse, target) for n in listed]
    _follow_numbered(listed, matches)
    columns = dict(zip(_Match._fields, zip(*matches, strict=True), strict=True)) if matches else {}
    found = pd.DataFrame({"id": listed, **{f: columns.get(f, ()) for f in _Match._fields}}, dtype=object)
    return found.rename(columns={"how": "match"})


def _follow_numbered(names: list[str], matches: list[_Match]) -> None:
    """Give ``TP53.1``, as R numbers repeats, the gene of the ``TP53`` that stands beside it, in place."""
    at = {n: i for i, n in enumerate(names)}
    for i, match in enumerate(matches):
        found = None if match.hgnc else _NUMBERED.match(names[i])
        base = matches[at[found["base"]]] if found and found["base"] in at else None
        if base is not None and base.hgnc:
            matches[i] = base._replace(note=f"{names[i]} is a numbered repeat")


def harmonise_genes(
    adata: AnnData,
    organism: str = "human",
    *,
    duplicates: str = "max_mean",
    unmapped: str = "keep",
    target: str | None = None,
    ids: str | None = None,
    platform: AnnData | pd.DataFrame | str | Path | None = None,
    mapping: Mapping[str, str] | pd.Series | pd.DataFrame | str | Path | None = None,
    several: str = "none",
    copy: bool = False,
) -> AnnData:
    """Rename genes to current HGNC symbols and collapse those that stand several times.

    A name is looked up, in order, as Ensembl id, Entrez id (``SYMBOL|Entrez``: the id decides), current symbol,
    previous symbol, alias, current symbol in another case, spreadsheet date. Ambiguous names stay as they are. Rows
    that name a gene outright (id or current symbol) win over rows tied to it by an earlier name, which then keep
    their own; rows of equal evidence are duplicates and are collapsed.

    Parameters
    ----------
    adata
        Observations x genes, any scale; ``var["id"]``, else the index, holds the identifiers.
    organism
        ``"human"`` or ``"mouse"``.
    duplicates
        ``"max_mean"`` keeps the row with the highest mean (ties: the first name in sorted order); ``"sum"`` (for
        counts and linear abundances), ``"mean"``, ``"median"`` combine them; ``"error"`` refuses them.
    unmapped
        ``"keep"`` them under their own names (Ensembl without version), or ``"drop"``.
    target
        See `map_identifiers`.
    ids
        Column of `var` to use instead, such as ``"symbol"``.
    platform
        Probe -> gene: a platform annotation (path, or what `mtorscore.read` makes of it), or a table with probes as
        index and a column of symbols.
    mapping
        Published identifier -> gene (symbol or id), for identifiers that nothing offline translates: RefSeq and
        transcript ids, probes without an annotation. A mapping, a Series, or a table (or its path) whose first two
        columns say so; versions may be left out. Identifiers that it lacks are looked up as usual. For transcripts on
        a linear scale use ``duplicates="sum"``.
    several
        A row of several genes (``A /// B``) stands for ``"none"`` of them (unless only one is a gene today), for the
        ``"first"``, or for ``"each"`` that has no row of its own (the values are repeated, so genes that share a row
        are not independent). Genes that only such rows name are listed in ``uns["genes_rule"]["only_shared"]``.
    copy
        Leave `adata` as it is and return a changed copy.

    Returns
    -------
    anndata.AnnData
        The same object (or the copy), with unique gene names. ``var``: ``id`` (as published; of the kept row),
        ``match``, ``hgnc``, ``entrez``, ``ensembl``, ``n_rows`` (rows it stands for). ``uns["genes"]``: a table with
        one row per published row: ``id``, ``symbol``, ``match``, ``fate`` (kept, collapsed, dropped), ``note``.

    Raises
    ------
    DataError
        If nothing could be mapped, or an argument is unknown.

    Warns
    -----
    DataWarning
        If fewer than half of the rows could be mapped.
    """
    if duplicates not in DUPLICATES:
        raise DataError(f"duplicates must be one of {', '.join(DUPLICATES)}, not {duplicates!r}.")
    if unmapped not in ("keep", "drop"):
        raise DataError(f'unmapped must be "keep" or "drop", not {unmapped!r}.')
    if several not in ("none", "first", "each"):
        raise DataError(f'several must be "none", "first" or "each", not {several!r}.')
    work = adata.copy() if copy else adata
    if ids is not None and ids not in work.var:
        raise DataError(f"var has no column {ids!r}; it has {examples(work.var.columns, 10)}.")
    names = _published(work, ids)
    if mapping is not None:
        if platform is not None:
            raise DataError("give either a platform or a mapping, not both.")
        table = _through_mapping(names, mapping, organism, target)
    elif platform is None:
        table = map_identifiers(names, organism=organism, target=target)
        _second_chance(table, work.var, organism, target)
    else:
        table = _through_platform(names, platform, organism, target)
    shared = shared_genes(table, SEVERAL, lambda parts: map_identifiers(parts, organism=organism, target=target))
    if several != "none":
        table, rows = share_out(table, shared, several)
        if len(rows) > work.n_vars:
            with warnings.catch_warnings():
                # The names repeat until the rows have got their symbols.
                warnings.simplefilter("ignore", UserWarning)
                work._inplace_subset_var(rows)
                work.var_names = pd.Index([str(i) for i in range(len(rows))])
    table = _yield_to_stronger(table)
    mapped = table["hgnc"] != ""
    if not mapped.any():
        mend = "" if platform is not None else advice(table)
        raise DataError(
            f"none of the {len(names)} identifiers ({examples(names)}) is known as a {organism} gene; "
            f"{mend or 'name the column of var that holds them with `ids=`, or check the organism'}."
        )
    # Half of Ensembl's genes are no genes of HGNC, or have no orthologue; that is as it should be.
    annotation = table["id"].map(_genes.kind_of).isin(["ensembl", "ensembl_mouse"]).mean() > 0.5
    if mapped.mean() < 0.5 and not annotation:
        warnings.warn(
            f"only {int(mapped.sum())} of {len(names)} identifiers were mapped to genes (not: "
            f"{examples(table.loc[~mapped, 'id'])}); signatures will have low coverage. {advice(table)}".rstrip(),
            DataWarning,
            stacklevel=2,
        )
    table["fate"] = np.where(mapped | (unmapped == "keep"), "kept", "dropped")
    collapse(work, table, duplicates)
    work.uns["genes"] = table[["id", "symbol", "match", "fate", "note"]].astype(object).reset_index(drop=True)
    work.uns["genes_rule"] = {
        "organism": organism,
        "target": target or "human",
        "duplicates": duplicates,
        "unmapped": unmapped,
        "several": several,
        "only_shared": sorted({g for genes in shared.values() for g in genes["symbol"]} - set(table["symbol"])),
        "matches": {str(k): int(v) for k, v in Counter(table["match"]).items()},
        "fates": {str(k): int(v) for k, v in Counter(table["fate"]).items()},
    }
    return work


_FURTHER = re.compile(
    r"^(gene_?name|symbol|gene_?symbol|hgnc_?symbol|hugo_symbol|genename|entrez.*|gene_?id|ensgene|ensembl.*)$",
    re.IGNORECASE,
)


def _second_chance(table: pd.DataFrame, var: pd.DataFrame, organism: str, target: str | None) -> None:
    """Map rows whose identifier is not known by the further names that the file gives them, in place."""
    for column in [c for c in var.columns if _FURTHER.match(str(c).replace(" ", "_")) and c != "id"]:
        lost = np.flatnonzero((table["hgnc"] == "") & ~table["note"].str.startswith(SEVERAL))
        names = [str(v).strip().removesuffix(".0") for v in var[column].to_numpy()[lost]]
        if not len(lost) or not any(names):
            continue
        more = map_identifiers([n or "?" for n in names], organism=organism, target=target)
        found = (more["hgnc"] != "").to_numpy() & np.array([_genes.kind_of(n) != "date" for n in names])
        rows = lost[found]
        for name in ("symbol", "match", "hgnc", "entrez", "ensembl"):
            table.loc[rows, name] = more.loc[found, name].to_numpy()
        table.loc[rows, "note"] = [f"by its {column}, {n}" for n, f in zip(names, found, strict=True) if f]


def _through_platform(
    names: list[str], platform: AnnData | pd.DataFrame | str | Path, organism: str, target: str | None
) -> pd.DataFrame:
    """Map probes by the symbols of their platform; the published probe stays in ``id``."""
    if isinstance(platform, str | Path):
        from mtorscore.io.reading import read

        platform = read(platform)
    var = platform if isinstance(platform, pd.DataFrame) else platform.var
    keys = [str(k) for k in var.get("id", var.index)]
    symbols = dict(zip(keys, probe_symbols(var), strict=True))
    found = [symbols.get(n, "") for n in names]
    if not any(found):
        raise DataError(
            f"none of the {len(names)} probes ({examples(names)}) is on the platform ({examples(keys)}); it is another "
            "one."
        )
    table = map_identifiers([s or "?" for s in found], organism=organism, target=target)
    empty = np.array([not s for s in found])
    lost = (table["hgnc"] == "").to_numpy()
    table["note"] = np.where(empty, "the platform names no gene", table["note"])
    table["match"] = np.where(empty, "unmapped", table["match"])
    table["symbol"] = np.where(lost, names, table["symbol"])
    table["id"] = names
    further = var.set_axis(pd.Index(keys)).loc[lambda f: ~f.index.duplicated()].reindex(names)
    _second_chance(table, further.drop(columns=[c for c in further if c == "symbol"]).fillna(""), organism, target)
    return table


def _through_mapping(
    names: list[str],
    mapping: Mapping[str, str] | pd.Series | pd.DataFrame | str | Path,
    organism: str,
    target: str | None,
) -> pd.DataFrame:
    """Map names through a table that the user gives; the published name stays in ``id``."""
    known = read_mapping(mapping)
    found = [known.get(n) or known.get(n.rsplit(".", 1)[0]) or n for n in names]
    given = np.array([f != n for f, n in zip(found, names, strict=True)])
    if not given.any():
        raise DataError(
            f"none of the {len(names)} identifiers ({examples(names)}) is in the mapping ({examples(known)})."
        )
    table = map_identifiers(found, organism=organism, target=target)
    lost = (table["hgnc"] == "").to_numpy()
    notes = [f"{f} in the mapping; {n}".removesuffix("; ") for f, n in zip(found, table["note"], strict=True)]
    table["note"] = np.where(given, notes, table["note"])
    table["symbol"] = np.where(lost & given, names, table["symbol"])
    table["id"] = names
    return table


def _published(adata: AnnData, ids: str | None) -> list[str]:
    if ids is None and "id" in adata.var:
        ids = "id"
    return [str(n) for n in (adata.var_names if ids is None else adata.var[ids])]


def _yield_to_stronger(table: pd.DataFrame) -> pd.DataFrame:
    """Give rows tied to a gene by an old name their own name back, where another row names the gene outright."""
    strength = np.array([_STRENGTH.get(m, 9) for m in table["match"]])
    mapped = (table["hgnc"] != "").to_numpy()
    best: dict[str, int] = {}
    for symbol, s in zip(table["symbol"][mapped], strength[mapped], strict=True):
        best[symbol] = max(best.get(symbol, 0), int(s))
    weaker = np.flatnonzero(mapped & (strength < np.array([best.get(s, 0) for s in table["symbol"]])))
    out = table.copy()
    taken = set(table["symbol"])
    for i in weaker:
        gene = table.at[i, "symbol"]
        own: Any = table.at[i, "id"]
        name = _genes.split_pair(own)[0] or own
        out.loc[i, ["hgnc", "entrez", "ensembl"]] = ""
        out.loc[i, "symbol"] = name if name not in taken else own
        out.loc[i, "note"] = f"{table.at[i, 'match']} name of {gene}, which has a row of its own"
        out.loc[i, "match"] = "unmapped"
    return out
