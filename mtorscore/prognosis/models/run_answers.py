"""What a run knows, one sentence per question of a reporting checklist: read from results, never from fixed text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mtorscore._multiple_testing import adjust_p
from mtorscore.prognosis.prediction.leaks import UNSEEN

__all__ = ["known_answers"]

MAIN = ("roc_auc", "harrell_c", "wolbers_c")


def known_answers(run: Mapping[str, Any]) -> dict[str, str]:
    """Turn results into one sentence per checklist key; texts given under a key win.

    Answers of several results to one question stand one after the other.
    """
    found: dict[str, list[str]] = {}
    for name, read in _READERS.items():
        result = run.get(name)
        if result is None or (isinstance(result, pd.DataFrame) and not len(result)):
            continue
        for key, sentence in read(result).items():
            if sentence and sentence not in found.setdefault(key, []):
                found[key].append(sentence)
    kinds = [k for k, name in (("development", "model"), ("external validation", "validation")) if run.get(name)]
    if kinds:
        found["objective"] = [" and ".join(kinds).capitalize() + "."]
    out = {key: " ".join(sentences) for key, sentences in found.items() if sentences}
    return out | {str(k): str(v) for k, v in run.items() if isinstance(v, str)}


def _associations(table: pd.DataFrame) -> dict[str, str]:
    """Read a table of `associate`, also one that went through a file."""
    plain = table[table["model"] == "unadjusted"]
    out = {"methods": f"{_models(table)}. {_firth(table)}{_family(table)}"}
    out["limitations"] = (
        f"{int((~table['valid'].astype(bool)).sum())} of {len(table)} rows are marked as not to be trusted, each with "
        "its reason."
    )
    out["missing"] = _left_out(table)
    out["complexities"] = _sentence(_complexities(table))
    adjusted = table[(table["model"] == "adjusted") & table["p"].notna()]
    if len(adjusted):
        beside = adjusted["adjusted_for"].unique()
        out["adjusted"] = f"Beside {', '.join(map(str, beside))}, one adjustment at a time."
    if len(plain):
        out |= _unadjusted(plain, table)
    return out


def _unadjusted(plain: pd.DataFrame, table: pd.DataFrame) -> dict[str, str]:
    per = plain.groupby("endpoint", sort=False)[["n", "events"]].max()
    flow = "; ".join(f"{e}: {int(r.n)} patients, {int(r.events)} events" for e, r in per.iterrows())
    excluded = table.attrs.get("excluded")
    if excluded:
        counts = pd.DataFrame(excluded).groupby(["endpoint", "rule"]).size()
        flow += "; excluded: " + ", ".join(f"{n} {rule} ({e})" for (e, rule), n in counts.items())
    tested, random = plain["ph_p"].notna(), int(plain["null_percentile"].notna().sum())
    checks = []
    if tested.any():
        below = int((plain["ph_p"] < 0.05).sum())
        checks.append(f"proportional hazards tested ({below} of {int(tested.sum())} below 0.05)")
    checks.append(f"{random} compared with random signatures of the same method")
    if "rank_p" in plain and plain["rank_p"].notna().any():
        checks.append(f"{int(plain['rank_p'].notna().sum())} repeated on ranks, with the leverage of each patient")
    small = int((plain["q"] < 0.05).sum())
    return {
        "endpoints": _sentence("; ".join(str(e) for e in per.index)),
        "flow": _sentence(flow),
        "cutpoints": "Scores are analysed as continuous, per SD.",
        "univariable": f"{len(plain)} tests; {small} with Benjamini-Hochberg q below 0.05; all rows are in the table.",
        "checks": _sentence("; ".join(checks)),
    }


def _models(table: pd.DataFrame) -> str:
    """Name the models that gave a table of associations, by its effects, ties and design."""
    effects = dict.fromkeys(table["effect"].dropna()) if "effect" in table else {"hazard ratio": None}
    ties = table.attrs.get("ties")
    parts = []
    for effect in effects:
        own = table[table["effect"] == effect] if "effect" in table else table
        positive = ", ".join(dict.fromkeys(map(str, own["positive"].dropna()))) if "positive" in own else ""
        if effect == "hazard ratio":
            parts.append("Cox models" + (f" (ties: {str(ties).capitalize()})" if ties else ""))
            if "subdistribution_hr" in own and own["subdistribution_hr"].notna().any():
                parts.append("models of the subdistribution hazard (Fine and Gray, robust errors)")
        elif effect == "odds ratio":
            ordered = "proportional_p" in own and own["proportional_p"].notna().any()
            several = "against" in own and own["against"].notna().any()
            kind = "proportional-odds" if ordered else "multinomial" if several else "logistic"
            parts.append(f"{kind} models (of {positive})")
        else:
            parts.append(f"models of the {effect}")
    design = str(table.attrs.get("design") or "")
    return " and ".join(parts) + (f", {design}" if design else "")


def _firth(table: pd.DataFrame) -> str:
    """Say how many rows are penalised, where the table tells."""
    if "firth" not in table:
        return ""
    n = int(table["firth"].eq(True).sum())
    return f"{n} of {len(table)} with Firth's penalty (below ten events per parameter, or separated groups). "


def _family(table: pd.DataFrame) -> str:
    """Say over which tests the q-values go: as recorded, else as the numbers show."""
    family = table.attrs.get("family")
    if family is None and table["p"].notna().any():
        whole = adjust_p(table["p"])
        same = np.isclose(whole, table["q"].to_numpy(dtype=np.float64), equal_nan=True)
        several = table.groupby(["endpoint", "model", "adjusted_for"], dropna=False).ngroups > 1
        family = "all" if several and same.all() else "model"
    words = {"all": "all tests together", "model": "the signatures of one endpoint and model"}
    return f"Benjamini-Hochberg over {words.get(str(family), 'the tests')}."


def _left_out(table: pd.DataFrame) -> str:
    """Say how missing covariates were treated, by what the rows say of it."""
    if "fraction_missing" in table:
        most = float(table["fraction_missing"].max())
        return f"Multiple imputation of covariates (fraction of missing information at most {most:.2f})."
    text = table["reason"].astype(object).fillna("").astype(str)
    gone = int(text.str.contains(r"\bleft out\b", regex=True).sum())
    if gone:
        return f"Complete cases per model: {gone} of {len(table)} rows leave patients out, each with the number."
    return "No row leaves out a patient for a missing covariate."


def _complexities(table: pd.DataFrame) -> str:
    """Say how censoring, competing events, strata and clusters were treated, where the table tells."""
    parts = []
    if "effect" not in table or (table["effect"] == "hazard ratio").any():
        parts.append("censoring by Cox's partial likelihood")
    if "competing" in table:
        parts += [str(t) for t in table["competing"].dropna().unique() if str(t).strip()]
    design = str(table.attrs.get("design") or "")
    return "; ".join([*parts, design] if design else parts)


def _imputed(table: pd.DataFrame) -> dict[str, str]:
    return {"missing": _left_out(table)}


def _curves(table: pd.DataFrame) -> dict[str, str]:
    groups = ", ".join(dict.fromkeys(map(str, table["group"].dropna()))) if "group" in table else ""
    return {"cutpoints": f"Curves of the groups {groups}, cut at quantiles that were set beforehand."}


def _cutpoint(found: Any) -> dict[str, str]:
    p = f"corrected p {found.p:.3g}, naive p {found.p_naive:.3g}"
    return {"cutpoints": f"A cut-point was searched ({p}): the naive p ignores the search."}


def _follow_up(table: pd.DataFrame) -> dict[str, str]:
    row = table.iloc[0]
    if not np.isfinite(row["median_follow_up"]):
        return {"follow_up": _sentence(f"Median follow-up (reverse Kaplan-Meier): {row['reason']}")}
    return {
        "follow_up": f"Median follow-up {row['median_follow_up']:g} {row['unit']} (reverse Kaplan-Meier, "
        f"{row['low']:g} to {row['high']:g}); {int(row['events'])} events among {int(row['n'])}."
    }


def _evaluation(evaluation: Any) -> dict[str, str]:
    """Read a result of `evaluate`."""
    s, record = evaluation.summary, dict(getattr(evaluation, "record", {}) or {})
    head, repeats = s.iloc[0], int(evaluation.folds["repeat"].nunique())
    folds = int(head["folds"]) // max(repeats, 1)
    fitted = "; ".join(f"{name}: {what}" for name, what in evaluation.models.items())
    methods = f"Repeated nested cross-validation ({repeats} repeats, {folds} folds"
    methods += f", stratified by {record['stratified_by']}" if "stratified_by" in record else ""
    methods += ", patients kept together" if record.get("grouped") else ""
    shown = s[s["metric"].isin(MAIN)] if s["metric"].isin(MAIN).any() else s[s["metric"] == s["metric"].iloc[0]]
    out = {
        "methods": f"{methods}). Models: {fitted}.",
        "optimism": f"{methods}): what is tuned or learned is learned in the training part of each fold.",
        "limitations": UNSEEN + "".join(f" {_sentence(note)}" for note in evaluation.notes),
        "leakage": UNSEEN,
        "performance": _performance(shown, "model"),
        "imbalance": f"{int(head['events'])} events among {int(head['n'])}" + _weighting(record),
    }
    horizon = pd.to_numeric(s["horizon"], errors="coerce").dropna() if "horizon" in s else pd.Series(dtype=float)
    if len(horizon):
        out["horizon"] = f"Evaluated until {float(horizon.max()):g} (unit of the endpoint)."
    if record.get("baseline"):
        out["baseline_model"] = f"The clinical model holds {', '.join(map(str, record['baseline']))}."
    if "missing" in record:
        out["missing"] = _filled(record["missing"], record.get("impute", ""))
    need = evaluation.adequacy
    if len(need):
        last = need.iloc[-1]
        verdict = "adequate" if bool(last["adequate"]) else "not adequate"
        text = f"Riley's criteria for development ask for {int(last['n_needed'])}; {int(last['n'])} at hand: {verdict}."
        out["sample_size"] = text
    return out


def _cross_validated(summary: pd.DataFrame) -> dict[str, str]:
    """Read the table of cross-validated models that a run writes."""
    shown = summary[summary["metric"].isin(MAIN) & (summary["model"] != "dummy")]
    folds = ", ".join(f"{int(v)}" for v in pd.unique(summary["folds"].dropna()))
    text = (
        f"Nested cross-validation ({folds} folds over all repeats) of {', '.join(map(str, summary['model'].unique()))}."
    )
    rows = shown.assign(which=shown["endpoint"].astype(str) + ", " + shown["model"].astype(str))
    horizon = pd.to_numeric(summary["horizon"], errors="coerce").dropna()
    out = {"optimism": text, "methods": text, "performance": _performance(rows, "which"), "leakage": UNSEEN}
    return out | ({"horizon": f"Evaluated until {float(horizon.max()):g} days."} if len(horizon) else {})


def _weighting(record: Mapping[str, Any]) -> str:
    if "weighted" not in record:
        return "."
    return "; observations are weighted." if record["weighted"] else "; neither weighted nor resampled."


def _filled(missing: Mapping[str, int], impute: str) -> str:
    if not missing:
        return "No clinical value of the models is missing."
    how = {
        "median": "replaced by the training part's median or commonest level",
        "regression": "predicted from the other clinical columns, as learned in the training part",
    }.get(impute, "filled within the folds")
    return f"Missing clinical values ({', '.join(f'{c}: {n}' for c, n in missing.items())}) are {how}."


def _performance(rows: pd.DataFrame, name: str) -> str:
    return _sentence(
        "; ".join(
            f"{getattr(r, name)}: {r.metric} {r.value:.3f}"
            + (f" ({r.low:.3f} to {r.high:.3f})" if np.isfinite(r.low) else "")
            for r in rows.itertuples()
            if np.isfinite(r.value)
        )
    )


def _model(model: Any) -> dict[str, str]:
    """Read a frozen model."""
    from mtorscore.prognosis.models.model_kinds import KINDS

    kind = next((line for line in model.card.splitlines() if line.startswith("Predicts: ")), "")
    filling = "predicted from the other clinical columns" if "imputation" in model.training else "the training median"
    out = {
        "model": f"Saved in full: {len(model.columns)} columns ({', '.join(model.columns[:6])}), with hashes. {kind}",
        "output": _sentence(str(model.output)),
        "methods": KINDS[model.kind].title,
    }
    if model.clinical:
        out["missing"] = f"In new patients a missing clinical value is {filling} (category: commonest level)."
    if model.horizon is not None:
        out["horizon"] = f"Risks are predicted by {model.horizon:g} {model.endpoint.unit}."
    return out


def _validation(validation: Any) -> dict[str, str]:
    """Read a result of `validate`."""
    s = validation.summary
    out = {
        "performance": _performance(s.assign(which="elsewhere"), "which"),
        "case_mix_validation": " ".join(map(_sentence, validation.notes))
        or "No marked difference in the model's columns.",
    }
    changed = getattr(validation.recalibrated, "name", "") != str(s["model"].iloc[0])
    text = "A recalibrated model was derived; it is not validated." if changed else ""
    out["updating"] = text or "No recalibrated model was derived: the calibration slope is not defined here."
    return out


def _subgroups(table: pd.DataFrame) -> dict[str, str]:
    """Read a result of `subgroup_performance`."""
    main = table[table["metric"].isin(MAIN) & (table["group"] != "all")]
    shown = main.assign(which=main["column"] + "=" + main["group"])
    silent = int((~table["valid"].astype(bool)).groupby([table["column"], table["group"]]).any().sum())
    text = _performance(shown, "which")
    return {"subgroups": text + (f" {silent} subgroup(s) are too small to be trusted." if silent else "")}


def _validation_size(table: pd.DataFrame) -> dict[str, str]:
    last = table.iloc[-1]
    return {
        "sample_size": f"Riley's criteria for external validation ask for {int(last['n_needed'])} patients "
        f"({int(last['events_needed'])} events)."
    }


def _sentence(text: str) -> str:
    """Return text as a sentence; nothing of nothing."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", ":")) else ".") if text else ""


_READERS: dict[str, Callable[[Any], dict[str, str]]] = {
    "associations": _associations,
    "imputed": _imputed,
    "kaplan_meier": _curves,
    "cutpoint": _cutpoint,
    "follow_up": _follow_up,
    "evaluation": _evaluation,
    "cross_validated": _cross_validated,
    "model": _model,
    "validation": _validation,
    "subgroups": _subgroups,
    "validation_size": _validation_size,
}
"""Result -> how it is read, in the order in which answers stand."""
