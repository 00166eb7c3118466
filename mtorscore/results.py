"""Every table that a run writes, declared once: path, columns with type and meaning, what is printed, when it is empty.

The workflow's steps write through these declarations, so that every cohort's table has the same columns whether or not
it has rows; the report, the manual and the tests read them. A new column is a new line here, and the code that
computes it.
"""

from __future__ import annotations

from mtorscore._alteration_results import ALTERATION_TABLES
from mtorscore._outcome_results import (
    ASSOCIATIONS,
    CALIBRATION,
    CLASS_EFFECTS,
    CLASSIFIERS,
    DECISION,
    KAPLAN_MEIER,
    META,
    NULLS,
    OUTCOME_TABLES,
    PREDICTIONS,
    SMOOTH_CALIBRATION,
    SURVIVAL_MODELS,
)  # fmt: skip
from mtorscore._result_columns import (
    BESIDE,
    ENDPOINT,
    EVENTS,
    HAZARD_RATIO,
    METHOD,
    OBSERVATION,
    REASON,
    SIGNATURE,
    TECHNICAL,
    VALID,
    Column,
    Table,
    agreement,
)  # fmt: skip

__all__ = [
    "ACTIVATION", "ASSOCIATIONS", "BESIDE", "BOARD", "CALIBRATION", "CELLS", "CLASSIFIERS", "CLASS_EFFECTS",
    "CONTRASTS", "COVERAGE", "DECISION", "EXCLUSIONS", "FORMAT", "GENES", "GSEA", "KAPLAN_MEIER", "META", "NULLS",
    "PANELS", "PREDICTIONS", "RATIOS", "SCORES", "SMOOTH_CALIBRATION", "SURVIVAL_MODELS", "TABLES", "TECHNICAL_NOISE",
    "Column", "Table",
]  # fmt: skip

FORMAT = 2
"""Raised whenever a table of a run comes to mean something else; those of 0.1.0 were 1."""

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
        Column("design", "text",
               "groups, pairs (within what pairs them), trend (difference per step of the order), within (in one value "
               "of the interaction's column) or interaction (difference of two of these differences)"),
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
        Column("shift_q", "p-value",
               "p value of the comparison, adjusted for what was compared (Benjamini and Hochberg)"),
        Column("shift_shown", "flag", "whether the interval excludes 0 and shift_q is small (by the intervals' level)"),
        Column("active", "share", "share of tumours beyond the reference, where a call is allowed"),
        Column("active_low", "share", "lower end of its 95% interval"),
        Column("active_high", "share", "upper end of its 95% interval"),
        Column("not_called", "text", "why no share is given"),
        ENDPOINT,
        Column("n", "count", "patients"),
        EVENTS,
        *HAZARD_RATIO,
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
        *(EXCLUSIONS, GENES, SCORES, COVERAGE, RATIOS, PANELS, TECHNICAL_NOISE, *OUTCOME_TABLES, CELLS),
        *(ACTIVATION, CONTRASTS, GSEA, *ALTERATION_TABLES, META, BOARD),
    )
}
"""Name -> table, in the order in which a run writes them; the report computes `META` and `BOARD`."""
