"""The genes of a simulated cohort: which, how much of each, and what moves them.

Everything here is fixed by the gene's name, never by a cohort's seed, so that two simulated cohorts share one biology
and a model learned on the first can be tried on the second.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from mtorscore.collection import CONFOUNDER, Signature, SignatureCollection

PROLIFERATION, PURITY, MATURITY, HYPOXIA = "proliferation", "purity", "maturity", "hypoxia"
N_MODULES = 8

# Secreted and metabolic products of a mature hepatocyte with their rough share per million transcripts in liver.
HEPATOCYTE: dict[str, float] = {
    "ALB": 30000, "APOA1": 12000, "APOA2": 11000, "SERPINA1": 11000, "APOC3": 8000, "FGB": 7500, "HP": 8500,
    "FGA": 6000, "FGG": 5500, "TF": 5500, "TTR": 5000, "APOH": 4500, "AMBP": 4200, "RBP4": 4000, "ORM1": 4000,
    "APOB": 2200, "AHSG": 3500, "VTN": 2600, "C3": 3500, "CP": 900, "FGL1": 900, "HPX": 2400, "APOC1": 5000,
    "APOE": 4500, "ADH1B": 2500, "ALDOB": 3000, "CPS1": 2200, "CYP2E1": 3500, "CYP3A4": 1100, "CYP2C9": 700,
    "CYP2C8": 800, "CYP1A2": 350, "ASGR1": 500, "TAT": 400, "HPD": 1100, "G6PC1": 350, "PCK1": 700, "SLC2A2": 220,
    "CYP8B1": 150, "GLS2": 60, "ARG1": 600, "ASS1": 900, "F2": 900, "F9": 250, "SERPINC1": 1300, "ITIH1": 700,
    "HRG": 900, "KNG1": 700, "PLG": 700, "A1BG": 300,
}  # fmt: skip
FETAL = ("AFP", "GPC3", "DLK1", "IGF2", "H19", "LIN28B", "SALL4", "PEG10", "IGF2BP1", "IGF2BP3", "TSPAN8")
BILIARY = ("KRT19", "KRT7", "EPCAM", "SOX9", "SPP1", "CLDN4", "TACSTD2", "MUC1", "CFTR", "SOX4", "ELF3", "LAMC2")
STROMA = (
    "COL1A1", "COL1A2", "COL3A1", "DCN", "LUM", "FAP", "ACTA2", "PDGFRB", "THY1", "VWF", "PECAM1", "PTPRC", "CD3D",
    "CD3E", "CD8A", "CD4", "CD68", "CD163", "CD14", "LYZ", "CSF1R", "MS4A1", "NKG7", "GZMB", "CXCL12",
)  # fmt: skip
CYCLE = (
    "MKI67", "PCNA", "TOP2A", "CCNB1", "CCNB2", "CDK1", "BUB1", "BUB1B", "AURKA", "AURKB", "PLK1", "MCM2", "MCM3",
    "MCM4", "MCM5", "MCM6", "CCNA2", "CDC20", "BIRC5", "TYMS", "RRM2", "KIF11", "CENPA", "UBE2C", "TPX2",
)  # fmt: skip

# What the ids of confounder signatures say that they read, the first match counting.
_CONFOUNDERS: tuple[tuple[tuple[str, ...], str, float], ...] = (
    (("FETAL", "C2_VS_C1", "IMMATUR"), MATURITY, -1.0),
    (("HEPATOCYTE", "MATUR", "LIVER_IDENT"), MATURITY, 1.0),
    (("STROM", "IMMUN", "FIBRO", "EMT", "KUPFFER", "STELLATE", "INFILTR"), PURITY, -1.0),
    (("HYPOX",), HYPOXIA, 1.0),
    (("PROLIF", "CYCLE", "PCNA", "E2F", "G2M", "MYC"), PROLIFERATION, 1.0),
)
_LEVEL_STRENGTH = {"transcriptional": 1.0, "component": 0.5, "translational": 0.35, "composite": 0.5}


@dataclass(frozen=True)
class GeneModel:
    """Mean expression and loadings of every simulated gene.

    Attributes
    ----------
    genes
        Approved symbols, sorted.
    log_mean
        ``(n_genes,)`` natural log of the expected share of the library in mature liver.
    factors
        Names of the latent factors: branches of the signatures, then confounders, then unnamed modules.
    loadings
        ``(n_genes, n_factors)`` change of the natural log of the mean per unit of the factor.
    dispersion
        ``(n_genes,)`` factor by which the gene's dispersion departs from the trend.
    """

    genes: tuple[str, ...]
    log_mean: npt.NDArray[np.float64]
    factors: tuple[str, ...]
    loadings: npt.NDArray[np.float64]
    dispersion: npt.NDArray[np.float64]


def _stable(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


@lru_cache(maxsize=1)
def _protein_coding() -> tuple[str, ...]:
    """Return approved protein-coding symbols in an order that looks random and never changes."""
    table = resources.files("mtorscore").joinpath("data", "genes_human.tsv.gz")
    with table.open("rb") as raw, gzip.open(raw, "rt", encoding="utf-8", newline="") as text:
        rows = csv.DictReader(text, delimiter="\t")
        symbols = {r["symbol"] for r in rows if r["group"] == "protein"}
    # Mitochondrial, read-through and olfactory-receptor loci are left out: they would only be zeros or surprises.
    kept = [s for s in symbols if not s.startswith("MT-") and "-" not in s and not s.startswith("OR")]
    return tuple(sorted(kept, key=_stable))


def confounder_of(signature_id: str) -> tuple[str, float] | None:
    """Return the latent confounder that a confounder signature reads, and the sign with which it does.

    Parameters
    ----------
    signature_id
        Id of a signature of the branch ``"confounder"``.

    Returns
    -------
    tuple or None
        Factor and sign, or None where the id names none of the simulated confounders.
    """
    name = signature_id.upper()
    for words, factor, sign in _CONFOUNDERS:
        if any(word in name for word in words):
            return factor, sign
    return None


def _factor_of(signature: Signature) -> tuple[str, float] | None:
    if signature.branch == CONFOUNDER:
        return confounder_of(signature.id)
    # A signature that falls with activity is driven downwards: the factor is the branch, not the signature.
    return signature.branch, float(signature.sign or 1)


def gene_model(signatures: SignatureCollection, n_genes: int, *, effect: float, disease: str) -> GeneModel:
    """Choose the genes and say what moves each.

    Parameters
    ----------
    signatures
        Their genes are all included.
    n_genes
        How many genes in all; the rest are approved protein-coding symbols.
    effect
        Mean absolute loading of a gene of a transcriptional signature, natural log units per SD of its branch.
    disease
        ``"hcc"``, ``"cca"`` or ``"hb"``.

    Returns
    -------
    GeneModel
        Fixed by the arguments; no random seed enters.
    """
    named = {g for e in signatures for g in e.genes}
    fixed = set(HEPATOCYTE) | set(FETAL) | set(BILIARY) | set(STROMA) | set(CYCLE)
    wanted = named | fixed
    for symbol in _protein_coding():
        if len(wanted) >= n_genes:
            break
        wanted.add(symbol)
    genes = tuple(sorted(wanted))
    branches = simulated_branches(signatures)
    modules = tuple(f"module_{i + 1}" for i in range(N_MODULES))
    factors = (*branches, PROLIFERATION, PURITY, MATURITY, *((HYPOXIA,) if HYPOXIA not in branches else ()), *modules)
    draws = np.array([_gene_draws(g) for g in genes])
    loadings = np.zeros((len(genes), len(factors)))
    row = {g: i for i, g in enumerate(genes)}
    column = {f: j for j, f in enumerate(factors)}
    moved = _load_signatures(loadings, signatures, row, column, draws, effect)
    # A bile-duct tumour is no immature hepatocyte: losing hepatocyte identity does not switch its fetal genes on.
    fetal = 0.0 if disease == "cca" else -0.8
    for names, factor, size in (
        (CYCLE, PROLIFERATION, 0.6), (STROMA, PURITY, -0.5), (tuple(HEPATOCYTE), MATURITY, 0.45),
        (FETAL, MATURITY, fetal),
    ):  # fmt: skip
        for g in names:
            loadings[row[g], column[factor]] = size * (0.6 + 0.8 * draws[row[g], 1])
    background = np.array([g not in moved and g not in fixed for g in genes])
    _load_background(loadings, background, column, draws)
    log_mean = _log_means(genes, background, draws)
    _balance(loadings, background, factors, draws, np.exp(log_mean))
    if disease == "hb":
        _mature_branches(loadings, branches, column, draws)
    return GeneModel(genes, log_mean, factors, loadings, np.exp(0.35 * draws[:, 6]))


def _gene_draws(gene: str) -> npt.NDArray[np.float64]:
    """Return the gene's own constants: two normals and four uniforms, then a normal, fixed by its name."""
    rng = np.random.default_rng(_stable(f"mtorscore simulated gene {gene}"))
    return np.concatenate([rng.standard_normal(1), rng.random(5), rng.standard_normal(1)])


def simulated_branches(signatures: SignatureCollection) -> tuple[str, ...]:
    """Return the branches that get an activity: all but confounders and the classes and comparators of others.

    Parameters
    ----------
    signatures
        Entries; panels, ratios and composites do not make a branch.

    Returns
    -------
    tuple of str
        In the order of the collection.
    """
    return tuple(dict.fromkeys(s.branch for s in signatures.signatures if s.branch not in (CONFOUNDER, "context")))


def _load_signatures(
    loadings: npt.NDArray[np.float64],
    signatures: SignatureCollection,
    row: dict[str, int],
    column: dict[str, int],
    draws: npt.NDArray[np.float64],
    effect: float,
) -> set[str]:
    """Let each gene follow foremost the smallest signature that holds it, and return the genes that follow any.

    Published sets overlap: FASN is in sets of 16 and of 600 genes. The short list is the specific one, so a gene's
    loading on another branch is cut by the ratio of the sizes; long lists, mostly passengers, move less as a whole.
    """
    targets = [(s, _factor_of(s)) for s in signatures.signatures]
    kept = [(s, t) for s, t in targets if t is not None and t[0] in column and s.genes]
    smallest: dict[str, int] = {}
    for signature, _ in kept:
        for gene in signature.genes:
            smallest[gene] = min(len(signature.genes), smallest.get(gene, len(signature.genes)))
    for signature, (factor, sign) in kept:
        size = len(signature.genes)
        strength = sign * effect * _LEVEL_STRENGTH[signature.level] * min(1.0, (60 / size) ** 0.5)
        for gene, weight in signature.signed_weights().items():
            i, j = row[gene], column[factor]
            value = strength * np.sign(weight) * smallest[gene] / size * (0.5 + draws[i, 1])
            # Two signatures of one branch that share a gene do not move it twice.
            if abs(value) > abs(loadings[i, j]):
                loadings[i, j] = value
    return set(smallest)


def _load_background(
    loadings: npt.NDArray[np.float64],
    background: npt.NDArray[np.bool_],
    column: dict[str, int],
    draws: npt.NDArray[np.float64],
) -> None:
    """Give unnamed genes the co-expression that makes random signatures correlate with each other and with growth."""
    module = np.minimum((draws[:, 2] * N_MODULES).astype(int), N_MODULES - 1)
    strength = 0.35 * (2 * draws[:, 3] - 1)
    for m in range(N_MODULES):
        mine = background & (module == m)
        loadings[mine, column[f"module_{m + 1}"]] = strength[mine]
    for factor, source, share, size in ((PROLIFERATION, 4, 0.15, 0.25), (PURITY, 5, 0.25, -0.3)):
        mine = background & (draws[:, source] < share)
        loadings[mine, column[factor]] = size * (draws[mine, source] / share - 0.25)


def _balance(
    loadings: npt.NDArray[np.float64],
    background: npt.NDArray[np.bool_],
    factors: tuple[str, ...],
    draws: npt.NDArray[np.float64],
    share: npt.NDArray[np.float64],
) -> None:
    """Let a quarter of the unnamed genes fall a little where a factor's genes rise.

    A factor's loadings then add up to 0, plain and weighted by expression. A transcriptome that rises as a whole pushes
    the ranks and shares of all other genes down: unrelated signatures would follow the factor upside down, which is no
    property of theirs.
    """
    for j, factor in enumerate(factors):
        if factor == MATURITY or factor.startswith("module_"):
            continue
        mine = np.flatnonzero(background & ~_silent(draws) & (draws[:, 3] * (11 + 2 * j) % 1 < 0.25))
        if len(mine):
            weights = np.stack([np.ones(len(mine)), share[mine]])
            surplus = np.array([loadings[:, j].sum(), share @ loadings[:, j]])
            loadings[mine, j] -= np.clip(np.linalg.lstsq(weights, surplus, rcond=None)[0], -0.25, 0.25)


def _silent(draws: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which genes, if unnamed, are next to silent: a quarter in any one tissue."""
    return np.asarray(draws[:, 2] * 7 % 1 < 0.25)


def _mature_branches(
    loadings: npt.NDArray[np.float64],
    branches: tuple[str, ...],
    column: dict[str, int],
    draws: npt.NDArray[np.float64],
) -> None:
    """Let maturity move branch genes in hepatoblastoma, as lineage does, without any change of a branch's activity."""
    for branch in branches:
        j = column[branch]
        mine = (loadings[:, j] != 0) & (draws[:, 4] < 0.6)
        loadings[mine, column[MATURITY]] -= 0.5 * loadings[mine, j]


def _log_means(
    genes: tuple[str, ...], background: npt.NDArray[np.bool_], draws: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    level = 2.4 + 1.6 * draws[:, 0]
    level[background & _silent(draws)] -= 4.5
    for i, gene in enumerate(genes):
        if gene in HEPATOCYTE:
            level[i] = np.log(HEPATOCYTE[gene])
        elif gene in FETAL:
            level[i] = np.log(3.0)
        elif gene in BILIARY:
            level[i] = np.log(12.0)
        elif gene in STROMA:
            level[i] = np.log(20.0 + 180.0 * draws[i, 1])
        elif gene in CYCLE:
            level[i] = np.log(1.5 + 6.0 * draws[i, 1])
        elif gene.startswith(("RPL", "RPS")) and gene[3:4].isdigit():
            level[i] = np.log(400.0 + 900.0 * draws[i, 1])
    # Nothing outside the list of secreted proteins may outrank them.
    for i, gene in enumerate(genes):
        if gene not in HEPATOCYTE:
            level[i] = min(level[i], np.log(1200.0))
    total = np.log(np.exp(level).sum())
    return np.asarray(level - total, dtype=np.float64)
