"""Regions compared over sections: one mean per section and region, since spots of one section are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.errors import DataError, DataWarning, StatisticsWarning, examples, warn
from mtorscore.pp.cell_aggregation import without_blanks
from mtorscore.tl.analysis.contrasts import contrast as contrast_samples
from mtorscore.tl.spatial.lobules import without_zonation
from mtorscore.tl.spatial.sections import scores_of, sections

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["contrast"]


def contrast(
    adata: AnnData,
    regions: str,
    *,
    treated: Any,
    control: Any,
    section_key: str,
    replicate_key: str | None = None,
    method: str | None = None,
    signatures: str | Sequence[str] | None = None,
    zonation: str | None = None,
    min_observations: int = 10,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare regions within sections, or groups of sections, with sections (or patients) as replicates.

    Scores are averaged by section and region; the means are compared by `mtorscore.tl.contrast`, paired by section
    where a section holds both regions. Autocorrelation within a section therefore costs no validity.

    Parameters
    ----------
    adata
        Scored observations.
    regions
        Column of ``.obs``: the region of a spot, or the group of its section.
    treated, control
        The two to compare.
    section_key
        Column of ``.obs`` that names the section.
    replicate_key
        Column of ``.obs``, one value per section: what is independent, such as the patient where there are several
        sections of one. Sections of a replicate are averaged.
    method, signatures
        Which scores.
    zonation
        Key of `zonation`: what follows the portal-to-central axis within the regions of a section is taken out, so that
        regions are compared at the same place on it.
    min_observations
        Means of fewer are left out.
    n_permutations, seed
        See `mtorscore.tl.contrast`.

    Returns
    -------
    pandas.DataFrame
        The table of `mtorscore.tl.contrast`, with ``n_observations`` (spots or cells behind the means), ``sections``,
        ``zonation`` and ``left_out`` (observations without a region, section or replicate) behind.

    Warns
    -----
    DataWarning
        Once, if means are left out.

    Raises
    ------
    DataError
        If a column or group is absent, or too few means are left.
    """
    import pandas as pd

    about = _about(adata, regions, section_key, replicate_key)
    # What lacks a section was said there.
    where = sections(adata, section_key, say=False)
    table = scores_of(adata, method, signatures)
    values, lost = without_zonation(adata, table.to_numpy(dtype=np.float64), where, zonation, regions)
    if lost:
        warn(f"Of the comparison of {regions}: {lost}.", StatisticsWarning)
    used = about[about["region"].isin([treated, control])]
    frame = pd.DataFrame(values, index=table.index, columns=table.columns).loc[used.index]
    means, keys = _means(frame, used, min_observations)
    paired = keys.groupby("replicate")["region"].nunique().max() == 2
    found = contrast_samples(
        means,
        pd.Series(keys["region"].to_numpy(dtype=object), index=means.index),
        treated=treated,
        control=control,
        block=pd.Series(keys["replicate"].to_numpy(dtype=object), index=means.index) if paired else None,
        n_permutations=n_permutations,
        seed=seed,
    )
    counted = {str(c): int(frame[c].notna().sum()) for c in frame}
    held = {str(c): int(used.loc[frame[c].notna(), "section"].nunique()) for c in frame}
    found["n_observations"] = [counted[str(s)] for s in found["signature"]]
    found["sections"] = [held[str(s)] for s in found["signature"]]
    found["zonation"] = zonation or ""
    found["left_out"] = adata.n_obs - len(about)
    return found


def _about(adata: AnnData, regions: str, section_key: str, replicate_key: str | None) -> pd.DataFrame:
    """Return region, section and replicate of each observation that has all three."""
    import pandas as pd

    names = {"region": regions, "section": section_key, "replicate": replicate_key or section_key}
    absent = [n for n in names.values() if n not in adata.obs]
    if absent:
        raise DataError(f"obs has no column {examples(map(repr, absent))}; it has {examples(adata.obs.columns)}.")
    held = without_blanks(adata.obs[list(dict.fromkeys(names.values()))])
    about = pd.DataFrame({k: held[v] for k, v in names.items()}, index=adata.obs_names)
    several = about.groupby("section")["replicate"].nunique()
    if (several > 1).any():
        raise DataError(
            f"{replicate_key} has more than one value in {int((several > 1).sum())} section(s) "
            f"({examples(several.index[several > 1])}); a section belongs to one replicate."
        )
    whole = about.notna().all(axis=1)
    if not whole.all():
        warn(
            f"{int((~whole).sum())} of {len(about)} observations lack {' or '.join(dict.fromkeys(names.values()))} "
            f"({examples(about.index[~whole])}) and are left out.",
            DataWarning,
        )
    return about[whole]


def _means(frame: pd.DataFrame, about: pd.DataFrame, least: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return means per replicate and region, sections of a replicate counting alike, and what they are of."""
    keys = ["replicate", "section", "region"]
    grouped = frame.groupby([about[k] for k in keys], observed=True, sort=True)
    means, counts = grouped.mean(), grouped.count()
    few = counts < least
    if few.to_numpy().any():
        where = [" in ".join(map(str, (k[2], k[1]))) for k in counts.index[few.any(axis=1)]]
        warn(f"{len(where)} mean(s) of fewer than {least} scores are left out ({examples(where)}).", DataWarning)
    joined = means.mask(few).groupby(level=["replicate", "region"], observed=True, sort=True).mean()
    joined = joined[joined.notna().any(axis=1)]
    if joined.empty:
        raise DataError(f"No region of a section has {least} scores.")
    described = joined.index.to_frame(index=False)
    joined.index = [f"{r}|{g}" for r, g in zip(described["replicate"], described["region"], strict=True)]
    return joined, described
