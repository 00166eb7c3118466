"""YAML that others wrote: bounded before anything is built of it, plain values only, no key twice.

The parser in C descends once per level of nesting, so that a file of 50,000 brackets ends the process, and an alias
of aliases grows to any size once somebody walks through it. The events of a text are therefore counted first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

__all__ = ["MOST_DEPTH", "MOST_VALUES", "UnboundedError", "bounded_events", "check_bounds", "safe_load"]

MOST_DEPTH = 50
MOST_VALUES = 1_000_000
"""Values of a text, those of an alias counted wherever it stands."""


class UnboundedError(yaml.MarkedYAMLError):
    """YAML that nests or repeats without measure; `problem` and `problem_mark` say how and where."""


_EVENTS: Any = getattr(yaml, "CLoader", yaml.Loader)


def check_bounds(text: str) -> None:
    """Refuse YAML that nests or repeats without measure; see `bounded_events`."""
    for _ in bounded_events(text):
        pass


def bounded_events(text: str) -> Iterator[Any]:
    """Yield the events of a YAML text, and refuse what nests or repeats without measure.

    Parameters
    ----------
    text
        One document or several.

    Yields
    ------
    yaml.Event
        As libyaml's parser makes them.

    Raises
    ------
    UnboundedError
        If lists and mappings stand in one another deeper than `MOST_DEPTH`, an alias holds itself, or there are more
        than `MOST_VALUES` values with those of aliases written out.
    yaml.YAMLError
        If the text is no YAML.
    """
    sizes: dict[str, int | None] = {}
    open_values: list[tuple[str | None, int]] = []
    total = 0
    for event in _events(text):
        # The most frequent kind first.
        if isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(open_values) >= MOST_DEPTH:
                raise _refused(f"it nests deeper than {MOST_DEPTH} levels", event)
            if event.anchor is not None:
                sizes[event.anchor] = None
            open_values.append((event.anchor, total))
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_values.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.DocumentStartEvent):
            sizes.clear()
        elif isinstance(event, yaml.AliasEvent):
            size = sizes.get(str(event.anchor), 1)
            if size is None:
                raise _refused(f"the alias *{event.anchor} holds itself", event)
            total += size
        if total > MOST_VALUES:
            raise _refused(f"with its aliases it holds more than {MOST_VALUES:,} values", event)
        yield event


def _events(text: str) -> Iterator[Any]:
    """Yield the events of a text; recent parsers have a bound of their own, met first as they look ahead."""
    try:
        yield from yaml.parse(text, Loader=_EVENTS)
    except yaml.MarkedYAMLError as error:
        if "nesting depth" not in str(error.problem):
            raise
        problem = f"it nests deeper than {MOST_DEPTH} levels"
        raise UnboundedError(problem=problem, problem_mark=error.problem_mark) from error


def _refused(problem: str, event: Any) -> UnboundedError:
    return UnboundedError(problem=problem, problem_mark=event.start_mark)


def safe_load(text: str) -> Any:
    """Return the value of one YAML document.

    Parameters
    ----------
    text
        The document, in the words of YAML 1.1.

    Returns
    -------
    object
        Text, numbers, truth values, dates, None, and lists and mappings of them.

    Raises
    ------
    yaml.YAMLError
        If the text is no YAML, beyond the bounds of `check_bounds`, names a key twice in one mapping, or holds what
        its tag does not allow.
    """
    check_bounds(text)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise yaml.YAMLError(f"a value cannot be read ({error})") from error


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which would keep the last of two equal keys in silence."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping; two equal keys are an error."""
        seen: dict[tuple[str, str], Any] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            first = seen.setdefault((key.tag, key.value), key)
            if first is not key:
                problem = f"the key {key.value!r} is in line {first.start_mark.line + 1} already; keep one"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
        made: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return made
