"""Frozen models tried where they were not fitted: hospitals left out one by one in TCGA-LIHC, and LIHC on CHOL.

Run from the repository's root as ``python -m benchmarks.prognosis.site_study DATA [OUT.md] [TABLE.tsv]`` where DATA is
the folder of raw cohorts (``tcga-lihc``, ``tcga-chol``, ``tcga-cdr``); by default into ``docs/evidence/site_study.md``
and ``site_study.tsv`` beside this file; about ten minutes on one core.

The stated interval is what `evaluate` (nested cross-validation) says of a model within the patients that it is fitted
on, before anybody looks at the others. Beside it stands what `validate` finds for the frozen model in the patients that
were left out.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.prognosis import liver_study
from mtorscore import __version__
from mtorscore.errors import MtorscoreWarning
from mtorscore.prognosis import evaluate, fit_model, meta_analyse_performance, validate

HERE = Path(__file__).parent
ENDPOINTS = ("OS", "PFI")
CLINICAL = ("age", "sex", "stage")
MODELS: dict[str, tuple[str, ...]] = {"score": (), "clinical + score": CLINICAL}
LEAST = 10
HORIZON = 365.25
"""Days: the longest follow-up of one site is 382."""
POOLED = "other sites"
METRICS = ("harrell_c", "calibration_slope", "observed_expected", "ici", "scaled_brier")


def sites(index: pd.Index) -> pd.Series:
    """Return the tissue source site of each barcode, those with fewer than ten patients pooled."""
    site = pd.Series([str(b).split("-")[1] for b in index], index=index)
    counts = site.value_counts()
    return site.where(site.map(counts) >= LEAST, POOLED)


def stated(scores: pd.DataFrame, clinical: pd.DataFrame, name: str, model: str) -> dict[str, float]:
    """Return what nested cross-validation states of a model's concordance within these patients."""
    result = evaluate(
        None, scores, clinical, liver_study.endpoint(name), MODELS[model], n_splits=5, n_repeats=4, n_boot=300
    )
    rows = result.summary.set_index(["model", "metric"])
    row = rows.loc[(model, "harrell_c")]
    return {"stated": row["value"], "stated_low": row["low"], "stated_high": row["high"]}


def tried(train: Any, test: Any, name: str, model: str) -> tuple[dict[str, Any], Any]:
    """Fit on one part, state, freeze, apply to the other."""
    (x, clinical), (x_other, other) = train, test
    endpoint = liver_study.endpoint(name)
    frozen = fit_model(x, clinical, endpoint, MODELS[model], name=f"{name}, {model}")
    row: dict[str, Any] = {"endpoint": name, "model": model, "n_fitted": frozen.training["n"]}
    row |= {"events_fitted": frozen.training["events"], "n_needed": frozen.training["n_needed"]}
    row |= stated(x, clinical, name, model)
    found = validate(frozen, x_other, other, endpoint, horizon=HORIZON, n_boot=500)
    summary = found.summary.set_index("metric")
    row |= {"n": int(summary["n"].iloc[0]), "events": int(summary["events"].iloc[0])}
    row |= {"horizon": float(summary["horizon"].iloc[0]), "valid": bool(summary["valid"].iloc[0])}
    for metric in METRICS:
        row |= {metric: summary.loc[metric, "value"], f"{metric}_low": summary.loc[metric, "low"]}
        row |= {f"{metric}_high": summary.loc[metric, "high"]}
    row["notes"] = "; ".join(found.notes)
    return row, found


def text(row: Any, metric: str) -> str:
    """Return a value with its interval."""
    value, low, high = (getattr(row, metric + end) for end in ("", "_low", "_high"))
    if not np.isfinite(value):
        return "not defined"
    return f"{value:.2f}" + (f" ({low:.2f} to {high:.2f})" if np.isfinite(low) else "")


def short(value: float) -> str:
    """Return a number, or that it is not defined."""
    return f"{value:.2f}" if np.isfinite(value) else "not defined"


def verdict(row: Any) -> str:
    """Say where the concordance elsewhere lies beside the stated interval, and whether both intervals meet."""
    if not np.isfinite(row.harrell_c):
        return "not defined"
    if row.stated_low <= row.harrell_c <= row.stated_high:
        return "inside"
    meet = row.harrell_c_low <= row.stated_high and row.harrell_c_high >= row.stated_low
    return ("below" if row.harrell_c < row.stated_low else "above") + (", intervals meet" if meet else "")


def lines_of(table: pd.DataFrame) -> list[str]:
    """Return the Markdown table of one endpoint and model."""
    head = ["left out", "fitted on (events)", "stated C", "tried on (events)", "C there", "beside the stated", "slope"]
    head += ["O/E", "scaled Brier"]
    out = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for row in table.itertuples():
        mark = "" if row.valid else " !"
        out.append(
            f"| {row.left_out} | {row.n_fitted} ({row.events_fitted}) | {row.stated:.2f} ({row.stated_low:.2f} to "
            f"{row.stated_high:.2f}) | {row.n} ({row.events}){mark} | {text(row, 'harrell_c')} | {verdict(row)} | "
            f"{text(row, 'calibration_slope')} | {text(row, 'observed_expected')} | {short(row.scaled_brier)} |"
        )
    return out


def combined(found: dict[str, Any]) -> str:
    """Say what the sites give together."""
    table = meta_analyse_performance(found).set_index("metric")
    parts = []
    for metric, name in (("harrell_c", "C"), ("observed_expected", "O/E"), ("calibration_slope", "slope")):
        row = table.loc[metric]
        wide = ""
        if np.isfinite(row["prediction_low"]):
            wide = f", a further site between {row['prediction_low']:.2f} and {row['prediction_high']:.2f}"
        parts.append(f"{name} {row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f}{wide}; {row['cohorts']} sites)")
    return "Sites combined by random effects: " + "; ".join(parts) + "."


PREFACE = """# A frozen model tried where it was not fitted

No figure on this page is typed by hand. Scores by {method}, one signature per branch, chosen by the rule of
[the liver study](liver_study.md) ({n} signatures); ridge Cox models, the penalty tuned inside the patients that a model
is fitted on; `clinical` is age, sex and stage. Each model is fitted on all patients but one tissue source site of
TCGA-LIHC (the second part of the barcode: the hospital that sent the tissue; sites below {least} patients are pooled),
frozen, and applied to that site as it is. LIHC on CHOL is another tumour: it tests transport and recommends nothing.

*Stated* is what nested cross-validation (5 folds, 4 repeats) says of Harrell's C within the patients that the model is
fitted on, with its 95% interval; *C there* is what the frozen model reaches in the patients left out, with the interval
of a bootstrap over these patients. O/E is observed over expected risk by one year (one site has no longer follow-up).
`!` marks fewer than ten events there: such a figure is not to be trusted. The stated interval is that of the mean
performance of the procedure; what a single small site gives scatters more, so that a C outside it contradicts the
statement only where the two intervals do not meet.

| | |
| --- | --- |
| command | `{command}` |
| commit | {commit} |
| date | {date} |
| version | mtorscore {version} |
"""


def summary_of(table: pd.DataFrame) -> list[str]:
    """Say in words how often the stated interval held what came out."""
    out = []
    for (name, model), part in table.groupby(["endpoint", "model"], sort=False):
        here = part[part["left_out"] != "CHOL"]
        good = here[here["valid"]]
        where = [verdict(r) for r in good.itertuples()]
        counts = "; ".join(f"{where.count(w)} {w}" for w in dict.fromkeys(where))
        mean = float(np.average(good["harrell_c"], weights=good["events"])) if len(good) else float("nan")
        chol = part[part["left_out"] == "CHOL"].iloc[0]
        out.append(
            f"- **{name}, {model}**: stated C {here['stated'].mean():.2f} on average; in the {len(good)} sites left "
            f"out that have ten events {mean:.2f} (weighted by events): {counts or 'none'}. On CHOL "
            f"{text(chol, 'harrell_c')}, {verdict(chol)} what LIHC stated ({chol['stated']:.2f}, "
            f"{chol['stated_low']:.2f} to {chol['stated_high']:.2f})."
        )
    return out


def study(data: Path) -> tuple[pd.DataFrame, dict[tuple[str, str], str], int]:
    """Return one row per endpoint, model and part left out; what the sites give together; number of signatures."""
    names = list(liver_study.declared()[0].values())
    key = f"score_{liver_study.METHOD}"
    lihc, chol = (liver_study.tcga(data, c) for c in ("tcga-lihc", "tcga-chol"))
    x, clinical = lihc.obsm[key][names], lihc.obs
    site = sites(x.index)
    rows, together = [], {}
    for name in ENDPOINTS:
        for model in MODELS:
            found = {}
            for held in sorted(site.unique(), key=lambda s: (s == POOLED, s)):
                out = (site == held).to_numpy()
                row, result = tried((x[~out], clinical[~out]), (x[out], clinical[out]), name, model)
                rows.append({"left_out": held} | row)
                found[held] = result
            together[(name, model)] = combined(found)
            other = (chol.obsm[key][names], chol.obs)
            rows.append({"left_out": "CHOL"} | tried((x, clinical), other, name, model)[0])
    return pd.DataFrame(rows), together, len(names)


def main() -> None:
    """Write page and table."""
    data = Path(sys.argv[1])
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else liver_study.ROOT / "docs" / "evidence" / "site_study.md"
    tsv = Path(sys.argv[3]) if len(sys.argv) > 3 else HERE / "site_study.tsv"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MtorscoreWarning)
        table, together, n = study(data)
    # The last commit of the package: that of a branch may be rewritten.
    git = ["git", "-C", str(liver_study.ROOT), "log", "-1", "--format=%h", "--", "mtorscore"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    record = {
        "command": "python -m benchmarks.prognosis.site_study DATA", "commit": commit, "version": __version__,
        "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    text_of = [PREFACE.format(method=liver_study.METHOD, n=n, least=LEAST, **record), "## In short", ""]
    text_of += [*summary_of(table), ""]
    for (name, model), part in table.groupby(["endpoint", "model"], sort=False):
        text_of += [f"## {name}, {model}", "", *lines_of(part), "", together[(str(name), str(model))], ""]
    notes = table.loc[table["left_out"] == "CHOL", ["endpoint", "model", "notes"]]
    text_of += ["## What `validate` notes of LIHC on CHOL", ""]
    text_of += [f"- {r.endpoint}, {r.model}: {r.notes}" for r in notes.itertuples()]
    out.write_text("\n".join(text_of).rstrip("\n") + "\n")
    head = "".join(f"# {k}: {v}\n" for k, v in record.items())
    tsv.write_text(head + table.to_csv(sep="\t", index=False, float_format="%.4g"))


if __name__ == "__main__":
    main()
