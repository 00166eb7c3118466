"""Sentences of the report about groups: what differs between them, in the words of the design."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mtorscore.report.data.run_files import Cohort

__all__ = ["assumed_tumours", "between", "group_counts", "group_words"]


# Of one signature, of several; those above and those below.
_DIFFER = ("differs", "differ", "higher in the first", "lower")
_VERBS = {
    "trend": ("changes along the order", "change along the order", "rise", "fall"),
    "interaction": ("responds differently", "respond differently", "a higher response in the first", "a lower one"),
}


_OTHER_YARDSTICK = (
    " Here the unit is the residual SD of a linear model (Hedges' g); the board's is the SD of normal tissue, with "
    "intervals by the jackknife over patients, and it asks that every method's interval is beyond 0 and its q below "
    '0.05: what differs here may be "not shown" there, without contradiction.'
)


def group_words(cohort: Cohort, left_out: Sequence[str]) -> list[str]:
    """Summarise how scores differ between groups: one sentence for each comparison.

    Parameters
    ----------
    cohort
        Results.
    left_out
        Signatures that are no findings: confounders, and those that cannot be read here.

    Returns
    -------
    list of str
        Sentences, by the board's rule: a signature differs where every method's interval is beyond 0 on one side and
        every q is below 0.05. None for a cohort whose groups were not compared.
    """
    table = cohort.table("contrasts")
    if not {"method", "contrast", "design", "signature", "q", "hedges_g"} <= set(table.columns):
        return []
    rows = table[~table["signature"].isin(list(left_out))]
    said = [_sentence(name, part) for name, part in rows.groupby("contrast", sort=False)]
    # Of one plain comparison the board shows the calls' difference; of every other design, this one.
    if len(said) == 1 and set(rows["design"].astype(str)) == {"groups"} and len(cohort.table("activation")):
        said[0] += _OTHER_YARDSTICK
    return said


def between(name: str) -> tuple[str, str, str]:
    """Return the parts of an interaction's name, drug against vehicle: ko against wt."""
    compared, _, levels = name.rpartition(": ")
    one, _, other = levels.partition(" against ")
    return compared, one, other


def _sentence(name: object, rows: pd.DataFrame) -> str:
    kind = str(rows["design"].iloc[0])
    kind = "trend" if str(name).startswith("per step of ") and kind == "within" else kind
    methods = list(dict.fromkeys(rows["method"].astype(str)))
    listed = methods[0] if len(methods) == 1 else f"{', '.join(methods[:-1])} and {methods[-1]}"
    head = f"{_design(str(name), rows)} ({listed})"
    known = rows[pd.to_numeric(rows["q"], errors="coerce").notna()]
    if not len(known):
        reasons = rows["reason"].dropna().astype(str) if "reason" in rows else pd.Series(dtype=str)
        why = f": {reasons.iloc[0]}" if len(reasons) else ""
        return f"{head}: whether a signature differs cannot be said{why}."
    found = _over_methods(known, len(methods))
    hits = found[found["same"]]
    every = " by every method" if len(methods) > 1 else ""
    if not len(hits):
        return f"{head}: of {len(found)} mTOR signatures, none {_VERBS.get(kind, _DIFFER)[0]} with q < 0.05{every}."
    _, word, above, below = _VERBS.get(kind, _DIFFER)
    up = int((hits["least"] > 0).sum())
    sides = f"{up} {above}, {len(hits) - up} {below}"
    top = hits.reindex(hits["least"].abs().sort_values(ascending=False, kind="stable").index).head(3)
    named = [f"{n} ({_sizes(known[known['signature'] == n])})" for n in top.index]
    size = "Hedges' g per step" if kind == "trend" else "Hedges' g"
    noise = f"; {int(hits['noise'].sum())} within the noise of counts" if hits["noise"].any() else ""
    text = f"of {len(found)} mTOR signatures, {len(hits)} {word} with q < 0.05{every} ({sides}){noise}"
    return f"{head}: {text}. Largest, as {size}: {', '.join(named)}."


def _over_methods(known: pd.DataFrame, methods: int) -> pd.DataFrame:
    """Return per signature whether all methods say the same, and the smallest difference among them."""
    below = known["below_smallest"].astype(object).eq(True) if "below_smallest" in known else known["q"].isna()
    beyond = ((known["g_low"] > 0).astype(int) - (known["g_high"] < 0).astype(int)).where(known["q"] < 0.05, 0)
    of = known.assign(beyond=beyond, noise=below, size=known["hedges_g"].abs()).groupby("signature", sort=False)
    side = of["beyond"].agg(["min", "max", "size"])
    same = (side["min"] == side["max"]) & (side["min"] != 0) & (side["size"] == methods)
    return pd.DataFrame({"same": same, "least": side["min"] * of["size"].min(), "noise": of["noise"].any()})


def _sizes(rows: pd.DataFrame) -> str:
    """Return the difference of a signature: with its interval of one method, from least to most of several."""
    q = f"q\u00a0{_number(rows['q'].max())}"
    if len(rows) == 1:
        r = rows.iloc[0]
        return f"{r['hedges_g']:+.2f}, {r['g_low']:+.2f} to {r['g_high']:+.2f}, {q}"
    every = q if "<" in q else f"{q} or less"
    return f"{rows['hedges_g'].min():+.2f} to {rows['hedges_g'].max():+.2f} over the methods, every {every}"


def _design(name: str, rows: pd.DataFrame) -> str:
    """Say which samples are compared, and within what."""
    first = rows.iloc[0]
    adjusted = str(first["adjusted_for"]) if pd.notna(first.get("adjusted_for")) else ""
    if name.startswith("per step of ") and first["design"] != "interaction":
        order = name.removeprefix("per step of ")
        return f"Along {order}{_samples(first)}{f', adjusted for {adjusted}' if adjusted else ''}"
    if first["design"] == "interaction":
        compared, one, other = between(name)
        more = f", adjusted for {adjusted}" if adjusted else ""
        return f"{compared}, {one} compared with {other}{_samples(first)}{more}"
    one, against, other = name.partition(" against ")
    counts = [rows[c].iloc[0] for c in ("n_treated", "n_control")]
    if against and all(pd.notna(c) for c in counts):
        name = f"{one} (n {int(counts[0])}) against {other} (n {int(counts[1])})"
    if first["design"] == "pairs" and pd.notna(first["n_blocks"]):
        return f"{name}, in {int(first['n_blocks'])} pairs by {adjusted}"
    return f"{name}{f', adjusted for {adjusted}' if adjusted else ''}"


def _samples(row: pd.Series) -> str:
    return f", {int(row['n'])} samples" if pd.notna(row["n"]) else ""


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
    if cohort.group not in ("comparison_group", "comparison_arm"):
        return counts
    order = getattr(cohort.obs[cohort.group].dtype, "categories", counts.index)
    return counts.reindex([g for g in dict.fromkeys([*map(str, order), "no group"]) if g in counts.index])
