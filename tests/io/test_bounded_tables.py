"""Small files that unpack to far more than a table."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mtorscore as mt
from mtorscore.errors import FormatError
from mtorscore.io.formats import binary


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["gene", "S1", "S2"])
    for gene in ("TP53", "MTOR", "AKT1"):
        sheet.append([gene, 1.5, 2.5])
    book.save(tmp_path / "a.xlsx")
    return tmp_path / "a.xlsx"


def test_a_workbook_that_unpacks_to_much_more_is_refused(workbook: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(workbook) as original, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as made:
        for name in original.namelist():
            content = original.read(name)
            if name == "xl/worksheets/sheet1.xml":
                row = b"<row>" + b"<c><v>1</v></c>" * 16_000 + b"</row>"
                content = content.replace(b"</sheetData>", row * 400 + b"</sheetData>")
            made.writestr(name, content)
    assert bomb.stat().st_size < 1_000_000
    with pytest.raises(FormatError, match=r"bomb\.xlsx.*unpacks to"):
        mt.read(bomb)


def test_a_sheet_of_too_many_cells_is_refused(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mt.read(workbook).shape == (2, 3)
    monkeypatch.setattr(binary, "MOST_CELLS", 11)
    with pytest.raises(FormatError, match="more than 11 cells"):
        mt.read(workbook)


def test_nested_columns_of_parquet_are_named(tmp_path: Path) -> None:
    table = pa.table({"gene": ["TP53", "MTOR"], "S1": pa.array([[1.0], [2.0]]), "S2": pa.array([{"a": 1}, {"a": 2}])})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(FormatError, match=r"2 column.*lists or records.*S1, S2"):
        mt.read(tmp_path / "a.parquet")
