"""``mtorscore signatures``: every command, for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mtorscore as mt
from mtorscore.cli.signatures import app

runner = CliRunner()


def run(*arguments: object, code: int = 0) -> str:
    result = runner.invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout


def test_list() -> None:
    records = json.loads(run("list", "--json"))
    assert [r["id"] for r in records] == mt.library().names
    records = json.loads(run("list", "--json", "--branch", "srebp1", "-l", "transcriptional", "--experimental"))
    assert {r["branch"] for r in records} == {"srebp1"}
    shown = run("list", "--branch", "mtorc1")
    assert "MTORC1_ATF4" in shown
    assert f"library {mt.library().version}" in shown
    assert len(json.loads(run("list", "--json", "--experimental"))) > len(mt.library())


@pytest.mark.parametrize("name", ["MTORC1_ATF4", "EIF4E_TO_4EBP_RATIO", "GATOR", "AKT_AXIS", "PROGENY_PI3K"])
def test_show(name: str) -> None:
    shown = run("show", name)
    assert name in shown
    assert "caveat" in shown
    record = json.loads(run("show", name, "--json"))
    assert record["hash"] == mt.library()[name].hash
    if name != "AKT_AXIS":
        assert sum(record["evidence"].values()) == record["genes"]
        assert "read" in shown


def test_show_an_unknown_entry_suggests() -> None:
    result = runner.invoke(app, ["show", "HALLMARK_MTORC1"])
    assert "HALLMARK_MTORC1_SIGNALING" in str(result.exception)


def test_search_by_old_symbol_and_by_words() -> None:
    ids = {r["id"]: r["match"] for r in json.loads(run("search", "GATSL3", "--json"))}
    assert ids["AMINO_ACID_SENSORS"] == "holds CASTOR1"
    assert "FETAL_LIVER_DEVELOPMENT" in {r["id"] for r in json.loads(run("search", "fetal liver", "--json"))}
    assert "SREBP1_LIPOGENIC_CORE" in run("search", "fasn")
    assert json.loads(run("search", "nothing like this", "--json")) == []


def test_search_says_what_became_of_a_name() -> None:
    def said(text: str) -> str:
        result = runner.invoke(app, ["search", text])
        assert result.exit_code == 0
        return result.output

    assert "SAMTOR is now called BMT2." in said("SAMTOR")
    assert "MIP1 is ambiguous: it can mean MAPKAP1, TNPO1." in said("MIP1")
    assert "Nothing in the library holds or mentions 'zzz'." in said("zzz")


@pytest.mark.parametrize("width", [60, 80, 140, 300])
def test_a_list_has_one_line_per_entry_whatever_the_width(width: int) -> None:
    result = runner.invoke(app, ["list", "--experimental"], env={"COLUMNS": str(width)})
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= width
    for entry in mt.library(experimental=True):
        assert sum(entry.id[: width // 2] in line for line in lines) >= 1, entry.id
    assert len(lines) < len(mt.library(experimental=True)) + 30


def test_show_names_the_source_of_every_gene_and_the_parts_of_a_composite() -> None:
    shown = run("show", "AMINO_ACID_SENSORS", "--genes")
    assert "BMT2     brakes     cross-checked  REACTOME_AMINO_ACIDS_REGULATE_MTORC1" in shown
    shown = run("show", "MTORC1_FOOTPRINT")
    assert "+1 MTORC1_LIPID_STEROL (as expected in HCC" in shown


def test_export_to_standard_output() -> None:
    assert run("export", "-", "MTORC1_PPP").startswith("MTORC1_PPP\t")
    assert run("export", "-", "MTORC1_PPP", "--format", "tsv").startswith("source\ttarget\tweight\n")


def test_export_with_filters_names_and_organism(tmp_path: Path) -> None:
    run("export", tmp_path / "x.gmt", "--branch", "mtorc1", "--kind", "signature")
    back = mt.SignatureCollection.read(tmp_path / "x.gmt", join_up_down=True)
    assert back.names == mt.library().select(branch="mtorc1", kind="signature").names
    run("export", tmp_path / "y.yaml", "META_PCNA", "CYTOLYTIC")
    assert mt.SignatureCollection.read(tmp_path / "y.yaml").names == ["META_PCNA", "CYTOLYTIC"]
    run("export", tmp_path / "m.gmt", "SREBP1_LIPOGENIC_CORE", "--organism", "mouse")
    assert "Fasn" in (tmp_path / "m.gmt").read_text()


def test_validate(tmp_path: Path) -> None:
    assert run("validate").strip() == "No problem found."
    (tmp_path / "X.yaml").write_text("id: X\nkind: signature\nup: [GATSL3]\n")
    shown = run("validate", tmp_path, code=2)
    assert "X.yaml:3" in shown
    problems = json.loads(run("validate", tmp_path, "--json", code=2))
    assert {"path", "line", "code", "message"} == set(problems[0])


def test_validate_knows_the_parts_of_a_composite(tmp_path: Path) -> None:
    folder = tmp_path / "mtorc1"
    folder.mkdir()
    mt.library().select(["MTORC1_FOOTPRINT"]).write(folder)
    assert run("validate", folder).strip() == "No problem found."
    path = folder / "MTORC1_FOOTPRINT.yaml"
    path.write_text(path.read_text().replace("RIBI_CORE", "RIBI_COR"))
    (problem,) = json.loads(run("validate", folder, "--json", code=2))
    assert problem["code"] == "parts"
    assert "Did you mean RIBI_CORE?" in problem["message"]


def test_overlap() -> None:
    rows = json.loads(run("overlap", "SREBP2_CHOLESTEROL_CORE", "MTORC1_LIPID_STEROL", "--json"))
    assert rows[0]["shared"] >= 15
    shown = run("overlap")
    assert "not independent" in shown
    assert len(json.loads(run("overlap", "--by", "branch", "--json"))) > 100


def test_diff(tmp_path: Path) -> None:
    assert json.loads(run("diff", "library", "--json")) == []
    chosen = mt.library().select(["MTORC1_PPP", "AKT_AXIS"])
    chosen.write(tmp_path / "old")
    path = tmp_path / "old" / "MTORC1_PPP.yaml"
    path.write_text(path.read_text().replace("    G6PD:", "    FASN:").replace("caveat: Seven", "caveat: Some"))
    chosen.write(tmp_path / "new.yaml")
    (change,) = json.loads(run("diff", tmp_path / "old", tmp_path / "new.yaml", "--json"))
    assert (change["id"], change["status"], change["value_changed"]) == ("MTORC1_PPP", "changed", True)
    assert change["details"][:2] == ["gained 1: G6PD", "lost 1: FASN"]
    shown = run("diff", tmp_path / "old", "library")
    assert "added META_PCNA" in shown
    assert "caveat" in shown
