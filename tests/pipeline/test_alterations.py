"""Expression, alterations, classes and a clinical table become tables and a section of the report."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from mtorscore import _alteration_results as tables
from mtorscore import report
from mtorscore.cli.app import app
from mtorscore.collection import SignatureCollection, library
from mtorscore.collection.lead_signatures import lead_of
from mtorscore.datasets import simulate_cohort
from mtorscore.errors import ConfigError, DataError
from mtorscore.pipeline import prepare, read_table, score
from mtorscore.pipeline.genomics.step import has_beside, relate_alterations
from mtorscore.pipeline.own_data import OwnData, write_inputs
from mtorscore.pp import load_recipe
from mtorscore.results import TABLES
from tests.report.runs import NAMES

LEAD = str(lead_of("mtorc1", "HCC"))
SIGNATURES = SignatureCollection([library()[n] for n in dict.fromkeys([*NAMES, LEAD])])


@pytest.fixture
def user(tmp_path: Path) -> OwnData:
    """Return the files of a new user: 60 tumours, ten normals; TSC1 lost where the mTORC1 score is high."""
    cohort = simulate_cohort(n_tumours=60, n_normals=25, n_genes=900, signatures=SIGNATURES, seed=1)
    cohort.to_df().T.rename_axis("gene").to_csv(tmp_path / "expression.tsv", sep="\t")
    obs = cohort.obs
    outcome = obs[["sample_type", "OS", "OS.time"]].assign(HBV=np.where(np.arange(len(obs)) % 3 == 0, "yes", "no"))
    outcome.rename_axis("sample").to_csv(tmp_path / "clinical.tsv", sep="\t")
    tumours = list(obs.index[obs["sample_type"] == "tumour"])
    genes = [g for g in library()[LEAD].genes if g in cohort.var_names]
    logged = np.log2(cohort.to_df().loc[tumours, genes] + 1)
    high = logged.mean(axis=1).sort_values().index[-20:]
    rows = [f"TSC1\t{s}\tFrame_Shift_Del\tp.A1fs" for s in high]
    rows += [f"TP53\t{s}\tMissense_Mutation\tp.R249S" for s in tumours[::3]] + [f"MTOR\t{s}\tSilent\t" for s in tumours]
    head = "Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification\tHGVSp_Short"
    (tmp_path / "data_mutations.txt").write_text("\n".join(["#version 2.4", head, *rows]) + "\n")
    (tmp_path / "cases.txt").write_text("case_list_ids: " + "\t".join(tumours) + "\n")
    proteins = pd.DataFrame({"S6_pS235_S236": np.random.default_rng(0).normal(size=60)}, index=tumours)
    proteins.rename_axis("sample").to_csv(tmp_path / "rppa.tsv", sep="\t")
    return OwnData(
        name="mine", expression=tmp_path / "expression.tsv", clinical=tmp_path / "clinical.tsv", cancer="HCC",
        time="OS.time", event="OS", unit="days", group="sample_type", tumour="tumour", normal="normal", units="counts",
        alterations=(tmp_path / "data_mutations.txt",), profiled=tmp_path / "cases.txt", proteins=tmp_path / "rppa.tsv",
    )  # fmt: skip


def written(user: OwnData, tmp_path: Path, methods: tuple[str, ...] = ("singscore",)) -> Path:
    recipe = yaml.safe_load(write_inputs(user, tmp_path / "results").read_text())
    folder = tmp_path / "results" / "mine" / "mine"
    recipe = str(tmp_path / "results" / "mine" / "inputs" / "recipe.yaml")
    prepare(recipe, folder, data=tmp_path)
    score(folder, SIGNATURES, methods)
    relate_alterations(folder, SIGNATURES, methods=methods, recipe=recipe, data=tmp_path, null_sets=0)
    return folder


@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
def test_a_new_user_gets_tables_oncoprint_and_section(user: OwnData, tmp_path: Path) -> None:
    folder = written(user, tmp_path)
    found = {t.name: read_table(folder / t.path) for t in tables.ALTERATION_TABLES}
    for table in tables.ALTERATION_TABLES:
        assert list(found[table.name].columns) == list(table.names)
    first = found["alterations"]
    first = first[first["declared"] & (first["model"] == "unadjusted")].set_index(["signature", "gene"])
    assert first.loc[(LEAD, "TSC1"), "finding"] == "as expected"
    assert first.loc[(LEAD, "TP53"), "altered"] == 20
    shares = found["alteration_shares"].set_index("name")
    assert shares.loc["TSC1", ["n", "altered"]].tolist() == [60, 20]
    # All its mutations are silent, so that it was looked at; what no row names was not.
    assert shares.loc["MTOR", ["n", "altered"]].tolist() == [60, 0]
    assert "PTEN" not in shares.index
    layers = found["layer_shares"].set_index(["branch", "layer"])
    assert layers.loc[("mtorc1", "DNA"), "active"] == 20
    assert {"transcript", "protein", "DNA"} <= set(found["layers"]["layer"])
    (tmp_path / "results" / "mine" / "run.json").write_text("{}")
    page = report.write(tmp_path / "results" / "mine").read_text(encoding="utf-8")
    part = page[page.index('<section id="alterations"') :]
    part = part[: part.index("</section>")]
    assert "data:image/svg+xml;base64," in part
    assert re.search(r"Altered tumours: .*TSC1 33%", part)
    assert f"{LEAD} with TSC1 altered: as expected" in part
    assert 'href="#alterations"' in page
    # No interactive table takes the place of these: they are not among those that a page with scripts hides.
    assert part.count("<table>") == part.count('class="scroll narrow" tabindex="0" role="region" aria-label="') > 3
    assert "static-table" not in part


@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
def test_without_alterations_there_is_no_section(user: OwnData, tmp_path: Path) -> None:
    bare = replace(user, alterations=(), profiled=None, proteins=None)
    folder = written(bare, tmp_path)
    assert not has_beside(str(tmp_path / "results" / "mine" / "inputs" / "recipe.yaml"))
    assert not len(read_table(folder / tables.ALTERATIONS.path))
    page = report.write(tmp_path / "results" / "mine").read_text(encoding="utf-8")
    assert 'id="alterations"' not in page


@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
def test_alterations_of_somebody_else_are_refused(user: OwnData, tmp_path: Path) -> None:
    text = (tmp_path / "data_mutations.txt").read_text()
    (tmp_path / "data_mutations.txt").write_text(re.sub(r"\tSIM\S*|\tT\S+", "\tX1", text))
    (tmp_path / "cases.txt").write_text("case_list_ids: X1\n")
    if "X1" not in (tmp_path / "data_mutations.txt").read_text():
        pytest.fail("the names of the simulation have changed")
    with pytest.raises(DataError, match="names must agree"):
        written(user, tmp_path)


def test_what_cannot_be_is_refused_before_the_run(user: OwnData, tmp_path: Path) -> None:
    for wrong, words in (
        ({"alterations": ()}, "give them with --alterations"),
        ({"alterations": (tmp_path / "no.maf",)}, "There is no file"),
        ({"classes": ("hoshide",)}, "Did you mean 'hoshida'"),
    ):
        with pytest.raises(ConfigError, match=words):
            write_inputs(replace(user, **wrong), tmp_path / "results")
    recipe = tmp_path / "r.yaml"
    recipe.write_text("id: x\nexpression: {file: e.tsv}\nalterations: {profiled: c.txt}\n")
    with pytest.raises(ConfigError, match="needs `files`"):
        load_recipe(recipe)
    recipe.write_text("id: x\nexpression: {file: e.tsv}\nalterations: {files: a.maf}\nclasses: hoshida\n")
    assert load_recipe(recipe).alterations["files"] == ["a.maf"]
    assert load_recipe(recipe).classes == ("hoshida",)


@pytest.mark.slow
def test_one_command_writes_it_all(user: OwnData, tmp_path: Path) -> None:
    options = ["--clinical", str(user.clinical), "--time", "OS.time", "--event", "OS", "--cancer", "HCC"]
    options += ["--group", "sample_type", "--tumour", "tumour", "--normal", "normal", "--units", "counts"]
    options += [
        "--alterations",
        str(user.alterations[0]),
        "--profiled",
        str(user.profiled),
        "--proteins",
        str(user.proteins),
    ]
    quick = ("null_sets=0", "bootstraps=0", "cv_repeats=1", "gsea_permutations=0", "methods=[singscore]")
    for setting in quick:
        options += ["--set", setting]
    done = CliRunner().invoke(app, ["run", str(user.expression), *options, "-o", str(tmp_path / "out"), "--cores", "1"])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "out" / "own" / "report.html").read_text(encoding="utf-8")
    assert '<section id="alterations"' in page
    written = [t for t in TABLES.values() if t.step == "alterations"]
    assert tables.ALTERATIONS in written
    for declared in written:
        table = pd.read_csv(tmp_path / "out" / "own" / "own" / declared.path, sep="\t")
        assert tuple(table.columns) == declared.names, declared.name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")
def test_the_liver_cohort_has_its_alterations_and_causes(shared: Path, tmp_path: Path) -> None:
    """The shipped recipe names mutations of the core tumours and what caused the cancer, each a control."""
    prepare("tcga-lihc", tmp_path, data=shared / "data")
    score(tmp_path, SIGNATURES, ("singscore",))
    relate_alterations(
        tmp_path, SIGNATURES, methods=("singscore",), recipe="tcga-lihc", data=shared / "data", null_sets=0
    )
    found = read_table(tmp_path / tables.ALTERATIONS.path)
    rows = found[found["gene"].eq("TP53") & found["signature"].eq(LEAD)].set_index("adjusted_for")
    assert {"HBV", "HCV", "alcohol", "NAFLD", "class (hoshida)", "proliferation"} <= set(rows.index)
    assert rows.loc["HBV", ["n", "altered"]].tolist() == [70, 20]
    beside = set(read_table(tmp_path / tables.CLASS_LABELS.path)["beside"])
    assert {"TP53", "HBV yes", "alcohol yes", "OS"} <= beside
