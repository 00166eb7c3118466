"""The library's file format: from a YAML document to an entry and back.

An entry is one YAML mapping. Genes stand under their direction (``up``, ``down``; ``numerator``, ``denominator``;
``drives``, ``brakes``, ``neither``), then under their evidence class, as a list or as ``SYMBOL: source``. A weighted
gene is ``SYMBOL: 2.5`` or ``SYMBOL: {weight: 2.5, source: ...}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from mtorscore.collection.entries import ENTRY_CLASSES, EVIDENCE, Composite, Entry, Panel, Ratio, Signature, Source
from mtorscore.errors import SignatureError

__all__ = ["GROUPS", "ROLES", "Loader", "dump", "entry_from_document", "entry_to_document"]

GROUPS: dict[str, tuple[str, ...]] = {
    "signature": ("up", "down"),
    "ratio": ("numerator", "denominator"),
    "panel": ("drives", "brakes", "neither"),
    "composite": (),
}
ROLES: dict[str, int] = {"drives": 1, "brakes": -1, "neither": 0}
_PROSE = ("title", "licence", "caveat", "confidence", "remark", "added", "changed")
_Parser: Any = getattr(yaml.cyaml, "CParser", None) if hasattr(yaml, "cyaml") else None


class _TextResolver(yaml.resolver.BaseResolver):
    """Knows numbers, null and true/false only, so that no gene symbol turns into a date or a truth value."""


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", "tf"),
    ("tag:yaml.org,2002:null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"^[-+]?[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?$", "-+0123456789"),
):
    _TextResolver.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


if _Parser is not None:

    class Loader(_Parser, yaml.constructor.SafeConstructor, _TextResolver):  # type: ignore[misc]
        """YAML loader on libyaml, with the few implicit types that the format needs."""

        def __init__(self, stream: Any) -> None:
            _Parser.__init__(self, stream)
            yaml.constructor.SafeConstructor.__init__(self)
            _TextResolver.__init__(self)

else:  # pragma: no cover - PyYAML wheels carry libyaml

    class Loader(  # type: ignore[no-redef]
        yaml.reader.Reader,
        yaml.scanner.Scanner,
        yaml.parser.Parser,
        yaml.composer.Composer,
        yaml.constructor.SafeConstructor,
        _TextResolver,
    ):
        """YAML loader in Python, with the few implicit types that the format needs."""

        def __init__(self, stream: Any) -> None:
            yaml.reader.Reader.__init__(self, stream)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)
            yaml.composer.Composer.__init__(self)
            yaml.constructor.SafeConstructor.__init__(self)
            _TextResolver.__init__(self)


def entry_from_document(document: Mapping[str, Any], *, path: str = "") -> Entry:
    """Build an entry from a parsed YAML mapping.

    Parameters
    ----------
    document
        The mapping, with the keys of the format.
    path
        The file that it came from, kept on the entry.

    Returns
    -------
    Entry
        Of the class that ``kind`` names.

    Raises
    ------
    SignatureError
        If a key, kind, evidence class or gene is not what the format allows.
    """
    kind = document.get("kind", "signature")
    if kind not in ENTRY_CLASSES:
        raise SignatureError(f"Unknown kind {kind!r}; use one of {', '.join(ENTRY_CLASSES)}.")
    common: dict[str, Any] = {key: str(document[key]) for key in _PROSE if document.get(key) is not None}
    common["id"] = str(document.get("id", ""))
    for key in ("branch", "level"):
        if key in document:
            common[key] = str(document[key])
    common["sign"] = int(document.get("sign", 0))
    common["experimental"] = bool(document.get("experimental", False))
    common["cancers"] = tuple(document.get("cancers") or ())
    common["seeds"] = tuple(document.get("seeds") or ())
    common["expected"] = dict(document.get("expected") or {})
    common["sources"] = tuple(_source(s) for s in document.get("sources") or ())
    common["path"] = path
    if kind == "composite":
        return Composite(parts={str(k): float(w) for k, w in document["parts"].items()}, **common)
    genes, weights, evidence, notes = _genes(document, GROUPS[kind])
    if kind == "ratio":
        return Ratio(
            numerator=tuple(genes["numerator"]),
            denominator=tuple(genes["denominator"]),
            evidence=evidence,
            gene_sources=notes,
            **common,
        )
    if kind == "panel":
        members = {g: ROLES[group] for group, symbols in genes.items() for g in symbols}
        return Panel(members=members, notes=notes, evidence=evidence, **common)
    return Signature(
        up=tuple(genes["up"]),
        down=tuple(genes["down"]),
        weights=weights,
        evidence=evidence,
        gene_sources=notes,
        **common,
    )


def _source(value: Mapping[str, Any]) -> Source:
    return Source(**{key: (str(v) if v is not None else None) for key, v in value.items()})  # type: ignore[arg-type]


def _genes(
    document: Mapping[str, Any], groups: tuple[str, ...]
) -> tuple[dict[str, list[str]], dict[str, float], dict[str, str], dict[str, str]]:
    """Return genes per group, weights, evidence and notes per gene."""
    genes: dict[str, list[str]] = {}
    weights: dict[str, float] = {}
    evidence: dict[str, str] = {}
    notes: dict[str, str] = {}
    for group in groups:
        genes[group] = []
        for gene, label, value in _listed(document.get(group) or {}):
            genes[group].append(gene)
            if label:
                evidence[gene] = label
            weight, note = _weight_and_note(value)
            if weight is not None:
                weights[gene] = weight
            if note is not None:
                notes[gene] = note
    return genes, weights, evidence, notes


def _listed(block: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield gene, evidence class ("" where none is stated) and value of one direction."""
    if not isinstance(block, Mapping):
        yield from ((str(g), "", None) for g in block)
        return
    for key, value in block.items():
        if key in EVIDENCE:
            listed = value or ()
            pairs = listed.items() if isinstance(listed, Mapping) else ((g, None) for g in listed)
            yield from ((str(g), key, v) for g, v in pairs)
        elif isinstance(value, list) or (isinstance(value, Mapping) and not set(value) <= {"weight", "source"}):
            raise SignatureError(f"Unknown evidence class {key!r}; use one of {', '.join(EVIDENCE)}.")
        else:
            yield str(key), "", value


def _weight_and_note(value: Any) -> tuple[float | None, str | None]:
    if isinstance(value, Mapping):
        weight = value.get("weight")
        return (None if weight is None else float(weight)), value.get("source")
    if isinstance(value, int | float):
        return float(value), None
    return None, value


def entry_to_document(entry: Entry) -> dict[str, Any]:
    """Return the YAML mapping of an entry; the inverse of `entry_from_document`.

    Parameters
    ----------
    entry
        An entry of any kind.

    Returns
    -------
    dict
        Keys in the order in which the library's files have them; empty fields are left out.
    """
    out: dict[str, Any] = {"id": entry.id, "kind": entry.kind}
    if entry.title:
        out["title"] = entry.title
    out |= {"branch": entry.branch, "level": entry.level, "sign": entry.sign}
    if entry.experimental:
        out["experimental"] = True
    for key in ("cancers", "seeds"):
        if getattr(entry, key):
            out[key] = list(getattr(entry, key))
    if isinstance(entry, Composite):
        out["parts"] = dict(entry.parts)
    elif isinstance(entry, Ratio):
        for group in GROUPS["ratio"]:
            out[group] = _grouped(getattr(entry, group), entry.evidence, entry.gene_sources, {})
    elif isinstance(entry, Panel):
        for group, role in ROLES.items():
            symbols = [g for g, r in entry.members.items() if r == role]
            if symbols:
                out[group] = _grouped(symbols, entry.evidence, entry.notes, {})
    elif isinstance(entry, Signature):
        for group in GROUPS["signature"]:
            if getattr(entry, group):
                out[group] = _grouped(getattr(entry, group), entry.evidence, entry.gene_sources, entry.weights)
    if entry.sources:
        out["sources"] = [_source_document(s) for s in entry.sources]
    if entry.licence:
        out["licence"] = entry.licence
    if entry.expected:
        out["expected"] = dict(entry.expected)
    for key in ("confidence", "caveat", "remark", "added", "changed"):
        if getattr(entry, key):
            out[key] = getattr(entry, key)
    return out


def _grouped(
    genes: Any, evidence: Mapping[str, str], notes: Mapping[str, str], weights: Mapping[str, float]
) -> dict[str, Any] | list[str]:
    stated: dict[str, Any] = {}
    unstated: dict[str, Any] = {}
    for gene in genes:
        value: Any = notes.get(gene)
        if gene in weights:
            value = {"weight": weights[gene], "source": notes[gene]} if gene in notes else weights[gene]
        (stated.setdefault(evidence[gene], {}) if gene in evidence else unstated)[gene] = value
    if not stated and all(v is None for v in unstated.values()):
        return list(unstated)
    classes = {label: list(v) if all(x is None for x in v.values()) else v for label, v in stated.items()}
    return classes | unstated


def _source_document(source: Source) -> dict[str, str]:
    keys = ("name", "role", "pmid", "doi", "version", "accession")
    return {key: getattr(source, key) for key in keys if getattr(source, key) is not None}


class _Dumper(yaml.SafeDumper):
    """Writes long gene lists in flowing lines and everything else one key a line."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent_list(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    flow = all(not isinstance(v, dict | list) for v in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


_Dumper.add_representer(list, _represent_list)


def dump(document: Mapping[str, Any]) -> str:
    """Return the YAML text of one entry's mapping.

    Parameters
    ----------
    document
        As `entry_to_document` returns it.

    Returns
    -------
    str
        Text that ends with a line feed.
    """
    return yaml.dump(
        dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=116, default_flow_style=False
    )
