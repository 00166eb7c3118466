"""What is active, by the evidence at hand: calls of a branch from transcripts, proteins and DNA, side by side.

Layers are never pooled into one number: they measure different things, and where they disagree that is the finding.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore._alteration_results import LAYER_SHARES, LAYERS
from mtorscore.collection import library
from mtorscore.collection.grades import context_named
from mtorscore.collection.lead_signatures import lead_of, why_no_lead
from mtorscore.errors import DataError
from mtorscore.io.alterations.declared import declared_genes, declared_proteins
from mtorscore.prognosis.association.activation import MIN_REFERENCE
from mtorscore.prognosis.genomics.altered import Altered
from mtorscore.prognosis.statistics.quantiles import least_reference, predictive_quantile, share_beyond
from mtorscore.prognosis.statistics.risk_sets import FloatArray

__all__ = ["ACTIVE", "NOT_SHOWN", "UNSAID", "layer_shares", "layers"]

ACTIVE, NOT_SHOWN, UNSAID = "active", "not shown", "cannot be said"
TRANSCRIPT, PROTEIN, DNA = "transcript", "protein", "DNA"
RELATIVE = "no reference tissue: the upper third of these tumours is called, so that the share is set by the rule"
_THIRD = 2 / 3


def layers(
    scores: pd.DataFrame,
    tumours: pd.Index,
    reference: pd.Index,
    *,
    alterations: Any = None,
    proteins: pd.DataFrame | None = None,
    tissue: str | None = "HCC",
    quantile: float = 0.95,
) -> pd.DataFrame:
    """Call the branches of every tumour active by each layer that is at hand.

    Parameters
    ----------
    scores
        Observations x signatures, tumours and normal tissue.
    tumours, reference
        Which observations are tumours, and which normal tissue.
    alterations
        What `mtorscore.io.read_alterations` returned, or a DataFrame of 1, 0 and NaN; None for no DNA layer.
    proteins
        Observations x antibodies on a log scale, normal tissue among them where it was measured; None for no protein
        layer.
    tissue
        Of the tumours: chooses the signature of each branch by its grade there.
    quantile
        Of the reference, from which on a tumour is called active.

    Returns
    -------
    pandas.DataFrame
        Columns of ``alterations/layers.tsv``, one row per tumour, branch and layer. Transcripts and proteins are called
        against the normal tissue; proteins without one by rank, and the row says so. DNA calls a branch active where a
        gene is altered so that the branch is expected to rise. ``not shown`` is no proof of absence.

    Raises
    ------
    DataError
        If there is no tumour.
    """
    if not len(tumours):
        raise DataError("there is no tumour to call.")
    parts = [_transcripts(scores, tumours, reference, tissue, quantile)]
    if proteins is not None:
        parts.append(_proteins(proteins, tumours, reference, quantile))
    if alterations is not None:
        parts.append(_dna(Altered.of(alterations, tumours)))
    parts = [p for p in parts if len(p)]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(LAYERS.names))
    if len(table):
        table["agreement"] = _agreement(table)
        # Layers of one tumour and branch stand together.
        order = {b: i for i, b in enumerate(dict.fromkeys(table["branch"]))}
        table = table.assign(_at=table["branch"].map(order)).sort_values(["observation", "_at"], kind="stable")
        table = table.drop(columns="_at").reset_index(drop=True)
    return LAYERS.arrange(table)


def layer_shares(
    table: pd.DataFrame,
    scores: pd.DataFrame,
    reference: pd.Index,
    *,
    proteins: pd.DataFrame | None = None,
    quantile: float = 0.95,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the share of active tumours of each branch and layer, and how often layers agree.

    Parameters
    ----------
    table
        What `layers` returned.
    scores, reference, proteins, quantile
        As `layers` was given them: intervals hold the uncertainty of the reference too, where there is one.
    level
        Of the intervals; of DNA Wilson's.

    Returns
    -------
    pandas.DataFrame
        Columns of ``alterations/layer_shares.tsv``. A share that the rule itself sets (proteins without a reference) is
        missing.
    """
    rows = []
    for (branch, layer), part in table.groupby(["branch", "layer"], sort=False):
        called = part[part["call"] != UNSAID]
        # Of DNA a tumour counts where all genes of the branch were looked at, altered or not.
        called = called[called["value"].notna()] if layer == DNA else called
        k, n = int((called["call"] == ACTIVE).sum()), len(called)
        row: dict[str, Any] = {
            "branch": branch, "layer": layer, "evidence": part["evidence"].iloc[0], "grade": part["grade"].iloc[0],
            "n": n, "active": k, "share": np.nan, "low": np.nan, "high": np.nan,
            "agree": int((called["agreement"] == "agree").sum()),
            "disagree": int((called["agreement"] == "disagree").sum()),
            "reason": "" if layer == DNA and n else _first_reason(part, called),
        }  # fmt: skip
        if n and row["reason"] != RELATIVE:
            row["share"] = k / n
            row["low"], row["high"] = _interval(called, k, (scores, proteins), reference, quantile, level)
        rows.append(row)
    return LAYER_SHARES.arrange(pd.DataFrame(rows))


def _interval(
    called: pd.DataFrame,
    k: int,
    measured: tuple[pd.DataFrame, pd.DataFrame | None],
    reference: pd.Index,
    quantile: float,
    level: float,
) -> tuple[float, float]:
    layer, evidence = str(called["layer"].iloc[0]), str(called["evidence"].iloc[0])
    source = measured[0] if layer == TRANSCRIPT else measured[1] if layer == PROTEIN else None
    if source is None:
        found = stats.binomtest(k, len(called)).proportion_ci(level, method="wilson")
        return float(found.low), float(found.high)
    columns = [evidence] if layer == TRANSCRIPT else evidence.split(", ")
    normal = source[columns].mean(axis=1).reindex(reference).dropna().to_numpy(dtype=np.float64)
    values = called["value"].to_numpy(dtype=np.float64)
    # A score that falls with activity was compared with its sign turned.
    above = values > called["threshold"].to_numpy(dtype=np.float64)
    sign = 1 if (above == (called["call"] == ACTIVE).to_numpy()).all() else -1
    _, low, high = share_beyond(values * sign, normal * sign, quantile, level)
    return low, high


def _first_reason(part: pd.DataFrame, called: pd.DataFrame) -> str:
    chosen = called if len(called) else part
    return str(next((r for r in chosen["reason"] if r), ""))


def _transcripts(
    scores: pd.DataFrame, tumours: pd.Index, reference: pd.Index, tissue: str | None, quantile: float
) -> pd.DataFrame:
    names, entries, rows = [str(c) for c in scores.columns], library(experimental=True), []
    where = context_named(tissue)
    for branch in _branches():
        lead = lead_of(branch, tissue, names)
        if lead is None:
            why = why_no_lead(branch, tissue)
            rows += _unsaid(tumours, branch, TRANSCRIPT, "", why) if why else []
            continue
        sign = entries[lead].sign or 1
        grade = "; ".join(entries[lead].graded(where))
        about = {"branch": branch, "layer": TRANSCRIPT, "evidence": lead, "grade": grade}
        normal = scores[lead].reindex(reference).dropna().to_numpy(dtype=np.float64)
        rows += _beyond(scores[lead].reindex(tumours), normal, sign, quantile, about, relative=False)
    return pd.DataFrame(rows)


def _branches() -> list[str]:
    declared = [b for g in declared_genes().values() for b, d in g.branches.items() if d > 0 and not g.context]
    return list(dict.fromkeys([*declared, *declared_proteins()]))


def _unsaid(tumours: pd.Index, branch: str, layer: str, evidence: str, why: str) -> list[dict[str, Any]]:
    return [
        {"observation": o, "branch": branch, "layer": layer, "evidence": evidence, "call": UNSAID, "value": np.nan,
         "threshold": np.nan, "grade": "", "reason": why}
        for o in tumours
    ]  # fmt: skip


def _beyond(
    values: pd.Series, normal: FloatArray, sign: int, quantile: float, about: dict[str, Any], *, relative: bool
) -> list[dict[str, Any]]:
    """Call the values beyond a quantile of normal tissue, on the side of activity."""
    least = max(MIN_REFERENCE, least_reference(quantile))
    signed = values.to_numpy(dtype=np.float64) * sign
    known = signed[np.isfinite(signed)]
    threshold, why = np.nan, ""
    if len(normal) >= least and np.ptp(normal) > 0:
        threshold = predictive_quantile(normal * sign, quantile)
    elif relative and len(known) >= MIN_REFERENCE:
        threshold, why = float(np.quantile(known, _THIRD)), RELATIVE
    else:
        why = f"{len(normal)} samples of normal tissue; {least} are needed for a call"
    rows = []
    for name, value in zip(values.index, signed, strict=True):
        told = np.isfinite(value) and np.isfinite(threshold)
        call = (ACTIVE if value > threshold else NOT_SHOWN) if told else UNSAID
        rows.append(
            {"grade": "", **about, "observation": name, "call": call, "value": value * sign,
             "threshold": threshold * sign, "reason": why or ("" if told else "not measured")}
        )  # fmt: skip
    return rows


def _plain(name: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def _proteins(proteins: pd.DataFrame, tumours: pd.Index, reference: pd.Index, quantile: float) -> pd.DataFrame:
    known = {_plain(c): c for c in proteins.columns}
    rows: list[dict[str, Any]] = []
    for branch, names in declared_proteins().items():
        here = list(dict.fromkeys(known[_plain(n)] for n in names if _plain(n) in known))
        if not here:
            continue
        level = proteins[here].astype(np.float64).mean(axis=1)
        about = {"branch": branch, "layer": PROTEIN, "evidence": ", ".join(map(str, here))}
        normal = level.reindex(reference).dropna().to_numpy(dtype=np.float64)
        rows += _beyond(level.reindex(tumours), normal, 1, quantile, about, relative=True)
    return pd.DataFrame(rows)


def _dna(found: Altered) -> pd.DataFrame:
    by_branch: dict[str, dict[str, pd.Series]] = {}
    whole: dict[str, pd.Series] = {}
    for gene, declared in declared_genes().items():
        if gene in found.calls.columns and not declared.context:
            calls, _ = found.of_gene(gene, declared.kinds)
            whole[gene] = found.looked_at(gene, declared.kinds) & calls.notna()
            for branch in (b for b, d in declared.branches.items() if d > 0 and calls.notna().any()):
                by_branch.setdefault(branch, {})[gene] = calls
    rows = []
    for branch, genes in by_branch.items():
        table = pd.DataFrame(genes)
        hit, clear = table.eq(1).any(axis=1), table.eq(0).all(axis=1)
        counted = pd.DataFrame({g: whole[g] for g in genes}).all(axis=1)
        for name in table.index:
            altered = ", ".join(g for g in table.columns if table.at[name, g] == 1)
            call = ACTIVE if hit[name] else NOT_SHOWN if clear[name] else UNSAID
            rows.append(
                {"observation": name, "branch": branch, "layer": DNA, "evidence": ", ".join(genes), "call": call,
                 "value": float(hit[name]) if counted[name] else np.nan, "threshold": 1.0, "grade": "",
                 "reason": altered or ("" if clear[name] else "not profiled, or altered in another way")}
            )  # fmt: skip
    return pd.DataFrame(rows)


def _agreement(table: pd.DataFrame) -> pd.Series:
    """Say for each row whether the layers with a call on this tumour and branch say the same."""
    called = table[table["call"] != UNSAID]
    groups = called.groupby(["observation", "branch"], sort=False)["call"]
    n, kinds = groups.transform("size"), groups.transform("nunique")
    words = pd.Series(
        np.where(n < 2, "one layer", np.where(kinds > 1, "disagree", "agree")), called.index, dtype=object
    )
    return words.reindex(table.index).fillna("")
