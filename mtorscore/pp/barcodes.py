"""TCGA barcodes: what they say about patient, sample and aliquot."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Barcode", "are_tcga", "parse_barcode"]

_BARCODE = re.compile(
    r"^(?P<patient>TCGA-[A-Z0-9]{2}-[A-Z0-9]{4})"
    r"(?:-(?P<code>\d{2})(?P<vial>[A-Z])?(?:-(?P<portion>\d{2})(?P<analyte>[A-Z])?"
    r"(?:-(?P<plate>[A-Z0-9]{4})(?:-(?P<centre>\d{2}))?)?)?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Barcode:
    """The fields of a TCGA barcode, "" where it stops short of them."""

    patient: str
    code: str = ""
    vial: str = ""
    portion: str = ""
    analyte: str = ""
    plate: str = ""
    centre: str = ""

    @property
    def sample_type(self) -> str:
        """Tumour (01, 03, 05, 09), recurrent (02, 04, 40), metastasis (06, 07), normal (10-19) or control.

        Codes: GDC, "Sample type codes".
        """
        return {
            "": "tumour",
            "01": "tumour",
            "03": "tumour",
            "05": "tumour",
            "09": "tumour",
            "02": "recurrent",
            "04": "recurrent",
            "40": "recurrent",
            "06": "metastasis",
            "07": "metastasis",
        }.get(self.code, "normal" if "10" <= self.code <= "19" else "control")

    @property
    def rank(self) -> tuple[int, int, str, str]:
        """Sort key of the aliquot rule: the smallest is used.

        Primary solid tumour (01) before other tumour codes, then vial A before B (B is often FFPE), then the newest
        plate and the highest portion (as later aliquots replace earlier ones).
        """
        later = "".join(chr(255 - ord(c)) for c in self.plate)
        portion = "".join(chr(255 - ord(c)) for c in self.portion)
        return (0 if self.code in ("", "01") else 1, ord(self.vial or "A"), later, portion)


def parse_barcode(name: str) -> Barcode | None:
    """Return the fields of a TCGA barcode of any length (dots for dashes allowed), None for another name."""
    found = _BARCODE.match(name.strip().replace(".", "-"))
    if not found:
        return None
    return Barcode(**{k: (v or "").upper() for k, v in found.groupdict().items()})


def are_tcga(names: Iterable[str]) -> bool:
    """Whether all names are TCGA barcodes (False for none at all)."""
    listed = [parse_barcode(str(n)) is not None for n in names]
    return bool(listed) and all(listed)
