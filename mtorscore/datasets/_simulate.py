"""One simulated cohort: latent state, counts, clinical table and the truth behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.collection import SignatureCollection, SignaturesLike, as_collection
from mtorscore.datasets import _genes, _outcomes
from mtorscore.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData

Disease = Literal["hcc", "cca", "hb"]
Floats = npt.NDArray[np.float64]

# Mean and SD of hepatocyte maturity in tumours (0 is normal adult liver), and mean, SD, least and most age in years.
_LINEAGE: dict[str, tuple[float, float]] = {"hcc": (-1.2, 1.0), "cca": (-8.0, 1.0), "hb": (-3.5, 1.2)}
_AGE: dict[str, tuple[float, float, float, float]] = {
    "hcc": (61.0, 11.0, 22.0, 90.0), "cca": (65.0, 11.0, 28.0, 90.0), "hb": (1.8, 1.4, 0.1, 12.0)
}  # fmt: skip
_MALE = {"hcc": 0.72, "cca": 0.5, "hb": 0.6}
_BILIARY_SHIFT = 3.0
_STAGES = ("I", "II", "III", "IV")
_STAGE_CUTS = (-0.1, 0.65, 1.6)
# Only branches follow the confounders; these stay apart.
_APART = ("proliferation", "purity", "maturity")
# Chance correlation of a branch without a hazard with the expected outcome, in standard errors: a little more than 1,
# because scores measure a branch with noise of their own that has no such correlation.
_CHANCE = 1.1


def simulate_cohort(
    n_tumours: int = 300,
    n_normals: int = 50,
    *,
    seed: int = 0,
    disease: Disease = "hcc",
    confounding: float | Mapping[str, float] = 0.3,
    hazard_branch: str = "srebp1",
    log_hazard: float = 0.45,
    null_branch: str = "autophagy_tfeb",
    confounder_hazard: float = 0.15,
    stage_hazard: float = 0.2,
    activation: float | None = None,
    effect: float = 0.35,
    n_genes: int = 10000,
    median_library: float = 1.5e7,
    median_survival: float = 1500.0,
    follow_up: tuple[float, float] = (365.0, 2920.0),
    dropout: float = 0.08,
    signatures: SignaturesLike = None,
) -> AnnData:
    """Simulate a bulk RNA-seq cohort of liver tumours whose branch activities and hazards are known.

    Counts are negative-binomial around ``library x softmax(log mean + loadings x factors)``. The factors are one
    activity per branch of the signatures, proliferation, tumour purity, hepatocyte maturity and a few unnamed
    co-expression modules. Among tumours the factors have mean 0 and variance 1 (maturity keeps its own scale). A
    branch's activity moves a signature's genes in the direction of the signature's sign: one that falls with activity
    falls; unnamed genes move the other way, so that no factor lifts the transcriptome as a whole.

    So that the rate of false findings on one cohort hangs little on its seed, chance is held at its usual size: beyond
    the stated `confounding`, independent factors have no sample correlation (as far as there are tumours enough),
    except that the outcome expected of a tumour correlates by one standard error, ``1 / sqrt(n_tumours)``, of random
    sign, with each branch that has no hazard; and the genes' own noise does not correlate with the causes.

    Survival times are Weibull with log hazard ``log_hazard x activity(hazard_branch) + confounder_hazard x
    proliferation + stage_hazard x (stage - 2)``; every other branch, `null_branch` among them, has none of its own.

    Parameters
    ----------
    n_tumours, n_normals
        Observations of each kind. The normals are paired with the first tumours and carry no outcome.
    seed
        Seed of everything that differs between cohorts; genes, means and loadings are the same for all seeds.
    disease
        ``"hcc"``; ``"cca"`` (biliary tumours against normal *liver*: lineage is the first difference);
        ``"hb"`` (immature hepatocytes against mature liver: maturity moves branch genes while, by default, no branch
        is activated. The confounder is named in ``uns["truth"]["parameters"]["named_confounder"]``).
    confounding
        Correlation, among tumours, of proliferation with every branch's activity, with purity and with the latent
        stage (so that purity and a branch correlate by its square). A mapping ``{"proliferation": r, "purity": r}``
        sets the two correlations with the branches, proliferation and purity then being uncorrelated.
    hazard_branch, log_hazard
        The branch with a hazard of its own, and its log hazard ratio per SD of activity.
    null_branch
        A branch that is promised to have none.
    confounder_hazard, stage_hazard
        Log hazard ratio per SD of proliferation and per stage.
    activation
        How many SD the branches are lower in normal liver; None for 1 (``"hcc"``, ``"cca"``) or 0 (``"hb"``).
    effect
        Mean loading of a gene of a transcriptional signature, natural log units per SD of its branch.
    n_genes
        Genes in all: those of the signatures and of the liver, filled up with approved protein-coding symbols.
    median_library
        Median number of counts per observation; libraries are log-normal with SD 0.35.
    median_survival
        Median survival in days where every factor is 0.
    follow_up
        Administrative censoring is uniform between these two, days.
    dropout
        Rate of random censoring per year.
    signatures
        Whose branches are simulated; the shipped library by default. Where signatures of several branches share a
        gene, it follows foremost the shortest. The branch ``"context"`` (classes of others) gets no activity.

    Returns
    -------
    anndata.AnnData
        ``(n_tumours + n_normals, n_genes)``; ``X`` int32 counts; ``obs`` with ``patient, sample_type, OS, OS.time,
        PFI, PFI.time, recurrence_24m, age, sex, stage, simulated``; ``uns["source"]["kind"]`` is ``"simulated"``;
        ``uns["truth"]`` holds ``latent`` (observations x factors), ``hazard`` (log hazard ratio per tumour),
        ``loadings`` (gene, factor, loading) and ``parameters``.

    Raises
    ------
    DataError
        If an argument is out of its range or a branch is not one of the signatures'.
    """
    collection = as_collection(signatures)
    parameters = _parameters(
        n_tumours=n_tumours, n_normals=n_normals, seed=seed, disease=disease, hazard_branch=hazard_branch,
        log_hazard=log_hazard, null_branch=null_branch, confounder_hazard=confounder_hazard,
        stage_hazard=stage_hazard, effect=effect, n_genes=n_genes, median_library=median_library,
        median_survival=median_survival, follow_up_min=follow_up[0], follow_up_max=follow_up[1], dropout=dropout,
        activation=(0.0 if disease == "hb" else 1.0) if activation is None else float(activation),
    )  # fmt: skip
    _check(parameters, collection)
    correlations = _correlations(confounding)
    parameters |= {"confounding_proliferation": correlations[0], "confounding_purity": correlations[1]}
    model = _genes.gene_model(collection, n_genes, effect=effect, disease=disease)
    rng = np.random.default_rng(seed)
    latent = _latent(rng, model.factors, parameters, correlations)
    counts = _counts(rng, model, latent, parameters)
    outcomes = _outcomes.draw(rng, latent.iloc[:n_tumours], parameters, 1)
    return _assemble(rng, model, latent, counts, outcomes, parameters)


def _parameters(**given: Any) -> dict[str, Any]:
    confounder = "maturity" if given["disease"] in ("hb", "cca") else "proliferation"
    return given | {"weibull_shape": 1.2, "library_sd": 0.35, "named_confounder": confounder}


def _check(p: Mapping[str, Any], collection: SignatureCollection) -> None:
    if p["disease"] not in _LINEAGE:
        raise DataError(f"disease is {p['disease']!r}; it must be one of {', '.join(map(repr, _LINEAGE))}.")
    for name, least in (("n_tumours", 2), ("n_normals", 0), ("n_genes", 1)):
        if p[name] < least:
            raise DataError(f"{name} is {p[name]}; it must be at least {least}.")
    if p["n_normals"] > p["n_tumours"]:
        raise DataError(
            f"{p['n_normals']} normals cannot be paired with {p['n_tumours']} tumours; ask for at most as many."
        )
    for name in ("effect", "median_library", "median_survival", "follow_up_min"):
        if not p[name] > 0:
            raise DataError(f"{name} is {p[name]}; it must be positive.")
    if p["follow_up_max"] < p["follow_up_min"] or p["dropout"] < 0:
        raise DataError("follow_up must be (shortest, longest) in days, and dropout at least 0 per year.")
    branches = _genes.simulated_branches(collection)
    for name in ("hazard_branch", "null_branch"):
        if p[name] not in branches:
            raise DataError(
                f"{name} is {p[name]!r}, which is no branch of the signatures: {', '.join(sorted(branches))}."
            )
    if p["hazard_branch"] == p["null_branch"]:
        raise DataError(f"{p['hazard_branch']!r} cannot have a hazard and none; choose another null_branch.")


def _correlations(confounding: float | Mapping[str, float]) -> tuple[float, float, float]:
    """Return the correlation of a branch with proliferation and with purity, and of those two with each other."""
    if isinstance(confounding, Mapping):
        unknown = sorted(set(confounding) - {"proliferation", "purity"})
        if unknown:
            raise DataError(f"confounding names {', '.join(unknown)}; it may name proliferation and purity.")
        growth, purity = float(confounding.get("proliferation", 0)), float(confounding.get("purity", 0))
        between = 0.0
    else:
        growth, between = float(confounding), float(confounding)
        purity = 0.0
    if not growth**2 + purity**2 < 1:
        raise DataError(f"confounding is {confounding!r}; the correlations' squares must add up to less than 1.")
    return growth, purity, between


def _latent(
    rng: np.random.Generator, factors: tuple[str, ...], p: Mapping[str, Any], correlations: tuple[float, float, float]
) -> pd.DataFrame:
    growth, purity, between = correlations
    n, m = int(p["n_tumours"]), int(p["n_normals"])
    cause = str(p["hazard_branch"])
    branches = [f for f in factors if f not in _APART and not f.startswith("module_")]
    # The hazard's branch and the null branch first: a small cohort has no room to set all the others apart.
    branches.sort(key=lambda f: (f != cause, f != p["null_branch"]))
    others = ["maturity", *(f for f in factors if f.startswith("module_"))]
    first = _apart(rng.standard_normal((n, 3)), np.ones((n, 1)))
    tumours = pd.DataFrame(first, columns=["proliferation", "purity", "stage"])
    tumours["purity"] = between * tumours["proliferation"] + np.sqrt(1 - between**2) * tumours["purity"]
    stage = growth * tumours["proliferation"] + np.sqrt(1 - growth**2) * tumours.pop("stage")
    number = 1.0 + np.searchsorted(_STAGE_CUTS, stage)
    known = np.column_stack([np.ones(n), tumours, number])
    own = _apart(rng.standard_normal((n, len(branches) + len(others))), known)
    rest = np.sqrt(1 - growth**2 - purity**2)
    lead = growth * tumours["proliferation"] + purity * tumours["purity"]
    cause_state = tumours.assign(**{cause: lead + rest * own[:, 0], "stage_number": number})
    moved = _outcomes.expected_residual(_outcomes.linear_predictor(cause_state, p), p)
    own[:, 1 : len(branches)] = _with_chance(rng, own[:, 1 : len(branches)], moved, known)
    tumours[branches] = np.asarray(lead)[:, None] + rest * own[:, : len(branches)]
    tumours[others] = own[:, len(branches) :]
    mean, sd = _LINEAGE[p["disease"]]
    tumours["maturity"] = mean + sd * tumours["maturity"]
    latent = pd.concat([tumours[list(factors)], _normal_state(rng, m, factors, branches, p)], ignore_index=True)
    latent["stage_number"] = np.concatenate([number, np.full(m, np.nan)])
    prefix = f"SIM-{str(p['disease']).upper()}"
    observations = [f"{prefix}-{i + 1:04d}-{kind}" for kind, count in (("T", n), ("N", m)) for i in range(count)]
    latent.index = pd.Index(observations)
    return latent


def _normal_state(
    rng: np.random.Generator, m: int, factors: tuple[str, ...], branches: list[str], p: Mapping[str, Any]
) -> pd.DataFrame:
    normals = pd.DataFrame(0.5 * rng.standard_normal((m, len(factors))), columns=list(factors))
    normals["proliferation"] = -2.2 + 0.6 * normals["proliferation"]
    normals["maturity"] *= 0.6
    normals[branches] -= float(p["activation"])
    return normals


def _apart(raw: Floats, known: Floats) -> Floats:
    """Return the columns of `raw` with mean 0, variance 1 and no sample correlation with `known` or each other.

    Parameters
    ----------
    raw
        ``(n, k)`` independent draws.
    known
        ``(n, j)``, the first column constant.

    Returns
    -------
    numpy.ndarray
        ``(n, k)``; where there are fewer observations than columns, the last columns stay as they were drawn.
    """
    n, lead = known.shape
    room = min(raw.shape[1], n - lead - 1)
    if room < 1:
        return raw
    basis, upper = np.linalg.qr(np.column_stack([known, raw[:, :room]]))
    columns = basis[:, lead:] * np.sign(np.diag(upper))[lead:] * np.sqrt(n)
    return np.column_stack([columns, raw[:, room:]])


def _with_chance(rng: np.random.Generator, own: Floats, moved: Floats, known: Floats) -> Floats:
    """Give branches without a hazard the correlation with the outcome that chance gives on average: one standard error.

    Left to chance, the rate at which a test rejects on this one latent state would depend on the seed; forced to zero,
    tests would reject too rarely, because the variance that chance correlation with the causes adds would be missing.

    Parameters
    ----------
    own
        ``(n, k)`` what the branches do not share with the confounders.
    moved
        ``(n,)`` expected residual of each tumour's outcome.
    known
        ``(n, j)`` constant, confounders and stage.

    Returns
    -------
    numpy.ndarray
        ``(n, k)``; a sample correlation of ``1 / sqrt(n)`` with `moved`, of random sign, none with `known`.
    """
    n, k = own.shape
    sign = rng.choice([-1.0, 1.0], size=k)
    # What the outcome has beyond the confounders, and of that what it has beyond stage (the last column) too.
    beyond, apart = (moved - c @ np.linalg.lstsq(c, moved, rcond=None)[0] for c in (known[:, :-1], known))
    size, apart_size = float(np.linalg.norm(beyond)), float(np.linalg.norm(apart))
    if n <= known.shape[1] + k + 2 or apart_size < 1e-6 * np.sqrt(n):
        return own
    apart *= np.sqrt(n) / apart_size
    share = min(_CHANCE / np.sqrt(n) * size / apart_size, 0.5)
    free = own - np.outer(apart, apart @ own / n)
    free *= np.sqrt(n) / np.linalg.norm(free, axis=0)
    return np.asarray(np.sqrt(1 - share**2) * free + share * np.outer(apart, sign))


def _counts(
    rng: np.random.Generator, model: _genes.GeneModel, latent: pd.DataFrame, p: Mapping[str, Any]
) -> npt.NDArray[np.int32]:
    log_share = model.log_mean + latent[list(model.factors)].to_numpy() @ model.loadings.T
    if p["disease"] == "cca":
        biliary = np.isin(np.array(model.genes), _genes.BILIARY)
        log_share[: p["n_tumours"], biliary] += _BILIARY_SHIFT
    share = np.exp(log_share)
    share /= share.sum(axis=1, keepdims=True)
    library = float(p["median_library"]) * np.exp(float(p["library_sd"]) * rng.standard_normal(len(latent)))
    mean = share * library[:, None]
    # Dispersion falls with the mean towards a floor, as in bulk RNA-seq of tumours.
    dispersion = (0.08 + 3.0 / np.maximum(mean.mean(axis=0), 1e-8)) * model.dispersion
    noise = rng.gamma(1.0 / dispersion, size=mean.shape) * dispersion
    _without_causes(noise[: p["n_tumours"]], latent, dispersion, p)
    return np.asarray(rng.poisson(noise * mean), dtype=np.int32)


def _without_causes(noise: Floats, latent: pd.DataFrame, dispersion: Floats, p: Mapping[str, Any]) -> None:
    """Take the chance correlation with the causes of the hazard out of the genes' own noise, in place.

    Otherwise the scores of one cohort would carry a correlation with its outcome that no outcome drawn on it shows.
    """
    tumours = latent.iloc[: len(noise)]
    causes = tumours[[str(p["hazard_branch"]), "proliferation", "stage_number"]].to_numpy(np.float64)
    moved = _outcomes.expected_residual(_outcomes.linear_predictor(tumours, p), p)
    causes = np.column_stack([causes, moved])
    causes = causes - causes.mean(axis=0)
    # Genes next to silent have noise near 0, whose logarithm says nothing.
    loud = np.flatnonzero(dispersion < 2.0)
    logs = np.log(noise[:, loud])
    noise[:, loud] *= np.exp(-causes @ np.linalg.lstsq(causes, logs - logs.mean(axis=0), rcond=None)[0])


def _assemble(
    rng: np.random.Generator,
    model: _genes.GeneModel,
    latent: pd.DataFrame,
    counts: npt.NDArray[np.int32],
    outcomes: _outcomes.Outcomes,
    p: dict[str, Any],
) -> AnnData:
    from anndata import AnnData

    n = int(p["n_tumours"])
    tumours = latent.iloc[:n]
    obs = pd.DataFrame(index=latent.index)
    obs["patient"] = [name[:-2] for name in latent.index]
    obs["sample_type"] = pd.Categorical(["tumour"] * n + ["normal"] * (len(latent) - n), ["tumour", "normal"])
    obs = obs.join(outcomes.frame(0))
    mean, sd, least, most = _AGE[p["disease"]]
    age = np.round(np.clip(mean + sd * rng.standard_normal(n), least, most), 1 if p["disease"] == "hb" else 0)
    sex = np.where(rng.random(n) < _MALE[p["disease"]], "male", "female")
    stage = np.array(_STAGES)[tumours["stage_number"].to_numpy(np.int64) - 1]
    patients = pd.DataFrame({"age": age, "sex": sex, "stage": stage}, index=obs["patient"].iloc[:n])
    for column in patients:
        obs[column] = patients[column].reindex(obs["patient"]).to_numpy()
    obs["sex"] = pd.Categorical(obs["sex"], ["female", "male"])
    obs["stage"] = pd.Categorical(obs["stage"], list(_STAGES), ordered=True)
    obs["simulated"] = True
    gene, factor = np.nonzero(model.loadings)
    names, factors = np.array(model.genes, dtype=object), np.array(model.factors, dtype=object)
    hazard = _outcomes.linear_predictor(tumours, p)
    truth = {
        "latent": latent,
        "hazard": pd.DataFrame({"log_hazard_ratio": hazard}, index=tumours.index),
        "loadings": pd.DataFrame(
            {"gene": names[gene], "factor": factors[factor], "loading": model.loadings[gene, factor]},
            index=[str(i) for i in range(len(gene))],
        ),
        "parameters": p,
    }
    source = {
        "kind": "simulated",
        "file": "",
        "accession": "",
        "sha256": "",
        "units": "counts",
        "description": f"SIMULATED {p['disease'].upper()} cohort, seed {p['seed']}: no patient stands behind a number.",
    }
    flow = pd.DataFrame({"step": ["simulated"], "samples": [len(obs)], "tumours": [n], "normals": [len(obs) - n]})
    var = pd.DataFrame(index=pd.Index(names, name=None))
    return AnnData(X=counts, obs=obs, var=var, uns={"source": source, "flow": flow, "truth": truth})
