"""docs/evidence/seed_map.md: current, complete, and every call runs on the simulated cohort."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from anndata import AnnData
from typer.testing import CliRunner

import mtorscore as mt
from mtorscore.cli.signatures import app
from mtorscore.collection.library_files import SEED_COLUMNS, library_folder, seed_answer
from mtorscore.errors import SignatureError
from mtorscore.genes.symbols import human_to_mouse

N_GENES = 7000
ROOT = Path(__file__).resolve().parents[2]
SYSTEMS: list[dict[str, Any]] = yaml.safe_load((library_folder() / "seed_map.yaml").read_text())["systems"]
SETUP = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "evidence" / "seed_map.md").read_text(), re.S)


def test_page_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "seed_map.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_system_is_answered() -> None:
    assert [s["id"] for s in SYSTEMS] == [f"S{i:02d}" for i in range(1, 54)]
    library = mt.library(experimental=True)
    answers = {"signature", "composite", "ratio", "panel", "analysis", "needs data", "context"}
    for system in SYSTEMS:
        assert system["answer"] in answers
        entries = [e for e in library if system["id"] in e.seeds]
        assert entries or system["answer"] == "context", system["id"]
        kinds = {e.kind for e in entries}
        if system["answer"] in {"ratio", "composite"}:
            assert system["answer"] in kinds, system["id"]
        named = set(re.findall(r'"\^?([A-Z][A-Z0-9_.]{6,})[:"]', system["call"])) - {"MY_ONCOMIRS", "AZD8055"}
        assert named <= set(library.names), (system["id"], named - set(library.names))


def log_scale(adata: AnnData) -> AnnData:
    counts = np.asarray(adata.X, dtype=np.float64)
    adata.X = np.log2(counts / counts.sum(axis=1, keepdims=True) * 1e6 + 1)
    adata.uns["source"]["scale"] = "log2"
    return adata


@pytest.fixture(scope="module")
def namespace() -> dict[str, Any]:
    """Run the page's own setup on a simulated cohort, with made-up annotation for the calls that need some."""
    raw = mt.datasets.simulate_cohort(60, 24, seed=0, n_genes=N_GENES)
    rng = np.random.default_rng(0)
    counts = np.asarray(raw.X, dtype=np.float64)
    adata, reference_cohort = (log_scale(mt.datasets.simulate_cohort(60, 24, seed=s, n_genes=N_GENES)) for s in (0, 1))
    normal = (adata.obs["sample_type"] == "normal").to_numpy()
    for column, values in {
        "drug": ["none", "sirolimus", "metformin", "AZD8055", "dactolisib", "everolimus", "dactolisib and everolimus"],
        "tsc": ["lost", "intact"],
        "site": ["intrahepatic", "extrahepatic"],
        "immunosuppressant": ["sirolimus", "tacrolimus"],
        "surgery": ["hepatectomy", "sham"],
    }.items():
        adata.obs[column] = rng.choice(values, adata.n_obs)
    adata.obs["tissue"] = np.where(normal, "normal", rng.choice(["NASH", "cirrhosis", "HCC"], adata.n_obs))
    orthologues = human_to_mouse()
    kept = [g for g in adata.var_names if g in orthologues]
    mouse = adata[:, kept].copy()
    mouse.var_names = [orthologues[g] for g in kept]
    loci = ["MIR21", "MIR221", "MIR99A", "MIR100", "MIR122", "MIR34A"]
    mirna = AnnData(rng.normal(size=(20, 6)), var=pd.DataFrame(index=loci), obs=pd.DataFrame(index=map(str, range(20))))
    footprints = raw.copy()
    footprints.X = rng.poisson(counts * 0.5)
    space = {
        "adata": adata,
        "reference_cohort": reference_cohort,
        "mouse": mouse,
        "mirna": mirna,
        "footprints": footprints,
        "mrna": raw,
    }
    assert SETUP is not None
    exec(SETUP[1], space)  # noqa: S102 - the page's own code
    return space


@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
@pytest.mark.parametrize("system", SYSTEMS, ids=[s["id"] for s in SYSTEMS])
def test_call_runs(namespace: dict[str, Any], system: dict[str, Any]) -> None:
    lines = system["call"].rstrip().split("\n")
    local = dict(namespace)
    for line in lines:
        if re.match(r"\w+(, \w+)? = ", line):
            exec(line, local)  # noqa: S102 - the page's own code
            continue
        value = eval(line, local)  # noqa: S307 - the page's own code
        assert value is not None
        if isinstance(value, pd.DataFrame | pd.Series):
            assert len(value) > 0, line
            assert value.shape[-1] > 0, line
            numbers = value.select_dtypes("number") if isinstance(value, pd.DataFrame) else value
            known = np.isfinite(np.asarray(numbers, dtype=float))
            # A table of associations has columns for other endpoints, models and controls than those of the call.
            assert known.mean() > (0.3 if "associate(" in line else 0.5), line


def test_every_system_has_an_answer_with_numbers_or_names_what_it_lacks() -> None:
    page = (ROOT / "docs" / "evidence" / "seed_map.md").read_text(encoding="utf-8")
    answered = 0
    for system in SYSTEMS:
        rows, sentence = seed_answer(system["id"])
        assert f"**{sentence}**" in page, system["id"]
        assert re.match(r"(Yes|No|Cannot be said, because)\b", sentence), sentence
        if not rows:
            assert system["needs"] in sentence
            continue
        answered += 1
        for row in rows:
            assert list(row) == list(SEED_COLUMNS)
            assert row["answer"] in {"yes", "no", "cannot be said"}
            assert (row["answer"] != "cannot be said") <= bool(row["estimate"]), row
            assert row["because"] or row["answer"] != "cannot be said", row
            if row["estimate"] and "%" not in row["expected"]:
                side = {"above 0": 1, "below 0": -1}[row["expected"]]
                low, high = sorted(float(row[k]) * side for k in ("low", "high"))
                kept = "opposed" in row["because"] and row["answer"] == "cannot be said"
                assert kept or row["answer"] == ("yes" if low > 0 else "no" if high < 0 else "cannot be said"), row
    assert answered >= 35
    with pytest.raises(SignatureError, match="S01 to S53"):
        seed_answer("S54")


def test_the_sentence_says_what_the_rows_beside_the_first_say() -> None:
    assert seed_answer("S22")[1].endswith("; of 1 more row 1 no.")
    for system in SYSTEMS:
        rows, sentence = seed_answer(system["id"])
        told = re.search(r"; of (\d+) more rows? (.*)\.$", sentence)
        assert (told is not None) == (len(rows) > 1), sentence
        if told is not None:
            counts = {a: int(n) for n, a in re.findall(r"(\d+) (yes|no|cannot be said)", told[2])}
            assert sum(counts.values()) == int(told[1]) == len(rows) - 1
            answers = [r["answer"] for r in rows[1:]]
            assert counts == {a: answers.count(a) for a in dict.fromkeys(answers)}


def test_no_row_names_a_file_where_a_reader_expects_a_place() -> None:
    for system in SYSTEMS:
        for row in seed_answer(system["id"])[0]:
            assert not re.fullmatch(r"[A-Z]{4}(, \w+)?|(tcga|hcc)-\w+(, \w+)?", row["where"]), row
            assert "rho" not in row["unit"] or "Spearman's rho" in row["unit"], row


def test_the_seed_rows_make_no_call_from_what_is_opposed() -> None:
    for system in ("S03", "S26", "S30"):
        rows, _ = seed_answer(system)
        told = [
            r for r in rows if r["what"] in {"AKT_AXIS", "FOXO_TARGETS_AKT_OFF"} and re.search("HCC|lihc", r["where"])
        ]
        assert told
        assert all("opposed in liver tumours (HCC)" in r["because"] and r["answer"] != "yes" for r in told), told
    rows, sentence = seed_answer("S26")
    assert re.search(r"share of tumours beyond 95% of 21 normal samples: [\d.]+ \([\d.]+ to [\d.]+\), n 153", sentence)
    assert {"grade", "metastasis"} <= {r["unit"].split()[-1] for r in seed_answer("S43")[0]}


def test_a_reader_of_the_seed_map_is_answered_in_the_terminal() -> None:
    shown = CliRunner().invoke(app, ["system", "s10"], env={"COLUMNS": "160"}).stdout
    assert "share of tumours beyond" in shown
    assert "0.137" in shown
    assert "not at hand, or only in part: copy number and mutations of PTEN" in " ".join(shown.split())
    assert re.search(r"^(Yes|No|Cannot be said)", shown, re.M)
    asked = json.loads(CliRunner().invoke(app, ["system", "S33", "--json"]).stdout)
    assert asked["rows"] == []
    assert "treated and untreated samples" in asked["sentence"]
