"""Perturbation data as arms: log expression in current human symbols, groups, blocks, and what was perturbed."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import stats

import mtorscore as mt
from benchmarks.readout.rppa import Measured, axes, measured
from mtorscore.errors import DataWarning
from mtorscore.genes.symbols import current_symbol

__all__ = ["Arm", "Measured", "Profile", "arms", "axes", "drug_background", "measured", "overexpression", "profiles"]


@dataclass(frozen=True)
class Arm:
    """Two groups of observations.

    Parameters
    ----------
    name, study
        Arms of one study are one fold: they share cells, batches or animals.
    data
        Log expression, observations x human symbols.
    treated, block
        Per observation.
    activity
        Change of the axes ``mtorc1`` and ``akt`` by design: 1 up, -1 down, absent where nothing is claimed.
    response
        Key of `expected` in the library's files where one fits.
    note
        What to keep in mind, from the data's README.
    """

    name: str
    study: str
    data: AnnData
    treated: np.ndarray
    block: np.ndarray
    activity: Mapping[str, int]
    response: str = ""
    note: str = ""


@dataclass(frozen=True)
class Profile:
    """One value per gene, no replicates at hand.

    Parameters
    ----------
    name, study, activity, response, note
        As of an `Arm`.
    z
        Signed normal deviate per gene, higher with the perturbation.
    assay
        ``"rna"`` or ``"protein"``.
    """

    name: str
    study: str
    z: pd.Series
    activity: Mapping[str, int]
    response: str = ""
    assay: str = "rna"
    note: str = ""
    background: pd.DataFrame | None = field(default=None, repr=False)


def arms(shared: Path) -> Iterator[Arm]:
    """Yield every arm with replicates (or, for the time course, matched times).

    Parameters
    ----------
    shared
        Folder that holds ``data/perturb-*``.

    Yields
    ------
    Arm
        In a fixed order.
    """
    data = shared / "data"
    yield from _crispr(data / "perturb-crispr-rptor-rictor")
    yield from _mcf10a(data / "perturb-mcf10a-pi3k")
    yield from _hmec(data / "perturb-hmec-pik3ca")
    yield from _tsc1(data / "perturb-tsc1-ko-muscle")


def profiles(shared: Path) -> Iterator[Profile]:
    """Yield the contrasts that come as tables: rapamycin in mouse liver and in a proteome."""
    reference = shared / "reference"
    for name, file, column, assay, note in (
        (
            "rapamycin, mouse liver RNA",
            "validation_rapamycin_mouse_liver_rna.tsv.gz",
            "log2fc_rapamycin_vs_control",
            "rna",
            "12 against 12 mice on diet; weak (2 genes at FDR 0.1), structure of diet and sex behind it",
        ),
        (
            "rapamycin, SU-DHL-4 proteome",
            "validation_rapamycin_sudhl4_protein.tsv.gz",
            "log2fc_rapamycin_vs_dmso",
            "protein",
            "protein of one lymphoma line",
        ),
    ):
        table = pd.read_csv(reference / file, sep="\t")
        symbol = "human_symbol" if "human_symbol" in table else "symbol"
        table = table.dropna(subset=[symbol, "p_value"]).sort_values("p_value").drop_duplicates(symbol)
        deviate = stats.norm.isf(table["p_value"].clip(lower=1e-300) / 2)
        z = pd.Series(np.sign(table[column].to_numpy()) * deviate, index=table[symbol].to_numpy())
        study = "rapamycin liver" if assay == "rna" else "rapamycin proteome"
        yield Profile(name, study, _current(z), {"mtorc1": -1}, "rapalog", assay, note)


def drug_background(shared: Path) -> pd.DataFrame:
    """Return L1000 consensus z, drugs x current symbols (978 landmark genes)."""
    folder = shared / "data" / "perturb-l1000-consensi-drugs"
    table = pd.read_csv(folder / "consensi-drugbank.tsv.gz", sep="\t", index_col=0)
    genes = pd.read_csv(folder / "genes.tsv.gz", sep="\t")
    key = "entrez_gene_id" if "entrez_gene_id" in genes else genes.columns[0]
    symbols = dict(zip(genes[key].astype(str), genes["symbol"].astype(str), strict=True))
    table.columns = [symbols.get(str(c), str(c)) for c in table.columns]
    renamed = {c: (current_symbol(c) or (c,))[0] for c in table.columns}
    table = table.rename(columns=renamed)
    return table.loc[:, ~table.columns.duplicated()]


def overexpression(shared: Path) -> pd.DataFrame:
    """Return L1000 genes that change when a pathway member is over-expressed: perturbagen, gene (current), z.

    Only significant genes are listed, so an absent gene says nothing.
    """
    table = pd.read_csv(shared / "data" / "perturb-l1000-overexpression" / "dysregulated_genes.tsv", sep="\t")
    genes = [(current_symbol(str(g)) or (str(g),))[0] for g in table["symbol"]]
    return pd.DataFrame({"perturbagen": table["perturbagen_symbol"], "gene": genes, "z": table["z_score"]})


def _current(z: pd.Series) -> pd.Series:

    names = [(current_symbol(str(s)) or (str(s),))[0] for s in z.index]
    renamed = z.set_axis(names)
    return renamed[~renamed.index.duplicated()]


def _harmonised(counts: pd.DataFrame, obs: pd.DataFrame, organism: str = "human", *, log: bool) -> AnnData:
    """Return log2 CPM (or the log values given) of expressed genes in current human symbols."""
    adata = AnnData(counts.T.to_numpy(dtype=np.float64), obs=obs, var=pd.DataFrame(index=counts.index.astype(str)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # many rows of a genome-wide table are no HGNC gene
        duplicates = "max_mean" if log else "sum"
        mt.pp.harmonise_genes(adata, organism=organism, target="human", duplicates=duplicates, unmapped="drop")
    if not log:
        x = np.asarray(adata.X)
        cpm = x / x.sum(axis=1, keepdims=True) * 1e6
        adata.X = np.log2(cpm + 0.5)
        adata = adata[:, (cpm > 1).mean(axis=0) >= 0.25].copy()
    return adata


def _crispr(folder: Path) -> Iterator[Arm]:
    note = (
        "knock-outs are clones: effects shared by all three genotypes are clonal; MEAK7 serves as the control for that"
    )
    tables = {}
    for state in ("nutri", "starved"):
        table = pd.read_csv(folder / f"rnaseq_{state}.tsv.gz", sep="\t").set_index("ensgene").drop(columns="symbol")
        tables[state] = table
    both = pd.concat(tables.values(), axis=1)
    fields = [c.split("_") for c in both.columns]
    obs = pd.DataFrame(
        {"genotype": [f[0] for f in fields], "state": [f[-2] for f in fields], "batch": [f[-1] for f in fields]},
        index=both.columns,
    )
    data = _harmonised(both, obs, log=False)
    for state, word in (("nutri", "fed"), ("starved", "starved")):
        for genotype, title, activity in (
            ("Rap", "RPTOR loss", {"mtorc1": -1}),
            ("Ric", "RICTOR loss", {"akt": -1}),
            ("m7", "MEAK7 loss (clonal control)", {}),
        ):
            mask = (data.obs["state"] == state) & data.obs["genotype"].isin(["v", genotype])
            chosen = data[mask.to_numpy()].copy()
            treated = (chosen.obs["genotype"] == genotype).to_numpy()
            yield Arm(f"{title}, {word}", "CRISPR", chosen, treated, chosen.obs["batch"].to_numpy(), activity, "", note)
    chosen = data[(data.obs["genotype"] == "v").to_numpy()].copy()
    starved = (chosen.obs["state"] == "starved").to_numpy()
    activity = {"mtorc1": -1}
    yield Arm("starvation, vector", "CRISPR", chosen, starved, chosen.obs["batch"].to_numpy(), activity, "", note)


def _mcf10a(folder: Path) -> Iterator[Arm]:
    means = pd.read_csv(folder / "mean_by_condition.tsv.gz", sep="\t").set_index("id")
    means = means.select_dtypes("number")
    fields = [c.rsplit("_", 1) for c in means.columns]
    obs = pd.DataFrame({"condition": [f[0] for f in fields], "time": [int(f[1]) for f in fields]}, index=means.columns)
    adata = _harmonised(means, obs, log=True)
    x = np.asarray(adata.X)
    adata.X = np.log2(x + 1)
    adata = adata[:, (x > 10).mean(axis=0) >= 0.25].copy()
    note = "means of three replicates; matched times of EGF stand in for blocks, so p is about times, not replicates"
    for condition, title, sign, times in (
        ("A66", "PI3K alpha inhibitor A66", -1, (90, 180, 300)),
        ("PTEN_KO", "PTEN loss", 1, (0, 90, 180, 300)),
        ("PIK3CA_H1047R", "PIK3CA H1047R", 1, (0, 90, 180, 300)),
    ):
        mask = adata.obs["condition"].isin(["WT", condition]) & adata.obs["time"].isin(times)
        chosen = adata[mask.to_numpy()].copy()
        treated = (chosen.obs["condition"] == condition).to_numpy()
        activity = {"mtorc1": sign, "akt": sign}
        yield Arm(title, "MCF10A", chosen, treated, chosen.obs["time"].to_numpy(), activity, "", note)


def _hmec(folder: Path) -> Iterator[Arm]:
    note = "transgene and batch or growth state are confounded; a stress test, not a truth"
    for kind, control, treated in (
        ("array", "PI3K_GFP_Only_SCAN_Symbol_SM.txt.gz", "PI3K_Only_SCAN_Symbol_SM.txt.gz"),
        ("RNA-seq", "gfp_rm5610_only.txt.gz", "pi3k_rm5610_only.txt.gz"),
    ):
        parts = [pd.read_csv(folder / f, sep="\t", index_col=0) for f in (control, treated)]
        parts = [
            p.set_axis([f"{label}{i}" for i in range(p.shape[1])], axis=1) for p, label in zip(parts, "ct", strict=True)
        ]
        both = pd.concat([p[~p.index.duplicated()] for p in parts], axis=1, join="inner").dropna()
        data = _harmonised(both, pd.DataFrame(index=both.columns), log=True)
        if kind == "RNA-seq":
            data = data[:, (np.asarray(data.X) > 1).mean(axis=0) >= 0.25].copy()
        is_treated = np.array([n.startswith("t") for n in data.obs_names])
        activity = {"mtorc1": 1, "akt": 1}
        yield Arm(f"PIK3CA on, HMEC {kind}", "HMEC", data, is_treated, np.zeros(data.n_obs, int), activity, "", note)


def _tsc1(folder: Path) -> Iterator[Arm]:
    text = (folder / "sample_mapping.csv").read_text().replace("\r\n", "\n").replace("\r", "\n")
    rows = [line.split(",") for line in text.strip().split("\n")[1:]]
    doubtful = {"2-counts.txt", "364-counts.txt", "369-counts.txt", "399_1-counts.txt", "399_2-counts.txt"}
    columns, genotype = {}, []
    for row in rows:
        file, kind = row[1], row[2]
        if file in doubtful:
            continue
        with gzip.open(folder / "htseq-counts" / f"{file}.gz", "rt") as handle:
            pairs = [line.rstrip("\n").split("\t") for line in handle]
        columns[file] = pd.Series({g: int(c) for g, c in pairs if g.startswith("ENSMUSG")})
        genotype.append(kind)
    counts = pd.DataFrame(columns)
    data = _harmonised(counts, pd.DataFrame({"genotype": genotype}, index=counts.columns), "mouse", log=False)
    treated = (data.obs["genotype"] == "Knockout").to_numpy()
    note = "mouse muscle, one-to-one orthologues; five samples of doubtful identity left out; AKT is muted by feedback"
    yield Arm(
        "Tsc1 loss, mouse muscle", "Tsc1", data, treated, np.zeros(data.n_obs, int), {"mtorc1": 1}, "tsc_loss", note
    )
