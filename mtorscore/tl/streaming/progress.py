"""Progress bar for streaming."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mtorscore.tl.streaming.stream_source import StreamSource

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(wanted: bool, source: StreamSource, what: str) -> Iterator[None]:
    """Show a progress bar with observations per second."""
    if not wanted:
        yield
        return
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
        task = bar.add_task(what, total=source.n_obs if what == "scoring" else None, visible=what == "scoring")
        source.on_rows = lambda n: bar.update(task, advance=n, visible=True)
        try:
            yield
        finally:
            source.on_rows = None
