# ruff: noqa: E501
"""Fuzzing of the readers: any bytes give data or one FormatError or DataError, never anything else."""

from __future__ import annotations

import gzip
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning
from tests.io.test_broken_files import GCT, GOOD, MTX, SERIES, STAR

SEEDS = {
    "table": GOOD,
    "csv": GOOD.replace("\t", ","),
    "series": SERIES,
    "mtx": MTX,
    "star": STAR,
    "gct": GCT,
    "gct13": "#1.3\n2\t2\t1\t1\nid\tm\tA\tB\nq\tna\tx\ty\nTP53\ta\t1\t2\nALB\tb\t3\t4\n",
    "cls": "4 2 1\n# a b\n0 0 1 1\n",
    "soft": "^SERIES = GSE1\n!Series_sample_id = GSM1\n^PLATFORM = GPL1\n!platform_table_begin\nID\tGene symbol\na\tTP53\n"
    "!platform_table_end\n^SAMPLE = GSM1\n!Sample_platform_id = GPL1\n!sample_table_begin\nID_REF\tVALUE\na\t1.5\n"
    "!sample_table_end\n",
    "gds": "^DATASET = GDS1\n^SUBSET = x\n!subset_description = n\n!subset_sample_id = GSM1\n!subset_type = t\n"
    "!dataset_table_begin\nID_REF\tIDENTIFIER\tGSM1\tGSM2\na\tTP53\t1\t2\nb\tALB\t3\t4\n!dataset_table_end\n",
    "annot": "^Annotation\n!Annotation_platform = GPL1\n!platform_table_begin\nID\tGene symbol\n1\tTP53\n!platform_table_end\n",
    "meta": "cancer_study_identifier: x\nstable_id: y\ncase_list_ids: a\tb\n",
    "manifest": "id\tfilename\tmd5\tsize\tstate\na\tb.txt\t0\t1\tok\n",
    "cbio": "#Patient\tStatus\n#x\ty\n#STRING\tSTRING\n#1\t1\nPATIENT_ID\tOS_STATUS\tOS_MONTHS\na\t1:DECEASED\t3\nb\t0:LIVING\tNA\n",
    "gdc": "cases.submitter_id\tdemographic.vital_status\tdemographic.days_to_death\nTCGA-AA-0001\tDead\t5\nTCGA-AA-0001\tDead\t5\n",
    "biotab": "bcr_patient_uuid\tbcr_patient_barcode\tvital_status\nu\tb\tv\nCDE_ID:\tCDE_ID:1\tCDE_ID:2\nx\tTCGA-AA-0001\tDead\n",
    "icgc": "icgc_donor_id\tdonor_vital_status\tdonor_survival_time\nDO1\talive\t5\n",
    "expseq": "icgc_donor_id\ticgc_sample_id\tgene_id\tnormalized_read_count\traw_read_count\nD\tS\tTP53\t1\t2\nD\tS\tALB\t1\t2\n",
    "json": '[{"case_id": "a", "submitter_id": "TCGA-AA-0001", "demographic": {"vital_status": "Dead"}}]',
}
WORDS = [
    "\t",
    "\n",
    ",",
    '"',
    "\r",
    "\0",
    "NA",
    "-1",
    "1e999",
    "#",
    "!",
    "^",
    "|",
    "0",
    "é",
    "\ufeff",
    "TP53",
    "",
    " ",
    "_",
]


def read(data: bytes) -> None:
    """Read bytes as a file; whatever comes must be sound."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        path = Path(folder) / "x.txt"
        path.write_bytes(data)
        try:
            adata = mt.read(path)
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017
            assert "unexpected" not in str(error)  # noqa: PT017
            return
        check(adata)


def check(adata: AnnData) -> None:
    """Whatever is read has unique names and no infinite value."""
    assert adata.obs_names.is_unique
    assert adata.var_names.is_unique
    assert adata.n_obs or adata.n_vars
    x = adata.X.toarray() if hasattr(adata.X, "toarray") else np.asarray(adata.X)
    assert not np.isinf(x).any()


changes = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from(["cut", "insert", "replace", "repeat"]), st.sampled_from(WORDS)),
    min_size=1,
    max_size=4,
)


def changed(text: str, edits: list[tuple[int, str, str]]) -> str:
    for where, what, word in edits:
        at = where % (len(text) + 1)
        if what == "cut":
            text = text[:at]
        elif what == "insert":
            text = text[:at] + word + text[at:]
        elif what == "replace":
            text = text[:at] + word + text[at + 1 :]
        else:
            text = text[:at] + text[max(0, at - 30) : at] + text[at:]
    return text


COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "derandomize": True}


@pytest.mark.parametrize("seed", SEEDS)
@settings(max_examples=8, **COMMON)  # type: ignore[arg-type]
@given(edits=changes)
def test_changed_files(seed: str, edits: list[tuple[int, str, str]]) -> None:
    read(changed(SEEDS[seed], edits).encode(errors="replace"))


@settings(max_examples=40, **COMMON)  # type: ignore[arg-type]
@given(data=st.binary(min_size=0, max_size=400))
def test_any_bytes(data: bytes) -> None:
    read(data)


@settings(max_examples=40, **COMMON)  # type: ignore[arg-type]
@given(text=st.text(alphabet=st.sampled_from(list('ab1,.\t\n"; #!^-')), max_size=200))
def test_any_small_table(text: str) -> None:
    read(text.encode())


@settings(max_examples=30, **COMMON)  # type: ignore[arg-type]
@given(cut=st.integers(0, 400), flip=st.integers(0, 400), value=st.integers(0, 255))
def test_damaged_gzip(cut: int, flip: int, value: int) -> None:
    data = bytearray(gzip.compress(GOOD.encode(), mtime=0))
    data[flip % len(data)] = value
    read(bytes(data[: max(1, len(data) - cut % 50)]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@settings(max_examples=120, **(COMMON | {"derandomize": False}))  # type: ignore[arg-type]
@given(edits=changes)
def test_changed_files_at_length(seed: str, edits: list[tuple[int, str, str]]) -> None:
    read(changed(SEEDS[seed], edits).encode(errors="replace"))
