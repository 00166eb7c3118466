# ruff: noqa: E501
"""Broken and odd files: the right data with a recorded repair, or one clear error that names the place."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import lzma
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning, FormatError

GENES = ["TP53", "ALB", "MYC", "MTOR", "RPS6", "FASN", "SCD", "SREBF1", "TSC2", "AKT1", "EIF4E", "VEGFA"]
SAMPLES = ["S1", "S2", "S3", "S4"]
X = np.round(np.random.default_rng(3).gamma(2.0, 30.0, size=(len(GENES), len(SAMPLES))), 2)


def table(
    delimiter: str = "\t",
    end: str = "\n",
    header: list[str] | None = None,
    rows: list[list[str]] | None = None,
    number: Callable[[float], str] = str,
) -> str:
    """Return the good table, or a variation of it."""
    header = ["gene", *SAMPLES] if header is None else header
    rows = [[g, *(number(float(v)) for v in r)] for g, r in zip(GENES, X, strict=True)] if rows is None else rows
    return end.join(delimiter.join(r) for r in [header, *rows]) + end


GOOD = table()
LINES = GOOD.split("\n")
GZ = gzip.compress((GOOD * 1).encode(), mtime=0)


def lines(*changes: tuple[int, str | None]) -> str:
    """Return the good table with lines (counted from 1) replaced, or removed where None."""
    new: dict[int, str | None] = dict(changes)
    return "\n".join(text for i, old in enumerate(LINES, 1) if (text := new.get(i, old)) is not None)


def cell(line: int, column: int, value: str) -> str:
    fields = LINES[line - 1].split("\t")
    fields[column - 1] = value
    return lines((line, "\t".join(fields)))


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def workbook(rows: list[list[Any]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def zst(data: bytes) -> bytes:
    import zstandard

    return zstandard.compress(data)


SERIES = "\n".join(
    [
        '!Series_geo_accession\t"GSE1"',
        '!Sample_geo_accession\t"GSM1"\t"GSM2"',
        '!Sample_characteristics_ch1\t"age: 61"\t"stage: II"',
        '!Sample_characteristics_ch1\t"stage: I"\t"age: 70"',
        "!series_matrix_table_begin",
        '"ID_REF"\t"GSM1"\t"GSM2"',
        '"1007_s_at"\t1.5\t2.5',
        '"1053_at"\t3.5\t',
        "!series_matrix_table_end",
        "",
    ]
)
MTX = "%%MatrixMarket matrix coordinate integer general\n%\n3 2 3\n1 1 5\n2 1 1\n3 2 7\n"
STAR = (
    "# gene-model: GENCODE v36\ngene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded"
    "\tfpkm_unstranded\tfpkm_uq_unstranded\nN_unmapped\t\t\t5\t5\t5\t\t\t\n"
    + "".join(f"ENSG{i:011d}.2\tG{i}\tprotein_coding\t{i}\t0\t0\t1.0\t1.0\t1.0\n" for i in range(1, 9))
)
GCT = "#1.2\n3\t2\nNAME\tDescription\tA\tB\nTP53\tx\t1\t2\nALB\ty\t3\t4\nMYC\tz\t5\t6\n"


def decimal_comma(value: float) -> str:
    return f"{value:.2f}".replace(".", ",")


# name, content, words that the repair must have ("" for none): the values must be those of the good table.
SAME: list[tuple[str, bytes | str, str]] = [
    ("plain.tsv", GOOD, ""),
    ("comma.csv", table(","), ""),
    ("semicolon.csv", table(";"), ""),
    ("pipe.txt", table("|"), ""),
    ("space.txt", table(" "), ""),
    ("comma-named.tsv", table(","), ""),
    ("crlf.tsv", table(end="\r\n"), ""),
    ("cr-only.tsv", table(end="\r"), "bare CR"),
    ("bom.tsv", codecs.BOM_UTF8 + GOOD.encode(), "byte-order mark"),
    ("utf16le.tsv", GOOD.encode("utf-16"), "utf-16"),
    ("utf16be.tsv", codecs.BOM_UTF16_BE + GOOD.encode("utf-16-be"), "utf-16"),
    ("utf16-no-bom.tsv", GOOD.encode("utf-16-le"), "UTF-16"),
    ("header-short.tsv", table(header=SAMPLES), "one field short"),
    ("header-blank-first.tsv", table(header=["", *SAMPLES]), ""),
    ("trailing-tabs.tsv", GOOD.replace("\n", "\t\n"), ""),
    ("trailing-tab-rows.tsv", "\n".join([LINES[0], *(x + "\t" for x in LINES[1:] if x)]) + "\n", "end of every row"),
    ("blank-lines.tsv", GOOD.replace("\n", "\n\n"), ""),
    ("leading-blank.tsv", "\n\n" + GOOD, ""),
    ("comments.tsv", "# made by someone\n# on a Monday\n" + GOOD, ""),
    ("no-last-newline.tsv", GOOD.rstrip("\n"), ""),
    ("quoted.csv", table(",", header=['"gene"', *(f'"{s}"' for s in SAMPLES)]), ""),
    ("quoted-all.tsv", "\n".join("\t".join(f'"{f}"' for f in x.split("\t")) for x in LINES if x) + "\n", ""),
    ("spaces-around.csv", table(" , ").replace(" \n", "\n"), ""),
    ("decimal-comma.csv", table(";", number=decimal_comma), "decimal commas"),
    ("decimal-comma.tsv", table(number=decimal_comma), "decimal commas"),
    ("scientific.tsv", table(number=lambda v: f"{v:.4E}"), ""),
    ("plus-signs.tsv", table(number=lambda v: f"+{v}"), ""),
    ("gz", GZ, ""),
    ("gz-two-members.tsv.gz", gzip.compress(GOOD[:100].encode()) + gzip.compress(GOOD[100:].encode()), ""),
    ("bz2", bz2.compress(GOOD.encode()), ""),
    ("xz", lzma.compress(GOOD.encode()), ""),
    ("zst", zst(GOOD.encode()), ""),
    ("zip", zipped(**{"x.tsv": GOOD.encode()}), ""),
    ("zip-with-macos.zip", zipped(**{"x.tsv": GOOD.encode(), "__MACOSX/x": b"junk"}), ""),
    ("gz-named-tsv.tsv", GZ, ""),
    ("plain-named-gz.tsv.gz", GOOD, ""),
    ("latin1.tsv", cell(1, 1, "gène").encode("latin-1"), "Windows-1252"),
    ("transposed.tsv", table(header=["sample", *GENES], rows=[[s, *map(str, X[:, i])] for i, s in enumerate(SAMPLES)]), ""),
    ("description.tsv", "\n".join(x.replace("\t", "\ttext\t" if i else "\tdescription\t", 1) for i, x in
                                   enumerate(LINES) if x) + "\n", ""),
    ("length-column.tsv", "\n".join(x.replace("\t", "\t1200\t" if i else "\tLength\t", 1) for i, x in
                                     enumerate(LINES) if x) + "\n", ""),
    ("sheet.xlsx", workbook([["gene", *SAMPLES], *([g, *map(float, r)] for g, r in zip(GENES, X, strict=True))]), ""),
    ("title.xlsx", workbook([["Table S1"], [], ["gene", *SAMPLES],
                             *([g, *map(float, r)] for g, r in zip(GENES, X, strict=True))]), ""),
    ("row-numbers.csv", table(",", header=["", "gene", *SAMPLES],
                              rows=[[str(i), g, *map(str, r)] for i, (g, r) in enumerate(zip(GENES, X, strict=True), 1)]),
     ""),
]  # fmt: skip

SAME += [
    ("utf32.tsv", GOOD.encode("utf-32"), "byte-order mark removed (utf-32)"),
    ("non-breaking-space.tsv", GOOD.replace("\t1", "\t\u00a01"), "white space around numbers"),
    ("vertical-tab.tsv", GOOD.replace("\n", "\x0b\n", 2), "white space around numbers"),
    ("dos-end-of-file.tsv", GOOD + "\x1a", "end-of-file mark"),
    ("mixed-line-ends.tsv", GOOD.replace("\n", "\r\n", 5), ""),
    ("two-gz-members.tsv.gz", gzip.compress(GOOD[:50].encode()) + gzip.compress(GOOD[50:].encode()), ""),
    ("blank-lines.tsv", GOOD.replace("\n", "\n\n"), ""),
    (
        "plus-and-points.tsv",
        "\n".join(x if not i else re.sub(r"\t(\d+)\t", r"\t+\1.\t", x) for i, x in enumerate(LINES)),
        "",
    ),
]

# name, content, words of the error, line, column (None: not demanded)
WRONG: list[tuple[str, bytes | str, str, int | None, int | None]] = [
    ("empty.tsv", b"", "empty", None, None),
    ("white.tsv", b" \n\t\n", "white space", None, None),
    ("empty.gz", gzip.compress(b""), "white space", None, None),
    ("header-only.tsv", LINES[0] + "\n", "no data row", None, None),
    ("html.tsv", "<!DOCTYPE html>\n<html><body>Sign in</body></html>", "HTML", None, None),
    ("html.tsv.gz", gzip.compress(b"<html><head></head></html>"), "HTML", None, None),
    ("xml-html.tsv", '<?xml version="1.0"?>\n<html xmlns="x"></html>', "HTML", None, None),
    ("lfs.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n", "Git LFS pointer", None, None),
    ("nul.tsv", GOOD.replace("\t", "\0", 9).encode(), "NUL byte", 1, None),
    ("nul-late.tsv", lines((6, "FASN\t1\t\x002\t3\t4")).encode(), "NUL byte", 6, None),
    ("text.tsv", cell(5, 3, "high"), "high", 5, 3),
    ("text-unit.tsv", cell(7, 2, "3.2 TPM"), "3.2 TPM", 7, 2),
    ("error-cell.tsv", cell(4, 4, "#REF"), "#REF", 4, 4),
    ("double-point.tsv", cell(4, 4, "1.2.3"), "1.2.3", 4, 4),
    ("underscored.tsv", cell(4, 4, "1_000"), "1_000", 4, 4),
    ("thousands.tsv", cell(4, 4, "1,234"), "1,234", 4, 4),
    ("thousands-mixed.tsv", lines((3, "ALB\t1,234.5\t2\t3\t4"), (4, "MYC\t1,5\t2\t3\t4")), "1,234.5", 3, 2),
    ("hexadecimal.tsv", cell(4, 2, "0x1F"), "0x1F", 4, 2),
    ("infinite.tsv", cell(4, 2, "inf"), "infinite", None, None),
    ("overflow.tsv", cell(4, 2, "1e999"), "infinite", None, None),
    ("no-header.tsv", "\n".join(LINES[1:]), "no header", 1, None),
    ("short-row.tsv", lines((6, "RPS6\t1\t2\t3")), "4 fields", 6, None),
    ("long-row.tsv", lines((6, "RPS6\t1\t2\t3\t4\t5")), "6 fields", 6, None),
    ("cut-row.tsv", GOOD[: GOOD.rindex("\t")], "middle of a row", 13, None),
    ("header-long.tsv", table(header=["gene", *SAMPLES, "S5", "S6"]), "header has 7 fields", 1, None),
    ("header-very-short.tsv", table(header=["gene", "S1"]), "header has 2 fields", 1, None),
    ("duplicate-samples.tsv", table(header=["gene", "S1", "S2", "S2", "S4"]), "S2", None, None),
    ("two-headers.tsv", lines((1, LINES[0] + "\n" + "unit\tTPM\tTPM\tTPM\tTPM")), "TPM", 2, 2),
    ("repeated-header.tsv", lines((7, LINES[0])), "S1", 7, 2),
    ("unclosed-quote.csv", table(",").replace("MYC", '"MYC'), "quote", None, None),
    ("all-missing.tsv", table(number=lambda _: "NA"), "no number", None, None),
    ("prose.txt", "This is a letter.\nIt has, in its way, commas, but no table.\nKind regards,\nA. Friend\n", "", None, None),
    ("markdown.txt", "# Title\n\nSome words here and there.\n- a list\n- of things, several\n", "", None, None),
    ("huge-line.txt", "x" * 5_000_000, "", None, None),
    ("only-comments.tsv", "# a\n# b\n# c\n", "comment", None, None),
    ("gz-no-data.gz", GZ[:10], "truncated or damaged", 1, None),
    ("gz-bad-crc.gz", GZ[:-8] + b"\0\0\0\0" + GZ[-4:], "damaged", None, None),
    ("gz-bad-body.gz", GZ[:60] + b"\xff\xff\xff" + GZ[63:], "damaged", None, None),
    ("gz-junk-after.gz", GZ + b"junk after the end", "damaged", None, None),
    ("bz2-cut.bz2", bz2.compress(GOOD.encode())[:-20], "truncated or damaged", None, None),
    ("xz-cut.xz", lzma.compress(GOOD.encode())[:-20], "truncated or damaged", None, None),
    ("zst-bad.zst", b"\x28\xb5\x2f\xfd" + b"\xff" * 30, "damaged", None, None),
    ("zip-cut.zip", zipped(**{"x.tsv": GOOD.encode()})[:-30], "damaged", None, None),
    ("zip-two.zip", zipped(**{"a.tsv": b"1", "b.tsv": b"2"}), "2 files", None, None),
    ("zip-empty.zip", zipped(**{"d/": b""}), "0 files", None, None),
    ("parquet-cut.parquet", b"PAR1" + b"\0" * 100, "damaged", None, None),
    ("hdf5-cut.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "damaged", None, None),
    ("rda-cut.rda", b"RDX3\nX\n\0\0\0\3\0\4", "damaged", None, None),
    ("xls-old.xls", b"\xd0\xcf\x11\xe0" + b"\0" * 100, "old Excel", None, None),
    ("xlsx-broken.xlsx", zipped(**{"xl/workbook.xml": b"<no"}), "damaged", None, None),
    ("xlsx-empty.xlsx", workbook([]), "no sheet", None, None),
    ("series-cut.txt", SERIES[: SERIES.index("!series_matrix_table_end")], "cut off", None, None),
    ("series-no-table.txt", SERIES[: SERIES.index("!series_matrix_table_begin")], "cut off", None, None),
    ("series-text.txt", SERIES.replace("3.5", "abc"), "abc", 8, 2),
    ("series-other-samples.txt", SERIES.replace('"GSM2"\n"1007', '"GSM3"\n"1007'), "GSM3", 6, None),
    ("series-more-cells.txt", SERIES.replace('"stage: II"', '"stage: II"\t"x: 1"'), "3 cells", 3, None),
    ("series-no-samples.txt", '!Series_title\t"x"\n!series_matrix_table_begin\n!series_matrix_table_end\n',
     "Sample_geo_accession", None, None),
    ("annotation-cut.txt", "^Annotation\n!platform_table_begin\nID\tGene symbol\n1\tTP53\n", "cut off", None, None),
    ("gds-cut.txt", "^DATASET = GDS1\n!dataset_table_begin\nID_REF\tIDENTIFIER\tGSM1\n1\tTP53\t2\n", "cut off", None, None),
    ("soft-text.txt", ("^SAMPLE = GSM1\n!Sample_platform_id = GPL1\n!sample_table_begin\nID_REF\tVALUE\na\tmany\n"
     "!sample_table_end\n"), "many", 5, 2),
    ("soft-no-value.txt", "^SAMPLE = GSM1\n!sample_table_begin\nID_REF\tSIGNAL\na\t1\n!sample_table_end\n", "VALUE", None,
     None),
    ("gct-more-promised.gct", GCT.replace("3\t2", "5\t2"), "3 rows", 2, None),
    ("gct-columns.gct", GCT.replace("3\t2", "3\t3"), "4 columns", 3, None),
    ("gct-sizes.gct", GCT.replace("3\t2", "three\ttwo"), "dimensions", 2, None),
    ("gct-text.gct", GCT.replace("3\t4", "3\tx"), "'x'", None, 4),
    ("cls-short.cls", "4 2 1\n# a b\n0 0 1\n", "3 values", 3, None),
    ("mtx-cut.mtx", MTX[:-6], "2 entries", 3, None),
    ("mtx-outside.mtx", MTX.replace("3 2 7", "9 2 7"), "outside", 6, None),
    ("mtx-text.mtx", MTX.replace("3 2 7", "3 2 x"), "no entry", 6, None),
    ("mtx-twice.mtx", MTX.replace("3 2 7", "1 1 7"), "twice", None, None),
    ("mtx-dense.mtx", MTX.replace("coordinate", "array"), "coordinate", 1, None),
    ("mtx-huge.mtx", MTX.replace("3 2 3", "3 2 99999999999"), "cannot be", 3, None),
    ("full-width-digits.tsv", cell(4, 2, "\uff11\uff12"), "\uff11\uff12", 4, 2),
    ("other-digits.tsv", cell(4, 2, "\u0661\u0662"), "\u0661\u0662", 4, 2),
    ("unicode-minus.tsv", cell(4, 2, "\u22121.5"), "\u22121.5", 4, 2),
    ("fortran-exponent.tsv", cell(4, 2, "1.5D+03"), "1.5D+03", 4, 2),
    ("space-thousands.tsv", cell(4, 2, "1 234"), "1 234", 4, 2),
    ("apostrophe-thousands.tsv", cell(4, 2, "1'234"), "1'234", 4, 2),
    ("percent.tsv", cell(4, 2, "12%"), "12%", 4, 2),
    ("below-detection.tsv", cell(4, 2, "<0.01"), "<0.01", 4, 2),
    ("truth.tsv", cell(4, 2, "TRUE"), "TRUE", 4, 2),
    ("date.tsv", cell(4, 2, "2024-03-01"), "2024-03-01", 4, 2),
    ("minus-infinity.tsv", cell(4, 2, "-Inf"), "infinite", None, None),
    ("all-thousands.tsv", table(number=lambda v: f"1,{int(v):03d}"), "1,", 2, 2),
    ("european-thousands.csv", table(";", number=lambda v: f"1.{int(v) % 1000:03d},5"), "1.", 2, 2),
    ("space-in-sample.tsv", GOOD.replace("S2", "S1 ", 1), "S1", None, None),
    ("gz-twice.tsv.gz", gzip.compress(GZ), "compressed twice", None, None),
    ("zip-in-gz.gz", gzip.compress(b"PK\3\4" + b"\0" * 50), "NUL", 1, None),
    ("quotes-alone.csv", '"' * 100_001 + "\n", "", None, None),
    ("tabs-alone.tsv", ("\t" * 50 + "\n") * 5, "white space", None, None),
    ("wide-header.tsv", "gene" + "".join(f"\tS{i}" for i in range(50_000)) + "\nTP53\t1\n", "50001 fields", 1, None),
    ("json-lines.json", '{"a":1}\n{"a":2}\n', "truncated or damaged", 2, None),
    ("json-null.json", "[null]", "not a cart", 1, None),
    ("json-numbers.json", "[1, 2, 3]", "not a cart", 1, None),
    ("json-nameless.json", '[{"case_id": NaN}]', "neither submitter_id", None, None),
    ("json-odd-name.json", '[{"submitter_id": ["a"], "demographic": [], "diagnoses": {"a": 1}}]', "neither submitter_id",
     None, None),
    ("series-twice.txt", SERIES + SERIES, "several series matrices", None, None),
    ("series-same-sample.txt", SERIES.replace('"GSM2"', '"GSM1"'), "duplicated one", None, None),
    ("series-cut.txt.gz", gzip.compress(SERIES.encode())[:-15], "truncated or damaged", None, None),
    ("gct-negative.gct", GCT.replace("3\t2", "-3\t2"), "-3", 2, None),
    ("gct-enormous.gct", GCT.replace("3\t2", "99999999999\t2"), "99999999999", 2, None),
    ("cls-enormous.cls", "99999999999 2 1\n# a b\n0 1\n", "99999999999", 3, None),
    ("mtx-banner-alone.mtx", "%%MatrixMarket matrix coordinate integer general\x02", "only general", 1, None),
    ("mtx-comments-alone.mtx", "%%MatrixMarket matrix coordinate integer general\n% a\n% b", "sizes", None, None),
    ("mtx-fraction.mtx", MTX.replace("3 2 7", "2.5 2 7"), "entry", 6, None),
    ("mtx-not-a-number.mtx", MTX.replace("3 2 7", "nan 2 7"), "", None, None),
    ("mtx-many-rows.mtx", MTX.replace("3 2 3", "2000000000 2 3"), "cannot be", 3, None),
    ("star-text.tsv", STAR.replace("G4\tprotein_coding\t4", "G4\tprotein_coding\tfour"), "four", None, 4),
    ("star-missing.tsv", STAR.replace("G4\tprotein_coding\t4", "G4\tprotein_coding\t"), "without a value", 7, 4),
    ("json-cut.json", json.dumps([{"case_id": "a"}])[:-3], "truncated or damaged", 1, None),
    ("json-other.json", '{"a": 1}', "not a cart", None, None),
    ("json-deep.json", "[" * 100_000, "truncated or damaged", None, None),
]  # fmt: skip


def write(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_there_are_enough_of_them() -> None:
    assert len({w[0] for w in WRONG} | {s[0] for s in SAME}) >= 150


@pytest.mark.parametrize(("name", "content", "repair"), SAME, ids=[s[0] for s in SAME])
def test_odd_files_give_the_right_data(tmp_path: Path, name: str, content: bytes | str, repair: str) -> None:
    adata = mt.read(write(tmp_path, name, content))
    assert adata.shape == X.T.shape
    assert list(adata.obs_names) == SAMPLES
    assert list(adata.var["id"]) == GENES
    np.testing.assert_array_equal(adata.X, X.T)
    repairs = "; ".join(adata.uns["source"].get("repairs", []))
    assert repair in repairs
    assert bool(repair) == bool(repairs), repairs


@pytest.mark.parametrize(("name", "content", "words", "line", "column"), WRONG, ids=[w[0] for w in WRONG])
def test_broken_files_are_refused_in_one_sentence(
    tmp_path: Path, name: str, content: bytes | str, words: str, line: int | None, column: int | None
) -> None:
    with pytest.raises(DataError) as caught:
        mt.read(write(tmp_path, name, content))
    message = str(caught.value)
    assert words in message
    assert name in message or not isinstance(caught.value, FormatError)
    assert "\n" not in message
    assert len(message) < 700
    if line is not None:
        assert isinstance(caught.value, FormatError)
        assert caught.value.line == line
    if column is not None:
        assert isinstance(caught.value, FormatError)
        assert caught.value.column == column


@pytest.mark.parametrize("cut", range(11, len(GZ), 17))
def test_gzip_truncated_anywhere(tmp_path: Path, cut: int) -> None:
    with pytest.raises(FormatError, match="truncated or damaged"):
        mt.read(write(tmp_path, "x.tsv.gz", GZ[:cut]))


@pytest.mark.parametrize(
    "spelling", ["NA", "N/A", "NaN", "nan", "null", "#N/A", "", "'--", "[Not Available]", "--", "."]
)
def test_spellings_of_missing(tmp_path: Path, spelling: str) -> None:
    adata = mt.read(write(tmp_path, "x.tsv", cell(5, 3, spelling)))
    assert np.isnan(adata.X[1, 3])
    assert np.isnan(adata.X).sum() == 1


def test_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, "counts.tsv.gz", GZ)
    with pytest.raises(FormatError, match="no such file"):
        mt.read(tmp_path / "nothing.tsv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FormatError, match="empty"):
        mt.read(tmp_path / "folder")


def test_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtorscore.io.tables.file_bytes.BOMB_FLOOR", 8 << 20)
    for name, data in (("b.gz", gzip.compress(b"0\t" * (10 << 20))), ("b.zip", zipped(x=b"0\t" * (10 << 20)))):
        with pytest.raises(FormatError, match="bomb"):
            mt.read(write(tmp_path, name, data), kind="table")


def test_values_that_need_care_are_exact(tmp_path: Path) -> None:
    values = [
        "0.1",
        "1e-300",
        "123456789012345678",
        "2147483648",
        "4294967297",
        "0.30000000000000004",
        "-0.0",
        "5e-324",
    ]
    rows = [["TP53", *values], ["ALB", *values[::-1]]]
    text = table(header=["gene", *(f"S{i}" for i in range(8))], rows=rows)
    adata = mt.read(write(tmp_path, "x.tsv", text))
    assert adata.X[:, 0].tolist() == [float(v) for v in values]


def test_negative_and_huge_values_are_read_as_they_are(tmp_path: Path) -> None:
    text = table(number=lambda v: str(v * 1000 - 3e4))
    adata = mt.read(write(tmp_path, "z.tsv", text))
    assert adata.X.min() < 0
    assert mt.pp.detect_scale(adata).kind == "linear"
    with pytest.raises(DataError, match="negative"):
        mt.pp.check_values(adata, "counts")


def test_all_zero_sample_is_kept(tmp_path: Path) -> None:
    rows = [[g, "0", *map(str, r[1:])] for g, r in zip(GENES, X, strict=True)]
    assert mt.read(write(tmp_path, "x.tsv", table(rows=rows))).X[0].sum() == 0


def test_repeated_genes_keep_their_names(tmp_path: Path) -> None:
    adata = mt.read(write(tmp_path, "x.tsv", GOOD.replace("MYC", "ALB")))
    assert list(adata.var_names[1:3]) == ["ALB", "ALB~2"]
    assert list(adata.var["id"][1:3]) == ["ALB", "ALB"]


def test_shifted_characteristics_are_sorted_by_key(tmp_path: Path) -> None:
    adata = mt.read(write(tmp_path, "s.txt", SERIES))
    assert adata.obs["age"].tolist() == [61, 70]
    assert adata.obs["stage"].tolist() == ["I", "II"]
    assert np.isnan(adata["GSM2", "1053_at"].X).all()


def test_empty_series_matrix_names_the_supplement(tmp_path: Path) -> None:
    start, end = SERIES.index('"ID_REF"'), SERIES.index("!series_matrix_table_end")
    header = '!Series_supplementary_file\t"ftp://x/GSE1_counts.txt.gz"\n'
    for rows in ("", '"ID_REF"\t"GSM1"\t"GSM2"\n'):
        path = write(tmp_path, "s.txt", header + SERIES[:start] + rows + SERIES[end:])
        with pytest.warns(DataWarning, match="GSE1_counts"):
            adata = mt.read(path)
        assert adata.shape == (2, 0)
        assert adata.obs["age"].tolist() == [61, 70]


def test_zscore_profile_warns(tmp_path: Path) -> None:
    meta = "cancer_study_identifier: x\ngenetic_alteration_type: MRNA_EXPRESSION\ndatatype: Z-SCORE\nstable_id: z\n"
    write(tmp_path, "meta_study.txt", "cancer_study_identifier: x\nname: y\n")
    write(tmp_path, "meta_z.txt", meta + "data_filename: data_z.txt\n")
    write(tmp_path, "data_z.txt", GOOD.replace("gene", "Hugo_Symbol"))
    with pytest.warns(DataWarning, match="z-scores depend on the cohort"):
        assert mt.read(tmp_path).shape == (4, 12)
    with pytest.warns(DataWarning, match="z-scores depend on the cohort"):
        assert mt.read(tmp_path / "data_z.txt").shape == (4, 12)


def test_round_trips(tmp_path: Path) -> None:
    adata = mt.read(write(tmp_path, "x.tsv", GOOD))
    adata.write_h5ad(tmp_path / "x.h5ad")
    frame = pd.DataFrame(X, index=pd.Index(GENES, name="gene"), columns=SAMPLES)
    frame.to_parquet(tmp_path / "x.parquet")
    frame.T.to_parquet(tmp_path / "t.parquet")
    for name in ("x.h5ad", "x.parquet", "t.parquet"):
        back = mt.read(tmp_path / name)
        np.testing.assert_array_equal(back.X, X.T)
        assert list(back.var["id"]) == GENES


def test_kind_overrides(tmp_path: Path) -> None:
    path = write(tmp_path, "x.tsv", GOOD)
    assert mt.read(path, kind="clinical").shape == (12, 0)
    assert mt.read(path, kind="genes").shape == (0, 12)
    with pytest.raises(FormatError, match="unknown kind"):
        mt.read(path, kind="matrx")


def test_the_message_names_file_line_and_column(tmp_path: Path) -> None:
    path = write(tmp_path, "x.tsv", cell(5, 3, "high"))
    with pytest.raises(FormatError, match=re.escape(f"{path}, line 5, column 3: text where numbers are expected")):
        mt.read(path)


def test_no_warning_is_left_open(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # What other libraries will change is not ours to say.
        warnings.simplefilter("ignore", DeprecationWarning)
        mt.read(write(tmp_path, "x.tsv", GOOD))
