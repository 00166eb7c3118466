"""No text, however hostile, keeps a regular expression of the package busy for ever."""

from __future__ import annotations

import importlib
import pkgutil
import re
import re._constants as opcodes  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Iterator
from typing import Any

import pytest

import mtorscore
from mtorscore.genes.identifier_kinds import kind_of
from mtorscore.io.tables.name_evidence import looks_like_sample, weigh_names

# A repeat within a repeat splits some texts in exponentially many ways, unless a mark that the inner one cannot match
# stands between two turns of the outer one. These were looked at; each says which mark that is.
MARKED = {
    "_PROBE": "an underscore before letters",
    "_ASSEMBLY": "a full stop before digits",
    "_NORMAL_WORD": "a blank, underscore or hyphen before whole words",
    "_MORE": "a mark or an underscore before letters and digits",
}


def parts(op: Any, value: Any) -> list[Any]:
    """Return what stands inside a group, an alternative or a look-around."""
    if op is opcodes.SUBPATTERN:
        return [value[3]]
    if op is opcodes.BRANCH:
        return list(value[1])
    return [value[1]] if op in (opcodes.ASSERT, opcodes.ASSERT_NOT) else []


def repeats(tree: Any, inside: bool = False) -> bool:
    """Whether a repeat of varying length stands inside an unbounded one."""
    for op, value in tree:
        if op in (opcodes.MAX_REPEAT, opcodes.MIN_REPEAT):
            low, high, body = value
            if (inside and low != high and high > 1) or repeats(body, inside or high > 3):
                return True
        elif any(repeats(part, inside) for part in parts(op, value)):
            return True
    return False


def patterns(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from patterns([*value, *value.values()])
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from patterns(item)


def test_a_repeat_within_a_repeat_has_a_mark_between() -> None:
    seen = 0
    unmarked = []
    for found in pkgutil.walk_packages(mtorscore.__path__, "mtorscore."):
        if found.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            for pattern in patterns(value):
                seen += 1
                flags = pattern.flags & (re.IGNORECASE | re.VERBOSE | re.DOTALL | re.MULTILINE)
                if repeats(parser.parse(pattern.pattern, flags)) and name not in {*MARKED, "_FIELD"}:
                    unmarked.append(f"{found.name}.{name}")
    assert seen > 100
    assert not unmarked


@pytest.mark.parametrize("pattern", [r"(?:[ ._-]\w{1,12})*$", r"(a+)+$", r"(?:[ ._-]?\w{1,12})*"])
def test_the_check_finds_what_it_is_for(pattern: str) -> None:
    assert repeats(parser.parse(pattern))


@pytest.mark.parametrize("mark", ["_", "__", "-_", " ", ".", "a_", "1", "_1", "A1_", "._"])
@pytest.mark.parametrize("start", ["E_I", "HCC", "T", "HepG2", "huh7", "mcf7", "12", "MSTRG.1", ""])
def test_long_names_are_weighed_at_once(start: str, mark: str) -> None:
    # An endless match would be stopped by nothing but the patience of whoever runs this.
    for length in (30, 250, 4000):
        name = start + mark * length + "\x9a"
        assert not looks_like_sample(name)
        kind_of(name)
        weigh_names([name, name + "2"])
