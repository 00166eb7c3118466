"""Read and write signatures in the formats that people exchange."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mtorscore._atomic import write_whole
from mtorscore.collection import gene_set_formats as formats
from mtorscore.collection.entries import USER_BRANCH, Entry, Signature, by_id
from mtorscore.collection.gene_set_text import clean, read_text
from mtorscore.collection.validation import entry_files, readable
from mtorscore.collection.yaml_format import entry_from_document, entry_to_document
from mtorscore.collection.yaml_text import compose, dump
from mtorscore.errors import DataWarning, FormatError, IgnoredWarning, SignatureError, examples, warn
from mtorscore.genes.identifier_kinds import is_date

__all__ = ["FORMATS", "read", "read_gmt", "read_yaml", "text_of", "write", "write_gmt"]

UP_ENDINGS = ("_UP",)
DOWN_ENDINGS = ("_DN", "_DOWN")


def read(path: Path, *, join_up_down: bool = False) -> list[Entry]:
    """Read entries from a file, or from a folder of YAML files.

    Parameters
    ----------
    path
        ``.gmt``, ``.gmx``, ``.grp``, ``.json`` (MSigDB), ``.tsv`` or ``.csv`` (source, target, weight; msigdbr;
        TERM2GENE; gene, weight), ``.yaml``, or a folder of YAML files.
    join_up_down
        Join pairs ``X_UP`` with ``X_DN`` or ``X_DOWN`` into one signed signature ``X``.

    Returns
    -------
    list of Entry
        In file order; a folder's in the order of its file names. Ids are unique.

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
        found = entry_files(path)
        if not found:
            raise FormatError("This folder holds no YAML files of signatures.", path=path)
        return _checked([entry for file in found for entry in read_yaml(file)], path, join_up_down)
    reader, _ = _format(path)
    return _checked(reader(path), path, join_up_down)


def read_gmt(path: Path, *, join_up_down: bool = False) -> list[Entry]:
    """Read a GMT file whatever its ending; see `read`."""
    if not path.exists():
        raise FormatError("There is no such file of signatures.", path=path)
    return _checked(formats.read_gmt(path), path, join_up_down)


def read_yaml(path: Path, *, checked: bool = True) -> list[Entry]:
    """Read a YAML file of one entry or several.

    Parameters
    ----------
    path
        The file.
    checked
        Hold it against the rules of `rules.check_entry` first; the shipped library is, whenever it changes.

    Returns
    -------
    list of Entry
        In file order.

    Raises
    ------
    FormatError
        With the first problem and its line.
    """
    text = read_text(path)
    problem, nodes = readable(path, text) if checked else (None, compose(text).nodes)
    if problem is not None:
        raise FormatError(problem.message, path=path, line=problem.line)
    return [entry_from_document(node.plain(), path=str(path)) for node in nodes]


def write(entries: Iterable[Entry], path: Path) -> Path:
    """Write entries in the format that the path's ending names; a path without an ending becomes a folder.

    Parameters
    ----------
    entries
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
        If the format cannot hold the entries at all.
    """
    entries = list(entries)
    if not path.suffix:
        strange = [e.id for e in entries if Path(f"{e.id}.yaml").name != f"{e.id}.yaml" or "\\" in e.id]
        if strange:
            raise SignatureError(f"{examples(strange)} cannot name a file in a folder; write one .yaml, or rename.")
        path.mkdir(parents=True, exist_ok=True)
        for entry in entries:
            write_whole(path / f"{entry.id}.yaml", dump(entry_to_document(entry)))
        return path
    _, writer = _format(path)
    return write_whole(path, writer(entries))


def write_gmt(entries: Iterable[Entry], path: Path) -> Path:
    """Write a GMT file whatever its ending; see `write`."""
    return write_whole(path, FORMATS[".gmt"][1](list(entries)))


def text_of(entries: Iterable[Entry], ending: str) -> str:
    """Return entries as text in the format of a file ending such as ``".gmt"``; see `write`."""
    _, writer = _format(Path(f"-{ending}"))
    return writer(list(entries))


def _checked(entries: Sequence[Entry], path: Path, join_up_down: bool) -> list[Entry]:
    """Return what was read, joined where that is asked for; none at all and two of one id are errors of the file."""
    if not entries:
        raise FormatError("The file holds no gene set.", path=path)
    _warn_of_dates(entries, path)
    try:
        return list(by_id(_joined(entries, path) if join_up_down else entries).values())
    except SignatureError as error:
        raise FormatError(str(error), path=path) from error


def _warn_of_dates(entries: Sequence[Entry], path: Path) -> None:
    """Warn of genes that a spreadsheet made dates of: they are found in no matrix."""
    dates = {g: e.id for e in _signatures(entries) for g in (*e.up, *e.down) if is_date(g)}
    if dates:
        shown = examples(f"{gene} in {name}" for gene, name in dates.items())
        warn(
            f"{path}: {len(dates)} gene(s) are dates that a spreadsheet made of symbols ({shown}); restore them (1-Sep "
            "was SEPT1, now SEPTIN1).",
            DataWarning,
        )


def _signatures(entries: Iterable[Entry]) -> list[Signature]:
    return [e for e in entries if isinstance(e, Signature)]


def _parts(signatures: Iterable[Signature]) -> formats.Parts:
    """Return every unsigned part: ``X``, or ``X_UP`` and ``X_DN`` for a signed signature."""
    parts: formats.Parts = []
    for s in signatures:
        sides = [(f"{s.id}_UP", s, s.up), (f"{s.id}_DN", s, s.down)] if s.is_signed else [(s.id, s, s.up)]
        parts += [part for part in sides if part[2] or not s.is_signed]
    return parts


def _warn_about_loss(entries: Sequence[Entry], format_name: str, *, weights: bool = True) -> None:
    """Warn once of what a format cannot hold."""
    signatures = _signatures(entries)
    others = [e.id for e in entries if not isinstance(e, Signature)]
    weighted = [s.id for s in signatures if s.is_weighted] if weights else []
    falling = [s.id for s in signatures if s.down and not s.up] if weights else []
    lost = []
    if others:
        lost.append(f"{len(others)} entries that are not gene lists ({examples(others)})")
    if weighted:
        lost.append(f"the weights of {len(weighted)} signatures ({examples(weighted)})")
    if falling:
        lost.append(f"that {examples(falling)} is all down genes (read back, the part X_DN is a list of its own)")
    if lost:
        if any(s.branch != USER_BRANCH for s in signatures):
            lost.append("branch, level, evidence and the like")
        warn(f"{format_name} cannot hold {' and '.join(lost)}; write .yaml to keep everything.", IgnoredWarning)


def _check_names(signatures: Sequence[Signature], format_name: str) -> None:
    """Refuse names that a line of text cannot hold, or that would not come back the same."""
    bad = [n for s in signatures for n in (s.id, *s.genes) if n != clean(n) or re.search(r"[\t\n\r\x00]", n) or not n]
    if bad:
        raise SignatureError(
            f"{len(bad)} name(s) hold a tab, a line break, quotes or blanks at their ends "
            f"({examples(map(repr, bad))}), which {format_name} cannot hold; rename them."
        )


def _listed_parts(entries: Sequence[Entry], format_name: str) -> formats.Parts:
    """Return the parts, after warning of what the format loses; two parts of one name are refused."""
    _warn_about_loss(entries, format_name)
    signatures = _signatures(entries)
    listed = _parts(signatures)
    names: dict[str, str] = {}
    for name, signature, _ in listed:
        if name in names:
            raise SignatureError(f"{names[name]} and {signature.id} would both be written as {name}; rename one.")
        names[name] = signature.id
    if not listed:
        raise SignatureError(f"There is no gene list, so there is nothing to write as {format_name}.")
    _check_names(signatures, format_name)
    return listed


def _joined(entries: Sequence[Entry], path: Path) -> list[Entry]:
    """Join X_UP with X_DN or X_DOWN where both are unsigned, in the place of the first of them."""
    taken = {e.id for e in entries}
    pairs: dict[str, dict[str, list[Signature]]] = {}
    for entry in entries:
        stem, direction = _split_direction(entry.id)
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
    _warn_of_pairs(path, clashing, apart)
    out: dict[int, Entry] = {id(e): e for e in (joined.get(e.id, e) for e in entries)}
    return list(out.values())


def _warn_of_pairs(path: Path, clashing: Sequence[str], apart: Sequence[str]) -> None:
    found = []
    if clashing:
        found.append(
            f"genes of {len(clashing)} pair(s) are in both directions and count in neither ({examples(clashing)})"
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


def _split_direction(name: str) -> tuple[str, str]:
    """Return the stem and ``"up"``, ``"down"`` or ``""`` of a set's name."""
    for endings, direction in ((UP_ENDINGS, "up"), (DOWN_ENDINGS, "down")):
        for ending in endings:
            if name.upper().endswith(ending) and len(name) > len(ending):
                return name[: -len(ending)], direction
    return name, ""


def _network(entries: Sequence[Entry], delimiter: str) -> str:
    signatures = _signatures(entries)
    if not signatures:
        raise SignatureError("There is no gene list, so there is nothing to write as a network table.")
    _warn_about_loss(entries, "A network table", weights=False)
    _check_names(signatures, "a network table")
    return formats.write_network(signatures, delimiter)


def _as_yaml(entries: Sequence[Entry]) -> str:
    return "---\n".join(dump(entry_to_document(entry)) for entry in entries)


Reader = Callable[[Path], Sequence[Entry]]
Writer = Callable[[Sequence[Entry]], str]
FORMATS: dict[str, tuple[Reader, Writer]] = {
    ".gmt": (formats.read_gmt, lambda entries: formats.write_gmt(_listed_parts(entries, "GMT"))),
    ".gmx": (formats.read_gmx, lambda entries: formats.write_gmx(_listed_parts(entries, "GMX"))),
    ".grp": (formats.read_grp, lambda entries: formats.write_grp(_listed_parts(entries, "GRP"))),
    ".json": (formats.read_json, lambda entries: formats.write_json(_listed_parts(entries, "MSigDB JSON"))),
    ".tsv": (formats.read_table, lambda entries: _network(entries, "\t")),
    ".csv": (formats.read_table, lambda entries: _network(entries, ",")),
    ".yaml": (read_yaml, _as_yaml),
    ".yml": (read_yaml, _as_yaml),
}


def _format(path: Path) -> tuple[Reader, Writer]:
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending not in FORMATS:
        raise FormatError(
            f"Signatures are read and written as {', '.join(FORMATS)}, not {path.suffix!r}. Name the file after what "
            "it holds: a gene a line is .grp, a set a line .gmt, a table of set and gene .tsv or .csv.",
            path=path,
        )
    return FORMATS[ending]
