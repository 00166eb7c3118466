"""Test signatures on the genes themselves, for few replicates: CAMERA, rotation, permutation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._multiple_testing import adjust_p
from mtorscore.collection import SignaturesLike, as_collection
from mtorscore.errors import DataError, DataWarning, MethodError, StatisticsWarning, examples, warn
from mtorscore.pp.cell_aggregation import look_like_cells
from mtorscore.pp.scale import detect_scale
from mtorscore.tl.analysis.linear.blocks import block_correlations, consensus
from mtorscore.tl.analysis.linear.designs import Design, Term, make_design
from mtorscore.tl.analysis.linear.fits import correlated, fit, independent
from mtorscore.tl.analysis.linear.questions import ask
from mtorscore.tl.analysis.linear.set_permutation import permute_sets
from mtorscore.tl.analysis.linear.set_statistics import (
    GeneTests,
    SetTest,
    camera,
    camera_ranks,
    fry,
    gene_effects,
    gene_tests,
    rotation_test,
)

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["set_test"]

_Float = npt.NDArray[np.float64]
_METHODS = {"camera": "competitive", "rotation": "self-contained", "permutation": "self-contained"}
_COLUMNS = (
    "signature", "contrast", "method", "null", "n_genes", "n_missing", "statistic", "direction", "p", "q", "p_mixed",
    "p_fry", "correlation", "n_arrangements", "least_p", "n", "df", "prior_df", "reason",
)  # fmt: skip
_KEYWORDS = (
    "groups", "treated", "control", "block", "pair", "order", "covariates", "interaction", "interaction_control",
    "within", "continuous", "block_effect", "correlation",
)  # fmt: skip


def set_test(
    adata: AnnData,
    signatures: SignaturesLike = None,
    contrast: Mapping[str, Any] | None = None,
    *,
    method: str = "camera",
    correlation: float | str = 0.01,
    ranks: bool = False,
    n: int = 9_999,
    layer: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Test signatures on their genes, signed and weighted, in any design of `mtorscore.tl.contrast`.

    Every gene gets the moderated t of the contrast (Smyth, Stat Appl Genet Mol Biol 2004;3:3); what is asked of the
    genes of a signature differs by method.

    ``"camera"`` (Wu and Smyth, Nucleic Acids Res 2012;40:e133) is *competitive*: do these genes move more than all
    others? The correlation of genes widens its variance. ``"rotation"`` (ROAST: Wu et al., Bioinformatics
    2010;26:2176) and ``"permutation"`` are *self-contained*: do these genes move at all? They hold with any
    correlation of genes. Rotation works with few replicates and takes residuals to be normal; permutation does not,
    but can show no p below `least_p`. Where a treatment moves half of all genes, self-contained tests call nearly
    every signature.

    Parameters
    ----------
    adata
        Observations x genes, on log scale.
    signatures
        As in `score`; genes that fall with what a signature measures are turned round, weights weigh.
    contrast
        Keywords of `mtorscore.tl.contrast`: ``{"groups": "arm", "treated": "drug", "control": "vehicle", "pair":
        "patient"}``. Blocks are fixed, or ``"consensus"`` (estimated over all genes unless ``"correlation"`` is given).
    method
        ``"camera"``, ``"rotation"`` or ``"permutation"``.
    correlation
        Between genes of a signature, for CAMERA: a number (limma's default is 0.01, which finds more and does not hold
        the level where genes correlate more), or ``"estimated"`` from the residuals of each signature.
    ranks
        Whether CAMERA compares ranks; NaN for signed or weighted signatures.
    n
        Rotations, or most arrangements.
    layer
        Layer instead of ``.X``.
    seed
        Of rotations and drawn arrangements.

    Returns
    -------
    pandas.DataFrame
        One row per contrast and signature: ``signature, contrast, method, null, n_genes`` (that are tested),
        ``n_missing, statistic`` (camera: t; others: weighted mean of normal deviates; above 0 where the genes move as
        the signature says), ``direction`` (``up``, ``down``), ``p`` (two-sided), ``q`` (Benjamini-Hochberg over all
        rows), ``p_mixed`` (rotation: any change, whatever its direction), ``p_fry`` (rotation: limma's fry, the limit
        of many rotations), ``correlation`` (of genes, as used), ``n_arrangements, least_p, n`` (observations),
        ``df, prior_df`` (of the genes' t) and ``reason``.

    Raises
    ------
    DataError
        If the design does not fit, or leaves no residual degree of freedom.
    MethodError
        If the method is unknown, or the observations are single cells.
    """
    if method not in _METHODS:
        raise MethodError(f"method={method!r} is none of {', '.join(_METHODS)}.")
    design, keywords = _design(adata, contrast)
    y, genes = _matrix(adata, layer, design)
    rho = _preset(correlation)
    sets, counts = _sets(signatures, genes)
    tables = []
    for term in design.terms:
        tested = _Tested.of(y, design, term, keywords)
        found, extra = _run(tested, method, sets, rho, ranks, n, seed)
        tables.append(_rows(found, counts, term, method, tested, extra))
    out = pd.concat(tables, ignore_index=True)
    out["q"] = adjust_p(out["p"].to_numpy(dtype=np.float64))
    return out.reindex(columns=list(_COLUMNS)).astype({"reason": object}).fillna({"reason": ""})


def _design(adata: AnnData, contrast: Mapping[str, Any] | None) -> tuple[Design, dict[str, Any]]:
    if contrast is None:
        raise DataError("Say what is compared: contrast={'groups': COLUMN, 'treated': VALUE, 'control': VALUE}.")
    unknown = [k for k in contrast if k not in _KEYWORDS]
    if unknown:
        raise DataError(f"contrast= has no keyword {examples(map(repr, unknown))}; there are {', '.join(_KEYWORDS)}.")
    keywords = dict(contrast)
    if keywords.get("block_effect", "fixed") == "mixed":
        raise DataError("Genes are not fitted by mixed models; use block_effect='consensus' or 'fixed'.")
    if look_like_cells(adata):
        raise MethodError(
            "Cells of one sample are not independent. Add them up first: bulk = pp.pseudobulk(adata, [sample]), then "
            "pp.add_log_layer(bulk, scale='counts')."
        )
    questions = {k: v for k, v in keywords.items() if k not in ("groups", "correlation")}
    return make_design(ask(adata.obs, keywords.get("groups"), **questions)), keywords


def _matrix(adata: AnnData, layer: str | None, design: Design) -> tuple[_Float, list[str]]:
    scale = detect_scale(adata, layer)
    if scale.log == "none" and scale.kind not in ("zscore",):
        warn(
            f"The values look like {scale.kind}, not logarithms ({scale.evidence[0]}); t statistics need logarithms. "
            "Run pp.add_log_layer(adata) and pass layer='log'.",
            StatisticsWarning,
        )
    frame = adata.to_df(layer=layer).iloc[design.rows]
    values = frame.to_numpy(dtype=np.float64)
    known = np.isfinite(values).all(axis=0)
    varying = np.zeros(values.shape[1], dtype=bool)
    varying[known] = np.ptp(values[:, known], axis=0) > 0
    once = ~frame.columns.duplicated()
    for mask, what in ((known, "have missing values"), (varying | ~known, "do not vary"), (once, "are duplicated")):
        if not mask.all():
            warn(
                f"{int((~mask).sum())} gene(s) {what} and are left out ({examples(frame.columns[~mask])}).", DataWarning
            )
    keep = known & varying & once
    if keep.sum() < 3:
        raise DataError(f"Only {int(keep.sum())} genes can be tested; three are needed.")
    return values[:, keep], [str(g) for g in frame.columns[keep]]


def _preset(correlation: float | str) -> float | None:
    if isinstance(correlation, str):
        if correlation != "estimated":
            raise DataError(f"correlation={correlation!r} is neither a number nor 'estimated'.")
        return None
    if not 0 <= correlation < 1:
        raise DataError(f"correlation={correlation!r} is outside [0, 1).")
    return float(correlation)


def _sets(signatures: SignaturesLike, genes: list[str]) -> tuple[_Float, pd.DataFrame]:
    resolved = as_collection(signatures).resolve(genes)
    out = np.zeros((len(genes), len(resolved)))
    owner = np.repeat(np.arange(len(resolved)), np.diff(resolved.indptr))
    out[resolved.indices, owner] = resolved.weights
    sums = np.abs(out).sum(axis=0)
    out[:, sums > 0] /= sums[sums > 0]
    counts = pd.DataFrame(
        {
            "signature": list(resolved.names),
            "n_genes": (out != 0).sum(axis=0),
            "n_missing": [len(m) for m in resolved.missing],
        }
    )
    return out, counts


class _Tested:
    """One contrast of the genes: what is needed by every method."""

    def __init__(self, y: _Float, term: Term, nuisance: _Float, design: Design, tests: GeneTests) -> None:
        self.y, self.x, self.nuisance, self.design, self.term, self.tests = y, term.x, nuisance, design, term, tests

    @classmethod
    def of(cls, y: _Float, design: Design, term: Term, keywords: dict[str, Any]) -> _Tested:
        nuisance, x = np.column_stack([design.fixed, term.others]), term.x
        if design.block is not None:
            rho = keywords.get("correlation")
            if rho is None:
                rho = consensus(block_correlations(y, np.column_stack([nuisance, x]), design.block))
            if np.isnan(rho):
                raise DataError("The correlation within blocks cannot be told in this design; use fixed blocks.")
            y, nuisance = correlated(y, design.block, rho), correlated(nuisance, design.block, rho)
            x = correlated(x[:, None], design.block, rho)[:, 0]
        fitted = fit(y[:, :1], x, nuisance)
        if fitted is None:
            raise DataError(f"{term.label} cannot be told apart from blocks or covariates; leave some of them out.")
        if fitted.degrees < 1:
            raise DataError(f"{term.label}: no residual degree of freedom is left; more observations are needed.")
        tests = gene_tests(gene_effects(y, np.column_stack([independent(nuisance), x])))
        return cls(y, term, nuisance, design, tests)


def _run(
    tested: _Tested, method: str, sets: _Float, rho: float | None, ranks: bool, n: int, seed: int
) -> tuple[SetTest, dict[str, Any]]:
    tests, design, term = tested.tests, tested.design, tested.term
    if method == "camera":
        return (camera_ranks if ranks else camera)(tests, sets, rho), {}
    if method == "rotation":
        found = rotation_test(tests, sets, n=n, seed=seed)
        return found, {"n_arrangements": n, "least_p": 1 / (n + 1), "p_fry": fry(tests, sets).p}
    if design.block is not None:
        raise MethodError("With random blocks groups cannot be permuted; use method='rotation', or fixed blocks.")
    compared = design.strata >= 0
    if term.treated is not None and term.control is not None:
        compared = term.treated | term.control
    found, count, least = permute_sets(
        tested.y, tested.x, tested.nuisance, np.where(compared, design.strata, -1), tests, sets,
        exact=design.exact, most=n if design.exact else min(n, 2000), seed=seed,
    )  # fmt: skip
    return found, {"n_arrangements": count, "least_p": least}


def _rows(
    found: SetTest, counts: pd.DataFrame, term: Term, method: str, tested: _Tested, extra: dict[str, Any]
) -> pd.DataFrame:
    table = counts.copy()
    table["contrast"], table["method"], table["null"] = term.label, method, _METHODS[method]
    table["statistic"], table["p"], table["correlation"] = found.statistic, found.p, found.correlation
    table["p_mixed"] = found.mixed
    table["direction"] = np.select([found.statistic > 0, found.statistic < 0], ["up", "down"], "")
    table["n"], table["df"] = len(tested.design.rows), tested.tests.degrees
    table["prior_df"] = tested.tests.moderated.prior_degrees
    for name, values in extra.items():
        table[name] = values
    none = table["n_genes"] == 0
    table["reason"] = np.select(
        [none, ~np.isfinite(found.p)],
        ["none of its genes is in the matrix", "it holds all genes, or ranks cannot carry its signs or weights"],
        "",
    ).astype(object)
    for name in ("p_fry", "p_mixed"):
        if name in table:
            table.loc[none, name] = np.nan
    return table
