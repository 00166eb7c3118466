"""What the steps of a run said: their errors in one sentence, their warnings on the terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mtorscore.cli.verbosity import quiet
from mtorscore.errors import ConfigError
from mtorscore.pl.branch_board import Branch, controls_of

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["explain", "refusal", "say_board", "say_warnings"]

# Columns of a terminal below which the board keeps three of its own.
_NARROW = 90
# What these steps warn of is about the user's files, and is said whenever they are used.
_ABOUT_DATA = ("acquire", "prepare", "contrast")


def say_warnings(run_folder: Path, start: float) -> None:
    """Print what the steps warned of: of data and design in full, of others how often, with the logs that say more.

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


def say_board(run_folder: Path) -> None:
    """Print the board of each cohort and the sentences about it, as the report's first screen has them.

    Parameters
    ----------
    run_folder
        The run's results folder, whose tables are complete.
    """
    from rich.console import Console

    from mtorscore.pl.branch_board import branches_of
    from mtorscore.report.page import boards

    if quiet():
        return
    console = Console(highlight=False)
    for table, sentences in boards(run_folder):
        if not len(table):
            continue
        name = str(table["cohort"].iloc[0])
        console.print(_board(name, branches_of(table), narrow=console.width < _NARROW))
        for said in sentences:
            console.print(said, markup=False, soft_wrap=False)


def _board(cohort: str, branches: Sequence[Branch], *, narrow: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    methods = ", ".join(dict.fromkeys(str(r["method"]) for b in branches for r in b.rows))
    compared = next((str(r["compared"]) for b in branches for r in b.rows if r["compared"]), "")
    heads = ["branch", "shift", "active", "hazard ratio", "holds beside", "evidence"]
    kept = heads[:2] + heads[3:4] if narrow else heads
    caption = f"{compared or 'nothing compared'}; ranges over {methods}; bold rows hold"
    out = Table(*kept, title=Text(cohort), caption=Text(caption), box=box.SIMPLE, title_justify="left")
    for branch in branches:
        share = branch.active
        held = controls_of(branch)
        cells = {
            "branch": branch.title,
            "shift": " ".join(filter(None, (_range(branch, "shift", "+.1f"), branch.shift))),
            "active": f"{share[0]:.0%} to {share[1]:.0%}" if share else "no call",
            "hazard ratio": _range(branch, "hr", ".2f"),
            "holds beside": f"{sum(v == 'yes' for v in held.values())} of {len(held)}" if held else "",
            "evidence": (branch.grade or "not tested") if branch.readable else f"not to be read: {branch.reason}",
        }
        style = "bold" if branch.holds and branch.readable else "dim" if not branch.readable else ""
        out.add_row(*(Text(cells[h], style=style) for h in kept))
    return out


def _range(branch: Branch, column: str, form: str) -> str:
    values = [float(r[column]) for r in branch.rows if r[column] is not None and math.isfinite(float(r[column]))]
    if not values:
        return ""
    low, high = (format(v, form) for v in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


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
