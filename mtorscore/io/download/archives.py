"""Addresses in the public archives: GEO's folders, the GDC's queries, Xena's and cBioPortal's files."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mtorscore._atomic import write_whole
from mtorscore.errors import FetchError, examples
from mtorscore.io.download.http import post_json
from mtorscore.io.download.remote import Remote

if TYPE_CHECKING:
    import httpx

__all__ = ["BASES", "bundles", "cbioportal", "gdc_cases", "gdc_files", "geo", "geo_folder", "sample_sheet", "xena"]

BASES = {
    "geo": "https://ftp.ncbi.nlm.nih.gov/geo",
    "gdc": "https://api.gdc.cancer.gov",
    "xena": "https://tcga-xena-hub.s3.us-east-1.amazonaws.com/download",
    "cbioportal": "https://cbioportal-datahub.s3.amazonaws.com",
}
_ACCESSION = re.compile(r"^(GSE|GDS|GPL)(\d+)$", re.IGNORECASE)
_LINK = re.compile(r'href="(?P<name>[^"?/][^"?]*)"', re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]*")
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


def listing(url: str, http: httpx.Client, fetch_text: Callable[[str, httpx.Client], str]) -> list[str]:
    """Return the file names of a folder that a server lists as a page of links."""
    names = [m["name"] for m in _LINK.finditer(fetch_text(f"{url}/", http))]
    return sorted({n for n in names if not n.endswith("/") and "/" not in n and n not in ("..", ".")})


def geo(
    accession: str,
    *,
    mirror: str | None,
    supplementary: bool,
    http: httpx.Client,
    fetch_text: Callable[[str, httpx.Client], str],
) -> list[Remote]:
    """List the files of a GEO accession: series matrices, a DataSet or an annotation, on request the supplement."""
    folder, part = geo_folder(accession)
    root = f"{base('geo', mirror)}/{folder}"
    names = [(part, n) for n in listing(f"{root}/{part}", http, fetch_text)]
    wanted = {"matrix": "_series_matrix.txt.gz", "soft": ".soft.gz", "annot": ".annot.gz"}[part]
    chosen = [(p, n) for p, n in names if n.endswith(wanted) and "_full" not in n]
    if supplementary:
        chosen += [("suppl", n) for n in listing(f"{root}/suppl", http, fetch_text)]
    if not chosen:
        raise FetchError(
            f"{accession}: {root}/{part} holds no {wanted} file "
            f"(it lists {examples([n for _, n in names]) or 'nothing'})."
        )
    return [Remote(f"{root}/{p}/{quote(n)}", n if p != "suppl" else f"suppl/{n}") for p, n in chosen]


def gdc_files(project: str, *, mirror: str | None, http: httpx.Client, **options: Any) -> list[dict[str, Any]]:
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
    files = _pages(f"{base('gdc', mirror)}/files", body, http, **options)
    for file in files:
        for key in ("file_id", "file_name", "md5sum", "file_size"):
            if not _NAME.fullmatch(str(file.get(key, ""))):
                raise FetchError(f"the GDC's answer has no usable {key} for a file ({str(file.get(key))[:60]!r}).")
    return files


def gdc_cases(project: str, *, mirror: str | None, http: httpx.Client, **options: Any) -> list[dict[str, Any]]:
    """Query the clinical records of every case of a GDC project, page by page."""
    body = {
        "filters": {"op": "in", "content": {"field": "project.project_id", "value": [project]}},
        "expand": "demographic,diagnoses,diagnoses.treatments,exposures,follow_ups",
    }
    return _pages(f"{base('gdc', mirror)}/cases", body, http, **options)


def _pages(url: str, body: dict[str, Any], http: httpx.Client, size: int = 500, **options: Any) -> list[dict[str, Any]]:
    hits: list[dict[str, Any]] = []
    while True:
        answer = post_json(url, {**body, "format": "JSON", "size": size, "from": len(hits)}, http=http, **options)
        try:
            page = answer["data"]["hits"]
            total = int(answer["data"]["pagination"]["total"])
        except (KeyError, TypeError, ValueError) as error:
            raise FetchError(f"{url}: the answer has no hits and pagination.") from error
        hits += page
        if len(hits) >= total:
            break
        if not page:
            raise FetchError(f"{url}: the archive promised {total} records and stopped after {len(hits)}.")
    known = {h.get("id") or h.get("file_id") or h.get("case_id") for h in hits}
    if len(known) != total:
        raise FetchError(f"{url}: {len(hits)} records came, {len(known)} of them different, and {total} were promised.")
    if not hits:
        raise FetchError(f"{url}: nothing matches; check the project's name (such as TCGA-LIHC).")
    return hits


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
        who = [str(e.get("entity_submitter_id", "")) for e in file.get("associated_entities", [])]
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
