"""Tables of signatures for the terminal: one line an entry, fitted to the width there is."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from mtorscore.collection import Entry

__all__ = ["console", "print_answers", "print_entries", "print_overlap"]

WIDE = 120
_STYLE = {"transcriptional": "green", "translational": "yellow", "component": "blue", "composite": "magenta"}
_LETTER = {"transcriptional": "T", "translational": "L", "component": "C", "composite": "+"}
_SIGN = {1: "+", -1: "-", 0: "0"}
_UNLIMITED = 400


def console() -> Console:
    """Return a console; into a pipe or a file lines are not cut to the width of a terminal."""
    from rich.console import Console

    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(highlight=False, width=_UNLIMITED if piped else None)


def _grid(columns: Mapping[str, dict[str, object]]) -> Table:
    from rich.table import Table

    grid = Table(box=None, header_style="bold", pad_edge=False)
    for name, options in columns.items():
        grid.add_column(name, **options)  # type: ignore[arg-type]
    return grid


def print_entries(
    entries: Sequence[Entry], *, titles: Mapping[str, str], version: str = "", matches: Mapping[str, str] | None = None
) -> None:
    """Print one line per entry under a heading per branch.

    Parameters
    ----------
    entries
        In the order to print.
    titles
        Branch -> what it is.
    version
        Of the library, for the foot.
    matches
        Id -> why a search found it; shown instead of the title.
    """
    from rich.text import Text

    screen = console()
    wide = screen.width >= WIDE
    longest = max((len(e.id) for e in entries), default=2) if wide else 0

    def line(
        sign: str, genes: str, level: str, kind: str, name: str, text: str, style: str = "", bold: str = ""
    ) -> None:
        level = f"{level:<16}{kind:<11}" if wide else f"{level[:1]:<3}"
        # Cut here, not by the console: an entry is one line whatever the width.
        parts = [(f" {sign:<3}{genes:>7}  ", ""), (level, style), (f"{name:<{longest}}  ", bold), (text, "dim")]
        shown = Text.assemble(*parts)
        shown.truncate(screen.width, overflow="ellipsis")
        screen.print(shown)

    line("", "genes", "level" if wide else "", "kind", "id", "title" if matches is None else "found", "bold", "bold")
    for branch, group in groupby(entries, key=lambda e: e.branch):
        screen.print(Text.assemble((branch, "bold cyan"), " ", (titles.get(branch, ""), "dim")))
        for entry in group:
            number = str(len(entry.genes)) if entry.genes else f"{len(getattr(entry, 'parts', ()))} parts"
            text = ("(experimental) " if entry.experimental else "") + (matches or {}).get(entry.id, entry.title)
            level = entry.level if wide else _LETTER.get(entry.level, "?")
            line(_SIGN[entry.sign], number, level, entry.kind, entry.id, text, _STYLE.get(entry.level, ""), "bold")
    legend = "" if wide else " Level: T transcriptional, L translational, C component, + composite."
    noun = "entry" if len(entries) == 1 else "entries"
    library = f", library {version}" if version else ""
    screen.print(
        f"[dim]{len(entries)} {noun}{library}. Sign: + rises with mTOR activity, - falls, 0 no claim.{legend}[/]"
    )


def print_overlap(table: pd.DataFrame, share: float) -> None:
    """Print the pairs that share more than a part of the smaller one's genes.

    Parameters
    ----------
    table
        What `SignatureCollection.overlap` returns.
    share
        The part.
    """
    screen = console()
    wide = screen.width >= WIDE
    right: dict[str, object] = {"justify": "right", "no_wrap": True}
    columns: dict[str, dict[str, object]] = {
        "shared": right, "Jaccard": right, "of smaller": right, "opposed": right,
        "first": {"overflow": "fold"}, "second": {"overflow": "fold"},
    }  # fmt: skip
    grid = _grid(columns | ({"branches": {"no_wrap": True}} if wide else {}))
    close = table[table["share_of_smaller"] > share]
    for row in close.itertuples():
        across = row.first_branch != row.second_branch
        named = f"{row.first_branch} / {row.second_branch}" if across else row.first_branch
        cells = [str(row.shared), f"{row.jaccard:.2f}", f"{row.share_of_smaller:.0%}", str(row.opposed)]
        grid.add_row(*cells, row.first, row.second, *([named] if wide else []), style="yellow" if across else "")
    screen.print(grid)
    screen.print(
        f"[dim]{len(close)} of {len(table)} pairs share more than {share:.0%} of the smaller one's genes; opposed: up "
        "in one, down in the other. Yellow: different branches, whose scores are not independent.[/]"
    )


def print_answers(system: Mapping[str, str], rows: Sequence[Mapping[str, str]], sentence: str) -> None:
    """Print what the data at hand answer to a system of the seed review.

    Parameters
    ----------
    system
        From ``seed_map.yaml``.
    rows, sentence
        As `mtorscore.collection.library_files.seed_answer` returns them.
    """
    from rich.markup import escape

    screen = console()
    screen.print(f"[bold]{system['id']}[/] {escape(system['system'])} ({escape(system['cancer'])})")
    screen.print(f"expected: {escape(system['expected'])}")
    if rows:
        columns = ("what", "where", "estimate", "95% interval", "n", "of what", "expected", "answer")
        numeric = {"estimate", "n"}
        grid = _grid({c: {"justify": "right"} if c in numeric else {"overflow": "fold"} for c in columns})
        for row in rows:
            interval = f"{row['low']} to {row['high']}" if row["low"] else ""
            said = row["answer"] + (f": {row['because']}" if row["because"] else "")
            cells = (row["what"], row["where"], row["estimate"], interval, row["n"], row["unit"], row["expected"], said)
            grid.add_row(*map(escape, cells))
        screen.print(grid)
    screen.print(f"[bold]{escape(sentence)}[/]", soft_wrap=True)
    if rows and system.get("needs"):
        screen.print(f"not at hand, or only in part: {escape(system['needs'])}", soft_wrap=True)
    screen.print(f"caveat: {escape(system['caveat'])}", soft_wrap=True)
