"""The look of the command line: help with examples, near misses, quiet and JSON modes, no colours where not wanted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from mtorscore import io
from mtorscore.cli import main
from mtorscore.cli.app import app
from mtorscore.errors import MtorscoreError
from mtorscore.tl import methods


def commands(group: typer.Typer) -> list[list[str]]:
    names = [[c.name or str(getattr(c.callback, "__name__", "")).rstrip("_")] for c in group.registered_commands]
    for part in group.registered_groups:
        names += [[str(part.name), *n] for n in commands(part.typer_instance)]  # type: ignore[arg-type]
    return names


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    out = capsys.readouterr()
    assert stop.value.code == code, out.err
    return out.out + out.err


@pytest.mark.parametrize("command", commands(app), ids=" ".join)
def test_help_has_an_example_that_names_the_command(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, *command, "--help")
    assert "For example:" in text
    lines = [line.strip() for line in text.splitlines()]
    examples = [line for line in lines if line.startswith(f"mtorscore {' '.join(command)}")]
    assert examples, "an example stands on a line of its own"
    assert all(line.count("mtorscore ") == 1 or "|" in line for line in examples)


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("scor",), "score"),
        (("score", "m.tsv", "--methd", "ucell"), "--method"),
        (("signatures", "shwo"), "show"),
    ],
)
def test_near_misses(arguments: tuple[str, ...], near: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert near in said(capsys, *arguments, code=2)


def test_methods_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(said(capsys, "methods", "--json"))
    assert {r["name"] for r in rows} == set(methods().index)


def test_an_unexpected_error_ends_with_1_and_debug_shows_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `docs/reference/exit_codes.md` says; 2 and its sentence are tested in `test_wrong_input.py`."""
    with pytest.raises(MtorscoreError):
        main(["score", "--debug", "none.tsv"])

    def failing(path: Path) -> None:
        raise RuntimeError(f"boom {path}")

    monkeypatch.setattr(io, "describe", failing)
    assert "Error: Unexpected RuntimeError: boom x. Run again with --debug" in said(capsys, "describe", "x", code=1)
    with pytest.raises(RuntimeError, match="boom"):
        main(["describe", "x", "--debug"])


def test_doctor_ends_with_1_where_the_sample_run_is_not_sound(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert json.loads(said(capsys, "doctor", "--json"))["sample run"].startswith("sound")
    monkeypatch.setattr("mtorscore.cli.doctor._sample_run", lambda: "UNSOUND: scores are not finite")
    assert "UNSOUND" in said(capsys, "doctor", code=1)


def test_pipes_quiet_and_plain(tmp_path: Path) -> None:
    gmt = tmp_path / "sets.gmt"
    gmt.write_text("A\tna\tG0\tG1\tG2\n")
    matrix = "gene\ts1\ts2\ts3\n" + "".join(f"G{i}\t{i}\t{2 * i % 7}\t{3 * i % 11}\n" for i in range(30))
    call = [sys.executable, "-m", "mtorscore.cli", "score", "-", "--signatures", str(gmt), "--out", "-", "--quiet"]
    done = subprocess.run(call, input=matrix, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["observation", "s1", "s2", "s3"]
    assert done.stderr == ""
    assert "\x1b[" not in done.stdout
