"""Score a table of differential expression: which branches moved, from fold changes and statistics alone."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._multiple_testing import adjust_p
from mtorscore.collection import Signature, SignatureCollection, SignaturesLike, as_collection
from mtorscore.errors import DataError, MethodError, MtorscoreWarning, StatisticsWarning, examples, warn
from mtorscore.io.gene_statistics import GeneStatistics, gene_statistics
from mtorscore.pp.identifiers import harmonise_genes
from mtorscore.tl.analysis.linear.set_statistics import camera_preranked
from mtorscore.tl.scoring import score

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["score_contrast"]

_METHODS = ("ulm", "mlm", "wmean")
_COLUMNS = (
    "comparison", "signature", "part", "n_genes", "n_total", "coverage", "missing", "n_agree", *_METHODS, "t", "p", "q",
    "direction", "correlation", "universe", "statistic", "tool", "reason",
)  # fmt: skip
_FEWEST = 3


def score_contrast(
    table: pd.DataFrame | AnnData | str | Path,
    signatures: SignaturesLike = None,
    *,
    statistic: str | None = None,
    genes: str | None = None,
    organism: str = "human",
    harmonise: bool = True,
    correlation: float = 0.01,
) -> pd.DataFrame:
    """Score a table of differential expression, as DESeq2, edgeR, limma, GEO2R, Seurat, scanpy, sleuth, Cuffdiff write.

    Each signature is scored on the statistic of all genes of the table: as one signed list, and its up and down genes
    apart, since a change of one direction alone says something else. `ulm`, `mlm` and `wmean` are those of
    `mtorscore.tl.score`, with the table as one observation. `t` and `p` are CAMERA's for ranked genes with a preset
    correlation (Wu and Smyth, Nucleic Acids Res 2012;40:e133): do these genes move more than the table's other genes?
    Without the samples the correlation of genes cannot be estimated, so p is a guide, not a proof.

    Parameters
    ----------
    table
        A DataFrame with the tool's own column names, its path, or what `mtorscore.read` makes of it.
    signatures
        As in `score`.
    statistic
        Column to rank genes by; by default the t (or z), else -log10 p with the sign of the fold change, else the fold
        change.
    genes
        Column of genes, where it is not found.
    organism
        ``"human"`` or ``"mouse"``.
    harmonise
        Whether identifiers are brought to current human symbols first; wanted with the shipped library. Genes that
        stand several times are averaged.
    correlation
        Between genes of a signature.

    Returns
    -------
    pandas.DataFrame
        One row per comparison, signature and part: ``comparison`` ("" where there is one), ``signature, part``
        (``whole``, ``up``, ``down``), ``n_genes`` in the table of ``n_total``, ``coverage, missing, n_agree`` (genes
        that move as the signature says), ``ulm, mlm`` (whole signatures only), ``wmean, t, p, q`` (Benjamini-Hochberg
        over all rows), ``direction`` (``up``: the genes of the part move as a rising signature moves them),
        ``correlation, universe`` (genes of the table), ``statistic`` (what genes were ranked by, and from which
        columns), ``tool`` and ``reason``. `table.attrs["notes"]` says what else was done.

    Raises
    ------
    DataError
        If nothing ranks the genes, or none of the signatures' genes is in the table.

    Warns
    -----
    StatisticsWarning
        If the table holds chosen genes only (significant ones): nothing can be compared with genes that are not there,
        so `ulm`, `mlm`, `t` and `p` are NaN with the reason.
    """
    found = gene_statistics(_frame(table, statistic), statistic=statistic, genes=genes)
    if not 0 <= correlation < 1:
        raise DataError(f"correlation={correlation!r} is outside [0, 1).")
    collection = as_collection(signatures)
    if found.filtered:
        warn(
            f"The table holds chosen genes only: {found.filtered}. How many genes of a signature moved as it says is "
            "counted; comparing them with genes that did not change takes the whole table.",
            StatisticsWarning,
        )
    parts, dates = [], ""
    for name, values in found.values.items():
        adata = _observation(values, harmonise, organism)
        dates = dates or _dates(adata)
        parts.append(_scored(adata, collection, found, correlation).assign(comparison=name))
    out = pd.concat(parts, ignore_index=True)
    if (out["n_genes"] == 0).all():
        first = next(iter(found.values.values()))
        raise DataError(
            f"None of the genes of {len(collection.signatures)} signature(s) is among the {len(first)} of the table "
            f"({examples(first.index)}); say organism='mouse', or name their column with genes=."
        )
    out["q"] = adjust_p(out["p"].to_numpy(dtype=np.float64))
    out["tool"], out["statistic"] = found.tool, f"{found.statistic} ({', '.join(found.columns)})"
    out = out[list(_COLUMNS)]
    out.attrs["notes"] = [*found.notes, *([dates] if dates else [])]
    return out


def _frame(table: pd.DataFrame | AnnData | str | Path, statistic: str | None) -> pd.DataFrame:
    if isinstance(table, (str, Path)):
        from mtorscore.io import read

        table = read(table)
    if isinstance(table, pd.DataFrame):
        return table
    if statistic is not None and statistic in table.obs_names:
        # One column of numbers under a name of its own is read as a sample; the user says that it ranks genes.
        dense = table.X.toarray() if hasattr(table.X, "toarray") else np.asarray(table.X)
        names = table.var.get("id", table.var_names)
        return pd.DataFrame(dense.T, pd.Index(names.astype(str)), list(table.obs_names))
    if table.uns.get("source", {}).get("table", "contrast") != "contrast" or table.n_obs:
        raise DataError(
            f"This is no table of differential expression but {table.n_obs} observations x {table.n_vars} genes; score "
            "it with tl.score, then compare groups with tl.contrast."
        )
    # The reader numbers names that stand twice; `id` holds them as they were.
    frame = table.var
    return frame.drop(columns="id").set_axis(pd.Index(frame["id"].astype(str)), axis=0) if "id" in frame else frame


def _observation(values: pd.Series, harmonise: bool, organism: str) -> AnnData:
    """Return one comparison as one observation, each gene once."""
    from anndata import AnnData

    averaged = values.groupby(level=0, sort=False).mean()
    var = pd.DataFrame(index=averaged.index.astype(str))
    adata = AnnData(averaged.to_numpy(dtype=np.float64)[None, :], obs=pd.DataFrame(index=["contrast"]), var=var)
    if harmonise:
        adata = harmonise_genes(adata, organism=organism, duplicates="mean")
    return adata


def _dates(adata: AnnData) -> str:
    """Say which names a spreadsheet made dates of, and which of them are genes again; "" where there is none."""
    table = adata.uns.get("genes")
    if table is None:
        return ""
    again = table[table["match"] == "excel"]
    lost = table[table["note"].astype(str).str.contains("spreadsheet date")]
    if not len(again) + len(lost):
        return ""
    shown = examples(f"{r.id} is {r.symbol}" for r in again.itertuples())
    said = f"{len(again) + len(lost)} gene names are dates that a spreadsheet made of them: "
    parts = [f"{len(again)} are genes again ({shown})"] if len(again) else []
    parts += [f"{len(lost)} may be several genes and are not used ({examples(lost['id'])})"] if len(lost) else []
    return said + ", ".join(parts)


def _scored(adata: AnnData, collection: SignatureCollection, found: GeneStatistics, correlation: float) -> pd.DataFrame:
    whole = list(collection.signatures)
    members = [(s, "whole", s) for s in whole]
    for s in whole:
        if s.up and s.down:
            members += [(s, part, _part(s, part)) for part in ("up", "down")]
    names = [f"{i}" for i in range(len(members))]
    renamed = SignatureCollection([_named(m[2], n) for m, n in zip(members, names, strict=True)])
    resolved = renamed.resolve(list(adata.var_names))
    sets = np.zeros((adata.n_vars, len(names)))
    owner = np.repeat(np.arange(len(names)), np.diff(resolved.indptr))
    sets[resolved.indices, owner] = resolved.weights
    values = np.asarray(adata.X, dtype=np.float64)[0]
    n_total = (resolved.n_up + resolved.n_down).astype(int)
    table = pd.DataFrame(
        {
            "signature": [s.id for s, _, _ in members],
            "part": [p for _, p, _ in members],
            "n_genes": (sets != 0).sum(axis=0),
            "n_total": n_total,
            "missing": [",".join(m) for m in resolved.missing],
            "n_agree": ((sets * values[:, None]) > 0).sum(axis=0),
            "universe": adata.n_vars,
            "correlation": correlation,
        }
    )
    table["coverage"] = table["n_genes"] / np.maximum(n_total, 1)
    _add_scores(table, adata, renamed, names, members)
    tested = camera_preranked(values, sets, correlation)
    table["t"], table["p"] = tested.statistic, tested.p
    _say_what_cannot_be_said(table, found)
    lead = table["t"].where(table["t"].notna(), table["wmean"])
    table["direction"] = np.select([lead > 0, lead < 0], ["up", "down"], "")
    return table


def _part(signature: Signature, part: str) -> Signature:
    genes = signature.up if part == "up" else signature.down
    weights = {g: w for g, w in signature.weights.items() if g in set(genes)}
    # The down genes as their own rising list: `direction` then says where they went.
    return Signature(id=f"{signature.id}::{part}", up=genes, weights=weights)


def _named(signature: Signature, name: str) -> Signature:
    return Signature(id=name, up=signature.up, down=signature.down, weights=dict(signature.weights))


def _add_scores(
    table: pd.DataFrame, adata: AnnData, renamed: SignatureCollection, names: list[str], members: list[Any]
) -> None:
    bare = adata.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MtorscoreWarning)  # coverage stands in the table
        score(bare, renamed, method=["ulm", "wmean"])
        # Parts repeat the genes of their whole: a model of all lists at once takes the whole ones alone.
        only = SignatureCollection([_named(s, n) for (s, p, _), n in zip(members, names, strict=True) if p == "whole"])
        try:
            score(bare, only, method="mlm")
            mlm = bare.obsm["score_mlm"].iloc[0].to_dict()
        except (DataError, MethodError):
            mlm = {}
    for method in ("ulm", "wmean"):
        found = bare.obsm[f"score_{method}"].iloc[0]
        table[method] = [float(found.get(n, np.nan)) for n in names]
    table["mlm"] = [float(mlm.get(n, np.nan)) for n in names]


def _say_what_cannot_be_said(table: pd.DataFrame, found: GeneStatistics) -> None:
    reason: npt.NDArray[Any] = np.full(len(table), "", dtype=object)
    few = table["n_genes"].to_numpy() < _FEWEST
    reason[few] = [f"{n} of {k} genes are in the table; {_FEWEST} are needed" for n, k in
                   zip(table["n_genes"][few], table["n_total"][few], strict=True)]  # fmt: skip
    numbers = ["ulm", "mlm", "t", "p"]
    table.loc[few, [*numbers, "wmean"]] = np.nan
    if found.filtered:
        said = f"chosen genes only ({found.filtered}): there is nothing to compare these genes with"
        reason = np.array([f"{r}; {said}" if r else said for r in reason], dtype=object)
        table[numbers] = np.nan
    table["reason"] = reason
