"""Decompression of LZF, the filter that h5py calls ``lzf``, without the interpreter lock."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels.jit import jit

__all__ = ["decompress_lzf"]


@jit
def decompress_lzf(packed: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> np.int64:
    """Decompress a block of the LZF format (M. Lehmann, LibLZF); return the bytes written, or -1 for a bad block.

    A control byte n below 32 is followed by n + 1 literal bytes; others are back-references: the offset and the length
    of a run of earlier bytes to copy.
    """
    n, most = packed.size, out.size
    at, to = np.int64(0), np.int64(0)
    while at < n:
        control = np.int64(packed[at])
        at += 1
        if control < 32:
            length = control + 1
            if at + length > n or to + length > most:
                return np.int64(-1)
            for k in range(length):
                out[to + k] = packed[at + k]
            at += length
            to += length
            continue
        length = control >> 5
        if length == 7:
            if at >= n:
                return np.int64(-1)
            length += np.int64(packed[at])
            at += 1
        if at >= n:
            return np.int64(-1)
        back = ((control & 31) << 8) + np.int64(packed[at]) + 1
        at += 1
        length += 2
        if back > to or to + length > most:
            return np.int64(-1)
        # Byte by byte: the run may overlap what it makes.
        for k in range(length):
            out[to + k] = out[to + k - back]
        to += length
    return to
