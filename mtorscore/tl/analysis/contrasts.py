"""Compare scores between groups of observations, along an order or a predictor, within blocks: linear models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore._multiple_testing import adjust_p
from mtorscore.errors import DataError, MethodError, examples
from mtorscore.pp.cell_aggregation import look_like_cells
from mtorscore.tl.analysis.cell_summaries import count_cells, one_value_per_sample, summarise
from mtorscore.tl.analysis.linear.contrast_rows import COLUMNS, Options, contrast_rows
from mtorscore.tl.analysis.linear.designs import make_design
from mtorscore.tl.analysis.linear.questions import ask

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["contrast"]


def contrast(
    scores: pd.DataFrame | AnnData,
    groups: Sequence[Any] | pd.Series | str | None = None,
    *,
    treated: Any = None,
    control: Any = None,
    block: Sequence[Any] | pd.Series | str | None = None,
    pair: Sequence[Any] | pd.Series | str | None = None,
    order: Sequence[Any] | None = None,
    covariates: str | Sequence[str] | pd.DataFrame | None = None,
    interaction: Sequence[Any] | pd.Series | str | None = None,
    interaction_control: Any = None,
    within: Sequence[Any] | pd.Series | str | None = None,
    continuous: Sequence[Any] | pd.Series | str | None = None,
    block_effect: str = "fixed",
    correlation: float | None = None,
    technical: pd.DataFrame | pd.Series | None = None,
    sample_key: str | None = None,
    method: str | None = None,
    n_permutations: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare scores of groups, along an order or a predictor, by a linear model that allows for blocks and covariates.

    The difference is a coefficient of ``score ~ contrast + covariates + block``, in units of the score; beside it
    stand two standardised ones. Hedges' g is in residual standard deviations, corrected for few degrees of freedom
    (Hedges and Olkin, Statistical Methods for Meta-Analysis, 1985; interval by the normal approximation);
    `difference_sd` is in standard deviations between observations of one group, blocks ignored (its interval takes
    that standard deviation as known).

    Four tests stand side by side. `p` permutes groups (or the predictor) within blocks, so it respects the
    correlation of genes inside a score and anything that blocks share; all arrangements are taken where there are at
    most `n_permutations`, otherwise that many are drawn; with covariates or an interaction, residuals are permuted
    (2,000 draws at most). `p_t` is that of the t test. `p_moderated` shrinks the residual variance towards that of the
    other signatures (Smyth, Stat Appl Genet Mol Biol 2004;3:3), so **it depends on which signatures are asked**; with
    fewer than ten it is NaN. `p_robust` lets variances differ: Welch's test for two groups, the paired test where all
    blocks are pairs, HC3 otherwise.

    Parameters
    ----------
    scores
        Observations x signatures, or a scored AnnData. Cells are refused unless `sample_key` names their sample.
    groups
        Group of each observation, or the name of a column of ``.obs``. Not needed with `continuous`.
    treated, control
        The groups to compare. `treated` may be a list, and is all other groups where it is None: one model is fitted
        to all of them, with a row per group against `control`. Observations of other groups are left out.
    block
        Batch, patient, clone, ... of each observation, or the name of a column of ``.obs``. As a fixed effect, a
        block that holds one group only tells nothing and is left out.
    pair
        What pairs observations, such as the patient; a fixed effect. Pairs that are not complete are left out with a
        warning.
    order
        Groups from lowest to highest: a linear trend, with the difference per step.
    covariates
        Columns of ``.obs`` (of an AnnData), or a DataFrame: numbers as they are, text as categories.
    interaction
        What the difference may depend on: a row for each of its values against the first (in sorted order), or, of
        numbers, one per unit.
    interaction_control
        The value of `interaction` that the others are compared with, such as the wild type; numbers are then groups.
    within
        The difference in each value of this factor, such as a cell type or a genotype: a row for each (sorted, or as
        categories are), in one model whose residual variance they share.
    continuous
        Numeric predictor instead of groups; the difference is per unit of it.
    block_effect
        ``"fixed"``; ``"consensus"``: random, with the consensus correlation within blocks of all signatures (Smyth,
        Michaud and Scott, Bioinformatics 2005;21:2067), which therefore depends on which are asked; ``"mixed"``: a
        mixed model by REML for each signature, with degrees of freedom by Satterthwaite.
    correlation
        Within blocks, for ``"consensus"``; by default it is estimated.
    technical
        Technical SD of each score: the table of `technical_sd`, or a Series (index: signature).
    sample_key
        Of scored cells: column of ``.obs`` that names the sample; scores are averaged by sample, and other columns
        must have one value per sample.
    method
        Which scores of an AnnData; by default its only ones.
    n_permutations
        Most arrangements that are looked at.
    level
        Coverage of the intervals.
    seed
        Seed of the drawn arrangements.

    Returns
    -------
    pandas.DataFrame
        One row per contrast and signature: ``signature, contrast, n_treated, n_control`` (NaN without two groups),
        ``n_blocks, difference, low, high, hedges_g, g_low, g_high, auroc`` (share of pairs of observations of one
        block in which the higher group has the higher score), ``t, p, n_arrangements, least_p`` (the least p that so
        many arrangements could show), ``n, df, p_t, t_moderated, p_moderated, prior_df, q`` (Benjamini-Hochberg over
        all rows of the table, of `p_moderated` where there is one, else of `p_t`), ``residual_sd, error`` (standard
        error of the difference), ``sd, difference_sd, sd_low, sd_high, robust`` (``welch``, ``paired``, ``hc3``),
        ``t_robust, df_robust, p_robust, block_effect, correlation`` (within random blocks, as used) and ``reason``
        (why a number is NaN, or approximate). With `technical` also ``technical_sd, smallest_difference`` (technical
        noise alone shows a larger one in 5% of experiments of this design, or 1 - `level`) and ``below_smallest``
        (whether the difference is within it). With `sample_key` also ``n_cells`` (of all samples) and
        ``cells_without_sample`` (left out, with one warning).

    Raises
    ------
    DataError
        If a group is absent, no block holds both groups, or a column does not fit.
    MethodError
        If the observations are cells and no sample is named.
    """
    table, obs = _inputs(scores, method, sample_key, [groups, block, pair, interaction, within, continuous], covariates)
    asked = ask(
        obs, groups, treated=treated, control=control, block=block, pair=pair, order=order, covariates=covariates,
        interaction=interaction, interaction_control=interaction_control, within=within, continuous=continuous,
        block_effect=block_effect,
    )  # fmt: skip
    design = make_design(asked)
    options = Options(block_effect, correlation, n_permutations, seed, level)
    rows = contrast_rows(design, table.to_numpy(dtype=np.float64), options)
    rows["signature"] = np.asarray(table.columns, dtype=object)[rows["response"].to_numpy(dtype=np.int64)]
    rows["q"] = adjust_p(rows["p_moderated"].fillna(rows["p_t"]).to_numpy(dtype=np.float64))
    rows["reason"] = rows["reason"].astype(object).fillna("")
    for name in ("n_treated", "n_control"):
        if rows[name].notna().all():
            rows[name] = rows[name].astype(np.int64)
    out = rows[list(COLUMNS)]
    if sample_key is not None:
        out = out.assign(**count_cells(scores.obs, sample_key, table.index))
    return out if technical is None else _with_technical(out, technical, level)


def _with_technical(rows: pd.DataFrame, technical: pd.DataFrame | pd.Series, level: float) -> pd.DataFrame:
    if isinstance(technical, pd.DataFrame):
        if not {"signature", "technical_sd"} <= set(technical.columns):
            raise DataError("`technical` is the table of tl.technical_sd, with signature and technical_sd.")
        technical = technical.set_index("signature")["technical_sd"]
    sd = rows["signature"].map(technical).astype(np.float64)
    least = stats.norm.ppf(0.5 + level / 2) * sd * rows["error"] / rows["residual_sd"]
    below = (rows["difference"].abs() < least).where(least.notna() & rows["difference"].notna(), False)
    return rows.assign(technical_sd=sd, smallest_difference=least, below_smallest=below.astype(bool))


def _inputs(
    scores: pd.DataFrame | AnnData, method: str | None, sample_key: str | None, named: list[Any], covariates: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if isinstance(scores, pd.DataFrame):
        if sample_key is not None:
            raise DataError("`sample_key` names a column of .obs, which a table does not have; hand over the AnnData.")
        _check_scores(scores)
        return scores, pd.DataFrame(index=scores.index)
    if sample_key is not None:
        return _by_sample(scores, method, sample_key, named, covariates)
    if look_like_cells(scores):
        raise MethodError(
            "Cells of one sample are not independent, so a p-value over cells is far too small (it counts cells as if "
            "each came from another patient). Name the column of samples in sample_key=; the contrast is then made on "
            "samples."
        )
    keys = [k for k in scores.obsm if k == f"score_{method}" or (method is None and k.startswith("score_"))]
    if len(keys) != 1:
        found = examples(k for k in scores.obsm if k.startswith("score_")) or "none"
        raise DataError(f"Say which scores to compare with `method`; there are {found}.")
    return scores.obsm[keys[0]], scores.obs


def _check_scores(scores: pd.DataFrame) -> None:
    text = [c for c in scores if not pd.api.types.is_numeric_dtype(scores[c].dtype)]
    if text:
        raise DataError(
            f"{len(text)} column(s) of the scores are not numeric ({examples(text)}); leave them out, or hand a column "
            "of groups over as `groups`."
        )
    infinite = [c for c in scores if np.isinf(scores[c].to_numpy(dtype=np.float64, na_value=np.nan)).any()]
    if infinite:
        raise DataError(
            f"{len(infinite)} column(s) of the scores hold infinite values ({examples(infinite)}); set them to missing."
        )
    if scores.index.has_duplicates:
        twice = scores.index[scores.index.duplicated()].unique()
        raise DataError(
            f"{len(twice)} observation(s) are duplicated in the scores ({examples(twice)}); name each once."
        )


def _by_sample(
    adata: AnnData, method: str | None, sample_key: str, named: list[Any], covariates: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    extra = [covariates] if isinstance(covariates, str) else list(covariates if covariates is not None else ())
    wanted = [c for c in [*named, *extra] if c is not None]
    if not all(isinstance(c, str) for c in wanted) or isinstance(covariates, pd.DataFrame):
        raise DataError("With `sample_key`, name columns of .obs; values per cell cannot be matched to samples.")
    about = one_value_per_sample(adata.obs, sample_key, wanted)
    long = summarise(adata, [sample_key], method=method, statistics=["mean"])
    wide = long.pivot(index=sample_key, columns="signature", values="mean")
    return wide[list(dict.fromkeys(long["signature"]))], about.loc[wide.index]
