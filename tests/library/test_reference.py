"""The signature files against the tables that their genes were read from."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

HGNC = "symbol\tprev_symbols\talias_symbols\nA1\tOLD1\t\nA2\t\t\nA3\t\tALSO3\nA4\t\t\nA5\t\t\n"
LITERATURE = (
    "signature\tgene_symbol\tdirection\thow_obtained\n"
    "MINE\tOLD1\t+1\tmembership recalled, then cross-checked in: MSigDB SOME_TARGETS; GO:0000001 [IDA]\n"
    "MINE\tA2\t-1\tread: someone/repository:list.txt; also in: FamPlex X\n"
    "MINE\tA5\t+1\tmodel knowledge, unverified\n"
)
INDEX = "set_name\tmsigdb_version\tmsigdb_id\trestricted\nS_UP\t7.4\tM1\tno\nS_DN\t7.4\tM2\tno\nKEGG_X\t7.4\tM3\tyes\n"
SETS = "S_UP\tna\tA1\tALSO3\tA5\nS_DN\tna\tA2\tA5\nKEGG_X\tna\tA1\n"
PROGENY = (
    "pathway\tgene_symbol\tweight\tp_value\trank\tcurrent_symbol\n"
    "P\tA1\t2.5\t0.1\t1\tA1\nP\tGONE\t1\t0.2\t2\t\nP\tA2\t-1.5\t0.3\t3\tA2\nP\tA3\t1\t0.4\t4\tA3\n"
)
MINE = """\
id: MINE
up:
  cross-checked: [A1]
down:
  read: [A2]
sources:
- {name: A list, role: list, accession: 'someone/repository:list.txt@1234'}
- {name: 'MSigDB: SOME_TARGETS', role: cross-check}
- {name: 'GO: GO:0000001', role: cross-check}
- {name: 'FamPlex: X', role: cross-check}
"""
PAIR = """\
id: PAIR
up:
  read: [A1, A3]
down:
  read: [A2]
sources:
- {name: MSigDB S_UP, role: list, version: '7.4', accession: M1}
- {name: MSigDB S_DN, role: list, version: '7.4', accession: M2}
"""
WEIGHED = """\
id: WEIGHED
up:
  read: {A1: 2.5}
down:
  read: {A2: 1.5}
sources:
- {name: 'PROGENy model, pathway P, first 2 genes by p value', role: list}
"""


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    folder = tmp_path / "reference"
    folder.mkdir()
    (folder / "hgnc.tsv.gz").write_bytes(gzip.compress(HGNC.encode()))
    tables = {
        "literature_signatures.tsv": LITERATURE,
        "msigdb_selected_index.tsv": INDEX,
        "msigdb_selected.gmt": SETS,
        "progeny_pi3k.tsv": PROGENY,
    }
    for name, text in tables.items():
        (folder / name).write_text(text)
    return folder


def check(reference: Path, library: Path | None = None, *ids: str) -> tuple[int, list[str]]:
    """Run the script; its lines without the last."""
    command = [sys.executable, str(ROOT / "tools" / "check_against_reference.py"), str(reference), *ids]
    done = subprocess.run(
        command + (["--library", str(library)] if library else []), capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, done.stdout.splitlines()


def write(folder: Path, *texts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for text in texts:
        name = text.partition("\n")[0].removeprefix("id: ")
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_files_that_hold_what_the_reference_holds(reference: Path, tmp_path: Path) -> None:
    own = "id: OWN\nup: [A1]\n"
    library = write(tmp_path / "library", MINE, PAIR, WEIGHED, own)
    summary = "3 compared, 1 without a list in the reference, 0 difference(s)"
    assert check(reference, library) == (0, [summary])
    assert check(reference, library, "OWN")[1] == ["0 compared, 1 without a list in the reference, 0 difference(s)"]


@pytest.mark.parametrize(
    ("text", "old", "new", "found"),
    [
        (MINE, "[A1]", "[A1, A4]", ["MINE: A4 is not in the reference"]),
        (
            MINE,
            "cross-checked: [A1]",
            "read: [A1]",
            ["MINE: A1 is read in the file and cross-checked in the ref"],
        ),
        (MINE, "[A1]", "[OLD1]", ["MINE: OLD1 is not an approved symbol"]),
        (MINE, "SOME_TARGETS", "OTHER_TARGETS", ["MINE: MSigDB OTHER_TARGETS is a cross-check only in the file"]),
        (MINE, "repository:list", "repository:other", ["MINE: no gene of the reference was read in someone/repo"]),
        (PAIR, "[A1, A3]", "[A1]", ["PAIR: A3 is in the reference, not in the file"]),
        (PAIR, "M2", "M9", ["PAIR: the accession of S_DN is M9 in the file and M2 in the reference"]),
        (PAIR, "[A1, A3]\ndown:\n  read: [A2]", "[A1, A3, A2]", ["PAIR: A2 is up in the file and down in the ref"]),
        (PAIR, "MSigDB S_DN", "MSigDB S_GONE", ["PAIR: the reference lacks S_GONE"]),
        (WEIGHED, "2.5", "2.4", ["WEIGHED: A1 weighs 2.4 in the file and 2.5 in the reference"]),
        (WEIGHED, "first 2", "first 3", ["WEIGHED: A3 is in the reference, not in the file"]),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_each_difference_is_named(
    reference: Path, tmp_path: Path, text: str, old: str, new: str, found: list[str]
) -> None:
    code, lines = check(reference, write(tmp_path / "library", text.replace(old, new)))
    assert code == 1
    for wanted in found:
        assert any(line.startswith(wanted) for line in lines), lines


def test_the_library_agrees_with_its_reference(shared: Path) -> None:
    code, lines = check(shared / "reference")
    assert (code, lines[:-1]) == (0, [])
    assert int(lines[-1].split()[0]) >= 120
