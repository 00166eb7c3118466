"""The validator catches bad files: every code with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtorscore.collection import SignatureCollection
from mtorscore.collection.library_files import library_folder
from mtorscore.collection.validation import CODES, Problem, validate
from mtorscore.errors import FormatError, SignatureError
from mtorscore.genes.symbols import approved_symbols, old_symbols

GOOD = """\
id: MY_SET
kind: signature
title: A set of mine
branch: srebp1
level: transcriptional
sign: 1
cancers: [HCC]
seeds: [S15]
up:
  read: [ACACA, FASN]
  cross-checked:
    SCD: HORTON_SREBF_TARGETS
down:
  read:
    PCK1: {weight: 2.5, source: Table 2}
sources:
- name: Table 2 of a paper
  role: list
  pmid: '14512514'
  doi: 10.1073/pnas.1534923100
licence: CC-BY-4.0
expected: {rapalog: down}
confidence: low
caveat: One experiment.
added: 1.0.0
changed: 1.1.0
"""
COMPOSITE = """\
id: MY_SET
kind: composite
title: A sum of mine
branch: srebp1
level: composite
sign: 1
parts:
  OTHER: 1
  SECOND: -0.5
licence: BSD-3-Clause
caveat: A sum.
added: 1.0.0
"""
SOURCES = GOOD[GOOD.index("sources:") : GOOD.index("licence:")]
UP = GOOD[GOOD.index("up:") : GOOD.index("down:")]
LISTS = GOOD[GOOD.index("up:") : GOOD.index("sources:")]
RATIO = GOOD.replace("kind: signature", "kind: ratio").replace("level: transcriptional", "level: component")
RATIO = (
    RATIO.replace("up:", "numerator:")
    .replace("down:\n", "denominator:\n")
    .replace("{weight: 2.5, source: Table 2}", "x")
)

# code, line of the finding, what the good file's text becomes
BAD: list[tuple[str, int, str, tuple[str, str] | None]] = [
    ("yaml", 3, GOOD, ("title: A set of mine", "title: [A set")),
    ("yaml", 3, GOOD, ("title: A set of mine", "title: &x [*x]")),
    ("empty", 1, "# nothing here\n", None),
    ("mapping", 1, "- ACACA\n- FASN\n", None),
    ("duplicate-key", 5, GOOD, ("level: transcriptional", "branch: srebp1\nlevel: transcriptional")),
    ("unknown-key", 24, GOOD, ("caveat: One", "caveats: One")),
    ("missing-key", 1, GOOD, ("title: A set of mine\n", "")),
    ("missing-key", 3, GOOD, ("title: A set of mine", "title:")),
    ("type", 3, GOOD, ("title: A set of mine", "title: [a, b]")),
    ("type", 7, GOOD, ("cancers: [HCC]", "cancers: HCC")),
    ("type", 7, GOOD, ("cancers: [HCC]", "experimental: perhaps")),
    ("type", 3, GOOD, ("title: A set of mine", 'title: "two\\nlines"')),
    ("unsupported", 12, GOOD, ("    SCD: HORTON_SREBF_TARGETS", "    SCD:")),
    ("kind", 2, GOOD, ("kind: signature", "kind: signatur")),
    ("id", 1, GOOD, ("id: MY_SET", "id: MY SET")),
    ("file-name", 1, GOOD, ("id: MY_SET", "id: MY_OTHER_SET")),
    ("branch", 4, GOOD, ("branch: srebp1", "branch: srebp3")),
    ("folder", 4, GOOD, ("branch: srebp1", "branch: srebp2")),
    ("level", 5, GOOD, ("level: transcriptional", "level: activity")),
    ("level-of-kind", 5, GOOD, ("level: transcriptional", "level: composite")),
    ("sign", 6, GOOD, ("sign: 1", "sign: up")),
    ("cancer", 7, GOOD, ("cancers: [HCC]", "cancers: [HCC, BRCA]")),
    ("seed", 8, GOOD, ("seeds: [S15]", "seeds: [S54]")),
    ("evidence", 10, GOOD, ("  read: [ACACA", "  reed: [ACACA")),
    ("evidence", 9, GOOD, (UP, "up: [ACACA]\n")),
    ("no-genes", 13, GOOD, ("down:\n  read:\n    PCK1: {weight: 2.5, source: Table 2}\n", "down: {}\n")),
    ("one-sided", 1, RATIO, ("denominator:\n  read:\n    PCK1: x\n", "")),
    ("repeated-gene", 10, GOOD, ("[ACACA, FASN]", "[ACACA, FASN, ACACA]")),
    ("both-directions", 15, GOOD, ("PCK1:", "FASN:")),
    ("symbol", 10, GOOD, ("[ACACA, FASN]", "[ACACA, FASN SCD5]")),
    ("symbol", 10, GOOD, ("[ACACA, FASN]", "[ACACA, 2194]")),
    ("spreadsheet-date", 10, GOOD, ("[ACACA, FASN]", "[ACACA, 2-Sep]")),
    ("old-symbol", 10, GOOD, ("[ACACA, FASN]", "[ACACA, GATSL3]")),
    ("old-symbol", 10, GOOD, ("[ACACA, FASN]", "[ENSG00000169710, FASN]")),
    ("weight", 15, GOOD, ("weight: 2.5", "weight: -2.5")),
    ("weight", 15, GOOD, ("weight: 2.5", "weight: heavy")),
    ("weight", 15, GOOD, ("weight: 2.5", "wait: 2.5")),
    ("recalled", 10, GOOD, ("  read: [ACACA", "  recalled: [ACACA")),
    ("no-source", 1, GOOD, (SOURCES, "")),
    ("source-key", 17, GOOD, ("- name: Table 2 of a paper\n  role", "- role")),
    ("source-key", 19, GOOD, ("  pmid:", "  pubmed:")),
    ("source-role", 18, GOOD, ("role: list", "role: lists")),
    ("pmid", 19, GOOD, ("'14512514'", "PMID14512514")),
    ("doi", 20, GOOD, ("doi: 10.1073", "doi: https://doi.org/10.1073")),
    ("unsupported", 10, GOOD, ("role: list", "role: rationale")),
    ("restricted", 17, GOOD, ("Table 2 of a paper", "MSigDB KEGG_LYSOSOME")),
    ("licence", 21, GOOD, ("CC-BY-4.0", "free for academics")),
    ("expected", 22, GOOD, ("rapalog: down", "rapamycin: down")),
    ("expected", 22, GOOD, ("rapalog: down", "rapalog: lower")),
    ("confidence", 23, GOOD, ("confidence: low", "confidence: certain")),
    ("version", 25, GOOD, ("added: 1.0.0", "added: first")),
    ("version", 26, GOOD, ("changed: 1.1.0", "changed: 0.9.0")),
    ("yaml", 3, GOOD, ("title: A set of mine", "title A set of mine")),
    ("yaml", 3, GOOD, ("title: A set of mine", "title: !secret mine")),
    ("yaml", 3, GOOD, ("A set of mine", "A set\0of mine")),
    ("spreadsheet-date", 10, GOOD, ("[ACACA, FASN]", "[ACACA, 2024-09-02]")),
    ("symbol", 10, GOOD, ("[ACACA, FASN]", "[ACACA, '']")),
    ("weight", 15, GOOD, ("weight: 2.5", "weight: 1e5")),
    ("weight", 15, GOOD, ("{weight: 2.5, source: Table 2}", "true")),
    ("weight", 15, GOOD, ("{weight: 2.5, source: Table 2}", "2,5")),
    ("restricted", 12, GOOD, ("HORTON_SREBF_TARGETS", "KEGG_LYSOSOME")),
    ("restricted", 17, GOOD, ("Table 2 of a paper", "biocarta_mtor_pathway")),
    ("unsupported", 13, GOOD, (LISTS, "up:\n  cross-checked:\n    SCD: HORTON_SREBF_TARGETS\n")),
    ("parts", 8, COMPOSITE, ("OTHER: 1", "OTHER: 0")),
    ("parts", 8, COMPOSITE, ("OTHER: 1", "ANOTHER: 1")),
    ("parts", 8, COMPOSITE, ("OTHER: 1", "MY_SET: 1")),
    ("parts", 8, COMPOSITE, ("  SECOND: -0.5\n", "")),
]  # fmt: skip


def problems_of(text: str | bytes, folder: Path) -> list[Problem]:
    path = folder / "srebp1" / "MY_SET.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return validate([path], symbols=old_symbols(), approved=approved_symbols(), known=["OTHER", "SECOND"])


@pytest.mark.parametrize("text", [GOOD, COMPOSITE, RATIO])
def test_good_files_have_no_problem(tmp_path: Path, text: str) -> None:
    assert problems_of(text, tmp_path) == []


@pytest.mark.parametrize(("code", "line", "text", "change"), BAD, ids=[f"{i}-{b[0]}" for i, b in enumerate(BAD)])
def test_bad_file_is_caught(tmp_path: Path, code: str, line: int, text: str, change: tuple[str, str] | None) -> None:
    if change is not None:
        assert change[0] in text
        text = text.replace(*change, 1)
    found = problems_of(text, tmp_path)
    assert code in {p.code for p in found}, found
    hit = next(p for p in found if p.code == code)
    assert hit.line == line, hit
    assert hit.path.endswith("MY_SET.yaml")
    assert len(hit.message) > 20


def test_encoding_and_duplicate_ids(tmp_path: Path) -> None:
    (bad,) = problems_of(GOOD.encode().replace(b"mine", b"m\xff"), tmp_path)
    assert (bad.code, bad.line) == ("encoding", 3)
    problems_of(GOOD, tmp_path)
    copy = tmp_path / "srebp1" / "COPY.yaml"
    copy.write_text(GOOD)
    assert {"duplicate-id", "file-name"} == {p.code for p in validate([tmp_path])}


def test_every_code_is_tested() -> None:
    tested = {b[0] for b in BAD} | {"encoding", "duplicate-id"}
    assert tested == set(CODES)
    assert len(tested) >= 25


def test_messages_say_how_to_mend(tmp_path: Path) -> None:
    (found,) = problems_of(GOOD.replace("FASN", "GATSL3"), tmp_path)
    assert found.message == "GATSL3 is not a current HGNC symbol; write CASTOR1."
    for wrong, mend in [("Fasn", "write FASN, as human symbols are"), ("FASNN", "check it (FASN?)")]:
        (found,) = problems_of(GOOD.replace("FASN", wrong), tmp_path)
        assert found.message == f"{wrong} is not a current HGNC symbol; {mend}."
    (found,) = problems_of(GOOD.replace("kind: signature", "kind: signatur"), tmp_path)
    assert found.message.endswith("Did you mean signature?")


def test_reading_a_bad_file_names_its_line(tmp_path: Path) -> None:
    for text, message in [
        (GOOD.replace("[ACACA, FASN]", "[ACACA, ACACA]"), "line 10: ACACA is in `up` already"),
        (GOOD.replace("kind: signature", "kind: list"), "line 2: Unknown kind 'list'"),
        (GOOD.replace("  read: [ACACA", "  reed: [ACACA"), "line 10: Unknown evidence class 'reed'"),
        (GOOD.replace("title: A set of mine", "title: 'A set"), "not valid YAML"),
        (GOOD.replace("weight: 2.5", "weight: -2.5"), "line 15: The weight of PCK1 is -2.5"),
    ]:
        path = tmp_path / "MY_SET.yaml"
        path.write_text(text)
        with pytest.raises(FormatError, match=message):
            SignatureCollection.read(path)


def test_missing_paths() -> None:
    with pytest.raises(SignatureError, match="no file or folder"):
        validate(["/nowhere/at/all"])


def test_the_shipped_library_has_no_problem() -> None:
    assert validate([library_folder()], symbols=old_symbols(), approved=approved_symbols()) == []
