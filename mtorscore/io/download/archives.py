"""Addresses in the public archives: GEO's folders, the GDC's queries, Xena's and cBioPortal's files."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from mtorscore._atomic import write_whole
from mtorscore.errors import FetchError, examples
from mtorscore.io.download.addresses import shown
from mtorscore.io.download.queries import Query
from mtorscore.io.download.remote import Remote

__all__ = ["BASES", "bundles", "cbioportal", "gdc_cases", "gdc_files", "geo", "geo_folder", "sample_sheet", "xena"]

BASES = {
    "geo": "https://ftp.ncbi.nlm.nih.gov/geo",
    "gdc": "https://api.gdc.cancer.gov",
    "xena": "https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download",
    "cbioportal": "https://cbioportal-datahub.s3.amazonaws.com",
}
_ACCESSION = re.compile(r"^(GSE|GDS|GPL)(\d+)$", re.IGNORECASE)
_LINK = re.compile(r'href="(?P<name>[^"?/][^"?]*)"', re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,199}")
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
# Of a folder; the largest supplements hold a few thousand.
_LISTED = re.compile(r"[^\x00-\x1f\x7f/\\.~-][^\x00-\x1f\x7f/\\]{0,199}")
MOST_LISTED = 10_000
LARGEST_FILE = 1 << 40
# Records of a project, and pages of them. The GDC's largest project has some thousands of cases.
MOST_RECORDS = 100_000
MOST_PAGES = 400
BUNDLE = 50


def base(source: str, mirror: str | None) -> str:
    """Return the address of an archive: the mirror given, ``MTORSCORE_<SOURCE>_URL``, or its own."""
    return (mirror or os.environ.get(f"MTORSCORE_{source.upper()}_URL") or BASES[source]).rstrip("/")


def geo_folder(accession: str) -> tuple[str, str]:
    """Return the folder of a GEO accession under the archive's root, and the kind of file wanted there.

    Examples
    --------
    >>> geo_folder("GSE14520"), geo_folder("GDS507"), geo_folder("GPL97")
    (('series/GSE14nnn/GSE14520', 'matrix'), ('datasets/GDSnnn/GDS507', 'soft'), ('platforms/GPLnnn/GPL97', 'annot'))
    """
    found = _ACCESSION.match(accession)
    if not found:
        raise FetchError(f"{accession!r} is no GEO accession (GSE, GDS or GPL and a number).")
    kind, number = found[1].upper(), found[2]
    root, part = {"GSE": ("series", "matrix"), "GDS": ("datasets", "soft"), "GPL": ("platforms", "annot")}[kind]
    return f"{root}/{kind}{number[:-3]}nnn/{kind}{number}", part


def listing(url: str, fetch_text: Callable[[str], str]) -> list[str]:
    """Return the file names of a folder that a server lists as a page of links; links elsewhere are left out.

    Raises
    ------
    FetchError
        If there are more than ten thousand.
    """
    found = {_listed(m["name"]) for m in _LINK.finditer(fetch_text(f"{url}/"))} - {""}
    if len(found) > MOST_LISTED:
        raise FetchError(f"{shown(url)}: the folder lists {len(found)} files, and {MOST_LISTED} are the most.")
    return sorted(found)


def _listed(link: str) -> str:
    """Return the name of a file in the folder itself, "" for other links and for names of our own notes."""
    name = unquote(html.unescape(link), errors="replace")
    ours = name.endswith((".source.json", ".part", ".lock"))
    return name if _LISTED.fullmatch(name) and not ours and len(name.encode(errors="replace")) <= 200 else ""


def geo(
    accession: str,
    *,
    mirror: str | None,
    supplementary: bool,
    fetch_text: Callable[[str], str],
) -> list[Remote]:
    """List the files of a GEO accession: series matrices, a DataSet or an annotation, on request the supplement."""
    folder, part = geo_folder(accession)
    root = f"{base('geo', mirror)}/{folder}"
    names = [(part, n) for n in listing(f"{root}/{part}", fetch_text)]
    wanted = {"matrix": "_series_matrix.txt.gz", "soft": ".soft.gz", "annot": ".annot.gz"}[part]
    chosen = [(p, n) for p, n in names if n.endswith(wanted) and "_full" not in n]
    if supplementary:
        chosen += [("suppl", n) for n in listing(f"{root}/suppl", fetch_text)]
    if not chosen:
        raise FetchError(
            f"{accession}: {shown(root)}/{part} holds no {wanted} file "
            f"(it lists {examples([n for _, n in names]) or 'nothing'})."
        )
    return [Remote(f"{root}/{p}/{quote(n)}", n if p != "suppl" else f"suppl/{n}") for p, n in chosen]


def gdc_files(project: str, *, mirror: str | None, query: Query) -> list[dict[str, Any]]:
    """Query every open STAR count file of a GDC project, page by page."""
    filters = [
        ("cases.project.project_id", [project]),
        ("data_type", ["Gene Expression Quantification"]),
        ("analysis.workflow_type", ["STAR - Counts"]),
        ("access", ["open"]),
    ]
    body = {
        "filters": {
            "op": "and",
            "content": [{"op": "in", "content": {"field": f, "value": v}} for f, v in filters],
        },
        "fields": "file_id,file_name,md5sum,file_size,associated_entities.entity_submitter_id",
    }
    files = _pages(f"{base('gdc', mirror)}/files", body, query)
    for file in files:
        _check_file(file)
    if len({str(f["file_id"]).casefold() for f in files}) < len(files):
        raise FetchError("the GDC's answer lists a file_id twice.")
    return files


def _check_file(file: dict[str, Any]) -> None:
    """Refuse a listed file whose name, id, checksum, size or sample cannot be used."""
    size = file.get("file_size")
    right = {
        "file_id": _NAME.fullmatch(str(file.get("file_id", ""))),
        "file_name": _NAME.fullmatch(str(file.get("file_name", ""))),
        "md5sum": _MD5.fullmatch(str(file.get("md5sum", ""))),
        "file_size": isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= LARGEST_FILE,
    }
    for key, found in right.items():
        if not found:
            raise FetchError(f"the GDC's answer has no usable {key} for a file ({str(file.get(key))[:60]!r}).")
    if not all(re.fullmatch(r"[\x20-\x7e]{0,200}", name) for name in _samples(file)):
        raise FetchError(f"the GDC's answer has no usable sample for the file {file['file_name']}.")


def _samples(file: dict[str, Any]) -> list[str]:
    """Return the barcodes of a file's samples."""
    listed = file.get("associated_entities")
    listed = listed if isinstance(listed, list) else []
    return [str(e.get("entity_submitter_id") or "") for e in listed if isinstance(e, dict)]


def gdc_cases(project: str, *, mirror: str | None, query: Query) -> list[dict[str, Any]]:
    """Query the clinical records of every case of a GDC project, page by page."""
    body = {
        "filters": {"op": "in", "content": {"field": "project.project_id", "value": [project]}},
        "expand": "demographic,diagnoses,diagnoses.treatments,exposures,follow_ups",
    }
    return _pages(f"{base('gdc', mirror)}/cases", body, query)


def _pages(url: str, body: dict[str, Any], query: Query, size: int = 500) -> list[dict[str, Any]]:
    hits: list[dict[str, Any]] = []
    for _ in range(MOST_PAGES):
        page, total = _page(query.post(url, {**body, "format": "JSON", "size": size, "from": len(hits)}), url)
        hits += page
        if len(hits) >= total:
            break
        if not page:
            raise FetchError(f"{shown(url)}: the archive promised {total} records and stopped after {len(hits)}.")
    else:
        raise FetchError(f"{shown(url)}: {MOST_PAGES} pages brought {len(hits)} of {total} records; given up.")
    known = {_id_of(hit) for hit in hits}
    if len(known) != total:
        raise FetchError(
            f"{shown(url)}: {len(hits)} records came, {len(known)} of them different, and {total} were promised."
        )
    if not hits:
        raise FetchError(f"{shown(url)}: nothing matches; check the project's name (such as TCGA-LIHC).")
    return hits


def _page(answer: dict[str, Any], url: str) -> tuple[list[dict[str, Any]], int]:
    """Return the records of a page, and how many there are on all pages."""
    try:
        page = answer["data"]["hits"]
        total = answer["data"]["pagination"]["total"]
    except (KeyError, TypeError, IndexError) as error:
        raise FetchError(f"{shown(url)}: the answer has no hits and pagination.") from error
    if not isinstance(page, list) or not all(isinstance(hit, dict) for hit in page):
        raise FetchError(f"{shown(url)}: the answer has no hits and pagination: its hits are no list of records.")
    if isinstance(total, bool) or not isinstance(total, int) or not 0 <= total <= MOST_RECORDS:
        raise FetchError(f"{shown(url)}: the answer promises {str(total)[:40]} records, which cannot be.")
    return page, total


def _id_of(hit: dict[str, Any]) -> str:
    found = hit.get("id") or hit.get("file_id") or hit.get("case_id")
    return found[:200] if isinstance(found, str) else ""


def bundles(
    files: list[dict[str, Any]], *, mirror: str | None, size: int = BUNDLE
) -> list[tuple[Remote, list[dict[str, Any]]]]:
    """Group GDC files into downloads: several at a time come as one tar.gz, a single one as it is."""
    root = f"{base('gdc', mirror)}/data"
    out = []
    for start in range(0, len(files), size):
        block = files[start : start + size]
        if len(block) == 1:
            one = block[0]
            remote = Remote(
                f"{root}/{one['file_id']}", str(one["file_name"]), int(one["file_size"]), str(one["md5sum"])
            )
        else:
            ids = [f["file_id"] for f in block]
            remote = Remote(root, f"bundle_{start // size + 1:03d}.tar.gz", body={"ids": ids})
        out.append((remote, block))
    return out


def sample_sheet(files: list[dict[str, Any]], path: Path) -> Path:
    """Write the sample sheet that ties file names to aliquots."""
    lines = ["File ID\tFile Name\tSample ID"]
    for file in files:
        who = _samples(file)
        lines.append(f"{file['file_id']}\t{file['file_name']}\t{who[0] if who else ''}")
    return write_whole(path, "\n".join(lines) + "\n")


def write_json(content: Any, path: Path) -> Path:
    """Write JSON atomically."""
    return write_whole(path, json.dumps(content))


def xena(project: str, *, mirror: str | None) -> list[Remote]:
    """List the files of a TCGA cohort on the Xena hub: expression, phenotype and curated survival."""
    root, cancer = base("xena", mirror), project.removeprefix("TCGA-")
    names = [f"TCGA.{cancer}.sampleMap/HiSeqV2.gz", f"survival/{cancer}_survival.txt",
             f"TCGA.{cancer}.sampleMap/{cancer}_clinicalMatrix"]  # fmt: skip
    return [Remote(f"{root}/{quote(n, safe='')}", n.rsplit("/", 1)[1]) for n in names]


def cbioportal(name: str, *, mirror: str | None) -> Remote:
    """Return the archive of a cBioPortal study; ``TCGA-LIHC`` means ``lihc_tcga``."""
    study = f"{name[5:].lower()}_tcga" if name.upper().startswith("TCGA-") else name
    return Remote(f"{base('cbioportal', mirror)}/{quote(study)}.tar.gz", f"{study}.tar.gz")
