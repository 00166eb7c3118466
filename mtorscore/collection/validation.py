"""Validate signature files: file, line, what is wrong, and how to fix it.

`read` needs a file to be usable; `validate` asks for what the library promises its readers: sources, licence, caveat,
evidence per gene, current symbols, nothing restricted. Every problem has a code, listed in `CODES`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from mtorscore._bounded_yaml import UnboundedError
from mtorscore.collection.entry_format import CODES
from mtorscore.collection.rules import check_entry
from mtorscore.collection.yaml_text import Node, compose
from mtorscore.errors import SignatureError

__all__ = ["CODES", "Problem", "entry_files", "readable", "validate"]

_NOT_ENTRIES = {"library.yaml", "seed_map.yaml", "alterations.yaml", "zonation.yaml"}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file.

    Parameters
    ----------
    path
        The file.
    line
        One-based line.
    code
        A key of `CODES`.
    message
        What is wrong and how to fix it.
    """

    path: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.code}: {self.message}"


def validate(
    paths: Iterable[str | Path],
    *,
    symbols: Mapping[str, tuple[str, ...]] | None = None,
    approved: frozenset[str] | None = None,
    known: Iterable[str] = (),
) -> list[Problem]:
    """Check signature files.

    Parameters
    ----------
    paths
        Files, or folders that are searched for YAML files.
    symbols
        Old symbol -> current symbols, several where the old one is ambiguous; with `approved` it turns on the
        check for current symbols.
    approved
        Approved gene symbols.
    known
        Ids of entries elsewhere that composites may name.

    Returns
    -------
    list of Problem
        Sorted by file and line; empty where all is well.

    Raises
    ------
    SignatureError
        If a path does not exist, or a folder holds no YAML file.
    """
    files = list(_files(paths))
    problems: list[Problem] = []
    entries: list[tuple[Path, Node]] = []
    for path in files:
        found, documents = _documents(path)
        problems += found
        entries += [(path, d) for d in documents]
    ids: dict[str, tuple[Path, Node]] = {}
    kinds = dict.fromkeys(known, "signature")
    for path, document in entries:
        node = document.get("id")
        if node is None:
            continue
        if node.raw in ids:
            first = ids[node.raw][0]
            problems.append(
                Problem(str(path), node.line, "duplicate-id", f"The id {node.raw} is taken by {first}; rename one.")
            )
        ids.setdefault(node.raw, (path, document))
        kind = document.get("kind")
        kinds[node.raw] = kind.raw if kind is not None else "signature"
    for path, document in entries:
        for line, code, message in check_entry(document, path, kinds, symbols or {}, approved):
            problems.append(Problem(str(path), line, code, message))
    return sorted(problems, key=lambda p: (p.path, p.line, p.code))


# What follows from another problem is said last: a misspelt `up` leaves an entry without a gene.
_CONSEQUENCES = {"no-genes", "one-sided", "missing-key"}


def readable(path: Path, text: str) -> tuple[Problem | None, list[Node]]:
    """Return the first problem that keeps a file from being read, None where there is none, and its entries.

    Parameters
    ----------
    path
        The file, for the message.
    text
        Its text.
    """
    problems, documents = _documents(path, text)
    seen: dict[str, int] = {}
    for document in documents:
        for line, code, message in check_entry(document, path, {}, {}, None, strict=False):
            problems.append(Problem(str(path), line, code, message))
        name = document.get("id")
        if name is not None and name.raw in seen:
            message = f"The id {name.raw} is in line {seen[name.raw]} already; rename one."
            problems.append(Problem(str(path), name.line, "duplicate-id", message))
        elif name is not None:
            seen[name.raw] = name.line
    return min(problems, key=lambda p: (p.code in _CONSEQUENCES, p.line), default=None), documents


def entry_files(folder: Path) -> list[Path]:
    """Return the YAML files of entries in a folder and below, sorted; schemes of classes are no entries."""
    found = (p for p in folder.rglob("*.y*ml") if p.name not in _NOT_ENTRIES)
    return sorted(p for p in found if "classes" not in p.relative_to(folder).parts[:-1])


def _files(paths: Iterable[str | Path]) -> Iterator[Path]:
    for given in paths:
        path = Path(given)
        if not path.exists():
            raise SignatureError(f"There is no file or folder {path}.")
        if path.is_file():
            if path.name not in _NOT_ENTRIES:
                yield path
            continue
        found = entry_files(path)
        if not found:
            raise SignatureError(f"The folder {path} holds no YAML file.")
        yield from found


def _documents(path: Path, text: str | None = None) -> tuple[list[Problem], list[Node]]:
    name = str(path)
    if text is None:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            line = path.read_bytes()[: error.start].count(b"\n") + 1
            return [Problem(name, line, "encoding", "The file is not UTF-8 text; save it as UTF-8.")], []
    try:
        composed = compose(text)
    except UnboundedError as error:
        message = f"The YAML is refused: {error.problem}; write its content out plainly."
        return [Problem(name, error.problem_mark.line + 1 if error.problem_mark else 1, "yaml", message)], []
    except yaml.MarkedYAMLError as error:
        # An unclosed bracket or quote is best shown where it opens; everything else where the parser stopped.
        opens = re.search("flow|quoted|simple key", str(error.context or ""))
        mark = (error.context_mark if opens else None) or error.problem_mark or error.context_mark
        what = re.sub(r"\s+", " ", str(error.problem or error.context or "cannot be parsed"))
        fix = "indent with blanks, not tabs" if "\t" in text else "check indentation, colons and quotes there"
        return [Problem(name, mark.line + 1 if mark else 1, "yaml", f"This is not valid YAML ({what}); {fix}.")], []
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        message = f"The character {chr(error.character)!r} is not allowed in YAML; delete it."
        return [Problem(name, line, "yaml", message)], []
    except yaml.YAMLError as error:
        return [Problem(name, 1, "yaml", f"This is not valid YAML ({error}).")], []
    if not composed.nodes:
        return [Problem(name, 1, "empty", "The file holds no entry; write one, or delete the file.")], []
    problems = [Problem(name, *fault) for fault in composed.faults]
    message = "An entry is a mapping that begins with `id: NAME`."
    problems += [Problem(name, n.line, "mapping", message) for n in composed.nodes if n.kind != "mapping"]
    return problems, [n for n in composed.nodes if n.kind == "mapping"]
