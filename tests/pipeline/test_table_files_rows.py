"""Tables are written as pandas writes them, byte by byte."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtorscore.pipeline.table_files import NUMBERS, write_rows


def _by_pandas(table: pd.DataFrame, index: str | None) -> str:
    stream = io.StringIO(newline="")
    table.to_csv(stream, sep="\t", index=index is not None, index_label=index, **NUMBERS)
    return stream.getvalue()


def _by_us(table: pd.DataFrame, index: str | None) -> str:
    stream = io.StringIO(newline="")
    write_rows(table, stream, "\t", index=index)
    return stream.getvalue()


def _mixed(dtype: type) -> pd.DataFrame:
    numbers: np.ndarray[Any, Any] = np.array([1 / 3, np.nan, np.inf, -2.5, 1e-300, 7.0, 0.1, 1e22]).astype(dtype)
    return pd.DataFrame(
        {
            "number": numbers,
            "whole": np.arange(8),
            "flag": [True, False] * 4,
            "text": ["", "a b", 'q"', "x\ty", "line\nend", None, "NA", "é"],
            "mixed": [1, "a", True, np.nan, 0.1, np.float64(1e-7), np.int64(3), None],
            "level": pd.Categorical(["I", None, "II", "I"] * 2),
            "words": pd.array(["a", None] * 4, dtype="string"),
            "gaps": pd.array([1, None] * 4, dtype="Int64"),
            "day": pd.to_datetime(["2020-01-01"] * 8),
            "stage": pd.Categorical([1.5, 2.0] * 4),
        }
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("index", [None, "observation"])
@pytest.mark.parametrize("columns", [7, 8, 9, 10])
def test_all_kinds_of_columns(dtype: type, index: str | None, columns: int) -> None:
    table = _mixed(dtype).iloc[:, :columns]
    assert _by_us(table, index) == _by_pandas(table, index)
    named = table.set_axis([f"row {i}" for i in range(8)], axis=0)
    assert _by_us(named, index) == _by_pandas(named, index)


@pytest.mark.parametrize("index", [None, "i"])
@pytest.mark.parametrize(
    "table",
    [pd.DataFrame(), pd.DataFrame(columns=["a", "b"]), pd.DataFrame({"a": ["", "b"]}), pd.DataFrame({"a": [np.nan]})],
)
def test_tables_of_little(table: pd.DataFrame, index: str | None) -> None:
    assert _by_us(table, index) == _by_pandas(table, index)


def test_columns_of_one_name() -> None:
    table = pd.DataFrame([[1.5, "x"], [np.nan, "y"]], columns=["a", "a"])
    assert _by_us(table, None) == "a\ta\n1.5\tx\nNA\ty\n"
