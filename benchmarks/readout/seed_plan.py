"""What is asked of the data at hand for each system of the seed review, and what its answer would look like.

Each check has an estimate with an interval and a direction (or range) that the review leads one to expect. The first
check of a system decides its answer; the others stand beside it. A system without checks names the data it lacks
(``needs`` in ``signatures/seed_map.yaml``).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CHECKS", "Check"]


@dataclass(frozen=True)
class Check:
    """One question to the data.

    Parameters
    ----------
    kind
        ``"grade"`` (the evidence of an entry in a context), ``"correlation"`` (Spearman, in the tumours of a cohort),
        ``"outcome"`` (hazard ratio per SD), ``"normal"`` (tumours against normal tissue, Hedges' g), ``"share"`` (of
        tumours beyond the normals), ``"ordered"`` (Spearman with an ordered clinical column), ``"perturbation"``
        (Hedges' g or deviate of a contrast), ``"drug"`` (place among 1,170 drugs, as a robust deviate).
    what
        Score, gene (``gene:MTOR``) or antibody (``protein:mTOR_pS2448``).
    where
        Context, cohort or contrast.
    expected
        1 or -1; for ``"share"`` the range.
    other
        The other side of a correlation, the endpoint, or the clinical column.
    only
        Histology that tumours are restricted to.
    """

    kind: str
    what: str
    where: str
    expected: int | tuple[float, float] = 1
    other: str = ""
    only: str = ""


def _grade(what: str, *contexts: str) -> list[Check]:
    return [Check("grade", what, c) for c in contexts]


CHECKS: dict[str, list[Check]] = {
    "S01": [*_grade("MTORC1_FOOTPRINT", "HCC", "cell lines"), *_grade("HALLMARK_MTORC1_SIGNALING", "HCC", "cell lines"),
            *_grade("SREBP1_LIPOGENIC_CORE", "HCC"), *_grade("MTOR_UP.N4.V1", "HCC", "cell lines")],
    "S02": [Check("correlation", "gene:RPTOR", "LIHC", 1, "protein:Raptor"),
            Check("correlation", "gene:MTOR", "LIHC", 1, "protein:mTOR"),
            Check("correlation", "gene:AKT1S1", "LIHC", -1, "protein:pS6")],
    "S03": [*_grade("FOXO_TARGETS_AKT_OFF", "HCC", "CCA", "cell lines"), *_grade("AKT_AXIS", "HCC", "cell lines")],
    "S04": [*_grade("RIBI_CORE", "HCC", "CCA", "cell lines"), *_grade("S6K_RIBI_CURATED", "HCC", "cell lines")],
    "S05": [Check("perturbation", "TOP_RIBOSOMAL_PROTEINS", "rapamycin, SU-DHL-4 proteome", -1),
            Check("perturbation", "EIF4E_SENSITIVE_REVIEW", "rapamycin, SU-DHL-4 proteome", -1),
            *_grade("TOP_RIBOSOMAL_PROTEINS", "HCC")],
    "S06": [],
    "S07": [*_grade("PROGENY_MAPK", "HCC", "other tumours"),
            Check("correlation", "protein:MAPK_pT202_Y204", "LIHC", 1, "protein:p4E-BP1")],
    "S08": [Check("normal", "gene:EIF4E", "tcga-lihc"), Check("normal", "gene:EIF4G1", "tcga-lihc"),
            Check("normal", "gene:EIF4A1", "tcga-lihc"), Check("normal", "gene:EIF4E", "hcc-gse184733")],
    "S09": [*_grade("PROGENY_PI3K", "HCC", "CCA", "cell lines"), *_grade("AKT_UP.V1", "HCC", "cell lines")],
    "S10": [Check("share", "gene:PTEN", "tcga-lihc", (0.4, 0.6), "low"), Check("normal", "gene:PTEN", "tcga-lihc", -1),
            Check("correlation", "gene:PTEN", "LIHC", 1, "protein:PTEN"), *_grade("PTEN_DN.V1", "HCC", "cell lines"),
            *_grade("PTEN_DN.V2", "HCC")],
    "S11": [Check("correlation", "protein:AMPK_pT172", "LIHC", -1, "protein:pS6"),
            Check("correlation", "protein:ACC_pS79", "LIHC", -1, "protein:pS6")],
    "S12": [Check("drug", "HALLMARK_MTORC1_SIGNALING", "metformin", -1),
            Check("drug", "MTOR_UP.N4.V1", "metformin", -1)],
    "S13": [Check("perturbation", "MTORC1_FOOTPRINT", "Tsc1 loss, mouse muscle"),
            Check("perturbation", "SREBP1_LIPOGENIC_CORE", "Tsc1 loss, mouse muscle")],
    "S14": [Check("perturbation", "PTEN_DN.V1", "PTEN loss"),
            Check("perturbation", "MTOR_UP.N4.V1", "Tsc1 loss, mouse muscle")],
    "S15": [*_grade("SREBP1_LIPOGENIC_CORE", "HCC"),
            *_grade("SREBP1_TUMOUR_CORE", "HCC", "other tumours", "cell lines"),
            Check("perturbation", "SREBP1_LIPOGENIC_CORE", "RPTOR loss, fed", -1),
            Check("perturbation", "SREBP1_LIPOGENIC_CORE", "rapamycin, mouse liver RNA", -1)],
    "S16": [*_grade("SREBP2_CHOLESTEROL_CORE", "HCC", "cell lines"),
            Check("perturbation", "SREBP2_CHOLESTEROL_CORE", "rapamycin, mouse liver RNA", -1)],
    "S17": [*_grade("PPARG_LIPID_STORAGE", "HCC", "CCA"),
            Check("perturbation", "PPARG_LIPID_STORAGE", "rapamycin, mouse liver RNA", -1)],
    "S18": [*_grade("CLEAR_TFEB", "HCC", "cell lines"), Check("perturbation", "CLEAR_TFEB", "RPTOR loss, fed")],
    "S19": [*_grade("ANABOLIC_PROGRAMME", "HCC", "cell lines"), Check("normal", "RIBI_CORE", "tcga-lihc"),
            Check("normal", "SREBP1_TUMOUR_CORE", "tcga-lihc")],
    "S20": [Check("correlation", "BUFFA_HYPOXIA_METAGENE", "LIHC", -1, "protein:pS6"),
            Check("correlation", "BUFFA_HYPOXIA_METAGENE", "LIHC", 1, "gene:VEGFA")],
    "S21": [Check("correlation", "gene:DDIT4", "LIHC", -1, "protein:pS6"),
            Check("correlation", "gene:SESN2", "LIHC", -1, "protein:pS6")],
    "S22": [Check("correlation", "protein:p4E-BP1", "LIHC", 1, "protein:Bcl-xL"),
            Check("correlation", "protein:p4E-BP1", "LIHC", 1, "protein:Bcl-2")],
    "S23": [Check("correlation", "protein:EGFR_pY1068", "LIHC", 1, "protein:pAKT"),
            Check("correlation", "gene:IGF2", "LIHC", 1, "protein:pAKT"),
            Check("correlation", "protein:EGFR_pY1068", "CHOL", 1, "protein:pAKT")],
    "S24": [Check("perturbation", "FEEDBACK_RELIEF", "rapamycin, mouse liver RNA"),
            Check("perturbation", "RIBI_CORE", "rapamycin, mouse liver RNA", -1),
            Check("perturbation", "FEEDBACK_RELIEF", "PI3K alpha inhibitor A66")],
    "S25": [],
    "S26": [Check("share", "SREBP1_LIPOGENIC_CORE", "tcga-lihc", (0.4, 0.5)),
            Check("share", "SREBP1_TUMOUR_CORE", "tcga-lihc", (0.4, 0.5)),
            Check("share", "MTORC1_LIPID_STEROL", "tcga-lihc", (0.4, 0.5)),
            Check("share", "AKT_AXIS", "tcga-lihc", (0.4, 0.5)),
            Check("correlation", "SREBP1_LIPOGENIC_CORE", "tcga-lihc", 1, "CHIANG_PROLIFERATION_CLASS")],
    "S27": [],
    "S28": [Check("normal", "SREBP1_TUMOUR_CORE", "tcga-lihc"), Check("normal", "SREBP1_LIPOGENIC_CORE", "tcga-lihc"),
            Check("normal", "SREBP1_TUMOUR_CORE", "hcc-gse184733")],
    "S29": [],
    "S30": [Check("outcome", "protein:pAKT", "LIHC", 1, "OS"), Check("outcome", "protein:pAKT", "LIHC", 1, "PFI"),
            *_grade("AKT_AXIS", "HCC"), *_grade("FOXO_TARGETS_AKT_OFF", "HCC"),
            Check("outcome", "EARLY_RECURRENCE_KUROKAWA", "tcga-lihc", 1, "PFI")],
    "S31": [],
    "S32": [Check("drug", "RIBI_CORE", "sirolimus", -1), Check("drug", "RIBI_CORE", "temsirolimus", -1),
            Check("perturbation", "RIBI_CORE", "rapamycin, mouse liver RNA", -1)],
    "S33": [], "S34": [], "S35": [],
    "S36": [Check("drug", "PROGENY_MAPK", "sorafenib", -1), Check("drug", "HIF_VEGF_CORE", "sorafenib", -1),
            Check("drug", "RIBI_CORE", "sorafenib", -1)],
    "S37": [],
    "S38": [Check("correlation", "gene:MIR100HG", "tcga-lihc", -1, "gene:MTOR"),
            Check("correlation", "gene:MIR99AHG", "tcga-lihc", -1, "gene:MTOR")],
    "S39": [Check("correlation", "gene:MIR221", "tcga-lihc", -1, "gene:DDIT4"),
            Check("correlation", "gene:DDIT4", "LIHC", -1, "protein:pS6")],
    "S40": [],
    "S41": [Check("normal", "gene:MTOR", "tcga-chol"), Check("normal", "gene:EGFR", "tcga-chol"),
            Check("normal", "gene:PDGFRB", "tcga-chol"), Check("normal", "gene:KDR", "tcga-chol")],
    "S42": [],
    "S43": [Check("outcome", "protein:mTOR_pS2448", "CHOL", -1, "OS", "intrahepatic"),
            Check("ordered", "protein:mTOR_pS2448", "CHOL", -1, "grade", "intrahepatic"),
            Check("ordered", "protein:mTOR_pS2448", "CHOL", -1, "metastasis", "intrahepatic"),
            Check("outcome", "MTORC1_FOOTPRINT", "tcga-chol", -1, "OS", "intrahepatic")],
    "S44": [Check("outcome", "protein:p4E-BP1", "CHOL", 1, "OS", "intrahepatic"),
            Check("outcome", "TOP_RIBOSOMAL_PROTEINS", "tcga-chol", 1, "OS", "intrahepatic"),
            Check("outcome", "EIF4E_SENSITIVE_REVIEW", "tcga-chol", 1, "OS", "intrahepatic")],
    "S45": [Check("ordered", "protein:pS6", "CHOL", 1, "stage_number", "extrahepatic")],
    "S46": [Check("outcome", "CCA_CLASS2_VS_CLASS1", "tcga-chol", 1, "OS")],
    "S47": [], "S48": [], "S49": [],
    "S50": [Check("correlation", "ESTIMATE_STROMAL", "LIHC", 1, "protein:pS6"),
            Check("correlation", "HALLMARK_TGF_BETA_SIGNALING", "LIHC", 1, "protein:pS6")],
    "S51": [],
    "S52": [Check("perturbation", "SREBP2_CHOLESTEROL_CORE", "rapamycin, mouse liver RNA"),
            Check("perturbation", "ON_DRUG_METABOLIC", "rapamycin, mouse liver RNA")],
    "S53": [Check("correlation", "META_PCNA", "LIHC", 1, "protein:pS6"),
            Check("perturbation", "META_PCNA", "rapamycin, mouse liver RNA", -1),
            Check("drug", "META_PCNA", "everolimus", -1)],
}  # fmt: skip
