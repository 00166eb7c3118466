"""What a reader declares: its kinds, how they are recognised and read, its options, and its line in the manual."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Columns", "FirstBytes", "FirstLines", "Folder", "Found", "Hdf5", "Members", "Reader", "Rows", "starts_with"]


@dataclass(frozen=True)
class Found:
    """A recognised format.

    Attributes
    ----------
    kind, evidence
        The kind, and why in words.
    compression
        Of the file, "" for none.
    details
        What its beginning tells, shown by `describe`.
    sure
        False where the content merely resembles the kind: nothing in it names the format.
    path
        The folder meant, where it is inside the one that was given; None for the path itself.
    handed
        What recognition found out and the reader need not look for again.
    """

    kind: str
    evidence: str
    compression: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    sure: bool = True
    path: Path | None = None
    handed: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Folder:
    """A folder, as a reader sees it: `names` of its entries, `files` at any depth, and `detect` for one of them."""

    path: Path
    detect: Callable[[Path], Found]

    @cached_property
    def names(self) -> list[str]:
        """Names of the entries, sorted."""
        return sorted(p.name for p in self.path.iterdir())

    @cached_property
    def files(self) -> list[Path]:
        """Files at any depth, sorted."""
        return sorted(f for f in self.path.rglob("*") if f.is_file())


@dataclass(frozen=True)
class Members:
    """The members of a zip archive."""

    names: list[str]


@dataclass(frozen=True)
class FirstBytes:
    """The first bytes of a file, decompressed."""

    data: bytes


@dataclass(frozen=True)
class Hdf5:
    """The root of an HDF5 file: its keys, those of each group, and the encoding that it states."""

    keys: set[str]
    groups: dict[str, set[str]]
    encoding: str


@dataclass(frozen=True)
class FirstLines:
    """The first lines of a text, the first that is not blank beside them."""

    first: str
    lines: list[str]


@dataclass(frozen=True)
class Rows:
    """The first rows of a text table, below comments and titles; `fields` are those of the first row."""

    body: list[str]
    delimiter: str
    fields: list[str]


@dataclass(frozen=True)
class Columns:
    """The names of the columns of a text table; `commented` where there are comments above them."""

    names: list[str]
    commented: bool


@dataclass(frozen=True)
class Reader:
    """A reader, declared once in its own file and listed in `mtorscore.io.readers`.

    Attributes
    ----------
    kinds
        What it reads, as `describe` and ``read(kind=)`` name it.
    read
        Called with the path and the options; returns the AnnData and what goes into ``uns["source"]``.
    detect
        What is looked at (`Folder`, `Members`, `FirstBytes`, `Hdf5`, `FirstLines`, `Rows` or `Columns`, asked in this
        order) -> what recognises a kind in it, or returns None. Of several readers the first in the list decides.
    origin, title
        Where such files come from and what they are, as the manual says it.
    options
        Option -> its meaning, as the manual says it; None where they are passed on to another reader.
    needs
        Further arguments that `read` takes from the dispatcher: ``"found"``, the `Found`, or ``"read_inside"``, which
        reads a path with options.
    """

    kinds: tuple[str, ...]
    read: Callable[..., tuple[AnnData, dict[str, Any]]]
    detect: Mapping[type, Callable[[Any], Found | None]]
    origin: str
    title: str
    options: Mapping[str, str] | None = field(default_factory=dict)
    needs: tuple[str, ...] = ()


def starts_with(kind: str, evidence: str, *magic: bytes) -> Callable[[FirstBytes], Found | None]:
    """Return what recognises a kind by any of the given first bytes."""
    return lambda seen: Found(kind, evidence) if seen.data.startswith(magic) else None
