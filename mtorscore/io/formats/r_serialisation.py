"""R's binary serialisation (XDR, versions 2 and 3), as far as vectors, lists and data frames need it.

The rdata library reads everything, at about a hundred microseconds per string; a long table of a million rows takes
minutes. This reader takes the plain cases, in which a file holds vectors, factors, lists, matrices and data frames, and
says by `NotPlainError` that the library has to do the rest. Format: R Internals, section "Serialization Formats".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["NotPlainError", "TooLongError", "Vector", "parse"]

# Values beyond the file's own length that sequences written as first and last value may expand to, all together.
MOST_EXPANDED = 1 << 22

SYMBOL, PAIRLIST, CHAR, LOGICAL, INTEGER, REAL, STRINGS, LIST, POINTER, ALTREP, NIL, REFERENCE = (
    1, 2, 9, 10, 13, 14, 16, 19, 22, 238, 254, 255,
)  # fmt: skip
HAS_ATTRIBUTES, HAS_TAG = 1 << 9, 1 << 10
NA_INTEGER = -(2**31)


class NotPlainError(Exception):
    """The file needs the rdata library, or is damaged."""


class TooLongError(Exception):
    """A sequence expands to more values than a file of this length can need; the rdata library must not expand it."""


@dataclass
class Vector:
    """An R vector or list with its attributes.

    Attributes
    ----------
    values
        float64 (missing as NaN), int64 (missing as the smallest 32-bit number), list of str or None, or list of items.
    attributes
        Such as names, dim, dimnames, levels, class.
    """

    values: Any
    attributes: dict[str, Any] = field(default_factory=dict)

    def strings(self, name: str) -> list[str] | None:
        """Return an attribute of strings, None if it is absent."""
        found = self.attributes.get(name)
        return [str(v) for v in found.values] if isinstance(found, Vector) and isinstance(found.values, list) else None


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at, self.references = data, at, []  # type: tuple[bytes, int, list[Any]]
        self.depth = 0
        self.expandable = len(data) + MOST_EXPANDED

    def integer(self) -> int:
        self.at += 4
        return int(struct.unpack_from(">i", self.data, self.at - 4)[0])

    def length(self, width: int) -> int:
        n = self.integer()
        if n < 0 or n * width > len(self.data) - self.at:
            raise NotPlainError("a vector longer than the file")
        return n

    def array(self, kind: str, width: int) -> npt.NDArray[Any]:
        n = self.length(width)
        self.at += n * width
        return np.frombuffer(self.data, dtype=kind, count=n, offset=self.at - n * width)

    def item(self) -> Any:
        self.depth += 1
        if self.depth > 200:
            raise NotPlainError("nested too deeply")
        try:
            return self._item()
        finally:
            self.depth -= 1

    def _item(self) -> Any:
        flags = self.integer()
        kind = flags & 0xFF
        if kind == NIL:
            return None
        if kind == REFERENCE:
            index = (flags >> 8) or self.integer()
            if not 0 < index <= len(self.references):
                raise NotPlainError("a reference to nothing")
            return self.references[index - 1]
        if kind == SYMBOL:
            name = self.char(self.integer())
            self.references.append(name)
            return name
        if kind == PAIRLIST:
            return self.pairs(flags)
        if kind == POINTER:
            # data.table keeps one among its attributes; it points to nothing once it is stored.
            self.references.append(None)
            self.item()
            self.item()
            return Vector([], self.pairs_of_attributes() if flags & HAS_ATTRIBUTES else {})
        if kind == REAL:
            values: Any = self.array(">f8", 8).astype(np.float64)
        elif kind in (INTEGER, LOGICAL):
            values = self.array(">i4", 4).astype(np.int64)
        elif kind == STRINGS:
            values = self.strings(self.length(8))
        elif kind == LIST:
            values = [self.item() for _ in range(self.length(4))]
        elif kind == ALTREP:
            return self.altrep()
        else:
            raise NotPlainError(f"type {kind}")
        return Vector(values, self.pairs_of_attributes() if flags & HAS_ATTRIBUTES else {})

    def char(self, flags: int) -> str | None:
        n = self.integer()
        if flags & 0xFF != CHAR or n < -1 or n > len(self.data) - self.at:
            raise NotPlainError("a string expected")
        if n == -1:
            return None
        self.at += n
        raw = self.data[self.at - n : self.at]
        return raw.decode("latin-1" if flags >> 12 & 4 else "utf-8")

    def strings(self, n: int) -> list[str | None]:
        data, at, out = self.data, self.at, []  # type: tuple[bytes, int, list[str | None]]
        unpack = struct.Struct(">ii").unpack_from
        known: dict[bytes, str] = {}
        for _ in range(n):
            flags, size = unpack(data, at)
            at += 8
            if size == -1:
                out.append(None)
                continue
            if flags & 0xFF != CHAR or size < 0:
                raise NotPlainError("a string expected")
            raw = data[at : at + size]
            at += size
            text = known.get(raw)
            if text is None:
                text = known[raw] = raw.decode("latin-1" if flags >> 12 & 4 else "utf-8")
            out.append(text)
        self.at = at
        return out

    def pairs(self, flags: int) -> dict[str, Any]:
        """Read a pairlist, the rest of whose cells follow one another."""
        out: dict[str, Any] = {}
        while True:
            if flags & HAS_ATTRIBUTES:
                self.item()
            name = self.item() if flags & HAS_TAG else f"_{len(out)}"
            out[str(name)] = self.item()
            flags = self.integer()
            if flags & 0xFF == NIL:
                return out
            if flags & 0xFF != PAIRLIST:
                raise NotPlainError("a pairlist that does not end")

    def pairs_of_attributes(self) -> dict[str, Any]:
        found = self.item()
        if not isinstance(found, dict):
            raise NotPlainError("attributes expected")
        return found

    def expand(self, n: int) -> None:
        """Count values that are not in the file; raise TooLongError once they are too many."""
        self.expandable -= n
        if n < 0 or self.expandable < 0:
            raise TooLongError(f"a sequence of {n} values in a file of {len(self.data)} bytes")

    def altrep(self) -> Vector:
        info, state, attributes = self.item(), self.item(), self.item()
        name = next(iter(info.values())) if isinstance(info, dict) else None
        extra = attributes if isinstance(attributes, dict) else {}
        if name == "compact_intseq" and isinstance(state, Vector):
            n, first, step = (int(v) for v in state.values)
            self.expand(n)
            return Vector(first + step * np.arange(n, dtype=np.int64), extra)
        if name == "deferred_string" and isinstance(state, dict):
            source = next(iter(state.values()))
            if isinstance(source, Vector) and source.values.dtype.kind == "i":
                self.expand(len(source.values))
                return Vector([str(v) for v in source.values], extra)
        if name in ("wrap_real", "wrap_integer", "wrap_string", "wrap_logical") and isinstance(state, Vector):
            inner = state.values[0]
            if isinstance(inner, Vector):
                return Vector(inner.values, inner.attributes | extra)
        raise NotPlainError(f"ALTREP {name}")


def parse(data: bytes) -> Any:
    """Parse a decompressed R file.

    Returns
    -------
    dict or Vector
        Name -> object of a workspace (``save``), or the one object of ``saveRDS``.

    Raises
    ------
    NotPlainError
        If the file is not plain, or damaged.
    TooLongError
        If it expands to far more values than it has bytes.
    """
    at = 5 if data.startswith((b"RDX2\n", b"RDX3\n")) else 0
    if data[at : at + 2] != b"X\n":
        raise NotPlainError("not binary XDR")
    reader = _Reader(data, at + 2)
    try:
        version = reader.integer()
        reader.at += 8
        if version == 3:
            # Apart: the length itself moves the reader on.
            encoding = reader.length(1)
            reader.at += encoding
        elif version != 2:
            raise NotPlainError(f"version {version}")
        return reader.item()
    except (struct.error, UnicodeDecodeError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise NotPlainError(str(error)) from error
