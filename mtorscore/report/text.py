"""Sentences of the report: caveats, power, methods, facts."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from mtorscore._outcome_terms import ENDPOINTS
from mtorscore.report.data.described import Described
from mtorscore.report.data.run_files import Cohort, Run
from mtorscore.report.group_text import assumed_tumours, group_counts
from mtorscore.tl.engine import registry
from mtorscore.tl.engine.spec import NO_ORIGIN

_POWER = 1.959964 + 0.841621  # two-sided 5%, power 80%


_CONTROLS = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(value: object) -> object:
    """Return text without characters that are not seen but turn or hide what follows; anything else as it is."""
    from markupsafe import Markup

    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _CONTROLS.sub(" ", value)


def caveats(run: Run) -> list[str]:
    """Return the caveats, most important first.

    Parameters
    ----------
    run
        The run.

    Returns
    -------
    list of str
        Sentences.
    """
    out = []
    simulated = [c.name for c in run.cohorts if c.simulated]
    if simulated:
        out.append(
            f"SIMULATED: there are no patients in {', '.join(simulated)}, and nothing in it is a finding about liver "
            "cancer."
        )
    out.append(
        "A score reads transcripts. It is a footprint of a pathway branch, not kinase activity; that is measured by "
        "phospho-S6, phospho-4E-BP1 and phospho-AKT."
    )
    out += [power_sentence(c) for c in run.cohorts if c.endpoints]
    out.append(
        "Proliferation is partly downstream of mTOR, and moves many of these signatures. Ratios adjusted for it ask "
        "for information beyond proliferation; they do not show that a branch acts independently of it."
    )
    out += [sentence for c in run.cohorts for sentence in assumed_tumours(c)]
    if any(c.count("normal") for c in run.cohorts):
        out.append(
            "Normal samples are as a rule liver beside a tumour, and may be cirrhotic. A difference from them mixes "
            "activity with lineage, cell composition and maturity, in bile-duct tumours and hepatoblastoma above all."
        )
    out.append(
        "Many signatures are tested. q values are adjusted by Benjamini and Hochberg within one method, endpoint and "
        "model; they do not cover the choice among methods and endpoints."
    )
    return out


def reading_note(run: Run) -> str:
    """Explain the abbreviations that the findings of this run use."""
    if not any(c.endpoints or "classifiers" in c.tables for c in run.cohorts):
        return ""
    used = [e for e in ENDPOINTS if any(e in c.endpoints for c in run.cohorts)]
    named = ", ".join(f"{e} {ENDPOINTS[e].title}" for e in used)
    return (
        (f"{named}. " if named else "")
        + "HR: hazard ratio per standard deviation of the score; above 1, a worse outcome with a higher score. q: p "
        "value adjusted for the number of signatures tested. Harrell's C and AUC (area under the ROC curve): share of "
        "pairs of patients that a model puts in the right order."
    )


def power_sentence(cohort: Cohort) -> str:
    """State the smallest effect that the events of a cohort could show.

    Parameters
    ----------
    cohort
        A cohort with survival endpoints.

    Returns
    -------
    str
        With, per endpoint, the hazard ratio per SD that a two-sided 5% test finds with 80% power (Schoenfeld's
        approximation, ``exp(2.80 / sqrt(events))``).
    """
    parts = []
    for endpoint in cohort.endpoints:
        known = pd.to_numeric(cohort.obs.loc[cohort.tumours, endpoint].astype(object), errors="coerce")
        events = int((known == 1).sum())
        least = math.exp(_POWER / math.sqrt(events))
        parts.append(
            f"{endpoint} ({int(known.notna().sum())} patients, {events} events) {least:.2f} or {1 / least:.2f}"
        )
    return (
        f"{cohort.name}: the hazard ratio per SD that one unadjusted test detects with 80% power is, for "
        f"{'; for '.join(parts)}. Smaller effects are easily missed: absence of evidence is not evidence of absence."
    )


def power_note(cohort: Cohort) -> str:
    """State the same of the first endpoint in one line, for the board."""
    endpoint = cohort.endpoints[0]
    known = pd.to_numeric(cohort.obs.loc[cohort.tumours, endpoint].astype(object), errors="coerce")
    events = int((known == 1).sum())
    least = math.exp(_POWER / math.sqrt(events))
    return (
        f"{endpoint}, {ENDPOINTS[endpoint].title if endpoint in ENDPOINTS else 'an outcome of this cohort'}: {events} "
        f"events in {int(known.notna().sum())} patients give 80% power for a hazard ratio per SD of {least:.2f} or "
        f"more, or {1 / least:.2f} or less. Absence of evidence is not evidence of absence."
    )


def flow(cohort: Cohort) -> list[str]:
    """Return the steps from samples read to samples analysed that changed something, with the reasons."""
    table, rules = cohort.flow, cohort.table("exclusions")
    if not {"step", "samples"} <= set(table.columns) or not len(table):
        return []
    counts = [int(n) for n in table["samples"]]
    out = [f"{counts[0]} samples read"]
    steps = zip(table["step"].astype(str)[1:], counts[1:], counts[:-1], strict=True)
    out += [f"{step}: {before - now} left out, {now} stay" for step, now, before in steps if now != before]
    if {"rule", "effect"} <= set(rules.columns):
        dropped = rules.loc[rules["effect"].astype(str) == "dropped", "rule"].astype(str).value_counts()
        if len(dropped):
            out[-1] += f" (left out in all: {', '.join(f'{n} {r}'.replace('_', ' ') for r, n in dropped.items())})"
    last = table.iloc[-1]
    if {"tumours", "normals"} <= set(table.columns):
        tumours, normals = int(last["tumours"]), int(last["normals"])
        other = counts[-1] - tumours - normals
        out.append(f"analysed: {tumours} tumours, {normals} normal" + (f", {other} other" if other else ""))
    return out


def cells_sentence(cohort: Cohort) -> str:
    """Say how many cells of how many samples there are, and what the unit of comparison is."""
    samples = cohort.obs["sample"].nunique()
    types = cohort.obs["cell_type"].nunique()
    shown = f" ({len(cohort.obs):,} of them are drawn)" if cohort.total > len(cohort.obs) else ""
    unit = "nothing can be tested" if samples < 4 else "see the table by sample and cell type"
    return (
        f"{cohort.total:,} single cells{shown} of {samples} sample(s) and {types} cell type(s), without outcome. The "
        f"unit of comparison is the sample, of which there are {samples}: {unit}."
    )


def methods_text(run: Run, described: dict[str, Described]) -> list[str]:
    """Return paragraphs for the methods section of a paper.

    Parameters
    ----------
    run
        The run.
    described
        Signature -> description.

    Returns
    -------
    list of str
        Paragraphs; what was not recorded is not claimed.
    """
    config = run.record.get("config") or {}
    versions = run.record.get("versions") or {}
    version = versions.get("mtorscore", "(version not recorded)")
    collection = f"{len(described)} entries, collection hash {run.record.get('signatures_hash', 'not recorded')}"
    out = [
        f"Gene signatures of the mTOR pathway ({collection}) were scored with mtorscore {version} by "
        + scored_by(run.methods)
        + ". Identifiers were brought to current HGNC symbols; scores were made from values on a log scale."
    ]
    out += [_cohort_sentence(c) for c in run.cohorts]
    if any("associations" in c.tables for c in run.cohorts):
        out.append(
            "Each score was related to survival by a Cox model (Efron's ties) as a continuous variable, per standard "
            "deviation among the patients analysed, unadjusted and adjusted for one confounder at a time; "
            "proportional hazards were tested on scaled Schoenfeld residuals (Grambsch and Therneau, Biometrika "
            "1994), discrimination is Harrell's C with a jackknife interval, and p values were adjusted by Benjamini "
            "and Hochberg (JRSS B 1995) over the signatures of one method, endpoint and model. Below ten events per "
            "parameter Firth's penalty was used. Kaplan-Meier curves are cut at the median, set before looking."
        )
        if config.get("null_sets"):
            out.append(
                f"Each effect was compared with that of {config['null_sets']} random signatures of the same size and "
                "expression, scored and tested alike (Venet et al., PLoS Comput Biol 2011)."
            )
    if any("survival_models" in c.tables for c in run.cohorts):
        out.append(
            "Survival was predicted by ridge-penalised Cox models on one score per branch, the clinical variables "
            "alone and both, in nested cross-validation (at most two repeats); the risks of held-out patients are "
            "shown by calibration in fifths and by decision curves (Vickers and Elkin, Med Decis Making 2006)."
        )
    if any(c.cells for c in run.cohorts):
        out.append(
            "Single cells were scored one by one and summarised by sample and cell type; groups of fewer than ten "
            "cells are left out, and cells are never treated as independent observations."
        )
    if any("contrasts" in c.tables for c in run.cohorts):
        out.append(
            "Scores were compared between groups by linear models of each score, with pairs or blocks as fixed effects "
            "and covariates where the design has them; differences are also given as Hedges' g, p values are those of "
            "moderated t tests (Smyth, Stat Appl Genet Mol Biol 2004), adjusted by Benjamini and Hochberg over the "
            "signatures and groups of one method and comparison, and stand beside permutation tests."
        )
    if any("gsea" in c.tables for c in run.cohorts):
        out.append(
            "Gene set enrichment between groups of samples (Subramanian et al., PNAS 2005) was computed with gseapy "
            f"{versions.get('gseapy', '(version not recorded)')} on values on a log scale, genes ranked by the "
            f"signal-to-noise ratio, with {config.get('gsea_permutations', '?')} permutations of the samples where "
            "both groups have seven or more, else of the genes."
        )
    if any("classifiers" in c.tables for c in run.cohorts):
        out.append(
            f"Classifiers are ridge-penalised logistic models in nested cross-validation ({config.get('cv_folds', '?')}"
            f" folds, {config.get('cv_repeats', '?')} repeats, stratified, by patient), with everything that learns "
            "inside the folds, beside a dummy and, where the cohort has them, clinical variables alone."
        )
    return out


def scored_by(methods: Sequence[str]) -> str:
    """Name scoring methods and cite them, each source once; one that this version does not know is named only."""
    specs = {m: registry.get(m) for m in methods if m in registry.NAMES}
    names = ", ".join(specs[m].title if m in specs else m for m in methods) or "no method"
    cited = dict.fromkeys(spec.citation for spec in specs.values() if spec.citation != NO_ORIGIN)
    return f"{names} ({'; '.join(cited)})" if cited else names


def _cohort_sentence(cohort: Cohort) -> str:
    if cohort.cells:
        of = f"{cohort.total:,} single cells of {cohort.obs['sample'].nunique()} sample(s)"
        return f"{cohort.name} is a cohort of {of}, {cohort.n_vars:,} genes."
    kind = "a simulated cohort" if cohort.simulated else "the cohort"
    units = unit_name(cohort.source.get("units")) or "values of unstated units"
    units += ", a guess" if any(g.startswith("units ") for g in cohort.guesses) else ""
    found = group_counts(cohort)
    plain = cohort.group == "sample_type"
    parts = [f"{n} {k}" for k, n in sorted(found.items(), key=lambda i: (i[0] != "tumour", i[0]) if plain else (0,))]
    ends = []
    for endpoint in cohort.endpoints:
        events = int((pd.to_numeric(cohort.obs.loc[cohort.tumours, endpoint].astype(object)) == 1).sum())
        ends.append(f"{endpoint} {events}")
    tail = f"events: {', '.join(ends)}" if ends else "no survival endpoint"
    samples = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts) or str(len(cohort.obs))
    return f"{cohort.name} is {kind} of {samples} samples ({cohort.n_vars:,} genes, {units}); {tail}."


def unit_name(units: object) -> str:
    """Return a unit in its usual spelling: ``FPKM`` for ``fpkm``."""
    text = str(units or "")
    return text.upper() if text in ("fpkm", "tpm", "rpkm", "cpm", "rsem") else text


def facts(cohort: Cohort) -> list[tuple[str, str]]:
    """Return facts about the data that were read, as rows of a small table.

    Parameters
    ----------
    cohort
        Results.

    Returns
    -------
    list of tuple
        Name and value; only what is known.
    """
    source = cohort.source
    rows: list[tuple[str, Any]] = [
        ("Kind", "simulated: no patients" if cohort.simulated else source.get("kind")),
        ("File", source.get("file")),
        ("Accession", source.get("accession")),
        ("Units", unit_name(source.get("units"))),
        ("Guessed, not declared", "; ".join(cohort.guesses)),
        ("Cells", f"{cohort.total:,}" if cohort.cells else None),
        ("Samples", str(cohort.obs["sample"].nunique()) if cohort.cells else _kinds(cohort)),
        ("Cell types", _most_common(cohort.obs["cell_type"]) if cohort.cells else None),
        ("Genes", f"{cohort.n_vars:,}"),
        ("Left out", _left_out(cohort)),
        ("SHA-256", None if cohort.manifest.get("files") else source.get("sha256")),
        ("Note", source.get("description")),
    ]
    out = [(k, str(v)) for k, v in rows if v not in (None, "", [], {})]
    for file in cohort.manifest.get("files", []):
        if isinstance(file, dict) and file.get("sha256"):
            out.append((f"File {file.get('path', '')}", f"{file.get('bytes', '?')} bytes, SHA-256 {file['sha256']}"))
    return out


def _most_common(values: pd.Series) -> str:
    counts = values.astype(str).value_counts()
    more = f" and {len(counts) - 12} more" if len(counts) > 12 else ""
    return ", ".join(f"{n} {k}" for k, n in counts.head(12).items()) + more


def _left_out(cohort: Cohort) -> str:
    table = cohort.table("exclusions")
    if not len(table):
        return "none listed"
    if "effect" not in table:
        return f"{len(table)} samples"
    dropped = int((table["effect"].astype(str) == "dropped").sum())
    return f"{dropped} {cohort.unit}s; {len(table) - dropped} remarks on {cohort.unit}s that stayed"


def _kinds(cohort: Cohort) -> str:
    return ", ".join(f"{n} {k}" for k, n in group_counts(cohort).items()) or str(len(cohort.obs))
