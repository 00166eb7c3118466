"""The designs of the manual: every command runs, and its answer stands where the manual says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtorscore.cli import main
from tests.conftest import ROOT
from tests.tl.test_score_contrast import as_written, results

PAGE = (ROOT / "docs" / "howto" / "designs.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| `(mtorscore .+?)` \| (.+?) \|$", PAGE, re.M)
N = 40


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(0)
    about = pd.DataFrame({"sample": [f"s{i:02d}" for i in range(N)]})
    about["arm"], about["genotype"] = np.tile(["drug", "vehicle"], N // 2), np.tile(["wt", "wt", "ko", "ko"], N // 4)
    about["tissue"], about["patient"] = np.tile(["tumour", "adjacent"], N // 2), np.repeat(np.arange(N // 2), 2)
    about["stage"] = np.repeat(["normal", "cirrhosis", "dysplasia", "early", "advanced"], N // 5)
    about["cell_type"], about["batch"] = np.repeat(["Huh7", "HepG2"], N // 2), np.tile(["b1", "b1", "b2", "b2"], N // 4)
    about["donor"] = np.repeat(np.arange(N // 4), 4)
    about["diet"] = np.where(about["donor"] % 2, "western", "chow")
    about["age"], about["sex"] = rng.normal(60, 8, N).round(1), rng.choice(["f", "m"], N)
    about["dose"] = rng.gamma(2.0, 1.0, N).round(2)
    about.to_csv(folder / "samples.tsv", sep="\t", index=False)
    scores = pd.DataFrame(rng.normal(size=(N, 12)), columns=[f"SIGNATURE_{i}" for i in range(12)])
    scores.insert(0, "observation", about["sample"])
    scores.to_csv(folder / "scores.tsv", sep="\t", index=False)
    as_written("DESeq2", results()).to_csv(folder / "deseq2_results.csv", index=False)
    return folder


def test_there_are_twelve() -> None:
    assert len(ROWS) == 12


@pytest.mark.parametrize(("question", "command", "answer"), ROWS, ids=[r[0] for r in ROWS])
def test_a_command_of_the_manual_answers(
    question: str, command: str, answer: str, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study)
    with pytest.raises(SystemExit) as done:
        main(shlex.split(command)[1:])
    assert done.value.code in (0, None), question
    table = pd.read_csv(study / "contrast.tsv", sep="\t")
    for column in re.findall(r"`(\w+)`", answer):
        assert table[column].notna().any(), (question, column)


@pytest.mark.parametrize("tool", ["limma", "Seurat"])
def test_other_tables_of_fold_changes_take_the_same_command(tool: str, tmp_path: Path) -> None:
    as_written(tool, results()).to_csv(tmp_path / "de.tsv", sep="\t", index=False)
    with pytest.raises(SystemExit) as done:
        main(["contrast", str(tmp_path / "de.tsv"), "--out", str(tmp_path / "out.tsv")])
    assert done.value.code in (0, None)
    assert pd.read_csv(tmp_path / "out.tsv", sep="\t")["p"].min() < 1e-6
