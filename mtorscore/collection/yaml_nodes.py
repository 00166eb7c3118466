"""YAML nodes that remember their line."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from mtorscore.errors import nearest

__all__ = ["Node", "did_you_mean"]


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

    def __init__(self, node: yaml.Node) -> None:
        self.line = node.start_mark.line + 1
        self.kind = (
            "mapping"
            if isinstance(node, yaml.MappingNode)
            else "list"
            if isinstance(node, yaml.SequenceNode)
            else "scalar"
        )
        self.tag = node.tag.rsplit(":", 1)[-1]
        self.raw: str = node.value if isinstance(node, yaml.ScalarNode) else ""
        self.items: list[Node] = [Node(n) for n in node.value] if isinstance(node, yaml.SequenceNode) else []
        self.pairs: list[tuple[Node, Node]] = (
            [(Node(k), Node(v)) for k, v in node.value] if isinstance(node, yaml.MappingNode) else []
        )

    def get(self, key: str) -> Node | None:
        """Return the value under a key of a mapping."""
        return next((v for k, v in self.pairs if k.raw == key), None)

    def keys(self) -> list[str]:
        """Return the keys of a mapping."""
        return [k.raw for k, _ in self.pairs]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean X?" for the nearest known word, or nothing."""
    near = nearest(word, known, 1)
    return f" Did you mean {near[0]}?" if near else ""
