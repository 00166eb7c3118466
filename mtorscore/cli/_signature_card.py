"""One entry as a card for the terminal, and two collections set side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mtorscore.collection import Composite, Entry, Panel, Ratio, Signature
from mtorscore.collection.grades import NONE, NOT_TESTED
from mtorscore.collection.library_files import library_meta

if TYPE_CHECKING:
    from mtorscore.collection import SignatureCollection

__all__ = ["compare", "print_entry", "print_genes"]

_SIGN = {
    1: "rises with mTOR activity",
    -1: "falls with mTOR activity",
    0: "no direction under mTOR activity is claimed",
}
_PERTURBATION = {"rapalog": "rapalog", "active_site": "active-site inhibitor", "tsc_loss": "loss of TSC1 or TSC2"}


def print_entry(entry: Entry, collection: SignatureCollection) -> None:
    """Print one entry.

    Parameters
    ----------
    entry
        Of any kind.
    collection
        Where the parts of a composite are.
    """
    from rich.markup import escape
    from rich.panel import Panel as Frame
    from rich.table import Table

    from mtorscore.cli._signature_tables import console

    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    counts = entry.evidence_counts
    rows = [
        ("title", entry.title),
        ("kind", entry.kind + (" (experimental: off by default)" if entry.experimental else "")),
        ("branch", entry.branch),
        ("level", f"{entry.level}: {library_meta()['levels'].get(entry.level, '')}"),
        ("sign", _SIGN[entry.sign]),
        ("cancers", ", ".join(entry.cancers) or "all"),
        *_gene_rows(entry, collection),
        ("evidence", ", ".join(f"{n} {label}" for label, n in counts.items()) if entry.genes else "of its parts"),
        ("expected", "; ".join(f"{_PERTURBATION.get(k, k)}: {v}" for k, v in entry.expected.items())),
        ("shown", "\n".join(entry.graded())),
        ("confidence", entry.confidence),
        ("caveat", entry.caveat),
        ("remark", entry.remark),
        ("licence", entry.licence),
        ("systems", ", ".join(entry.seeds)),
        ("version", f"added {entry.added}" + (f", changed {entry.changed}" if entry.changed else "")),
        ("hash", entry.hash),
    ]
    for name, value in rows:
        if value:
            grid.add_row(name, escape(value))
    for source in entry.sources:
        ids = [f"{k} {v}" for k, v in (("PMID", source.pmid), ("doi", source.doi), ("version", source.version)) if v]
        ids += [source.accession] if source.accession else []
        grid.add_row(source.role, escape(source.name + (f" ({', '.join(ids)})" if ids else "")))
    screen = console()
    width = min(screen.width, 140)
    screen.print(Frame(grid, title=f"[bold]{escape(entry.id)}[/]", title_align="left", width=width))


def print_genes(entry: Entry) -> None:
    """Print one line per gene of an entry: direction, weight, evidence, and where it was read or checked.

    Parameters
    ----------
    entry
        Of any kind; a composite has no genes of its own.
    """
    from rich.markup import escape
    from rich.table import Table

    from mtorscore.cli._signature_tables import console

    notes: Mapping[str, str] = getattr(entry, "gene_sources", None) or getattr(entry, "notes", {})
    listed = "; ".join(s.name for s in entry.sources if s.role == "list")
    weights: Mapping[str, float] = getattr(entry, "weights", {})
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("gene", "direction", *(["weight"] if weights else []), "evidence", "source"):
        grid.add_column(column, overflow="fold", justify="right" if column == "weight" else "left")
    for direction, genes in _directions(entry).items():
        for gene in genes:
            weight = [f"{weights.get(gene, 1.0):.3g}"] if weights else []
            grid.add_row(gene, direction, *weight, entry.evidence_of(gene), escape(notes.get(gene) or listed))
    if entry.genes:
        console().print(grid)


def _directions(entry: Entry) -> dict[str, tuple[str, ...]]:
    """Return the genes of an entry by direction, as its file has them."""
    if isinstance(entry, Signature):
        return {"up": entry.up, "down": entry.down}
    if isinstance(entry, Ratio):
        return {"numerator": entry.numerator, "denominator": entry.denominator}
    if isinstance(entry, Panel):
        names = {1: "drives", -1: "brakes", 0: "neither"}
        return {names[r]: tuple(g for g, role in entry.members.items() if role == r) for r in names}
    return {}


def _gene_rows(entry: Entry, collection: SignatureCollection) -> list[tuple[str, str]]:
    if isinstance(entry, Composite):
        return [("parts", "\n".join(_part(name, w, collection) for name, w in entry.parts.items()))]
    weights: Mapping[str, float] = getattr(entry, "weights", {})
    return [(f"{name} ({len(genes)})", _genes(genes, weights)) for name, genes in _directions(entry).items() if genes]


def _part(name: str, weight: float, collection: SignatureCollection) -> str:
    grades = collection[name].grades if name in collection else {}
    told = [f"{grade} in {context}" for context, grade in grades.items() if grade not in {NONE, NOT_TESTED}]
    return f"{weight:+g} {name}" + (f" ({', '.join(told)})" if told else "")


def _genes(genes: tuple[str, ...], weights: Mapping[str, float]) -> str:
    ordered = sorted(genes, key=lambda g: -weights[g] if g in weights else 0)
    return ", ".join(f"{g} {weights[g]:.3g}" if g in weights else g for g in ordered)


def compare(old: SignatureCollection, new: SignatureCollection) -> list[dict[str, Any]]:
    """Say what differs between two collections.

    Parameters
    ----------
    old, new
        The collections.

    Returns
    -------
    list of dict
        One per entry that differs: ``id``, ``status`` (``added``, ``removed``, ``changed``), ``value_changed``
        (whether scores change, by the content hash) and ``details``, one line each.
    """
    changes: list[dict[str, Any]] = []
    for name in dict.fromkeys([*old.names, *new.names]):
        if name not in old or name not in new:
            status = "added" if name in new else "removed"
            changes.append({"id": name, "status": status, "value_changed": True, "details": []})
        elif old[name] != new[name]:
            before, after = old[name], new[name]
            details = [*_gene_changes(before, after), *_field_changes(before, after)]
            changes.append(
                {"id": name, "status": "changed", "value_changed": before.hash != after.hash, "details": details}
            )
    return changes


def _terms(entry: Entry) -> dict[str, float]:
    if isinstance(entry, Signature):
        return entry.signed_weights()
    if isinstance(entry, Ratio):
        return dict.fromkeys(entry.numerator, 1.0) | dict.fromkeys(entry.denominator, -1.0)
    if isinstance(entry, Panel):
        return {g: float(r) for g, r in entry.members.items()}
    if isinstance(entry, Composite):
        return dict(entry.parts)
    return {}


def _gene_changes(before: Entry, after: Entry) -> list[str]:
    first, second = _terms(before), _terms(after)
    gained = [g for g in second if g not in first]
    lost = [g for g in first if g not in second]
    moved = [f"{g} {first[g]:+g} -> {second[g]:+g}" for g in first if g in second and first[g] != second[g]]
    lines = []
    if gained:
        lines.append(f"gained {len(gained)}: {', '.join(gained)}")
    if lost:
        lines.append(f"lost {len(lost)}: {', '.join(lost)}")
    if moved:
        lines.append(f"reweighted {len(moved)}: {', '.join(moved)}")
    return lines


def _field_changes(before: Entry, after: Entry) -> list[str]:
    from mtorscore.collection.yaml_format import entry_to_document

    skip = {"up", "down", "numerator", "denominator", "drives", "brakes", "neither", "parts"}
    first, second = entry_to_document(before), entry_to_document(after)
    lines = []
    for key in dict.fromkeys([*first, *second]):
        if key not in skip and first.get(key) != second.get(key):
            lines.append(f"{key}: {first.get(key)!r} -> {second.get(key)!r}")
    if before.evidence_counts != after.evidence_counts:
        lines.append(f"evidence: {before.evidence_counts} -> {after.evidence_counts}")
    return lines
