"""Findings name what the board's rule allows, for every endpoint: told from tables with planted rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtorscore.collection import library
from mtorscore.pl.branch_board import branches_of
from mtorscore.report.board import board_rows
from mtorscore.report.data.described import describe
from mtorscore.report.data.run_files import Cohort
from mtorscore.report.findings import MOST_WORDS, findings, opposed_rows, told
from mtorscore.report.page import marked
from mtorscore.report.quotes import folded

METHODS = ("singscore", "zscore")
LEADS = ["HALLMARK_MTORC1_SIGNALING", "RIBI_CORE", "SREBP1_LIPOGENIC_CORE", "META_PCNA"]
RIBOSOMES = "S6K and ribosome biogenesis"


def associations(planted: Mapping[str, dict[str, Any]], endpoint: str = "OS") -> pd.DataFrame:
    """Return rows in which every lead holds, but for what is planted of some of them."""
    rows = []
    for method in METHODS:
        for name in LEADS:
            row: dict[str, Any] = {
                "method": method, "endpoint": endpoint, "signature": name, "n": 300, "events": 120, "hr": 1.5,
                "hr_low": 1.2, "hr_high": 1.9, "p": 1e-4, "q": 1e-3, "valid": True, "reason": "", "level": 0.95,
                "null_p": 0.01, "ph_p": 0.4,
            }  # fmt: skip
            changed = planted.get(name, {}) | planted.get("all", {})
            own = {k: v for k, v in changed.items() if k != "beside_p" and (k != "method" or v == method)}
            if changed.get("method", method) == method:
                row |= own
            rows.append(row | {"model": "unadjusted", "adjusted_for": ""})
            beside = {"p": changed.get("beside_p", 0.01), "null_p": np.nan}
            rows.append(row | beside | {"model": "adjusted", "adjusted_for": "proliferation"})
    return pd.DataFrame(rows)


def cohort(
    tables: dict[str, pd.DataFrame], context: str | None = None, matched: Mapping[str, int] | None = None
) -> Any:
    obs = pd.DataFrame({"sample_type": ["tumour"] * 4}, index=list("abcd"))
    scores = pd.DataFrame(1.0, index=obs.index, columns=LEADS)
    counts = pd.DataFrame({"signature": LEADS, "n_up": 20, "n_down": 0, "matched_down": 0})
    counts["matched_up"] = [(matched or {}).get(n, 20) for n in LEADS]
    counts["coverage"] = counts["matched_up"] / 20
    held = {"coverage": counts} | tables
    return Cohort("a", obs, {}, 10, pd.DataFrame(), dict.fromkeys(METHODS, scores), held, {}, {}, (), context=context)


def said(planted: Mapping[str, dict[str, Any]], **more: Any) -> str:
    data = cohort({"associations": associations(planted)}, **more)
    return " ".join(findings(data, METHODS, describe(LEADS, library(), []), LEADS))


def test_every_lead_that_holds_is_named_with_its_numbers() -> None:
    text = said({})
    assert (
        "mTORC1 output, S6K and ribosome biogenesis and SREBP-1 lipogenesis hold for overall survival (OS, 120" in text
    )
    assert "unadjusted hazard ratio per SD 1.50 by singscore and zscore (q at most 0.001)" in text
    assert "Of all 3 mTOR signatures with a valid model for overall survival, 3 have q < 0.05 by every method" in text
    assert "proliferation metagene" not in text


@pytest.mark.parametrize(
    "planted",
    [
        {"valid": False, "reason": "too few events"},
        {"q": 0.2},
        {"null_p": 0.4},
        {"null_p": np.nan},
        {"beside_p": 0.4},
        {"q": 0.2, "method": "zscore"},
    ],
    ids=["invalid", "q", "random", "no random set", "proliferation", "one method"],
)
def test_a_row_that_a_control_forbids_is_never_named(planted: dict[str, Any]) -> None:
    assert RIBOSOMES not in said({"RIBI_CORE": planted | {"p": 1e-9}})
    assert "mTORC1 output and SREBP-1 lipogenesis hold" in said({"RIBI_CORE": planted})


def test_coverage_and_proportional_hazards() -> None:
    assert RIBOSOMES not in said({}, matched={"RIBI_CORE": 9})
    changing = said({"RIBI_CORE": {"ph_p": 0.001}})
    assert f"the ratio of {RIBOSOMES} changes over time" in changing
    assert "The ratio changes over time." in changing


def test_none_holds_one_holds_and_three_events_of_hundreds() -> None:
    none = said({"all": {"null_p": 0.5}})
    assert "none is associated with overall survival (OS, 120 deaths) beside proliferation and among random" in none
    assert "hazard ratio per SD" not in none
    one = said({n: {"null_p": 0.5} for n in LEADS if n != "RIBI_CORE"})
    assert f"{RIBOSOMES} holds for overall survival" in one
    few = said({"all": {"events": 3, "valid": False, "reason": "3 events are too few"}})
    assert "none can be judged for overall survival (OS, 3 deaths)" in few
    assert "Of all 0 mTOR signatures" in few


def test_every_endpoint_has_its_own_sentence() -> None:
    both = pd.concat([associations({}), associations({"all": {"null_p": 0.5}}, "PFI")])
    lines = findings(cohort({"associations": both}), METHODS, describe(LEADS, library(), []), LEADS)
    assert "hold for overall survival (OS" in lines[0]
    assert "none is associated with progression-free interval (PFI, 120 progressions)" in lines[1]


def test_endpoints_of_which_the_same_is_true_share_a_sentence() -> None:
    none = {"all": {"null_p": 0.5}}
    both = pd.concat([associations(none), associations(none, "PFI")])
    lines = findings(cohort({"associations": both}), METHODS, describe(LEADS, library(), []), LEADS)
    assert (
        "none is associated with overall survival (OS, 120 deaths) and progression-free interval (PFI, 120 "
        "progressions) beside proliferation" in lines[0]
    )
    assert "valid model for overall survival and progression-free interval, 3 have q < 0.05" in lines[1]
    assert len(lines) == 2


def test_a_reader_meets_few_words_before_anything_is_unfolded() -> None:
    five = pd.concat([associations({}, e) for e in ("OS", "DSS", "PFI", "DFI", "LRFI")])
    data = cohort({"associations": five, "contrasts": contrasts({})})
    lines = findings(data, METHODS, describe(LEADS, library(), []), LEADS)
    sentence = "word " * 50
    shown, rest = told(sentence, lines)
    assert [*shown, *rest] == lines
    assert rest
    assert len(f"{sentence} {' '.join(shown)}".split()) <= MOST_WORDS
    assert told(sentence, ["word " * 200]) == (["word " * 200], [])


def test_what_is_opposed_is_counted_and_listed_with_its_evidence() -> None:
    names = [*LEADS, "FOXO_TARGETS_AKT_OFF"]
    data = cohort({"associations": associations({})}, context="HCC")
    data.scores["singscore"]["FOXO_TARGETS_AKT_OFF"] = 1.0
    described = describe(names, library(), ["HCC"])
    line = next(t for t in findings(data, METHODS, described, LEADS) if t.startswith("Opposed in liver tumours (HCC)"))
    assert "1 signature. Without a lead here: mTORC2, AKT and FOXO." in line
    ((name, evidence),) = opposed_rows(data, described)
    assert name == "FOXO_TARGETS_AKT_OFF"
    assert evidence.startswith("pAKT ")


def test_a_branch_without_a_row_has_a_reason() -> None:
    data = cohort({"associations": associations({})}, context="HCC")
    rows = board_rows(METHODS, describe(LEADS, library(), ["HCC"]), LEADS, data)
    found = {f["branch"]: f["reason"] for f in folded(branches_of(rows), "HCC")}
    assert "mtorc1" not in found
    assert "FOXO_TARGETS_AKT_OFF is opposed in liver tumours (HCC): pAKT" in found["mtorc2_akt"]
    assert all(found.values())


def test_titles_stand_out_in_the_sentence_and_stay_text() -> None:
    assert marked("a <b> & SREBP-1 rise", ["SREBP-1", ""]) == "a &lt;b&gt; &amp; <b>SREBP-1</b> rise"
    assert marked("<i>x</i> and <i>", ["<i>x</i>", "<i>"]) == "<b>&lt;i&gt;x&lt;/i&gt;</b> and <b>&lt;i&gt;</b>"


def contrasts(changed: Mapping[str, dict[str, Any]]) -> pd.DataFrame:
    rows = [
        {
            "method": m, "contrast": "late against early", "design": "groups", "signature": n, "q": 0.001, "n": 40,
            "hedges_g": 1.0, "g_low": 0.5, "g_high": 1.5, "n_treated": 20, "n_control": 20, "adjusted_for": "",
        } | changed.get(n, {}) | changed.get(f"{n} {m}", {})
        for m in METHODS
        for n in LEADS
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_groups_differ_where_every_method_says_so() -> None:
    down = {"hedges_g": -2.0, "g_low": -3.0, "g_high": -1.0}
    planted = {"RIBI_CORE zscore": down, "META_PCNA": {"hedges_g": 9.0, "g_low": 8.0, "g_high": 10.0}}
    data = cohort({"contrasts": contrasts(planted)}, matched={"SREBP1_LIPOGENIC_CORE": 5})
    text = " ".join(findings(data, METHODS, describe(LEADS, library(), []), LEADS))
    assert "of 2 mTOR signatures, 1 differ with q < 0.05 by every method (1 higher in the first, 0 lower)" in text
    assert "HALLMARK_MTORC1_SIGNALING (+1.00 to +1.00 over the methods" in text
    for never in ("RIBI_CORE", "META_PCNA", "SREBP1_LIPOGENIC_CORE"):
        assert never not in text


def test_one_plain_comparison_says_that_the_board_has_another_yardstick() -> None:
    described = describe(LEADS, library(), [])
    calls = pd.DataFrame({"signature": LEADS, "method": "singscore", "difference": 0.2})
    both = " ".join(findings(cohort({"contrasts": contrasts({}), "activation": calls}), METHODS, described, LEADS))
    assert "the board's is the SD of normal tissue" in both
    assert 'may be "not shown" there' in both
    alone = " ".join(findings(cohort({"contrasts": contrasts({})}), METHODS, described, LEADS))
    assert "the board's is" not in alone
    paired = contrasts({}).assign(design="pairs", n_blocks=20)
    pairs = " ".join(findings(cohort({"contrasts": paired, "activation": calls}), METHODS, described, LEADS))
    assert "the board's is" not in pairs, "of pairs the board shows the same difference"
