"""Result tables are declared once; what computes them and what shows them agrees with the declaration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from mtorscore import prognosis
from mtorscore.collection import SignatureCollection, library
from mtorscore.datasets import simulate_cohort
from mtorscore.errors import DataWarning
from mtorscore.pipeline import compare_groups, enrich, prepare, read_table, relate, score
from mtorscore.pipeline.genomics.step import relate_alterations
from mtorscore.pipeline.table_files import write_result
from mtorscore.pp import resolve_patients
from mtorscore.prognosis import Endpoint
from mtorscore.prognosis.association.associate import COLUMNS
from mtorscore.results import (
    ASSOCIATIONS,
    BESIDE,
    CALIBRATION,
    DECISION,
    EXCLUSIONS,
    GSEA,
    KAPLAN_MEIER,
    META,
    TABLES,
    Table,
)
from mtorscore.tl.analysis.gsea import COLUMNS as COMPUTED
from tests.conftest import ROOT
from tests.report.runs import NAMES

SIGNATURES = SignatureCollection([library()[n] for n in NAMES])
DECLARED = {"results.py", "_outcome_results.py", "_alteration_results.py"}
WRITTEN = [t for t in TABLES.values() if t.path]


@pytest.mark.parametrize("declared", TABLES.values(), ids=lambda t: t.name)
def test_a_declaration_is_complete(declared: Table) -> None:
    assert len(set(declared.names)) == len(declared.names)
    assert set(declared.printed.split()) <= set(declared.names)
    assert all(c.meaning.strip() for c in declared.columns)
    assert bool(declared.step) == bool(declared.path)
    assert declared.report or not declared.script


def test_paths_and_names_are_unique() -> None:
    assert len({t.path for t in WRITTEN}) == len(WRITTEN)
    assert [t.name for t in TABLES.values() if not t.path] == ["meta", "board"]


def test_what_computes_a_table_gives_its_columns() -> None:
    assert BESIDE == ("technical_sd", "methods_agree", "differ", "claim")
    assert (*COLUMNS, *BESIDE) == ASSOCIATIONS.names[1:]
    rng = np.random.default_rng(0)
    index = [f"p{i}" for i in range(60)]
    scores = pd.DataFrame({"A": rng.normal(size=60)}, index=index)
    clinical = pd.DataFrame({"t": rng.exponential(900, 60), "e": rng.integers(0, 2, 60)}, index=index)
    endpoint = Endpoint.survival("t", "e", unit="days")
    curves = prognosis.kaplan_meier(scores, clinical, endpoint)
    assert tuple(curves.columns) == KAPLAN_MEIER.names[1:]
    risk = pd.Series(rng.uniform(0.1, 0.9, 60), index=index)
    data = endpoint.resolve(clinical, risk.index)
    keys = {"method", "endpoint", "model", "horizon"}
    assert keys | set(prognosis.calibration_curve(risk.to_numpy(), data, 365.25)) == set(CALIBRATION.names)
    net = prognosis.decision_curve(risk, clinical, endpoint, horizon=365.25, thresholds=(0.2, 0.4))
    assert keys | set(net) - {"strategy"} == set(DECISION.names)
    table = prognosis.associate(scores, clinical, endpoint, negative_controls=(), n_boot=0)
    assert {"method", *table.columns, *BESIDE} == set(ASSOCIATIONS.names)
    combined = prognosis.meta_analyse({"a": table, "b": table, "c": table})
    assert {"method", *combined.columns} == set(META.names)
    evaluated = prognosis.evaluate(None, scores, clinical, endpoint, n_splits=2, n_repeats=1, n_boot=0).summary
    assert {"method", *evaluated.columns} == set(TABLES["survival_models"].names)


def test_the_exclusion_log_has_the_declared_columns() -> None:
    adata = ad.AnnData(np.ones((2, 1)), pd.DataFrame(index=["TCGA-AA-0001-01A", "TCGA-AA-0001-11A"]))
    resolve_patients(adata)
    assert tuple(adata.uns["exclusions"].columns) == EXCLUSIONS.names


@pytest.mark.filterwarnings("ignore::mtorscore.errors.IgnoredWarning")
@pytest.mark.filterwarnings("ignore::mtorscore.errors.StatisticsWarning")
def test_every_cohort_has_the_same_columns(tmp_path: Path) -> None:
    full = simulate_cohort(n_tumours=60, n_normals=10, n_genes=600, signatures=SIGNATURES)
    bare = full.copy()
    bare.obs = bare.obs[["sample_type"]].assign(sample_type="tumour")
    headers = {}
    for name, cohort in (("full", full), ("bare", bare)):
        (tmp_path / name).mkdir()
        cohort.write_h5ad(tmp_path / f"{name}.h5ad")
        prepare("simulated", tmp_path / name, simulated=tmp_path / f"{name}.h5ad")
        methods = ["singscore", "ucell"]
        score(tmp_path / name, SIGNATURES, methods)
        few: dict[str, Any] = {"null_sets": 0, "bootstraps": 0, "cv_folds": 2, "cv_repeats": 1}
        relate(tmp_path / name, SIGNATURES, methods=methods, **few)
        enrich(tmp_path / name, SIGNATURES, permutations=0)
        compare_groups(tmp_path / name, methods)
        relate_alterations(tmp_path / name, SIGNATURES, methods=["singscore"], null_sets=0)
        headers[name] = {t.name: read_table(tmp_path / name / t.path.format(method="singscore")) for t in WRITTEN}
    assert len(headers["full"]["associations"]) > 0
    assert len(headers["full"]["classifiers"]) > 0
    for declared in WRITTEN:
        full_names, bare_names = (list(headers[n][declared.name].columns) for n in ("full", "bare"))
        assert full_names == bare_names, declared.name
        assert declared.per_signature or full_names == list(declared.names), declared.name
    for name in ("associations", "activation", "contrasts"):
        table = headers["full"][name]
        assert set(table["method"]) == set(methods), name
        assert table["methods_agree"].notna().any(), name
        assert (table["technical_sd"] > 0).all(), name
        claims = table["claim"].str.contains(r"^(?:above|below): |^methods disagree$|^no method|^cannot be said$")
        assert claims.all(), name
    assert headers["full"]["activation"]["active_claim"].notna().all()
    for name in ("associations", "km", "null", "survival_models", "calibration", "decision"):
        assert not len(headers["bare"][name]), name
    assert len(headers["bare"]["associations"].columns) == len(COLUMNS) + len(BESIDE) + 1


def test_an_undeclared_column_is_said_and_a_missing_one_is_added(tmp_path: Path) -> None:
    rows = pd.DataFrame({"surprise": [1], "reason": ["r"], "signature": ["A"]})
    with pytest.warns(DataWarning, match=r"gsea.tsv has 1 column\(s\) that are not declared: surprise"):
        write_result(rows, GSEA, tmp_path)
    assert tuple(read_table(tmp_path / "relate" / "gsea.tsv").columns) == (*GSEA.names, "surprise")


def test_scores_keep_their_index_and_every_signature(tmp_path: Path) -> None:
    scores = pd.DataFrame({"B": [0.5], "A": [1.5]}, index=["s1"])
    path = write_result(scores, TABLES["scores"], tmp_path, index=True, method="zscore")
    assert path == tmp_path / "scores" / "zscore.tsv"
    assert path.read_text().splitlines() == ["observation\tB\tA", "s1\t0.5\t1.5"]


def test_paths_stand_in_one_file() -> None:
    """No other file of the package or of the workflow names the path of a result table."""
    paths = "|".join(re.escape(t.path) for t in WRITTEN if "/" in t.path and "{" not in t.path)
    files = [*(ROOT / "mtorscore").rglob("*.py"), *(ROOT / "workflows").rglob("*.smk")]
    code = {p: re.sub(r'""".*?"""', "", p.read_text(encoding="utf-8"), flags=re.S) for p in files}
    found = [p.name for p, text in code.items() if re.search(paths, text) and p.name not in DECLARED]
    assert found == []


def test_gsea_computes_what_is_declared() -> None:
    added = {"comparison", "n_first", "n_second"}
    assert set(COMPUTED) | added == set(GSEA.names)


def test_the_manual_shows_every_table() -> None:
    manual = (ROOT / "docs" / "reference" / "results.md").read_text(encoding="utf-8")
    for declared in WRITTEN:
        assert f"{'scores' if declared.per_signature else declared.name}.txt" in manual
        assert Path(declared.path.replace("{method}", "<method>")).name in manual
