"""The sentence of the board says what its table says, and nothing that a row forbids."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore import report
from mtorscore.pl.branch_board import branches_of
from mtorscore.pl.pathway_map import value_of
from mtorscore.prognosis import alteration_shares
from mtorscore.report.board import sentence, title_of
from mtorscore.report.board_view import board_view, map_view
from mtorscore.report.comparisons import comparison_words
from mtorscore.report.data.described import describe
from mtorscore.report.data.run_files import read_run
from mtorscore.report.quotes import of_cohort, quotes
from tests.report.runs import NAMES as NAMES_OF_RUN

METHODS = ("singscore", "zscore")
NAMES = {"mtorc1": "mTORC1 output", "s6k": "S6K", "srebp1": "SREBP-1", "confounder": "Proliferation", "drug": "Drug"}


def row(branch: str, method: str, **changed: Any) -> dict[str, Any]:
    return {
        "cohort": "A", "branch": branch, "title": NAMES[branch], "signature": f"{branch}_LEAD", "method": method,
        "level_of_evidence": "transcriptional", "grade": "none", "coverage": 1.0,
        "compared": "tumours against normal tissue, in SD of normal", "shift": 1.0, "shift_low": 0.5, "shift_high": 1.5,
        "active": 0.4, "active_low": 0.3, "active_high": 0.5, "not_called": "", "endpoint": "OS", "n": 300,
        "events": 90, "hr": 1.5, "hr_low": 1.2, "hr_high": 1.9, "p": 0.001, "q": 0.01, "valid": True,
        "valid_reason": "", "proportional": True, "beside": "random signatures: yes; proliferation: yes",
        "holds": True, "readable": True, "reason": "",
    } | changed  # fmt: skip


def table(**per_branch: dict[str, Any]) -> pd.DataFrame:
    rows = [row(b, m, **per_branch.get(b, {})) for b in NAMES for m in METHODS]
    return pd.DataFrame(rows)


def said(rows: pd.DataFrame) -> str:
    return sentence(branches_of(rows))


def test_all_hold() -> None:
    text = said(table())
    assert text.startswith(
        "Of the 3 branches that can be read, mTORC1 output, S6K and SREBP-1 hold for overall survival (OS, 90 deaths)"
    )
    assert "(a higher score goes with a worse outcome)" in text
    assert "Proliferation" not in text
    assert "Drug" not in text
    assert text.endswith(".")


def test_none_holds_is_said_so() -> None:
    text = said(table(**{b: {"holds": False} for b in NAMES}))
    assert (
        "none is associated with overall survival (OS, 90 deaths) beside proliferation and among random signatures"
        in text
    )
    assert " hold " not in text


def test_one_branch_only() -> None:
    text = said(table(mtorc1={"holds": False}, srebp1={"holds": False}))
    assert "S6K holds for overall survival (OS, 90 deaths)" in text


@pytest.mark.parametrize(
    ("planted", "why"),
    [
        ({"readable": False, "reason": "opposed in tumours of this kind (HCC)"}, "evidence against 1"),
        ({"readable": False, "reason": "3 of 20 genes are in the matrix, less than half"}, "coverage 1"),
    ],
)
def test_a_row_that_may_not_be_read_is_counted_and_never_named(planted: dict[str, Any], why: str) -> None:
    text = said(table(s6k=planted))
    assert "S6K" not in text
    assert f"1 cannot be judged ({why})" in text
    assert "Of the 2 branches" in text


def test_an_invalid_ratio_is_no_claim() -> None:
    text = said(table(s6k={"valid": False, "holds": False}, mtorc1={"valid": False, "holds": False}))
    outcome = text.split(";")[0]
    assert "S6K" not in outcome
    assert "mTORC1" not in outcome
    few = {b: {"valid": False, "holds": False, "events": 3} for b in NAMES}
    assert "none can be judged for overall survival (OS, 3 deaths)" in said(table(**few))


def test_a_claim_is_true_under_every_method() -> None:
    rows = table()
    rows.loc[(rows["branch"] == "s6k") & (rows["method"] == "zscore"), "holds"] = False
    assert "mTORC1 output and SREBP-1 hold" in said(rows)
    rows.loc[(rows["branch"] == "srebp1") & (rows["method"] == "zscore"), ["shift", "shift_low", "shift_high"]] = (
        -1.0,
        -1.5,
        -0.5,
    )
    text = said(rows)
    assert "methods disagree in sign on SREBP-1" in text
    branch = next(b for b in branches_of(rows) if b.branch == "srebp1")
    assert branch.shift == "methods disagree"
    assert np.isnan(value_of(branch))


def test_a_claim_says_in_which_direction() -> None:
    better = {"hr": 0.6, "hr_low": 0.4, "hr_high": 0.8}
    assert "a higher score goes with a better outcome" in said(table(**dict.fromkeys(NAMES, better)))
    assert "a worse outcome for mTORC1 output and SREBP-1, a better one for S6K" in said(table(s6k=better))


def test_without_its_controls_nothing_is_said_to_be_unassociated() -> None:
    alone = {"holds": False, "beside": "random signatures: cannot be said; proliferation: yes"}
    text = said(table(**dict.fromkeys(NAMES, alone)))
    assert "whether one holds for overall survival (OS, 90 deaths) cannot be said: not compared with random" in text
    random_alone = {"holds": False, "beside": "random signatures: no"}
    neither = said(table(**dict.fromkeys(NAMES, random_alone)))
    assert "cannot be said: not adjusted for proliferation" in neither
    one = table(**dict.fromkeys(NAMES, alone))
    one.loc[one["branch"] == "s6k", "beside"] = "random signatures: no; proliferation: yes"
    assert "none is associated" in said(one)


def test_signs_that_differ_about_nothing_are_no_disagreement_to_tell() -> None:
    rows = table()
    rows["shift_shown"] = rows["branch"] != "s6k"
    about_zero = (rows["branch"] == "s6k") & (rows["method"] == "zscore")
    rows.loc[about_zero, ["shift", "shift_low", "shift_high"]] = (-0.01, -0.3, 0.3)
    assert "methods disagree" not in said(rows)
    rows.loc[about_zero, "shift_shown"] = True
    assert "methods disagree in sign on S6K" in said(rows)


def test_a_ratio_that_changes_over_time_is_said() -> None:
    text = said(table(s6k={"proportional": False}))
    assert "the ratio of S6K changes over time" in text


def test_shifts_need_every_interval() -> None:
    rows = table()
    rows.loc[(rows["branch"] == "s6k") & (rows["method"] == "zscore"), "shift_low"] = -0.1
    text = said(rows)
    assert "mTORC1 output and SREBP-1 rise (tumours against normal tissue)" in text
    down = {"shift": -1.0, "shift_low": -1.5, "shift_high": -0.5}
    assert "S6K falls" in said(table(s6k=down))


def test_a_shift_that_is_one_of_many_is_no_claim() -> None:
    """The interval of one of ten branches lies beyond 0 by chance: q counts how many were compared."""
    rows = table()
    rows["shift_shown"] = ~((rows["branch"] == "s6k") & (rows["method"] == "zscore"))
    assert "mTORC1 output and SREBP-1 rise" in said(rows)
    assert next(b for b in branches_of(rows) if b.branch == "s6k").shift == "not shown"


def test_without_an_outcome_or_anything_to_compare() -> None:
    nothing = {"hr": np.nan, "shift": np.nan, "shift_low": np.nan, "shift_high": np.nan, "holds": False}
    few = said(table(**dict.fromkeys(NAMES, nothing)))
    assert few == (
        "3 branches can be read; whether one shifts cannot be said (tumours against normal tissue; see Groups for the "
        "reason)."
    )
    alone = said(table(**dict.fromkeys(NAMES, nothing | {"compared": ""})))
    assert alone.startswith("3 branches can be read; there is nothing to compare")
    assert "hold" not in said(table(**{b: {"hr": np.nan, "holds": False} for b in NAMES}))
    assert "; no outcome was related" in said(table(**{b: {"hr": np.nan, "holds": False} for b in NAMES}))
    assert "no outcome" not in said(table())
    unread = {b: {"readable": False, "reason": "opposed in HCC"} for b in NAMES}
    assert said(table(**unread)) == "None of the 3 branches can be read here: evidence against 3."


def test_the_view_draws_every_method_and_clips_with_an_arrow() -> None:
    rows = table(srebp1={"shift": 9.0, "shift_low": 8.0, "shift_high": 10.0})
    view = board_view(branches_of(rows), METHODS)
    shown = {r["branch"]: r for r in view["rows"]}
    assert [m["shape"] for m in view["methods"]] == ["circle", "square"]
    assert len(shown["s6k"]["shifts"]) == 2
    assert shown["srebp1"]["shifts"][0]["beyond"] == 1
    assert shown["srebp1"]["shifts"][0]["x"] == 200.0
    assert "9.00 (8.00 to 10.00)" in shown["srebp1"]["shifts"][0]["text"]
    assert shown["s6k"]["active"] == "40%"
    nodes = {n["name"]: n for n in map_view(branches_of(rows), 3)["nodes"]}
    assert nodes["mTORC1"]["href"] == "#branch-3-mtorc1"
    assert nodes["Loss of PTEN"]["href"] == "#unread-3"
    assert nodes["Loss of PTEN"]["looks"]["shift"]["words"] == "no readout"


def test_the_map_is_coloured_by_shift_or_effect_and_says_what_is_sure() -> None:
    invalid = {"valid": False, "holds": False}
    drawn = map_view(branches_of(table(srebp1={"shift": 9.0, "shift_low": 8.0, "shift_high": 10.0}, s6k=invalid)), 0)
    assert list(drawn["ways"]) == ["shift", "effect"]
    assert "in SD of normal" in drawn["ways"]["shift"]
    assert "events" in drawn["ways"]["effect"]
    looks = {n["name"]: n["looks"] for n in drawn["nodes"]}
    assert looks["SREBP-1"]["shift"] == {"kind": "up", "strength": 0.6, "words": "+9.0 SD", "sure": True}
    assert looks["SREBP-1"]["effect"]["words"].startswith("HR ")
    assert looks["SREBP-1"]["effect"]["sure"]
    assert looks["S6K, ribosomes"]["effect"] == {
        "kind": "unknown",
        "strength": 1.0,
        "words": "not valid",
        "sure": False,
    }
    none = {b: {"hr": np.nan, "holds": False} for b in NAMES}
    assert list(map_view(branches_of(table(**none)), 0)["ways"]) == ["shift"]


def test_a_score_that_falls_with_its_branch_is_named_so_in_sentence_quote_and_map() -> None:
    library = describe(["FOXO_TARGETS_AKT_OFF", "CLEAR_TFEB", "RIBI_CORE"], mt.library())
    titles = {name: title_of(entry) for name, entry in library.items()}
    assert titles["FOXO_TARGETS_AKT_OFF"] == "mTORC2, AKT and FOXO (score falls with activity)"
    # mTORC1 represses TFEB, so that a score that falls with mTOR rises with this branch.
    assert "falls" not in titles["CLEAR_TFEB"]
    assert "falls" not in titles["RIBI_CORE"]
    rows = table(mtorc1={"shift": -3.0, "shift_low": -4.0, "shift_high": -2.0})
    rows.loc[rows["branch"] == "mtorc1", ["branch", "title", "sign"]] = [
        "mtorc2_akt", titles["FOXO_TARGETS_AKT_OFF"], -1,
    ]  # fmt: skip
    branches = branches_of(rows)
    assert "AKT and FOXO (score falls with activity) falls" in sentence(branches)
    assert any("(score falls with activity)" in text for text in quotes(branches, "A"))
    drawn = map_view(branches, 0)
    assert "falls with the branch's activity" in drawn["ways"]["shift"]
    looks = {n["name"]: n["looks"] for n in drawn["nodes"]}
    assert looks["mTORC2, AKT"]["shift"]["words"] == "inverse -3.0 SD"
    assert looks["S6K, ribosomes"]["shift"]["words"] == "+1.0 SD"


def test_the_map_marks_altered_genes_at_their_nodes() -> None:
    calls = pd.DataFrame(
        {"PTEN": [1, 1, 0, 0], "TSC2": [1, 0, 0, 0], "MTOR": [0.0] * 4, "TP53": [1, 1, 1, 0]}, list("abcd")
    )
    drawn = map_view(branches_of(table()), 0, alteration_shares(calls))
    nodes = {n["name"]: n for n in drawn["nodes"]}
    assert nodes["Loss of PTEN"]["altered"] == "\N{BLACK DOWN-POINTING TRIANGLE}PTEN 50%"
    assert nodes["Loss of PTEN"]["altered_spoken"] == "PTEN lost in 50% of 4 tumours"
    assert "TSC2 25%" in nodes["TSC, RHEB"]["altered"]
    assert nodes["mTORC1"]["altered"] == ""
    assert "TP53 75%" in drawn["beside"]


@pytest.mark.parametrize("q", [0.01, 0.2])
@pytest.mark.parametrize(
    ("contrasts", "compared", "active"),
    [
        ({"tumour against normal": "groups"}, "tumours against normal tissue, in SD of normal", True),
        ({"tumour against adjacent": "pairs"}, "tumour against adjacent, in residual SD (Hedges' g)", True),
        (
            {"per step of normal < cirrhosis < HCC": "trend", "HCC against normal": "groups"},
            "per step of normal < cirrhosis < HCC, the first of 2 comparisons, in residual SD (Hedges' g)",
            False,
        ),
        (
            {"cirrhosis against normal": "groups", "HCC against normal": "groups"},
            "cirrhosis against normal, the first of 2 comparisons, in residual SD (Hedges' g)",
            False,
        ),
    ],
)
def test_the_board_shows_the_contrast_of_the_design(
    results: Path, tmp_path: Path, contrasts: dict[str, str], compared: str, active: bool, q: float
) -> None:
    """An order, pairs or several groups of the user's are compared as such, not as tumours against normal tissue."""
    copy = shutil.copytree(results, tmp_path / "run")
    cohort = copy / "sim-hcc"
    each = [(m, s) for m in ("singscore", "zscore") for s in NAMES_OF_RUN]
    values = {
        "difference": 0.1,
        "difference_low": -3.0,
        "difference_high": 3.0,
        "active": 0.4,
        "called": True,
        "q": 0.9,
    }
    activation = pd.DataFrame([{"method": m, "signature": s} | values for m, s in each])
    activation.assign(active_low=0.3, active_high=0.5).to_csv(cohort / "relate/activation.tsv", sep="\t", index=False)
    rows = [
        {"method": m, "signature": s, "contrast": c, "design": d, "hedges_g": 2.0, "g_low": 1.0, "g_high": 3.0, "q": q}
        for m in ("singscore", "zscore")
        for c, d in contrasts.items()
        for s in NAMES_OF_RUN
    ]
    (cohort / "contrast").mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(cohort / "contrast/contrasts.tsv", sep="\t", index=False)
    found = report.board(copy)
    found = found[found["cohort"] == "sim-hcc"]
    assert set(found["compared"]) == {compared}
    assert set(found["shift"]) == {0.1 if "tumours" in compared else 2.0}
    assert found["active"].notna().any() == active
    text = sentence([b for b in branches_of(found) if b.branch != "confounder"])
    assert ("rise" in text) == ("tumours" not in compared and q < 0.05)
    assert f"({compared.rpartition(', in ')[0]})" in text
    cohort_read = next(c for c in read_run(copy).cohorts if c.name == "sim-hcc")
    said = comparison_words(["singscore", "zscore"], describe(NAMES_OF_RUN, None), NAMES_OF_RUN, cohort_read)
    if len(contrasts) == 1:
        assert said == []
    else:
        assert len(said) == 1
        assert said[0].startswith("HCC against normal: ")
        assert (" rise" in said[0]) == (q < 0.05)
    quoted = " ".join(quotes(branches_of(found), "sim-hcc"))
    assert (" rises (per step of normal" in quoted) == ("per step" in compared and q < 0.05)


def test_the_share_of_active_tumours_has_its_widest_interval_and_no_call_its_reason() -> None:
    rows = table(srebp1={"active": np.nan, "not_called": "9 reference samples; 20 are needed for a call"})
    rows.loc[(rows["branch"] == "s6k") & (rows["method"] == "zscore"), ["active", "active_low", "active_high"]] = (
        0.16,
        0.0,
        0.47,
    )
    rows.loc[rows["branch"] == "confounder", ["active", "not_called"]] = (np.nan, "adjacent liver is often cirrhotic")
    view = board_view(branches_of(rows), METHODS)
    shown = {r["branch"]: r for r in view["rows"]}
    assert (shown["s6k"]["active"], shown["s6k"]["active_within"]) == ("16 to 40%", "0 to 50")
    assert (shown["srebp1"]["active"], shown["srebp1"]["active_within"]) == ("", "")
    assert shown["srebp1"]["not_called"].startswith("9 reference samples")
    assert "no direction" in shown["confounder"]["not_called"]
    assert view["controls"] == "random signatures, proliferation"
    assert ("S6K", "s6k_LEAD") in view["stands"]
    assert board_view(branches_of(rows[rows["branch"] == "srebp1"]), METHODS)["called"]
    never = table(**{b: {"active": np.nan} for b in NAMES})
    assert not board_view(branches_of(never), METHODS)["called"]


def test_a_cohort_without_a_call_says_so_beside_others(results: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(results, tmp_path / "run")
    values = {"difference": 0.1, "difference_low": -1.0, "difference_high": 1.0, "q": 0.9}
    calls = {
        "sim-hcc": {"active": 0.4, "active_low": 0.1, "active_high": 0.6, "called": True, "reason": ""},
        "sim-cca": {"active": np.nan, "called": False, "reason": "9 reference samples; 20 are needed for a call"},
    }
    for cohort, call in calls.items():
        rows = [{"method": m, "signature": s} | values | call for m in ("singscore", "zscore") for s in NAMES_OF_RUN]
        pd.DataFrame(rows).to_csv(copy / cohort / "relate/activation.tsv", sep="\t", index=False)
    text = report.write(copy).read_text(encoding="utf-8")
    assert "40% (10 to 60) active" in text
    assert text.count("No call of active tumours: 9 reference samples; 20 are needed for a call.") == 1
    assert '<i class="no-call" title="9 reference samples; 20 are needed for a call">no call</i>' in text
    assert text.count("Active: share of tumours whose score lies beyond the 95% quantile of normal tissue") == 3
    assert "fewer than 72 normal samples" in text


def test_that_nothing_is_associated_may_be_quoted_with_its_numbers() -> None:
    none = {"hr": 1.1, "hr_low": 0.9, "hr_high": 1.3, "q": 0.6, "holds": False, "n": 153}
    rows = table(**(dict.fromkeys(NAMES, none) | {"s6k": none | {"hr": 0.95, "hr_low": 0.7}}))
    first = quotes(branches_of(rows), "A")[0]
    assert first == (
        "In A, none of the 3 branches that can be judged is associated with overall survival (OS, 90 deaths) in 153 "
        "patients: unadjusted hazard ratios per SD 0.95 to 1.10 by singscore and zscore, 95% intervals within 0.70 to "
        "1.30, every q above 0.05."
    )
    rows.loc[rows["branch"] == "s6k", "q"] = 0.01
    small = quotes(branches_of(rows), "A")[0]
    assert "beside proliferation and beyond 95% of random signatures: " in small
    assert "smallest q 0.01" in small
    assert "every q above" not in small
    rows["beside"] = "random signatures: cannot be said; proliferation: yes"
    assert not any("associated" in q for q in quotes(branches_of(rows), "A"))
    assert not any("none of the" in q for q in quotes(branches_of(table()), "A"))


def test_quotes_hold_numbers_intervals_and_what_the_reference_is(results: Path) -> None:
    said = quotes(branches_of(table()), "A, a simulated cohort", "153 tumours against 21 samples of adjacent liver")
    assert said[0].startswith("In A, a simulated cohort, mTORC1 output (mtorc1_LEAD) is associated with")
    assert (
        "in 300 patients: unadjusted hazard ratio per SD 1.50 by singscore and zscore (q at most 0.01), 95% " in said[0]
    )
    assert "intervals within 1.20 to 1.90" in said[0]
    assert "(153 tumours against 21 samples of adjacent liver): +1.00 SD of normal by" in said[-1]
    assert "95% intervals within +0.50 to +1.50" in said[-1]
    cohort = next(c for c in read_run(results).cohorts if c.name == "sim-hcc")
    assert of_cohort(cohort) == ("sim-hcc, a simulated cohort", "")
    calls = pd.DataFrame({"n_tumour": [153], "n_reference": [21], "reason": ["adjacent liver is often cirrhotic"]})
    real = replace(cohort, obs=cohort.obs.assign(simulated=False), source={}, tables={"activation": calls})
    assert of_cohort(real) == ("sim-hcc", "153 tumours against 21 samples of adjacent liver")
    unsaid = replace(real, tables={"activation": calls.assign(reason="")})
    assert of_cohort(unsaid)[1].endswith("21 samples of normal tissue")
