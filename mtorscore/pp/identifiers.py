"""Gene identifiers of any vintage to current symbols, with an account of what happened to every row."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore._doors import option
from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.genes.identifier_kinds import gene_likeness, kind_of, split_pair
from mtorscore.genes.numbers import is_running_count
from mtorscore.genes.species import other_species, warn_species
from mtorscore.pp._collapse import DUPLICATES, collapse
from mtorscore.pp._mappings import advice, probe_symbols, read_mapping, read_platform, share_out, shared_genes
from mtorscore.pp._matching import SEVERAL, map_identifiers

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["harmonise_genes", "map_identifiers"]

# How a row was recognised, the strongest evidence first. A row that only an old name ties to a gene yields to one
# that names the gene outright.
EVIDENCE = ("ensembl", "entrez", "current", "orthologue", "previous", "case", "alias", "excel")
_STRENGTH = {name: i for i, name in enumerate(("unmapped", "excel", "alias", "case", "previous"), 0)}


def harmonise_genes(
    adata: AnnData,
    organism: str = "human",
    *,
    duplicates: str = "max_mean",
    unmapped: str = "keep",
    target: str | None = None,
    ids: str | None = None,
    platform: AnnData | pd.DataFrame | str | Path | None = None,
    platform_columns: Sequence[str] | None = None,
    mapping: Mapping[str, str] | pd.Series | pd.DataFrame | str | Path | None = None,
    several: str = "each",
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
    platform_columns
        Names of the columns of probes and of symbols in `platform`, where the headings are unusual.
    mapping
        Published identifier -> gene (symbol or id), for identifiers that nothing offline translates: RefSeq and
        transcript ids, probes without an annotation. A mapping, a Series, or a table (or its path) whose first two
        columns say so; versions may be left out. Identifiers that it lacks are looked up as usual. For transcripts on
        a linear scale use ``duplicates="sum"``.
    several
        A row of several genes (``A /// B``) stands for ``"each"`` that has no row of its own (the values are
        repeated, so that no gene on the array is lost; genes that share a row are not independent), for the
        ``"first"``, or for ``"none"`` of them unless only one is a gene today. Genes that only such rows name are
        listed in ``uns["genes_rule"]["only_shared"]``.
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
    if not adata.n_vars:
        evidence = adata.uns.get("source", {}).get("evidence", "")
        raise DataError(f"There is no expression matrix{f' ({evidence})' if evidence else ''}, so no gene to be named.")
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
        table = _through_platform(names, platform, platform_columns, organism, target)
    shared = shared_genes(table, SEVERAL, lambda parts: map_identifiers(parts, organism=organism, target=target))
    owned = set(table.loc[table["hgnc"] != "", "symbol"])
    if several != "none" and shared:
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
        mend = "" if platform is not None else (_other_column(work.var, ids) or advice(table))
        mend = (
            mend
            or other_species(names)
            or f"name the column that holds them with {option('ids')}, or the {option('organism')}"
        )
        raise DataError(
            f"none of the {len(names)} identifiers ({examples(names)}) is known as a {organism} gene; {mend}."
        )
    warn_species(table, organism)
    # Half of Ensembl's genes are no genes of HGNC, or have no orthologue; that is as it should be.
    annotation = table["id"].map(kind_of).isin(["ensembl", "ensembl_mouse"]).mean() > 0.5
    if mapped.mean() < 0.5 and not annotation:
        warn(
            f"only {int(mapped.sum())} of {len(names)} identifiers were mapped to genes (not: "
            f"{examples(table.loc[~mapped, 'id'])}); signatures will have low coverage. {advice(table)}".rstrip(),
            DataWarning,
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
        "only_shared": sorted({g for genes in shared.values() for g in genes["symbol"]} - owned),
        "matches": {str(k): int(v) for k, v in Counter(table["match"]).items()},
        "fates": {str(k): int(v) for k, v in Counter(table["fate"]).items()},
    }
    return work


def _other_column(var: pd.DataFrame, ids: str | None) -> str:
    """Advise a column of `var` that holds genes, where there is one; where the rows only count, say that."""
    for column in [c for c in var.columns if str(c) not in ("id", ids)]:
        if gene_likeness([str(v) for v in var[column] if str(v)])[0] > 0.5 and var[column].nunique() > 0.3 * len(var):
            return f"the column {str(column)!r} looks like genes: say {option('ids', str(column))}"
    if "id" in var and is_running_count([str(v) for v in var["id"]]):
        return (
            f"the rows are only numbered; name the column of genes with {option('ids')}, or give the annotation of the "
            f"array with {option('platform')}"
        )
    return ""


_FURTHER = re.compile(
    r"^(gene_?name|symbol|gene_?symbol|hgnc_?symbol|hugo_symbol|genename|entrez.*|gene_?id|ensgene|ensembl.*)$",
    re.IGNORECASE,
)


def _second_chance(table: pd.DataFrame, var: pd.DataFrame, organism: str, target: str | None) -> None:
    """Map rows whose identifier is not known by the further names that the file gives them, in place."""
    for column in [c for c in var.columns if _FURTHER.match(re.sub(r"[ .]+", "_", str(c))) and c != "id"]:
        lost = np.flatnonzero((table["hgnc"] == "") & ~table["note"].str.startswith(SEVERAL))
        names = [str(v).strip().removesuffix(".0") for v in var[column].to_numpy()[lost]]
        if not len(lost) or not any(names):
            continue
        more = map_identifiers([n or "?" for n in names], organism=organism, target=target)
        found = (more["hgnc"] != "").to_numpy() & np.array([kind_of(n) != "date" for n in names])
        rows = lost[found]
        for name in ("symbol", "match", "hgnc", "entrez", "ensembl"):
            table.loc[rows, name] = more.loc[found, name].to_numpy()
        table.loc[rows, "note"] = [f"by its {column}, {n}" for n, f in zip(names, found, strict=True) if f]
        several = lost[more["note"].str.startswith(SEVERAL).to_numpy()]
        table.loc[several, ["match", "note"]] = more.loc[
            more["note"].str.startswith(SEVERAL), ["match", "note"]
        ].to_numpy()


def _through_platform(
    names: list[str],
    platform: AnnData | pd.DataFrame | str | Path,
    columns: Sequence[str] | None,
    organism: str,
    target: str | None,
) -> pd.DataFrame:
    """Map probes by the symbols of their platform; the published probe stays in ``id``."""
    var = read_platform(platform, columns)
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
        name = split_pair(own)[0] or own
        out.loc[i, ["hgnc", "entrez", "ensembl"]] = ""
        out.loc[i, "symbol"] = name if name not in taken else own
        out.loc[i, "note"] = f"{table.at[i, 'match']} name of {gene}, which has a row of its own"
        out.loc[i, "match"] = "unmapped"
    return out
