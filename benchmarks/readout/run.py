"""Score every signature in perturbation data of known direction, and write what came out.

Usage, from the repository's root: python -m benchmarks.readout.run --shared ../shared

Writes results.tsv (one row per signature and contrast), overexpression.tsv (a weak check of direction), genes.tsv
(single genes on which the arms disagree) and docs/evidence/readout.md; `evidence` then grades the entries.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

import mtorscore as mt
from benchmarks.readout.composites import add_composites, flattened
from benchmarks.readout.data import Arm, Profile, arms, drug_background, overexpression, profiles
from benchmarks.readout.evidence import CELL_LINES, combined_by_study
from benchmarks.readout.genes import gene_changes, section
from benchmarks.readout.rotation import camera_from_z, gene_effects, rotation_test
from mtorscore.collection import Composite, Entry, Signature
from mtorscore.collection.library_files import library_meta

PRESET_RHO = 0.05
LEARNED = "Weights: benchmarks/"
"""How the source of an entry begins whose weights were learned from the data of these benchmarks."""
RAPALOGS = {"DB00877": "sirolimus", "DB01590": "everolimus", "DB06287": "temsirolimus"}
MTORC1_BRANCHES = {"mtorc1", "s6k", "srebp1", "srebp2", "pparg", "autophagy_tfeb", "feedback"}
AKT_BRANCHES = {"mtorc2_akt", "pi3k", "pten", "insulin_igf"}
DIRECTION = {"up": 1, "down": -1}
COLUMNS = [
    "study", "contrast", "signature", "branch", "level", "expected", "n_treated", "n_control", "coverage",
    "hedges_g", "g_low", "g_high", "auroc", "p", "p_method", "p_rotation", "p_permutation", "verdict",
]  # fmt: skip
SHOWN = [
    "SREBP1_LIPOGENIC_CORE", "SREBP2_CHOLESTEROL_CORE", "MTORC1_LIPID_STEROL", "MTORC1_ATF4", "MTORC1_GLYCOLYSIS_HIF1",
    "RIBI_CORE", "MTORC1_FOOTPRINT", "HALLMARK_MTORC1_SIGNALING", "MTOR_UP.V1", "CLEAR_TFEB", "TOP_RIBOSOMAL_PROTEINS",
    "AKT_UP.V1", "FOXO_TARGETS_AKT_OFF", "AKT_AXIS", "PROGENY_PI3K", "PTEN_DN.V1", "META_PCNA",
]  # fmt: skip


def learned_here(entry: Entry) -> bool:
    """Return whether an entry's weights were learned from the data of these benchmarks, so that it has seen them."""
    return any(source.name.startswith(LEARNED) for source in entry.sources)


def expected(entry: Entry, activity: dict[str, int], response: str, assay: str = "rna") -> int:
    """Return the direction that the library claims for an entry under a perturbation; 0 where it claims none."""
    if entry.level == "translational":
        return entry.sign * activity.get("mtorc1", 0) if assay == "protein" else 0
    if response:
        return DIRECTION.get(entry.expected.get(response, ""), 0) if entry.sign else 0
    axis = "mtorc1" if entry.branch in MTORC1_BRANCHES else "akt" if entry.branch in AKT_BRANCHES else ""
    return entry.sign * activity.get(axis, 0)


def set_matrix(signatures: Sequence[Signature], genes: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return ``(n_genes, n_signatures)`` signed weights whose absolute columns sum to 1 (0 without any gene)."""
    resolved = mt.SignatureCollection(signatures).resolve(genes)
    out = np.zeros((len(genes), len(signatures)))
    owner = np.repeat(np.arange(len(signatures)), np.diff(resolved.indptr))
    out[resolved.indices, owner] = resolved.weights
    sums = np.abs(out).sum(axis=0)
    out[:, sums > 0] /= sums[sums > 0]
    return out


def of_arm(
    arm: Arm, signatures: Sequence[Signature], rotations: int, composites: Sequence[Composite] = ()
) -> pd.DataFrame:
    """Return one row per signature: effect of the singscore within blocks, and tests of its genes.

    `composites` are those that `signatures` hold flattened; their effect is that of the sum of their parts.
    """
    summed = {c.id for c in composites}
    collection = mt.SignatureCollection(s for s in signatures if s.id not in summed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mt.errors.MtorscoreWarning)  # coverage stands in the table
        mt.tl.score(arm.data, collection, method="singscore")
    scores = arm.data.obsm["score_singscore"][collection.names]
    scores = add_composites(scores, composites, arm.treated, arm.block)[[s.id for s in signatures]]
    table = mt.tl.contrast(scores, arm.treated, treated=True, control=False, block=arm.block)
    genes = list(arm.data.var_names)
    sets = set_matrix(signatures, genes)
    effects = gene_effects(np.asarray(arm.data.X, dtype=np.float64), arm.treated, arm.block)
    tested = rotation_test(effects, sets, n=rotations)
    present = (sets != 0).sum(axis=0)
    rows = pd.DataFrame(
        {
            "study": arm.study,
            "contrast": arm.name,
            "signature": [s.id for s in signatures],
            "branch": [s.branch for s in signatures],
            "level": [s.level for s in signatures],
            "expected": [expected(s, dict(arm.activity), arm.response) for s in signatures],
            "coverage": present / [len(s.genes) for s in signatures],
            "p": tested["p_competitive"],
            "p_method": "CAMERA, gene correlation of the residuals within blocks",
            "p_rotation": tested["p"],
        }
    )
    published = ["signature", "n_treated", "n_control", "n_blocks", "hedges_g", "g_low", "g_high", "auroc", "p"]
    renamed = table[[*published, "n_arrangements"]].rename(columns={"p": "p_permutation"})
    merged = rows.merge(renamed, on="signature")
    return merged[present > 0]


def of_profile(profile: Profile, signatures: Sequence[Signature]) -> pd.DataFrame:
    """Return one row per signature: CAMERA with a preset correlation of genes, since no replicate is at hand."""
    sets = set_matrix(signatures, list(profile.z.index))
    present = (sets != 0).sum(axis=0)
    z = profile.z.to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        _, p = camera_from_z(z, sets, PRESET_RHO)
    ranks = stats.rankdata(z) / len(z)
    auroc = np.array([_gene_auroc(ranks, w) for w in sets.T])
    effect = (z - z.mean()) @ sets / z.std()
    half = stats.norm.ppf(0.975) * np.sqrt((sets**2).sum(axis=0) * (1 + (present - 1) * PRESET_RHO))
    rows = pd.DataFrame(
        {
            "study": profile.study,
            "contrast": profile.name,
            "signature": [s.id for s in signatures],
            "branch": [s.branch for s in signatures],
            "level": [s.level for s in signatures],
            "expected": [expected(s, dict(profile.activity), profile.response, profile.assay) for s in signatures],
            "coverage": present / [len(s.genes) for s in signatures],
            "hedges_g": effect,
            "g_low": effect - half,
            "g_high": effect + half,
            "auroc": auroc,
            "p": p,
            "p_method": f"CAMERA, preset gene correlation {PRESET_RHO}",
        }
    )
    return rows[present > 0]


def _gene_auroc(ranks: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    chosen = weights != 0
    if not chosen.any():
        return float("nan")
    signed = np.where(weights[chosen] > 0, ranks[chosen], 1 + 1 / len(ranks) - ranks[chosen])
    return float(signed.mean() - 0.5 / len(ranks))


def of_drugs(background: pd.DataFrame, signatures: Sequence[Signature]) -> pd.DataFrame:
    """Return rapalogs among all drugs: mean signed rank within a drug, its place among 1,170 drugs."""
    sets = set_matrix(signatures, list(background.columns))
    present = (sets != 0).sum(axis=0)
    ranks = background.rank(axis=1).to_numpy() / background.shape[1] - 0.5
    scores = ranks @ sets
    centre = np.median(scores, axis=0)
    spread = stats.median_abs_deviation(scores, axis=0, scale="normal")
    out = []
    for drug, name in RAPALOGS.items():
        row = background.index.get_loc(drug)
        below = (scores < scores[row]).mean(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            effect = (scores[row] - centre) / spread
        out.append(
            pd.DataFrame(
                {
                    "study": "L1000",
                    "contrast": f"{name}, L1000",
                    "signature": [s.id for s in signatures],
                    "branch": [s.branch for s in signatures],
                    "level": [s.level for s in signatures],
                    "expected": [expected(s, {"mtorc1": -1}, "rapalog") for s in signatures],
                    "coverage": present / [len(s.genes) for s in signatures],
                    "hedges_g": effect,
                    "auroc": below,
                    "p": np.minimum(1, 2 * np.minimum(below + 1 / len(scores), 1 - below)),
                    "p_method": "place among 1,170 drugs",
                }
            )[present >= 3]
        )
    return pd.concat(out, ignore_index=True)


# Over-expressed member -> change of the axes, and branches that follow the member itself.
MEMBERS: dict[str, dict[str, int]] = {
    "MTOR": {"mtorc1": 1}, "RHEB": {"mtorc1": 1}, "MLST8": {"mtorc1": 1}, "TSC2": {"mtorc1": -1},
    "STK11": {"mtorc1": -1}, "PRKAA1": {"mtorc1": -1}, "DDIT4": {"mtorc1": -1},
    "AKT1": {"mtorc1": 1, "akt": 1}, "AKT2": {"mtorc1": 1, "akt": 1}, "AKT3": {"mtorc1": 1, "akt": 1},
    "PDPK1": {"mtorc1": 1, "akt": 1}, "IGF1R": {"mtorc1": 1, "akt": 1}, "INSR": {"mtorc1": 1, "akt": 1},
    "IGF2": {"mtorc1": 1, "akt": 1}, "EGFR": {"mtorc1": 1, "akt": 1},
    "TFEB": {"autophagy_tfeb": 1}, "FOXO3": {"akt": -1}, "ATF4": {"atf4": 1}, "SREBF1": {"srebp1": 1},
    "HIF1A": {"hypoxia_vegf": 1}, "PPARG": {"pparg": 1}, "RAF1": {"ras_mnk": 1}, "BRAF": {"ras_mnk": 1},
    "HRAS": {"ras_mnk": 1},
}  # fmt: skip


FOLLOW_ATF4 = ("ATF4_ISR_ONLY", "IGARASHI_ATF4_DEPENDENT", "MTORC1_ATF4", "KRIGE_AMINO_ACID_DEPRIVATION")


def of_members(table: pd.DataFrame, signatures: Sequence[Signature]) -> pd.DataFrame:
    """Return how many significant genes of an over-expression move as the signature says; a weak direction check.

    Where a factor is over-expressed, its own branch's value is expected to rise, whatever its sign under mTOR.
    """
    rows = []
    for member, activity in MEMBERS.items():
        z = table[table["perturbagen"] == member].set_index("gene")["z"]
        for signature in signatures:
            atf4 = signature.id in FOLLOW_ATF4
            direction = activity.get(signature.branch, 0) or (activity.get("atf4", 0) if atf4 else 0)
            direction = direction or expected(signature, activity, "")
            weights = {g: w for g, w in signature.signed_weights().items() if g in z.index}
            if not direction or not weights:
                continue
            moved = np.array([np.sign(z[g]) * np.sign(w) * direction for g, w in weights.items()])
            agree = int((moved > 0).sum())
            p = stats.binomtest(agree, len(moved)).pvalue
            genes = ",".join(f"{g}{'+' if z[g] > 0 else '-'}" for g in weights)
            rows.append((member, signature.id, len(moved), agree, p, genes))
    columns = ["over_expressed", "signature", "genes", "as_expected", "binomial_p", "which"]
    return pd.DataFrame(rows, columns=columns)


def verdict(row: pd.Series) -> str:
    """Return how a result stands to what the library claims."""
    effect = row["hedges_g"]
    if not np.isfinite(effect) or row["p"] >= 0.05:
        return "unclear" if row["expected"] else "no claim, no change"
    if row["expected"] == 0:
        return "no claim, up" if effect > 0 else "no claim, down"
    return "as expected" if np.sign(effect) == row["expected"] else "opposed"


def page(results: pd.DataFrame, members: pd.DataFrame, changes: pd.DataFrame) -> str:
    """Return docs/evidence/readout.md: what the main signatures did, contradictions included."""
    control = results[results["contrast"].str.contains("clonal control")]
    method = (
        "Effects are Hedges' g of the singscore within blocks (replicates), standardised mean z (tables), or robust z "
        "among 1,170 drugs (L1000). `*`: p < 0.05, by CAMERA with the gene correlation of the residuals within "
        f"blocks (replicates) or a preset one of {PRESET_RHO} (tables), or by place among all drugs. **Bold**: as the "
        "library claims; ~~struck~~: the opposite; plain: no claim, or not clear. No p is corrected over signatures. "
        "AUROC is over observations within blocks, over genes (tables), or the share of drugs below (L1000). The "
        "score of a composite is the signed sum of its parts' in residual SDs; its p is that of its genes, each part's "
        "sharing the part's weight. CAMERA (Wu and Smyth, Nucleic Acids Res 2012) tests a set against all other genes "
        "and allows for their correlation. L1000 are profiles of drug-treated cells in which 978 genes are measured. "
        "AUROC is the area under the receiver operating characteristic curve; 0.5 is chance."
    )
    shares = [f"{(control[c] < 0.05).mean():.0%}" for c in ("p_rotation", "p")]
    caution = (
        "The knock-outs are clones, and MEAK7 loss stands for what a clone alone does: there a rotation test of the "
        f"genes themselves calls {shares[0]} of the signatures changed, the competitive test {shares[1]}. The table "
        "has both (`p_rotation`, `p`), and the permutation of the scores within blocks (`p_permutation`; with four "
        "pairs it cannot be below 0.125)."
    )
    lines = ["# What the signatures read", ""]
    where = "`python -m benchmarks.readout.run`; all of it is in `benchmarks/readout/tables/results.tsv`."
    lines += [f"Every signature of the library, scored where the direction is known. Written by {where}"]
    lines += ["", method, "", caution, ""]
    order = list(dict.fromkeys(results["contrast"]))
    lines += ["| contrast | " + " | ".join(f"`{s}`" for s in SHOWN) + " |", "| --- |" + " ---: |" * len(SHOWN)]
    for name in order:
        cells = []
        for shown in SHOWN:
            row = results[(results["contrast"] == name) & (results["signature"] == shown)]
            cells.append(_cell(row.iloc[0]) if len(row) else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += section(changes)
    weak = (
        "L1000 lists only the genes that over-expression of a pathway member changes significantly, mostly under "
        "fifteen of 978 measured and more imputed ones; genes of a signature among them that move as it says (at least "
        "three genes shown; all in `overexpression.tsv`):"
    )
    lines += ["", "## Over-expressed members, a weak check of direction", "", weak, ""]
    lines += [
        "| over-expressed | signature | genes | as expected | p (binomial) |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for row in members[members["genes"] >= 3].itertuples():
        lines.append(
            f"| {row.over_expressed} | `{row.signature}` | {row.genes} | {row.as_expected} | {row.binomial_p:.2g} |"
        )
    rule = (
        "Studies are folds (fed and starved cells, array and RNA-seq of one laboratory count once), combined by "
        "Stouffer over each study's mean deviate in the claimed direction. Those of cell lines grade the entries in "
        "`signatures/evidence.tsv`, beside what was measured in tumours ([tissue anchor](tissue_anchor.md)): as "
        "expected or opposed beyond 1.96 standard errors, none within. Proliferation, growth state and clone move "
        "many sets in these data, so a grade is about direction, not about specificity."
    )
    lines += _by_branch(results)
    lines += ["", "## Combined over studies", "", rule, ""]
    lines += ["| signature | all studies | combined z | of cell lines | combined z |"]
    lines += ["| --- | ---: | ---: | ---: | ---: |"]
    everywhere = combined_by_study(results)
    cells = combined_by_study(results[results["study"].isin(CELL_LINES)])
    for name, row in everywhere.iterrows():
        own = cells.loc[name] if name in cells.index else None
        numbers = "| |" if own is None else f"{own['studies']} | {own['z']:+.1f} |"
        lines.append(f"| `{name}` | {row['studies']} | {row['z']:+.1f} | {numbers}")
    return "\n".join(lines) + "\n"


def _by_branch(results: pd.DataFrame) -> list[str]:
    """Return one table per branch: its lead signature in every contrast, with interval, AUROC and p."""
    lines = ["", "## By branch, the lead signature"]
    for branch, names in library_meta()["leads"].items():
        if branch == "confounder":
            continue
        for name in names:
            own = results[results["signature"] == name]
            lines += ["", f"### {branch}: `{name}`", "", "| contrast | claim | effect | 95% interval | AUROC | p | |"]
            lines += ["| --- | :---: | ---: | --- | ---: | ---: | --- |"]
            for row in own.itertuples():
                claim = {1: "up", -1: "down"}.get(row.expected, "none")
                known = np.isfinite(row.g_low)
                interval = f"{row.g_low:+.2f} to {row.g_high:+.2f}" if known else ""
                auroc = f"{row.auroc:.2f}" if np.isfinite(row.auroc) else ""
                words = f"| {row.contrast} | {claim} | {row.hedges_g:+.2f} | {interval} | {auroc} | {row.p:.2g} |"
                lines.append(f"{words} {row.verdict} |")
    return lines


def _cell(row: pd.Series) -> str:
    text = f"{row['hedges_g']:+.1f}" + ("*" if row["p"] < 0.05 else "")
    return f"**{text}**" if row["verdict"] == "as expected" else f"~~{text}~~" if row["verdict"] == "opposed" else text


def measure(
    shared: Path, signatures: Sequence[Signature], rotations: int = 999, composites: Sequence[Composite] = ()
) -> pd.DataFrame:
    """Return all results of a list of signatures, and of composites whose parts are all among them."""
    flat = [flattened(c, mt.SignatureCollection(signatures)) for c in composites]
    signatures = [*signatures, *flat]
    tables = [of_arm(arm, signatures, rotations, composites) for arm in arms(shared)]
    tables += [of_profile(profile, signatures) for profile in profiles(shared)]
    tables.append(of_drugs(drug_background(shared), signatures))
    results = pd.concat([t.dropna(axis=1, how="all") for t in tables], ignore_index=True)
    results["verdict"] = results.apply(verdict, axis=1)
    return results[COLUMNS]


def main() -> None:
    """Run everything and write the tables and the page."""
    parser = argparse.ArgumentParser(description="What the signatures read in perturbation data.")
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/perturb-* and reference/")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "tables")
    arguments = parser.parse_args()
    # What was learned has seen these data; train.py and estimator_run.py judge it on studies left out.
    everything = mt.library(experimental=True)
    signatures = [s for s in everything.signatures if not learned_here(s)]
    composites = [e for e in everything if isinstance(e, Composite)]
    results = measure(arguments.shared, signatures, composites=composites)
    arguments.out.mkdir(parents=True, exist_ok=True)
    results.to_csv(arguments.out / "results.tsv", sep="\t", index=False, float_format="%.4g")
    members = of_members(overexpression(arguments.shared), signatures)
    members.to_csv(arguments.out / "overexpression.tsv", sep="\t", index=False, float_format="%.4g")
    changes = gene_changes(arguments.shared)
    changes.to_csv(arguments.out / "genes.tsv", sep="\t", index=False, float_format="%.4g")
    # The page is made from the tables as written, so that it can be made again from them.
    tables = [pd.read_csv(arguments.out / f"{n}.tsv", sep="\t") for n in ("results", "overexpression", "genes")]
    docs = Path(__file__).resolve().parents[2] / "docs" / "evidence" / "readout.md"
    docs.write_text(page(*tables), encoding="utf-8")
    print(results.groupby("study")["verdict"].value_counts().unstack(fill_value=0))


if __name__ == "__main__":
    main()
