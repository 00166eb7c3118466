"""Grades follow from the evidence by one rule, wherever they are read; leads and selections follow the grades."""

from __future__ import annotations

import ast
import csv
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import mtorscore as mt
from mtorscore.cli.signatures import app
from mtorscore.collection import Composite, grades
from mtorscore.collection.lead_signatures import lead_of, leads, why_no_lead
from mtorscore.errors import FormatError, SignatureError
from mtorscore.report.data.described import describe
from mtorscore.report.data.run_files import Cohort
from mtorscore.report.findings import findings
from mtorscore.tl.engine.readability import grade_in
from tests.conftest import ROOT

EVIDENCE = ROOT / "signatures" / "evidence.tsv"
Rows = list[dict[str, str]]


def rows_of(path: Path = EVIDENCE) -> Rows:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t"))


def by_hand(row: dict[str, str]) -> str:
    """Apply the stated rule to a row, written out anew."""
    if row["claim"] == "0" or not row["estimate"]:
        return "not tested"
    estimate, low, high = (float(row[k]) for k in ("estimate", "low", "high"))
    if row["statistic"] == "rho":
        estimate, low, high = np.arctanh([estimate, low, high])
    error = (high - low) / 2 / 1.959963984540054
    inside = abs(estimate) <= 1.959963984540054 * error
    return "none" if inside else "as expected" if estimate * int(row["claim"]) > 0 else "opposed"


@pytest.fixture
def altered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """FOXO_TARGETS_AKT_OFF with another estimate in HCC, which stands for another measurement."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, grades.COLUMNS, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    for row in rows_of():
        if (row["signature"], row["context"]) == ("FOXO_TARGETS_AKT_OFF", "HCC"):
            row["estimate"] = "-0.561"
        writer.writerow(row)
    path = tmp_path / "evidence.tsv"
    path.write_text(buffer.getvalue(), encoding="utf-8")
    monkeypatch.setattr(grades, "evidence_file", lambda: path)
    return path


def test_every_grade_is_that_of_the_rule() -> None:
    library = mt.library(experimental=True)
    rows = rows_of()
    assert len(rows) > 400
    for row in rows:
        assert row["grade"] == by_hand(row), row
        assert library[row["signature"]].grades[row["context"]] == row["grade"], row
    for context in grades.CONTEXTS:
        for name in library.select(confidence="opposed", context=context).names:
            assert library[name].grades[context] == "opposed"
    assert {row["grade"] for row in rows if row["context"] == "HB"} == {"not tested"}


def test_the_akt_axis_is_opposed_in_liver_tumours() -> None:
    for name in ("AKT_AXIS", "FOXO_TARGETS_AKT_OFF"):
        entry = mt.library()[name]
        assert entry.graded("HCC")[0].startswith("opposed in liver tumours (HCC): pAKT "), name
        shown = CliRunner().invoke(app, ["show", name], env={"COLUMNS": "200"}).stdout
        assert "opposed in liver tumours (HCC)" in shown
        assert name in mt.library().select(confidence="opposed", context="hcc").names
    assert mt.library()["SREBP1_LIPOGENIC_CORE"].grades["HCC"] == "as expected"


def scored_cohort() -> Cohort:
    names = ["FOXO_TARGETS_AKT_OFF", "SREBP1_LIPOGENIC_CORE"]
    index = [f"t{i}" for i in range(30)] + [f"n{i}" for i in range(30)]
    scores = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), index=index, columns=names)
    obs = pd.DataFrame({"sample_type": ["tumour"] * 30 + ["normal"] * 30}, index=index)
    associations = pd.DataFrame(
        {
            "method": "singscore", "endpoint": "OS", "signature": names, "model": "unadjusted", "adjusted_for": "",
            "hr": [2.0, 1.5], "p": [1e-4, 1e-3], "q": [1e-3, 1e-2], "valid": True, "reason": "", "null_p": 0.01,
        }
    )  # fmt: skip
    beside = associations.assign(model="adjusted", adjusted_for="proliferation")
    associations = pd.concat([associations, beside], ignore_index=True)
    tables = {"associations": associations}
    return Cohort("a", obs, {}, 10, pd.DataFrame(), {"singscore": scores}, tables, {}, {}, (), context="HCC")


def everything() -> dict[str, object]:
    """Return what card, selection, leads, calls and report say of the entry."""
    cohort = scored_cohort()
    scores = cohort.scores["singscore"]
    tumour = (cohort.obs["sample_type"] == "tumour").to_numpy()
    calls = mt.prognosis.activation(scores, tumour, ~tumour, disease="hcc", n_boot=10).set_index("signature")
    library = mt.library()
    described = describe(list(scores), library, ["HCC"])
    said = findings(cohort, ["singscore"], described, list(scores))
    return {
        "card": "opposed in liver tumours" in CliRunner().invoke(app, ["show", "FOXO_TARGETS_AKT_OFF"]).stdout,
        "select": "FOXO_TARGETS_AKT_OFF" in library.select(confidence="opposed", context="HCC").names,
        "lead": lead_of("mtorc2_akt", "hcc"),
        "called": bool(calls.loc["FOXO_TARGETS_AKT_OFF", "called"]),
        "reason": "opposed in liver tumours (HCC): pAKT" in calls.loc["FOXO_TARGETS_AKT_OFF", "reason"],
        "other": bool(calls.loc["SREBP1_LIPOGENIC_CORE", "called"]),
        "headline": any("FOXO" in s for s in said if "Opposed in liver tumours (HCC)" not in s),
        "said": any("Opposed in liver tumours (HCC)" in s for s in said),
    }


def test_an_opposed_signature_gives_no_call_and_no_headline_and_says_why() -> None:
    assert everything() == {
        "card": True, "select": True, "lead": None, "called": False, "reason": True, "other": True, "headline": False,
        "said": True,
    }  # fmt: skip


@pytest.mark.usefixtures("altered")
def test_another_estimate_changes_card_selection_lead_calls_and_report() -> None:
    assert everything() == {
        "card": False, "select": False, "lead": "FOXO_TARGETS_AKT_OFF", "called": True, "reason": False, "other": True,
        "headline": True, "said": False,
    }  # fmt: skip


def test_leads_follow_the_rule() -> None:
    library = mt.library()
    for context in grades.CONTEXTS:
        for name in leads(library.names, confounders=False, context=context):
            entry = library[name]
            assert entry.grades.get(context) != "opposed", (context, name)
            better = [
                e for e in library.select(branch=entry.branch, kind="signature")
                if e.sign and e.level != "component" and e.grades.get(context) == "as expected"
            ]  # fmt: skip
            assert not better or entry.grades[context] == "as expected", (context, name)
    assert lead_of("mtorc2_akt", "HCC") is None
    assert why_no_lead("mtorc2_akt", "HCC").startswith("FOXO_TARGETS_AKT_OFF is opposed in liver tumours (HCC): pAKT")
    assert lead_of("mtorc2_akt") is None  # where the context is not known, opposed anywhere is too much
    assert lead_of("mtorc2_akt", "HB") == "FOXO_TARGETS_AKT_OFF"
    assert lead_of("srebp1", "HCC") == "SREBP1_LIPOGENIC_CORE"
    assert why_no_lead("srebp1", "HCC") == ""


def test_evidence_is_of_the_content_that_was_measured() -> None:
    entry = mt.library()["SREBP1_LIPOGENIC_CORE"]
    other = mt.Signature(id=entry.id, up=("FASN", "SCD"))
    assert set(other.grades.values()) == {"not tested"}
    assert mt.Signature(id="MINE", up=("FASN",)).grades == {}
    assert grade_in(entry, "hcc") == grade_in(entry, "HCC") == "as expected"
    assert grade_in(entry, "lung") is None


@pytest.mark.parametrize(
    ("claim", "numbers", "statistic", "grade"),
    [
        (1, (0.3, 0.1, 0.5), "rho", "as expected"),
        (-1, (0.3, 0.1, 0.5), "rho", "opposed"),
        (1, (0.1, -0.1, 0.3), "rho", "none"),
        (1, (2.5, 0.54, 4.46), "z", "as expected"),
        (1, (-2.5, -4.46, -0.54), "z", "opposed"),
        (0, (0.3, 0.1, 0.5), "rho", "not tested"),
        (1, (float("nan"),) * 3, "rho", "not tested"),
    ],
)
def test_the_rule(claim: int, numbers: tuple[float, float, float], statistic: str, grade: str) -> None:
    assert grades.grade_of(claim, *numbers, statistic) == grade


def test_unknown_grades_contexts_and_broken_evidence_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="Known: as expected, none, opposed, not tested"):
        mt.library().select(confidence="high")
    with pytest.raises(SignatureError, match="Unknown context: 'liver'"):
        mt.library().select(confidence="opposed", context="liver")
    text = EVIDENCE.read_text(encoding="utf-8")
    for old, new, message in (("\tHCC\t", "\tliver\t", "contexts are"), ("-0.574", "a lot", "not one")):
        path = tmp_path / f"{len(message)}.tsv"
        path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(FormatError, match=message):
            grades.read_evidence(path)
    path.write_text("signature\tcontext\nA\tHCC\n", encoding="utf-8")
    with pytest.raises(FormatError, match="lacks the column hash"):
        grades.read_evidence(path)


def test_a_branch_brings_the_parts_that_its_composites_need() -> None:
    chosen = mt.library().select(branch="mtorc1")
    for entry in chosen:
        if isinstance(entry, Composite):
            assert set(entry.parts) <= set(chosen.names)
    assert {e.branch for e in chosen.select(kind=["panel", "composite"])} == {"mtorc1"}
    assert {e.branch for e in mt.library().select(branch="mtorc1", kind="signature")} == {"mtorc1"}
    adata = mt.datasets.simulate_cohort(20, 10, seed=0, n_genes=3000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mt.errors.MtorscoreWarning)
        scorer = mt.SignatureScorer(signatures=chosen, method="singscore").fit(adata)
    assert "MTORC1_FOOTPRINT" in scorer.get_feature_names_out()


def test_composites_without_a_reference_are_named() -> None:
    adata = mt.datasets.simulate_cohort(6, 4, seed=0, n_genes=3000)
    chosen = mt.library().select(["AKT_AXIS", "AKT_UP.V1", "FOXO_TARGETS_AKT_OFF", "RIBI_CORE"])
    with pytest.warns(mt.errors.IgnoredWarning, match=r"1 composite\(s\) are NaN \(AKT_AXIS\): .* reference") as caught:
        mt.tl.score(adata, chosen, method="singscore")
    assert sum("composite" in str(w.message) for w in caught) == 1


def test_no_file_states_a_confidence_of_its_own() -> None:
    for path in sorted((ROOT / "signatures").glob("*/*.yaml")):
        assert not re.search(r"^confidence:", path.read_text(encoding="utf-8"), re.M), path


def test_no_file_names_a_signature_in_a_condition() -> None:
    names = set(mt.library(experimental=True).names)
    named = []
    for folder in ("mtorscore", "benchmarks", "tools", "workflows"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                tests = [node.test] if isinstance(node, ast.If | ast.IfExp | ast.While) else []
                tests += (
                    [node] if isinstance(node, ast.Compare) else node.ifs if isinstance(node, ast.comprehension) else []
                )
                for test in tests:
                    words = [n.value for n in ast.walk(test) if isinstance(n, ast.Constant)]
                    named += [f"{path}:{test.lineno} {w}" for w in words if w in names]
    assert named == []
