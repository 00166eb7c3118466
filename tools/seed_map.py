"""Write docs/evidence/seed_map.md from signatures/seed_map.yaml and the entries' `seeds`.

Usage: python tools/seed_map.py [--check]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mtorscore.collection import SignatureCollection, library
from mtorscore.collection.library_files import seed_answer, seed_map

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


def answered(system: str) -> list[str]:
    """Return the sentence and the table of what the data at hand answer."""
    rows, sentence = seed_answer(system)
    lines = ["", f"**{sentence}**"]
    if rows:
        lines += ["", "| what | where | estimate (95% interval) | n | of what | expected | answer |"]
        lines += ["| --- | --- | ---: | ---: | --- | :---: | --- |"]
    for row in rows:
        numbers = f"{row['estimate']} ({row['low']} to {row['high']})" if row["estimate"] else ""
        said = row["answer"] + (f": {row['because']}" if row["because"] else "")
        what = row["what"] if "(" in row["what"] else f"`{row['what']}`"
        lines.append(
            f"| {what} | {row['where']} | {numbers} | {row['n']} | {row['unit']} | {row['expected']} | {said} |"
        )
    return lines


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
    answers = (
        "Each system begins with what the data at hand answer: yes (the interval lies on the side that the review "
        "leads one to expect), no (on the other), or cannot be said, because of what. The first row of a table "
        "decides; the others stand beside it. One review's fifty-three claims are many tests, and no p is corrected "
        "over them. The same is printed by `mtorscore signatures system S26`. Written by `python -m "
        "benchmarks.readout.seed_answers`; what is asked stands in `benchmarks/readout/seed_plan.py`."
    )
    lines = ["# From the seed review to a call: S01 to S53", "", answers, "", intro, "", "```python", SETUP, "```", ""]
    lines += [own, ""]
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
            *answered(system["id"])[1:],
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
