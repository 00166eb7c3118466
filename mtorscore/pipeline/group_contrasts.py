"""Step 4c: scores compared between the groups of a cohort, as its design says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore import results
from mtorscore.errors import DataError
from mtorscore.pipeline.config import DEFAULTS
from mtorscore.pipeline.prepare import load_cohort
from mtorscore.pipeline.table_files import read_table, write_result

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["compare_groups"]

LEAST = 2
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
        with normal tissue, by `mtorscore.tl.contrast`; the family of q is all signatures and groups of one method and
        one comparison. A cohort of one group gives a header and no rows.

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
        parts += [part.assign(method=method) for part in _contrasts(adata, scores, seed)]
    return write_result(parts, results.CONTRASTS, folder)


def _contrasts(adata: AnnData, scores: pd.DataFrame, seed: int) -> Iterator[pd.DataFrame]:
    from mtorscore import tl

    design = _plain(adata.uns.get("design", {}))
    for labels, names, keywords in _comparisons(adata, design):
        obs = adata.obs.loc[labels.index]
        values = scores.loc[labels.index]
        blocks = {key: obs[design[key]].to_numpy(dtype=object) for key in ("pair", "block") if key in design}
        if "pair" in blocks and labels.nunique() > 2:
            blocks = {"block": blocks["pair"]}
        covariates = obs[design["covariates"]] if "covariates" in design else None
        try:
            table = tl.contrast(
                values, labels, covariates=covariates, n_permutations=_PERMUTATIONS, seed=seed, **keywords, **blocks
            )
        except DataError:
            if design:
                raise
            # Nobody asked for this comparison.
            continue
        kind = "trend" if "order" in keywords else "pairs" if "pair" in design else "groups"
        yield _named(table, names, kind, design, keywords.get("control"))


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


def _title(kind: str, values: Sequence[str]) -> str:
    """Return a group under the user's own name: HCC, or tumour (T1, T2) where several values mean it."""
    return kind if not len(values) else values[0] if len(values) == 1 else f"{kind} ({', '.join(values)})"


def _named(
    table: pd.DataFrame, names: Mapping[str, str], kind: str, design: Mapping[str, Any], control: str | None
) -> pd.DataFrame:
    """Return the declared columns, the groups under the user's names."""
    if names:
        said = [f"{names['tumour']} against {names['normal']}"] * len(table)
    else:
        said = [str(c).replace(f" - {control}", f" against {control}") for c in table["contrast"]]
    adjusted = [design[k] for k in ("pair", "block") if k in design] + list(design.get("covariates", ()))
    out = table.assign(contrast=said, design=kind, adjusted_for=", ".join(adjusted))
    return out[[c for c in results.CONTRASTS.names if c in out]]


def _plain(design: Mapping[str, Any]) -> dict[str, Any]:
    """Return a design as it was before it was written: lists for arrays, text for text."""
    return {k: str(v) if isinstance(v, str) else [str(x) for x in v] for k, v in design.items()}
