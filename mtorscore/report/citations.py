"""References of a run in BibTeX and RIS: the software, its scoring methods, the signatures' sources, the data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mtorscore._version import __version__
from mtorscore.collection import SignatureCollection
from mtorscore.report.data.described import Described
from mtorscore.report.data.run_files import Run
from mtorscore.tl.engine import registry
from mtorscore.tl.engine.spec import NO_ORIGIN

__all__ = ["Reference", "bibtex", "references", "ris"]


@dataclass(frozen=True)
class Reference:
    """One work.

    Attributes
    ----------
    key
        Unique within a run.
    title
        What is known of it in words.
    year, doi, pmid, note
        Empty where not known.
    kind
        ``"article"`` where the journal is known, else ``"misc"``; ``"software"``, ``"dataset"``.
    author, journal, volume, pages
        Of an article; the first author's name.
    """

    key: str
    title: str
    kind: str = "misc"
    year: str = ""
    doi: str = ""
    pmid: str = ""
    note: str = ""
    author: str = ""
    journal: str = ""
    volume: str = ""
    pages: str = ""


def references(run: Run, described: dict[str, Described], collection: SignatureCollection | None) -> list[Reference]:
    """Return the works that a run rests on.

    Parameters
    ----------
    run
        The run.
    described
        Signature -> description.
    collection
        The collection that was scored; None where it is not known.

    Returns
    -------
    list of Reference
        Software, methods, sources of signatures that have a PubMed id or a DOI, data; each once.
    """
    version = str((run.record.get("versions") or {}).get("mtorscore", __version__))
    out = [Reference("mtorscore", f"mtorscore, version {version}", "software")]
    specs = [registry.get(m) for m in run.methods if m in registry.NAMES]
    out += [
        replace(_cited(s.citation), key=f"method_{s.name}", title=f"{s.title}: {s.citation}", note="scoring method")
        for s in specs
        if s.citation != NO_ORIGIN
    ]
    out += _sources(described, collection)
    for cohort in run.cohorts:
        if cohort.simulated:
            continue
        source = cohort.source
        named = [str(source[k]) for k in ("accession", "description", "file") if source.get(k)]
        out.append(Reference(f"data_{_key(cohort.name)}", f"{cohort.name}: {', '.join(named)}", "dataset", note="data"))
    return out


def _sources(described: dict[str, Described], collection: SignatureCollection | None) -> list[Reference]:
    found: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for name in described if collection is not None else ():
        if collection is None or name not in collection:
            continue
        for source in getattr(collection[name], "sources", ()):
            if source.pmid or source.doi:
                at = (str(source.pmid or ""), str(source.doi or ""))
                found.setdefault(at, (source.name, []))[1].append(name)
    out = []
    for (pmid, doi), (title, names) in found.items():
        key = f"pmid{pmid}" if pmid else f"doi_{_key(doi)}"
        used = ", ".join(dict.fromkeys(names))
        out.append(replace(_cited(title), key=key, title=title, doi=doi, pmid=pmid, note=f"source of {used}"))
    return out


def _cited(text: str) -> Reference:
    """Return what a citation in words says: ``Barbie et al., Nature 2009;462:108-112`` or ``Barbie 2009 Nature``."""
    long = re.match(r"(\w[\w'-]*)(?: et al\.| and [\w' -]+)?, ([^;,]+) (\d{4});(\w+):([\w-]+)", text)
    short = re.match(r"([A-Z][\w'-]+) (\d{4}) ([A-Z][A-Za-z ]+|eLife)(?:$|:)", text)
    if long:
        author, journal, year, volume, pages = long.groups()
        return Reference("", text, "article", year, author=author, journal=journal, volume=volume, pages=pages)
    if short:
        author, year, journal = short.groups()
        return Reference("", text, "article", year, author=author, journal=journal)
    return Reference("", text, year=_year(text))


def _year(text: str) -> str:
    found = re.search(r"\b(19|20)\d\d\b", text)
    return found[0] if found else ""


def _key(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:60] or "x"


def bibtex(works: Iterable[Reference]) -> str:
    """Return works as BibTeX, special characters escaped."""
    kinds = {"article": "article", "misc": "misc", "software": "software", "dataset": "dataset"}
    out = []
    for work in works:
        fields = {
            "author": f"{work.author} and others" if work.author else "", "title": work.title,
            "journal": work.journal, "year": work.year, "volume": work.volume, "pages": work.pages.replace("-", "--"),
            "doi": work.doi, "pmid": work.pmid, "note": work.note,
        }  # fmt: skip
        lines = [f"  {k} = {{{_tex(v)}}}" for k, v in fields.items() if v]
        out.append(f"@{kinds[work.kind]}{{{work.key},\n" + ",\n".join(lines) + "\n}\n")
    return "\n".join(out)


def _tex(text: str) -> str:
    plain = " ".join(text.replace("\\", " ").replace("{", "(").replace("}", ")").split())
    return re.sub(r"([&%$#_])", r"\\\1", plain)


def ris(works: Iterable[Reference]) -> str:
    """Return works as RIS."""
    kinds = {"article": "JOUR", "misc": "GEN", "software": "COMP", "dataset": "DATA"}
    out = []
    for work in works:
        first, _, last = work.pages.partition("-")
        fields = (
            ("AU", work.author),
            ("TI", work.title),
            ("JO", work.journal),
            ("VL", work.volume),
            ("SP", first),
            ("EP", last),
            ("PY", work.year),
            ("DO", work.doi),
            ("AN", work.pmid),
            ("N1", work.note),
        )
        lines = [f"TY  - {kinds[work.kind]}", f"ID  - {work.key}"]
        lines += [f"{tag}  - {' '.join(value.split())}" for tag, value in fields if value]
        out.append("\n".join([*lines, "ER  - ", ""]))
    return "\n".join(out)
