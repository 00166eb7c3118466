"""Learn a weighted mTORC1 footprint, and judge it on studies that it has not seen.

Usage, from the repository's root: python -m benchmarks.readout.train --shared ../shared

The procedure was fixed before its results were looked at. Candidates are the genes of five arms of the library (SREBP,
ATF4 and one-carbon, ribosome biogenesis, glycolysis and HIF, TFEB), proliferation genes left out. A gene's deviates
(moderated t, standardised over genes, positive with mTORC1) are averaged within each study, then over studies, and
shrunken by K / (K + 4) for K studies; genes on the wrong side of their arm get no weight. Leave-one-study-out: fed and
starved cells, and array and RNA-seq of one laboratory, are one fold. The standardised effect on a held-out study is
the weighted mean deviate less the mean of all genes, in standard deviations over genes, times the design's direction.
The footprint is a default only if the paired difference to every comparator has a lower 95% bound above 0 over
studies. Writes signatures/mtorc1/MTORC1_FOOTPRINT_LEARNED.yaml, tables/footprint.tsv and docs/evidence/footprint.md.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.readout.alternatives import PROCEDURES
from benchmarks.readout.data import arms, drug_background, profiles
from benchmarks.readout.rotation import gene_effects
from benchmarks.readout.run import LEARNED, RAPALOGS
from mtorscore.collection import Signature, library
from mtorscore.collection.yaml_text import dump
from mtorscore.tl.analysis.linear.moderation import variance_prior

ROOT = Path(__file__).resolve().parents[2]
NAME = "MTORC1_FOOTPRINT_LEARNED"
ARMS: dict[str, tuple[tuple[str, ...], int]] = {
    "SREBP": (("MTORC1_LIPID_STEROL", "SREBP1_LIPOGENIC_CORE", "SREBP2_CHOLESTEROL_CORE"), 1),
    "ATF4": (("MTORC1_ATF4",), 1),
    "ribosome biogenesis": (("RIBI_CORE", "S6K_RIBI_CURATED"), 1),
    "glycolysis and HIF": (("MTORC1_GLYCOLYSIS_HIF1",), 1),
    "TFEB": (("CLEAR_TFEB",), -1),
}
PROLIFERATION = ("META_PCNA", "CELL_CYCLE_G1S", "CELL_CYCLE_G2M", "HALLMARK_E2F_TARGETS", "HALLMARK_G2M_CHECKPOINT")
COMPARATORS = ("HALLMARK_MTORC1_SIGNALING", "MTOR_UP.V1", "PROGENY_PI3K")
SHRINKAGE = 4.0
FEWEST_GENES = 3


def deviates(shared: Path) -> dict[str, pd.DataFrame]:
    """Return per study genes x contrasts of standardised deviates, positive with mTORC1 activity."""
    studies: dict[str, dict[str, pd.Series]] = defaultdict(dict)
    for arm in arms(shared):
        sign = arm.activity.get("mtorc1", 0)
        if sign:
            effects = gene_effects(np.asarray(arm.data.X, dtype=np.float64), arm.treated, arm.block)
            t = pd.Series(_moderated(effects), index=arm.data.var_names)
            studies[arm.study][arm.name] = sign * _standard(t)
    for profile in profiles(shared):
        studies[profile.study][profile.name] = profile.activity["mtorc1"] * _standard(profile.z)
    background = drug_background(shared)
    ranks = background.rank(axis=1) / (background.shape[1] + 1)
    for drug, name in RAPALOGS.items():
        z = pd.Series(stats.norm.ppf(ranks.loc[drug]), index=background.columns)
        studies["L1000"][name] = -_standard(z)
    return {study: pd.DataFrame(columns) for study, columns in studies.items()}


def _moderated(effects: np.ndarray) -> np.ndarray:
    degrees = effects.shape[0] - 1
    variance = (effects[1:] ** 2).sum(axis=0) / degrees
    prior, prior_degrees = variance_prior(variance, degrees)
    prior_degrees = min(prior_degrees, 1e6)
    posterior = (prior_degrees * prior + degrees * variance) / (prior_degrees + degrees)
    t: np.ndarray = effects[0] / np.sqrt(posterior)
    return t


def _standard(t: pd.Series) -> pd.Series:
    z: pd.Series = (t - t.mean()) / t.std()
    return z.clip(-8, 8)


def candidates() -> dict[str, tuple[str, int]]:
    """Return gene -> arm and direction; the first arm that holds a gene keeps it."""
    everything = library(experimental=True)
    taken = {g for name in PROLIFERATION for g in everything[name].genes}
    out: dict[str, tuple[str, int]] = {}
    for arm, (names, sign) in ARMS.items():
        for name in names:
            for gene in everything[name].genes:
                if gene not in taken:
                    out.setdefault(gene, (arm, sign))
    return out


def learn(studies: dict[str, pd.DataFrame]) -> pd.Series:
    """Return signed weights of the genes that stand on their arm's side."""
    means = pd.DataFrame({study: table.mean(axis=1) for study, table in studies.items()})
    weights = {}
    for gene, (_, sign) in candidates().items():
        if gene not in means.index:
            continue
        seen = means.loc[gene].dropna()
        value = float(seen.mean() * len(seen) / (len(seen) + SHRINKAGE))
        if value * sign > 0:
            weights[gene] = value
    return pd.Series(weights, dtype=np.float64)


def effect(table: pd.DataFrame, weights: pd.Series) -> float:
    """Return the standardised effect on a study, the mean over its contrasts; NaN with fewer than three genes."""
    out = []
    for name in table:
        z = table[name].dropna()
        shared = weights.index.intersection(z.index)
        if len(shared) >= FEWEST_GENES:
            w = weights[shared]
            out.append(float((z[shared] @ w - z.mean() * w.sum()) / w.abs().sum() / z.std()))
    return float(np.mean(out)) if out else float("nan")


def alternatives(studies: dict[str, pd.DataFrame], held_out: pd.DataFrame) -> pd.DataFrame:
    """Return the paired differences of other procedures to every comparator; see `benchmarks.readout.alternatives`."""
    arms_of = {
        arm: pd.Series({g: float(sign) for g, (a, sign) in candidates().items() if a == arm}, dtype=np.float64)
        for arm in ARMS
    }
    everything = library(experimental=True)
    left_out = {g for name in PROLIFERATION for g in everything[name].genes}
    tables = []
    for name, procedure in PROCEDURES.items():
        own = {
            held: effect(table, procedure({s: t for s, t in studies.items() if s != held}, arms_of, left_out, effect))
            for held, table in studies.items()
        }
        differences = compare(held_out.assign(**{NAME: pd.Series(own)}))
        tables.append(differences.assign(procedure=name, mean=float(np.mean(list(own.values())))))
    return pd.concat(tables, ignore_index=True)[
        ["procedure", "mean", "comparator", "studies", "difference", "low", "high"]
    ]


def leave_one_out(studies: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return held-out standardised effects, studies x footprint, its arms, and the comparators."""
    everything = library(experimental=True)
    arm_of = candidates()
    rows = {}
    for held, table in studies.items():
        weights = learn({s: t for s, t in studies.items() if s != held})
        row = {NAME: effect(table, weights)}
        for arm in ARMS:
            row[f"arm: {arm}"] = effect(table, weights[[arm_of[g][0] == arm for g in weights.index]])
        for name in COMPARATORS:
            signature = everything[name]
            if isinstance(signature, Signature):
                row[name] = effect(table, pd.Series(signature.signed_weights()))
        rows[held] = row
    return pd.DataFrame(rows).T


def compare(held_out: pd.DataFrame) -> pd.DataFrame:
    """Return the paired difference to each comparator with its 95% interval over studies (Student's t)."""
    rows = []
    for name in COMPARATORS:
        difference = (held_out[NAME] - held_out[name]).dropna()
        half = stats.t.ppf(0.975, len(difference) - 1) * difference.std() / np.sqrt(len(difference))
        rows.append((name, len(difference), difference.mean(), difference.mean() - half, difference.mean() + half))
    return pd.DataFrame(rows, columns=["comparator", "studies", "difference", "low", "high"])


def document(weights: pd.Series, differences: pd.DataFrame, version: str, default: bool) -> dict[str, object]:
    """Return the library's file of the footprint."""
    arm_of = candidates()
    out: dict[str, object] = {
        "id": NAME,
        "kind": "signature",
        "title": "mTORC1 footprint with weights learned over perturbation studies",
        "branch": "mtorc1",
        "level": "transcriptional",
        "sign": 1,
    }
    if not default:
        out["experimental"] = True
    out["seeds"] = ["S01"]
    for direction, side in (("up", 1), ("down", -1)):
        chosen = weights[np.sign(weights) == side].abs().sort_index()
        out[direction] = {
            "cross-checked": {
                g: {"weight": round(float(w), 3), "source": arm_of[g][0]} for g, w in chosen.items() if w >= 0.001
            }
        }
    least = differences.loc[differences["low"].idxmin()]
    out |= {
        "sources": [
            {
                "name": "Genes of the library's SREBP, ATF4, ribosome-biogenesis, glycolysis and TFEB entries",
                "role": "cross-check",
            },
            {
                "name": f"{LEARNED}readout/train.py on seven perturbation studies (docs/evidence/footprint.md)",
                "role": "rationale",
            },
        ],
        "licence": "Gene names are facts; selection BSD-3-Clause",
        "expected": {"rapalog": "down", "active_site": "down", "tsc_loss": "up"},
        "caveat": _caveat(least, default),
        "added": version,
    }
    return out


def _caveat(least: pd.Series, default: bool) -> str:
    interval = f"{least['difference']:+.2f} (95% {least['low']:+.2f} to {least['high']:+.2f})"
    return (
        f"Judged leave-one-study-out, its advantage over {least['comparator']} is {interval} standardised units over "
        f"{int(least['studies'])} studies{'' if default else ', so it is not a default'}; its arms disagree."
    )


def page(
    held_out: pd.DataFrame, differences: pd.DataFrame, others: pd.DataFrame, weights: pd.Series, default: bool
) -> str:
    """Return docs/evidence/footprint.md."""
    lines = ["# A footprint of our own", "", " ".join((__doc__ or "").split("\n\n")[2].split("Writes")[0].split()), ""]
    lines += ["## Held-out standardised effect", "", "| study | " + " | ".join(held_out.columns) + " |"]
    lines += ["| --- |" + " ---: |" * held_out.shape[1]]
    for study, row in held_out.iterrows():
        lines.append(f"| {study} | " + " | ".join("" if np.isnan(v) else f"{v:+.2f}" for v in row) + " |")
    lines += ["", "## Against what is there", "", "| comparator | studies | difference | 95% interval |"]
    lines += ["| --- | ---: | ---: | --- |"]
    for row in differences.itertuples():
        lines.append(
            f"| `{row.comparator}` | {row.studies} | {row.difference:+.2f} | {row.low:+.2f} to {row.high:+.2f} |"
        )
    verdict = "Every lower bound is above 0: the footprint is on by default."
    if not default:
        verdict = (
            "Not every lower bound is above 0: the footprint ships as experimental, off by default. The arms do not "
            "move together, and seven studies of different cells, species and assays are few."
        )
    lines += ["", verdict, "", *_others(others)]
    lines += ["", f"{len(weights)} genes; weights are in `signatures/mtorc1/{NAME}.yaml`.", ""]
    return "\n".join(lines)


def _others(others: pd.DataFrame) -> list[str]:
    text = (
        "Tried after these results were seen, and judged in the same way: weights per arm instead of per gene, and "
        "genes of the whole genome that move consistently. "
    )
    won = others.groupby("procedure")["low"].min() > 0
    text += (
        f"{int(won.sum())} of {len(won)} pass the test against every comparator, so the procedure is not what "
        "limits it. Held-out effect, and difference with 95% interval:"
    )
    lines = ["## Other procedures", "", text, ""]
    lines += ["| procedure | mean effect | " + " | ".join(f"against `{c}`" for c in COMPARATORS) + " |"]
    lines += ["| --- | ---: |" + " --- |" * len(COMPARATORS)]
    for name, own in others.groupby("procedure", sort=False):
        cells = [f"{r.difference:+.2f} ({r.low:+.2f} to {r.high:+.2f})" for r in own.itertuples()]
        lines.append(f"| {name} | {own['mean'].iloc[0]:+.2f} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Learn, judge, write."""
    parser = argparse.ArgumentParser(description="Learn and judge the mTORC1 footprint.")
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/perturb-* and reference/")
    studies = deviates(parser.parse_args().shared)
    held_out = leave_one_out(studies)
    differences = compare(held_out)
    default = bool((differences["low"] > 0).all())
    others = alternatives(studies, held_out)
    weights = learn(studies)
    results = Path(__file__).parent / "tables"
    results.mkdir(exist_ok=True)
    held_out.to_csv(results / "footprint.tsv", sep="\t", float_format="%.4f", index_label="study")
    differences.to_csv(results / "footprint_differences.tsv", sep="\t", float_format="%.4f", index=False)
    others.to_csv(results / "footprint_alternatives.tsv", sep="\t", float_format="%.4f", index=False)
    known = library(experimental=True)
    added = known[NAME].added if NAME in known else known.version
    target = ROOT / "signatures" / "mtorc1" / f"{NAME}.yaml"
    target.write_text(dump(document(weights, differences, added, default)), encoding="utf-8")
    target = ROOT / "docs" / "evidence" / "footprint.md"
    target.write_text(page(held_out, differences, others, weights, default), encoding="utf-8")
    print(held_out.round(2).to_string())
    print(differences.round(2).to_string())
    print(others.round(2).to_string())


if __name__ == "__main__":
    main()
