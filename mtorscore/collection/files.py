"""Read and write collections of signatures in the formats that people exchange."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from mtorscore._atomic import write_whole
from mtorscore.collection import gene_set_formats as formats
from mtorscore.collection.collection import SignatureCollection
from mtorscore.collection.entries import BRANCHES, USER_BRANCH, Entry, Signature
from mtorscore.collection.gene_set_text import clean, read_text
from mtorscore.collection.yaml_format import Loader, dump, entry_from_document, entry_to_document
from mtorscore.errors import DataWarning, FormatError, IgnoredWarning, SignatureError, examples, warn

__all__ = ["FORMATS", "library_folder", "library_meta", "read", "read_library", "write"]

UP_ENDINGS = ("_UP",)
DOWN_ENDINGS = ("_DN", "_DOWN")


def library_folder() -> Path:
    """Return the folder of the shipped library."""
    return Path(str(files("mtorscore.signatures")))


@lru_cache(maxsize=1)
def library_meta() -> dict[str, Any]:
    """Return ``library.yaml``: version and, per branch, title, readout and why there is none."""
    text = (library_folder() / "library.yaml").read_text(encoding="utf-8")
    meta: dict[str, Any] = yaml.load(text, Loader=Loader)  # noqa: S506 - the loader builds plain values only
    return meta


@lru_cache(maxsize=1)
def read_library() -> SignatureCollection:
    """Return every entry that ships, sorted by branch in the order of `BRANCHES`, then by id."""
    folder = library_folder()
    entries: list[Entry] = []
    for branch in BRANCHES:
        for path in sorted((folder / branch).glob("*.yaml")):
            entries += _read_documents(path)
    return SignatureCollection(entries, version=str(library_meta()["version"]))


def read(path: Path, *, join_up_down: bool = False) -> SignatureCollection:
    """Read a collection from a file, or from a folder of YAML files.

    Parameters
    ----------
    path
        ``.gmt``, ``.gmx``, ``.grp``, ``.json`` (MSigDB), ``.tsv`` or ``.csv`` (source, target, weight), ``.yaml``,
        or a folder of YAML files.
    join_up_down
        Join pairs ``X_UP`` with ``X_DN`` or ``X_DOWN`` into one signed signature ``X``.

    Returns
    -------
    SignatureCollection
        Entries in file order; a folder's in the order of its file names.

    Raises
    ------
    FormatError
        If the file is missing, empty, or not what its ending promises.
    SignatureError
        If an entry is not valid.
    """
    if not path.exists():
        raise FormatError("There is no such file or folder of signatures.", path=path)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*.y*ml") if p.name not in {"library.yaml", "seed_map.yaml"})
        if not found:
            raise FormatError("This folder holds no YAML files of signatures.", path=path)
        entries = [entry for file in found for entry in _read_documents(file)]
        return _joined(entries, path) if join_up_down else _collection(entries, path)
    reader, _ = _format(path)
    entries = reader(path)
    if not entries:
        raise FormatError("The file holds no gene set.", path=path)
    return _joined(entries, path) if join_up_down else _collection(entries, path)


def write(collection: SignatureCollection, path: Path) -> Path:
    """Write a collection in the format that the path's ending names; a path without an ending becomes a folder.

    Parameters
    ----------
    collection
        Entries. Formats other than YAML hold names, titles and genes of signatures, network tables weights instead of
        titles; never branch, level, evidence or caveats. One `IgnoredWarning` says which entries and weights were left
        out.
    path
        As for `read`.

    Returns
    -------
    pathlib.Path
        The file or folder written.

    Raises
    ------
    SignatureError
        If the format cannot hold the collection at all.
    """
    if not path.suffix:
        strange = [e.id for e in collection if Path(f"{e.id}.yaml").name != f"{e.id}.yaml" or "\\" in e.id]
        if strange:
            raise SignatureError(f"{examples(strange)} cannot name a file in a folder; write one .yaml, or rename.")
        path.mkdir(parents=True, exist_ok=True)
        for entry in collection:
            write_whole(path / f"{entry.id}.yaml", dump(entry_to_document(entry)))
        return path
    _, writer = _format(path)
    return write_whole(path, writer(collection))


def text_of(collection: SignatureCollection, ending: str) -> str:
    """Return a collection as text in the format of a file ending such as ``".gmt"``; see `write`."""
    _, writer = _format(Path(f"-{ending}"))
    return writer(collection)


def read_gmt(path: Path, *, join_up_down: bool = False) -> SignatureCollection:
    """Read a GMT file whatever its ending; see `read`."""
    if not path.exists():
        raise FormatError("There is no such file of signatures.", path=path)
    entries = formats.read_gmt(path)
    if not entries:
        raise FormatError("The file holds no gene set.", path=path)
    return _joined(entries, path) if join_up_down else _collection(entries, path)


def write_gmt(collection: SignatureCollection, path: Path) -> Path:
    """Write a GMT file whatever its ending; see `write`."""
    return write_whole(path, _write_gmt(collection))


def parts(collection: SignatureCollection) -> Iterator[tuple[str, Signature, tuple[str, ...]]]:
    """Yield name, signature and genes of every unsigned part: ``X``, or ``X_UP`` and ``X_DN`` for a signed one."""
    for signature in collection.signatures:
        if not signature.is_signed:
            yield signature.id, signature, signature.up
            continue
        if signature.up:
            yield f"{signature.id}_UP", signature, signature.up
        yield f"{signature.id}_DN", signature, signature.down


def warn_about_loss(collection: SignatureCollection, format_name: str, *, weights: bool = True) -> None:
    """Say once what a format cannot hold of a collection."""
    others = [e.id for e in collection if not isinstance(e, Signature)]
    weighted = [s.id for s in collection.signatures if s.is_weighted] if weights else []
    falling = [s.id for s in collection.signatures if s.down and not s.up] if weights else []
    lost = []
    if others:
        lost.append(f"{len(others)} entries that are no gene list ({examples(others)})")
    if weighted:
        lost.append(f"the weights of {len(weighted)} signatures ({examples(weighted)})")
    if falling:
        lost.append(f"that {examples(falling)} is all down genes (read back, the part X_DN is a list of its own)")
    if lost:
        if any(s.branch != USER_BRANCH for s in collection.signatures):
            lost.append("branch, level, evidence and the like")
        warn(f"{format_name} cannot hold {' and '.join(lost)}; write .yaml to keep everything.", IgnoredWarning)


def _read_documents(path: Path) -> list[Entry]:
    text = read_text(path)
    try:
        documents = [d for d in yaml.load_all(text, Loader=Loader) if d is not None]
        return [entry_from_document(d, path=str(path)) for d in documents]
    except (yaml.YAMLError, SignatureError, KeyError, TypeError, ValueError, AttributeError) as error:
        from mtorscore.collection.validation import first_problem

        problem = first_problem(path, text)
        message = problem.message if problem else str(error)
        line = problem.line if problem else None
        raise FormatError(message, path=path, line=line) from error


def _write_yaml(collection: SignatureCollection) -> str:
    return "---\n".join(dump(entry_to_document(entry)) for entry in collection)


def _write_gmt(collection: SignatureCollection) -> str:
    return formats.write_gmt(_listed_parts(collection, "GMT"))


def _write_network(collection: SignatureCollection, delimiter: str = "\t") -> str:
    if not collection.signatures:
        raise SignatureError("The collection holds no gene list, so there is nothing to write as a network table.")
    warn_about_loss(collection, "A network table", weights=False)
    _check_names(collection.signatures, "a network table")
    return formats.write_network(collection, delimiter)


def _check_names(signatures: Sequence[Signature], format_name: str) -> None:
    """Refuse names that a line of text cannot hold, or that would not come back the same."""
    bad = [n for s in signatures for n in (s.id, *s.genes) if n != clean(n) or re.search(r"[\t\n\r\x00]", n) or not n]
    if bad:
        raise SignatureError(
            f"{len(bad)} name(s) hold a tab, a line break, quotes or blanks at their ends "
            f"({examples(map(repr, bad))}), which {format_name} cannot hold; rename them."
        )


def _listed_parts(
    collection: SignatureCollection, format_name: str, *, weights: bool = True
) -> list[tuple[str, Signature, tuple[str, ...]]]:
    """Return the parts, after saying what the format loses; two parts of one name are refused."""
    warn_about_loss(collection, format_name, weights=weights)
    listed = list(parts(collection))
    names: dict[str, str] = {}
    for name, signature, _ in listed:
        if name in names:
            raise SignatureError(f"{names[name]} and {signature.id} would both be written as {name}; rename one.")
        names[name] = signature.id
    if not listed:
        raise SignatureError(f"The collection holds no gene list, so there is nothing to write as {format_name}.")
    _check_names(collection.signatures, format_name)
    return listed


def _collection(entries: list[Entry], path: Path) -> SignatureCollection:
    try:
        return SignatureCollection(entries)
    except SignatureError as error:
        raise FormatError(str(error), path=path) from error


def _joined(entries: list[Entry], path: Path) -> SignatureCollection:
    """Join X_UP with X_DN or X_DOWN where both are unsigned; the pair stands where its first part stood."""
    taken = {e.id for e in entries}
    pairs: dict[str, dict[str, list[Signature]]] = {}
    for entry in entries:
        stem, direction = split_direction(entry.id)
        if direction and isinstance(entry, Signature) and not entry.down:
            pairs.setdefault(stem, {"up": [], "down": []})[direction].append(entry)
    joined: dict[str, Signature] = {}
    clashing: list[str] = []
    apart: list[str] = []
    for stem, sides in pairs.items():
        if not (sides["up"] and sides["down"]):
            continue
        up, down = sides["up"][0], sides["down"][0]
        shared = set(up.up) & set(down.up)
        if stem in taken or len(sides["up"]) + len(sides["down"]) > 2:
            apart.append(f"{stem}: {'a set of that name is there' if stem in taken else 'more than two parts'}")
        elif shared in ({*up.up}, {*down.up}):
            apart.append(f"{stem}: a part would be left without a gene")
        else:
            joined |= dict.fromkeys((up.id, down.id), _pair(stem, up, down))
            clashing += [stem] if shared else []
    _say_of_pairs(path, clashing, apart)
    out: dict[int, Entry] = {id(e): e for e in (joined.get(e.id, e) for e in entries)}
    return _collection(list(out.values()), path)


def _say_of_pairs(path: Path, clashing: Sequence[str], apart: Sequence[str]) -> None:
    found = []
    if clashing:
        found.append(
            f"genes of {len(clashing)} pair(s) stand in both directions and count in neither ({examples(clashing)})"
        )
    if apart:
        found.append(f"{len(apart)} pair(s) were not joined ({examples(apart)})")
    if found:
        warn(f"{path}: {'; '.join(found)}.", DataWarning)


def _pair(stem: str, up: Signature, down: Signature) -> Signature:
    both = set(up.up) & set(down.up)
    return replace(
        up, id=stem, up=tuple(g for g in up.up if g not in both), down=tuple(g for g in down.up if g not in both)
    )


def split_direction(name: str) -> tuple[str, str]:
    """Return the stem and ``"up"``, ``"down"`` or ``""`` of a set's name."""
    for endings, direction in ((UP_ENDINGS, "up"), (DOWN_ENDINGS, "down")):
        for ending in endings:
            if name.upper().endswith(ending) and len(name) > len(ending):
                return name[: -len(ending)], direction
    return name, ""


Reader = Callable[[Path], list[Entry]]
Writer = Callable[[SignatureCollection], str]
FORMATS: dict[str, tuple[Reader, Writer]] = {
    ".gmt": (formats.read_gmt, _write_gmt),
    ".gmx": (formats.read_gmx, lambda collection: formats.write_gmx(_listed_parts(collection, "GMX"))),
    ".grp": (formats.read_grp, lambda collection: formats.write_grp(_listed_parts(collection, "GRP"))),
    ".json": (formats.read_json, lambda collection: formats.write_json(_listed_parts(collection, "MSigDB JSON"))),
    ".tsv": (formats.read_network, _write_network),
    ".csv": (formats.read_network, lambda collection: _write_network(collection, ",")),
    ".yaml": (_read_documents, _write_yaml),
    ".yml": (_read_documents, _write_yaml),
}


def _format(path: Path) -> tuple[Reader, Writer]:
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending not in FORMATS:
        raise FormatError(f"Signatures are read and written as {', '.join(FORMATS)}, not {path.suffix!r}.", path=path)
    return FORMATS[ending]
