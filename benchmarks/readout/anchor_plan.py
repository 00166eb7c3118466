"""What the tissue anchor declares before any number of it is looked at: claims, antibodies, families, tests.

Six rows had been seen when this was written (`SEEN`); nothing here was chosen by them.
"""

from __future__ import annotations

from mtorscore.collection import Entry

__all__ = [
    "ANTIBODIES",
    "AXIS_OF_BRANCH",
    "CONFOUNDERS",
    "LEAST_SITE",
    "N_RANDOM",
    "PAIRED",
    "PLAN",
    "SEEN",
    "claim",
]

# Branch -> measured axis, and whether the claim is the entry's own sign under mTOR activity (None) or fixed. A branch
# without an axis has no antibody that measures what it is named after.
AXIS_OF_BRANCH: dict[str, tuple[str, int | None]] = {
    **dict.fromkeys(("mtorc1", "s6k", "srebp1", "srebp2", "pparg", "autophagy_tfeb", "feedback", "tsc"), ("pS6", None)),
    "drug": ("pS6", None),
    "ampk_lkb1": ("pS6", None),
    **dict.fromkeys(("mtorc2_akt", "pi3k", "pten", "insulin_igf"), ("pAKT", None)),
    "eif4e": ("p4E-BP1", None),
    "ras_mnk": ("MAPK_pT202_Y204", 1),
}
# Axes and antibodies that every score is held against.
ANTIBODIES: tuple[str, ...] = (
    "pS6", "pAKT", "p4E-BP1", "lipogenic enzymes", "S6_pS235_S236", "S6_pS240_S244", "Akt_pS473", "Akt_pT308",
    "4E-BP1_pS65", "4E-BP1_pT37_T46", "p70S6K_pT389", "mTOR_pS2448", "PRAS40_pT246", "MAPK_pT202_Y204", "AMPK_pT172",
    "ACC_pS79", "FASN",
)  # fmt: skip
# Partial correlations, one group at a time; the tissue source site stands beside them.
CONFOUNDERS: dict[str, tuple[str, ...]] = {
    "proliferation": ("META_PCNA",),
    "hepatocyte": ("HEPATOCYTE_IDENTITY",),
    "stroma_immune": ("ESTIMATE_STROMAL", "ESTIMATE_IMMUNE"),
}
LEAST_SITE = 3
"""Sites with fewer tumours count as one."""
N_RANDOM = 1000
# mRNA -> its own protein, as a check that both layers are of one tumour.
PAIRED: tuple[tuple[str, str], ...] = (
    ("EIF4EBP1", "4E-BP1"), ("ACACA", "ACC1"), ("FASN", "FASN"), ("SCD", "SCD"), ("RPS6", "S6"), ("MTOR", "mTOR"),
    ("RPTOR", "Raptor"), ("RICTOR", "Rictor"), ("TSC2", "Tuberin"), ("PTEN", "PTEN"), ("IRS1", "IRS1"),
    ("EIF4E", "eIF4E"), ("CDH1", "E-Cadherin"), ("EGFR", "EGFR"), ("ERBB2", "HER2"), ("CAV1", "Caveolin-1"),
    ("CCNB1", "Cyclin_B1"), ("ASNS", "ASNS"),
)  # fmt: skip
SEEN: dict[str, tuple[str, ...]] = {
    "LIHC": (
        "AKT_AXIS", "FOXO_TARGETS_AKT_OFF", "MTORC1_FOOTPRINT", "HALLMARK_MTORC1_SIGNALING", "MTOR_UP.V1",
        "SREBP1_LIPOGENIC_CORE",
    )
}  # fmt: skip
"""Scores whose correlation with pAKT, pS6 and FASN had been seen in that cohort before this was written."""
SEEN_AGAINST = ("pAKT", "pS6", "FASN")

PLAN: tuple[str, ...] = (
    (
        "Scores: singscore on log2(value + 1) in current symbols, primary tumours, one per patient; the parts of a "
        "composite are standardised over the tumours of the cohort. An entry whose weights were learned from these "
        "tumours (added with library 2.1) has the weights that its procedure gives without the cohort, and is a "
        "weighted mean of log values, as it is made for."
    ),
    (
        "Statistic: Spearman's correlation within a cohort, with Fisher's interval and the standard error of Bonett "
        "and Wright (Psychometrika 2000). Nothing is pooled over cohorts but correlations."
    ),
    (
        "Claim: an entry with a sign claims to move with the axis of its branch (mTORC1, S6K, SREBP, PPAR gamma, "
        "autophagy, feedback, TSC, AMPK and drug templates: pS6; mTORC2, PI3K, PTEN and insulin: pAKT; eIF4E: p4E-BP1; "
        "MAPK: phospho-ERK). Axes are means of the log2 levels of their antibodies."
    ),
    (
        "Family: the claims of one cohort (or of one combination of cohorts) are one family of Benjamini and Hochberg; "
        "all other pairs of that cohort are another, shown for completeness."
    ),
    (
        "Beside each correlation: partial correlations (of ranks) given proliferation, hepatocyte identity, stroma "
        f"with immune content, and tissue source site (sites of fewer than {LEAST_SITE} tumours count as one), one at "
        f"a time; the percentile among {N_RANDOM} random signatures matched on size, direction and expression (20 "
        "bins), scored alike, 50 being the middle of chance and 100 more positive than all; the ceiling, which is "
        "the mean agreement of the antibodies of the axis with each other."
    ),
    (
        "Combination: random effects (REML) on Fisher's scale, over the cohorts that are no liver tumours (Wald "
        "interval, three cohorts) and over all (Hartung and Knapp)."
    ),
    (
        "Grade of a claim in a context (HCC: LIHC; CCA: CHOL; other tumours: the combination of STAD, UVM and DLBC): "
        "as expected where the 95% interval lies on the claimed side of 0, opposed where it lies on the other, none "
        "where it holds 0. By chance one claim in forty would read as expected and one in forty opposed; q stands "
        "beside."
    ),
)


def claim(entry: Entry) -> tuple[str, int]:
    """Return the axis that an entry claims to follow and the direction, ``("", 0)`` where it claims none."""
    axis, fixed = AXIS_OF_BRANCH.get(entry.branch, ("", None))
    direction = entry.sign if fixed is None else fixed
    return (axis, direction) if axis and direction and entry.kind in {"signature", "composite"} else ("", 0)
