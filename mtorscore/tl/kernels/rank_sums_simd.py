"""Sums of ranks over thousands of gene sets, many rows at a time.

With few sets it is cheapest to go through the entries of a row and add each to the sets that hold the gene (`entries`).
With thousands of sets a row makes tens of thousands of such scattered additions. Here the ranks of 16 or 32 rows lie
side by side, one line of memory per gene, and the lines of a set are added up: one vector instruction adds a gene of
many rows. Ranks are whole numbers, so that the sums are the same to the last bit.
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

__all__ = ["cheaper", "lane_sums", "table_for"]

# Bytes of a line of memory: what the ranks of one gene take in all rows of a block.
LINE = 64
# Parts whose sums are turned from lanes into rows at a time, so that both stay in the fastest memory.
TURNED = 64
LARGE = 4 << 20
NARROW = 16
# Lanes of 16 bits have to take the ranks of so many genes before they are emptied, or they cost more than 32 bits.
FEWEST = 8

_rooms = threading.local()


def table_for(n_slots: int, largest: int, longest: int) -> tuple[npt.NDArray[Any], int] | None:
    """Return room for a line per gene, which starts where a line of memory does, and how many lines fit into a lane.

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
        None where a sum may go over 31 bits. The room belongs to the thread, and the next call takes it again.
    """
    if largest * longest >= 1 << 31:
        return None
    narrow = ((1 << 16) - 1) // largest >= FEWEST
    room = getattr(_rooms, "room", None)
    if room is None or room.size < (n_slots + 1) * LINE:
        # Of so many bytes numpy asks for large pages, in which more of the table can be found at once.
        room = _rooms.room = np.empty(max((n_slots + 1) * LINE, LARGE), np.uint8)
    first = -room.ctypes.data % LINE
    table = room[first : first + n_slots * LINE].view(np.uint16 if narrow else np.uint32)
    return table, ((1 << 16) - 1) // largest if narrow else longest


def cheaper(n_obs: int, n_entries: int, n_slots: int, n_members: int, limit: int) -> bool:
    """Return whether lanes are likely to be faster than going through the entries; no result depends on it.

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
    """Add lines ``lists[start:stop]`` of `table` up, lane by lane, and add the sums to the wider lanes of `out`.

    Sums in lanes of 16 bits stop at the largest number. Return 0 if none did, so that all are right.
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
        stopping = cgutils.get_or_insert_function(builder.module, ir.FunctionType(narrow, [narrow, narrow]), name)

        def add(index: Any) -> None:
            line = builder.zext(builder.load(builder.gep(lists, [index])), whole)
            place = builder.gep(table, [builder.mul(line, ir.Constant(whole, lanes))])
            values = builder.load(builder.bitcast(place, narrow.as_pointer()))
            values.align = bits // 8
            before = builder.load(total)
            after = builder.call(stopping, [before, values]) if bits == NARROW else builder.add(before, values)
            builder.store(after, total)

        n = builder.sub(stop, start)
        with cgutils.for_range(builder, builder.sdiv(n, two)) as loop:
            index = builder.add(start, builder.mul(loop.index, two))
            add(index)
            add(builder.add(index, one))
        with cgutils.for_range(builder, builder.srem(n, two)):
            add(builder.sub(stop, one))
        found = builder.load(total)
        room = builder.bitcast(out, wide.as_pointer())
        before = builder.load(room)
        before.align = 4
        sums = builder.add(before, builder.zext(found, wide) if bits == NARROW else found)
        builder.store(sums, room).align = 4
        if bits > NARROW:
            return ir.Constant(ir.IntType(64), 0)
        full = builder.icmp_unsigned("==", found, ir.Constant(narrow, [(1 << bits) - 1] * lanes))
        return builder.zext(builder.bitcast(full, ir.IntType(lanes)), whole)

    return types.int64(table, lists, start, stop, out), emit


@jit
def lane_sums(
    pointer: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int32],
    less: npt.NDArray[np.int32],
    equal: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    n_vars: int,
    from_above: bool,
    ties: int,
    limit: int,
    part_ptr: npt.NDArray[np.int64],
    part_slot: npt.NDArray[Any],
    table: npt.NDArray[Any],
    each: int,
) -> npt.NDArray[np.int32]:
    """Add up ranks over the parts of sets, where no value is NaN, as does `entries.rank_sums`.

    Parameters
    ----------
    pointer, slots, less, equal, rows, n_vars, from_above, ties, limit
        See `entries.rank_sums`.
    part_ptr, part_slot
        Part p holds genes ``part_slot[part_ptr[p]:part_ptr[p + 1]]``.
    table, each
        Room for a line per gene, whatever is in it, and lines that fit into a lane, see `table_for`.

    Returns
    -------
    numpy.ndarray
        ``(n_obs, n_parts)`` twice the sums.
    """
    n_obs, n_parts = pointer.size - 1, part_ptr.size - 1
    sums = np.empty((n_obs, n_parts), np.int32)
    lanes = LINE // table.itemsize
    step = np.uint64(lanes)
    longest = np.int64(0)
    for i in range(n_obs):
        longest = max(longest, pointer[i + 1] - pointer[i])
    values, pattern = np.empty(longest, table.dtype), np.zeros(lanes, table.dtype)
    words, pattern_words = table.view(np.uint64).reshape(-1, LINE // 8), pattern.view(np.uint64)
    line, turned = np.empty(lanes, np.int32), np.empty((lanes, TURNED), np.int32)
    # What is added up is twice the rank from below, or how far twice the rank from above lies below its limit.
    # The lowest rank from below is the highest from above.
    low = ties if ties == 0 or not from_above else 3 - ties
    times, shift = np.int32(0 if low == 1 else 1 if low == 0 else 2), np.int32(1 if low == 0 else 2 if low == 1 else 0)
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
        for p0 in range(0, n_parts, TURNED):
            p1 = min(p0 + TURNED, n_parts)
            for p in range(p0, p1):
                for w in range(lanes):
                    line[w] = 0
                if _add_lines(table, part_slot, part_ptr[p], part_ptr[p + 1], line) != 0:
                    for w in range(lanes):
                        line[w] = 0
                    for start in range(part_ptr[p], part_ptr[p + 1], each):
                        _add_lines(table, part_slot, start, min(start + each, part_ptr[p + 1]), line)
                for w in range(lanes):
                    turned[w, p - p0] = line[w]
            for i in range(first, last):
                row, found = sums[i, p0:p1], turned[i - first]
                for p in range(p1 - p0):
                    row[p] = np.int32(origin[p0 + p] + np.int32(sign * found[p]))
    return sums
