"""Answer the systems of the seed review from the data at hand: estimate, interval, n and one sentence each.

Usage, from the repository's root: python -m benchmarks.readout.seed_answers --shared ../shared

Writes signatures/seed_answers.tsv, which `mtorscore signatures system S26` and docs/evidence/seed_map.md show. What is
asked stands in `seed_plan`. A few minutes on one core.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import re
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

import mtorscore as mt
from benchmarks.readout.anchor import spearman_interval
from benchmarks.readout.data import drug_background
from benchmarks.readout.rppa import COHORTS, axes, measured
from benchmarks.readout.run import set_matrix
from benchmarks.readout.seed_plan import CHECKS, Check
from mtorscore._atomic import write_whole
from mtorscore.collection import library
from mtorscore.collection.grades import CONTEXTS, NOT_TESTED, evidence
from mtorscore.collection.library_files import SEED_COLUMNS, library_folder
from mtorscore.tl.engine.readability import opposed_in

TABLES = Path(__file__).parent / "tables"
DRUGS = {"sirolimus": "DB00877", "everolimus": "DB01590", "temsirolimus": "DB06287", "metformin": "DB00331",
         "sorafenib": "DB00398"}  # fmt: skip
PREPARED = {"tcga-lihc": "HCC", "tcga-chol": "CCA", "hcc-gse184733": "HCC"}
RECIPES = {"hcc-gse184733": "gse184733"}
LEAST = 10
DIRECTION = {1: "above 0", -1: "below 0"}
# Where a check looks, in words of a reader who knows no names of files.
PLACES = {
    "LIHC": "HCC with proteins (TCGA-LIHC)", "CHOL": "CCA with proteins (TCGA-CHOL)", "tcga-lihc": "HCC (TCGA-LIHC)",
    "tcga-chol": "CCA (TCGA-CHOL)", "hcc-gse184733": "HCC (GSE184733)", **CONTEXTS,
    **{name: f"{name} on cell lines (L1000)" for name in DRUGS},
}  # fmt: skip
Answer = dict[str, str | float | int]


@dataclass(frozen=True)
class Found:
    """An estimate with its interval."""

    estimate: float
    low: float
    high: float
    n: int
    unit: str
    why: str = ""


class Data:
    """The data at hand, read when first asked for."""

    def __init__(self, shared: Path) -> None:
        self.shared = shared
        self._tables: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}

    @cached_property
    def perturbations(self) -> pd.DataFrame:
        """Results of the readout benchmark."""
        return pd.read_csv(TABLES / "results.tsv", sep="\t").set_index(["contrast", "signature"])

    @cached_property
    def drugs(self) -> pd.DataFrame:
        """L1000 consensus."""
        return drug_background(self.shared)

    def cohort(self, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return values (scores, ``gene:`` and ``protein:`` columns) and clinical columns of a cohort's samples."""
        if name not in self._tables:
            self._tables[name] = self._measured(name) if name in COHORTS else self._prepared(name)
        return self._tables[name]

    def _prepared(self, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        adata = mt.pp.prepare_cohort(RECIPES.get(name, name), self.shared / "data")
        genes = pd.DataFrame(np.asarray(adata.layers["log"]), adata.obs_names, [f"gene:{g}" for g in adata.var_names])
        table = pd.concat([_scores(adata, "log"), genes], axis=1)
        obs = adata.obs.copy()
        if "histology" in obs:
            words = obs["histology"].astype(str).str.lower()
            obs["site"] = np.where(words.str.contains("intrahepatic"), "intrahepatic", "extrahepatic")
        return table, obs

    def _measured(self, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        one = next(measured(self.shared, {name: COHORTS[name]}))
        genes = one.rna.to_df().add_prefix("gene:")
        proteins = pd.concat([axes(one.protein), one.protein], axis=1).add_prefix("protein:")
        table = pd.concat([_scores(one.rna, None), genes, proteins], axis=1)
        _, obs = self.cohort(f"tcga-{name.lower()}")
        obs = obs[obs["sample_type"].astype(str) == "tumour"].copy()
        obs.index = obs["patient"].astype(str)
        obs = obs[~obs.index.duplicated()].reindex(table.index)
        if name == "CHOL":
            obs["metastasis"] = self._metastasis().reindex(table.index)
        return table, obs

    def _metastasis(self) -> pd.Series:
        clinical = pd.read_csv(
            self.shared / "data" / "tcga-chol" / "CHOL.clinical.tsv.gz", sep="\t", low_memory=False
        ).set_index("patient.bcr_patient_barcode")
        column = next(c for c in clinical if c.endswith("pathologic_m"))
        found = clinical[column].astype(str).str.lower().map({"m0": 0.0, "m1": 1.0})
        return found.set_axis(found.index.str.upper())


def _scores(adata: object, layer: str | None) -> pd.DataFrame:
    """Score the library; composites are standardised by the tumours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mt.errors.MtorscoreWarning)
        scored = mt.tl.score(adata, library(), method="singscore", layer=layer, copy=True)  # type: ignore[call-overload]
    table = scored.obsm["score_singscore"].copy()
    kinds = scored.obs.get("sample_type", pd.Series("tumour", index=table.index)).astype(str)
    for c in (e for e in library() if isinstance(e, mt.collection.Composite)):
        tumours = table.loc[(kinds == "tumour").to_numpy(), list(c.parts)]
        z = (table[list(c.parts)] - tumours.mean()) / tumours.std()
        table[c.id] = sum(w * z[p] for p, w in c.parts.items())
    return table


def grade(check: Check, _: Data) -> Found:
    """Take what the evidence says of an entry."""
    one = evidence()[check.what][check.where]
    if one.grade == NOT_TESTED:
        return Found(math.nan, math.nan, math.nan, one.n, one.measure, "it was not tested")
    unit = (
        f"Spearman's rho with {one.measure}" if one.statistic == "rho" else "combined deviate of perturbation studies"
    )
    sign = one.claim  # the review's claim is that the score reads its branch
    numbers = sorted([one.low * sign, one.high * sign])
    return Found(one.estimate * sign, *numbers, one.n, f"{unit}, positive as claimed")


def correlation(check: Check, data: Data) -> Found:
    """Correlate two values over the tumours of a cohort."""
    table, obs = data.cohort(check.where)
    table = table[_tumours(obs)]
    lacking = [c for c in (check.what, check.other) if c not in table]
    if lacking:
        return Found(math.nan, math.nan, math.nan, 0, "Spearman's rho", f"{lacking[0]} is not in the data")
    both = table[[check.what, check.other]].dropna()
    return _rho(both[check.what], both[check.other], f"Spearman's rho with {check.other}")


def ordered(check: Check, data: Data) -> Found:
    """Correlate a value with an ordered clinical column."""
    table, obs = data.cohort(check.where)
    rows = _tumours(obs) & _only(obs, check.only)
    order = obs[check.other]
    if not pd.api.types.is_numeric_dtype(order):
        order = pd.to_numeric(order.astype(str).str.extract(r"(\d)")[0])
    both = pd.DataFrame({"x": table[check.what], "y": order.astype(float)})[rows].dropna()
    return _rho(both["x"], both["y"], f"Spearman's rho with {check.other}")


def outcome(check: Check, data: Data) -> Found:
    """Return the hazard ratio per SD of a value."""
    table, obs = data.cohort(check.where)
    rows = _tumours(obs) & _only(obs, check.only)
    endpoint = mt.prognosis.Endpoint.survival(time=f"{check.other}.time", event=check.other, unit="days")
    chosen = table.loc[rows, [check.what]].dropna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mt.errors.MtorscoreWarning)
        row = mt.prognosis.associate(chosen, obs.loc[chosen.index], endpoint, negative_controls=(), n_boot=0).iloc[0]
    unit = f"log hazard ratio per SD, {check.other}, {int(row['events'])} events"
    numbers = [float(np.log(row[k])) for k in ("hr", "hr_low", "hr_high")]
    return Found(*numbers, int(row["n"]), unit)


def normal(check: Check, data: Data) -> Found:
    """Compare tumours with normal tissue."""
    table, obs = data.cohort(check.where)
    t, r = (table.loc[(obs["sample_type"].astype(str) == k).to_numpy(), check.what] for k in ("tumour", "normal"))
    n, m = len(t), len(r)
    pooled = math.sqrt(((n - 1) * t.var() + (m - 1) * r.var()) / (n + m - 2))
    g = float((t.mean() - r.mean()) / pooled) * (1 - 3 / (4 * (n + m) - 9))
    half = 1.959964 * math.sqrt((n + m) / (n * m) + g**2 / (2 * (n + m)))
    return Found(g, g - half, g + half, n + m, f"Hedges' g, {n} tumours against {m} normal")


def share(check: Check, data: Data) -> Found:
    """Return the share of tumours beyond the normals' quantile."""
    table, obs = data.cohort(check.where)
    kind = obs["sample_type"].astype(str).to_numpy()
    row = mt.prognosis.activation(
        table[[check.what]], kind == "tumour", kind == "normal", disease=PREPARED[check.where].lower(),
        signs={check.what: -1 if check.other == "low" else 1}, n_boot=1000,
    ).iloc[0]  # fmt: skip
    unit = f"share of tumours beyond 95% of {row['n_reference']} normal samples"
    if not row["called"]:
        return Found(math.nan, math.nan, math.nan, int(row["n_tumour"]), unit, str(row["reason"]))
    return Found(*(float(row[k]) for k in ("active", "active_low", "active_high")), int(row["n_tumour"]), unit)


def perturbation(check: Check, data: Data) -> Found:
    """Take an effect of the readout benchmark."""
    if (check.where, check.what) not in data.perturbations.index:
        return Found(math.nan, math.nan, math.nan, 0, "effect", "too few of its genes were measured")
    row = data.perturbations.loc[(check.where, check.what)]
    replicates = pd.notna(row["n_treated"])
    genes = len(library(experimental=True)[check.what].genes) or sum(
        len(library(experimental=True)[p].genes) for p in getattr(library(experimental=True)[check.what], "parts", ())
    )
    n = int(row["n_treated"] + row["n_control"]) if replicates else round(float(row["coverage"]) * genes)
    unit = "Hedges' g of treated against control" if replicates else "standardised mean deviate of its n genes"
    return Found(float(row["hedges_g"]), float(row["g_low"]), float(row["g_high"]), n, unit)


def drug(check: Check, data: Data) -> Found:
    """Return a drug's place among all, as a robust deviate with the spread of the others for its interval."""
    if DRUGS[check.where] not in data.drugs.index:
        return Found(math.nan, math.nan, math.nan, 0, "deviate", f"{check.where} is not among the drugs measured")
    entry = library(experimental=True)[check.what]
    sets = set_matrix([entry], list(data.drugs.columns))  # type: ignore[list-item]
    ranks = data.drugs.rank(axis=1).to_numpy() / data.drugs.shape[1] - 0.5
    scores = (ranks @ sets)[:, 0]
    spread = float(stats.median_abs_deviation(scores, scale="normal"))
    z = float((scores[data.drugs.index.get_loc(DRUGS[check.where])] - np.median(scores)) / spread)
    unit = f"robust deviate among {len(scores)} drugs, {int((sets != 0).sum())} genes measured"
    return Found(z, z - 1.959964, z + 1.959964, len(scores), unit)


KINDS = {
    "grade": grade, "correlation": correlation, "ordered": ordered, "outcome": outcome, "normal": normal,
    "share": share, "perturbation": perturbation, "drug": drug,
}  # fmt: skip


def _text(value: str | float | int) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3g}"
    return str(value)


def _tumours(obs: pd.DataFrame) -> np.ndarray:
    return np.asarray(obs["sample_type"].astype(str) == "tumour")


def _only(obs: pd.DataFrame, site: str) -> np.ndarray:
    return np.asarray(obs["site"].astype(str) == site) if site else np.ones(len(obs), dtype=bool)


def _rho(x: pd.Series, y: pd.Series, unit: str) -> Found:
    n = len(x)
    if n < LEAST or x.nunique() < 2 or y.nunique() < 2:
        return Found(math.nan, math.nan, math.nan, n, unit, f"{n} tumours are too few, or the values do not vary")
    rho = np.array([float(stats.spearmanr(x, y).statistic)])
    low, high, _ = spearman_interval(rho, n)
    return Found(float(rho[0]), float(low[0]), float(high[0]), n, unit)


def context_of(check: Check) -> str | None:
    """Return the context that a check is about."""
    return {"LIHC": "HCC", "CHOL": "CCA", **PREPARED}.get(check.where)


def verdict(check: Check, found: Found) -> tuple[str, str]:
    """Return ``yes``, ``no`` or ``cannot be said``, and why not."""
    against = opposed_in(library(experimental=True), check.what, context_of(check) or "none")
    if check.kind != "grade" and against:
        return "cannot be said", f"{check.what} is {'; '.join(against)}"
    if not math.isfinite(found.estimate) or not math.isfinite(found.low):
        return "cannot be said", found.why or "it could not be estimated"
    if isinstance(check.expected, tuple):
        least, most = check.expected
        if found.low > most or found.high < least:
            return "no", ""
        inside = least <= found.low and found.high <= most
        return ("yes", "") if inside else ("cannot be said", f"the interval reaches beyond {least:.0%} to {most:.0%}")
    low, high = sorted([found.low * check.expected, found.high * check.expected])
    against_it = f"opposed in {CONTEXTS[check.where]}" if check.kind == "grade" else ""
    return ("yes", "") if low > 0 else ("no", against_it) if high < 0 else ("cannot be said", "the interval holds 0")


def answer(system: str, check: Check, data: Data) -> Answer:
    """Return one row of the table."""
    found = KINDS[check.kind](check, data)
    said, why = verdict(check, found)
    expected = check.expected
    words = f"{expected[0]:.0%} to {expected[1]:.0%}" if isinstance(expected, tuple) else DIRECTION[expected]
    where = PLACES.get(check.where, check.where) + (f", {check.only}" if check.only else "")
    numbers = (found.estimate, found.low, found.high, found.n)
    row = (system, named(check.what), where, named(found.unit), *numbers, words, said, why)
    return dict(zip(SEED_COLUMNS, row, strict=True))


def named(text: str) -> str:
    """Return ``gene:X`` and ``protein:Y`` as words."""
    return re.sub(r"protein:(\S+)", r"\1 (protein)", re.sub(r"gene:(\S+)", r"\1 (mRNA)", text))


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description="Answer the systems of the seed review from the data at hand.")
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/")
    data = Data(parser.parse_args().shared)
    rows = [answer(system, check, data) for system, checks in CHECKS.items() for check in checks]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, SEED_COLUMNS, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: _text(v) for k, v in row.items()} for row in rows)
    write_whole(library_folder() / "seed_answers.tsv", buffer.getvalue())
    for row in rows:
        print(row["system"], row["what"], row["where"], row["answer"])


if __name__ == "__main__":
    main()
