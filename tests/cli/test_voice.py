"""What commands say at their end and on the way, and how they end when nobody reads on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from mtorscore.cli.app import app
from mtorscore.cli.step_messages import say_board, say_warnings
from mtorscore.collection import library
from mtorscore.pl.branch_board import branches_of
from mtorscore.report import board
from mtorscore.report.board import sentence
from tests.report.runs import two_cohorts


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_cohorts(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    genes = sorted({*library()["RIBI_CORE"].genes, *library()["SREBP1_LIPOGENIC_CORE"].genes})
    values = np.random.default_rng(0).poisson(50, (len(genes), 60))
    path = tmp_path_factory.mktemp("voice") / "counts.tsv"
    pd.DataFrame(values, genes, [f"S{i}" for i in range(60)]).rename_axis("gene").to_csv(path, sep="\t")
    return path


def test_a_run_ends_with_its_board_and_sentence(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    say_board(results)
    said = " ".join(capsys.readouterr().out.split())
    table = board(results)
    for cohort, part in table.groupby("cohort", sort=False):
        branches = branches_of(part)
        assert str(cohort) in said
        assert sentence(branches) in said
        assert all(b.title in said for b in branches)
    monkeypatch.setenv("COLUMNS", "60")
    say_board(results)
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 60


@pytest.mark.parametrize("width", [20, 60, 120])
def test_methods_are_readable_at_every_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    said = CliRunner().invoke(app, ["methods"]).output
    assert "singscore" in said
    assert "cohort dependent: no" in said or width == 120


def test_describe_and_score_say_what_comes_next(matrix: Path, tmp_path: Path) -> None:
    assert "Next: mtorscore score" in CliRunner().invoke(app, ["describe", str(matrix)]).output
    out = tmp_path / "scores.tsv"
    own = matrix.parent / "own.gmt"
    own.write_text("MINE\tx\t" + "\t".join(library()["RIBI_CORE"].genes) + "\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["score", str(matrix), "-s", str(own), "--units", "counts", "--log", "-o", str(out)])
    assert f"Next: mtorscore relate {out}" in done.output


def test_a_reader_who_leaves_is_no_error(matrix: Path) -> None:
    command = [sys.executable, "-m", "mtorscore.cli", "score", str(matrix), "--units", "counts", "--out", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert job.stderr is not None
        job.stdout.close()
        said = job.stderr.read()
    assert "Error" not in said
    assert "BrokenPipe" not in said
    assert job.returncode == 0


def test_describe_leads_to_the_command_that_takes_the_file(tmp_path: Path) -> None:
    """A clinical table is related, a table of differential expression contrasted, a broken one leads nowhere."""
    statistics = "gene\tlogFC\tt\tP.Value\tadj.P.Val\n" + "".join(
        f"{g}\t1\t2\t0.1\t0.2\n" for g in ("TP53", "MTOR", "FASN")
    )
    files = {
        "clinical.csv": ("patient,OS,OS.time\nP1,1,30\nP2,0,50\nP3,1,70\n", "Next: mtorscore relate SCORES --clinical"),
        "de.tsv": (statistics, "Next: mtorscore contrast"),
        "cut.tsv": ("gene\tS1\tS2\nTP53\t1\t2\nMTOR\t3\n", "refused"),
        "own.yaml": ("id: A\nkind: signature\nup: [TP53, MTOR\n", "YAML, not a table of data"),
    }
    for name, (text, wanted) in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        done = CliRunner().invoke(app, ["describe", str(tmp_path / name)])
        said = " ".join(f"{done.output} {done.exception or ''}".split())
        assert wanted in said, said
        assert ("Next:" in said) == wanted.startswith("Next:"), said


def test_what_the_design_left_out_is_said_in_full_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = tmp_path / "own" / "logs"
    logs.mkdir(parents=True)
    (logs / "contrast.log").write_text("Warning: 1 of 8 pairs are not complete (pt7) and are left out.\n" * 3)
    (logs / "score.log").write_text("Warning: weights are ignored.\n")
    say_warnings(tmp_path, 0)
    said = capsys.readouterr().err
    assert said.count("Warning: own: 1 of 8 pairs are not complete (pt7) and are left out.") == 1
    assert "1 remark(s) on later steps are in" in said
