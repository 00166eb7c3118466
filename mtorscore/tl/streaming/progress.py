"""Progress of streaming: a bar on a terminal, one line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

__all__ = ["progress_bar", "told_what_is_kept"]

EVERY = 60.0
"""Seconds between two lines where nobody watches."""
SHORT = 10.0
"""What takes less is not spoken of there."""


class Watched(Protocol):
    """What tells how far it is."""

    on_rows: Callable[[int], None] | None
    on_words: Callable[[str], None] | None


@contextmanager
def progress_bar(wanted: bool, source: Watched, what: str, total: int | None = None) -> Iterator[None]:
    """Show on standard error how many observations are done, how many a second, and the time left.

    Parameters
    ----------
    wanted
        Whether anything is shown.
    source
        Who tells how far it is.
    what
        Is being done.
    total
        Observations, where it is known how often they are gone through.
    """
    if not wanted:
        yield
        return
    try:
        if sys.stderr.isatty():
            with _bar(what, total) as (advance, tell):
                source.on_rows, source.on_words = advance, tell
                yield
        else:
            lines = _Lines(what, total, sys.stderr)
            source.on_rows, source.on_words = lines.advance, lines.tell
            yield
            lines.end()
    finally:
        source.on_rows = source.on_words = None


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[tuple[Callable[[int], None], Callable[[str], None]]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Any) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f} cells/s")

    shown = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} cells"))
    with Progress(*shown, Speed(), TimeRemainingColumn(), console=Console(file=sys.stderr)) as bar:
        # The number of passes that a method needs to learn is not known, so that bar has no end.
        task = bar.add_task(what, total=total, visible=total is not None)
        yield (
            lambda n: bar.update(task, advance=n, visible=True),
            lambda words: bar.console.print(words, highlight=False),
        )


@contextmanager
def told_what_is_kept(wanted: bool, folder: Path | None) -> Iterator[None]:
    """Say, where a run is stopped from outside, that finished blocks are kept and the same call goes on."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if wanted and folder is not None and folder.is_dir():
            sys.stderr.write(f"Finished blocks are kept in {folder}; the same call goes on from there.\n")
        raise


class _Lines:
    """One line a minute, and one at the end."""

    def __init__(self, what: str, total: int | None, stream: TextIO) -> None:
        self.what, self.total, self.stream = what, total, stream
        self.done, self.began = 0, time.monotonic()
        self.said = self.began

    def advance(self, n: int) -> None:
        self.done += n
        if time.monotonic() - self.said >= EVERY:
            self.said = time.monotonic()
            self._say()

    def tell(self, words: str) -> None:
        print(words, file=self.stream, flush=True)

    def end(self) -> None:
        if time.monotonic() - self.began >= SHORT:
            self._say()

    def _say(self) -> None:
        seconds = max(time.monotonic() - self.began, 1e-9)
        speed = self.done / seconds
        words = f"{self.what}: {self.done:,} cells, {speed:,.0f} cells/s"
        if self.total is not None and 0 < self.done < self.total:
            words += f", about {(self.total - self.done) / speed / 60:.0f} min left"
        print(words, file=self.stream, flush=True)
