"""The genes on which the arms of mTORC1 disagree, contrast by contrast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.readout.data import arms
from benchmarks.readout.rotation import gene_effects
from mtorscore.tl.analysis.linear.moderation import variance_prior

__all__ = ["SHOWN_GENES", "gene_changes", "section"]

# Arm -> genes that the descriptions of the data name, and a few that every reader looks for.
SHOWN_GENES: dict[str, tuple[str, ...]] = {
    "SREBP": ("SREBF1", "FASN", "SCD", "LDLR", "HMGCS1", "SQLE"),
    "ATF4, one-carbon": ("ASNS", "PSAT1", "MTHFD2", "TRIB3", "SESN2"),
    "FOXO, AKT off": ("IRS2", "TXNIP"),
}


def gene_changes(shared: Path) -> pd.DataFrame:
    """Return log2 changes within blocks of the shown genes, with moderated p.

    Parameters
    ----------
    shared
        Folder that holds ``data/perturb-*``.

    Returns
    -------
    pandas.DataFrame
        One row per contrast and gene: ``study, contrast, arm, gene, log2fc, p``.
    """
    rows = []
    for arm in arms(shared):
        x = np.asarray(arm.data.X, dtype=np.float64)
        effects = gene_effects(x, arm.treated, arm.block)
        degrees = effects.shape[0] - 1
        variance = (effects[1:] ** 2).sum(axis=0) / degrees
        prior, prior_degrees = variance_prior(variance, degrees)
        prior_degrees = min(prior_degrees, 1e6)
        posterior = (prior_degrees * prior + degrees * variance) / (prior_degrees + degrees)
        p = 2 * stats.t.sf(np.abs(effects[0]) / np.sqrt(posterior), prior_degrees + degrees)
        # The first effect is the contrast over its standard error's design factor.
        codes = np.unique(arm.block, return_inverse=True)[1]
        within = arm.treated - np.array([arm.treated[codes == c].mean() for c in range(codes.max() + 1)])[codes]
        change = effects[0] / np.sqrt((within**2).sum())
        place = {g: i for i, g in enumerate(arm.data.var_names)}
        for group, genes in SHOWN_GENES.items():
            rows += [(arm.study, arm.name, group, g, change[place[g]], p[place[g]]) for g in genes if g in place]
    return pd.DataFrame(rows, columns=["study", "contrast", "arm", "gene", "log2fc", "p"])


def section(changes: pd.DataFrame) -> list[str]:
    """Return the page's lines on single genes."""
    genes = [g for group in SHOWN_GENES.values() for g in group]
    groups = [group if i == 0 else "" for group, names in SHOWN_GENES.items() for i, _ in enumerate(names)]
    text = (
        "log2 change within blocks, `*` where the moderated p is below 0.05 (not corrected). RPTOR loss lowers SREBF1 "
        "and FASN and raises ASNS, PSAT1 and MTHFD2, fed and starved: a signature that mixes the two arms cancels. "
        "TRIB3 and SESN2, ATF4 targets too, fall, so not even one arm moves together. Part of the rise is clonal: "
        "MEAK7 loss raises ASNS, PSAT1 and MTHFD2 in fed cells, and RICTOR loss raises them more than RPTOR loss does. "
        "Tsc1 loss raises the whole ATF4 arm and lowers SREBF1."
    )
    lines = ["", "## Where the arms disagree, gene by gene", "", text, ""]
    lines += ["| | " + " | ".join(groups) + " |", "| --- |" + " ---: |" * len(genes)]
    lines += ["| contrast | " + " | ".join(f"*{g}*" for g in genes) + " |"]
    for contrast, own in changes.groupby("contrast", sort=False):
        found = {r.gene: f"{r.log2fc:+.1f}" + ("*" if r.p < 0.05 else "") for r in own.itertuples()}
        lines.append(f"| {contrast} | " + " | ".join(found.get(g, "") for g in genes) + " |")
    return lines
