"""Numbers of contrasts: one table per contrast, one row per response, each NaN with its reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from mtorscore.tl.analysis.linear.blocks import block_correlations, consensus, mixed_model
from mtorscore.tl.analysis.linear.designs import Design, Term
from mtorscore.tl.analysis.linear.fits import Fit, Robust, correlated, fit, hc3, paired, welch
from mtorscore.tl.analysis.linear.moderation import moderate, two_sided
from mtorscore.tl.analysis.linear.permutations import permute_column, permute_residuals

__all__ = ["COLUMNS", "FEWEST", "Options", "contrast_rows"]

_Float = npt.NDArray[np.float64]
# Fewer variances say too little about their common prior.
FEWEST = 10
COLUMNS = (
    "signature", "contrast", "n_treated", "n_control", "n_blocks", "difference", "low", "high", "hedges_g", "g_low",
    "g_high", "auroc", "t", "p", "n_arrangements", "least_p", "n", "df", "p_t", "t_moderated", "p_moderated",
    "prior_df", "q", "residual_sd", "error", "sd", "difference_sd", "sd_low", "sd_high", "robust", "t_robust",
    "df_robust", "p_robust", "block_effect", "correlation", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How contrasts are computed.

    Attributes
    ----------
    block_effect
        ``"fixed"``, ``"consensus"`` or ``"mixed"``.
    correlation
        Within random blocks; None: estimated.
    n_permutations, seed
        Of the permutation test.
    level
        Coverage of intervals.
    """

    block_effect: str
    correlation: float | None
    n_permutations: int
    seed: int
    level: float


@dataclass(frozen=True)
class _Part:
    """Responses that miss the same observations."""

    columns: npt.NDArray[np.int64]
    design: Design | None
    y: _Float


def contrast_rows(design: Design, y: _Float, options: Options) -> pd.DataFrame:
    """Compute every contrast of a design for every response.

    Parameters
    ----------
    design
        Who takes part, and what is tested.
    y
        All observations x responses; NaN where a score is missing.
    options
        How.

    Returns
    -------
    pandas.DataFrame
        Columns of `COLUMNS`, but for `signature` (``response``, its number, instead) and `q`; contrast after contrast.
    """
    parts = _parts(design, y)
    correlation = options.correlation
    if options.block_effect == "consensus" and correlation is None:
        known = [_correlations(p) for p in parts if p.design is not None]
        correlation = consensus(np.concatenate(known)) if known else np.nan
    tables = []
    for at, term in enumerate(design.terms):
        rows = [_part_rows(p, at, options, correlation) for p in parts]
        table = pd.concat(rows).sort_values("response", ignore_index=True)
        table.insert(0, "contrast", term.label)
        tables.append(_moderated(table, options))
    return pd.concat(tables, ignore_index=True)


def _parts(design: Design, y: _Float) -> list[_Part]:
    finite = np.isfinite(y[design.rows])
    out = []
    for pattern in np.unique(finite, axis=1).T:
        columns = np.flatnonzero((finite == pattern[:, None]).all(axis=0))
        chosen = design if pattern.all() else (design.part(pattern) if pattern.sum() > 1 else None)
        if chosen is not None and (len(chosen.rows) < 2 or np.ptp(chosen.base, axis=0).max() == 0):
            chosen = None
        values = np.empty((0, len(columns))) if chosen is None else y[np.ix_(chosen.rows, columns)]
        out.append(_Part(columns, chosen, values))
    return out


def _correlations(part: _Part) -> _Float:
    if part.design is None or part.design.block is None:
        return np.empty(0)
    columns = np.column_stack([part.design.fixed, *[t.x for t in part.design.terms], part.design.terms[0].others])
    return block_correlations(part.y, columns, part.design.block)


def _part_rows(part: _Part, at: int, options: Options, correlation: float | None) -> pd.DataFrame:
    table = pd.DataFrame({"response": part.columns})
    if part.design is None:
        return _nothing(table, "too few of its scores are known to compare them")
    term = part.design.terms[at]
    nuisance = np.column_stack([part.design.fixed, term.others])
    _count_columns(table, part.design, term)
    if any(mask is not None and not mask.any() for mask in (term.treated, term.control)):
        return _nothing(table, "one of the two groups has no sample here")
    fitted, degrees, within = _fitted(part, term, nuisance, options, correlation)
    if fitted is None or within is None:
        return _nothing(table, "the groups cannot be told apart from blocks or covariates")
    reasons = _shared_reasons(part.design, degrees)
    _effect_columns(table, fitted, within, degrees, part, term, options)
    _permutation_columns(table, part, term, nuisance, options, reasons)
    robust = _robust(part, term, fitted, nuisance)
    table["robust"], table["t_robust"], table["df_robust"] = robust.kind, robust.t, robust.degrees
    table["p_robust"] = robust.p
    table["block_effect"] = options.block_effect if part.design.block is not None else ""
    if part.design.block is not None and options.block_effect == "consensus":
        table["correlation"] = correlation
    flat = ~(fitted.variance > 0) & (degrees > 0)
    text = "; ".join(reasons)
    table["reason"] = [f"its residuals are all 0; {text}".strip("; ") if f else text for f in flat]
    return table


def _nothing(table: pd.DataFrame, why: str) -> pd.DataFrame:
    return table.assign(reason=why)


def _fitted(
    part: _Part, term: Term, nuisance: _Float, options: Options, correlation: float | None
) -> tuple[Fit | None, _Float, float | _Float | None]:
    """Return the fit, degrees of freedom, and the standard error for a residual variance of 1."""
    design = part.design
    if design is None:
        return None, np.empty(0), None
    y, x = part.y, term.x
    if design.block is not None and options.block_effect == "consensus":
        if correlation is None or np.isnan(correlation):
            return None, np.empty(0), None
        y, x, nuisance = (correlated(v, design.block, correlation) for v in (y, x[:, None], nuisance))
        x = x[:, 0]
    found = fit(y, x, nuisance)
    if found is None:
        return None, np.empty(0), None
    if design.block is not None and options.block_effect == "mixed":
        mixed = mixed_model(y, x, nuisance, design.block)
        total = mixed.residual_variance + mixed.block_variance
        with np.errstate(invalid="ignore", divide="ignore"):
            unscaled = np.where(total > 0, mixed.error / np.sqrt(total), np.nan)
        as_fit = Fit(mixed.effect, total, mixed.error, np.nan, found.degrees, found.regressor, found.residual)
        return as_fit, mixed.degrees, unscaled
    return found, np.full(y.shape[1], float(found.degrees)), found.unscaled


def _shared_reasons(design: Design, degrees: _Float) -> list[str]:
    reasons = []
    fewest = float(np.nanmin(degrees)) if len(degrees) else 0.0
    if fewest < 1:
        reasons.append("no residual degree of freedom is left: no interval, no t, no p")
    elif fewest < 2:
        reasons.append("1 residual degree of freedom: Hedges' g needs 2, its interval 3")
    elif fewest < 3:
        reasons.append("2 residual degrees of freedom: the interval of Hedges' g needs 3")
    if design.block is not None:
        reasons.append("blocks are random: groups are not permuted, and variances are taken to be equal")
    return reasons


def _count_columns(table: pd.DataFrame, design: Design, term: Term) -> None:
    for name, mask in (("n_treated", term.treated), ("n_control", term.control)):
        table[name] = np.nan if mask is None else int(mask.sum())
    table["n_blocks"], table["n"] = design.n_blocks, len(design.rows)
    table["least_p"] = np.nan


def _effect_columns(
    table: pd.DataFrame,
    fitted: Fit,
    unscaled: float | _Float,
    degrees: _Float,
    part: _Part,
    term: Term,
    options: Options,
) -> None:
    varying = np.where(fitted.variance > 0, fitted.variance, np.nan)
    residual_sd, error = np.sqrt(varying), np.where(fitted.variance > 0, fitted.error, np.nan)
    quantile = stats.t.ppf(0.5 + options.level / 2, np.where(degrees > 0, degrees, np.nan))
    effect = fitted.effect
    table["difference"], table["low"], table["high"] = effect, effect - quantile * error, effect + quantile * error
    known = np.maximum(degrees, 1)
    g = np.where(degrees >= 2, effect / residual_sd * (1 - 3 / (4 * known - 1)), np.nan)
    spread = np.where(degrees >= 3, np.sqrt(unscaled**2 + g**2 / (2 * known)), np.nan)
    z = stats.norm.ppf(0.5 + options.level / 2)
    table["hedges_g"], table["g_low"], table["g_high"] = g, g - z * spread, g + z * spread
    table["t"], table["df"] = effect / error, degrees
    table["p_t"] = two_sided(effect / error, degrees)
    table["residual_sd"], table["error"] = residual_sd, error
    sd = _spread_within_groups(part, term)
    table["sd"] = sd
    for name, values in (("difference_sd", effect), ("sd_low", table["low"]), ("sd_high", table["high"])):
        table[name] = np.asarray(values) / sd


def _spread_within_groups(part: _Part, term: Term) -> _Float:
    """SD of scores between observations of one arm of the design, blocks ignored; of all for a continuous predictor."""
    y = part.y
    design = part.design
    if design is None:
        return np.full(y.shape[1], np.nan)
    values, groups = np.unique(np.column_stack([design.base, term.others]), axis=0, return_inverse=True)
    groups = groups.reshape(-1)
    if len(values) > len(groups) / 2:
        groups = np.zeros(len(groups), dtype=np.int64)
    n_groups = int(groups.max()) + 1
    degrees = len(groups) - n_groups
    means = np.stack([y[groups == g].mean(axis=0) for g in range(n_groups)])
    total = ((y - means[groups]) ** 2).sum(axis=0)
    return np.sqrt(np.where(total > 0, total / degrees, np.nan)) if degrees > 0 else np.full(y.shape[1], np.nan)


def _permutation_columns(
    table: pd.DataFrame, part: _Part, term: Term, nuisance: _Float, options: Options, reasons: list[str]
) -> None:
    design = part.design
    table["auroc"] = np.nan
    if design is None:
        return
    compared = np.ones(len(term.x), dtype=bool)
    if term.treated is not None and term.control is not None:
        compared = term.treated | term.control
    if design.exact or term.treated is not None:
        table["auroc"] = _concordance(part.y[compared], term.x[compared], design.strata[compared])
    if design.block is not None:
        table["p"], table["n_arrangements"] = np.nan, 0
        return
    strata = np.where(compared, design.strata, -1)
    if design.exact:
        p, count, least = permute_column(part.y, term.x, nuisance, strata, options.n_permutations, options.seed)
    else:
        p, count, least = permute_residuals(
            part.y, term.x, nuisance, design.strata, min(options.n_permutations, 2000), options.seed
        )
        reasons.append("p permutes residuals, which is approximate")
    table["p"], table["n_arrangements"], table["least_p"] = p, count, least


def _concordance(y: _Float, x: _Float, strata: npt.NDArray[np.int64]) -> _Float:
    """Share of pairs of observations of one stratum in which the higher x has the higher y; ties count a half."""
    wins, pairs = np.zeros(y.shape[1]), 0
    for stratum in np.unique(strata):
        inside = strata == stratum
        values, scores = x[inside], y[inside]
        first, second = np.nonzero(values[:, None] > values[None, :])
        for start in range(0, len(first), 4096):
            higher, lower = first[start : start + 4096], second[start : start + 4096]
            wins += ((np.sign(scores[higher] - scores[lower]) + 1) / 2).sum(axis=0)
        pairs += len(first)
    return wins / pairs if pairs else np.full(y.shape[1], np.nan)


def _robust(part: _Part, term: Term, fitted: Fit, nuisance: _Float) -> Robust:
    design = part.design
    unknown = np.full(part.y.shape[1], np.nan)
    if design is None or design.block is not None:
        return Robust("", unknown, unknown, unknown)
    if design.pairs and design.exact:
        return paired(fitted)
    alone = design.n_blocks == 1 and design.exact and term.others.shape[1] == 0
    if alone and term.treated is not None:
        return welch(part.y, term.treated)
    return hc3(fitted, nuisance)


def _moderated(table: pd.DataFrame, options: Options) -> pd.DataFrame:
    out = table.reindex(columns=[c for c in COLUMNS if c not in ("signature", "q")] + ["response"])
    variance = out["residual_sd"].to_numpy(dtype=np.float64) ** 2
    # A score whose residuals are all 0 has no variance to learn from.
    known = np.isfinite(variance)
    why = ""
    if options.block_effect == "mixed" and (out["block_effect"] == "mixed").any():
        why = "variances of mixed models are not moderated"
    elif known.sum() < FEWEST:
        why = f"fewer than {FEWEST} signatures: variances are not moderated"
    if why:
        said = out["reason"].astype(object).fillna("").astype(str)
        out["reason"] = [f"{r}; {why}".strip("; ") for r in said]
        return out
    degrees = out["df"].fillna(0).to_numpy(dtype=np.float64)
    found = moderate(variance, degrees)
    unscaled = out["error"].to_numpy(dtype=np.float64) / np.sqrt(variance)
    t = out["difference"].to_numpy(dtype=np.float64) / (np.sqrt(found.variance) * unscaled)
    out["t_moderated"], out["p_moderated"] = t, two_sided(t, found.degrees)
    out["prior_df"] = np.where(known, found.prior_degrees, np.nan)
    return out
