"""A file as a source of tiles: a thread reads the next block of rows while the current one is scored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mtorscore._doors import option
from mtorscore.errors import DataError
from mtorscore.tl.engine.source import BY_SIZE, Source, Tiling
from mtorscore.tl.engine.tiles import Tile
from mtorscore.tl.streaming.disk_file import DiskRows
from mtorscore.tl.streaming.scratch import panel_edges

__all__ = ["StreamSource", "block_bytes", "parse_memory"]

T = TypeVar("T")
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}
LEAST = 100 * 10**6
SHARES = 8
MOST_BLOCK = 32 << 20


def parse_memory(memory: str | int | float) -> int:
    """Return a budget such as ``"1GB"``, ``"800 MiB"`` or ``1e9`` in bytes; below 100 MB is an error."""
    found = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([KMG]I?)?B?\s*", str(memory).upper().replace("E+", "e"))
    try:
        if found is None:
            raise ValueError(memory)
        size = int(float(found[1].lower()) * UNITS[found[2] or ""])
    except ValueError as error:
        given = option("memory", str(memory))
        raise DataError(f"{given} is not an amount of memory; write it like 1GB or 500MB.") from error
    if size < LEAST:
        raise DataError(f"{option('memory', str(memory))} is too little; the least is 100MB.")
    return size


def block_bytes(memory: int) -> int:
    """Return the bytes of matrix to read at once, so that four blocks, and the copies made of them, fit the budget."""
    return min(memory // SHARES, MOST_BLOCK)


@dataclass
class StreamSource(Source):
    """A matrix on disk.

    Attributes
    ----------
    bounds
        Edges of the blocks, in rows that are scored.
    on_rows
        Called with the number of rows whenever a block is finished.
    on_words
        Called with what is to be done before the first block is finished.
    on_block
        Called with the number of a block, and the block, whenever one was read.
    """

    bounds: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    on_rows: Callable[[int], None] | None = None
    on_words: Callable[[str], None] | None = None
    on_block: Callable[[int, Source], None] | None = None

    @classmethod
    def over(
        cls, matrix: DiskRows, rows: npt.NDArray[np.int64] | None, *, block: int | None, most_bytes: int
    ) -> StreamSource:
        """Cut a matrix on disk into blocks of whole tiles, by bytes."""
        n_obs, n_vars = matrix.shape
        source = cls(matrix, n_obs if rows is None else rows.size, n_vars, rows, block)
        before = np.concatenate([[0], np.cumsum(matrix.row_bytes)])
        if rows is not None:
            # Rows that are skipped are read as well.
            before = np.concatenate([[before[rows[0]]], before[rows + 1]])
        source.bounds = panel_edges(before, most_bytes, source.rows_per_tile())
        return source

    def blocks(self, chosen: Sequence[int] | None = None) -> Iterator[Source]:
        """Yield blocks in order while the next one is being read; at most two are in memory here."""
        wanted = list(range(self.bounds.size - 1) if chosen is None else chosen)
        if not wanted:
            return
        with ThreadPoolExecutor(1, thread_name_prefix="mtorscore-read") as pool:
            ahead = pool.submit(self._read, wanted[0])
            for i, following in zip_longest(wanted, wanted[1:]):
                block = ahead.result()
                if following is not None:
                    ahead = pool.submit(self._read, following)
                if self.on_block is not None:
                    self.on_block(i, block)
                yield block
                del block

    def tiles(self) -> Iterator[Tile]:
        """Yield tiles in row order; they are the same as those of the matrix in memory."""
        for block in self.blocks():
            yield from block.tiles()
            self.report(block.n_obs)

    def each(self, function: Callable[[Tile], T], threads: int | None = 1, tiling: Tiling = BY_SIZE) -> Iterator[T]:
        """Apply a function to every tile and yield the results in row order."""
        for block in self.blocks():
            yield from block.each(function, threads, tiling)
            self.report(block.n_obs)

    def report(self, n_obs: int) -> None:
        """Report that n rows are finished."""
        if self.on_rows is not None:
            self.on_rows(n_obs)

    def tell(self, words: str) -> None:
        """Say what is to be done."""
        if self.on_words is not None:
            self.on_words(words)

    def _read(self, i: int) -> Source:
        start, stop = int(self.bounds[i]), int(self.bounds[i + 1])
        index: Any = slice(start, stop) if self.rows is None else self.rows[start:stop]
        part = self.matrix[index]
        return Source(part, stop - start, self.n_vars, None, self.block, self.columns, offset=start)
