"""Columns of tables of differential expression: a value per gene, not per sample, in the words of every common tool.

Seurat, scanpy, DESeq2, edgeR, limma and GEO2R, sleuth, Cuffdiff, NOISeq, EBSeq, SAM, MAST, and tables written by hand.
"""

from __future__ import annotations

import re

__all__ = ["is_statistic", "is_telling"]

# By themselves these say that a table holds test statistics.
_TELLING = re.compile(
    r"(avg_?)?(log_?2?|ln|log10|log_?e|shrunken_?|post|real|raw|mean_|avg_)?_?(fold_?changes?|fc|lfc|fold_?chg|foldch)(_\w+)?|"
    r"(log2?_?)?ratio(_\w+)?|lfc_?se|(padj|adj_?p|p_?adj(usted)?)(_?val(ue)?s?)?(_\w+)?|"
    r"(nominal_?|raw_?|adj(usted)?_?|nom_?|emp_?|perm_?|corrected_?)?p_?val(ue)?s?(_?(adj(usted)?|fdr|bh|bonferroni|raw|corrected))?(_\w+)?|"
    r"(fdr|fwer|bonferroni)_?(q|p)?(_?val(ue)?s?)?(_adj)?|s_?value|base_?mean(_?[ab])?|ave_?expr|avg_?expr|log_?cpm|"
    r"log(fold_?changes|2_fold_change)|(neg_?|minus_?|n)?log_?10_?(p|padj|fdr|pval|pvalue|q)(_?\w*)|pct_(1|2|nz_group|nz_reference|in|out|diff)|"
    r"\w*(p_?val|padj|q_?val|fdr|fold_?change|log_?2?_?fc)\w*|t_?stat(istic)?s?|test_?stat(istic)?|wald(_?stat\w*)?|z_?stat\w*|f_?stat\w*|chi_?sq\w*|lr_?stat\w*|se_b|mean_obs|var_obs|tech_var|"
    r"sigma_sq|smooth_sigma_sq|final_sigma_sq|rss|degrees_free|ppde|ppee|d_?score|my_?auc|avg_diff|odds_?ratio|"
    r"hazard_?ratio|hr|hr_95[lh]|ci_?(low|high|lower|upper)\w*|(lower|upper)_?(ci|95)\w*|nes|effect_?size|cohens?_?d|hedges_?g|prob_de|"
    r"logfc_\w+|coef(ficient)?|beta|std_?err(or)?|rho|spearman\w*|pearson\w*|cor(relation)?|significan\w*|sig|value_[12]|mean_?(diff|in_group)\w*",
    re.IGNORECASE,
)
# These may as well be samples; they count beside a telling one.
_FURTHER = re.compile(
    r"t|p|b|f|z|stat|scores?|auc|power|cluster|lr|pvals?|z_?score|weight|direction|prob|ranking?|se|sd|df|"
    r"(mean|avg|median|expr)(_\w*)?|status|size|es|nlog10_\w+|dispersion|converge\w*|max_?cooks|intercept|group",
    re.IGNORECASE,
)


def _word(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name.strip()).strip("_")


def is_telling(name: str) -> bool:
    """Whether a name says by itself that its column holds a test statistic: a fold change, a p or an adjusted p."""
    return bool(_TELLING.fullmatch(_word(name)))


def is_statistic(name: str) -> bool:
    """Whether a column of this name may hold a test statistic, beside one that does for certain."""
    return is_telling(name) or bool(_FURTHER.fullmatch(_word(name)))
