"""SIGINT and SIGTERM at any moment: one line, exit code 130 or 143, nothing unfinished left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtorscore.cli import main, signals
from mtorscore.cli.signals import Ended, Signals, ended_by_signals
from tests.io.hostile import Hostile

BOTH = [signal.SIGINT, signal.SIGTERM]


def start(*arguments: object, place: Path, **options: Any) -> subprocess.Popen[str]:
    (place / "temporary").mkdir(exist_ok=True)
    environment = os.environ | {"TMPDIR": str(place / "temporary"), "NO_PROXY": "127.0.0.1"}
    environment["MTORSCORE_CACHE"] = str(place / "cache")
    return subprocess.Popen(
        [sys.executable, "-m", "mtorscore.cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def check_ended(job: subprocess.Popen[str], number: int, place: Path, *, finished: bool = False) -> None:
    """Check code, line and leavings of a command that was sent a signal; `finished` where it may have been quicker."""
    _, said = job.communicate(timeout=300)
    if not (finished and job.returncode == 0):
        assert job.returncode == 128 + number, said
        lines = [line for line in said.splitlines() if not line.startswith("Warning: ")]
        assert len(lines) == 1, said
        assert lines[0].startswith("Error: ")
    assert list((place / "temporary").iterdir()) == []
    assert not [p.name for p in place.iterdir() if ".tmp" in p.name]


@pytest.mark.parametrize("number", BOTH)
def test_a_command_that_waits_for_standard_input(tmp_path: Path, number: signal.Signals) -> None:
    with start("score", "-", "-o", tmp_path / "out.tsv", place=tmp_path, stdin=subprocess.PIPE) as job:
        assert job.stdin is not None
        job.stdin.write("gene\ts1\n")
        job.stdin.flush()
        deadline = time.monotonic() + 120
        while not list((tmp_path / "temporary").iterdir()) and time.monotonic() < deadline and job.poll() is None:
            time.sleep(0.02)
        job.send_signal(number)
        check_ended(job, number, tmp_path)
    assert not (tmp_path / "out.tsv").exists()


@pytest.fixture
def silent() -> Iterator[Hostile]:
    server = Hostile()
    server.answers = {"/f.gz": lambda s, *_: s.silence()}
    yield server
    server.close()


@pytest.mark.parametrize("number", BOTH)
def test_a_download_that_hangs(tmp_path: Path, silent: Hostile, number: signal.Signals) -> None:
    with start("fetch", f"{silent.url}/f.gz", place=tmp_path) as job:
        deadline = time.monotonic() + 120
        while not silent.requests and time.monotonic() < deadline and job.poll() is None:
            time.sleep(0.02)
        job.send_signal(number)
        check_ended(job, number, tmp_path)
    assert not list((tmp_path / "cache").rglob("f.gz"))


@pytest.mark.slow
def test_thirty_moments(tmp_path: Path) -> None:
    names = [f"s{i}" for i in range(50)]
    values = np.random.default_rng(0).lognormal(size=(3000, 50))
    pd.DataFrame(values, [f"G{i}" for i in range(3000)], names).to_csv(tmp_path / "m.tsv", sep="\t", index_label="gene")
    (tmp_path / "s.gmt").write_text("A\tna\t" + "\t".join(f"G{i}" for i in range(40)) + "\n")
    commands = [
        ("score", tmp_path / "m.tsv", "-s", tmp_path / "s.gmt", "-m", "ucell,zscore", "-o", tmp_path / "scores.tsv"),
        ("read", tmp_path / "m.tsv", "-o", tmp_path / "m.h5ad"),
    ]
    generator = random.Random(5)
    for i in range(30):
        with start(*commands[i % 2], place=tmp_path) as job:
            # Before this the interpreter itself is not up.
            time.sleep(generator.uniform(0.5, 4))
            number = BOTH[i // 2 % 2]
            job.send_signal(number)
            check_ended(job, number, tmp_path, finished=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", BOTH)
def test_a_run_ends_with_its_steps(tmp_path: Path, number: signal.Signals) -> None:
    with start("demo", "--results", tmp_path / "results", place=tmp_path) as job:
        log = tmp_path / "results" / "demo" / "simulated-hcc" / "logs" / "acquire.log"
        deadline = time.monotonic() + 600
        while not log.exists() and time.monotonic() < deadline and job.poll() is None:
            time.sleep(0.05)
        job.send_signal(number)
        check_ended(job, number, tmp_path)
    assert not list((tmp_path / "results").rglob("*.tmp-*"))
    from mtorscore.pipeline.config import lock_run

    lock_run(tmp_path / "results" / "demo").close()


@pytest.mark.parametrize("number", BOTH)
def test_within_a_process_the_handlers_come_back(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [signal.getsignal(n) for n in BOTH], sys.unraisablehook

    def interrupted(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt as error:
            # A library may turn what it does not know into something else.
            raise RuntimeError("failed") from error

    monkeypatch.setattr("mtorscore.cli.app.app", interrupted)
    with pytest.raises(SystemExit) as stop:
        main(["methods"])
    assert stop.value.code == 128 + number
    assert capsys.readouterr().err.count("\n") == 1
    assert ([signal.getsignal(n) for n in BOTH], sys.unraisablehook) == before


def test_a_second_signal_does_not_disturb_the_end() -> None:
    cleaned = []

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGINT)
            cleaned.append(True)

    with ended_by_signals(restore=True) as state, pytest.raises(Ended):
        work()
    assert cleaned == [True]
    assert state.number == signal.SIGTERM


def wait_for_the_end() -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_signal_within_a_finaliser_is_not_lost() -> None:
    class Finalised:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    def work() -> None:
        thing = Finalised()
        del thing
        wait_for_the_end()

    with ended_by_signals(restore=True), pytest.raises(Ended):
        work()


def test_a_signal_while_a_temporary_folder_is_made_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    make = os.mkdir

    def interrupted(*arguments: Any) -> None:
        make(*arguments)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(os, "mkdir", interrupted)

    def work() -> None:
        with tempfile.TemporaryDirectory(dir=tmp_path):
            wait_for_the_end()

    with ended_by_signals(restore=True), pytest.raises(Ended):
        work()
    assert list(tmp_path.iterdir()) == []


def test_other_errors_of_finalisers_are_reported_as_ever() -> None:
    class Unraisable:
        exc_value = ValueError()

    assert not Signals().swallowed(Unraisable())


def test_a_workflow_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "GRACE_SECONDS", 0.2)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], text=True, stdout=subprocess.PIPE, start_new_session=True
    ) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "up\n"
        with pytest.raises(Ended), signals.ending(job):
            raise Ended
        assert job.wait(timeout=60) == -signal.SIGKILL


@pytest.mark.parametrize(("redirection", "words"), [("<&-", "there is none"), ("</dev/null", "standard input")])
def test_a_dash_without_standard_input(tmp_path: Path, redirection: str, words: str) -> None:
    command = f'"{sys.executable}" -m mtorscore.cli score - -o "{tmp_path}/out.tsv" {redirection}'
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_a_dash_at_the_keyboard(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal:
        closed = False

        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(SystemExit) as stop:
        main(["score", "-"])
    assert stop.value.code == 2
    assert "nothing is piped" in capsys.readouterr().err
