"""The figures of a run as vector files for papers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from mtorscore import pl
from mtorscore._atomic import write_whole
from mtorscore.errors import DataError
from mtorscore.report.data.described import Described
from mtorscore.report.data.run_files import Cohort, Run
from mtorscore.report.figures.overview import cohort_pictures, combined_picture
from mtorscore.report.figures.picture import Picture

__all__ = ["write_figures"]


def write_figures(
    run: Run,
    described: dict[str, Described],
    leads: Sequence[str],
    board: pd.DataFrame,
    across: pd.DataFrame,
    formats: Sequence[str],
) -> list[Path]:
    """Write ``figures/<cohort>/<kind>.<format>`` and their captions.

    Parameters
    ----------
    run
        The run.
    described
        Signature -> description.
    leads
        Signatures of the overview figures.
    board
        As `mtorscore.report.board` returns it.
    across
        The meta-analysis.
    formats
        Suffixes, such as ``("svg", "pdf")``.

    Returns
    -------
    list of pathlib.Path
        Files; ``captions.tsv`` last.
    """
    folder = run.folder / "figures"
    paths: list[Path] = []
    captions = ["file\tcaption"]
    guessed = {_plain(c.name): c.guess_note for c in run.cohorts}
    for where, picture in _pictures(run, described, leads, board, across):
        if picture.make is None:
            continue
        name = _plain("-".join(filter(None, (picture.kind, picture.endpoint))))
        try:
            figure = picture.make()
        except DataError:
            continue
        (folder / where).mkdir(parents=True, exist_ok=True)
        paths += [pl.save(figure, folder / where / f"{name}.{suffix}") for suffix in formats]
        caption = " ".join([*picture.caption.split(), *guessed.get(where, "").split()])
        captions.append(f"{(Path(where) / name).as_posix()}\t{_cell(caption)}")
    folder.mkdir(parents=True, exist_ok=True)
    return [*paths, write_whole(folder / "captions.tsv", "\n".join(captions) + "\n")]


def _pictures(
    run: Run, described: dict[str, Described], leads: Sequence[str], board: pd.DataFrame, across: pd.DataFrame
) -> Iterator[tuple[str, Picture]]:
    for cohort in run.cohorts:
        where = _plain(cohort.name)
        yield from ((where, p) for p in _of_board(board, cohort))
        method = next((m for m in run.methods if m in cohort.scores), None)
        yield from ((where, p) for p in cohort_pictures(cohort, method, described, list(leads)).values())
    yield "", combined_picture(across, run.methods, list(leads))


def _of_board(board: pd.DataFrame, cohort: Cohort) -> Iterator[Picture]:
    own = board[board["cohort"] == cohort.name]
    if not len(own):
        return
    caption = "Per branch and scoring method: shift, share of active tumours, hazard ratio, controls, evidence."
    yield Picture("board", lambda: pl.board(own), "Board", f"{cohort.name}. {caption}")
    shares = cohort.table("alteration_shares")
    ways = [c for c, column in (("shift", "shift"), ("effect", "hr")) if own[column].notna().any()] or ["shift"]
    for colour in ways:
        name = "map" if colour == ways[0] else f"map-{colour}"
        yield Picture(
            name,
            partial(pl.pathway, own, colour=colour, alterations=shares),
            "Map",
            f"{cohort.name}: pathway, {colour}, median of the methods; thick frames are shown under every method.",
        )


def _cell(text: str) -> str:
    """Return a cell that a spreadsheet does not run as a formula: an apostrophe marks it as text."""
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") else text


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", text).strip("-.+")[:80] or "x"
