"""Read and write collections of signatures in the formats that people exchange."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from mtorscore import _genesets_formats as formats
from mtorscore._library_schema import Loader, dump, entry_from_document, entry_to_document
from mtorscore._replace import replacing
from mtorscore.collection import BRANCHES, Entry, Signature, SignatureCollection
from mtorscore.errors import DataWarning, FormatError, IgnoredWarning, SignatureError, examples

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
        Entries. Formats other than YAML hold signatures only, and not all that a signature is: one
        `IgnoredWarning` says what was left out.
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
        path.mkdir(parents=True, exist_ok=True)
        for entry in collection:
            _replace_text(path / f"{entry.id}.yaml", dump(entry_to_document(entry)))
        return path
    _, writer = _format(path)
    text = writer(collection)
    _replace_text(path, text)
    return path


def text_of(collection: SignatureCollection, ending: str) -> str:
    """Return a collection as text in the format of a file ending such as ``".gmt"``; see `write`."""
    _, writer = _format(Path(f"-{ending}"))
    return writer(collection)


def read_gmt(path: Path, *, join_up_down: bool = False) -> SignatureCollection:
    """Read a GMT file whatever its ending; see `read`."""
    if not path.exists():
        raise FormatError("There is no such file of signatures.", path=path)
    entries = _read_gmt(path)
    if not entries:
        raise FormatError("The file holds no gene set.", path=path)
    return _joined(entries, path) if join_up_down else _collection(entries, path)


def write_gmt(collection: SignatureCollection, path: Path) -> Path:
    """Write a GMT file whatever its ending; see `write`."""
    _replace_text(path, _write_gmt(collection))
    return path


def parts(collection: SignatureCollection) -> Iterator[tuple[str, Signature, tuple[str, ...]]]:
    """Yield name, signature and genes of every unsigned part: ``X``, or ``X_UP`` and ``X_DN`` for a signed one."""
    for signature in collection.signatures:
        if not signature.is_signed:
            yield signature.id, signature, signature.up
            continue
        if signature.up:
            yield f"{signature.id}_UP", signature, signature.up
        yield f"{signature.id}_DN", signature, signature.down


def warn_about_loss(collection: SignatureCollection, format_name: str, *, weights: bool = True, depth: int = 6) -> None:
    """Say once what a format cannot hold of a collection."""
    others = [e.id for e in collection if not isinstance(e, Signature)]
    weighted = [s.id for s in collection.signatures if s.is_weighted] if weights else []
    lost = []
    if others:
        lost.append(f"{len(others)} entries that are no gene list ({examples(others)})")
    if weighted:
        lost.append(f"the weights of {len(weighted)} signatures ({examples(weighted)})")
    if lost:
        warnings.warn(
            f"{format_name} cannot hold {' and '.join(lost)}; write .yaml to keep everything.",
            IgnoredWarning,
            stacklevel=depth,
        )


def without_repeats(sets: Sequence[tuple[str, Sequence[str]]], path: Path) -> list[tuple[str, ...]]:
    """Return each set's genes without blanks and repeats; one warning says which sets repeated genes."""
    out = []
    repeating = []
    for name, genes in sets:
        listed = [g.strip() for g in genes if g.strip()]
        out.append(tuple(dict.fromkeys(listed)))
        if len(out[-1]) < len(listed):
            repeating.append(name)
    if repeating:
        warnings.warn(
            f"{path}: {len(repeating)} set(s) repeat genes ({examples(repeating)}); each gene counts once.",
            DataWarning,
            stacklevel=6,
        )
    return out


def _read_documents(path: Path) -> list[Entry]:
    text = path.read_text(encoding="utf-8-sig")
    try:
        documents = [d for d in yaml.load_all(text, Loader=Loader) if d is not None]
        return [entry_from_document(d, path=str(path)) for d in documents]
    except (yaml.YAMLError, SignatureError, KeyError, TypeError, ValueError, AttributeError) as error:
        from mtorscore._library_validate import first_problem

        problem = first_problem(path, text)
        message = problem.message if problem else str(error)
        line = problem.line if problem else None
        raise FormatError(message, path=path, line=line) from error


def _write_yaml(collection: SignatureCollection) -> str:
    return "---\n".join(dump(entry_to_document(entry)) for entry in collection)


def _read_gmt(path: Path) -> list[Entry]:
    sets: list[tuple[str, list[str]]] = []
    titles: list[str] = []
    lines: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        fields = line.split("\t")
        name = fields[0].strip()
        if len(fields) < 3 or not name:
            raise FormatError(
                "A GMT line is name, description and genes, separated by tabs; "
                f"this one has {len(fields)} field(s): {line[:40]!r}.",
                path=path,
                line=number,
            )
        if name in lines:
            raise FormatError(
                f"The set {name} stands in line {lines[name]} already; rename one.", path=path, line=number
            )
        if not any(g.strip() for g in fields[2:]):
            raise FormatError(f"The set {name} holds no gene.", path=path, line=number)
        lines[name] = number
        sets.append((name, fields[2:]))
        titles.append("" if fields[1].strip() == "na" else fields[1].strip())
    genes = without_repeats(sets, path)
    return [
        Signature(id=name, title=title, up=up, path=str(path))
        for (name, _), title, up in zip(sets, titles, genes, strict=True)
    ]


def _write_gmt(collection: SignatureCollection) -> str:
    rows = [
        "\t".join([name, " ".join(signature.title.split()) or "na", *genes])
        for name, signature, genes in _listed_parts(collection, "GMT")
    ]
    return "\n".join(rows) + "\n"


def _write_network(collection: SignatureCollection) -> str:
    if not collection.signatures:
        raise SignatureError("The collection holds no gene list, so there is nothing to write as a network table.")
    warn_about_loss(collection, "A network table", weights=False, depth=5)
    return formats.write_network(collection)


def _write_network_csv(collection: SignatureCollection) -> str:
    return _write_network(collection).replace("\t", ",")


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
    return listed


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, whatever its line ends, without a byte-order mark."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise FormatError("This is not a text file in UTF-8.", path=path) from error


def _collection(entries: list[Entry], path: Path) -> SignatureCollection:
    try:
        return SignatureCollection(entries)
    except SignatureError as error:
        raise FormatError(str(error), path=path) from error


def _joined(entries: list[Entry], path: Path) -> SignatureCollection:
    """Join X_UP with X_DN or X_DOWN where both are unsigned; the pair stands where its first part stood."""
    unsigned = {e.id: e for e in entries if isinstance(e, Signature) and not e.down}
    taken = {e.id for e in entries}
    out: dict[str, Entry] = {}
    clashing: list[str] = []
    for entry in entries:
        stem, direction = split_direction(entry.id)
        here, partner = unsigned.get(entry.id), _partner(unsigned, stem, direction)
        if here is None or partner is None or stem in taken:
            out[entry.id] = entry
        elif stem not in out:
            up, down = (here, partner) if direction == "up" else (partner, here)
            out[stem] = _pair(stem, up, down)
            if set(up.up) & set(down.up):
                clashing.append(stem)
    if clashing:
        warnings.warn(
            f"{path}: genes of {len(clashing)} pair(s) stand in both directions and count in neither "
            f"({examples(clashing)}).",
            DataWarning,
            stacklevel=4,
        )
    return _collection(list(out.values()), path)


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


def _partner(by_id: dict[str, Signature], stem: str, direction: str) -> Signature | None:
    if not direction:
        return None
    endings = DOWN_ENDINGS if direction == "up" else UP_ENDINGS
    candidates = [stem + e for e in endings] + [stem + e.lower() for e in endings]
    return next((by_id[c] for c in candidates if c in by_id), None)


def _replace_text(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text)


Reader = Callable[[Path], list[Entry]]
Writer = Callable[[SignatureCollection], str]
FORMATS: dict[str, tuple[Reader, Writer]] = {
    ".gmt": (_read_gmt, _write_gmt),
    ".gmx": (
        lambda path: formats.read_gmx(path, read_lines(path), without_repeats),
        lambda collection: formats.write_gmx(_listed_parts(collection, "GMX")),
    ),
    ".grp": (
        lambda path: formats.read_grp(path, read_lines(path), without_repeats),
        lambda collection: formats.write_grp(_listed_parts(collection, "GRP")),
    ),
    ".json": (
        lambda path: formats.read_json(path, "\n".join(read_lines(path))),
        lambda collection: formats.write_json(_listed_parts(collection, "MSigDB JSON")),
    ),
    ".tsv": (lambda path: formats.read_network(path, read_lines(path)), _write_network),
    ".csv": (lambda path: formats.read_network(path, read_lines(path)), _write_network_csv),
    ".yaml": (_read_documents, _write_yaml),
    ".yml": (_read_documents, _write_yaml),
}


def _format(path: Path) -> tuple[Reader, Writer]:
    if path.suffix.lower() not in FORMATS:
        raise FormatError(f"Signatures are read and written as {', '.join(FORMATS)}, not {path.suffix!r}.", path=path)
    return FORMATS[path.suffix.lower()]
