"""Whatever an archive lists, the files that it lists come whole or there is one sentence, within bounds."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mtorscore as mt
from mtorscore.errors import FetchError
from tests.io.hostile import Hostile, reply, says
from tests.io.server import tar_of

STAR = b"# gene-model: x\ngene_id\tgene_name\n"
FOLDER = "/geo/series/GSE1nnn/GSE1234"
MATRIX = gzip.compress(b"!Series_geo_accession\tx\n", mtime=0)
NAME = "GSE1234_series_matrix.txt.gz"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("mtorscore.io.download.queries.MOST_BYTES", 1 << 20)
    monkeypatch.setattr("mtorscore.io.download.queries.MOST_VALUES", 50_000)
    monkeypatch.setattr("mtorscore.io.download.queries.MOST_REQUESTS", 40)
    monkeypatch.setattr("mtorscore.io.download.archives.MOST_PAGES", 20)
    monkeypatch.setattr("mtorscore.io.download.archives.MOST_LISTED", 500)
    monkeypatch.setattr("mtorscore.io.download.fetching.LONGEST_LISTING", 1 << 20)
    monkeypatch.setattr("mtorscore.io.download.http.HEAD_SECONDS", 0.5)
    monkeypatch.setattr("mtorscore.io.download.http.STALL_SECONDS", 0.5)
    hostile = Hostile()
    yield hostile
    hostile.close()


def fetched(what: str, **options: Any) -> Path | FetchError:
    outcome: list[Path | BaseException] = []

    def work() -> None:
        try:
            outcome.append(mt.fetch(what, retries=2, sleep=lambda _: None, **options))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(240)
    assert outcome, "fetching does not end"
    assert isinstance(outcome[0], (Path, FetchError)), repr(outcome[0])
    if isinstance(outcome[0], FetchError):
        assert "\n" not in str(outcome[0])
        assert len(str(outcome[0])) < 600
    return outcome[0]


def file(number: int = 0, **changes: Any) -> dict[str, Any]:
    listed = {
        "id": f"f{number}",
        "file_id": f"f{number}",
        "file_name": f"{number}.augmented_star_gene_counts.tsv",
        "file_size": len(STAR),
        "md5sum": hashlib.md5(STAR).hexdigest(),  # noqa: S324
        "associated_entities": [{"entity_submitter_id": f"TCGA-AA-000{number}-01A"}],
    }
    return {k: v for k, v in (listed | changes).items() if v is not ...}


def page(hits: Any, total: Any = None) -> bytes:
    return json.dumps({"data": {"hits": hits, "pagination": {"total": len(hits) if total is None else total}}}).encode()


# What the GDC says of files, and whether they can be had.
GDC: dict[str, tuple[bytes, bool]] = {
    "right": (page([file()]), True),
    "nothing": (page([]), False),
    "a-list": (b"[]", False),
    "a-number": (b"5", False),
    "no-json": (b"{", False),
    "a-page": (b"<html>maintenance</html>", False),
    "nested": (b'{"data":' * 50_000, False),
    "nested-lists": (b"[" * 100_000 + b"]" * 100_000, False),
    "no-data": (b"{}", False),
    "data-a-list": (b'{"data": []}', False),
    "data-null": (b'{"data": null}', False),
    "no-pagination": (b'{"data": {"hits": []}}', False),
    "hits-a-dict": (page({"a": 1}, 1), False),
    "hits-of-numbers": (page([1, 2]), False),
    "hits-of-lists": (page([[file()]]), False),
    "hits-null": (page([None]), False),
    "total-a-word": (page([file()], "many"), False),
    "total-infinite": (page([file()]).replace(b'"total": 1', b'"total": 1e999'), False),
    "total-of-5000-digits": (page([file()]).replace(b'"total": 1', b'"total": ' + b"9" * 5000), False),
    "total-negative": (page([file()], -1), False),
    "total-true": (page([file()], True), False),
    "total-of-millions": (page([file()], 10**7), False),
    "total-too-large": (page([file()], 30), False),
    "total-too-small": (page([file(0), file(1)], 1), False),
    "never-ends": (page([file()], 90_000), False),
    "megabytes": (page([file(note="x" * (2 << 20))]), False),
    "many-values": (page([file(note=[[] for _ in range(60_000)])]), False),
    "twice": (page([file(), file()]), False),
    "twice-with-two-ids": (page([file(), file(id="other")]), False),
    "id-a-list": (page([file(id=["x"])]), True),
    "climbing-name": (page([file(file_name="../../evil")]), False),
    "climbing-id": (page([file(file_id="../evil")]), False),
    "absolute-name": (page([file(file_name="/etc/evil")]), False),
    "hidden-name": (page([file(file_name=".evil")]), False),
    "name-with-nul": (page([file(file_name="a\0b")]), False),
    "name-with-line-end": (page([file(file_name="a\nb")]), False),
    "name-of-10000": (page([file(file_name="a" * 10_000)]), False),
    "name-missing": (page([file(file_name=...)]), False),
    "name-a-list": (page([file(file_name=["a"])]), False),
    "size-a-word": (page([file(file_size="ten")]), False),
    "size-negative": (page([file(file_size=-5)]), False),
    "size-huge": (page([file(file_size=10**30)]), False),
    "size-wrong": (page([file(file_size=7)]), False),
    "md5-short": (page([file(md5sum="abc")]), False),
    "md5-wrong": (page([file(md5sum="0" * 32)]), False),
    "md5-missing": (page([file(md5sum=...)]), False),
    "sample-with-line-end": (page([file(associated_entities=[{"entity_submitter_id": "a\nb"}])]), False),
    "sample-missing": (page([file(associated_entities=...)]), True),
    "samples-null": (page([file(associated_entities=None)]), True),
    "samples-of-words": (page([file(associated_entities=["TCGA", 5, None])]), True),
}


@pytest.mark.parametrize("kind", list(GDC))
def test_what_the_gdc_lists(server: Hostile, tmp_path: Path, kind: str) -> None:
    body, whole = GDC[kind]
    server.answers = {
        "/files": says(reply(body)),
        "/cases": says(reply(page([{"id": "c", "case_id": "c"}]))),
        "/data/f0": says(reply(STAR)),
    }
    found = fetched("TCGA-AA", mirror=server.url, cache=tmp_path / "cache")
    assert isinstance(found, Path) == whole, found
    assert sum(server.counts.values()) <= 45
    assert [p.name for p in tmp_path.iterdir()] == ["cache"], "nothing is written elsewhere"
    counts = tmp_path / "cache" / "gdc" / "TCGA-AA" / "counts"
    assert [p.read_bytes() for p in counts.rglob("*.augmented*")] == ([STAR] if whole else [])


@pytest.mark.parametrize(
    "cases", [b"[]", page([1]), page([{"id": {}}]), page([[]], 1), b'{"data": 5}', page([{"id": "a"}] * 2)]
)
def test_what_the_gdc_says_of_cases(server: Hostile, tmp_path: Path, cases: bytes) -> None:
    server.answers = {"/files": says(reply(page([file()]))), "/cases": says(reply(cases))}
    found = fetched("TCGA-AA", mirror=server.url, cache=tmp_path)
    assert isinstance(found, FetchError) or cases == page([{"id": {}}])


@pytest.mark.parametrize("members", [{}, {"f0/../../evil": STAR}, {"f0/x": STAR}, {f"f{i}/y": b"z" for i in range(3)}])
def test_a_bundle_that_is_not_what_was_asked_for(server: Hostile, tmp_path: Path, members: dict[str, bytes]) -> None:
    server.answers = {
        "/files": says(reply(page([file(0), file(1)]))),
        "/cases": says(reply(page([{"id": "c"}]))),
        "/data": says(reply(tar_of(members))),
    }
    assert isinstance(fetched("TCGA-AA", mirror=server.url, cache=tmp_path / "cache"), FetchError)
    assert [p.name for p in tmp_path.iterdir()] == ["cache"]
    assert not list((tmp_path / "cache" / "gdc" / "TCGA-AA").glob(".unpacked*"))


def links(*names: str) -> bytes:
    return b"<html>" + b"".join(f'<a href="{n}">x</a>\n'.encode() for n in names) + b"</html>"


# What GEO's folder says, and whether the series matrix comes of it.
GEO: dict[str, tuple[bytes, bool]] = {
    "right": (links(NAME), True),
    "with-its-parents": (links("../", "/geo/series", "?C=N;O=D", NAME), True),
    "twice": (links(NAME, NAME), True),
    "nothing": (links(), False),
    "no-page": (b"\0\1\2" * 100, False),
    "json": (b'{"files": []}', False),
    "error": (b'{"error": "x"}', False),
    "empty": (b"", False),
    "climbing": (links("../../evil_series_matrix.txt.gz"), False),
    "climbing-quoted": (links("%2e%2e%2fevil_series_matrix.txt.gz"), False),
    "climbing-as-entity": (links("&#46;&#46;&#47;evil_series_matrix.txt.gz"), False),
    "climbing-backwards": (links("..\\evil_series_matrix.txt.gz"), False),
    "absolute": (links("/etc/evil_series_matrix.txt.gz"), False),
    "elsewhere": (links("http://127.0.0.1:1/x_series_matrix.txt.gz"), False),
    "hidden": (links(".evil_series_matrix.txt.gz"), False),
    "nul": (links("a%00_series_matrix.txt.gz"), False),
    "line-end": (links("a%0a_series_matrix.txt.gz"), False),
    "long-name": (links("a" * 5000 + "_series_matrix.txt.gz"), False),
    "not-utf8": (b'<html><a href="\xff\xfe_series_matrix.txt.gz"></html>', False),
    "gone": (links("other_series_matrix.txt.gz"), False),
    "thousands": (links(*(f"{i}_series_matrix.txt.gz" for i in range(600))), False),
    "megabytes": (links(NAME) + b" " * (2 << 20), False),
    "unclosed": (b'<a href="' * 100_000, False),
    "nested": (b"<a>" * 100_000 + links(NAME), True),
    "quoted-name": (links(NAME.replace("_", "%5f")), True),
}


@pytest.mark.parametrize("kind", list(GEO))
@pytest.mark.parametrize("supplement", [False, True])
def test_what_geo_lists(server: Hostile, tmp_path: Path, kind: str, supplement: bool) -> None:
    body, whole = GEO[kind]
    good = says(reply(links(NAME)))
    server.answers = {
        f"{FOLDER}/matrix/": good if supplement else says(reply(body)),
        f"{FOLDER}/suppl/": says(reply(body)) if supplement else good,
        f"{FOLDER}/matrix/{NAME}": says(reply(MATRIX)),
        f"{FOLDER}/suppl/{NAME}": says(reply(MATRIX)),
    }
    found = fetched("GSE1234", mirror=f"{server.url}/geo", cache=tmp_path / "cache", supplementary=supplement)
    # A supplement may be empty; where files are listed that cannot be had, there is no series.
    assert isinstance(found, Path) or not whole, found
    assert isinstance(found, FetchError) or whole or supplement
    assert sum(server.counts.values()) <= 45
    assert [p.name for p in tmp_path.iterdir()] == ["cache"]
    files = [p for p in (tmp_path / "cache").rglob("*.gz") if p.is_file()]
    assert all(p.read_bytes() == MATRIX for p in files)
    assert not list((tmp_path / "cache").rglob(".listing*html*.part*"))


def study(path: str = "x_tcga/meta_study.txt", **more: bytes) -> bytes:
    return tar_of({path: b"cancer_study_identifier: x\n", **more})


CBIOPORTAL: dict[str, tuple[bytes, bool]] = {
    "right": (study(), True),
    "flat": (study("meta_study.txt"), True),
    "climbing": (study("../evil"), False),
    "cut": (study()[:-9], False),
    "no-archive": (gzip.compress(b"x" * 5000), False),
    "page": (b"<html>x</html>", False),
    "empty": (tar_of({}), False),
}


@pytest.mark.parametrize("kind", list(CBIOPORTAL))
def test_what_cbioportal_sends(server: Hostile, tmp_path: Path, kind: str) -> None:
    body, whole = CBIOPORTAL[kind]
    server.answers = {"/x_tcga.tar.gz": says(reply(body))}
    found = fetched("x_tcga", source="cbioportal", mirror=server.url, cache=tmp_path / "cache")
    assert isinstance(found, Path) == whole, found
    assert [p.name for p in tmp_path.iterdir()] == ["cache"]


NOTES = {
    "empty": "", "list": "[]", "cut": "{", "nested": "[" * 100_000, "no-files": "{}",
    "files-a-list": '{"files": [[1]]}',
    "files-a-number": '{"files": 5}', "files-empty": '{"files": {}}', "digest-a-list": '{"files": {"x": []}}',
    "climbing": '{"files": {"../../../victim": "DIGEST"}}', "absolute": '{"files": {"VICTIM": "DIGEST"}}',
    "nul": '{"files": {"a\\u0000b": "recorded"}}', "not-utf8": "\xff\xfe", "name-empty": '{"files": {"": "x"}}',
    "long": '{"files": {"' + "a" * 5000 + '": "x"}}',
}  # fmt: skip


@pytest.mark.parametrize("kind", list(NOTES))
def test_a_hostile_note_of_what_was_fetched(server: Hostile, tmp_path: Path, kind: str) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "cache" / "geo" / "GSE1234"
    victim.write_bytes(b"mine")
    folder.mkdir(parents=True)
    note = NOTES[kind].replace("VICTIM", str(victim)).replace("DIGEST", hashlib.sha256(b"mine").hexdigest())
    (folder / "fetched.json").write_bytes(note.encode("latin-1"))
    server.answers = {
        f"{FOLDER}/matrix/": says(reply(links(NAME))),
        f"{FOLDER}/matrix/{NAME}": says(reply(MATRIX)),
    }
    assert fetched("GSE1234", mirror=f"{server.url}/geo", cache=tmp_path / "cache") == folder / NAME
    assert (folder / NAME).read_bytes() == MATRIX


@pytest.mark.parametrize("planted", ["geo", "geo/GSE1234", "geo/GSE1234/suppl", f"geo/GSE1234/{NAME}"])
def test_planted_folders_are_not_followed(server: Hostile, tmp_path: Path, planted: str) -> None:
    outside, cache = tmp_path / "outside", tmp_path / "cache"
    outside.mkdir()
    (cache / planted).parent.mkdir(parents=True)
    (cache / planted).symlink_to(outside)
    server.answers = {
        f"{FOLDER}/{part}/{name}": says(reply(links(NAME) if not name else MATRIX))
        for part in ("matrix", "suppl")
        for name in ("", NAME)
    }
    found = fetched("GSE1234", mirror=f"{server.url}/geo", cache=cache, supplementary=True)
    assert list(outside.iterdir()) == []
    assert isinstance(found, Path) or "link" in str(found)


def test_a_planted_link_in_a_fetched_folder_is_noticed(server: Hostile, tmp_path: Path) -> None:
    server.answers = {"/x_tcga.tar.gz": says(reply(study(more=b"y")))}
    folder = fetched("x_tcga", source="cbioportal", mirror=server.url, cache=tmp_path / "cache")
    assert isinstance(folder, Path)
    inner = next(folder.rglob("meta_study.txt"))
    victim = tmp_path / "victim"
    victim.write_bytes(inner.read_bytes())
    inner.unlink()
    inner.symlink_to(victim)
    with pytest.raises(FetchError, match="not in the cache"):
        mt.fetch("x_tcga", source="cbioportal", cache=tmp_path / "cache", offline=True)


def test_there_are_enough_kinds() -> None:
    assert len(GDC) + len(GEO) + len(CBIOPORTAL) >= 75
