"""Sums of ranks over thousands of gene sets by SIMD instructions, which add 16 or 32 rows at a time.

With few sets it is cheapest to go through the entries of a row and add each to the sets that hold the gene
(`rank_sums`). With thousands of sets a row makes tens of thousands of such scattered additions. Here the ranks of 16 or
32 rows are side by side, one cache line per gene, and the lines of a set are added up: one vector instruction adds a
gene of many rows, one row per lane. Ranks are whole numbers, so the sums are the same to the last bit.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mtorscore.tl.kernels.jit import jit
from mtorscore.tl.kernels.rank_sums import tie_terms
from mtorscore.tl.kernels.ranks import Ranking
from mtorscore.tl.kernels.segment_sums import longest_segment

__all__ = ["is_faster", "rank_table", "simd_rank_sums"]

# Bytes of a cache line: what the ranks of one gene take in all rows of a block.
LINE = 64
# Parts whose sums are transposed from lanes to rows at a time, so that both stay in the first-level cache.
TRANSPOSED = 64
LARGE = 4 << 20
NARROW = 16
# With 16 bits per lane, so many genes must be added before a lane can overflow, or 32 bits are faster.
FEWEST = 8

_buffers = threading.local()


def rank_table(n_slots: int, largest: int, longest: int) -> tuple[npt.NDArray[Any], int] | None:
    """Return a buffer with an aligned cache line per gene, and how many lines can be added before a lane overflows.

    Parameters
    ----------
    n_slots
        Genes.
    largest
        Twice the largest rank.
    longest
        Genes of the largest part.

    Returns
    -------
    tuple or None
        None where a sum may exceed 31 bits. The buffer belongs to the thread, and the next call reuses it.
    """
    if largest * longest >= 1 << 31:
        return None
    narrow = ((1 << 16) - 1) // largest >= FEWEST
    buffer = getattr(_buffers, "table", None)
    if buffer is None or buffer.size < (n_slots + 1) * LINE:
        # For so many bytes numpy asks for huge pages, with which fewer addresses have to be translated.
        buffer = _buffers.table = np.empty(max((n_slots + 1) * LINE, LARGE), np.uint8)
    first = -buffer.ctypes.data % LINE
    table = buffer[first : first + n_slots * LINE].view(np.uint16 if narrow else np.uint32)
    return table, ((1 << 16) - 1) // largest if narrow else longest


def is_faster(n_obs: int, n_entries: int, n_slots: int, n_members: int, limit: int) -> bool:
    """Return whether SIMD sums are likely to be faster than going through the entries; no result depends on it.

    Parameters
    ----------
    n_obs, n_entries
        Rows, and entries of all rows.
    n_slots, n_members
        Genes, and genes summed over the parts.
    limit
        Largest rank from above, 0 without one.
    """
    # Nanoseconds on one machine; only their proportions matter.
    added = min(n_entries, n_obs * limit) if limit else n_entries
    scattered = 3.0 * n_entries + added * (6.0 + 1.7 * n_members / max(n_slots, 1))
    blocks = -(-n_obs * (1 if limit else 2) // 32)
    return blocks * (1.4 * n_members + 4.0 * n_slots) + 3.0 * n_entries < scattered


@intrinsic
def _add_lines(typing: Any, table: Any, lists: Any, start: Any, stop: Any, out: Any) -> Any:  # noqa: ARG001
    """Add up lines ``lists[start:stop]`` of `table`, lane by lane, and add the sums to the 32-bit lanes of `out`.

    Sums in lanes of 16 bits saturate at the largest number. Return 0 if none did, so that all are right.
    """
    bits = table.dtype.bitwidth
    lanes = LINE * 8 // bits

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, lists, start, stop, out = (
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, arguments, strict=True)
        )
        narrow, wide = ir.VectorType(ir.IntType(bits), lanes), ir.VectorType(ir.IntType(32), lanes)
        whole = ir.IntType(64)
        one, two = ir.Constant(whole, 1), ir.Constant(whole, 2)
        total = cgutils.alloca_once(builder, narrow)
        builder.store(ir.Constant(narrow, None), total)

        name = f"llvm.uadd.sat.v{lanes}i{bits}"
        saturating = cgutils.get_or_insert_function(builder.module, ir.FunctionType(narrow, [narrow, narrow]), name)

        def add(index: Any) -> None:
            line = builder.zext(builder.load(builder.gep(lists, [index])), whole)
            place = builder.gep(table, [builder.mul(line, ir.Constant(whole, lanes))])
            values = builder.load(builder.bitcast(place, narrow.as_pointer()))
            values.align = bits // 8
            before = builder.load(total)
            after = builder.call(saturating, [before, values]) if bits == NARROW else builder.add(before, values)
            builder.store(after, total)

        n = builder.sub(stop, start)
        with cgutils.for_range(builder, builder.sdiv(n, two)) as loop:
            index = builder.add(start, builder.mul(loop.index, two))
            add(index)
            add(builder.add(index, one))
        with cgutils.for_range(builder, builder.srem(n, two)):
            add(builder.sub(stop, one))
        found = builder.load(total)
        target = builder.bitcast(out, wide.as_pointer())
        before = builder.load(target)
        before.align = 4
        sums = builder.add(before, builder.zext(found, wide) if bits == NARROW else found)
        builder.store(sums, target).align = 4
        if bits > NARROW:
            return ir.Constant(ir.IntType(64), 0)
        full = builder.icmp_unsigned("==", found, ir.Constant(narrow, [(1 << bits) - 1] * lanes))
        return builder.zext(builder.bitcast(full, ir.IntType(lanes)), whole)

    return types.int64(table, lists, start, stop, out), emit


@jit
def simd_rank_sums(
    ranking: Ranking,
    from_above: bool,
    ties: int,
    limit: int,
    part_ptr: npt.NDArray[np.int64],
    part_slot: npt.NDArray[Any],
    table: npt.NDArray[Any],
    most_lines: int,
) -> npt.NDArray[np.int32]:
    """Add up ranks over the parts of sets, where no value is NaN, as does `rank_sums.rank_sums`.

    Parameters
    ----------
    ranking, from_above, ties, limit
        See `rank_sums.rank_sums`.
    part_ptr, part_slot
        Part p holds genes ``part_slot[part_ptr[p]:part_ptr[p + 1]]``.
    table, most_lines
        Buffer, with anything in it, and lines that can be added before a lane overflows, see `rank_table`.

    Returns
    -------
    numpy.ndarray
        ``(n_obs, n_parts)`` twice the sums.
    """
    pointer, slots, less, equal, rows, n_vars = ranking
    n_obs, n_parts = pointer.size - 1, part_ptr.size - 1
    sums = np.empty((n_obs, n_parts), np.int32)
    lanes = LINE // table.itemsize
    step = np.uint64(lanes)
    values, pattern = np.empty(longest_segment(pointer), table.dtype), np.zeros(lanes, table.dtype)
    words, pattern_words = table.view(np.uint64).reshape(-1, LINE // 8), pattern.view(np.uint64)
    line, transposed = np.empty(lanes, np.int32), np.empty((lanes, TRANSPOSED), np.int32)
    # What is added up is twice the rank from below, or how far twice the rank from above is below its limit.
    per_tie, more = tie_terms(ties, from_above)
    times, shift = np.int32(per_tie), np.int32(more)
    if from_above:
        shift -= np.int32(2 * (n_vars + 1 - limit))
    sign = np.int32(-1 if from_above else 1)
    origin = np.empty(n_parts, np.int32)
    for p in range(n_parts):
        origin[p] = 2 * limit * (part_ptr[p + 1] - part_ptr[p]) if from_above else 0
    for first in range(0, n_obs, lanes):
        last = min(first + lanes, n_obs)
        for i in range(first, last):
            pattern[i - first] = max(2 * rows[i, 1] + times * rows[i, 2] + shift, 0)
        for g in range(words.shape[0]):
            for w in range(LINE // 8):
                words[g, w] = pattern_words[w]
        for i in range(first, last):
            a, b = pointer[i], pointer[i + 1]
            under, tied, gene = less[a:b], equal[a:b], slots[a:b]
            for k in range(b - a):
                twice = np.int32(np.int32(2 * under[k]) + np.int32(times * tied[k]))
                values[k] = max(np.int32(twice + shift), np.int32(0))
            for k in range(b - a):
                table[np.uint64(gene[k]) * step + np.uint64(i - first)] = values[k]
        for p0 in range(0, n_parts, TRANSPOSED):
            p1 = min(p0 + TRANSPOSED, n_parts)
            for p in range(p0, p1):
                for w in range(lanes):
                    line[w] = 0
                if _add_lines(table, part_slot, part_ptr[p], part_ptr[p + 1], line) != 0:
                    for w in range(lanes):
                        line[w] = 0
                    for start in range(part_ptr[p], part_ptr[p + 1], most_lines):
                        _add_lines(table, part_slot, start, min(start + most_lines, part_ptr[p + 1]), line)
                for w in range(lanes):
                    transposed[w, p - p0] = line[w]
            for i in range(first, last):
                row, found = sums[i, p0:p1], transposed[i - first]
                for p in range(p1 - p0):
                    row[p] = np.int32(origin[p0 + p] + np.int32(sign * found[p]))
    return sums
