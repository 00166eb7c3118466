"""Outputs appear whole or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtorscore.errors import DataError, FormatError
from mtorscore.pipeline import atomic, read_table, write_json, write_table


def test_table_reads_back_to_the_same_numbers(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["a", "b"], "x": [np.pi, np.nan], "n": [1, 2]})
    write_table(table, tmp_path / "t.tsv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.tsv"), table, check_exact=True)


def test_index_is_written_only_by_name(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": [1.0]}, index=["007"])
    write_table(table, tmp_path / "t.tsv", index="observation")
    back = read_table(tmp_path / "t.tsv", index="observation")
    assert list(back.index) == ["007"]


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "t.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_killed_writer_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom mtorscore.pipeline import atomic\n"
        "with atomic(sys.argv[1]) as t:\n"
        "    with t.open('w') as f:\n"
        "        f.write('half'); f.flush(); print('writing', flush=True); time.sleep(60)\n"
    )
    target = tmp_path / "out.tsv"
    with subprocess.Popen([sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        time.sleep(0.05)
        writer.send_signal(signal.SIGKILL)
    assert not target.exists()


def test_json_is_the_same_bytes_for_the_same_content(tmp_path: Path) -> None:
    one = write_json({"b": 1, "a": Path("x")}, tmp_path / "1.json").read_bytes()
    two = write_json({"a": Path("x"), "b": 1}, tmp_path / "2.json").read_bytes()
    assert one == two


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [(None, DataError, "no file"), (b"", FormatError, "empty"), (b"a\tb\n1\t2\n", FormatError, "no column 'id'")],
)
def test_unusable_table_is_one_sentence(
    tmp_path: Path, content: bytes | None, error: type[Exception], said: str
) -> None:
    path = tmp_path / "t.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=said):
        read_table(path, index="id")
