"""What the steps of a run said: their errors in one sentence, their warnings on the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from mtorscore.cli.verbosity import quiet
from mtorscore.errors import ConfigError

__all__ = ["explain", "refusal", "say_warnings"]

# What these steps warn of is about the user's files, and is said whenever they are used.
_ABOUT_DATA = ("acquire", "prepare")


def say_warnings(run_folder: Path, start: float) -> None:
    """Print what the steps warned of: of the data in full, of later steps how often, with the logs that say more.

    Parameters
    ----------
    run_folder
        The run's results folder.
    start
        When the run began, in seconds since the epoch.
    """
    from mtorscore.pipeline.record import WARNING_PREFIX

    if quiet():
        return
    said: dict[str, None] = {}
    later: dict[Path, int] = {}
    for log in _logs(run_folder):
        found = [line for line in _lines(log) if line.startswith(WARNING_PREFIX)]
        if log.stem in _ABOUT_DATA:
            said |= dict.fromkeys(f"{log.parent.parent.name}: {line.removeprefix(WARNING_PREFIX)}" for line in found)
        elif found and _fresh(log, start):
            later[log] = len(found)
    for sentence in said:
        typer.echo(f"Warning: {sentence}", err=True)
    if later:
        where = ", ".join(str(log) for log in list(later)[:3]) + (", ..." if len(later) > 3 else "")
        typer.echo(f"{sum(later.values())} remark(s) on later steps are in {where}.", err=True)


def explain(run_folder: Path, tail: list[str], start: float) -> None:
    """Raise what made a step fail as one sentence.

    Parameters
    ----------
    run_folder
        The run's results folder.
    tail
        The last lines of Snakemake.
    start
        When the run began, in seconds since the epoch.

    Raises
    ------
    ConfigError
        If the user can fix it.
    SystemExit
        Code 1 for anything else.
    """
    from mtorscore.pipeline import ERROR_PREFIX

    sentences, unexpected = [], False
    for log in _logs(run_folder):
        # What an earlier run said of a step is not said again.
        if not _fresh(log, start):
            continue
        lines = _lines(log)
        if lines and lines[-1].startswith(ERROR_PREFIX):
            unexpected |= any(line.startswith("Traceback") for line in lines)
            sentences.append(f"{log.parent.parent.name}, {log.stem}: {lines[-1].removeprefix(ERROR_PREFIX)}")
    if sentences and not unexpected:
        raise ConfigError(" | ".join(sentences))
    if not sentences and (sentence := refusal(tail)):
        raise ConfigError(sentence)
    typer.echo("Error: the workflow failed. " + (" | ".join(sentences) or "\n".join(tail[-15:])), err=True)
    raise SystemExit(1)


def _logs(run_folder: Path) -> list[Path]:
    return sorted(run_folder.glob("*/logs/*.log")) + sorted(run_folder.glob("logs/*.log"))


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()


def _fresh(log: Path, start: float) -> bool:
    # File systems may keep whole seconds only.
    return log.stat().st_mtime >= start - 1


def refusal(lines: list[str]) -> str:
    """Return the sentence of one of our errors that Snakemake met while it read the workflow, else nothing."""
    from mtorscore import errors

    for i, line in enumerate(lines):
        found = re.match(r"(\w+) in file \"", line)
        kind = getattr(errors, found[1], None) if found else None
        if isinstance(kind, type) and issubclass(kind, errors.MtorscoreError):
            said = []
            for following in lines[i + 1 :]:
                if following.startswith("  File "):
                    break
                said.append(following.strip())
            return " ".join(said)
    return ""
