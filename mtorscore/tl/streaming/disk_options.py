"""Options of scoring from disk, and the file that the scores go to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from mtorscore.collection import SignatureCollection
from mtorscore.errors import DataError, examples
from mtorscore.tl.streaming.disk_file import DiskFile
from mtorscore.tl.streaming.gene_names import GeneNaming
from mtorscore.tl.streaming.value_scale import ValueScale

__all__ = ["ENDINGS", "DiskOptions", "check_column_names", "check_copy", "target_of"]

ENDINGS = (".parquet", ".h5ad", ".h5mu", ".zarr")


@dataclass(frozen=True, kw_only=True)
class DiskOptions:
    """Options of scoring from disk.

    Attributes
    ----------
    mask_obs, block
        See `mtorscore.tl.score`.
    memory
        Limit for the blocks in memory and the copies made of them, such as ``"1GB"``; scores that are returned instead
        of written (`out`) are not counted.
    out
        ``.parquet`` (read by `read_scores`), ``.h5ad``, ``.h5mu`` or ``.zarr`` (a copy of the input with the scores in
        ``.obsm``). Finished blocks are kept in ``<out>.parts``; a run that was killed resumes from there.
    progress
        Show a bar with cells per second on standard error.
    resume
        Resume an unfinished run; False starts again.
    give_up_others
        Give an unfinished run up, with a warning, that differs in anything, instead of refusing to score.
    naming
        How the genes are named; by the file, if nothing is said.
    modality
        Of a MuData file, where it has several.
    said
        ``genome`` or ``prefix`` of a 10x matrix.
    look
        Called with the open file before it is scored; returns what the values are and what is made of them, or None to
        score them as they are.
    """

    mask_obs: npt.ArrayLike | str | None = None
    block: int | None = None
    memory: str | int = "1GB"
    out: str | Path | None = None
    progress: bool = False
    resume: bool = True
    give_up_others: bool = False
    naming: GeneNaming | None = None
    modality: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)
    look: Callable[[DiskFile], ValueScale | None] | None = None


def target_of(path: str | Path, out: str | Path | None) -> Path | None:
    """Return the file to write, or None; refuse what cannot be one."""
    if out is None:
        return None
    target = Path(out)
    if target.suffix not in ENDINGS:
        raise DataError(f"out={str(out)!r} must end in {examples(ENDINGS)}.")
    if target.resolve() == Path(path).resolve():
        raise DataError(f"out={str(out)!r} is the file that is being read; give the copy another name.")
    if not target.parent.is_dir():
        raise DataError(f"There is no folder {target.parent} to write {target.name} in.")
    return target


def check_copy(file: DiskFile, target: Path | None) -> None:
    """Refuse an ending that the file cannot be copied to."""
    if target is not None and target.suffix not in (".parquet", *file.copies):
        ending = " or ".join(file.copies)
        raise DataError(f"{target.name} is a copy of the input with scores, so it must end in {ending}.")


def check_column_names(collection: SignatureCollection, target: Path | None) -> None:
    """Refuse signatures that cannot be names of columns there."""
    slashes = [e.id for e in collection if "/" in e.id]
    if slashes and target is not None and target.suffix != ".parquet":
        raise DataError(f"{target.suffix} cannot name a column {examples(slashes)}; write .parquet, or rename it.")
