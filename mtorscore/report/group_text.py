"""Sentences of the report about groups: what differs between them, in the words of the design."""

from __future__ import annotations

import pandas as pd

from mtorscore.report.data.run_files import Cohort

__all__ = ["agreeing", "assumed_tumours", "group_counts", "group_words"]


def group_words(cohort: Cohort, method: str | None, left_out: list[str]) -> list[str]:
    """Summarise how scores differ between groups: one sentence for each comparison.

    Parameters
    ----------
    cohort
        Results.
    method
        The first method.
    left_out
        Signatures that are no findings, such as confounders.

    Returns
    -------
    list of str
        Sentences; none for a cohort whose groups were not compared.
    """
    table = cohort.table("contrasts")
    if not {"method", "contrast", "design", "signature", "q", "hedges_g"} <= set(table.columns):
        return []
    rows = table[(table["method"].astype(str) == str(method)) & ~table["signature"].isin(left_out)]
    return [_sentence(name, part, str(method)) for name, part in rows.groupby("contrast", sort=False)]


def _sentence(name: object, rows: pd.DataFrame, method: str) -> str:
    trend = rows["design"].iloc[0] == "trend"
    head = f"{_design(str(name), rows)} ({method})"
    known = rows[pd.to_numeric(rows["q"], errors="coerce").notna()]
    if not len(known):
        reasons = rows["reason"].dropna().astype(str) if "reason" in rows else pd.Series(dtype=str)
        why = f": {reasons.iloc[0]}" if len(reasons) else ""
        return f"{head}: whether a signature differs cannot be said{why}."
    hits = known[known["q"] < 0.05]
    if not len(hits):
        word = "changes along the order" if trend else "differs"
        return f"{head}: of {len(known)} mTOR signatures, none {word} with q < 0.05."
    word = "change along the order" if trend else "differ"
    up = int((hits["difference"] > 0).sum())
    ways = "rise" if trend else "higher in the first"
    falls = "fall" if trend else "lower"
    sides = f"{up} {ways}, {len(hits) - up} {falls}"
    top = hits.reindex(hits["hedges_g"].abs().sort_values(ascending=False).index).head(3)
    named = [
        f"{r.signature} ({r.hedges_g:+.2f}, {r.g_low:+.2f} to {r.g_high:+.2f}, q\u00a0{_number(r.q)})"
        for r in top.itertuples()
    ]
    size = "Hedges' g per step" if trend else "Hedges' g"
    more = agreeing(hits)
    if "below_smallest" in hits and hits["below_smallest"].any():
        more += f"; {int(hits['below_smallest'].sum())} within the noise of counts"
    found = f"of {len(known)} mTOR signatures, {len(hits)} {word} with q < 0.05 ({sides}){more}"
    return f"{head}: {found}. Largest, as {size}: {', '.join(named)}."


def agreeing(hits: pd.DataFrame) -> str:
    """Say of how many findings the methods agree; nothing where one method was scored."""
    claims = hits["claim"].dropna().astype(str) if "claim" in hits else pd.Series(dtype=str)
    if "methods_agree" not in hits or not hits["methods_agree"].notna().any():
        return ""
    return f"; {int(claims.str.contains(': all ').sum())} of them by every method"


def _design(name: str, rows: pd.DataFrame) -> str:
    """Say which samples are compared, and within what."""
    first = rows.iloc[0]
    adjusted = str(first["adjusted_for"]) if pd.notna(first.get("adjusted_for")) else ""
    if first["design"] == "trend":
        order = name.removeprefix("per step of ")
        return f"Along {order}, {int(first['n'])} samples{f', adjusted for {adjusted}' if adjusted else ''}"
    one, against, other = name.partition(" against ")
    counts = [rows[c].iloc[0] for c in ("n_treated", "n_control")]
    if against and all(pd.notna(c) for c in counts):
        name = f"{one} (n {int(counts[0])}) against {other} (n {int(counts[1])})"
    if first["design"] == "pairs":
        return f"{name}, in {int(first['n_blocks'])} pairs by {adjusted}"
    return f"{name}{f', adjusted for {adjusted}' if adjusted else ''}"


def _number(value: float) -> str:
    return "<\u00a00.0001" if value < 1e-4 else f"{value:.2g}"


def assumed_tumours(cohort: Cohort) -> list[str]:
    """Return the sentence of a cohort whose samples are all taken as tumours because nothing says otherwise."""
    table = cohort.table("exclusions")
    if not {"rule", "reason"} <= set(table.columns):
        return []
    found = table.loc[table["rule"].astype(str) == "assumed_tumour", "reason"].astype(str)
    return [f"{cohort.name}: {reason}." for reason in found]


def group_counts(cohort: Cohort) -> pd.Series:
    """Return how many samples are of each group, under their own names; else of each sample type."""
    kinds = cohort.obs[cohort.group] if cohort.group in cohort.obs else pd.Series(dtype=object)
    kinds = kinds.astype(object).where(kinds.notna(), "no group").astype(str)
    counts = kinds.value_counts()
    if cohort.group != "comparison_group":
        return counts
    order = getattr(cohort.obs[cohort.group].dtype, "categories", counts.index)
    return counts.reindex([g for g in dict.fromkeys([*map(str, order), "no group"]) if g in counts.index])
