"""Fetching from a local server that misbehaves: a whole verified file, or an error and no file."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import mtorscore as mt
from mtorscore.errors import DataWarning, FetchError, FormatError
from mtorscore.io.download.http import client, download
from mtorscore.io.download.remote import Remote
from tests.io.server import Archive, tar_of

MATRIX = "/geo/series/GSE1nnn/GSE1234/matrix/GSE1234_series_matrix.txt.gz"
TEXT = "\n".join(
    [
        '!Series_geo_accession\t"GSE1234"',
        '!Sample_geo_accession\t"GSM1"\t"GSM2"',
        '!Sample_characteristics_ch1\t"stage: II"\t"age: 61"',
        "!series_matrix_table_begin",
        '"ID_REF"\t"GSM1"\t"GSM2"',
        *(f'"p{i}_at"\t{i / 7:.6f}\t{random.Random(i).random():.6f}' for i in range(3000)),
        "!series_matrix_table_end",
        "",
    ]
)
DATA = gzip.compress(TEXT.encode(), mtime=0)


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Archive]:
    server = Archive()
    monkeypatch.setenv("MTORSCORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MTORSCORE_OFFLINE", raising=False)
    server.files[MATRIX] = DATA
    yield server
    server.close()


def geo(archive: Archive, **options: object) -> Path:
    waits: list[float] = []
    options.setdefault("sleep", waits.append)
    return mt.fetch("GSE1234", mirror=f"{archive.url}/geo", **options)  # type: ignore[arg-type]


def left_over(tmp_path: Path) -> list[str]:
    return [p.name for p in (tmp_path / "cache").rglob("*_series_matrix.txt.gz")]


def test_a_series_is_fetched_once_and_read(archive: Archive) -> None:
    path = geo(archive)
    assert path.name == "GSE1234_series_matrix.txt.gz"
    assert path.read_bytes() == DATA
    asked = len(archive.requests)
    assert geo(archive) == path
    assert len(archive.requests) == asked, "a second fetch asks nobody"
    record = json.loads(path.with_name(path.name + ".source.json").read_text())
    assert record["url"].endswith(MATRIX)
    assert record["bytes"] == len(DATA)
    adata = mt.read(path)
    assert adata.shape == (2, 3000)
    assert adata.obs["age"].tolist()[1] == 61


@pytest.mark.parametrize(
    "faults",
    [
        ["503", "429", "500"],
        ["refuse", "refuse"],
        ["drop:1000", "drop:2000"],
        ["longer"],
        ["drop:500", "norange"],
        ["shorter"],
        ["corrupt"],
        ["redirect:/elsewhere.gz"],
        ["drop:100", "503", "drop:100", "refuse"],
        ["empty", "408"],
        ["nolength"],
        ["drop:800", "416"],
        ["drop:800", "wrongrange"],
        ["drop:800", "othertotal"],
        ["drop:800", "redirect:/elsewhere.gz"],
        ["drop:800", "othertag"],
        ["encoded"],
        ["drop:800", "encoded"],
    ],
    ids=lambda f: "+".join(f),
)
def test_faults_are_survived(archive: Archive, faults: list[str]) -> None:
    archive.files["/elsewhere.gz"] = DATA
    archive.faults[MATRIX] = list(faults)
    assert geo(archive).read_bytes() == DATA


def test_a_dropped_connection_is_resumed_not_restarted(archive: Archive) -> None:
    archive.faults[MATRIX] = ["drop:5000"]
    geo(archive)
    ranges = [r for m, p, r in archive.requests if p == MATRIX]
    assert ranges == ["", "bytes=5000-"]


@pytest.mark.parametrize("faults", [["encoded"], ["drop:300", "encoded"], ["encoded", "drop:10"]], ids="+".join)
def test_text_compressed_on_the_way_is_text(archive: Archive, tmp_path: Path, faults: list[str]) -> None:
    archive.files["/plain/table.txt"] = TEXT.encode()
    archive.faults["/plain/table.txt"] = list(faults)
    remote = Remote(f"{archive.url}/plain/table.txt", "table.txt")
    with client() as http:
        path = download(remote, tmp_path / "table.txt", http=http, sleep=lambda _: None)
    assert path.read_bytes() == TEXT.encode()


def test_a_part_that_was_whole_already_is_settled(archive: Archive, tmp_path: Path) -> None:
    """A process may be killed between the last byte and the move; the server then has no further part (416)."""
    remote = Remote(f"{archive.url}{MATRIX}", "x.gz")
    archive.faults[MATRIX] = ["drop:5000"]
    target = tmp_path / "x.gz"
    with client() as http, pytest.raises(FetchError):
        download(remote, target, http=http, retries=0, sleep=lambda _: None)
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(DATA)
    note = {"url": remote.url, "validator": etag_of(DATA)}
    part.with_name(f"{part.name}.json").write_text(json.dumps(note))
    with client() as http:
        assert download(remote, target, http=http, sleep=lambda _: None).read_bytes() == DATA
    assert [p.name for p in tmp_path.glob(".*part*")] == []


def etag_of(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:12]}"'


def test_retry_after_is_honoured(archive: Archive) -> None:
    waits: list[float] = []
    archive.faults[MATRIX] = ["429", "503", "503"]
    geo(archive, sleep=waits.append)
    assert waits[0] == 3.0
    assert waits[2] > waits[1] > 0


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (["html"], "HTML"),
        (["script"], "HTML"),
        (["404"], "no such file"),
        (["403"], "refused"),
        (["401"], "log-in"),
        (["xml"], "error message"),
        (["empty"] * 20, "empty"),
        (["nolength"] * 20, "not whole"),
        ([f"redirect:{MATRIX}"] * 200, "redirects"),
        (["503"] * 20, "503"),
        (["corrupt"] * 20, "not whole"),
        (["shorter"] * 20, "not whole"),
        (["refuse"] * 20, "could not be fetched"),
    ],
    ids=[
        "html",
        "script",
        "404",
        "403",
        "401",
        "xml",
        "always-empty",
        "always-cut",
        "redirects",
        "always-503",
        "always-corrupt",
        "always-shorter",
        "always-refuse",
    ],
)
def test_what_cannot_be_had_leaves_no_file(archive: Archive, tmp_path: Path, faults: list[str], words: str) -> None:
    archive.faults[MATRIX] = faults
    with pytest.raises(FetchError, match=words):
        geo(archive, retries=3)
    assert left_over(tmp_path) == []


def test_a_file_that_changes_while_it_is_fetched_is_not_mixed(archive: Archive) -> None:
    other = gzip.compress(TEXT.replace("GSM2", "GSM9").encode(), mtime=0)
    archive.faults[MATRIX] = ["drop:4000"]

    def change(_: float) -> None:
        archive.files[MATRIX] = other

    assert geo(archive, sleep=change).read_bytes() == other


def test_a_changed_file_is_noticed_when_fetched_again(archive: Archive) -> None:
    geo(archive)
    archive.files[MATRIX] = gzip.compress(TEXT.replace("0.1", "0.2").encode(), mtime=0)
    with pytest.warns(DataWarning, match="changed"):
        path = geo(archive, force=True)
    assert path.read_bytes() == archive.files[MATRIX]


def test_a_damaged_cache_is_fetched_again(archive: Archive) -> None:
    path = geo(archive)
    path.write_bytes(DATA[:-10])
    assert geo(archive).read_bytes() == DATA


def test_offline_says_what_is_missing(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTORSCORE_OFFLINE", "1")
    with pytest.raises(FetchError, match=r"GSE1234 is not in the cache .* offline"):
        geo(archive)
    assert archive.requests == []
    path = geo(archive, offline=False)
    assert geo(archive) == path


def test_supplement_and_several_platforms(archive: Archive) -> None:
    folder = "/geo/series/GSE1nnn/GSE1234"
    del archive.files[MATRIX]
    for platform in ("GPL96", "GPL97"):
        archive.files[f"{folder}/matrix/GSE1234-{platform}_series_matrix.txt.gz"] = DATA
    archive.files[f"{folder}/suppl/GSE1234_counts.txt.gz"] = gzip.compress(b"gene\ta\nTP53\t1\n")
    path = geo(archive, supplementary=True)
    assert sorted(p.name for p in path.rglob("*.gz")) == [
        "GSE1234-GPL96_series_matrix.txt.gz",
        "GSE1234-GPL97_series_matrix.txt.gz",
        "GSE1234_counts.txt.gz",
    ]
    with pytest.raises(FormatError, match="platform"):
        mt.read(path)
    assert mt.read(path, platform="GPL97").shape == (2, 3000)


def test_unknown_things_are_refused(archive: Archive) -> None:
    with pytest.raises(FetchError, match="neither"):
        mt.fetch("liver")
    with pytest.raises(FetchError, match="unknown source"):
        mt.fetch("GSE1", source="geoo")
    with pytest.raises(FetchError, match="no such file"):
        mt.fetch("GSE99", mirror=f"{archive.url}/geo")
    with pytest.raises(FetchError, match="no name"):
        mt.fetch("../evil", source="cbioportal")


def star(seed: int) -> bytes:
    rows = "\n".join(f"ENSG{i:011d}.1\tG{i}\tprotein_coding\t{seed * i}\t0\t0\t0\t0\t0" for i in range(1, 300))
    header = "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded"
    return f"# gene-model: GENCODE v36\n{header}\tfpkm_unstranded\tfpkm_uq_unstranded\n{rows}\n".encode()


@pytest.mark.parametrize("number", [1, 5])
def test_gdc_bundles_pages_and_sample_sheet(archive: Archive, number: int) -> None:
    for i in range(number):
        archive.add_gdc(
            f"id-{i}", f"f{i}.rna_seq.augmented_star_gene_counts.tsv", star(i), f"TCGA-DD-AAA{i}-01A-11R-A1-07"
        )
        archive.cases.append(
            {
                "id": f"c{i}",
                "case_id": f"c{i}",
                "submitter_id": f"TCGA-DD-AAA{i}",
                "demographic": {
                    "vital_status": "Dead" if i % 2 else "Alive",
                    "days_to_death": 100 * i if i % 2 else None,
                },
                "diagnoses": [{"days_to_last_follow_up": 50 * i}],
            }
        )
    archive.faults["/data"] = ["503", "drop:100"]
    archive.faults["/files"] = ["500", "html"]
    path = mt.fetch("TCGA-DD", mirror=archive.url, sleep=lambda _: None)
    adata = mt.read(path / "counts" if path.is_dir() and (path / "counts").exists() else path)
    assert adata.shape == (number, 299)
    assert sorted(adata.obs_names)[0] == "TCGA-DD-AAA0-01A-11R-A1-07"
    assert adata["TCGA-DD-AAA0-01A-11R-A1-07"].X.sum() == 0
    cases = mt.io.read_clinical(
        path.parent / "clinical.cart.json" if path.name == "counts" else path / "clinical.cart.json"
    )
    assert len(cases) == number
    if number > 1:
        assert (cases.loc["TCGA-DD-AAA1", "OS"], cases.loc["TCGA-DD-AAA1", "OS.time"]) == (1, 100)
        assert [p for _, p, _ in archive.requests].count("/files") >= 3 + 2


def test_gdc_checks_every_md5(archive: Archive) -> None:
    for i in range(3):
        archive.add_gdc(f"id-{i}", f"f{i}.rna_seq.augmented_star_gene_counts.tsv", star(i), f"TCGA-DD-AAA{i}-01A")
    archive.cases.append({"id": "c", "submitter_id": "TCGA-DD-AAA0"})
    archive.gdc[1]["md5sum"] = "0" * 32
    with pytest.raises(FetchError, match="MD5"):
        mt.fetch("TCGA-DD", mirror=archive.url, sleep=lambda _: None)


def test_xena_files(archive: Archive) -> None:
    archive.files["/TCGA.LIHC.sampleMap/HiSeqV2.gz"] = gzip.compress(b"sample\tTCGA-DD-AAA0-01\nTP53\t1.5\nALB\t2.5\n")
    archive.files["/survival/LIHC_survival.txt"] = (
        b"sample\t_PATIENT\tOS\tOS.time\nTCGA-DD-AAA0-01\tTCGA-DD-AAA0\t1\t9\n"
    )
    archive.files["/TCGA.LIHC.sampleMap/LIHC_clinicalMatrix"] = b"sampleID\tgender\nTCGA-DD-AAA0-01\tMALE\n"
    path = mt.fetch("TCGA-LIHC", source="xena", mirror=archive.url)
    assert sorted(p.name for p in path.iterdir() if not p.name.endswith(".json") and p.name[0] != ".") == [
        "HiSeqV2.gz",
        "LIHC_clinicalMatrix",
        "LIHC_survival.txt",
    ]
    assert mt.read(path / "HiSeqV2.gz").shape == (1, 2)


def test_cbioportal_study_is_unpacked(archive: Archive) -> None:
    meta = b"cancer_study_identifier: lihc_tcga\ngenetic_alteration_type: MRNA_EXPRESSION\ndatatype: CONTINUOUS\n"
    archive.files["/lihc_tcga.tar.gz"] = tar_of(
        {
            "lihc_tcga/meta_study.txt": b"cancer_study_identifier: lihc_tcga\nname: x\n",
            "lihc_tcga/meta_mrna.txt": meta + b"stable_id: mrna\ndata_filename: data_mrna.txt\n",
            "lihc_tcga/data_mrna.txt": b"Hugo_Symbol\tEntrez_Gene_Id\tTCGA-DD-AAA0-01\nALB\t213\t7.5\nTP53\t7157\t1\n",
        }
    )
    path = mt.fetch("TCGA-LIHC", source="cbioportal", mirror=archive.url)
    adata = mt.read(path)
    assert adata.shape == (1, 2)
    assert adata.uns["source"]["profile"] == "mrna"


def test_a_url_can_be_read(archive: Archive) -> None:
    archive.files["/x/table.tsv"] = b"gene\ta\tb\nTP53\t1\t2\nALB\t3\t4\nMYC\t5\t6\n"
    adata = mt.read(f"{archive.url}/x/table.tsv")
    assert adata.shape == (2, 3)


def test_published_checksums_are_demanded(archive: Archive, tmp_path: Path) -> None:
    archive.files["/t.txt"] = b"content"
    target = tmp_path / "t.txt"
    with client() as http:
        for remote in (
            Remote(f"{archive.url}/t.txt", "t.txt", sha256="0" * 64),
            Remote(f"{archive.url}/t.txt", "t.txt", size=3),
        ):
            with pytest.raises(FetchError, match="published"):
                download(remote, target, http=http, retries=1, sleep=lambda _: None)
            assert not target.exists()


CHILD = """
import sys
from pathlib import Path
from mtorscore.io.download.http import client, download
from mtorscore.io.download.remote import Remote
with client() as http:
    download(Remote(sys.argv[1], "big.gz"), Path(sys.argv[2]), http=http, sleep=lambda s: None)
"""


@pytest.mark.slow
def test_fifty_kills_leave_no_corrupt_file(archive: Archive, tmp_path: Path) -> None:
    """Killed at a random size of the partial file; what is under the name is whole, and the rest is resumed."""
    data = gzip.compress(random.Random(0).randbytes(2_000_000), 1, mtime=0)
    archive.files["/big.gz"] = data
    target, part = tmp_path / "big.gz", tmp_path / ".big.gz.part"
    generator = random.Random(1)
    killed = 0
    for _ in range(50):
        archive.faults["/big.gz"] = [f"trickle:{generator.randrange(20_000, 80_000)}:0.01"]
        before = part.stat().st_size if part.exists() else 0
        wanted = before + generator.randrange(1, 300_000)
        child = subprocess.Popen([sys.executable, "-c", CHILD, f"{archive.url}/big.gz", str(target)])
        limit = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < limit:
            if part.exists() and part.stat().st_size >= min(wanted, len(data) - 1):
                break
            time.sleep(0.002)
        killed += child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.wait()
        if target.exists():
            assert target.read_bytes() == data
            for path in [*tmp_path.glob("big.gz*"), *tmp_path.glob(".big.gz*")]:
                path.unlink()
    assert killed >= 25, "most were killed while the file arrived"
    archive.faults["/big.gz"] = []
    with client() as http:
        download(Remote(f"{archive.url}/big.gz", "big.gz"), target, http=http)
    assert target.read_bytes() == data
    assert any(r for _, p, r in archive.requests if p == "/big.gz"), "partial files were resumed"


def test_a_trickle_is_given_up(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtorscore.io.download.http.STALL_SECONDS", 0.2)
    archive.faults[MATRIX] = ["trickle:5:0.02"] * 9
    with pytest.raises(FetchError, match=r"only \d+ bytes came"):
        geo(archive, retries=2)
    assert left_over(tmp_path) == []


def test_processes_that_want_the_same_file_share_it(archive: Archive, tmp_path: Path) -> None:
    code = "import sys, mtorscore as mt; print(mt.fetch('GSE1234', mirror=sys.argv[1]).read_bytes()[:2])"
    archive.faults[MATRIX] = ["trickle:4000:0.005"]
    command = [sys.executable, "-c", code, f"{archive.url}/geo"]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    for child in children:
        out, error = child.communicate(timeout=120)
        assert child.returncode == 0, error.decode()
        assert out.strip() == repr(DATA[:2]).encode()
    assert sum(p == MATRIX for _, p, _ in archive.requests) == 1


def test_the_cached_file_stays_when_fetching_it_again_fails(archive: Archive) -> None:
    path = geo(archive)
    archive.faults[MATRIX] = ["404"]
    with pytest.raises(FetchError):
        geo(archive, force=True)
    assert path.read_bytes() == DATA
    assert geo(archive, offline=True) == path


def test_the_supplement_is_fetched_later_too(archive: Archive) -> None:
    archive.files[MATRIX.replace("matrix/GSE1234_series_matrix.txt.gz", "suppl/GSE1234_counts.txt.gz")] = DATA
    geo(archive)
    folder = geo(archive, supplementary=True)
    assert (folder / "suppl" / "GSE1234_counts.txt.gz").read_bytes() == DATA
    assert geo(archive) == folder


def test_a_part_of_another_address_is_not_continued(archive: Archive, tmp_path: Path) -> None:
    archive.etag = '"same"'
    archive.files |= {"/a.txt": b"a" * 5000, "/b.txt": b"b" * 5000}
    archive.faults["/a.txt"] = ["drop:1000"]

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with client() as http:
        with pytest.raises(KeyboardInterrupt):
            download(Remote(f"{archive.url}/a.txt", "x.txt"), tmp_path / "x.txt", http=http, sleep=stop)
        download(Remote(f"{archive.url}/b.txt", "x.txt"), tmp_path / "x.txt", http=http)
    assert (tmp_path / "x.txt").read_bytes() == b"b" * 5000


def test_disk_full_and_forbidden_folders(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FetchError, match="MTORSCORE_CACHE"):
        geo(archive, cache=tmp_path / "file" / "cache")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mtorscore.io.download.http._copy", full)
    with pytest.raises(FetchError, match="No space left") as caught:
        geo(archive)
    assert str(caught.value).count("MTORSCORE_CACHE") == 1
    assert left_over(tmp_path) == []


def test_the_proxy_of_the_environment_is_used(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    # The server answers to any host, so it is its own proxy; the name cannot be resolved.
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("HTTP_PROXY", archive.url)
    assert mt.fetch("GSE1234", mirror="http://archive.invalid/geo").read_bytes() == DATA
    monkeypatch.setenv("HTTP_PROXY", "gopher://nowhere")
    with pytest.raises(FetchError, match="proxy"):
        mt.fetch("GSE1234", mirror="http://archive.invalid/geo", force=True)


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", ".hidden", ""])
def test_names_from_a_server_are_not_paths(archive: Archive, name: str) -> None:
    archive.add_gdc("f1", name, b"x", "TCGA-AA-0001-01A")
    archive.cases = [{"id": "c", "case_id": "c", "submitter_id": "TCGA-AA-0001"}]
    with pytest.raises(FetchError, match="no usable file_name"):
        mt.fetch("TCGA-LIHC", mirror=archive.url)


def test_the_name_in_a_query_is_the_file_name(archive: Archive) -> None:
    archive.files["/geo/download"] = DATA
    path = mt.fetch(f"{archive.url}/geo/download?acc=GSE1&format=file&file=GSE1_x.txt.gz")
    assert path.name == "GSE1_x.txt.gz"
    archive.files["/a/.."] = b"x"
    assert mt.fetch(f"{archive.url}/a/%2E%2E").parent.parent.name == "url"
