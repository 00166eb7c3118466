"""Tables that a run writes where it was given DNA alterations: classes, alterations, pairs, layers of evidence."""

from __future__ import annotations

from mtorscore._result_columns import (
    ADJUSTED_FOR,
    AMONG_RANDOM,
    ENDPOINT,
    EVENTS,
    HAZARD_RATIO,
    LEVEL,
    METHOD,
    MODEL,
    OBSERVATION,
    REASON,
    SAME_PATIENTS,
    SIGNATURE,
    VALID,
    Column,
    Table,
)  # fmt: skip

STEP = "alterations"
NO_ALTERATIONS = "No table of alterations was given to this run."
BRANCH = Column("branch", "text", "branch of the pathway")
GENE = Column("gene", "text", "altered gene")
CLASS = Column("class", "text", "class of the tumours, by the scheme")
SCHEME = Column("scheme", "text", "which classes")
SHARE = (
    Column("n", "count", "tumours of which it is known"),
    Column("altered", "count", "those that are altered"),
    Column("share", "share", "their share"),
    Column("low", "share", "lower end of its interval (Wilson)"),
    Column("high", "share", "upper end of its interval"),
)

ALTERATION_CALLS = Table(
    "alteration_calls", "alterations/calls.tsv", (
        OBSERVATION, GENE,
        Column("kinds", "text", "kinds of its alterations; empty for none"),
        Column("altered", "number", "1 altered in a way that counts for the gene, 0 not; missing: not known"),
    ),
    step=STEP, empty=NO_ALTERATIONS, report=True,
)  # fmt: skip

ALTERATION_SHARES = Table(
    "alteration_shares", "alterations/shares.tsv", (
        Column("what", "text", "gene, or branch (any of its genes altered so that the branch is expected to rise)"),
        Column("name", "text", "which"),
        Column("genes", "text", "genes that were looked at"),
        Column("effect", "text", "alterations that count: gain of function, loss, or any"),
        *SHARE,
        Column("other", "count", "tumours with an alteration of another kind, which are neither"),
        Column("kinds", "text", "all kinds that were found, with their number"),
        LEVEL,
    ),
    step=STEP, printed="what name n altered share low high kinds",
    empty="No declared gene of the pathway was profiled.", report=True,
)  # fmt: skip

ALTERATIONS = Table(
    "alterations", "alterations/associations.tsv", (
        METHOD, SIGNATURE, BRANCH, GENE,
        Column("effect", "text", "alterations that count: gain of function, loss, or any"),
        Column("declared", "flag", "whether the pair was declared before any result; all others are exploratory"),
        Column("expected", "number", "direction expected of the score: 1, -1, or 0 where none is claimed"),
        MODEL, ADJUSTED_FOR,
        Column("n", "count", "tumours with a score of which it is known whether they are altered"),
        Column("altered", "count", "those that are altered"),
        Column("left_out", "count", "tumours with an alteration of another kind, which are neither"),
        Column("difference", "number", "mean score of altered less that of other tumours, in SD of the score"),
        Column("difference_low", "number", "lower end of its interval (Welch)"),
        Column("difference_high", "number", "upper end of its interval"),
        Column("detectable", "number", "difference in SD that so many tumours show in four of five studies"),
        Column("permutation_p", "p-value", "permutation test of the rank sum"),
        Column("permutations", "text", "exact (all arrangements counted), or sampled"),
        Column("q", "p-value",
               "permutation_p adjusted (Benjamini and Hochberg) over the declared pairs, or apart from them over the "
               "exploratory ones"),
        Column("odds_ratio", "number", "odds ratio of being altered per SD of the score"),
        Column("or_low", "number", "lower end of its interval"),
        Column("or_high", "number", "upper end of its interval"),
        Column("p", "p-value", "p value of the score in this model"),
        Column("c_index", "number", "share of pairs of an altered and another tumour in which the altered is higher"),
        Column("c_low", "number", "lower end of its interval"),
        Column("c_high", "number", "upper end of its interval"),
        *AMONG_RANDOM,
        Column("firth", "flag", "whether Firth's penalty for few altered tumours was used"),
        Column("finding", "text",
               "as expected, against expectation, higher or lower (no direction was claimed), nothing found, or "
               "cannot be said"),
        Column("beside", "text", "beside which negative controls the association holds"),
        LEVEL, VALID, REASON,
        Column("source", "text", "where the expectation comes from"),
    ),
    step=STEP,
    printed="signature gene declared adjusted_for n altered difference difference_low difference_high permutation_p q "
    "finding beside",
    empty="No declared gene of the pathway was profiled in tumours with a score.", report=True,
)  # fmt: skip

CLASSES = Table(
    "classes", "alterations/classes.tsv", (
        OBSERVATION, SCHEME,
        Column("class", "text", "the class; none where the call was rejected"),
        Column("nearest", "text", "the nearest class, rejected or not"),
        Column("p", "p-value", "p value of the nearest template among random markers"),
        Column("q", "p-value", "adjusted for the number of tumours (Benjamini and Hochberg)"),
        Column("margin", "number", "how much nearer than the second class"),
        Column("rejected", "flag", "whether the call was rejected"),
        Column("reason", "text", "why"),
        Column("coverage", "share", "share of the markers in the matrix"),
        Column("reference", "text", "what markers are measured against"),
    ),
    step=STEP, empty="No class was called.", report=True,
)  # fmt: skip

CLASS_CONTRASTS = Table(
    "class_contrasts", "alterations/class_contrasts.tsv", (
        METHOD, SCHEME, CLASS, SIGNATURE, BRANCH,
        Column("n_class", "count", "tumours of the class"),
        Column("n_others", "count", "tumours of the other classes"),
        Column("hedges_g", "number", "mean of the class less that of the others, in residual SD (Hedges' g)"),
        Column("g_low", "number", "lower end of its interval"),
        Column("g_high", "number", "upper end of its interval"),
        Column("p", "p-value", "by permutation of the classes"),
        Column("q", "p-value", "adjusted for the signatures and classes of one method (Benjamini and Hochberg)"),
        REASON,
    ),
    step=STEP, printed="scheme class signature n_class hedges_g g_low g_high p q",
    empty="No two classes have five tumours each, so branches were not compared over classes.", report=True,
)  # fmt: skip

CLASS_LABELS = Table(
    "class_labels", "alterations/class_labels.tsv", (
        SCHEME,
        Column("beside", "text", "what the classes are laid beside: an altered gene, an aetiology, or an outcome"),
        Column("test", "text", "Cramer's V (corrected for its bias), or log-rank"),
        CLASS, *SHARE[:2],
        Column("share", "share", "share of the class that is altered or has the label; of outcomes, of events"),
        SHARE[3], SHARE[4],
        Column("statistic", "number", "Cramer's V from 0 to 1, or chi-squared of the log-rank test, over all classes"),
        Column("p", "p-value", "by permutation (V), or of the log-rank test, over all classes"),
        REASON,
    ),
    step=STEP, printed="scheme beside test class n altered share low high statistic p",
    empty="No class was called, so nothing was laid beside classes.", report=True,
)  # fmt: skip

BEYOND_CLASS = Table(
    "beyond_class", "alterations/beyond_class.tsv", (
        METHOD, SIGNATURE, ENDPOINT, MODEL, ADJUSTED_FOR,
        Column("n", "count", "patients in the model"),
        EVENTS,
        *HAZARD_RATIO,
        Column("p", "p-value", "p value of the score"),
        Column("q", "p-value", "adjusted for the number of signatures, within one method, endpoint and model"),
        SAME_PATIENTS,
        LEVEL, VALID, REASON,
    ),
    step=STEP, printed="signature endpoint adjusted_for n events hr hr_low hr_high p q unadjusted_same_n",
    empty="No survival outcome and class of the same tumours is known.", report=True,
)  # fmt: skip

LAYERS = Table(
    "layers", "alterations/layers.tsv", (
        OBSERVATION, BRANCH,
        Column("layer", "text", "transcript, protein or DNA; layers are never pooled"),
        Column("evidence", "text", "signature, antibody or genes that were looked at"),
        Column("call", "text", "active, not shown (looked at, and nothing found), or cannot be said"),
        Column("value", "number", "score or level; of DNA 1 for altered, missing where a gene cannot be said"),
        Column("threshold", "number", "value from which on the layer calls the branch active"),
        Column("grade", "text", "what the transcript score was shown to read in tumours of this kind"),
        Column("agreement", "text", "over the layers of this tumour and branch: agree, disagree, or one layer"),
        REASON,
    ),
    step=STEP, empty="No layer calls a branch.", report=True,
)  # fmt: skip

LAYER_SHARES = Table(
    "layer_shares", "alterations/layer_shares.tsv", (
        BRANCH,
        Column("layer", "text", "transcript, protein or DNA"),
        Column("evidence", "text", "signature, antibody or genes that were looked at"),
        Column("grade", "text", "what the transcript score was shown to read in tumours of this kind"),
        Column("n", "count", "tumours that the layer calls"),
        Column("active", "count", "those called active"),
        Column("share", "share", "their share"),
        Column("low", "share", "lower end of its interval"),
        Column("high", "share", "upper end of its interval"),
        Column("agree", "count", "tumours of which the other layers with a call say the same"),
        Column("disagree", "count", "tumours of which another layer says otherwise"),
        REASON,
    ),
    step=STEP, printed="branch layer evidence grade n active share low high agree disagree reason",
    empty="No layer calls a branch.", report=True,
)  # fmt: skip

ALTERATION_TABLES = (
    *(ALTERATION_CALLS, ALTERATION_SHARES, ALTERATIONS, CLASSES, CLASS_CONTRASTS, CLASS_LABELS, BEYOND_CLASS),
    *(LAYERS, LAYER_SHARES),
)
"""In the order in which the step writes them."""
