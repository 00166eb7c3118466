"""Values that contradict the rest of a matrix, and scales that only look like one that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

import mtorscore as mt
from mtorscore.cli import main
from mtorscore.errors import DataError, DataWarning
from mtorscore.pp.odd_values import codes_among, off_scale

N, GENES = 8, 60


def logs(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values: np.ndarray = rng.uniform(3, 12, GENES) + rng.normal(0, 0.6, (N, GENES))
    return values.round(4)


def matrix(x: np.ndarray) -> AnnData:
    return AnnData(
        x, pd.DataFrame(index=[f"S{i}" for i in range(N)]), pd.DataFrame(index=[f"G{i}" for i in range(GENES)])
    )


@pytest.mark.parametrize("code", [-9, -99, -999, 9999])
def test_codes_of_missing_values_are_no_expression(
    code: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = logs()
    x[[2, 5], [7, 7]] = code
    with pytest.raises(DataError, match=rf"2 value\(s\) are {code} \(S2 x G7, S5 x G7\)"):
        mt.pp.add_log_layer(matrix(x))
    pd.DataFrame(x.T, [f"G{i}" for i in range(GENES)], [f"S{i}" for i in range(N)]).to_csv(tmp_path / "m.tsv", sep="\t")
    (tmp_path / "s.gmt").write_text("SET\tna\t" + "\t".join(f"G{i}" for i in range(10)) + "\n")
    told = ["score", str(tmp_path / "m.tsv"), "--signatures", str(tmp_path / "s.gmt"), "--method", "zscore"]
    told += ["--orientation", "genes-in-rows", "--out", str(tmp_path / "o.tsv")]
    with pytest.raises(SystemExit, match="2"):
        main(told)
    assert f"2 value(s) are {code}" in " ".join(capsys.readouterr().err.split())
    sets = mt.SignatureCollection([mt.Signature(id="SET", up=tuple(f"G{i}" for i in range(10)))])
    with pytest.warns(DataWarning, match=f"Some values are {code}"):
        mt.tl.score(matrix(x), sets, method="zscore")


def test_what_is_no_code() -> None:
    floor = np.where(logs() < 6, -9.0, logs())
    assert codes_among(floor) is None
    assert codes_among(logs() - 8) is None
    assert codes_among(np.where(logs() > 11.9, 9999, 2.0 ** logs())) is None
    assert codes_among(np.array([[np.nan, -999.0, *range(20)]])) == -999


def test_observations_on_another_scale_are_named() -> None:
    x = logs()
    x[3] = 2 ** x[3]
    for held in (x, sparse.csr_matrix(x)):
        assert off_scale(held).tolist() == [3]
    with pytest.raises(DataError, match=r"1 of 8 observations are on another scale than the others \(S3\)"):
        mt.pp.add_log_layer(matrix(x))
    assert not len(off_scale(logs()))
    assert not len(off_scale(2 ** logs()))
    # Shallow and empty cells have small counts, and are counts all the same.
    counts = np.random.default_rng(1).poisson(2 ** logs())
    counts[2] = np.random.default_rng(2).poisson(0.3, GENES)
    counts[4] = 0
    assert not len(off_scale(counts))


@pytest.mark.parametrize(
    ("x", "certain"),
    [
        (logs(), True),
        (np.log2(logs().clip(2.5)), False),
        (np.log10(2.0 ** logs()), False),
        (np.where(logs() < 5, 0, np.log2(logs() + 1)), False),
        (np.where(logs() < 5, 0, logs()), True),
    ],
    ids=["log2", "log of log", "log10", "log of log with zeros", "log2 with zeros"],
)
def test_small_logarithms_are_doubted(x: np.ndarray, certain: bool) -> None:
    found = mt.pp.detect_scale(AnnData(x))
    assert (found.log, found.certain) == ("log2", certain)
    assert ("taken twice" in found.evidence[-1]) is not certain


def test_whole_numbers_that_are_no_counts() -> None:
    x = 2.0 ** logs()
    tpm = np.round(x / x.sum(axis=1, keepdims=True) * 1e6)
    found = mt.pp.detect_scale(AnnData(tpm))
    assert (found.kind, found.certain, "rounded TPM" in found.evidence[-1]) == ("tpm", False, True)
    ranks = mt.pp.detect_scale(AnnData(x.argsort(axis=1).argsort(axis=1) + 1.0))
    assert (ranks.certain, "ranks" in ranks.evidence[-1]) == (False, True)
    assert mt.pp.detect_scale(AnnData(np.round(x))).certain


def test_a_layer_that_is_not_there_is_named() -> None:
    adata = matrix(logs())
    adata.layers["log"] = adata.X
    with pytest.raises(DataError, match=r"no layer 'logs'; there are log\."):
        mt.pp.detect_scale(adata, "logs")
