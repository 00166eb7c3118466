"""The page of one patient."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore.errors import DataError


def record(**changed: Any) -> mt.tl.Passport:
    base = {
        "title": "t", "level": "transcriptional", "grade": "", "score": 0.1, "score_full_depth": 0.12, "low": 0.1,
        "high": 0.14, "depth_bias": -0.02, "coverage": 0.9, "carrying_genes": "FASN, SCD", "reason": "",
    }  # fmt: skip
    rows = [
        base | {"branch": "srebp1", "signature": "LIPO", "percentile": 92.0, "percentile_low": 81.0,
                "percentile_high": 98.0, "can_be_said": True},
        base | {"branch": "s6k", "signature": "RIBI", "percentile": 50.0, "percentile_low": 30.0,
                "percentile_high": 70.0, "can_be_said": True},
        base | {"branch": "mtorc1", "signature": "<b>M</b>", "percentile": np.nan, "percentile_low": np.nan,
                "percentile_high": np.nan, "can_be_said": False, "reason": "10% of its genes are in the matrix",
                "score_full_depth": np.nan, "low": np.nan, "high": np.nan},
    ]  # fmt: skip
    genes = pd.DataFrame(
        {"gene": ["FASN", "XX"], "direction": "up", "present": [True, False], "contribution": [0.1, np.nan],
         "cohort_mean": [0.05, np.nan], "signature": "LIPO"}
    )  # fmt: skip
    fields: dict[str, Any] = {
        "observation": "<script>alert(1)</script>", "method": "singscore", "tissue": "HCC", "level": 0.95,
        "depth": 1e6, "full_depth": 2e6, "share": 0.5, "n_reference": 30, "notes": ("a note",),
        "branches": pd.DataFrame(rows), "genes": genes,
    }  # fmt: skip
    return mt.tl.Passport(**fields | changed)


def test_the_page_says_what_can_and_cannot_be_said(tmp_path: Path) -> None:
    path = mt.report.passport(record(), tmp_path / "p.html")
    page = path.read_text(encoding="utf-8")
    assert "For research use only" in page
    assert "2 of 3 signatures can be read" in page
    assert "in its upper quarter: SREBP-1 lipogenesis." in page
    assert "Cannot be said: 10% of its genes are in the matrix." in page
    assert "92 (81 to 98)" in page
    assert "0.12 (0.1 to 0.14)" in page


def test_text_of_the_data_is_inert(tmp_path: Path) -> None:
    page = mt.report.passport(record(), tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<b>M</b>" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_the_record_stands_beside_the_page(tmp_path: Path) -> None:
    mt.report.passport(record(), tmp_path / "p.html")
    found = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert found["branches"][2]["percentile"] is None
    assert found["branches"][0]["signature"] == "LIPO"
    with pytest.raises(DataError, match=r"ends in \.html"):
        mt.report.passport(record(), tmp_path / "p.pdf")


def test_nothing_readable_is_said_so(tmp_path: Path) -> None:
    table = record().branches.assign(can_be_said=False, reason="too shallow")
    page = mt.report.passport(record(branches=table), tmp_path / "p.html").read_text(encoding="utf-8")
    assert "No branch can be read in this library." in page


def test_contributions_of_the_patient_stand_with_what_they_add_up_to(tmp_path: Path) -> None:
    """As `tl.explain` gives them, for the one sample that the page is about."""
    genes = record().genes.assign(baseline=0.02, total=0.12, adds_up_to="score")
    page = mt.report.passport(record(genes=genes), tmp_path / "p.html").read_text(encoding="utf-8")
    assert "The contributions of 1 gene and a baseline of 0.02 add up to 0.12, the score." in page
    assert "Not in the matrix: XX." in page
    assert '<rect x="50.0" y="2.5" width="50.0"' in page  # the largest reaches an end
    assert '<line x1="75.0" x2="75.0"' in page  # the cohort's mean, half as large
    one_out = genes.assign(total=np.nan, baseline=np.nan, adds_up_to="not a sum")
    page = mt.report.passport(record(genes=one_out), tmp_path / "p.html").read_text(encoding="utf-8")
    assert "these do not add up" in page
