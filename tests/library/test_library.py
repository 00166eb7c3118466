"""The shipped library: what it promises to its readers."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

import mtorscore as mt
from mtorscore.cli.signatures import app
from mtorscore.collection import (
    BRANCHES,
    EVIDENCE,
    LEVELS,
    Composite,
    Panel,
    Ratio,
    Signature,
    SignatureCollection,
    collection,
)
from mtorscore.collection.entries import CANCERS
from mtorscore.collection.entry_format import LICENCES, RESTRICTED
from mtorscore.collection.library_files import library_folder, library_meta
from mtorscore.collection.validation import validate
from mtorscore.collection.yaml_text import load
from mtorscore.genes.symbols import approved_symbols, old_symbols

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def library() -> mt.SignatureCollection:
    return mt.library()


def test_size_and_kinds(library: mt.SignatureCollection) -> None:
    kinds = Counter(e.kind for e in library)
    assert len(library) >= 60
    copies = [e for e in library if any(s.name.startswith("MSigDB ") and s.role == "list" for s in e.sources)]
    assert len(library) - len(copies) >= 35
    assert set(kinds) == {"signature", "ratio", "panel", "composite"}
    assert "EIF4E_TO_4EBP_RATIO" in library.select(kind="ratio").names


def test_order_version_and_defaults(library: mt.SignatureCollection) -> None:
    places = [(BRANCHES.index(e.branch), e.id) for e in library]
    assert places == sorted(places)
    assert library.version == library_meta()["version"]
    assert f"## {library.version}" in (library_folder() / "CHANGELOG.md").read_text()
    assert not any(e.experimental for e in library)
    extra = set(mt.library(experimental=True).names) - set(library.names)
    assert extra
    assert all(mt.library(experimental=True)[name].experimental for name in extra)


def test_every_branch_has_a_readout_or_says_why_not(library: mt.SignatureCollection) -> None:
    branches = library_meta()["branches"]
    assert set(branches) == set(BRANCHES)
    for branch in BRANCHES:
        has = bool(library.select(branch=branch, level="transcriptional", kind="signature").names)
        assert library.select(branch=branch).names, branch
        assert has != ("no_readout" in branches[branch]), branch


def test_confounders_cover_what_moves_the_branches(library: mt.SignatureCollection) -> None:
    names = set(library.select(branch="confounder").names)
    assert names >= {
        "META_PCNA",
        "BUFFA_HYPOXIA_METAGENE",
        "ESTIMATE_STROMAL",
        "ESTIMATE_IMMUNE",
        "HEPATOCYTE_IDENTITY",
        "FETAL_LIVER_DEVELOPMENT",
        "HB_16GENE_C2_VS_C1",
    }
    classes = library["HB_16GENE_C2_VS_C1"]
    assert isinstance(classes, Signature)
    assert "AFP" in classes.up
    assert "CYP2E1" in classes.down
    early = library["FETAL_LIVER_DEVELOPMENT"]
    assert isinstance(early, Signature)
    assert len(early.up) > 100


def test_every_gene_has_evidence_and_a_source(library: mt.SignatureCollection) -> None:
    for entry in mt.library(experimental=True):
        if isinstance(entry, Composite):
            continue
        roles = {s.role for s in entry.sources}
        for gene in entry.genes:
            label = entry.evidence_of(gene)
            assert label in EVIDENCE, (entry.id, gene)
            if label == "recalled":
                assert entry.experimental, entry.id
            else:
                assert {"read": "list", "cross-checked": "cross-check"}[label] in roles, (entry.id, gene)
        assert entry.licence.startswith(LICENCES)
        assert entry.caveat
        assert entry.caveat.endswith(".")
        assert entry.added


def test_every_symbol_is_current(library: mt.SignatureCollection) -> None:
    genes = {g for e in mt.library(experimental=True) for g in e.genes}
    assert genes <= approved_symbols()
    sensors = library["AMINO_ACID_SENSORS"].genes
    assert {"CASTOR1", "BMT2", "KICS2"} <= set(sensors)


def entry_files() -> list[Path]:
    """Files of entries; those in ``classes`` are schemes, with a format of their own."""
    return [p for p in library_folder().glob("*/*.yaml") if p.parent.name != "classes"]


def test_no_restricted_set_ships() -> None:
    for path in library_folder().rglob("*.yaml"):
        text = path.read_text()
        assert not any(f" {prefix}" in text or f":{prefix}" in text for prefix in RESTRICTED), path


def test_signs_that_are_easy_to_get_wrong(library: mt.SignatureCollection) -> None:
    def up(name: str) -> set[str]:
        entry = library[name]
        assert isinstance(entry, Signature)
        return set(entry.up)

    # The drug sets are up when mTOR is active: their up side holds sterol synthesis.
    for name in ("MTOR_UP.V1", "MTOR_UP.N4.V1", "AKT_UP_MTOR_DN.V1"):
        assert library[name].sign == 1
    assert {"HMGCS1", "IDI1", "SQLE"} <= up("MTOR_UP.V1")
    assert {"IDI1", "LDLR"} <= up("AKT_UP.V1")
    assert library["FOXO_TARGETS_AKT_OFF"].sign == -1
    assert library["CLEAR_TFEB"].sign == -1
    assert "IRS2" in up("FOXO_TARGETS_AKT_OFF")
    for branch in ("eif4e",):
        assert {e.level for e in library.select(branch=branch, kind="signature")} == {"translational"}
    for absent in ("RAPA_EARLY_UP.V1", "EIF4E_UP", "EIF4E", "KIM_PTEN_TARGETS"):
        assert absent not in library


def test_ratio_and_panels_are_never_called_activity(library: mt.SignatureCollection) -> None:
    for entry in library:
        if isinstance(entry, Ratio | Panel):
            assert entry.level == "component"
            assert entry.sign == 0
            assert "activity" not in entry.title.lower()
    ratio = library["EIF4E_TO_4EBP_RATIO"]
    assert isinstance(ratio, Ratio)
    assert ratio.numerator == ("EIF4E",)
    assert ratio.denominator == ("EIF4EBP1", "EIF4EBP2", "EIF4EBP3")


def test_files_fit_the_json_schema() -> None:
    schema = json.loads((library_folder() / "schema.json").read_text())
    properties = schema["properties"]
    assert properties["branch"]["enum"] == list(BRANCHES)
    assert properties["level"]["enum"] == list(LEVELS)
    assert properties["cancers"]["items"]["enum"] == list(CANCERS)
    checker = jsonschema.Draft202012Validator(schema)
    checker.check_schema(schema)
    for path in sorted(entry_files()):
        document = load(path.read_text())
        assert not list(checker.iter_errors(document)), path
    bad = load((library_folder() / "mtorc1" / "MTORC1_PPP.yaml").read_text())
    for change in ({"level": "composite"}, {"parts": {"A": 1, "B": 1}}, {"sign": 2}, {"colour": "red"}):
        assert list(checker.iter_errors(bad | change)), change


def test_an_editor_adds_a_signature_by_writing_one_file(tmp_path: Path) -> None:
    """The example of docs/adding_a_signature.md, put into a copy of the library."""
    guide = (ROOT / "docs" / "adding_a_signature.md").read_text()
    example = guide.split("```yaml\n")[1].split("```")[0]
    folder = tmp_path / "signatures"
    shutil.copytree(library_folder(), folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    path = folder / "srebp1" / "MY_BRANCH_CORE.yaml"
    path.write_text(example)
    assert validate([folder], symbols=old_symbols(), approved=approved_symbols()) == []
    collection = SignatureCollection.read(folder)
    entry = collection["MY_BRANCH_CORE"]
    assert isinstance(entry, Signature)
    assert entry.up == ("FASN", "SCD", "ACACA")
    assert entry.down == ("PCK1", "G6PC1")
    path.write_text(example.replace("FASN:", "FASN1:"))
    (problem,) = validate([folder], symbols=old_symbols(), approved=approved_symbols())
    assert (
        problem.line
        == example.split("\n").index(
            "    FASN: Table 2          # SYMBOL: where; or SYMBOL: 2.5 for a weight; or {weight: 2.5, source: Table 2}"
        )
        + 1
    )


def test_contributing_holds_a_whole_file(tmp_path: Path) -> None:
    """Write the file of CONTRIBUTING.md into a copy of the library, and run the commands that it names."""
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    folder = tmp_path / "signatures"
    shutil.copytree(library_folder(), folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    path = folder / "srebp1" / "MY_LIPID_ARM.yaml"
    path.write_text(guide.split("```yaml\n")[1].split("```")[0])
    shown = {}
    for command in (
        ["validate", path],
        ["validate", folder],
        ["show", "MY_LIPID_ARM", "--genes", "--library", folder],
        ["overlap", "--library", folder],
        ["diff", "library", folder],
    ):
        result = CliRunner().invoke(app, list(map(str, command)), env={"COLUMNS": "120"})
        assert result.exit_code == 0, (command, result.output, result.exception)
        shown[command[0]] = result.stdout
    assert "up         cross-checked  HORTON_SREBF_TARGETS" in shown["show"]
    assert "MY_LIPID_ARM" in shown["overlap"]
    assert "added MY_LIPID_ARM" in shown["diff"]
    adata = mt.datasets.simulate_cohort(12, 4, seed=0, n_genes=3000)
    mt.tl.score(adata, SignatureCollection.read(folder).select("MY_LIPID_ARM"), method="singscore")
    assert adata.obsm["score_singscore"]["MY_LIPID_ARM"].notna().all()


def test_the_library_is_read_once_by_the_fast_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is parsed once, by libyaml, and later calls parse nothing."""
    parsed: list[str] = []
    read = yaml.parse

    def counted(text: str, Loader: Any) -> Any:
        parsed.append(text)
        assert "CParser" in {parent.__name__ for parent in Loader.__mro__}
        return read(text, Loader=Loader)

    monkeypatch.setattr(yaml, "parse", counted)
    monkeypatch.setattr(collection, "library", cache(collection.library.__wrapped__))
    for _ in range(2):
        assert len(collection.library()) < len(collection.library(experimental=True))
    assert len(parsed) == len(entry_files())


def test_lists_agree_with_the_reference_tables(shared: Path, library: mt.SignatureCollection) -> None:
    """Read straight from the tables, without the script: the genes of three lists, and the sign of one."""
    with (shared / "reference" / "literature_signatures.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for name in ("SREBP2_CHOLESTEROL_CORE", "META_PCNA", "CLEAR_TFEB"):
        assert set(library[name].genes) == {r["gene_symbol"] for r in rows if r["signature"] == name}
    gmt = (shared / "reference" / "msigdb_selected.gmt").read_text().splitlines()
    sets = {line.split("\t")[0]: set(line.split("\t")[2:]) for line in gmt}
    entry = library["PTEN_DN.V1"]
    assert isinstance(entry, Signature)
    assert len(set(entry.up) & sets["PTEN_DN.V1_UP"]) > 0.9 * len(entry.up)
    assert set(entry.down).isdisjoint(sets["PTEN_DN.V1_UP"])
