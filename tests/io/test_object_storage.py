"""Addresses of object storage: copied once into the cache, read and streamed from there, credentials nowhere."""

from __future__ import annotations

import importlib.util
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

import mtorscore as mt
from mtorscore import cli
from mtorscore.errors import FetchError
from mtorscore.io.download import object_storage

fsspec = pytest.importorskip("fsspec")

GENES = ["ALB", "FASN", "SCD", "GLUL", "CYP2E1", "TP53"]
SETS = {"LIPID": ["FASN", "SCD"], "CENTRAL": ["GLUL", "CYP2E1"]}
SECRET = "AKIA0" + "HIDDEN0KEY"
TABLE = "gene\tS1\tS2\n" + "".join(f"{g}\t{i}\t{i + 2}\n" for i, g in enumerate(GENES))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MTORSCORE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def memory() -> Any:
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def cells() -> AnnData:
    rng = np.random.default_rng(2)
    x = sparse.csr_matrix(rng.poisson(1.0, (30, len(GENES))).astype(np.float32))
    return AnnData(x, pd.DataFrame(index=[f"c{i}" for i in range(30)]), pd.DataFrame(index=GENES))


def nowhere(secret: str, folder: Path) -> bool:
    return not any(secret.encode() in f.read_bytes() for f in folder.rglob("*") if f.is_file())


def test_a_table_is_read_described_and_copied_once(memory: Any, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe("/bucket/counts.tsv", TABLE.encode())
    address = f"memory://bucket/counts.tsv?token={SECRET}"
    memory.pipe(f"/bucket/counts.tsv?token={SECRET}", TABLE.encode())
    adata = mt.read(address)
    assert adata.shape == (2, 6)
    assert SECRET not in json.dumps(adata.uns["source"], default=str)
    assert nowhere(SECRET, cache)
    plain = mt.read("memory://bucket/counts.tsv")
    assert plain.uns["source"]["address"] == "memory://bucket/counts.tsv"
    assert mt.io.describe("memory://bucket/counts.tsv").kind == "table"
    copied: list[str] = []
    whole = object_storage._copy

    def copy(*a: Any) -> None:
        copied.append(a[1])
        whole(*a)

    monkeypatch.setattr(object_storage, "_copy", copy)
    mt.read("memory://bucket/counts.tsv")
    assert copied == []
    memory.pipe("/bucket/counts.tsv", TABLE.replace("TP53\t5", "TP53\t50").encode())
    assert mt.read("memory://bucket/counts.tsv")["S1", "TP53"].X.item() == 50
    assert len(copied) == 1
    monkeypatch.setenv("MTORSCORE_OFFLINE", "1")
    memory.store.clear()
    assert mt.read("memory://bucket/counts.tsv")["S1", "TP53"].X.item() == 50
    with pytest.raises(FetchError, match=r"not in the cache .* offline"):
        mt.read("memory://bucket/other.tsv")


@pytest.mark.filterwarnings("ignore:Writing zarr v2 data")
def test_h5ad_and_zarr_are_streamed(memory: Any, tmp_path: Path) -> None:
    expected = mt.tl.score(cells(), SETS, method="ucell").obsm["score_ucell"]
    cells().write_h5ad(tmp_path / "x.h5ad")
    memory.put(str(tmp_path / "x.h5ad"), "/bucket/x.h5ad")
    out = mt.tl.score("memory://bucket/x.h5ad", SETS, method="ucell", out=tmp_path / "s.parquet")
    pd.testing.assert_frame_equal(mt.tl.read_scores(out)[0]["score_ucell"], expected, check_exact=True)
    (tmp_path / "sets.gmt").write_text("LIPID\tx\tFASN\tSCD\n")
    asked = ["-s", str(tmp_path / "sets.gmt"), "-m", "ucell", "-o", str(tmp_path / "s.tsv")]
    with pytest.raises(SystemExit) as ended:
        cli.main(["-q", "score", "memory://bucket/x.h5ad", *asked])
    assert not ended.value.code
    text = pd.read_csv(tmp_path / "s.tsv", sep="\t", index_col=0, float_precision="round_trip")
    np.testing.assert_array_equal(text["LIPID"], expected["LIPID"])
    pytest.importorskip("zarr")
    cells().write_zarr(tmp_path / "x.zarr")
    memory.put(str(tmp_path / "x.zarr"), "/bucket/x.zarr", recursive=True)
    found = mt.tl.score("memory://bucket/x.zarr", SETS, method="ucell")
    pd.testing.assert_frame_equal(found.obsm["score_ucell"], expected, check_exact=True)


def test_a_server_of_files_is_read(tmp_path: Path, cache: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "counts.tsv").write_text(TABLE)
    cells().write_h5ad(site / "x.h5ad")
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        host = f"127.0.0.1:{server.server_address[1]}"
        adata = mt.read(f"http://me:{SECRET}@{host}/counts.tsv?X-Amz-Signature={SECRET}")
        assert adata.uns["source"]["address"] == f"http://{host}/counts.tsv?X-Amz-Signature=..."
        assert nowhere(SECRET, cache)
        out = mt.tl.score(f"http://{host}/x.h5ad", SETS, out=tmp_path / "s.parquet")
        assert mt.tl.read_scores(out)[0]["score_singscore"].shape == (30, 2)
        with pytest.raises(FetchError) as caught:
            mt.read(f"http://me:{SECRET}@{host}/absent.tsv?sig={SECRET}")
        assert SECRET not in str(caught.value)
    finally:
        server.shutdown()
        server.server_close()


class Refusing(fsspec.AbstractFileSystem):  # type: ignore[misc, name-defined]
    """A storage whose messages quote the address and the key, as some do."""

    protocol = "vault"
    error: type[Exception] = PermissionError

    def info(self, path: str, **_: Any) -> Any:
        raise self.error(f"denied for key={self.storage_options} at vault://{SECRET}@{path}")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError, "access is refused"),
        (FileNotFoundError, "no such file"),
        (RuntimeError, r"storage failed \(RuntimeError\)"),
    ],
)
def test_what_a_storage_says_of_keys_is_not_repeated(
    error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Refusing, "error", error)
    fsspec.register_implementation("vault", Refusing, clobber=True)
    with pytest.raises(FetchError, match=message) as caught:
        mt.read(f"vault://me:{SECRET}@bucket/x.h5ad?sig={SECRET}", storage_options={"key": SECRET})
    said = str(caught.value)
    assert SECRET not in said + caplog.text
    assert "bucket/x.h5ad" in said
    assert caught.value.__suppress_context__


def test_unknown_protocols_missing_packages_and_chains_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FetchError, match="no protocol that fsspec knows"):
        mt.read("nosuch://bucket/x.h5ad")
    with pytest.raises(FetchError, match=r"chained addresses"):
        mt.read("zip://x::memory://bucket/y.zip")

    def missing(*_: Any, **__: Any) -> Any:
        raise ImportError(f"install s3fs for {SECRET}")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(FetchError, match="needs the package s3fs beside fsspec") as caught:
        mt.read("s3://bucket/x.h5ad")
    assert SECRET not in str(caught.value)


def test_a_store_whose_names_lead_out_is_refused(memory: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    memory.pipe("/bucket/x.zarr/zarr.json", b"{}")
    outside = {"/bucket/x.zarr/../../../evil": {"name": "/bucket/x.zarr/../../../evil", "size": 1, "type": "file"}}
    monkeypatch.setattr(type(memory), "find", lambda *_, **__: outside)
    with pytest.raises(FetchError, match="leads out of it"):
        mt.read("memory://bucket/x.zarr")
    assert not list(tmp_path.rglob("evil"))


def test_a_copy_that_is_cut_off_is_not_kept(memory: Any, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    memory.pipe("/bucket/counts.tsv", TABLE.encode())
    true = type(memory).info
    monkeypatch.setattr(type(memory), "info", lambda self, path, **k: true(self, path, **k) | {"size": 10_000})
    with pytest.raises(FetchError, match=r"of 10000 bytes arrived"):
        mt.read("memory://bucket/counts.tsv")
    assert not [f for f in cache.rglob("counts.tsv*") if f.is_file()]


def test_a_file_address_is_the_file(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "counts.tsv").write_text(TABLE)
    assert mt.read((tmp_path / "counts.tsv").as_uri()).shape == (2, 6)
    assert not cache.exists()
    if importlib.util.find_spec("aiohttp") is None:
        with pytest.raises(FetchError, match="needs the package aiohttp beside fsspec"):
            mt.read("https://host.org/x.h5ad", storage_options={"headers": {"Authorization": SECRET}})
