"""YAML text of signature files: one pass from the events of the parser to nodes and plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mtorscore.collection.yaml_text import compose, dump, load
from mtorscore.errors import FormatError
from mtorscore.tl.analysis.class_schemes import read_scheme

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Zl", "Zp")), max_size=12)
NUMBERS = st.integers(-(10**9), 10**9) | st.floats(1e-3, 1e6, allow_nan=False).map(lambda x: round(x, 3))
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
    max_leaves=20,
)


@given(st.dictionaries(WORDS, VALUES))
def test_what_is_written_is_read(document: dict[str, Any]) -> None:
    assert load(dump(document)) == document


@pytest.mark.parametrize("text", ["0.E0", "1.5e3", "08", "+1", "-0", "1.", "1_000", "1e5", "0x1F", "1:30", "~", ""])
def test_text_that_looks_like_a_number_stays_text(text: str) -> None:
    assert load(dump({text: text, "list": [text]})) == {text: text, "list": [text]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[TRUE, NO, 1e5, 010, 1.5, -3, '3', 2001-01-01, ~, null, Null]",
         ["TRUE", "NO", "1e5", 10, 1.5, -3, "3", "2001-01-01", None, None, "Null"]),
        ("{a: &x [1, 2], b: *x, <<: c}", {"a": [1, 2], "b": [1, 2], "<<": "c"}),
        ("!!str 12", "12"),
        ("9" * 5000, "9" * 5000),
        ("a:\nb: ''\n", {"a": None, "b": ""}),
        ("", None),
    ],
)  # fmt: skip
def test_few_words_have_a_meaning(text: str, value: Any) -> None:
    """No gene symbol turns into a date, a truth value or a number in another notation."""
    assert load(text) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: {c: 1,\n c: 2}", "line 3: `c` is in line 2 already"),
        ("a: 1\n[b]: 2", "line 2: A key must be text, not a list"),
        ("a: !!int x", "line 1: The tag int is not known, or not that of its value"),
        ("a: !!python/name:os.system x", "tag"),
        ("a: 1\n---\nb: 2", "line 3: there is a second document"),
        ("a: *nobody", "undefined alias"),
        ("&a [*a]", "holds itself"),
        ("[" * 60 + "]" * 60, "nests deeper"),
        ("{", "line 2"),
        ("[" + "9" * 5000 + ", a: b: c]", "line 1"),
    ],
)
def test_what_no_document_holds(text: str, words: str) -> None:
    with pytest.raises(yaml.YAMLError) as error:
        load(text)
    assert words in str(error.value)


def test_lines_are_those_of_the_file() -> None:
    node = compose("# remark\na:\n  - b\n  - c: d\n").nodes[0]
    assert [n.line for n in node.pairs[0][1].items] == [3, 4]


def test_a_scheme_of_classes_is_bounded(tmp_path: Path) -> None:
    """Aliases of aliases in a user's own scheme end in one sentence."""
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for one, two in zip("abcdef", "bcdefg", strict=True):
        bomb += f"{two}: &{two} [" + ", ".join([f"*{one}"] * 10) + "]\n"
    path = tmp_path / "mine.yaml"
    path.write_text(bomb)
    with pytest.raises(FormatError, match="more than 1,000,000 values"):
        read_scheme(path)
