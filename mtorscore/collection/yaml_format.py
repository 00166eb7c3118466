"""The library's file format: from a YAML document to an entry and back.

An entry is one YAML mapping. Genes are listed under their direction (``up``, ``down``; ``numerator``, ``denominator``;
``drives``, ``brakes``, ``neither``), then under their evidence class, as a list or as ``SYMBOL: source``. A weighted
gene is ``SYMBOL: 2.5`` or ``SYMBOL: {weight: 2.5, source: ...}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mtorscore.collection.entries import ENTRY_CLASSES, EVIDENCE, Composite, Entry, Panel, Ratio, Signature, Source
from mtorscore.collection.entry_format import GENE_KEYS, GROUPS, KEYS, ROLES, SOURCE_KEYS
from mtorscore.errors import SignatureError

__all__ = ["entry_from_document", "entry_to_document"]


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
    common: dict[str, Any] = {"id": "", "path": path}
    for key in KEYS:
        value = document.get(key.name)
        stated = value is not None or (key.form == "integer" and key.name in document)
        if stated and key.form in _FROM_YAML and key.name != "kind":
            common[key.name] = _FROM_YAML[key.form](value)
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


# What an entry holds of a value in YAML, by the form of its key; genes and parts depend on the kind of entry.
_FROM_YAML: dict[str, Callable[[Any], Any]] = {
    "text": str,
    "integer": int,
    "boolean": bool,
    "texts": tuple,
    "responses": dict,
    "sources": lambda values: tuple(map(_source, values)),
}


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
        elif isinstance(value, list) or (isinstance(value, Mapping) and not set(value) <= set(GENE_KEYS)):
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
    always = ("id", "kind", "branch", "level", "sign", "parts", *GROUPS["ratio"])
    out: dict[str, Any] = {}
    for key in KEYS:
        if entry.kind not in key.kinds:
            continue
        value = _TO_YAML[key.form](entry, key.name)
        if value or key.name in always:
            out[key.name] = value
    return out


def _genes_to_yaml(entry: Entry, group: str) -> dict[str, Any] | list[str]:
    if isinstance(entry, Panel):
        return _grouped([g for g, r in entry.members.items() if r == ROLES[group]], entry.evidence, entry.notes, {})
    weights = entry.weights if isinstance(entry, Signature) else {}
    notes: Mapping[str, str] = getattr(entry, "gene_sources", {})
    return _grouped(getattr(entry, group), getattr(entry, "evidence", {}), notes, weights)


_TO_YAML: dict[str, Callable[[Entry, str], Any]] = {
    "text": getattr,
    "integer": getattr,
    "boolean": getattr,
    "texts": lambda entry, name: list(getattr(entry, name)),
    "responses": lambda entry, name: dict(getattr(entry, name)),
    "parts": lambda entry, name: dict(getattr(entry, name)),
    "sources": lambda entry, name: [_source_document(s) for s in getattr(entry, name)],
    "genes": _genes_to_yaml,
}


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
    stated = {key.name: getattr(source, key.name) for key in SOURCE_KEYS}
    return {name: value for name, value in stated.items() if value is not None}
