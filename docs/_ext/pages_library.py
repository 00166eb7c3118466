"""Pages of the signature library, one per branch."""

from __future__ import annotations

from collections.abc import Iterable

from markdown import cell, code, join, table, toctree

from mtorscore.collection import (
    BRANCHES,
    Composite,
    Entry,
    Panel,
    Ratio,
    Signature,
    SignatureCollection,
    Source,
    library,
)
from mtorscore.collection.entry_format import ROLES
from mtorscore.collection.library_files import library_meta

__all__ = ["BRANCH_TITLES", "pages"]

BRANCH_TITLES = {branch: about["title"] for branch, about in library_meta()["branches"].items()}
LEVELS = library_meta()["levels"]
SIGNS = {1: "rises with mTOR activity", -1: "falls with mTOR activity", 0: "no direction is claimed"}
RESPONSES = {"rapalog": "rapalog", "active_site": "active-site inhibitor", "tsc_loss": "loss of TSC1 or TSC2"}


def pages() -> dict[str, str]:
    """Return the overview and one page per branch that has an entry."""
    entries = library()
    branches = [b for b in BRANCHES if any(e.branch == b for e in entries)]
    out = {"signatures/index.md": _overview(entries, branches)}
    return out | {f"signatures/{b}.md": _branch(b, [e for e in entries if e.branch == b]) for b in branches}


def anchor(entry_id: str) -> str:
    """Return the label of an entry's section."""
    return "sig-" + "".join(c if c.isalnum() else "-" for c in entry_id.lower())


def _overview(entries: SignatureCollection, branches: list[str]) -> str:
    kinds = ("signature", "composite", "ratio", "panel")
    rows = []
    for b in branches:
        mine = [e for e in entries if e.branch == b]
        readouts = sum(e.kind == "signature" and e.level == "transcriptional" for e in mine)
        counts = [str(sum(e.kind == k for e in mine) or "") for k in kinds]
        rows.append([f"[{cell(BRANCH_TITLES[b])}]({b}.md)", code(b), *counts, str(readouts or "")])
    return join(
        "# The signature library",
        f"Library {entries.version}: {len(entries)} entries. `mt.library()` returns them; "
        "`mtorscore signatures list` shows them in a terminal.",
        "An entry is one of four kinds. A *signature* is a list of genes, each up or down with what the list "
        "measures, some with a weight; the scoring methods score it. A *composite* is "
        f"{LEVELS['composite']}. A *ratio* is the log2 of one group of genes over another, and a *panel* is a table of "
        "genes; neither is ever called activity.",
        table(["branch", "name", *(f"{k}s" for k in kinds), "transcriptional readouts"], rows, "llrrrrr"),
        "The *level* of an entry says what a transcript score can mean there: "
        + "; ".join(f"**{k}**, {v}" for k, v in LEVELS.items())
        + ".",
        "*Confidence* comes from scoring the entry where the direction is known; see "
        "[what the signatures read](../../evidence/readout.md). *Evidence* of a gene: **read** (the list was read in "
        "the source), **cross-checked** (chosen here, then found in a second place), **recalled** (from memory; such "
        "entries are off by default).",
        toctree(branches, hidden=True),
    )


def _branch(branch: str, entries: list[Entry]) -> str:
    rows = [[f"[{cell(e.id)}](#{anchor(e.id)})", e.kind, e.level, cell(e.title)] for e in entries]
    return join(
        f"# {BRANCH_TITLES[branch]}",
        f'`mt.library().select(branch="{branch}")`',
        "" if any(e.level == "transcriptional" and e.kind == "signature" for e in entries) else _no_readout(),
        table(["entry", "kind", "level", "what it is"], rows),
        *(_entry(e) for e in entries),
    )


def _no_readout() -> str:
    return (
        ":::{warning}\n"
        "No entry of this branch is a transcriptional readout; read each as its level says. Nothing here can be called "
        "activity.\n:::"
    )


def _entry(entry: Entry) -> str:
    counts = ", ".join(f"{n} {label}" for label, n in entry.evidence_counts.items() if n)
    facts = [
        ("what it is", cell(entry.title)),
        ("kind", entry.kind + (" (experimental: off by default)" if entry.experimental else "")),
        ("level", f"{entry.level}: {LEVELS[entry.level]}"),
        ("sign", SIGNS[entry.sign]),
        ("expected", cell("; ".join(f"{RESPONSES.get(k, k)}: {v}" for k, v in entry.expected.items()))),
        ("shown to read", cell("; ".join(entry.graded()))),
        ("caveat", cell(entry.caveat)),
        ("remark", cell(entry.remark)),
        ("cancers", cell(", ".join(entry.cancers))),
        ("evidence of the genes", counts),
        ("licence", cell(entry.licence)),
        ("content hash", code(entry.hash)),
    ]
    sources = "\n".join(f"- *{s.role}*: {_source(s)}" for s in entry.sources)
    return join(
        f"({anchor(entry.id)})=\n## `{entry.id}`",
        table(["", ""], [[f"**{k}**", v] for k, v in facts if v]),
        *_genes(entry),
        f"**Sources**\n\n{sources}" if sources else "",
    )


def _source(source: Source) -> str:
    ids = [f"PMID {source.pmid}"] if source.pmid else []
    ids += [f"doi:{source.doi}"] if source.doi else []
    ids += [f"version {source.version}"] if source.version else []
    ids += [source.accession] if source.accession else []
    return cell(source.name + (f" ({', '.join(ids)})" if ids else ""))


def _genes(entry: Entry) -> list[str]:
    if isinstance(entry, Signature):
        lists = [("Up", entry.up), ("Down", entry.down)]
        return [_list(name, genes, entry.weights) for name, genes in lists if genes]
    if isinstance(entry, Ratio):
        return [_list("Numerator", entry.numerator), _list("Denominator", entry.denominator)]
    if isinstance(entry, Panel):
        lists = [(n.capitalize(), tuple(g for g, role in entry.members.items() if role == r)) for n, r in ROLES.items()]
        return [_list(name, genes) for name, genes in lists if genes]
    if isinstance(entry, Composite):
        return ["**Parts**: " + ", ".join(f"{w:+g} × `{name}`" for name, w in entry.parts.items())]
    return []


def _list(name: str, genes: Iterable[str], weights: object = None) -> str:
    weighed = dict(weights) if isinstance(weights, dict) or weights else {}  # type: ignore[call-overload]
    ordered = sorted(genes, key=lambda g: (-weighed.get(g, 0.0), g))
    text = ", ".join(f"{g} ({weighed[g]:.3g})" if g in weighed else g for g in ordered)
    title = f"{name}: {len(ordered)} gene{'s' if len(ordered) != 1 else ''}"
    if len(ordered) <= 40:
        return f"**{title}**. {text}"
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
