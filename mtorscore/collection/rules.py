"""Rules for the entries of the library, each with a code."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mtorscore.collection.entries import EVIDENCE, USER_BRANCH
from mtorscore.collection.entry_format import (
    CONFIDENCE,
    GENE_KEYS,
    GROUPS,
    KEYS,
    LEVELS_OF_KIND,
    LICENCES,
    PERTURBATIONS,
    RESPONSES,
    RESTRICTED,
    SOURCE_KEYS,
    Key,
)
from mtorscore.collection.library_files import BRANCHES
from mtorscore.collection.yaml_text import Node
from mtorscore.errors import examples, nearest

__all__ = ["Finding", "check_entry"]

_SYMBOL = re.compile(r"[A-Z][A-Za-z0-9.@-]*|[A-Z0-9]+@")
_DATE = re.compile(
    r"(?i)\d{4}-\d\d-\d\d|\d{1,2}-(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|(?:mar|sep|dec)[a-z]*-\d{1,2}"
)
# What some reader of YAML takes for a number, ours not: 1e5, 2,5, 0o17, 0x1f, 1_000, 1:30.
_NUMBER = re.compile(r"[-+]?(?:0[xob][0-9a-fA-F_]+|[\d.,_:]*\d[\d.,_:]*(?:[eE][-+]?\d+)?)")
_INFINITE = re.compile(r"[-+]?\.?(?:inf|infinity|nan)|[-+]?\u221e", re.IGNORECASE)
_MALFORMED = {
    "pmid": "PMID; write its digits only",
    "doi": "DOI; it begins with 10. and has no address before it",
}
_KEY = {key.name: key for key in KEYS}
Finding = tuple[int, str, str]


def check_entry(
    entry: Node,
    path: Path,
    kinds: Mapping[str, str],
    symbols: Mapping[str, tuple[str, ...]],
    approved: frozenset[str] | None,
    *,
    strict: bool = True,
) -> Iterator[Finding]:
    """Yield line, code and message of everything that is wrong with an entry.

    Parameters
    ----------
    entry
        The mapping.
    path
        Its file, for the rules on names and folders.
    kinds
        Kind of every known entry by id, for composites.
    symbols, approved
        Old to current symbols, and all current ones; without `approved` symbols are not looked up.
    strict
        Also ask for what the library promises (sources, caveat, ...); otherwise only for what reading needs.

    Yields
    ------
    tuple of (int, str, str)
        Line, a key of `entry_format.CODES`, what is wrong and how to fix it.
    """
    kind_node = entry.get("kind")
    kind = kind_node.raw if kind_node is not None else "signature"
    if kind not in GROUPS:
        line = kind_node.line if kind_node is not None else entry.line
        yield line, "kind", f"Unknown kind {kind!r}; use one of {', '.join(GROUPS)}.{_did_you_mean(kind, GROUPS)}"
        return
    yield from _keys(entry, kind, strict)
    yield from _types(entry)
    yield from _names(entry, path, strict)
    yield from _vocabulary(entry, kind)
    if kind == "composite":
        yield from _composite(entry, kinds, strict)
    else:
        yield from _genes(entry, kind, symbols, approved, strict)
    if strict:
        yield from _sources(entry, kind)
        yield from _licence_and_versions(entry)
    else:
        yield from _readable_sources(entry)


def _keys(entry: Node, kind: str, strict: bool) -> Iterator[Finding]:
    allowed = [key.name for key in KEYS if kind in key.kinds]
    for key, _ in entry.pairs:
        if key.raw not in allowed:
            yield key.line, "unknown-key", f"`{key.raw}` is not a key of a {kind}.{_did_you_mean(key.raw, allowed)}"
    for name in [key.name for key in KEYS if key.needed] if strict else ("id",):
        node = entry.get(name)
        if node is None:
            yield entry.line, "missing-key", f"`{name}` is missing; add `{name}: ...`."
        elif node.kind == "scalar" and not node.raw.strip():
            yield node.line, "missing-key", f"`{name}` is empty; fill it in."


def _types(entry: Node) -> Iterator[Finding]:
    for key in KEYS:
        node = entry.get(key.name)
        message = "" if node is None else _type_problem(key, node)
        if node is not None and message:
            yield node.line, "type", message


def _type_problem(key: Key, node: Node) -> str:
    """Return what is wrong with the type of a value, "" where nothing is."""
    if key.form == "text" and node.kind != "scalar":
        return f"`{key.name}` must be text, not a {node.kind}; put the text in quotes."
    if key.form == "text" and not node.raw.rstrip("\n").isprintable():
        return f"`{key.name}` holds a line break or a control character; write it on one line."
    if key.form == "boolean" and node.tag != "bool":
        return f"`{key.name}` must be true or false, not {node.raw!r}."
    if key.form in ("texts", "sources") and node.kind != "list":
        return f"`{key.name}` must be a list, such as [{key.words[0] if key.words else '...'}]."
    if key.form == "responses" and node.kind != "mapping":
        return f"`{key.name}` must be a mapping of perturbation to response."
    return ""


def _names(entry: Node, path: Path, strict: bool) -> Iterator[Finding]:
    node = entry.get("id")
    if node is None or node.kind != "scalar" or not node.raw:
        return
    if not re.fullmatch(_KEY["id"].pattern, node.raw):
        yield node.line, "id", f"{node.raw!r} holds characters other than letters, digits, _ . and -; rename it."
    elif strict and path.stem != node.raw:
        yield node.line, "file-name", f"The file of {node.raw} must be called {node.raw}.yaml, not {path.name}."
    branch = entry.get("branch")
    if strict and branch is not None and branch.raw in BRANCHES and path.parent.name != branch.raw:
        message = f"An entry of branch {branch.raw} lies in the folder {branch.raw}/, not {path.parent.name}/; move it."
        yield branch.line, "folder", message


def _vocabulary(entry: Node, kind: str) -> Iterator[Finding]:
    yield from _single_words(entry, kind)
    for name, code in (("cancers", "cancer"), ("seeds", "seed")):
        node = entry.get(name)
        words = _KEY[name].words
        for item in node.items if node is not None else ():
            if item.raw not in words if words else not re.fullmatch(_KEY[name].pattern, item.raw):
                allowed = ", ".join(words) or "S01 to S53"
                yield item.line, code, f"Unknown {code} {item.raw!r}; use {allowed}."
    node = entry.get("expected")
    for key, value in node.pairs if node is not None else ():
        if key.raw not in PERTURBATIONS:
            yield key.line, "expected", f"Unknown perturbation {key.raw!r}; use {', '.join(PERTURBATIONS)}."
        if value.raw not in RESPONSES:
            yield value.line, "expected", f"Unknown response {value.raw!r}; use one of {', '.join(RESPONSES)}."
    node = entry.get("confidence")
    if node is not None and node.kind == "scalar" and not re.match(_KEY["confidence"].pattern, node.raw):
        yield node.line, "confidence", f"`confidence` begins with {', '.join(CONFIDENCE)}, not {node.raw[:20]!r}."


def _single_words(entry: Node, kind: str) -> Iterator[Finding]:
    """Yield problems of branch, level and sign."""
    for name, known in (("branch", (*BRANCHES, USER_BRANCH)), ("level", _KEY["level"].words)):
        node = entry.get(name)
        if node is not None and node.kind == "scalar" and node.raw not in known:
            yield node.line, name, f"Unknown {name} {node.raw!r}; use one of {', '.join(known)}."
    level = entry.get("level")
    fitting = LEVELS_OF_KIND[kind]
    if level is not None and level.raw in _KEY["level"].words and level.raw not in fitting:
        yield level.line, "level-of-kind", f"A {kind} is of level {' or '.join(fitting)}, not {level.raw}."
    node = entry.get("sign")
    if node is not None and node.raw.removeprefix("+") not in _KEY["sign"].words:
        yield node.line, "sign", f"`sign` is 1, 0 or -1, not {node.raw!r}."


def _composite(entry: Node, kinds: Mapping[str, str], strict: bool) -> Iterator[Finding]:
    node = entry.get("parts")
    if node is None or node.kind != "mapping":
        yield (node or entry).line, "parts", "A composite has `parts: {ID: weight, ...}`."
        return
    if strict and len(node.pairs) < 2:
        yield node.line, "parts", "A composite has two parts or more; one part is the part itself."
    own = entry.get("id")
    for key, value in node.pairs:
        if not _is_weight(value) or float(value.raw) == 0:
            yield value.line, "parts", f"The weight of {key.raw} must be a number other than 0, not {value.raw!r}."
        if strict and own is not None and key.raw == own.raw:
            yield key.line, "parts", f"{key.raw} cannot be a part of itself."
        elif strict and key.raw not in kinds:
            yield key.line, "parts", f"The part {key.raw} is not in the library.{_did_you_mean(key.raw, kinds)}"
        elif strict and kinds[key.raw] != "signature":
            yield key.line, "parts", f"The part {key.raw} is a {kinds[key.raw]}; parts are signatures."


def _genes(
    entry: Node, kind: str, symbols: Mapping[str, tuple[str, ...]], approved: frozenset[str] | None, strict: bool
) -> Iterator[Finding]:
    where: dict[str, str] = {}
    known = strict or approved is not None
    for group in GROUPS[kind]:
        block = entry.get(group)
        if block is None:
            continue
        found = False
        for gene, value, label, finding in _listed(block, group):
            if finding is not None:
                yield finding
            if gene is None:
                continue
            found = True
            # Letters and digits alone are a symbol for a reader; the library asks for more.
            if known or gene.tag != "str" or not gene.raw.isalnum():
                yield from _symbol(gene, symbols, approved, strict)
            if gene.raw in where:
                same = where[gene.raw] == group
                code = "repeated-gene" if same else "both-directions"
                yield gene.line, code, f"{gene.raw} is in `{where[gene.raw]}` already; keep one."
            where.setdefault(gene.raw, group)
            if value is not None:
                yield from _weight(gene, value)
                yield from _restricted_note(gene, value) if strict else ()
            if strict and not label:
                message = f"{gene.raw} has no evidence class; put it under one of {', '.join(EVIDENCE)}."
                yield gene.line, "evidence", message
        if not found:
            yield block.line, "no-genes", f"`{group}` holds no gene; list some, or leave the key out."
    if not where and kind != "ratio":
        yield entry.line, "no-genes", f"The entry holds no gene; list some under {' or '.join(GROUPS[kind])}."
    if kind == "ratio" and not {"numerator", "denominator"} <= set(where.values()):
        yield entry.line, "one-sided", "A ratio needs genes in `numerator` and in `denominator`."


def _listed(block: Node, group: str) -> Iterator[tuple[Node | None, Node | None, str, Finding | None]]:
    """Yield gene, value, evidence class and a finding of one direction."""
    if block.kind == "list":
        yield from ((item, None, "", None) for item in block.items)
        return
    if block.kind != "mapping":
        if block.raw.strip():
            yield None, None, "", (block.line, "type", f"`{group}` must hold lists of genes, not {block.raw!r}.")
        return
    for key, value in block.pairs:
        if key.raw in EVIDENCE:
            if value.kind == "scalar" and value.raw.strip():
                message = f"`{key.raw}` must be a list or a mapping of genes, not {value.raw!r}."
                yield None, None, key.raw, (value.line, "type", message)
            yield from ((item, None, key.raw, None) for item in value.items)
            yield from ((gene, v, key.raw, None) for gene, v in value.pairs)
        elif value.kind == "list" or (value.kind == "mapping" and not _describes_gene(value)):
            known = ", ".join(EVIDENCE)
            message = f"Unknown evidence class {key.raw!r}; use one of {known}.{_did_you_mean(key.raw, EVIDENCE)}"
            yield None, None, key.raw, (key.line, "evidence", message)
        else:
            yield key, value, "", None


def _describes_gene(value: Node) -> bool:
    """Whether a mapping is meant for one gene, its keys misspelt perhaps, and not for the genes of a class."""
    keys = value.keys()
    return not keys or any(k in GENE_KEYS for k in keys) or bool(nearest(keys[0], GENE_KEYS, 1))


def _symbol(
    gene: Node, symbols: Mapping[str, tuple[str, ...]], approved: frozenset[str] | None, strict: bool
) -> Iterator[Finding]:
    text = gene.raw
    if _DATE.fullmatch(text):
        yield gene.line, "spreadsheet-date", f"{text!r} is a date that a spreadsheet made of a symbol; restore it."
    elif gene.kind != "scalar" or gene.tag != "str" or not text or re.search(r"\s|,|;", text):
        what = repr(text) if text else f"A {gene.kind}" if gene.kind != "scalar" else "An empty name"
        yield gene.line, "symbol", f"{what} is not a gene symbol; write one symbol, as text."
    elif approved is not None and text not in approved:
        now = symbols.get(text, ())
        fix = f"write {now[0]}" if len(now) == 1 else f"it may mean {examples(now)}; choose" if now else ""
        fix = fix or _fix_of_symbol(text, approved)
        yield gene.line, "old-symbol", f"{text} is not a current HGNC symbol; {fix}."
    elif strict and approved is None and not _SYMBOL.fullmatch(text):
        yield gene.line, "symbol", f"{text!r} is not a gene symbol."


def _fix_of_symbol(text: str, approved: frozenset[str]) -> str:
    if re.fullmatch(r"ENS[A-Z]*\d{11}(?:\.\d+)?|\d+_[a-z_]*at", text):
        return "it is an identifier of another kind, write the gene's symbol"
    if text.upper() in approved:
        return f"write {text.upper()}, as human symbols are"
    # Typing errors are rarely in the first two letters, and 40,000 symbols are too many to compare with.
    guess = _did_you_mean(text.upper(), (s for s in approved if s[:2] == text[:2].upper()))
    return f"check it ({guess.removeprefix(' Did you mean ')})" if guess else "check it"


def _weight(gene: Node, value: Node) -> Iterator[Finding]:
    node = value.get("weight") if value.kind == "mapping" else value
    if value.kind == "mapping":
        for key, _ in value.pairs:
            if key.raw not in GENE_KEYS:
                hint = _did_you_mean(key.raw, GENE_KEYS)
                yield key.line, "weight", f"A gene has `weight` and `source`, not `{key.raw}`.{hint}"
    if value.kind == "list":
        yield value.line, "weight", f"{gene.raw} must have a number or a text, not a list."
    if node is None or node.kind != "scalar":
        if node is not None and node is not value:
            yield node.line, "weight", f"The weight of {gene.raw} is a {node.kind}; give one number."
        return
    if _is_weight(node):
        if not float(node.raw) > 0:
            message = f"The weight of {gene.raw} is {node.raw}; weights are positive, the direction says the sign."
            yield node.line, "weight", message
    elif node.tag == "bool" or _NUMBER.fullmatch(node.raw):
        message = f"The weight of {gene.raw} is written {node.raw[:30]}; write it as digits with a point, such as 2.5."
        yield node.line, "weight", message
    elif value.kind == "mapping" or _INFINITE.fullmatch(node.raw):
        yield node.line, "weight", f"The weight of {gene.raw} is {node.raw[:30]!r}; give a finite positive number."


def _is_weight(node: Node) -> bool:
    """Whether a value is a finite decimal number, written so that no reader takes it for an octal one."""
    if node.tag not in {"int", "float"} or re.match(r"[-+]?0\d", node.raw):
        return False
    return math.isfinite(float(node.raw))


def _restricted_note(gene: Node, value: Node) -> Iterator[Finding]:
    node = value.get("source") if value.kind == "mapping" else value
    if node is not None and _is_restricted(node.raw):
        yield node.line, "restricted", f"The source of {gene.raw} is under restricted terms ({node.raw}); name another."


def _is_restricted(text: str) -> bool:
    return any(re.search(rf"(?i)\b{prefix}[A-Z]", text) for prefix in RESTRICTED)


def _sources(entry: Node, kind: str) -> Iterator[Finding]:
    node = entry.get("sources")
    if kind == "composite" and node is None:
        return
    if node is None or (node.kind == "list" and not node.items):
        yield (node or entry).line, "no-source", "The entry names no source; add `sources:` with name and role."
        return
    roles: set[str] = set()
    for source in node.items:
        if source.kind != "mapping":
            yield source.line, "source-key", "A source is a mapping with `name` and `role`."
            continue
        yield from _source(source)
        role = source.get("role")
        roles.add(role.raw if role is not None else "list")
    classes = _classes(entry, kind)
    if "read" in classes and "list" not in roles:
        yield classes["read"], "unsupported", "Genes are `read`, but no source has `role: list`; name where."
    if "cross-check" not in roles:
        for gene in _without_note(entry, kind):
            message = f"{gene.raw} is cross-checked, but neither it nor a source with `role: cross-check` says where."
            yield gene.line, "unsupported", message
    read_there = [s for s in node.items if s.kind == "mapping" and (r := s.get("role")) is not None and r.raw == "list"]
    if read_there and classes and "read" not in classes:
        message = "No gene is `read`, so no source has `role: list`; call it cross-check, or rationale for a paper."
        yield read_there[0].line, "unsupported", message
    experimental = entry.get("experimental")
    if "recalled" in classes and (experimental is None or experimental.raw != "true"):
        message = "Recalled genes are in an entry that is not experimental; check them or add `experimental: true`."
        yield classes["recalled"], "recalled", message


def _source(source: Node) -> Iterator[Finding]:
    known = {key.name: key for key in SOURCE_KEYS}
    for key, value in source.pairs:
        if key.raw not in known:
            yield key.line, "source-key", f"`{key.raw}` is not a key of a source.{_did_you_mean(key.raw, known)}"
        elif key.raw in _MALFORMED and not re.fullmatch(known[key.raw].pattern, value.raw):
            yield value.line, key.raw, f"{value.raw!r} is not a {_MALFORMED[key.raw]}."
    name = source.get("name")
    if name is None or not name.raw.strip():
        yield source.line, "source-key", "A source needs a `name`."
    elif _is_restricted(name.raw):
        message = f"{name.raw} is under restricted terms and cannot ship; users can load it from their own copy."
        yield name.line, "restricted", message
    role = source.get("role")
    roles = known["role"].words
    if role is not None and role.raw not in roles:
        message = f"Unknown role {role.raw!r}; use {', '.join(roles)}.{_did_you_mean(role.raw, roles)}"
        yield role.line, "source-role", message


def _readable_sources(entry: Node) -> Iterator[Finding]:
    """Yield what keeps sources from being read; what they say is the library's affair."""
    node = entry.get("sources")
    known = [key.name for key in SOURCE_KEYS]
    for source in node.items if node is not None else ():
        if source.kind != "mapping":
            yield source.line, "source-key", "A source is a mapping with `name` and `role`."
            continue
        for key, _ in source.pairs:
            if key.raw not in known:
                yield key.line, "source-key", f"`{key.raw}` is not a key of a source.{_did_you_mean(key.raw, known)}"
        if source.get("name") is None:
            yield source.line, "source-key", "A source needs a `name`."


def _without_note(entry: Node, kind: str) -> Iterator[Node]:
    """Yield cross-checked genes that name no source of their own."""
    for group in GROUPS[kind]:
        block = entry.get(group)
        for key, value in block.pairs if block is not None else ():
            if key.raw == "cross-checked":
                yield from (gene for gene in value.items if gene.kind == "scalar")
                for gene, note in value.pairs:
                    own = note.get("source") if note.kind == "mapping" else note
                    if own is None or not own.raw.strip() or own.tag in ("int", "float", "null"):
                        yield gene


def _classes(entry: Node, kind: str) -> dict[str, int]:
    """Return the evidence classes used, with the line of the first of each."""
    out: dict[str, int] = {}
    for group in GROUPS[kind]:
        block = entry.get(group)
        for key, value in block.pairs if block is not None else ():
            if key.raw in EVIDENCE and (value.items or value.pairs):
                out.setdefault(key.raw, key.line)
    return out


def _licence_and_versions(entry: Node) -> Iterator[Finding]:
    node = entry.get("licence")
    if node is not None and node.raw.strip() and not node.raw.startswith(LICENCES):
        yield node.line, "licence", f"LICENSES.md does not name {node.raw!r}; begin with one of {', '.join(LICENCES)}."
    versions = {}
    for name in ("added", "changed"):
        node = entry.get(name)
        if node is None or not node.raw:
            continue
        if re.fullmatch(_KEY[name].pattern, node.raw):
            versions[name] = (tuple(map(int, node.raw.split("."))), node.line)
        else:
            yield node.line, "version", f"`{name}` is a version like 1.0.0, not {node.raw!r}."
    if len(versions) == 2 and versions["changed"][0] < versions["added"][0]:
        yield versions["changed"][1], "version", "`changed` lies before `added`."


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean X?" for the nearest known word, or nothing."""
    near = nearest(word, known, 1)
    return f" Did you mean {near[0]}?" if near else ""
