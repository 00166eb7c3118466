"""How the library's own estimators are learned and judged, written and committed before anything was fitted."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ARM_BRANCHES",
    "COMPARATORS",
    "ENSEMBLE",
    "LAMBDAS",
    "LEFT_OUT_SETS",
    "N_GENES",
    "PLAN",
    "TARGETS",
    "Target",
]


@dataclass(frozen=True)
class Target:
    """What one estimator is to follow.

    Parameters
    ----------
    entry, title, branch
        Id, title and branch of the library's entry.
    axis
        Measured axis of `benchmarks.readout.rppa.AXES`.
    activity
        Key of the perturbations' designed change.
    rapalogs
        Whether rapalogs count as inhibition of the target: they lower pS6 and leave most of p4E-BP1.
    """

    entry: str
    title: str
    branch: str
    axis: str
    activity: str
    rapalogs: bool


TARGETS: tuple[Target, ...] = (
    Target("MTORC1_ACTIVITY", "mTORC1 activity, learned on phospho-S6", "mtorc1", "pS6", "mtorc1", True),
    Target("AKT_ACTIVITY", "AKT activity, learned on phospho-AKT", "mtorc2_akt", "pAKT", "akt", False),
    Target("EIF4E_RELEASE", "eIF4E release, learned on phospho-4E-BP1", "eif4e", "p4E-BP1", "mtorc1", False),
)
# Arms: every signature with a sign of these branches.
ARM_BRANCHES: tuple[str, ...] = (
    "mtorc1", "s6k", "eif4e", "srebp1", "srebp2", "mtorc2_akt", "pi3k", "pten", "tsc", "ampk_lkb1", "autophagy_tfeb",
    "hypoxia_vegf", "ras_mnk", "insulin_igf", "feedback", "pparg",
)  # fmt: skip
# Their genes are no candidates: toxicity and lineage would be learned.
LEFT_OUT_SETS: tuple[str, ...] = (
    "META_PCNA", "CELL_CYCLE_G1S", "CELL_CYCLE_G2M", "HALLMARK_E2F_TARGETS", "HALLMARK_G2M_CHECKPOINT",
    "HEPATOCYTE_IDENTITY", "ESTIMATE_STROMAL", "ESTIMATE_IMMUNE",
)  # fmt: skip
COMPARATORS: tuple[str, ...] = (
    "SREBP1_LIPOGENIC_CORE", "HALLMARK_MTORC1_SIGNALING", "MTOR_UP.V1", "PROGENY_PI3K", "MTORC1_FOOTPRINT_LEARNED",
)  # fmt: skip
N_GENES = 150
"""Genes of an entry."""
LEAST_LANDMARKS = 30
LAMBDAS: tuple[float, ...] = (1.0, 10.0, 100.0)
STUDY_WEIGHT = 20.0
"""A perturbation study counts as so many tumours."""
ARM_SHRINKAGE = 300.0
"""Tumours' worth of evidence that a gene needs to stand apart from its arm."""
ENSEMBLE: tuple[str, ...] = ("arms", "genes", "marginal")
"""Parts of the ensemble, of equal weight; the entry is the ensemble whatever the parts do."""

_TEXT = f"""
Data: tumours of five cohorts (LIHC, CHOL, STAD, UVM, DLBC) with RNA and RPPA, and seven perturbation studies
(CRISPR, MCF10A, HMEC, Tsc1, rapamycin in mouse liver, rapamycin in a proteome, L1000). A cohort, and a study,
is one block: everything is centred within it, and it is left out whole.

Target: normal scores of the ranks of the axis within the cohort (pS6; pAKT; p4E-BP1). Of a perturbation, its
designed direction, +1 or -1. Rapalogs are inhibition for pS6 only, and L1000 is of no use to the other targets.

Candidate genes: measured in all training cohorts and among the upper 60% by mean log2 level in most of them;
not in sets of proliferation, hepatocyte identity, stroma or immune content. A gene is centred within its block
and divided by its SD there; for a contrast without samples its deviates are standardised over genes.

Drugs: rank scores of genes within each drug, centred per gene over all drugs, so that what drugs share,
toxicity among it, is not mTOR. Rapalogs have the target -1, every other drug 0; both together weigh as one
study, half to either.

Arms: weighted mean deviate of each signature with a sign of the mTOR branches, in the direction that the
library claims. Their coefficients are not negative: an arm may be ignored, and is not turned around. An entry
whose weights were learned from these data is no arm.

Three parts. 'arms': non-negative ridge on the arms. 'genes': ridge on the candidate genes, with the arms' own
coordinates in the penalty (half of the kernel is arms, half genes), which shrinks genes towards their arms.
'marginal': each gene's correlation with the target, within blocks, averaged over blocks by size, and shrunken
towards the mean of its arms (0 without an arm) as if the arm were {ARM_SHRINKAGE:g} tumours.

A perturbation study weighs as {STUDY_WEIGHT:g} tumours. The penalty is one of {
    ", ".join(f"{v:g}" for v in LAMBDAS)
} (in units of the kernel's mean diagonal), by the mean correlation in tumour cohorts left out within
the training data.

The entry is the mean of the three parts' gene weights, each scaled to the same variance of its score over
training tumours, cut to the {N_GENES} genes of largest weight in SD; where fewer than {LEAST_LANDMARKS} are
L1000 landmarks, the next landmarks take the place of the smallest others. Weights are for log values (divided
by the mean SD of the gene over training cohorts).

Judged: the whole procedure is run again without each cohort (correlation with the axis there, by the weighted
mean of log values), and without each perturbation study (AUROC of samples within their block, mTORC1 on against
off, mean over the contrasts of a study; for L1000 the AUROC of three rapalogs against 1,167 other drugs).
Correlations of cohorts are combined by random effects on Fisher's scale (Hartung and Knapp), and by weights n -
3 beside it; AUROC over studies has a t interval. Comparators are scored alike by the weighted mean of gene
deviates in the same cohorts and studies, and the difference to each is given with an interval by resampling
tumours within cohorts.

Verdict: an aim is met where the lower bound of the interval reaches it, missed where the upper bound does not,
not decided otherwise. The entry ships as experimental unless its left-out correlation is above 0 by interval
and its difference to SREBP1_LIPOGENIC_CORE and HALLMARK_MTORC1_SIGNALING is above 0 by interval.
"""
PLAN: tuple[str, ...] = tuple(" ".join(p.split()) for p in _TEXT.strip().split("\n\n"))
"""The procedure, a paragraph each."""
