"""What the TCGA Clinical Data Resource advises on its endpoints."""

from __future__ import annotations

__all__ = ["tcga_advice"]

_CDR = {
    ("LIHC", "OS"): ("use", "recommended"),
    ("LIHC", "PFI"): ("use", "recommended; preferred to OS where follow-up is short"),
    ("LIHC", "DFI"): ("use", "recommended"),
    ("LIHC", "DSS"): ("approximate", "cause of death is approximated in TCGA; read it beside OS"),
    ("CHOL", "OS"): ("caution", "sample and events are small"),
    ("CHOL", "PFI"): ("caution", "sample and events are small"),
    ("CHOL", "DFI"): ("caution", "very few events among few patients"),
    ("CHOL", "DSS"): ("approximate", "cause of death is approximated in TCGA; few events"),
}


def tcga_advice(disease: str, endpoint: str) -> tuple[str, str] | None:
    """Return what the TCGA Clinical Data Resource advises on an endpoint.

    Parameters
    ----------
    disease
        ``"LIHC"`` or ``"CHOL"``.
    endpoint
        ``"OS"``, ``"PFI"``, ``"DFI"`` or ``"DSS"``.

    Returns
    -------
    tuple or None
        Verdict (``"use"``, ``"caution"``, ``"approximate"``) and reason; None for anything else. The wording is ours.

    References
    ----------
    Liu J et al., Cell 2018;173:400-416, Table 3 and the notes of Table S1.
    """
    return _CDR.get((disease.upper(), endpoint.upper().split(".")[0]))
