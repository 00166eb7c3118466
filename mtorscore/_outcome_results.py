"""Tables that a run writes of scores and outcomes: associations, curves, predictions, calibration, meta-analysis."""

from __future__ import annotations

from mtorscore._result_columns import (
    ADJUSTED_FOR,
    AMONG_RANDOM,
    COMPETING,
    EFFECT,
    ENDPOINT,
    EVENTS,
    HAZARD_RATIO,
    HORIZON,
    LEVEL,
    METHOD,
    MODEL,
    OBSERVATION,
    POSITIVE,
    PREDICTOR,
    REASON,
    SAME_PATIENTS,
    SIGNATURE,
    TECHNICAL,
    VALID,
    Column,
    Table,
    agreement,
)  # fmt: skip

NO_OUTCOME = "This cohort has no survival data, so no score was related to an outcome."


def _evaluated(metric: str, events: str) -> tuple[Column, ...]:
    """Columns of cross-validated models."""
    return (
        METHOD,
        ENDPOINT,
        PREDICTOR,
        Column("metric", "text", metric),
        Column("value", "number", "its mean over the folds, in held-out patients"),
        Column("low", "number", "lower end of its 95% interval, by bootstrap over patients"),
        Column("high", "number", "upper end of its 95% interval"),
        Column("n", "count", "patients"),
        Column("events", "count", events),
        POSITIVE,
        HORIZON,
        COMPETING,
        LEVEL,
        VALID,
        REASON,
        Column("reference", "text", "the model that it is compared with on the same folds"),
        Column("difference", "number", "value minus that of the reference"),
        Column("difference_low", "number", "lower end of the difference's 95% interval"),
        Column("difference_high", "number", "upper end of the difference's 95% interval"),
        Column("folds", "count", "parts of the data that were left out in turn"),
        Column("folds_scored", "count", "those in which the metric is defined"),
    )


ASSOCIATIONS = Table(
    "associations", "relate/associations.tsv", (
        METHOD, SIGNATURE, ENDPOINT, MODEL, ADJUSTED_FOR,
        EFFECT,
        POSITIVE, HORIZON, LEVEL,
        Column("n", "count", "patients in the model"),
        EVENTS,
        Column("parameters", "count", "parameters of the model"),
        *HAZARD_RATIO,
        Column("p", "p-value", "p value of the score in this model"),
        Column("q", "p-value",
               "p value adjusted for the number of signatures tested (Benjamini and Hochberg), within one method, "
               "endpoint and model"),
        COMPETING,
        Column("subdistribution_hr", "number",
               "with competing events: ratio of the subdistribution hazards (Fine and Gray) per standard deviation of "
               "the score, that is of the cumulative incidence; hr is then of the cause-specific hazards"),
        Column("subdistribution_low", "number", "lower end of its 95% interval (Student's t on events - 1)"),
        Column("subdistribution_high", "number", "upper end of its 95% interval"),
        Column("subdistribution_se", "number", "robust standard error of its logarithm, as cmprsk::crr"),
        Column("subdistribution_p", "p-value", "its p value, by Student's t"),
        Column("subdistribution_q", "p-value", "that p value adjusted like q"),
        Column("subdistribution_normal_p", "p-value",
               "its p value by the normal distribution, as cmprsk::crr: too small with few events"),
        Column("ph_p", "p-value", "test of proportional hazards; small means that the ratio changes over time"),
        Column("c_index", "number",
               "Harrell's C: share of pairs of patients put in the right order, 0.5 is chance; of the score where "
               "unadjusted, of the fitted model (in sample) where adjusted"),
        Column("c_low", "number", "lower end of its 95% interval"),
        Column("c_high", "number", "upper end of its 95% interval"),
        *AMONG_RANDOM,
        SAME_PATIENTS,
        Column("residual_ratio", "number",
               "on rows adjusted for proliferation: hazard ratio, per its own SD, of the score's residual once "
               "proliferation is regressed out"),
        Column("residual_low", "number", "lower end of its 95% interval"),
        Column("residual_high", "number", "upper end of its 95% interval"),
        Column("residual_p", "p-value", "its p value"),
        Column("residual_null_p", "p-value", "its p value among random signatures treated alike"),
        Column("sd", "number", "standard deviation of the score"),
        Column("rank_p", "p-value", "p value of the ranks of the score, which outliers cannot pull (unadjusted rows)"),
        Column("largest_dfbeta", "number",
               "most that one patient moves the log ratio, in its standard errors (unadjusted rows)"),
        Column("firth", "flag", "whether Firth's penalty for few events was used"),
        Column("patients", "text",
               "digest of who is in the model, by which cohorts with the same patients are recognised when combined"),
        VALID, REASON, TECHNICAL, *agreement("a ratio", above="a worse outcome with a higher score"),
    ),
    step="relate", printed="signature endpoint adjusted_for n events hr hr_low hr_high p q null_p", empty=NO_OUTCOME,
    report=True, script=True,
)  # fmt: skip

CLASS_EFFECTS = Table(
    "class_effects", "relate/class_effects.tsv", (
        METHOD, SIGNATURE, ENDPOINT, MODEL, ADJUSTED_FOR,
        Column("effect", "text",
               "proportional odds ratio (ordered classes: of a higher one), or odds ratio against the reference class"),
        POSITIVE,
        Column("against", "text", "the reference class; missing for ordered classes"),
        LEVEL,
        Column("n", "count", "patients in the model, of all classes"),
        Column("events", "count",
               "patients of the smaller of the two classes; of ordered classes, all outside of the commonest"),
        Column("odds_ratio", "number", "odds ratio per standard deviation of the score"),
        Column("or_low", "number", "lower end of its interval"),
        Column("or_high", "number", "upper end of its interval"),
        Column("p", "p-value", "p value of the score in this model"),
        Column("q", "p-value",
               "p value adjusted for the signatures and classes tested (Benjamini and Hochberg), within one method, "
               "endpoint and model"),
        Column("overall_p", "p-value", "test of the score for all classes together, by likelihood ratio"),
        Column("proportional_p", "p-value",
               "test of proportional odds (ordered classes); small means that the ratio is an average over the cuts"),
        Column("c_index", "number",
               "share of pairs of two classes put in the right order, 0.5 is chance; unordered: of the class and the "
               "reference"),
        Column("c_low", "number", "lower end of its interval"),
        Column("c_high", "number", "upper end of its interval"),
        *AMONG_RANDOM,
        Column("firth", "flag", "whether Firth's penalty was used, in the model of the two classes alone"),
        VALID, REASON, TECHNICAL, *agreement("an odds ratio", above="higher odds with a higher score"),
    ),
    step="relate",
    printed="signature endpoint adjusted_for positive against n events odds_ratio or_low or_high p q null_p",
    empty="No label of three classes or more, of eight patients each, is declared.", report=True, script=True,
)  # fmt: skip

CLASSIFIERS = Table(
    "classifiers",
    "relate/classifiers.tsv",
    _evaluated(
        "roc_auc: share of pairs of one case and one other put in the right order (0.5 is chance); "
        "average_precision: area under the precision-recall curve (the dummy's value is chance); brier and log_loss: "
        "error of the predicted risks, lower is better; of several classes hand_till (mean AUC over pairs of classes), "
        "ordinal_c (pairs of ordered classes in the right order), accuracy, kappa, roc_auc and recall of each class",
        "patients with the outcome; of several classes, of the smallest",
    ),
    step="relate", printed="method endpoint model metric value low high difference difference_low difference_high",
    empty="There is no label with eight patients of each kind, so nothing was classified.", report=True, script=True,
)  # fmt: skip

KAPLAN_MEIER = Table(
    "km", "relate/km.tsv", (
        METHOD, SIGNATURE, ENDPOINT,
        Column("unit", "text", "unit of the times"),
        Column("group", "text", "low or high"),
        Column("n", "count", "patients of the group"),
        Column("events", "count", "patients of the group in whom the event happened"),
        Column("cut", "number", "value of the score at the cut"),
        Column("time", "time", "follow-up"),
        Column("n_risk", "count", "patients at risk just before this time"),
        Column("n_event", "count", "events at this time"),
        Column("n_competing", "count", "competing events at this time"),
        Column("n_censor", "count", "patients censored at this time"),
        Column("survival", "share", "estimated survival (Kaplan-Meier); missing where there are competing events"),
        Column("incidence", "share",
               "cumulative incidence of the event (Aalen-Johansen), where there are competing events"),
        Column("low", "share", "lower end of the curve's 95% interval (log-log)"),
        Column("high", "share", "upper end of its 95% interval"),
        Column("median", "time", "time at which the curve of the group reaches one half, where it does"),
        Column("logrank_chisq", "number", "log-rank test between the groups: chi-squared statistic"),
        Column("logrank_df", "count", "its degrees of freedom"),
        Column("logrank_p", "p-value", "its p value"),
        HORIZON, COMPETING,
        Column("reason", "text", "why there is no curve of a score, on a row without a time"),
    ),
    step="relate", empty=NO_OUTCOME, report=True,
)  # fmt: skip

NULLS = Table(
    "null", "relate/null.tsv", (
        METHOD, SIGNATURE, ENDPOINT, MODEL, ADJUSTED_FOR,
        Column("statistic", "number", "absolute score-test statistic of the signature"),
        Column("n_null", "count", "how many random signatures"),
        Column("quantiles", "text", "41 quantiles of their absolute statistics, least to largest, separated by blanks"),
    ),
    step="relate", empty="The scores of this cohort were not compared with random signatures.", report=True,
)  # fmt: skip

SURVIVAL_MODELS = Table(
    "survival_models",
    "relate/survival_models.tsv",
    _evaluated(
        "harrell_c and uno_c: share of pairs of patients put in the right order (0.5 is chance); mean_auc: area under "
        "the time-dependent ROC curve (0.5 is chance); integrated_brier: squared error of the risks averaged over "
        "time, lower is better",
        "patients in whom the event happened",
    ),
    step="relate", printed="endpoint model metric value low high difference difference_low difference_high",
    empty="Survival was not predicted: that needs at least ten events, and ten patients followed beyond.",
    report=True, script=True,
)  # fmt: skip

PREDICTIONS = Table(
    "predictions", "relate/predictions.tsv", (
        METHOD, ENDPOINT, PREDICTOR, OBSERVATION, HORIZON,
        Column("risk", "share", "predicted risk, averaged over the repeats of the cross-validation"),
    ),
    step="relate",
)  # fmt: skip

CALIBRATION = Table(
    "calibration", "relate/calibration.tsv", (
        METHOD, ENDPOINT, PREDICTOR, HORIZON,
        Column("group", "count", "fifth of the patients by predicted risk"),
        Column("n", "count", "patients of the group"),
        Column("events", "count", "patients of the group in whom the event happened by the horizon"),
        Column("predicted", "share", "mean predicted risk"),
        Column("observed", "share", "observed risk"),
        Column("low", "share", "lower end of its 95% interval"),
        Column("high", "share", "upper end of its 95% interval"),
        POSITIVE, COMPETING,
    ),
    step="relate", report=True, script=True,
)  # fmt: skip

SMOOTH_CALIBRATION = Table(
    "smooth_calibration", "relate/smooth_calibration.tsv", (
        METHOD, ENDPOINT, PREDICTOR, HORIZON,
        Column("predicted", "share", "predicted risk"),
        Column("observed", "share", "observed risk at this predicted risk, by a smooth model of the outcome"),
        Column("low", "share", "lower end of its 95% band"),
        Column("high", "share", "upper end of its 95% band"),
        Column("ici", "share", "mean distance of smoothed observed and predicted risk over the patients (ICI)"),
        Column("e50", "share", "its median"),
        Column("e90", "share", "its 90th percentile"),
        Column("smoother", "text", "the smooth model"),
        POSITIVE, LEVEL,
    ),
    step="relate", report=True, script=True,
)  # fmt: skip

DECISION = Table(
    "decision", "relate/decision.tsv", (
        METHOD, ENDPOINT,
        Column("model", "text", f"all (everybody is treated), none, or {PREDICTOR.meaning}"),
        HORIZON,
        Column("threshold", "share", "risk above which one would act"),
        Column("net_benefit", "number", "net benefit per patient"),
        Column("acted", "share", "share of patients acted on"),
        POSITIVE, COMPETING,
    ),
    step="relate", report=True, script=True,
)  # fmt: skip

META = Table(
    "meta", "", (
        METHOD, SIGNATURE, ENDPOINT, MODEL, ADJUSTED_FOR,
        EFFECT,
        Column("cohorts", "count", "cohorts combined"),
        Column("n", "count", "patients of all cohorts together"),
        Column("events", "count", "events of all cohorts together"),
        Column("hr", "number", "combined hazard ratio per standard deviation of the score"),
        Column("hr_low", "number", "lower end of its 95% interval"),
        Column("hr_high", "number", "upper end of its 95% interval"),
        Column("p", "p-value", "p value of the combined ratio"),
        Column("prediction_low", "number", "lower end of the interval in which a further cohort's ratio is expected"),
        Column("prediction_high", "number", "its upper end"),
        Column("tau2", "number", "variance between cohorts, on the scale of the log hazard ratio"),
        Column("i2", "share", "share of the variance that lies between cohorts, from 0 to 1"),
        Column("cochran_q", "number", "how far the cohorts lie apart: Cochran's Q"),
        Column("cochran_p", "p-value", "test of whether they differ more than by chance"),
        Column("weights", "text", "share of each cohort in the combined ratio"),
        LEVEL, POSITIVE, HORIZON,
        VALID, REASON,
        Column("q", "p-value", "p value adjusted for the number of signatures tested (Benjamini and Hochberg)"),
    ),
    printed="signature endpoint cohorts n events hr hr_low hr_high p i2",
)  # fmt: skip

OUTCOME_TABLES = (
    *(ASSOCIATIONS, CLASS_EFFECTS, CLASSIFIERS, KAPLAN_MEIER, NULLS, SURVIVAL_MODELS, PREDICTIONS, CALIBRATION),
    *(SMOOTH_CALIBRATION, DECISION),
)
"""In the order in which the step writes them; the report computes `META`."""
