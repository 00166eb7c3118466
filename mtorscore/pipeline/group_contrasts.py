"""Step 4c: scores compared between the groups of a cohort, as its design says; tumours against normal tissue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mtorscore import prognosis, results
from mtorscore.collection import CONFOUNDER
from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.pipeline.config import DEFAULTS
from mtorscore.pipeline.prepare import load_cohort
from mtorscore.pipeline.score import technical_of
from mtorscore.pipeline.table_files import read_table, write_result
from mtorscore.pp.groups import as_published, values_of
from mtorscore.tl.analysis.method_agreement import with_agreement

if TYPE_CHECKING:
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection

__all__ = ["activation_rows", "compare_groups"]

LEAST = 2
LEAST_OF_A_KIND = 3
"""Normal samples and tumours that a shift is computed from."""
_PERMUTATIONS = 2000
_GROUP = "comparison_group"


def compare_groups(folder: str | Path, methods: Sequence[str], *, seed: int = DEFAULTS["seed"]) -> Path:
    """Compare the scores of a cohort between its groups and write ``contrast/contrasts.tsv``.

    Parameters
    ----------
    folder
        The cohort's results folder, scored.
    methods
        Methods whose scores are compared.
    seed
        Of the permutations.

    Returns
    -------
    pathlib.Path
        The file. Compared are the groups of the design (each with the reference, or along the order), else tumours
        with normal tissue, by `mtorscore.tl.contrast`; where the design has an interaction, in each value of its column
        and between them. The family of q is all signatures, groups and values of one method and one comparison. A
        cohort of one group gives a header and no rows.

    Raises
    ------
    DataError
        If the design that the user asked for cannot be fitted.
    """
    folder = Path(folder)
    adata = load_cohort(folder)
    parts = []
    for method in methods:
        scores = read_table(folder / "scores" / f"{method}.tsv", index="observation").dropna(axis=1, how="all")
        noise = technical_of(folder, method)
        parts += [part.assign(method=method) for part in _contrasts(adata, scores, noise, seed)]
    if parts:
        parts = [with_agreement(pd.concat(parts, ignore_index=True), by=("design", "contrast", "signature"))]
    return write_result(parts, results.CONTRASTS, folder)


def _contrasts(adata: AnnData, scores: pd.DataFrame, noise: pd.Series, seed: int) -> Iterator[pd.DataFrame]:
    from mtorscore import tl

    design = _plain(adata.uns.get("design", {}))
    for labels, names, keywords in _with_interaction(adata, design, _comparisons(adata, design)):
        obs = adata.obs.loc[labels.index]
        values = scores.loc[labels.index]
        blocks = {key: _names(as_published(obs, design[key])) for key in ("pair", "block") if key in design}
        if "pair" in blocks and labels.nunique() > 2:
            blocks = {"block": blocks["pair"]}
        covariates = None
        if "covariates" in design:
            covariates = pd.DataFrame({c: as_published(obs, c) for c in design["covariates"]})
        try:
            table = tl.contrast(
                values, labels, covariates=covariates, technical=noise, n_permutations=_PERMUTATIONS, seed=seed,
                **keywords, **blocks,
            )  # fmt: skip
        except DataError:
            if design:
                raise
            # Nobody asked for this comparison.
            continue
        kind = "trend" if "order" in keywords else "pairs" if "pair" in design else "groups"
        kind = next((k for k in ("within", "interaction") if k in keywords), kind)
        yield _named(table, names, kind, design, keywords)


def _comparisons(
    adata: AnnData, design: Mapping[str, Any]
) -> Iterator[tuple[pd.Series, Mapping[str, str], dict[str, Any]]]:
    """Yield the group of each sample, what a group is called in sentences, and the keywords of `tl.contrast`."""
    if design.get("reference") or design.get("order"):
        labels = adata.obs[_GROUP].astype(object).dropna()
        if len(design.get("order", ())) > 1:
            labels = labels[labels.isin(design["order"])]
            yield labels, {}, {"order": design["order"]}
        control = design.get("reference") or design["order"][0]
        if labels.nunique() > 1:
            yield labels, {}, {"control": control}
        return
    kinds = adata.obs["sample_type"].astype(object)
    labels = kinds[kinds.isin(["tumour", "normal"])]
    counts = labels.value_counts()
    if len(counts) == 2 and (design or counts.min() >= LEAST):
        names = {kind: _title(kind, design.get(kind, ())) for kind in ("tumour", "normal")}
        yield labels, names, {"treated": "tumour", "control": "normal"}


def _with_interaction(
    adata: AnnData,
    design: Mapping[str, Any],
    comparisons: Iterator[tuple[pd.Series, Mapping[str, str], dict[str, Any]]],
) -> Iterator[tuple[pd.Series, Mapping[str, str], dict[str, Any]]]:
    """Ask each comparison in every value of the interaction's column, and whether the answers differ."""
    if "interaction" not in design:
        yield from comparisons
        return
    levels = pd.Series(values_of(as_published(adata.obs, design["interaction"])), adata.obs_names, dtype=object)
    first = design["interaction_reference"]
    known = [first, *sorted({v for v in levels if v} - {first})]
    lacking = list(levels.index[levels == ""])
    if lacking:
        said = f"{len(lacking)} sample(s) have no {design['interaction']} ({examples(lacking)}) and are not compared."
        warn(said, DataWarning)
    for labels, names, keywords in comparisons:
        both = labels[levels.loc[labels.index] != ""]
        factor = levels.loc[both.index]
        ordered = pd.Categorical(factor, [v for v in known if v in set(factor)])
        yield both, names, keywords | {"within": pd.Series(ordered, both.index)}
        yield both, names, keywords | {"interaction": factor, "interaction_control": first}


def _names(column: pd.Series) -> pd.Series:
    """Return what samples share as it was written: passage 6, which was read as 6.0."""
    if not pd.api.types.is_float_dtype(column):
        return column.astype(object)
    return pd.Series([f"{v:g}" if pd.notna(v) else None for v in column], column.index, dtype=object)


def _title(kind: str, values: Sequence[str]) -> str:
    """Return a group under the user's own name: HCC, or tumour (T1, T2) where several values mean it."""
    return kind if not len(values) else values[0] if len(values) == 1 else f"{kind} ({', '.join(values)})"


def _named(
    table: pd.DataFrame, names: Mapping[str, str], kind: str, design: Mapping[str, Any], keywords: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the declared columns, the groups under the user's names."""
    said = [_words(str(c), names, keywords) for c in table["contrast"]]
    adjusted = [design[k] for k in ("pair", "block") if k in design] + list(design.get("covariates", ()))
    out = table.assign(contrast=said, design=kind, adjusted_for=", ".join(adjusted))
    return out[[c for c in results.CONTRASTS.names if c in out]]


def _words(contrast: str, names: Mapping[str, str], keywords: Mapping[str, Any]) -> str:
    """Return a contrast as sentences call it: HCC against normal, drug against vehicle in ko, and so on."""
    control, first = keywords.get("control"), keywords.get("interaction_control")
    if first is not None:
        head, _, tail = contrast.removeprefix("(").rpartition("): ")
        return f"{_words(head, names, {'control': control})}: {tail.removesuffix(f' - {first}')} against {first}"
    if names:
        return contrast.replace("tumour - normal", f"{names['tumour']} against {names['normal']}", 1)
    return contrast.replace(f" - {control}", f" against {control}", 1)


def _plain(design: Mapping[str, Any]) -> dict[str, Any]:
    """Return a design as it was before it was written: lists for arrays, text for text."""
    return {k: str(v) if isinstance(v, str) else [str(x) for x in v] for k, v in design.items()}


def activation_rows(
    adata: AnnData, scores: pd.DataFrame, signatures: SignatureCollection, shown: Sequence[str], seed: int, method: str
) -> pd.DataFrame:
    """Compare tumours with normal samples, per signature.

    Parameters
    ----------
    adata
        The prepared cohort, with ``sample_type`` and, where it is known, ``uns["context"]``.
    scores
        ``(n_obs, n_signatures)`` of one method, in score units.
    signatures
        What was scored.
    shown
        The signatures to compare.
    seed
        Of the bootstrap.
    method
        By which the scores were made.

    Returns
    -------
    pandas.DataFrame
        As `mtorscore.prognosis.activation`, the score as it is (a signature that falls with activity has a negative
        difference where mTOR is active), with `sign`, the direction in which it rises with activity. Empty without
        three samples of each kind.
    """
    kind = adata.obs["sample_type"].astype(str)
    known = scores.reindex(adata.obs_names)
    tumour, normal = (kind == "tumour").to_numpy(), (kind == "normal").to_numpy()
    if tumour.sum() < LEAST_OF_A_KIND or normal.sum() < LEAST_OF_A_KIND or not shown:
        return pd.DataFrame()
    context = str(adata.uns.get("context", "")).lower()
    signs = {n: signatures[n].sign or 1 for n in shown if n in signatures}
    table = prognosis.activation(
        known[list(shown)],
        tumour,
        normal,
        disease=context if context in ("hcc", "cca", "hb") else None,
        signs=signs,
        patients=adata.obs["patient"].astype(str) if "patient" in adata.obs else None,
        signatures=signatures,
        seed=seed,
    )
    sign = table["signature"].map(signs).fillna(1).astype(int)
    # The share is of activity, so it keeps the sign; the shift is of the score itself.
    low, high = table["difference_low"] * sign, table["difference_high"] * sign
    table["difference"] *= sign
    table["difference_low"] = low.where(sign > 0, high)
    table["difference_high"] = high.where(sign > 0, low)
    confounders = {e.id for e in signatures if e.branch == CONFOUNDER}
    table.loc[table["signature"].isin(confounders), "called"] = False
    return table.assign(sign=sign, method=method)
