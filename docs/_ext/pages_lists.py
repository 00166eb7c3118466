"""Index pages of the guides and of the evidence."""

from __future__ import annotations

from pathlib import Path

from markdown import cell, join, table, toctree

__all__ = ["pages"]

GUIDES = ("adding_a_signature", "scaling_out")


def pages(docs: Path) -> dict[str, str]:
    """Return the two index pages."""
    guides = sorted(f"../{name}" for name in GUIDES if (docs / f"{name}.md").is_file())
    here = guides + sorted(f"../howto/{p.stem}" for p in docs.glob("howto/*.md"))
    measured = sorted(f"../evidence/{p.stem}" for p in docs.glob("evidence/*.md"))
    return {
        "howto.md": join("# Guides", _table(docs, here), toctree(here, hidden=True)),
        "evidence.md": join(
            "# What was measured",
            "Pages written from results: what the signatures read where the direction is known, how the statistics "
            "behave, how fast it is, and what each claim of the seed review became.",
            _table(docs, measured),
            toctree(measured, hidden=True),
        ),
    }


def _table(docs: Path, names: list[str]) -> str:
    titles = [_title(docs / f"{name}.md".removeprefix("../")) for name in names]
    return table(["page"], [[f"[{cell(t)}]({n}.md)"] for t, n in zip(titles, names, strict=True)])


def _title(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line.removeprefix("# ") for line in lines if line.startswith("# ")), path.stem)
