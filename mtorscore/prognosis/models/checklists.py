"""Reporting checklists (REMARK, TRIPOD+AI, PROBAST), filled in from a record of the run, with gaps named.

References
----------
REMARK: McShane et al., Br J Cancer 2005;93:387, Altman et al., PLoS Med 2012;9:e1001216. TRIPOD+AI: Collins et al.,
BMJ 2024;385:e078378. PROBAST: Wolff et al., Ann Intern Med 2019;170:51. The items carry the originals' numbers; their
topics are our short paraphrase, written without the originals at hand: fill in the originals before submitting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mtorscore.errors import DataError
from mtorscore.prognosis.models.run_answers import known_answers

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
    ("8", "Outcome: definition, time horizon, blinding", "endpoints horizon"),
    ("9", "Predictors: choice, definition, measurement", "variables"),
    ("10", "Sample size and its rationale", "sample_size"),
    ("11", "Missing data", "missing"),
    ("12", "Analysis: partition, type of model, building, tuning, internal validation", "methods"),
    ("13", "Class imbalance", "imbalance"),
    ("14", "Fairness", "subgroups"),
    ("15", "Model output: probabilities, classes, thresholds", "output"),
    ("16", "Differences between development and evaluation data", "case_mix_validation"),
    ("17", "Ethical approval", ""),
    ("18", "Open science: funding, conflicts, protocol, registration, data, code", "code"),
    ("19", "Involvement of patients and public", ""),
    ("20", "Participants: flow, characteristics, numbers with the outcome", "flow"),
    ("21", "Model development: n and events in each analysis", "flow"),
    ("22", "Model specification: full model, so that it can be used", "model"),
    ("23", "Performance with intervals, in key subgroups, heterogeneity", "performance subgroups"),
    ("24", "Model updating", "updating"),
    ("25", "Interpretation", ""),
    ("26", "Limitations", "limitations"),
    ("27", "Usability in current care, next steps", ""),
)

_PROBAST: tuple[tuple[str, str, str], ...] = (
    ("1.1", "Participants: suitable source of data", "patients"),
    ("1.2", "Participants: suitable inclusion and exclusion", "flow"),
    ("2.1", "Predictors: defined and measured alike for all", "preparation"),
    ("2.2", "Predictors: assessed without knowledge of the outcome", ""),
    ("2.3", "Predictors: available when the model is to be used", ""),
    ("3.1", "Outcome: determined suitably", ""),
    ("3.2", "Outcome: a prespecified or standard definition", "endpoints"),
    ("3.3", "Outcome: predictors are no part of it", "leakage"),
    ("3.4", "Outcome: determined alike for all", ""),
    ("3.5", "Outcome: determined without knowledge of the predictors", ""),
    ("3.6", "Outcome: suitable time between predictors and outcome", "horizon follow_up"),
    ("4.1", "Analysis: enough participants with the outcome", "sample_size"),
    ("4.2", "Analysis: continuous and categorical predictors handled well", "cutpoints"),
    ("4.3", "Analysis: all participants enrolled are in it", "flow"),
    ("4.4", "Analysis: missing data handled well", "missing"),
    ("4.5", "Analysis: no selection of predictors by univariable tests", "leakage"),
    ("4.6", "Analysis: censoring, competing risks, sampling accounted for", "complexities"),
    ("4.7", "Analysis: suitable measures of performance", "performance"),
    ("4.8", "Analysis: overfitting and optimism accounted for", "optimism"),
    ("4.9", "Analysis: the final model is the one reported", "model"),
)


def reporting_table(checklist: str = "remark", run: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return the items of a reporting checklist with what the run knows.

    Parameters
    ----------
    checklist
        ``"remark"``, ``"tripod+ai"`` or ``"probast"`` (its signalling questions; their verdicts are for the reader).
    run
        The record of the run: results under their names, from which answers are made (``associations``, of `associate`,
        ``imputed``, of `associate_imputed`, ``kaplan_meier``, ``cutpoint``, of `optimal_cutpoint`, ``follow_up``,
        ``evaluation``, ``cross_validated`` (the summary of one, as a run writes it), ``model``, ``validation``,
        ``subgroups``, of `subgroup_performance`, ``validation_size``, of `validation_sample_size`), and texts under the
        name of a question (such as ``patients``, ``assay``, ``endpoints``, ``methods``), which win.

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
    lists = {"remark": _REMARK, "tripod+ai": _TRIPOD, "probast": _PROBAST}
    if checklist not in lists:
        raise DataError(f"Unknown checklist {checklist!r}; use {', '.join(map(repr, lists))}.")
    answers = known_answers(run or {})
    rows = []
    for item, topic, keys in lists[checklist]:
        known = " ".join(answers[key] for key in keys.split() if key in answers)
        rows.append({"item": item, "topic": topic, "answer": known or GAP, "filled": bool(known)})
    table = pd.DataFrame(rows)
    table.attrs["note"] = NOTE
    return table
