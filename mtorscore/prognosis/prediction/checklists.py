"""Reporting checklists (REMARK, TRIPOD+AI), filled in from results, with gaps named.

References
----------
REMARK: McShane et al., Br J Cancer 2005;93:387, Altman et al., PLoS Med 2012;9:e1001216. TRIPOD+AI: Collins et al.,
BMJ 2024;385:e078378. The items carry the originals' numbers; their topics are our short paraphrase, written without
the originals at hand: fill in the originals before submitting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mtorscore.errors import DataError
from mtorscore.prognosis.prediction.leaks import UNSEEN

__all__ = ["GAP", "reporting_table"]

NOTE = (
    "Topics are paraphrased from general knowledge of the checklist, not copied from it; only the item numbers are its "
    "own. Check every item against the original before submitting."
)
GAP = "GAP: to be filled by the authors"

_REMARK: tuple[tuple[str, str, str], ...] = (
    ("1", "Marker, objectives and prespecified hypotheses", "hypotheses"),
    ("2", "Patients: source, inclusion and exclusion", "patients"),
    ("3", "Treatments and how they were chosen", ""),
    ("4", "Specimens: material, controls, storage", ""),
    ("5", "Assay: method, protocol, blinding", "assay"),
    ("6", "Study design: retrospective or prospective, period, follow-up", "follow_up"),
    ("7", "Endpoints, precisely defined", "endpoints"),
    ("8", "Candidate variables", "variables"),
    ("9", "Rationale for the sample size", "sample_size"),
    ("10", "Statistical methods, model building, missing data", "methods"),
    ("11", "Handling of marker values: continuous or cut-points, and how these were set", "cutpoints"),
    ("12", "Flow of patients, with numbers and reasons for dropping out, events per group", "flow"),
    ("13", "Distribution of demographic and standard variables, with missing values", "case_mix"),
    ("14", "Relation of the marker to standard variables", "confounders"),
    ("15", "Univariable effect with interval, Kaplan-Meier", "univariable"),
    ("16", "Multivariable effect with interval", "adjusted"),
    ("17", "Marker and standard variables in one model, all estimates", "baseline_model"),
    ("18", "Further investigations: assumptions, sensitivity, internal validation", "checks"),
    ("19", "Interpretation in the light of hypotheses and other studies, limitations", ""),
    ("20", "Implications for research and clinical value", ""),
)
_TRIPOD: tuple[tuple[str, str, str], ...] = (
    ("1", "Title", ""),
    ("2", "Abstract", ""),
    ("3", "Context, target population, intended use, known inequalities", ""),
    ("4", "Objectives: development, validation or both", "objective"),
    ("5", "Data: source, dates, representativeness", "patients"),
    ("6", "Participants: setting, eligibility, treatments", "patients"),
    ("7", "Data preparation and quality checks", "preparation"),
    ("8", "Outcome: definition, time horizon, blinding", "endpoints"),
    ("9", "Predictors: choice, definition, measurement", "variables"),
    ("10", "Sample size and its rationale", "sample_size"),
    ("11", "Missing data", "missing"),
    ("12", "Analysis: partition, type of model, building, tuning, internal validation", "methods"),
    ("13", "Class imbalance", "imbalance"),
    ("14", "Fairness", ""),
    ("15", "Model output: probabilities, classes, thresholds", "output"),
    ("16", "Differences between development and evaluation data", "case_mix_validation"),
    ("17", "Ethical approval", ""),
    ("18", "Open science: funding, conflicts, protocol, registration, data, code", "code"),
    ("19", "Involvement of patients and public", ""),
    ("20", "Participants: flow, characteristics, numbers with the outcome", "flow"),
    ("21", "Model development: n and events in each analysis", "flow"),
    ("22", "Model specification: full model, so that it can be used", "model"),
    ("23", "Performance with intervals, in key subgroups, heterogeneity", "performance"),
    ("24", "Model updating", "updating"),
    ("25", "Interpretation", ""),
    ("26", "Limitations", "limitations"),
    ("27", "Usability in current care, next steps", ""),
)


def reporting_table(checklist: str = "remark", run: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return the items of a reporting checklist with what the run knows.

    Parameters
    ----------
    checklist
        ``"remark"`` or ``"tripod+ai"``.
    run
        What is known, as text or as results: any of the keys that `known_answers` returns, and ``associations``
        (table of `associate`), ``evaluation`` (`Evaluation`), ``model`` (`FittedModel`), ``validation``
        (`Validation`), from which answers are made.

    Returns
    -------
    pandas.DataFrame
        item, topic, answer, filled. Items that only authors can answer are named gaps. ``.attrs["note"]`` says how far
        the topics can be trusted.

    Raises
    ------
    DataError
        If the checklist is unknown.
    """
    lists = {"remark": _REMARK, "tripod+ai": _TRIPOD}
    if checklist not in lists:
        raise DataError(f"Unknown checklist {checklist!r}; use 'remark' or 'tripod+ai'.")
    answers = known_answers(run or {})
    rows = [
        {"item": item, "topic": topic, "answer": answers.get(key, GAP), "filled": key in answers}
        for item, topic, key in lists[checklist]
    ]
    table = pd.DataFrame(rows)
    table.attrs["note"] = NOTE
    return table


def known_answers(run: Mapping[str, Any]) -> dict[str, str]:
    """Turn results into one sentence per checklist key; texts given under a key win."""
    out: dict[str, str] = {}
    table = run.get("associations")
    if isinstance(table, pd.DataFrame) and len(table):
        _from_associations(table, out)
    evaluation = run.get("evaluation")
    if evaluation is not None:
        _from_evaluation(evaluation, out)
    model = run.get("model")
    if model is not None:
        out["model"] = f"Saved in full: {len(model.columns)} columns ({', '.join(model.columns[:6])}), with hashes."
        out["output"] = model.output
        out["objective"] = "Development"
    validation = run.get("validation")
    if validation is not None:
        s = validation.summary.set_index("metric")
        out["objective"] = "Development and external validation" if model is not None else "External validation"
        out["performance"] = "; ".join(f"{m} {r.value:.3f} ({r.low:.3f} to {r.high:.3f})" for m, r in s.iterrows())
        out["case_mix_validation"] = "; ".join(validation.notes) or "No marked difference in the model's columns."
        out["updating"] = "A recalibrated model was derived; it is not validated."
    out |= {str(k): str(v) for k, v in run.items() if isinstance(v, str)}
    return out


def _from_associations(table: pd.DataFrame, out: dict[str, str]) -> None:
    plain = table[table["model"] == "unadjusted"]
    per = plain.groupby("endpoint", sort=False)[["n", "events"]].max()
    out["endpoints"] = "; ".join(str(e) for e in per.index)
    out["flow"] = "; ".join(f"{e}: {int(r.n)} patients, {int(r.events)} events" for e, r in per.iterrows())
    excluded = table.attrs.get("excluded")
    if excluded:
        counts = pd.DataFrame(excluded).groupby(["endpoint", "rule"]).size()
        out["flow"] += "; excluded: " + ", ".join(f"{n} {rule} ({e})" for (e, rule), n in counts.items())
    out["cutpoints"] = "Scores are analysed as continuous, per SD; groups only at pre-set quantiles."
    small = int((plain["q"] < 0.05).sum())
    out["univariable"] = f"{len(plain)} tests; {small} with Benjamini-Hochberg q below 0.05; all rows are in the table."
    adjusted = table[(table["model"] == "adjusted") & table["p"].notna()]
    if len(adjusted):
        out["adjusted"] = f"Beside {', '.join(adjusted['adjusted_for'].unique())}, one at a time."
    tested = plain["ph_p"].notna()
    nonproportional = int((plain["ph_p"] < 0.05).sum())
    random = int(plain["null_percentile"].notna().sum())
    hazards = f"Proportional hazards tested ({nonproportional} of {int(tested.sum())} below 0.05); "
    out["checks"] = (hazards if tested.any() else "") + f"{random} compared with random signatures of the same method."
    doubtful = int((~table["valid"].astype(bool)).sum())
    out["limitations"] = f"{doubtful} of {len(table)} rows are marked as not to be trusted, each with its reason."
    out["methods"] = (
        f"{_models(table)}; {int(table['firth'].eq(True).sum())} of {len(table)} with Firth's penalty (below ten "
        "events per parameter, or separated groups); complete cases per model, with the number left out; "
        "Benjamini-Hochberg over the declared family."
    )
    out["missing"] = "Complete cases per model; the numbers left out are in the table."


def _models(table: pd.DataFrame) -> str:
    """Name the models that gave a table of associations, by its effects, ties and levels."""
    effects = set(table["effect"].dropna()) if "effect" in table else {"hazard ratio"}
    ties = table.attrs.get("ties")
    parts = []
    if "hazard ratio" in effects:
        parts.append("Cox models" + (f" (ties: {str(ties).capitalize()})" if ties else ""))
    if "odds ratio" in effects:
        positive = ", ".join(dict.fromkeys(map(str, table.loc[table["effect"] == "odds ratio", "positive"])))
        parts.append(f"logistic models (of {positive})")
    design = str(table.attrs.get("design") or "")
    return " and ".join(parts) + (f", {design}" if design else "")


def _from_evaluation(evaluation: Any, out: dict[str, str]) -> None:
    s = evaluation.summary
    head = s.iloc[0]
    repeats = evaluation.folds["repeat"].nunique()
    out["methods"] = (
        f"Repeated nested cross-validation ({repeats} repeats, {int(head['folds']) // max(repeats, 1)} folds). Models: "
        + "; ".join(f"{name}: {what}" for name, what in evaluation.models.items())
        + "."
    )
    out["limitations"] = UNSEEN + "".join(f" {note}." for note in evaluation.notes)
    shown = s[s["metric"].isin(("roc_auc", "harrell_c"))]
    out["performance"] = "; ".join(
        f"{r.model}: {r.metric} {r.value:.3f} ({r.low:.3f} to {r.high:.3f})" for r in shown.itertuples()
    )
    out["imbalance"] = f"{int(head['events'])} events among {int(head['n'])}; folds stratified, no resampling."
    need = evaluation.adequacy
    if len(need):
        last = need.iloc[-1]
        verdict = "adequate" if bool(last["adequate"]) else "not adequate"
        out["sample_size"] = f"Riley's criteria ask for {int(last['n_needed'])}; {int(last['n'])} at hand: {verdict}."
