"""YAML text of signature files: parsed to plain values or to nodes with their line, and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from mtorscore._bounded_yaml import check_bounds

__all__ = ["Loader", "Node", "compose", "dump"]

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


def _decimal(loader: Any, node: yaml.ScalarNode) -> int:
    """Return a whole number as it is written; YAML 1.1 would take 010 for eight."""
    del loader
    return int(node.value)


Loader.add_constructor("tag:yaml.org,2002:int", _decimal)


def compose(text: str) -> list[Node]:
    """Return the documents of a YAML text that are not empty.

    Raises
    ------
    yaml.YAMLError
        If the text is no YAML, or beyond the bounds of `mtorscore._bounded_yaml`.
    """
    check_bounds(text)
    made = map(Node, yaml.compose_all(text, Loader=Loader))
    return [node for node in made if node.tag != "null"]


class Node:
    """A YAML node with its line, as plain values.

    Attributes
    ----------
    line
        One-based line of the value.
    value
        Text, number, truth value or None; a list of `Node`; or a list of (key `Node`, value `Node`).
    kind
        ``"scalar"``, ``"list"`` or ``"mapping"``.
    """

    __slots__ = ("items", "kind", "line", "pairs", "raw", "tag")

    def __init__(self, node: yaml.Node) -> None:
        self.line: int = node.start_mark.line + 1
        self.tag: str = node.tag.rpartition(":")[2]
        self.raw: str = ""
        self.items: list[Node] = []
        self.pairs: list[tuple[Node, Node]] = []
        if isinstance(node, yaml.ScalarNode):
            self.kind, self.raw = "scalar", node.value
        elif isinstance(node, yaml.SequenceNode):
            self.kind, self.items = "list", [Node(n) for n in node.value]
        else:
            self.kind, self.pairs = "mapping", [(Node(k), Node(v)) for k, v in node.value]

    def get(self, key: str) -> Node | None:
        """Return the value under a key of a mapping."""
        for k, v in self.pairs:
            if k.raw == key:
                return v
        return None

    def keys(self) -> list[str]:
        """Return the keys of a mapping."""
        return [k.raw for k, _ in self.pairs]


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
