"""Shift of tumours from normal tissue, and the share of tumours beyond it, for the relate step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mtorscore import prognosis
from mtorscore.collection import CONFOUNDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from mtorscore.collection import SignatureCollection

__all__ = ["activation_rows"]

LEAST = 3
"""Normal samples and tumours that a shift is computed from."""


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
    if tumour.sum() < LEAST or normal.sum() < LEAST or not shown:
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
