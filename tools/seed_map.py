"""Write docs/evidence/seed_map.md from signatures/seed_map.yaml and the entries' `seeds`.

Usage: python tools/seed_map.py [--check]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from mtorscore.collection import SignatureCollection, library
from mtorscore.collection.library_files import library_folder

TARGET = Path(__file__).resolve().parents[1] / "docs" / "evidence" / "seed_map.md"
SETUP = """\
import numpy as np
import mtorscore as mt

sigs = mt.library()
# adata, reference_cohort: observations x genes, current symbols, log scale. Composites are standardised by the
# reference, never by the cohort at hand.
reference = mt.SignatureScorer(signatures=sigs, method="singscore").fit(reference_cohort)
mt.tl.score(adata, sigs, method="singscore", reference=reference)
scores, obs = adata.obsm["score_singscore"], adata.obs
tumours = adata[obs["sample_type"] == "tumour"]
os = mt.prognosis.Endpoint.survival(time="OS.time", event="OS", unit="days")"""
ANSWERS = {
    "signature": "a signed gene list, scored by any method",
    "composite": "a signed weighted sum over entries, its parts shown beside it",
    "ratio": "a log2 ratio on linear scale, each term shown",
    "panel": "components as a table; abundance, never activity",
    "analysis": "an analysis of scores that the call runs",
    "needs data": "data that transcripts do not hold; the call shows how to bring them",
    "context": "context only, nothing to test",
}


def seed_map() -> list[dict[str, Any]]:
    """Return the systems S01 to S53 as in ``signatures/seed_map.yaml``."""
    text = (library_folder() / "seed_map.yaml").read_text(encoding="utf-8")
    systems: list[dict[str, Any]] = yaml.safe_load(text)["systems"]
    return systems


def render(systems: list[dict[str, Any]], collection: SignatureCollection) -> str:
    """Return the page.

    Parameters
    ----------
    systems
        As from `seed_map`.
    collection
        The library with experimental entries.

    Returns
    -------
    str
        Markdown.
    """
    intro = (
        "Every system and claim of the seed review (Hepatology 2013;58:810-818), in own words, with what to call. "
        f"Written by `tools/seed_map.py` from library {collection.version}; do not edit. The calls run in the tests on "
        "a simulated cohort, after this:"
    )
    own = (
        "Columns such as `drug`, `tissue`, `site` or `tsc` are your own annotation; `footprints`, `mrna`, `mirna` and "
        "`mouse` your own matrices. All scores are transcriptional footprints, not kinase activity."
    )
    lines = ["# From the seed review to a call: S01 to S53", "", intro, "", "```python", SETUP, "```", "", own, ""]
    lines += ["| answer | what it is | systems |", "| --- | --- | --- |"]
    for answer, meaning in ANSWERS.items():
        ids = ", ".join(f"[{s['id']}](#{s['id'].lower()})" for s in systems if s["answer"] == answer)
        lines.append(f"| {answer} | {meaning} | {ids} |")
    for system in systems:
        entries = [e.id + (" (experimental)" if e.experimental else "") for e in collection if system["id"] in e.seeds]
        lines += [
            "",
            f"({system['id'].lower()})=",
            f"## {system['id']} {system['system']}",
            "",
            f"*{system['cancer']}; {system['answer']}.* Expected: {system['expected']}.",
            "",
            "```python",
            system["call"].rstrip(),
            "```",
            "",
            f"- Entries: {', '.join(f'`{e}`' for e in entries) or 'none'}",
        ]
        if system.get("needs"):
            lines.append(f"- Needs: {system['needs']}.")
        lines.append(f"- Caveat: {system['caveat']}.")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page, or with ``--check`` exit 1 where it is not current."""
    parser = argparse.ArgumentParser(description="Write docs/evidence/seed_map.md.")
    parser.add_argument("--check", action="store_true", help="only say whether the page is current")
    page = render(seed_map(), library(experimental=True))
    if parser.parse_args().check:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != page:
            sys.exit("docs/evidence/seed_map.md is not current; run python tools/seed_map.py.")
        return
    TARGET.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
