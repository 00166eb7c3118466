"""Every table that a run writes, declared once: path, columns with type and meaning, what is printed, when it is empty.

The workflow's steps write through these declarations, so that every cohort's table has the same columns whether or not
it has rows; the report, the manual and the tests read them. A new column is a new line here, and the code that
computes it.
"""

from __future__ import annotations

from mtorscore._alteration_results import ALTERATION_TABLES
from mtorscore._result_columns import (
    ADJUSTED_FOR,
    BESIDE,
    COMPETING,
    ENDPOINT,
    HORIZON,
    LEVEL,
    METHOD,
    MODEL,
    OBSERVATION,
    POSITIVE,
    PREDICTOR,
    REASON,
    SIGNATURE,
    TECHNICAL,
    VALID,
    Column,
    Table,
    agreement,
)  # fmt: skip

__all__ = ["BESIDE", "FORMAT", "TABLES", "Column", "Table"]

FORMAT = 2
"""Raised whenever a table of a run comes to mean something else; those of 0.1.0 were 1."""

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


EXCLUSIONS = Table(
    "exclusions", "exclusions.tsv", (
        Column("sample", "text", "name in the expression matrix; all N where a rule is about all of them"),
        Column("patient", "text", "whose sample it is"),
        Column("rule", "text", "the rule that applied"),
        Column("reason", "text", "the same in words"),
        Column("effect", "text", "dropped; no OS and the like (kept, but without that outcome); or kept"),
    ),
    step="prepare", empty="Nothing was left out or changed.", report=True, script=True,
)  # fmt: skip

GENES = Table(
    "genes", "genes.tsv", (
        Column("id", "text", "the published identifier"),
        Column("symbol", "text", "current symbol that it was mapped to"),
        Column("match", "text", "how: current symbol, former symbol, alias, Ensembl, Entrez, ..."),
        Column("fate", "text", "kept, collapsed (another row of the same gene is used) or dropped"),
        Column("note", "text", "what else there is to say, such as an ambiguous alias"),
    ),
    step="prepare", report=True,
)  # fmt: skip

SCORES = Table("scores", "scores/{method}.tsv", (OBSERVATION,), step="score", per_signature=True)
RATIOS = Table("ratio", "linear/ratio.tsv", (OBSERVATION,), step="score", per_signature=True)
PANELS = Table("panel", "linear/panel.tsv", (OBSERVATION,), step="score", per_signature=True)

COVERAGE = Table(
    "coverage", "scores/coverage.tsv", (
        SIGNATURE,
        Column("n_up", "count", "genes that rise with what the signature measures"),
        Column("matched_up", "count", "of the rising genes, those in the matrix"),
        Column("n_down", "count", "genes that fall with it"),
        Column("matched_down", "count", "of the falling genes, those in the matrix"),
        Column("coverage", "share", "share of all genes in the matrix, from 0 to 1"),
        Column("one_direction", "flag",
               "of a signature with rising and falling genes, whether the matrix holds genes of one direction only"),
        Column("missing", "text", "genes that were not found"),
        Column("reason", "text", "why there is no score"),
        Column("standardised_by", "text",
               "of a sum over other scores: the samples whose mean and SD its parts are measured in"),
        Column("grade", "text",
               "what the score was shown to read in tumours of this kind, or in all contexts where that is not known"),
    ),
    step="score", printed="signature n_up matched_up n_down matched_down coverage one_direction reason grade",
    report=True,
    script=True,
)  # fmt: skip

TECHNICAL_NOISE = Table(
    "technical", "technical.tsv", (
        METHOD, SIGNATURE, TECHNICAL,
        Column("source", "text", "thinning: random halves of the reads of each sample"),
        Column("n", "count", "samples that were halved"),
        Column("n_splits", "count", "how often"),
        REASON,
    ),
    step="score", empty="The values of this cohort are no counts, so that the noise of counts is not known.",
)  # fmt: skip

ASSOCIATIONS = Table(
    "associations", "relate/associations.tsv", (
        METHOD, SIGNATURE, ENDPOINT, MODEL, ADJUSTED_FOR,
        Column("effect", "text", "what hr is: a hazard ratio"),
        POSITIVE, HORIZON, LEVEL,
        Column("n", "count", "patients in the model"),
        Column("events", "count", "patients in whom the event happened"),
        Column("parameters", "count", "parameters of the model"),
        Column("hr", "number",
               "hazard ratio per standard deviation of the score; above 1, a worse outcome with a higher score"),
        Column("hr_low", "number", "lower end of its 95% interval"),
        Column("hr_high", "number", "upper end of its 95% interval"),
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
        Column("null_percentile", "number",
               "percent of random signatures of the same size and expression with a weaker association"),
        Column("null_p", "p-value", "p value among those random signatures"),
        Column("n_null", "count", "how many random signatures"),
        Column("unadjusted_same_n", "number", "hazard ratio of the score alone in the patients of the adjusted model"),
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
        Column("null_percentile", "number",
               "percent of random signatures of the same size and expression with a weaker association"),
        Column("null_p", "p-value", "p value among those random signatures"),
        Column("n_null", "count", "how many random signatures"),
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

CELLS = Table(
    "cells", "relate/cells.tsv", (
        METHOD,
        Column("sample", "text", "whose cells"),
        Column("cell_type", "text", "of which type"),
        SIGNATURE,
        Column("n_cells", "count", "cells with a score"),
        Column("mean", "number", "mean score over these cells"),
        Column("median", "number", "median score"),
        Column("sd", "number", "standard deviation over these cells"),
    ),
    step="relate", printed="sample cell_type signature n_cells mean median sd",
    empty="This cohort has no group of ten cells.", report=True, script=True,
)  # fmt: skip

CONTRASTS = Table(
    "contrasts", "contrast/contrasts.tsv", (
        METHOD,
        Column("contrast", "text", "which groups, by their own names; a positive difference means higher in the first"),
        Column("design", "text", "groups, pairs (within what pairs them), or trend (difference per step of the order)"),
        Column("adjusted_for", "text", "what pairs or blocks samples, and the covariates"),
        SIGNATURE,
        Column("n", "count", "samples in the model"),
        Column("n_treated", "count", "samples of the first group"),
        Column("n_control", "count", "samples of the second group"),
        Column("n_blocks", "count", "pairs or blocks; 1 where the design has none"),
        Column("difference", "number", "difference of the means, in units of the score, as the design allows for"),
        Column("low", "number", "lower end of its 95% interval"),
        Column("high", "number", "upper end of its 95% interval"),
        Column("hedges_g", "number", "difference in residual standard deviations (Hedges' g)"),
        Column("g_low", "number", "lower end of its 95% interval"),
        Column("g_high", "number", "upper end of its 95% interval"),
        Column("difference_sd", "number", "difference in standard deviations between samples of one group"),
        Column("auroc", "share", "share of pairs of samples in which the first group's score is higher; 0.5 is chance"),
        Column("p", "p-value", "by permutation of the groups, within pairs or blocks"),
        Column("least_p", "p-value", "the least p that so many arrangements can show"),
        Column("p_t", "p-value", "of the t test"),
        Column("p_moderated", "p-value", "of the t test with a variance shrunk to that of the other signatures"),
        Column("p_robust", "p-value", "of a test that lets variances differ"),
        Column("df", "number", "residual degrees of freedom"),
        Column("q", "p-value",
               "p_moderated (p_t below ten signatures) adjusted for the number of signatures and groups tested "
               "(Benjamini and Hochberg), within one method and comparison"),
        TECHNICAL,
        Column("smallest_difference", "number",
               "technical noise alone shows a larger difference in 5% of experiments of this design"),
        Column("below_smallest", "flag", "whether the difference is within technical noise"),
        *agreement("a difference", above="higher in the first group, or along the order"),
        REASON,
    ),
    step="contrast",
    printed="contrast design signature n_treated n_control difference hedges_g g_low g_high p_moderated q",
    empty="All samples are of one group, so no groups were compared.", report=True, script=True,
)  # fmt: skip

GSEA = Table(
    "gsea", "relate/gsea.tsv", (
        Column("comparison", "text", "which groups of samples"),
        Column("contrast", "text", "the same in words; a positive score means higher in the first"),
        Column("n_first", "count", "samples of the first group"),
        Column("n_second", "count", "samples of the second group"),
        SIGNATURE,
        Column("direction", "text", "the signature's up genes or its down genes, tested apart"),
        Column("es", "number", "enrichment score: peak of the running sum"),
        Column("nes", "number", "the same relative to its permutations"),
        Column("p", "p-value", "nominal p value, at least 1 / (permutations + 1)"),
        Column("q", "p-value", "false discovery rate within the comparison, at least 1 / (permutations + 1)"),
        Column("n_genes", "count", "genes of the set in the matrix"),
        Column("permutation", "text",
               "what was permuted: samples (in groups of seven or more) keep the correlation of genes, genes do not"),
        Column("leading_edge", "text", "the genes up to the peak"),
        Column("reason", "text", "why there is no result"),
    ),
    step="gsea", printed="signature direction n_genes es nes p q permutation",
    empty="No two groups of samples have three members each, so no enrichment was computed.", report=True,
    script=True,
)  # fmt: skip

META = Table(
    "meta", "", (
        METHOD, SIGNATURE, ENDPOINT, MODEL, ADJUSTED_FOR,
        Column("effect", "text", "what hr is: a hazard ratio"),
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

ACTIVATION = Table(
    "activation", "relate/activation.tsv", (
        METHOD, SIGNATURE,
        Column("n_tumour", "count", "tumours"),
        Column("n_reference", "count", "samples of normal tissue"),
        Column("difference", "number", "mean of tumours minus mean of normal tissue, in SD of normal tissue"),
        Column("difference_low", "number", "lower end of its 95% interval, by bootstrap of both"),
        Column("difference_high", "number", "upper end of its 95% interval"),
        Column("p", "p-value", "rank test (Mann-Whitney)"),
        Column("q", "p-value", "p value adjusted for the number of signatures tested (Benjamini and Hochberg)"),
        Column("threshold", "number", "score beyond which a tumour counts as active"),
        Column("active", "share", "share of tumours beyond it, on the side of activity"),
        Column("active_low", "share", "lower end of its 95% interval"),
        Column("active_high", "share", "upper end of its 95% interval"),
        Column("sign", "number", "1 where the score rises with activity, -1 where it falls"),
        Column("called", "flag", "whether tumours may be called active"),
        TECHNICAL,
        *agreement("a difference", above="the score is higher in tumours"),
        *agreement("a share", above="more than half of the tumours are active", prefix="active_"),
        REASON,
    ),
    step="relate", printed="signature n_tumour n_reference difference difference_low difference_high active called",
    empty="There are not three tumours and three samples of normal tissue, so tumours were not compared with it.",
    report=True, script=True,
)  # fmt: skip

BOARD = Table(
    "board", "", (
        Column("cohort", "text", "cohort"),
        Column("branch", "text", "branch of the pathway"),
        Column("title", "text", "the same in words"),
        SIGNATURE, METHOD,
        Column("sign", "number", "1 where the score rises with mTOR activity, -1 where it falls, 0 where neither is "
               "claimed"),
        Column("level_of_evidence", "text", "what a transcript score can mean here"),
        Column("grade", "text", "how the signature fared against measured activity in tumours of this kind"),
        Column("coverage", "share", "share of the signature's genes in the matrix"),
        Column("compared", "text", "what is compared with what, and in which unit"),
        Column("shift", "number", "shift"),
        Column("shift_low", "number", "lower end of its 95% interval"),
        Column("shift_high", "number", "upper end of its 95% interval"),
        Column("active", "share", "share of tumours beyond the reference, where a call is allowed"),
        Column("active_low", "share", "lower end of its 95% interval"),
        Column("active_high", "share", "upper end of its 95% interval"),
        Column("not_called", "text", "why no share is given"),
        ENDPOINT,
        Column("n", "count", "patients"),
        Column("events", "count", "events"),
        Column("hr", "number", "hazard ratio per SD of the score"),
        Column("hr_low", "number", "lower end of its 95% interval"),
        Column("hr_high", "number", "upper end of its 95% interval"),
        Column("p", "p-value", "its p value"),
        Column("q", "p-value", "adjusted for the number of signatures tested"),
        VALID,
        Column("valid_reason", "text", "why the ratio cannot be trusted"),
        Column("proportional", "flag", "whether no change of the ratio over time was found"),
        Column("beside", "text", "beside which negative controls the association holds"),
        Column("holds", "flag", "whether it is valid, significant (q), beyond random signatures and beside "
               "proliferation"),
        Column("readable", "flag", "whether the score may be read here"),
        REASON,
    ),
    empty="No leading signature was scored.",
)  # fmt: skip

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        *(EXCLUSIONS, GENES, SCORES, COVERAGE, RATIOS, PANELS, TECHNICAL_NOISE, ASSOCIATIONS, CLASS_EFFECTS),
        *(
            CLASSIFIERS,
            KAPLAN_MEIER,
            NULLS,
            SURVIVAL_MODELS,
            PREDICTIONS,
            CALIBRATION,
            SMOOTH_CALIBRATION,
            DECISION,
            CELLS,
        ),
        *(ACTIVATION, CONTRASTS, GSEA, *ALTERATION_TABLES, META, BOARD),
    )
}
"""Name -> table, in the order in which a run writes them; the report computes `META` and `BOARD`."""
