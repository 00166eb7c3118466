"""Small files that ask for much: memory and time stay within what their size warrants."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import mtorscore as mt
from mtorscore.errors import FormatError
from mtorscore.io.formats.r_serialisation import TooLongError, Vector, parse
from mtorscore.io.portals.geo import MOST_CHARACTERISTICS, characteristics


def words(*values: int) -> bytes:
    return b"".join(struct.pack(">i", v) for v in values)


def symbol(name: bytes) -> bytes:
    return words(1, 9, len(name)) + name


def sequence(n: float, name: bytes = b"compact_intseq") -> bytes:
    """Return 1:n as R writes it: by its length, first value and step."""
    info = words(2) + symbol(name) + words(2) + symbol(b"base") + words(2, 13, 1, 13, 254)
    return words(238) + info + words(14, 3) + struct.pack(">ddd", n, 1, 1) + words(254)


def rds(content: bytes) -> bytes:
    return b"X\n" + words(3, 0x40000, 0x30500, 5) + b"UTF-8" + content


@pytest.mark.parametrize("name", [b"compact_intseq", b"compact_realseq"])
@pytest.mark.parametrize("n", [2**31 - 1, 2**40, -5, float("inf"), float("nan")])
def test_a_sequence_in_150_bytes_takes_no_gigabytes(tmp_path: Path, name: bytes, n: float) -> None:
    path = tmp_path / "x.rds"
    path.write_bytes(rds(sequence(n, name)))
    assert path.stat().st_size < 150
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            mt.read(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_many_sequences_share_one_bound() -> None:
    many = words(19, 50) + sequence(1 << 20) * 50
    with pytest.raises(TooLongError):
        parse(rds(many))


def test_a_sequence_as_of_row_numbers_is_read() -> None:
    found = parse(rds(sequence(1000)))
    assert isinstance(found, Vector)
    np.testing.assert_array_equal(found.values, np.arange(1, 1001))


def test_the_samples_of_a_large_series_are_read_in_linear_time(tmp_path: Path) -> None:
    """Each cell used to make a list of all samples: 30,000 samples made 900 million entries a line."""
    n = 30_000
    rows = [["stage: I"] * n, ["age: 61"] * n]
    found = characteristics(rows, n)
    assert set(found) == {"stage", "age"}
    assert found["age"].sum() == 61 * n
    names = "\t".join(f'"GSM{i}"' for i in range(2000))
    path = tmp_path / "GSE1_series_matrix.txt"
    table = "".join(f'"p{k}"\t' + "\t".join(["1.5"] * 2000) + "\n" for k in range(3))
    path.write_text(
        f'!Series_geo_accession\t"GSE1"\n!Sample_geo_accession\t{names}\n!series_matrix_table_begin\n"ID_REF"\t{names}\n'
        f"{table}!series_matrix_table_end\n"
    )
    adata = mt.read(path)
    assert adata.shape == (2000, 3)
    assert list(adata.obs_names) == [f"GSM{i}" for i in range(2000)]


def test_a_characteristic_for_every_sample_is_refused() -> None:
    with pytest.raises(FormatError, match="characteristics"):
        characteristics([[f"k{i}: 1" for i in range(MOST_CHARACTERISTICS + 1)]])
