"""YAML text of signature files: parsed to nodes with their line or to plain values, and written.

The events of libyaml's parser are turned into nodes in one pass, which counts them, so that a text that nests or
repeats without measure is refused (see `mtorscore._bounded_yaml`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from mtorscore._bounded_yaml import bounded_events

__all__ = ["Composed", "Node", "compose", "dump", "load"]

# Numbers, null and true/false only, so that no gene symbol turns into a date or a truth value. Whole numbers are as
# they are written; YAML 1.1 would take 010 for eight.
_IMPLICIT = {
    "bool": re.compile(r"true|false"),
    "null": re.compile(r"null|~|"),
    "int": re.compile(r"[-+]?[0-9]{1,300}"),
    "float": re.compile(r"[-+]?[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?"),
}
_BEGINNINGS = {
    "": ("null",), "t": ("bool",), "f": ("bool",), "n": ("null",), "~": ("null",),
    **dict.fromkeys("-+0123456789", ("int", "float")),
}  # fmt: skip
_STANDARD = "tag:yaml.org,2002:"


class Node:
    """A YAML node with its line, as plain values.

    Attributes
    ----------
    line
        One-based line of the value.
    kind
        ``"scalar"``, ``"list"`` or ``"mapping"``.
    tag
        ``"str"``, ``"int"``, ``"float"``, ``"bool"``, ``"null"``, ``"seq"`` or ``"map"``.
    raw
        The text of a scalar, "" of anything else.
    items
        The values of a list.
    pairs
        Keys and values of a mapping.
    """

    __slots__ = ("items", "kind", "line", "pairs", "raw", "tag")

    def __init__(self, kind: str, tag: str, line: int, raw: str = "") -> None:
        self.kind, self.tag, self.line, self.raw = kind, tag, line, raw
        self.items: Sequence[Node] = ()
        self.pairs: Sequence[tuple[Node, Node]] = ()

    def get(self, key: str) -> Node | None:
        """Return the value under a key of a mapping."""
        for k, v in self.pairs:
            if k.raw == key:
                return v
        return None

    def keys(self) -> list[str]:
        """Return the keys of a mapping."""
        return [k.raw for k, _ in self.pairs]

    def plain(self) -> Any:
        """Return text, a number, a truth value, None, or lists and mappings of them."""
        if self.kind == "list":
            return [n.raw if n.tag == "str" else n.plain() for n in self.items]
        if self.kind == "mapping":
            return {k.plain(): v.raw if v.tag == "str" else v.plain() for k, v in self.pairs}
        return _PLAIN[self.tag](self.raw)


_PLAIN: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": lambda raw: raw == "true",
    "null": lambda _: None,
}


@dataclass
class Composed:
    """The documents of a text that are not empty, and what no document may hold (line, code, message)."""

    nodes: list[Node] = field(default_factory=list)
    faults: list[tuple[int, str, str]] = field(default_factory=list)


def load(text: str) -> Any:
    """Return the value of a YAML text of one document, as plain values.

    Parameters
    ----------
    text
        The document, with the few implicit types of the format.

    Returns
    -------
    object
        Text, numbers, truth values, None, and lists and mappings of them.

    Raises
    ------
    yaml.YAMLError
        If the text is no YAML, beyond the bounds, repeats a key, or has a tag that no plain value has.
    """
    composed = compose(text)
    if composed.faults:
        line, _, message = min(composed.faults)
        raise yaml.YAMLError(f"line {line}: {message}")
    if len(composed.nodes) > 1:
        raise yaml.YAMLError(f"line {composed.nodes[1].line}: there is a second document; a file holds one")
    return composed.nodes[0].plain() if composed.nodes else None


def compose(text: str) -> Composed:
    """Return the documents of a YAML text that are not empty, and what none may hold.

    Raises
    ------
    yaml.YAMLError
        If the text is no YAML, or beyond the bounds of `mtorscore._bounded_yaml`.
    """
    out = Composed()
    anchors: dict[str, Node] = {}
    open_values: list[tuple[Node, list[Node]]] = []
    values: list[Node] = []
    for event in bounded_events(text):
        kind = type(event)
        if kind is yaml.ScalarEvent:
            node = Node("scalar", _tag(event, out), event.start_mark.line + 1, event.value)
            values.append(node)
        elif kind is yaml.AliasEvent:
            if event.anchor not in anchors:
                problem = f"found undefined alias {event.anchor!r}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
            values.append(anchors[event.anchor])
            continue
        elif kind is yaml.SequenceStartEvent or kind is yaml.MappingStartEvent:
            name, standard = ("list", "seq") if kind is yaml.SequenceStartEvent else ("mapping", "map")
            line = event.start_mark.line + 1
            node = Node(name, standard, line)
            if event.tag not in (None, "!", _STANDARD + standard):
                _refuse_tag(event.tag, line, out)
            values.append(node)
            open_values.append((node, values))
            values = []
        elif kind is yaml.SequenceEndEvent:
            (node, outer), node.items = open_values[-1], values
            values = outer
            open_values.pop()
            continue
        elif kind is yaml.MappingEndEvent:
            node, outer = open_values.pop()
            node.pairs = list(zip(values[::2], values[1::2], strict=True))
            _refuse_keys(node, out)
            values = outer
            continue
        elif kind is yaml.DocumentStartEvent:
            anchors, values = {}, []
            continue
        elif kind is yaml.DocumentEndEvent:
            out.nodes += [n for n in values if n.tag != "null"]
            continue
        else:
            continue
        if event.anchor is not None:
            anchors[event.anchor] = node
    return out


def _tag(event: Any, out: Composed) -> str:
    """Return the kind of value of a scalar: what its tag says, or what a plain text looks like."""
    text = event.value
    if event.tag is None or event.tag == "!":
        if event.implicit[0]:
            for name in _BEGINNINGS.get(text[:1], ()):
                if _IMPLICIT[name].fullmatch(text):
                    return name
        return "str"
    name = event.tag.removeprefix(_STANDARD)
    if name == "str":
        return "str"
    if name in _IMPLICIT and _IMPLICIT[name].fullmatch(text):
        return str(name)
    _refuse_tag(event.tag, event.start_mark.line + 1, out)
    return "str"


def _refuse_tag(tag: str, line: int, out: Composed) -> None:
    name = tag.rpartition(":")[2]
    out.faults.append(
        (line, "yaml", f"The tag {name} is not known, or not that of its value; write the value plainly.")
    )


def _refuse_keys(node: Node, out: Composed) -> None:
    """Refuse keys that are repeated, of which YAML would silently keep the last, and keys that are no text."""
    seen: dict[str, int] = {}
    for key, _ in node.pairs:
        if key.kind != "scalar":
            out.faults.append((key.line, "yaml", f"A key must be text, not a {key.kind}."))
        elif key.raw in seen:
            out.faults.append((key.line, "duplicate-key", f"`{key.raw}` is in line {seen[key.raw]} already; keep one."))
        else:
            seen[key.raw] = key.line


class _Dumper(yaml.SafeDumper):
    """Writes long gene lists in flowing lines and everything else one key a line."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent_list(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    flow = all(not isinstance(v, dict | list) for v in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


_Dumper.add_representer(list, _represent_list)
# Text that is a number here and not in YAML 1.1, such as 08 and 1.5e3, must be quoted.
for _kind in ("int", "float"):
    _Dumper.add_implicit_resolver(
        _STANDARD + _kind, re.compile(rf"(?:{_IMPLICIT[_kind].pattern})\Z"), list("-+0123456789")
    )


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
