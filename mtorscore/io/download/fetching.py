"""`fetch`: download the files of an accession into the cache, complete and verified, or raise an error."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from mtorscore.errors import FetchError, examples
from mtorscore.io.download import archives
from mtorscore.io.download.addresses import shown
from mtorscore.io.download.cache_files import cached, is_file, locked, make_folder, read_note, record_of
from mtorscore.io.download.http import client, download
from mtorscore.io.download.queries import Query
from mtorscore.io.download.remote import Remote
from mtorscore.io.download.unpack import unpack
from mtorscore.io.tables.file_bytes import sha256 as file_digest

if TYPE_CHECKING:
    import httpx

__all__ = ["cache_folder", "fetch"]

WORKERS = 4
LONGEST_LISTING = 16 << 20
_GEO = re.compile(r"^(GSE|GDS|GPL)\d+$", re.IGNORECASE)
_PROJECT = re.compile(r"^(TCGA|TARGET|CPTAC|HCMI)-\w+$", re.IGNORECASE)


def cache_folder() -> Path:
    """Return the folder of fetched files: ``MTORSCORE_CACHE``, else the user's cache folder."""
    chosen = os.environ.get("MTORSCORE_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    return platformdirs.user_cache_path("mtorscore")


@dataclass(frozen=True)
class _Job:
    """Settings of one fetch."""

    root: Path
    folder: Path
    mirror: str | None
    retries: int
    sleep: Callable[[float], None]
    progress: bool
    fresh: bool = False


def fetch(
    what: str,
    *,
    source: str | None = None,
    cache: str | Path | None = None,
    mirror: str | None = None,
    supplementary: bool = False,
    force: bool = False,
    offline: bool | None = None,
    progress: bool | None = None,
    retries: int = 6,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Fetch a published data set into the cache; what is there whole is not fetched again.

    Parameters
    ----------
    what
        A GEO accession (``GSE14520``, ``GDS507``, ``GPL97``), a TCGA project (``TCGA-LIHC``), a cBioPortal study with
        ``source="cbioportal"``, or a URL.
    source
        ``"geo"``, ``"gdc"`` (the default for projects), ``"xena"``, ``"cbioportal"`` or ``"url"``.
    cache
        Folder instead of ``MTORSCORE_CACHE`` or the user's cache folder.
    mirror
        Address to use instead of the archive's own.
    supplementary
        Also the supplementary files of a GEO series.
    force
        Fetch again; what is there stays until the new files are whole, and a file that changed is warned about.
    offline
        Use the cache alone (default: ``MTORSCORE_OFFLINE``).
    progress
        Show a progress bar; by default where a terminal is.
    retries
        Attempts after a failure without progress.
    sleep
        Waits between attempts; replaced in tests.

    Returns
    -------
    pathlib.Path
        The file, or a folder where there are several. Beside each file ``<name>.source.json`` records URL, SHA-256,
        size and date.

    Raises
    ------
    FetchError
        If the data set is unknown, or could not be had whole; nothing is left under its name then. What arrives is
        bounded (see `mtorscore.io.download.http.download`): a folder lists at most 10,000 files, the answers to a query
        hold at most 64 MiB, 5 million values and 100,000 records, and take at most 500 requests; an archive expands to
        at most 100,000 files and 64 GiB.

    Notes
    -----
    Links within the cache are not followed. Of an address neither user nor password, and no value of a parameter that
    may be a token, is written or shown.
    """
    if what.startswith("ftp://ftp.ncbi.nlm.nih.gov/"):
        # The series name their supplements so; the same files are served over HTTPS.
        what = "https" + what.removeprefix("ftp")
    chosen = source or _source_of(what)
    if chosen not in ("geo", "gdc", "xena", "cbioportal", "url"):
        raise FetchError(f"unknown source {chosen!r}; known: geo, gdc, xena, cbioportal, url.")
    root = Path(cache) if cache is not None else cache_folder()
    name = _folder_name(what, chosen)
    away = offline if offline is not None else os.environ.get("MTORSCORE_OFFLINE", "") not in ("", "0")
    job = _Job(root, root / chosen / name, mirror, retries, sleep, _shown(progress), force and not away)
    ready = None if job.fresh else _ready(job, supplementary)
    if ready is not None:
        return ready
    if away:
        raise FetchError(
            f"{shown(what)} is not in the cache ({job.folder}), and mtorscore is offline. Fetch it once with a "
            f"connection: mtorscore fetch {shown(what)}."
        )
    try:
        make_folder(job.folder, root)
        with locked(job.folder):
            # Another process may have fetched it meanwhile.
            ready = None if job.fresh else _ready(job, supplementary)
            return ready if ready is not None else _fetch(what, chosen, job, supplementary)
    except FetchError:
        raise
    except OSError as error:
        raise FetchError(
            f"{shown(what)} cannot be kept in {job.folder} ({error.strerror or error}); free some space, or name "
            "another folder with MTORSCORE_CACHE."
        ) from error


def _fetch(what: str, source: str, job: _Job, supplementary: bool) -> Path:
    with client() as http:
        files = {"geo": _geo, "gdc": _gdc, "xena": _xena, "cbioportal": _cbioportal, "url": _url}[source](
            what, job, http, supplementary
        )
    note = {"what": shown(what), "source": source, "supplementary": supplementary, "files": files}
    archives.write_json(note, job.folder / "fetched.json")
    ready = _ready(job, supplementary)
    if ready is None:
        raise FetchError(f"{shown(what)}: the files changed while they were fetched; try again.")
    return ready


def _source_of(what: str) -> str:
    if what.startswith(("http://", "https://")):
        return "url"
    if _GEO.match(what):
        return "geo"
    if _PROJECT.match(what):
        return "gdc"
    raise FetchError(
        f"{shown(what)!r} is neither a GEO accession (GSE14520), a project (TCGA-LIHC) nor a URL; for a study of "
        'cBioPortal add source="cbioportal".'
    )


def _folder_name(what: str, source: str) -> str:
    if source == "url":
        return hashlib.sha256(what.encode()).hexdigest()[:16]
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", what):
        raise FetchError(f"{shown(what)[:100]!r} is no name of a data set.")
    return what.upper() if source in ("geo", "gdc", "xena") else what


def _shown(progress: bool | None) -> bool:
    import sys

    return sys.stderr.isatty() if progress is None else progress


def _ready(job: _Job, supplementary: bool = False) -> Path | None:
    """Return what was fetched, if everything is there and unchanged."""
    folder = job.folder
    if folder.is_symlink() or folder.parent.is_symlink():
        return None
    known = read_note(folder / "fetched.json")
    files = known.get("files")
    if not isinstance(files, dict) or not files or (supplementary and not known.get("supplementary")):
        return None
    if not all(_unchanged(folder, name, digest) for name, digest in files.items()):
        return None
    names = [n for n in files if not n.endswith(".json")]
    return folder / names[0] if len(names) == 1 else folder


def _unchanged(folder: Path, name: str, digest: object) -> bool:
    """Whether a file or folder of the note is in the cache's folder, without a link, and as it was."""
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\0" in name or "\\" in name:
        return False
    path = folder / pure
    try:
        if any((folder / above).is_symlink() for above in (pure, *pure.parents)):
            return False
        if digest == "recorded":
            return cached(path)
        if not path.exists() or any(inner.is_symlink() for inner in path.rglob("*")):
            return False
        return file_digest(path) == digest
    except OSError:
        # Such as a name that no file system takes.
        return False


@contextmanager
def _bar(title: str, shown: bool) -> Iterator[Callable[[int], None]]:
    if not shown:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda n: bar.advance(task, n)


def _all(remotes: list[Remote], job: _Job, http: httpx.Client) -> dict[str, str]:
    """Fetch several files in parallel; the first failure ends the others and is raised."""
    stop = threading.Event()
    # A wait between attempts ends with everything else.
    for folder in {(job.folder / r.name).parent for r in remotes}:
        make_folder(folder, job.root)
    with _bar(job.folder.name, job.progress) as advance:

        def sleep(seconds: float) -> None:
            if job.sleep is time.sleep:
                # A wait between attempts ends with everything else.
                stop.wait(seconds)
            else:
                job.sleep(seconds)

        def one(remote: Remote) -> Path:
            target = job.folder / remote.name
            return download(
                remote, target, http=http, retries=job.retries, sleep=sleep, advance=advance, fresh=job.fresh, stop=stop
            )

        pool = ThreadPoolExecutor(WORKERS)
        try:
            for result in as_completed([pool.submit(one, r) for r in remotes]):
                result.result()
        except BaseException:
            stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return {r.name: "recorded" for r in remotes}


def _text(url: str, http: httpx.Client, job: _Job) -> str:
    target = job.folder / ".listing.html"
    files = (target, record_of(target))
    for file in files:
        file.unlink(missing_ok=True)
    try:
        remote = Remote(url, "listing.html", most=LONGEST_LISTING)
        download(remote, target, http=http, retries=job.retries, sleep=job.sleep)
        return target.read_text(errors="replace")
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def _geo(what: str, job: _Job, http: httpx.Client, supplementary: bool) -> dict[str, str]:
    remotes = archives.geo(
        what, mirror=job.mirror, supplementary=supplementary, fetch_text=lambda u: _text(u, http, job)
    )
    return _all(remotes, job, http)


def _xena(what: str, job: _Job, http: httpx.Client, _: bool) -> dict[str, str]:
    return _all(archives.xena(what.upper(), mirror=job.mirror), job, http)


def _url(what: str, job: _Job, http: httpx.Client, _: bool) -> dict[str, str]:
    parts = _split(what)
    # GEO's download page names the file in the query.
    try:
        asked = dict(parse_qsl(parts.query, max_num_fields=1000))
    except ValueError:
        asked = {}
    name = Path(asked.get("file") or asked.get("filename") or unquote(parts.path).partition(";")[0]).name
    # Behind a semicolon there may be a session. Reserved are the names of our notes.
    name = re.sub(r"[\x00-\x1f\x7f\\]", "_", name).lstrip(".")[-150:] or "download"
    name = f"{name}.txt" if name == "fetched.json" or name.endswith(".source.json") else name
    return _all([Remote(what, name)], job, http)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise FetchError(f"{shown(url)} is no address that can be fetched.") from error


def _cbioportal(what: str, job: _Job, http: httpx.Client, _: bool) -> dict[str, str]:
    remote = archives.cbioportal(what, mirror=job.mirror)
    _all([remote], job, http)
    name = remote.name.removesuffix(".tar.gz")
    folder = unpack(job.folder / remote.name, job.folder / f"{name}.unpacked")
    inner = [p for p in folder.iterdir() if p.is_dir()]
    single = len(inner) == 1 and len(list(folder.iterdir())) == 1
    final = job.folder / name
    if final.is_symlink():
        final.unlink()
    elif final.exists():
        shutil.rmtree(final)
    Path(inner[0] if single else folder).replace(final)
    shutil.rmtree(folder, ignore_errors=True)
    (job.folder / remote.name).unlink()
    return {name: file_digest(final)}


def _gdc(what: str, job: _Job, http: httpx.Client, _: bool) -> dict[str, str]:
    project = what.upper()
    files = archives.gdc_files(project, mirror=job.mirror, query=Query(http, retries=job.retries, sleep=job.sleep))
    cases = archives.gdc_cases(project, mirror=job.mirror, query=Query(http, retries=job.retries, sleep=job.sleep))
    counts = job.folder / "counts"
    make_folder(counts, job.root)
    missing = [f for f in files if not _whole(counts / str(f["file_id"]) / str(f["file_name"]), str(f["md5sum"]))]
    for remote, block in archives.bundles(missing, mirror=job.mirror):
        target = job.folder / remote.name
        with _bar(what, job.progress) as advance:
            download(remote, target, http=http, retries=job.retries, sleep=job.sleep, advance=advance)
        _place(target, block, counts, job.root)
        target.unlink(missing_ok=True)
        record_of(target).unlink(missing_ok=True)
    archives.sample_sheet(files, counts / "gdc_sample_sheet.tsv")
    archives.write_json(cases, job.folder / "clinical.cart.json")
    return {n: file_digest(job.folder / n) for n in ("counts", "clinical.cart.json")}


def _whole(path: Path, md5: str) -> bool:
    if not is_file(path) or path.parent.is_symlink():
        return False
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "md5").hexdigest() == md5.lower()


def _place(archive: Path, block: list[dict[str, Any]], counts: Path, root: Path) -> None:
    """Move the files of a bundle into place, each checked against its published MD5."""
    with tempfile.TemporaryDirectory(prefix=".unpacked.", dir=archive.parent) as temporary:
        folder = Path(temporary) / "bundle"
        if len(block) == 1:
            inner = folder / str(block[0]["file_id"])
            inner.mkdir(parents=True)
            shutil.copyfile(archive, inner / str(block[0]["file_name"]))
        else:
            unpack(archive, folder)
        wrong = [
            f["file_name"]
            for f in block
            if not _whole(folder / str(f["file_id"]) / str(f["file_name"]), str(f["md5sum"]))
        ]
        if wrong:
            raise FetchError(
                f"{len(wrong)} of {len(block)} files of a GDC bundle are missing or do not have their published MD5 "
                f"({examples(wrong)}); try again."
            )
        for file in block:
            target = counts / str(file["file_id"])
            make_folder(target, root)
            Path(folder / str(file["file_id"]) / str(file["file_name"])).replace(target / str(file["file_name"]))
