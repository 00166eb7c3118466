"""One example of every figure, from fixed numbers: drawn for the image comparison and for a look by eye."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd

from mtorscore import pl, tl
from mtorscore.collection import Signature
from mtorscore.tl.analysis.comparison import Comparison
from mtorscore.tl.analysis.diagnosis import Diagnosis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BRANCHES = {
    "MTORC1": "mtorc1", "RIBOSOME_BIOGENESIS": "s6k", "LIPOGENESIS": "srebp1", "STEROL": "srebp2",
    "LYSOSOME": "autophagy_tfeb", "PROLIFERATION": "confounder", "A_SIGNATURE_WITH_A_VERY_LONG_NAME": "confounder",
}  # fmt: skip


def scores() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return 50 tumours and 14 normals by 7 signatures that share one factor, and their clinical columns."""
    rng = np.random.default_rng(7)
    n = 64
    kind = np.array(["tumour"] * 50 + ["normal"] * 14)
    factor = rng.normal(size=(n, 1)) * np.array([[1, 1, 0.6, 0.5, -0.8, 1.2, 0.1]])
    values = factor + rng.normal(size=(n, 7)) + 1.4 * (kind == "tumour")[:, None] * np.array([1, 0.5, 1, 0.4, -1, 2, 0])
    index = [f"S{i:02d}" for i in range(n)]
    obs = pd.DataFrame(index=index)
    obs["sample_type"] = pd.Categorical(kind, ["tumour", "normal"])
    stage = pd.Series(rng.choice(["I", "II", "III"], n), index=index).where(kind == "tumour")
    obs["stage"] = pd.Categorical(stage, ["I", "II", "III"], ordered=True)
    obs["sex"] = rng.choice(["female", "male"], n)
    obs["age"] = rng.integers(30, 85, n).astype(float)
    obs["OS"] = np.where(kind == "tumour", rng.integers(0, 2, n).astype(float), np.nan)
    return pd.DataFrame(values, index=index, columns=list(BRANCHES)), obs


def curves() -> pd.DataFrame:
    """Return two Kaplan-Meier curves in days."""
    rng = np.random.default_rng(3)
    parts = []
    for group, rate in (("low", 2400.0), ("high", 1100.0)):
        time = np.sort(np.ceil(np.minimum(rng.exponential(rate, 40), 2600.0)))
        event = (time < 2600) & (rng.random(40) < 0.75)
        risk = np.arange(40, 0, -1)
        survival = np.cumprod(np.where(event, 1 - 1 / risk, 1.0))
        table = pd.DataFrame({"time": np.r_[0, time], "survival": np.r_[1, survival], "n_risk": np.r_[40, risk]})
        table["n_censor"] = np.r_[0, (~event).astype(int)]
        table["low"], table["high"] = (table["survival"] - 0.12).clip(0), (table["survival"] + 0.1).clip(upper=1)
        parts.append(
            table.assign(group=group, n=40, events=int(event.sum()), signature="MTORC1", endpoint="OS", unit="days")
        )
    return pd.concat(parts, ignore_index=True).assign(logrank_p=0.0123)


def associations(shift: float = 0.0) -> pd.DataFrame:
    """Return unadjusted and adjusted hazard ratios of the signatures."""
    rows = []
    for k, name in enumerate(BRANCHES):
        for model, by, part in (("unadjusted", "", 1.0), ("adjusted", "proliferation", 0.4)):
            log = part * (0.35 - 0.12 * k + shift)
            rows.append({
                "signature": name, "endpoint": "OS", "model": model, "adjusted_for": by, "events": 50 + k,
                "hr": np.exp(log), "hr_low": np.exp(log - 0.3), "hr_high": np.exp(log + 0.3), "valid": k != 4,
            })  # fmt: skip
    return pd.DataFrame(rows)


def combined() -> pd.DataFrame:
    """Return one combined ratio."""
    row = {"signature": "MTORC1", "endpoint": "OS", "model": "unadjusted", "hr": 1.3, "hr_low": 1.05, "hr_high": 1.62}
    return pd.DataFrame([row | {"prediction_low": 0.8, "prediction_high": 2.1, "i2": 0.31}])


def coverage_table() -> pd.DataFrame:
    """Return coverage with one signature below half and one signed."""
    return pd.DataFrame({
        "signature": list(BRANCHES), "n_up": [200, 44, 16, 26, 62, 131, 10], "n_down": [0, 0, 0, 0, 0, 0, 30],
        "matched_up": [180, 44, 7, 26, 60, 130, 10], "matched_down": [0, 0, 0, 0, 0, 0, 21],
    })  # fmt: skip


def cells() -> anndata.AnnData:
    """Return 300 cells of three types with an embedding and scores."""
    rng = np.random.default_rng(5)
    code = rng.integers(0, 3, 300)
    adata = anndata.AnnData(np.zeros((300, 1), dtype=np.float32))
    adata.obs["cell_type"] = pd.Categorical(np.array(["hepatocyte", "T cell", "stellate"])[code])
    adata.obsm["X_umap"] = rng.normal(size=(300, 2)) * 0.5 + np.array([[0, 0], [4, 1], [1, 4]])[code]
    table = {name: rng.normal(size=300) + code * k for k, name in enumerate(list(BRANCHES)[:4])}
    adata.obsm["score_ucell"] = pd.DataFrame(table, index=adata.obs_names)
    return adata


def tissue() -> anndata.AnnData:
    """Return two sections of 196 spots with two regions, a score that follows one and a score that misses some."""
    rng = np.random.default_rng(8)
    row, column = np.divmod(np.arange(196), 14)
    xy = np.column_stack([column + 0.5 * (row % 2), row * np.sqrt(3) / 2])
    adata = anndata.AnnData(np.zeros((392, 1), dtype=np.float32))
    adata.obs["section"] = np.repeat(["S1", "S2"], 196)
    adata.obs["region"] = np.where(np.tile(xy[:, 0] > 7, 2), "tumour", "normal")
    adata.obsm["spatial"] = np.tile(xy, (2, 1))
    table = {"GLYCOLYSIS": rng.normal(size=392) + np.tile(np.sin(xy[:, 0] / 2), 2), "STEROL": rng.normal(size=392)}
    adata.obsm["score_ucell"] = pd.DataFrame(table, index=adata.obs_names)
    adata.obsm["score_ucell"].iloc[10:24, 1] = np.nan
    return adata


def one_sample() -> pd.DataFrame:
    """Return one observation of 400 genes."""
    values = np.random.default_rng(2).normal(size=400)
    return pd.DataFrame([values], index=["S1"], columns=[f"G{i}" for i in range(400)])


def predictions() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return labels and two predictions."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 120)
    return y, {"clinical": y + 2.0 * rng.normal(size=120), "clinical + score": y + rng.normal(size=120)}


def decision_table() -> pd.DataFrame:
    """Return net benefit of a model, of acting on all and on none."""
    at = np.arange(0.05, 0.6, 0.05)
    every = 0.4 - 0.6 * at / (1 - at)
    parts = [("model", np.maximum(every, 0) + 0.06), ("all", every), ("none", np.zeros_like(at))]
    return pd.concat([pd.DataFrame({"strategy": s, "threshold": at, "net_benefit": v}) for s, v in parts])


def _named(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(shown=np.where(table["model"] == "unadjusted", "unadjusted", "adjusted for proliferation"))


def _calibration() -> pd.DataFrame:
    predicted = np.array([0.1, 0.25, 0.4, 0.55, 0.8])
    observed = np.array([0.05, 0.3, 0.38, 0.66, 0.82])
    return pd.DataFrame({"predicted": predicted, "observed": observed, "low": observed - 0.05, "high": observed + 0.1})


def _smooth() -> pd.DataFrame:
    predicted = np.linspace(0.08, 0.82, 40)
    observed = predicted + 0.04 * np.sin(9 * predicted)
    return pd.DataFrame({"predicted": predicted, "observed": observed, "low": observed - 0.06, "high": observed + 0.06})


def _flow() -> Figure:
    steps = pd.DataFrame({"step": ["read", "sample type", "histology"], "samples": [179, 177, 174]})
    steps = steps.assign(tumours=[158, 156, 153], normals=21)
    rules = pd.DataFrame({"rule": ["recurrent", "recurrent", "fibrolamellar", "mixed"], "effect": "dropped"})
    return pl.flow(steps, excluded=rules, title="Cohort")


def _enrichment() -> Figure:
    signature = Signature(id="EXAMPLE", up=tuple(f"G{i}" for i in range(0, 80, 4)), down=("G1", "G5", "G9", "G301"))
    return pl.enrichment(one_sample(), "S1", signature)


def _null() -> Figure:
    values = np.random.default_rng(4).normal(0.05, 0.12, 800)
    return pl.null_distribution(values, 0.33, xlabel="log hazard ratio per SD")


def enriched() -> pd.DataFrame:
    """Return enrichment scores of a few gene sets, one of them without a result."""
    nes = [2.31, 1.62, -1.4, -2.05, np.nan]
    return pd.DataFrame(
        {"signature": ["PROLIFERATION", "MTORC1", "LYSOSOME", "MTORC1", "TINY"],
         "direction": ["up", "up", "up", "down", "up"], "nes": nes, "q": [0.001, 0.04, 0.2, 0.01, np.nan],
         "contrast": "tumour against normal"}
    )  # fmt: skip


def explained() -> pd.DataFrame:
    """Return contributions of 24 genes to one score, two genes that the matrix lacks among them."""
    rng = np.random.default_rng(9)
    shares = np.sort(rng.exponential(0.03, 22))[::-1] * rng.choice([1, -1], 22, p=[0.7, 0.3])
    table = pd.DataFrame({"gene": [f"GENE{i}" for i in range(22)], "contribution": shares, "present": True})
    table["direction"] = np.where(np.arange(22) % 6 == 2, "down", "up")
    table["cohort_mean"] = shares * rng.uniform(-0.2, 0.8, 22)
    absent = pd.DataFrame({"gene": ["THRSP", "ACACB"], "present": False, "direction": "up"})
    return pd.concat([table, absent], ignore_index=True).assign(
        score=shares.sum(), total=shares.sum(), method="singscore", adds_up_to="score", observation="TCGA-2Y-A9GS-01",
        signature="SREBP1_LIPOGENIC_CORE",
    )  # fmt: skip


def board() -> pd.DataFrame:
    """Return a board of nine branches and three methods, two of which may not be read and one is disputed."""
    rng = np.random.default_rng(11)
    names = {
        "pi3k": "PI3K input", "mtorc2_akt": "mTORC2, AKT and FOXO", "mtorc1": "mTORC1 output",
        "s6k": "S6K and ribosome biogenesis", "eif4e": "4E-BP, eIF4E and 5'TOP translation",
        "srebp1": "SREBP-1 lipogenesis", "srebp2": "SREBP-2 cholesterol synthesis",
        "autophagy_tfeb": "Autophagy and TFEB", "confounder": "Proliferation",
    }  # fmt: skip
    shifts = dict(zip(names, (-0.4, 0.6, 1.2, 0.9, 1.4, 0.1, 0.4, 5.2, 2.6), strict=True))
    reasons = {"mtorc2_akt": "opposed in tumours of this kind (HCC)", "srebp2": "3 of 20 genes are in the matrix"}
    rows = []
    for branch, title in names.items():
        for k, method in enumerate(("singscore", "ssgsea", "zscore")):
            shift = shifts[branch] + 0.25 * (k - 1) * (2 if branch == "srebp1" else 1)
            hr = float(np.exp(rng.normal(0.35 if branch in ("s6k", "eif4e") else 0.0, 0.05)))
            holds = branch == "s6k"
            level = "translational" if branch == "eif4e" else "transcriptional"
            rows.append({
                "cohort": "TCGA-LIHC", "branch": branch, "title": title, "signature": f"{branch.upper()}_LEAD",
                "method": method, "sign": 1, "level_of_evidence": level, "coverage": 0.95,
                "grade": "opposed" if branch == "mtorc2_akt" else "none", "shift": shift, "shift_low": shift - 0.4,
                "compared": "tumours against normal tissue, in SD of normal",
                "shift_high": shift + 0.4, "active": np.nan if branch == "pi3k" else 0.3 + 0.1 * k, "endpoint": "OS",
                "n": 153, "events": 55, "hr": hr, "hr_low": hr / 1.3, "hr_high": hr * 1.3, "q": 0.03 if holds else 0.4,
                "valid": True, "proportional": True, "holds": holds, "readable": branch not in reasons,
                "beside": f"random signatures: {'yes' if holds else 'no'}; proliferation: yes; stage: cannot be said",
                "reason": reasons.get(branch, ""),
            })  # fmt: skip
    return pd.DataFrame(rows)


def diagnosed() -> Diagnosis:
    """Return checks of the signatures, one of which is the proliferation score itself and one has a single gene."""
    rng = np.random.default_rng(6)
    names = pd.Index(BRANCHES, name="signature")
    technical = pd.DataFrame(rng.uniform(-1, 1, (7, 3)), names, ["depth", "detected", "proliferation"])
    technical.loc["PROLIFERATION", "proliferation"] = np.nan
    own = [0.31, 0.45, 0.38, 0.52, 0.12, 0.02, np.nan]
    coherence = pd.DataFrame({"n_genes": 20, "coherence": own, "random_mean": 0.03, "random_sd": 0.04}, names)
    coherence["percentile"] = [100.0, 100, 100, 100, 97, 40, np.nan]
    pairs = [("LIPOGENESIS", "STEROL", 0.4), ("MTORC1", "STEROL", 0.12), ("MTORC1", "PROLIFERATION", 0.05)]
    return Diagnosis(technical, pd.DataFrame(pairs, columns=["signature_a", "signature_b", "jaccard"]), coherence)


def compared() -> Comparison:
    """Return the agreement of four methods on the signatures; one score does not vary."""
    rng = np.random.default_rng(8)
    methods = ("singscore", "ssgsea", "zscore", "ucell")
    rows = [
        {"signature": name, "method_a": a, "method_b": b, "n": 64,
         "spearman": 1 - min(rng.gamma(1.2, 0.03 + 0.05 * k), 1.2)}
        for k, name in enumerate(list(BRANCHES)[:6]) for a, b in combinations(methods, 2)
    ]  # fmt: skip
    rows.append({"signature": "FLAT", "method_a": "ssgsea", "method_b": "zscore", "n": 64, "spearman": np.nan})
    table = pd.DataFrame(rows)
    return Comparison(table.assign(pearson=table["spearman"]), pd.DataFrame(), {m: pd.DataFrame() for m in methods})


STAGES = ("normal", "cirrhosis", "dysplasia", "early", "advanced")


def staged() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two scores of eight patients in five stages, one of which rises, and their stages and patients."""
    rng = np.random.default_rng(5)
    step, patient = np.tile(np.arange(5.0), 8), np.repeat(np.arange(8), 5)
    own = rng.normal(0, 0.5, 8)[patient]
    values = {"LIPOGENESIS": 0.3 * step + own + rng.normal(0, 0.3, 40), "LYSOSOME": own + rng.normal(0, 0.3, 40)}
    obs = pd.DataFrame({"stage": np.array(STAGES)[step.astype(int)], "patient": patient}, [f"s{i}" for i in range(40)])
    return pd.DataFrame(values, obs.index), obs


def by_stage() -> Any:
    """Return the figure of a trend within patients."""
    scores, obs = staged()
    found = tl.contrast(scores, obs["stage"], order=STAGES, block=obs["patient"])
    return pl.groups(scores, found, obs, groupby="stage", pair="patient")


def altered() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return alterations of three genes in 50 tumours, of which ten were not profiled, with scores and classes."""
    values, obs = scores()
    values, obs = values[obs["sample_type"] == "tumour"], obs[obs["sample_type"] == "tumour"]
    rng = np.random.default_rng(11)
    kinds = {
        "TP53": ["truncating", "missense hotspot", "missense"], "PTEN": ["deep deletion", "truncating; deep deletion"],
        "MET": ["amplification", "gain"],
    }  # fmt: skip
    rows = []
    for gene, known in kinds.items():
        for i, sample in enumerate(values.index):
            kind = str(rng.choice(known)) if rng.random() < 0.3 and i >= 10 else ""
            rows.append((sample, gene, kind, np.nan if i < 10 else float(kind not in ("", "gain"))))
    calls = pd.DataFrame(rows, columns=["observation", "gene", "kinds", "altered"])
    return (
        calls,
        values,
        pd.DataFrame({"class": rng.choice(["S1", "S2", "S3"], len(values)), "OS": obs["OS"]}, values.index),
    )


def altered_shares() -> pd.DataFrame:
    """Return shares of altered tumours: two genes of one node, one of another, one beside the pathway."""
    rows = [("PIK3CA", "gain", 0.12), ("PIK3R1", "loss", 0.03), ("TSC2", "loss", 0.05), ("TP53", "loss", 0.3)]
    table = pd.DataFrame(rows, columns=["name", "effect", "share"])
    return table.assign(what="gene", n=100, altered=(100 * table["share"]).round())


EXAMPLES: dict[str, Callable[[], Any]] = {
    "board": lambda: pl.board(board()),
    "pathway": lambda: pl.pathway(board(), alterations=altered_shares()),
    "heatmap": lambda: pl.heatmap(*scores(), branches=BRANCHES, tracks=["sample_type", "stage", "sex", "age", "OS"]),
    "violin": lambda: pl.violin(*scores(), columns=4),
    "groups": by_stage,
    "landscape": lambda: pl.landscape(*scores(), branches=BRANCHES),
    "correlation": lambda: pl.correlation(*scores()),
    "coverage": lambda: pl.coverage(coverage_table()),
    "km": lambda: pl.km(curves(), ylabel="overall survival", title="MTORC1"),
    "forest": lambda: pl.forest(_named(associations()), groupby="shown"),
    "calibration": lambda: pl.calibration(_calibration(), smooth=_smooth()),
    "comparison": lambda: pl.comparison(compared()),
    "diagnosis": lambda: pl.diagnosis(diagnosed()),
    "decision_curve": lambda: pl.decision_curve(decision_table()),
    "null_distribution": _null,
    "roc": lambda: pl.roc(*predictions()),
    "meta_forest": lambda: pl.meta_forest({"A": associations(), "B": associations(0.2)}, combined(), "MTORC1"),
    "umap": lambda: pl.umap(cells(), ["cell_type", "STEROL"]),
    "spatial": lambda: pl.spatial(tissue(), ["GLYCOLYSIS", "STEROL", "region"], section_key="section"),
    "dotplot": lambda: pl.dotplot(cells(), "cell_type"),
    "ridge": lambda: pl.ridge(cells(), "STEROL", "cell_type"),
    "enrichment": _enrichment,
    "contributions": lambda: pl.contributions(explained()),
    "gsea": lambda: pl.gsea(enriched()),
    "flow": _flow,
    "oncoprint": lambda: pl.oncoprint(*altered(), order="class"),
}
