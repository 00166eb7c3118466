"""Step 5: the cohort and the signatures in GSEA's file formats."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mtorscore._atomic import write_whole
from mtorscore.errors import DataError
from mtorscore.pipeline.prepare import load_cohort
from mtorscore.pipeline.single_cells import are_cells, pseudobulk_of
from mtorscore.pp.groups import named_groups

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection

__all__ = ["export", "group_ranking"]


def export(folder: str | Path, signatures: SignatureCollection) -> list[Path]:
    """Write ``export/signatures.gmt``, ``expression.gct``, ``phenotype.cls`` and ``tumour_vs_normal.rnk``.

    ``cbioportal/`` holds scores (singscore) and p values as cBioPortal imports gene-set scores.

    Of cells the matrix is one column per sample and cell type, counts added up (``pseudobulk.gct``).
    ``expression.txt`` holds the same matrix in GSEA's TXT format, for gseapy, which cannot read any GCT file.

    Parameters
    ----------
    folder
        The cohort's results folder, prepared.
    signatures
        Written as GMT, up and down parts apart.

    Returns
    -------
    list of pathlib.Path
        The files written. CLS and RNK need tumours and normals, or groups of the user's own with a reference (two of
        each at least); where a cohort has none,
        a ``README.txt`` in their place says so.
    """
    from mtorscore.io import gsea

    out = Path(folder) / "export"
    out.mkdir(parents=True, exist_ok=True)
    adata = load_cohort(folder)
    if are_cells(adata):
        return _export_cells(adata, signatures, out)
    labels, names = named_groups(adata)
    names = names or ["tumour", "normal"]
    kinds = (labels if len(labels) else adata.obs["sample_type"]).astype(str).reindex(adata.obs_names)
    # Tumours first: a CLS file names classes in the order of the samples, and GSEA compares the first with the second.
    samples = adata[[i for name in names for i in np.flatnonzero(kinds == name)]].copy()
    paths = [
        gsea.write_gmt(signatures, out / "signatures.gmt"),
        gsea.write_gct(samples, out / "expression.gct", layer="log"),
        gsea.write_txt(samples, out / "expression.txt", layer="log"),
    ]
    paths += _portal_files(samples, signatures, out / "cbioportal", Path(folder).name)
    samples.X = samples.layers["log"]
    groups = kinds.loc[samples.obs_names]
    if len(names) < 2 or groups.value_counts().reindex(names, fill_value=0).min() < 2:
        needed = "two tumours and two normals" if names == ["tumour", "normal"] else "two samples of each group"
        return [*paths, write_whole(out / "README.txt", f"No CLS and RNK: they need at least {needed}.\n")]
    paths.append(gsea.write_cls(_without_blanks(groups), out / "phenotype.cls"))
    for name in names[:-1]:
        pair = groups.isin([name, names[-1]]).to_numpy()
        ranking = group_ranking(samples[pair], (groups[pair] == name).to_numpy())
        file = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{name}_vs_{names[-1]}")
        paths.append(gsea.write_rnk(ranking, out / f"{file}.rnk"))
    return paths


def _without_blanks(groups: pd.Series) -> pd.Series:
    """Return groups as a CLS file can name them, which separates by blanks: Stage_II."""
    words = {g: re.sub(r"\s+", "_", g) for g in dict.fromkeys(groups)}
    # Names that differ in their blanks alone stay apart.
    twice = {w for w in words.values() if list(words.values()).count(w) > 1}
    named = {g: f"{w}_{i}" if w in twice else w for i, (g, w) in enumerate(words.items(), start=1)}
    return groups.map(named)


def _portal_files(samples: AnnData, signatures: SignatureCollection, out: Path, study: str) -> list[Path]:
    """Write scores and p values as cBioPortal imports them, by a method whose scores lie between -1 and 1."""
    from mtorscore.collection import SignatureCollection
    from mtorscore.io.gene_set_scores import write_gene_set_scores
    from mtorscore.tl.scoring import score

    method = "singscore"
    if not samples.n_obs:
        return []
    plain = SignatureCollection(list(signatures.signatures))
    scored = score(samples, plain, method=method, layer="log", pvalues=True, copy=True)
    try:
        return write_gene_set_scores(
            scored.obsm[f"score_{method}"], scored.obsm[f"pval_{method}"], out, study=study, method=method
        )
    except DataError as error:
        return [write_whole(out / "README.txt", f"No files for cBioPortal: {error}\n")]


def _export_cells(adata: AnnData, signatures: SignatureCollection, out: Path) -> list[Path]:
    from mtorscore.io import gsea

    paths = [gsea.write_gmt(signatures, out / "signatures.gmt")]
    bulk = pseudobulk_of(adata)
    if bulk is not None:
        paths.append(gsea.write_gct(bulk, out / "pseudobulk.gct", layer="log"))
    text = (
        "Single cells: pseudobulk.gct has a column per sample and cell type of ten cells or more, counts added up, "
        "log2(CPM + 1). There is no CLS and no RNK, since cells of one sample are not independent.\n"
    )
    return [*paths, write_whole(out / "README.txt", text)]


def group_ranking(adata: AnnData, first: npt.NDArray[np.bool_]) -> pd.Series:
    """Rank genes by the signal-to-noise ratio of one group, such as tumours, against the others, as GSEA does.

    Parameters
    ----------
    adata
        Observations x genes on log scale.
    first
        ``(n_obs,)``: whether an observation is of the group.

    Returns
    -------
    pandas.Series
        Gene -> (mean of the group - mean of the others) / (sum of both SD), highest first, ties by gene name. As in
        GSEA an SD is at least 0.2 times the absolute mean, and 0.2 where the mean is 0 (Subramanian et al., PNAS 2005;
        the floor is documented in the GSEA user guide).
    """
    import pandas as pd

    values = adata.X.toarray() if hasattr(adata.X, "toarray") else np.asarray(adata.X)
    means, spreads = [], []
    for rows in (first, ~first):
        mean = values[rows].mean(axis=0, dtype=np.float64)
        spread = values[rows].std(axis=0, ddof=1, dtype=np.float64)
        floor = np.where(mean == 0, 0.2, 0.2 * np.abs(mean))
        means.append(mean)
        spreads.append(np.maximum(spread, floor))
    ranking = pd.Series((means[0] - means[1]) / (spreads[0] + spreads[1]), index=adata.var_names, name="score")
    ranking = ranking[np.isfinite(ranking)]
    return ranking.iloc[np.lexsort((ranking.index.to_numpy(dtype=str), -ranking.to_numpy()))]
