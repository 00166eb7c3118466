"""Step 4b: gene set enrichment analysis (GSEA) between groups of samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mtorscore import results
from mtorscore.pipeline.config import DEFAULTS
from mtorscore.pipeline.prepare import load_cohort
from mtorscore.pipeline.relate import TUMOUR, endpoints_of
from mtorscore.pipeline.table_files import write_result
from mtorscore.pp.groups import group_pairs

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection

__all__ = ["enrich"]

LEAST = 3


def enrich(
    folder: str | Path,
    signatures: SignatureCollection,
    *,
    permutations: int = DEFAULTS["gsea_permutations"],
    seed: int = DEFAULTS["seed"],
) -> Path:
    """Test signatures for enrichment between groups of samples and write the result table.

    Parameters
    ----------
    folder
        The cohort's results folder, prepared.
    signatures
        Tested with up and down genes apart.
    permutations
        Of the samples where both groups have seven or more, else of the genes; 0 leaves the step out.
    seed
        Of the permutations.

    Returns
    -------
    pathlib.Path
        The file. Compared are tumours with normals (or each of the user's groups with their reference), and within
        tumours the two groups of every label (such as recurrence within 24 months), where each group has at least
        three samples; a cohort with nothing to compare gives a header and no rows.
    """
    from mtorscore import tl

    folder = Path(folder)
    parts = []
    for name, samples, groups in _comparisons(load_cohort(folder)) if permutations else ():
        counts = samples.obs["group"].value_counts()
        table = tl.prerank(
            samples, signatures, groupby="group", groups=groups, layer="log", permutations=permutations, seed=seed
        )
        first, second = (int(counts[g]) for g in groups)
        parts.append(table.assign(comparison=name, n_first=first, n_second=second))
    return write_result(parts, results.GSEA, folder)


def _comparisons(adata: AnnData) -> Iterator[tuple[str, AnnData, tuple[str, str]]]:
    """Yield name, samples with a column ``group``, and its two values, the positive one first."""
    labels, pairs = group_pairs(adata)
    kinds = adata.obs["sample_type"].astype(str)
    for both in pairs:
        pair = labels[labels.isin(both)]
        if _enough(pair, both):
            samples = adata[pair.index].copy()
            samples.obs["group"] = pair.astype(str)
            yield " against ".join(both), samples, both
    both = adata[kinds.isin(["tumour", "normal"]).to_numpy()].copy()
    both.obs["group"] = both.obs["sample_type"].astype(str)
    if not len(labels) and _enough(both.obs["group"], ("tumour", "normal")):
        yield TUMOUR, both, ("tumour", "normal")
    in_outcome = adata.obs["in_outcome"].to_numpy(dtype=bool) if "in_outcome" in adata.obs else True
    tumours = adata[(kinds == "tumour").to_numpy() & in_outcome]
    for label in endpoints_of(tumours)[1]:
        known = tumours[tumours.obs[label].notna().to_numpy()].copy()
        known.obs["group"] = [_value(label, v) for v in known.obs[label]]
        low, high = sorted(known.obs["group"].unique())
        if _enough(known.obs["group"], (high, low)):
            yield label, known, (high, low)


def _value(label: str, value: object) -> str:
    """Return a group's name: ``recurrence_24m=1``, also where the column holds 1.0 or True."""
    number = float(value) if isinstance(value, bool | int | float) else None
    return f"{label}={number:g}" if number is not None else f"{label}={value}"


def _enough(groups: pd.Series, names: tuple[str, str]) -> bool:
    return bool(groups.value_counts().reindex(list(names), fill_value=0).min() >= LEAST)
