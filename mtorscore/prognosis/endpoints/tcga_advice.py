"""What the TCGA Clinical Data Resource says of its endpoints, for the liver cohorts."""

from __future__ import annotations

__all__ = ["tcga_advice"]

# Verdicts follow the notes of Table S1; the counts are read off the same table.
_GENERAL = {
    "OS": ("use", "relatively accurate; follow-up is short, so few deaths are seen"),
    "PFI": ("use", "relatively accurate, and preferred to OS because follow-up is short"),
    "DFI": ("use", "relatively accurate; derived from residual tumour, known for part of the patients"),
    "DSS": ("approximate", "the cause of death is approximated in this cancer; read it beside OS"),
}
_COUNTS = {
    "LIHC": {"OS": (132, 377), "PFI": (185, 377), "DFI": (147, 323), "DSS": (80, 368)},
    "CHOL": {"OS": (22, 45), "PFI": (23, 45), "DFI": (10, 28), "DSS": (18, 42)},
}
FEW = 50


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
        Verdict (``"use"``, ``"approximate"``, or ``"caution"`` with fewer than 50 events in the whole cohort, which is
        our addition) and reason with the events in the whole cohort; None for anything else.

    References
    ----------
    Liu J et al., Cell 2018;173:400-416, notes of Table S1.
    """
    kind, cohort = endpoint.upper().split(".")[0], _COUNTS.get(disease.upper())
    if cohort is None or kind not in cohort:
        return None
    verdict, reason = _GENERAL[kind]
    events, n = cohort[kind]
    if events < FEW:
        verdict, reason = "caution", f"{reason}; few events"
    return verdict, f"{reason} ({events} events among {n} patients of the whole cohort)"
