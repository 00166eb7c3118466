"""Pages of the scoring methods, from their specs, the docstrings of their files, and the measured agreement."""

from __future__ import annotations

import csv
import importlib
import inspect
from pathlib import Path

from markdown import cell, code, join, table, toctree

from mtorscore.tl.engine import registry
from mtorscore.tl.engine.spec import MethodSpec

__all__ = ["pages"]

AGREEMENT = Path(__file__).parent.parent / "evidence" / "agreement.tsv"
CALIBRATION = Path(__file__).parents[2] / "benchmarks" / "scoring" / "pvalues.tsv"


def pages() -> dict[str, str]:
    """Return the overview and one page per method."""
    specs = registry.specs()
    out = {"methods/index.md": _overview(specs), "methods/pvalues.md": _calibration(specs)}
    return out | {f"methods/{s.name}.md": _page(s) for s in specs}


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _overview(specs: list[MethodSpec]) -> str:
    rows = [
        [
            f"[{s.title}]({s.name}.md)",
            code(s.name),
            "cohort" if s.cohort_dependent else ("single" if not s.cohort_options else "single, by option cohort"),
            _yes(s.signed),
            _yes(s.weighted),
            cell(s.input_scale),
            cell(s.range),
        ]
        for s in specs
    ]
    return join(
        "# Scoring methods",
        "A *method* turns the values of a signature's genes in one observation (a sample or a cell) into one number, "
        "its *score*. `mt.tl.methods()` returns this table; it is read from the same specification that the scoring "
        "engine obeys.",
        "**Single or cohort**: the score of an observation by a *single-sample* method does not change when other "
        "observations are added or removed. A *cohort-dependent* method compares each observation with the cohort; it "
        "learns a frozen reference on `fit` and scores new observations against that. **Signed**: uses the down genes "
        "of a signature. **Weighted**: uses weights. A method that cannot use a sign or weight warns once.",
        table(["method", "name", "learns from", "signed", "weighted", "values it is meant for", "range"], rows),
        "Which one? For bulk cohorts we start from `singscore` (single-sample, bounded), and look at whether "
        "another method agrees with `mt.tl.compare_methods`. Values of different methods are on different scales: "
        "never mix them in one model. No method turns a list of transcripts into a measurement of kinase activity; "
        "see [what a score can say](../../explain/what_scores_say.md).",
        toctree([*(s.name for s in specs), "pvalues"], hidden=True),
    )


def _calibration(specs: list[MethodSpec]) -> str:
    with CALIBRATION.open(encoding="utf-8", newline="") as text:
        measured = list(csv.DictReader(text, delimiter="\t"))
    methods = list(dict.fromkeys(r["method"] for r in measured))
    groups: dict[tuple[str, str, str, str], dict[str, dict[str, str]]] = {}
    for r in measured:
        groups.setdefault((r["data"], r["values"], r["sets"], r["n_genes"]), {})[r["method"]] = r
    rows = []
    for (data, values, sets, k), found in groups.items():
        one = next(iter(found.values()))
        shares = [f"{float(found[m]['share']):.3f}" for m in methods]
        rows.append(
            [data, values, cell(sets), k, f"{float(one['correlation']):.2f}", *shares, f"{float(one['expected']):.3f}"]
        )
    closed = ", ".join(code(s.name) for s in specs if s.null_closed)
    drawn = ", ".join(code(s.name) for s in specs if not s.null_closed)
    return join(
        "# P-values: what they mean, and how far off they are",
        f"`pvalues=True` asks of each observation and signature: is this score unusual among *randomly drawn genes* of "
        f"the same observation? The answer has a closed form for {closed}; for {drawn} the score is compared with "
        "random signatures matched in size, direction, weight and expression. `padj_<method>` adjusts over the "
        "signatures of an observation by Benjamini and Hochberg.",
        "Both take genes for independent. Genes of a pathway are not, so their mean varies more than that of random "
        "genes, and a p-value below 0.05 comes too often even where nothing is up or down. The table shows the share "
        "of p-values below 0.05; 0.05 is right. *Random* sets (100 per row, from all genes alike) are what the null "
        "describes. Library signatures are shown on values standardised gene by gene over the cohort: there no "
        "signature is higher than another on average, so all that exceeds 0.05 is due to correlation. *Expected* is "
        "the share that the excess of their mean correlation over that of all genes gives by theory.",
        table(
            ["data", "values", "sets", "genes", "mean correlation", *methods, "expected"],
            rows,
            "lllrr" + "r" * len(methods) + "r",
        ),
        "So a call at 0.05 on a coherent signature is wrong in a large part of the samples, and more often the larger "
        "and the more coherent it is. `aucell` looks at the top of the ranking alone, where few genes of a small set "
        "are found, so the normal approximation is rough there.",
        "**What to use instead.** For a question about groups or outcome, let *observations* be what is sampled: "
        "`mt.tl.prerank` permutes samples, `mt.tl.contrast` and `mt.tl.compare_samples` test scores over samples or "
        "patients, and `mt.prognosis.associate` puts each hazard ratio beside random signatures. Use the p-values of "
        "single observations to rank signatures, not to call them. `mt.tl.diagnose` says how coherent a signature is.",
        "Measured by `python -m benchmarks.scoring.pvalues DATA OUT.tsv`.",
    )


def _page(spec: MethodSpec) -> str:
    module = importlib.import_module(f"mtorscore.tl.algorithms.{spec.name}")
    text = inspect.cleandoc(module.__doc__ or "")
    learns = "cohort-dependent" if spec.cohort_dependent else "single-sample"
    if spec.cohort_options:
        learns += f"; cohort-dependent with {', '.join(spec.cohort_options)}"
    facts = [
        ("name", code(spec.name)),
        ("learns from", cell(learns)),
        ("uses down genes", _yes(spec.signed)),
        ("uses weights", _yes(spec.weighted)),
        ("values it is meant for", cell(spec.input_scale)),
        ("range of the score", cell(spec.range)),
        ("zeros of a sparse matrix", "exact, never stored" if spec.sparse_exact else "stored"),
        ("p-values", cell(spec.null)),
        ("agrees with", cell(spec.reference)),
        ("cite", cell(spec.citation)),
    ]
    call = f'```python\nmt.tl.score(adata, method="{spec.name}")\nadata.obsm["score_{spec.name}"]\n```'
    return join(
        f"(method-{spec.name})=\n# {spec.title}",
        call,
        "## What it assumes",
        table(["", ""], [[f"**{k}**", v] for k, v in facts]),
        "## Definition",
        f"`{spec.formula}`",
        _prose(text),
        "## Parameters",
        _parameters(spec),
        "P-values (`pvalues=True`) compare the score with that of randomly drawn genes. Real genes are correlated, so "
        "coherent signatures are called far too often: this is a gene-sampling null, not evidence about a patient. "
        "[How far off, and what to use instead](pvalues.md).",
        "## Agreement with the reference",
        _agreement(spec.name),
    )


def _prose(text: str) -> str:
    """Return a docstring's paragraphs; indented formulas become preformatted text."""
    parts = []
    for block in text.split("\n\n"):
        formula = all(line.startswith("    ") for line in block.splitlines())
        parts.append(f"```text\n{inspect.cleandoc(block)}\n```" if formula else block)
    return "\n\n".join(parts)


def _parameters(spec: MethodSpec) -> str:
    if not spec.params:
        return "None."
    rows = []
    for p in spec.params:
        allowed = ", ".join(code(repr(c)) for c in p.choices) if p.choices else _bounds(p.low, p.high, p.open_low)
        if p.kind == "bool":
            allowed = "`True`, `False`"
        if p.kind == "genes":
            allowed = "gene symbols"
        if p.optional:
            allowed += ", `None`" if allowed else "`None`"
        rows.append([code(p.name), code(repr(p.default)), allowed, p.doc.replace("|", "or")])
    return table(["parameter", "default", "allowed", "meaning"], rows)


def _bounds(low: float | None, high: float | None, open_low: bool) -> str:
    if low is None and high is None:
        return "any number"
    sign = ">" if open_low else "≥"
    parts = ([f"{sign} {low:g}"] if low is not None else []) + ([f"≤ {high:g}"] if high is not None else [])
    return ", ".join(parts)


def _agreement(name: str) -> str:
    rows = [r for r in _measured() if r["method"] == name]
    if not rows:
        return (
            "No reference output is compared: the method is its definition, and the tests compare it with that "
            "definition and with the invariances that every method shares."
        )
    groups: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for r in rows:
        groups.setdefault((r["tool"], r["case"].rpartition("__")[2], r["note"]), []).append(r)
    short = [
        [
            cell(tool),
            code(case),
            str(len(some)),
            _largest(some, "difference", ".1e"),
            _largest(some, "size", ".3g"),
            note,
        ]
        for (tool, case, note), some in groups.items()
    ]
    full = [
        [cell(r["tool"]), code(r["case"]), f"{float(r['difference']):.1e}", f"{float(r['size']):.3g}", cell(r["note"])]
        for r in rows
    ]
    return join(
        "Largest absolute difference to the numbers of an independent implementation on the same input, over parameter "
        "sets and signatures, beside the largest absolute value there. The tests repeat every comparison and fail "
        "beyond 1e-9 (absolute, or relative to the value) unless the note says why more is allowed. Inputs: "
        "`bulk_cont` continuous without ties, `bulk_ties` and `bulk_counts` with many ties, `sc_*` sparse single "
        "cells, `tiefree` no ties; `NA` with missing values.",
        table(["reference", "input", "parameter sets", "largest difference", "largest value", "note"], short, "llrrrl"),
        "<details><summary>Every comparison</summary>",
        table(["reference", "case", "largest difference", "largest value", "note"], full, "llrrl"),
        "</details>",
    )


def _largest(rows: list[dict[str, str]], column: str, form: str) -> str:
    return format(max(float(r[column]) for r in rows), form)


def _measured() -> list[dict[str, str]]:
    if not AGREEMENT.is_file():
        return []
    with AGREEMENT.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text, delimiter="\t"))
