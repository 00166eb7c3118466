"""The commands, put together."""

from __future__ import annotations

import inspect
import textwrap
from typing import Annotated

import typer

from mtorscore._version import __version__
from mtorscore.cli import classes, contrasts, data, doctor, patients, runs, scoring, signatures

__all__ = ["app"]

app = typer.Typer(
    name="mtorscore",
    help="Branch-resolved mTOR pathway scores from transcriptomes, and what they say about prognosis.",
    epilog="`mtorscore demo` runs everything on a simulated cohort. Exit codes: 0 done, 1 unexpected error, "
    "2 something you can fix, 130 or 143 interrupted. Add --quiet (-q) to any command for results and errors alone, "
    "--debug for tracebacks. "
    "NO_COLOR=1 turns colours off.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(signatures.app, name="signatures")
runs.register(app)
data.register(app)
scoring.register(app)
classes.register(app)
contrasts.register(app)
patients.register(app)
doctor.register(app)


def _keep_lines(group: typer.Typer) -> None:
    """Fence the examples of every command's help: the help's dedenting would run their lines together."""
    for command in group.registered_commands:
        text = inspect.cleandoc(command.help or getattr(command.callback, "__doc__", None) or "")
        head, found, examples = text.partition("For example:\n\n")
        if found:
            command.help = f"{head}{found}```text\n{textwrap.dedent(examples).strip()}\n```"
    for part in group.registered_groups:
        if part.typer_instance is not None:
            _keep_lines(part.typer_instance)


_keep_lines(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mtorscore {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Branch-resolved mTOR pathway scores from transcriptomes, and what they say about prognosis."""
