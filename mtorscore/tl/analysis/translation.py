"""Translation efficiency from ribosome footprints (or polysomes, or protein) and mRNA, per sample and per gene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse, stats

from mtorscore.errors import DataError, StatisticsWarning, examples, warn
from mtorscore.pp.observation_values import in_order_of
from mtorscore.tl.analysis.linear.two_assays import difference_variance, shift_of_the_unchanged, weighted_q

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["translation_efficiency"]

_Float = npt.NDArray[np.float64]
_LN2 = float(np.log(2.0))
# Log2 abundances of an assay, samples x genes, and what its variances follow, per gene.
_Both = tuple[tuple[_Float, _Float], tuple[_Float, _Float]]
_GROUPS = "group"


def translation_efficiency(
    footprints: AnnData | pd.DataFrame,
    mrna: AnnData | pd.DataFrame,
    *,
    groups: str | Sequence[Any] | pd.Series | None = None,
    treated: Any = None,
    control: Any = None,
    pair: str | None = None,
    scale: str = "counts",
    min_count: float = 10.0,
    prior: float = 0.5,
    level: float = 0.95,
    layer: str | None = None,
) -> AnnData:
    """Estimate translation efficiency, log2 of footprints over mRNA, so that translational signatures can be scored.

    Library sizes are median-of-ratios size factors of each assay (Anders and Huber, Genome Biol 2010;11:R106), since
    5'TOP mRNAs are so large a share of footprints that totals would move with them. A global change of translation
    is thus invisible. Per sample and gene ``te = log2((f + prior * s_f) / s_f) - log2((m + prior * s_m) / s_m)``. The
    change between groups is the difference of mean te, less the shift that genes without a change have: where the
    5'TOP mRNAs fall together, the median of ratios falls with them. Its variance is that of both assays about trends on
    their counting noise (of log2 abundances: on their level), one factor per gene, shrunk towards what the factors have
    in common (Smyth, Stat Appl Genet Mol Biol 2004;3:3), less what both assays of a sample share at that level, and
    never below the counting noise of that gene. Noisy genes burden the others less: q is that of Benjamini and Hochberg
    with weights by the error that a gene of this level has, the best ones for changes of 0.8 log2 units (Roeder and
    Wasserman, Stat Sci 2009;24:398; Genovese, Biometrika 2006;93:509).

    Parameters
    ----------
    footprints
        Observations x genes, AnnData or DataFrame: footprints, polysome-bound mRNA, or protein.
    mrna
        Observations x genes: mRNA of the same samples.
    groups
        Column of ``mrna.obs`` with the group, or one value per observation of `mrna`; without it only sample values
        are estimated.
    treated, control
        The two groups to compare.
    pair
        Column of ``.obs`` of both that names the sample; by default the observation names are the same.
    scale
        ``"counts"``: raw counts. ``"log2"``: both are log2 abundances already (protein): every sample is centred on
        the median of its genes, no size factor and no counting noise.
    min_count
        A gene is kept where its mean normalised mRNA count reaches this in every group, and its mean footprint count
        in at least one (so that mRNAs whose translation is shut off stay). Not used with ``scale="log2"``.
    prior
        Pseudo-count per library of average size.
    level
        Coverage of the intervals.
    layer
        Layer instead of ``X`` of both.

    Returns
    -------
    anndata.AnnData
        Samples x kept genes. ``X`` is te (log2, float64), ``layers["se"]`` its standard error from counting alone
        (zeros with ``scale="log2"``). ``var`` has ``te, te_low, te_high`` (mean over samples), ``mean_footprint,
        mean_mrna``, and with groups ``log2fc`` (change of te), ``low, high, t, p, q``, ``footprint_log2fc,
        mrna_log2fc`` (their difference is ``log2fc``) and ``interval`` (``"replicates"`` or, without replicates,
        ``"counting"``).
        ``uns["translation"]["left_out"]`` lists the other genes and why. Score it as it is:
        ``tl.score(te, mt.library().select(branch="eif4e"), method="wmean")``.

    Raises
    ------
    DataError
        If samples or genes do not match, counts are negative or fractional, or a group is absent.

    Warns
    -----
    StatisticsWarning
        If there are no replicates, so that intervals hold counting noise only.
    """
    if scale not in {"counts", "log2"}:
        raise DataError(f"`scale` is 'counts' or 'log2', not {scale!r}.")
    assays = _as_anndata(footprints), _as_anndata(mrna)
    if groups is not None and not isinstance(groups, str):
        assays, groups = _with_groups(*assays, groups), _GROUPS
    f_values, m_values, obs, genes = _matched(*assays, pair, layer)
    labels = _labels(obs, groups, treated, control)
    kept, reasons, sizes = _kept(f_values, m_values, labels, scale, min_count)
    if not kept.any():
        raise DataError(f"No gene passes min_count={min_count:g} ({len(genes)} looked at); lower it.")
    te, noise, log_f, log_m = _efficiency(f_values, m_values, sizes, scale, prior)
    te, noise, log_f, log_m = te[:, kept], noise[:, kept], log_f[:, kept], log_m[:, kept]
    trends = [
        _trend(v[:, kept], s, log, scale, prior)
        for v, s, log in zip((f_values, m_values), sizes, (log_f, log_m), strict=True)
    ]
    both = ((log_f, trends[0]), (log_m, trends[1]))
    var = pd.DataFrame(index=pd.Index(np.asarray(genes)[kept], dtype=str))
    var["mean_footprint"], var["mean_mrna"] = f_values[:, kept].mean(axis=0), m_values[:, kept].mean(axis=0)
    _level_columns(var, te, noise, labels, level, both)
    if labels is not None and treated is not None:
        _change_columns(var, te, noise, labels == treated, labels == control, level, both)
        var["mrna_log2fc"] = log_m[labels == treated].mean(axis=0) - log_m[labels == control].mean(axis=0)
        var["footprint_log2fc"] = var["log2fc"] + var["mrna_log2fc"]
    return _assemble(te, noise, obs, var, genes, kept, reasons, scale, min_count, prior)


def _assemble(
    te: _Float, noise: _Float, obs: pd.DataFrame, var: pd.DataFrame, genes: list[str], kept: npt.NDArray[np.bool_],
    reasons: npt.NDArray[Any], scale: str, min_count: float, prior: float,
) -> AnnData:  # fmt: skip
    from anndata import AnnData

    out = AnnData(te, obs=obs.copy(), var=var, layers={"se": np.sqrt(noise)})
    left_out = pd.DataFrame({"gene": np.asarray(genes, dtype=object)[~kept], "reason": reasons[~kept]})
    out.uns["translation"] = {"left_out": left_out, "scale": scale, "min_count": min_count, "prior": prior}
    out.uns["source"] = {"kind": "translation efficiency", "units": "log2 ratio", "scale": "log2"}
    return out


def _as_anndata(data: AnnData | pd.DataFrame) -> AnnData:
    from anndata import AnnData

    if isinstance(data, AnnData):
        return data
    if not isinstance(data, pd.DataFrame):
        raise DataError(f"Hand over an AnnData or a DataFrame (observations x genes), not {type(data).__name__}.")
    index, columns = data.index.astype(str), data.columns.astype(str)
    return AnnData(data.to_numpy(dtype=np.float64), pd.DataFrame(index=index), pd.DataFrame(index=columns))


def _with_groups(footprints: AnnData, mrna: AnnData, groups: Sequence[Any] | pd.Series) -> tuple[AnnData, AnnData]:
    values = in_order_of(groups, mrna.obs_names, "groups")
    labelled = mrna.copy()
    labelled.obs[_GROUPS] = values.astype(object)
    return footprints, labelled


def _matched(
    footprints: AnnData, mrna: AnnData, pair: str | None, layer: str | None
) -> tuple[_Float, _Float, pd.DataFrame, list[str]]:
    names = []
    for data, what in ((footprints, "footprints"), (mrna, "mrna")):
        if pair is not None and pair not in data.obs:
            raise DataError(f"`pair` names the column {pair!r}, which .obs of {what} does not have.")
        listed = pd.Index(data.obs_names if pair is None else data.obs[pair].astype(str))
        for index, of in ((listed, "sample"), (data.var_names, "gene")):
            if not index.is_unique:
                twice = index[index.duplicated()].unique()
                raise DataError(
                    f"{len(twice)} {of} name(s) of {what} are duplicated ({examples(twice)}); collapse them."
                )
        names.append(listed)
    shared = names[1][names[1].isin(names[0])].tolist()
    if not shared:
        raise DataError(
            f"No sample has both assays (footprints: {examples(names[0])}; mRNA: {examples(names[1])}); name the "
            "column that pairs them with `pair`."
        )
    genes = mrna.var_names[mrna.var_names.isin(footprints.var_names)].tolist()
    if not genes:
        raise DataError(
            f"The assays share no gene (footprints: {examples(footprints.var_names)}; mRNA: "
            f"{examples(mrna.var_names)}); run pp.harmonise_genes on both."
        )
    rows = [names[0].get_indexer(shared), names[1].get_indexer(shared)]
    values = [_dense(d, layer, r, genes) for d, r in zip((footprints, mrna), rows, strict=True)]
    return values[0], values[1], mrna.obs.iloc[rows[1]], genes


def _dense(data: AnnData, layer: str | None, rows: npt.NDArray[np.int64], genes: list[str]) -> _Float:
    if layer is not None and layer not in data.layers:
        raise DataError(f"There is no layer {layer!r}; there are {examples(filter(None, data.layers)) or 'none'}.")
    values = (data.X if layer is None else data.layers[layer])[rows][:, data.var_names.get_indexer(genes)]
    dense: _Float = np.asarray(values.todense() if sparse.issparse(values) else values, dtype=np.float64)
    return dense


def _labels(obs: pd.DataFrame, groups: str | None, treated: Any, control: Any) -> npt.NDArray[np.object_] | None:
    if groups is None:
        if treated is not None or control is not None:
            raise DataError("`treated` and `control` need `groups`, the column of .obs that holds them.")
        return None
    if groups not in obs:
        raise DataError(f"`groups` names the column {groups!r}, which mrna.obs does not have.")
    labels: npt.NDArray[np.object_] = obs[groups].to_numpy(dtype=object)
    for name, value in (("treated", treated), ("control", control)):
        if (treated is not None or control is not None) and not (labels == value).any():
            raise DataError(f"`{name}` is {value!r}, but `{groups}` holds {examples(sorted(map(str, set(labels))))}.")
    return labels


def _kept(
    f_values: _Float, m_values: _Float, labels: npt.NDArray[np.object_] | None, scale: str, min_count: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[Any], tuple[_Float, _Float]]:
    """Return which genes are kept, why others are not, and the size factors of both assays."""
    reasons = np.full(f_values.shape[1], "", dtype=object)
    if scale == "log2":
        kept = np.asarray(np.isfinite(f_values).all(axis=0) & np.isfinite(m_values).all(axis=0))
        reasons[~kept] = "not measured in every sample"
        one = np.ones(len(f_values))
        return kept, reasons, (one, one)
    for values, what in ((f_values, "footprints"), (m_values, "mrna")):
        bad = ~(np.isfinite(values) & (values >= 0))
        if bad.any():
            raise DataError(f"{int(bad.sum())} values of {what} are negative or not finite; raw counts are needed.")
        if (np.abs(values - np.round(values)) > 0.1).mean() > 0.2:
            raise DataError(f"Most values of {what} are fractions; raw counts are needed, or scale='log2'.")
    sizes = _size_factors(f_values, "footprints"), _size_factors(m_values, "mrna")
    members = [np.ones(len(f_values), dtype=bool)] if labels is None else [labels == g for g in set(labels)]
    f_means = np.array([(f_values[i] / sizes[0][i, None]).mean(axis=0) for i in members])
    m_means = np.array([(m_values[i] / sizes[1][i, None]).mean(axis=0) for i in members])
    few_m, few_f = m_means.min(axis=0) < min_count, f_means.max(axis=0) < min_count
    reasons[few_f] = "few footprints"
    reasons[few_m] = "little mRNA"
    kept = ~(few_m | few_f)
    return kept, reasons, sizes


def _size_factors(values: _Float, what: str) -> _Float:
    everywhere = (values > 0).all(axis=0)
    if everywhere.sum() < 10:
        raise DataError(f"Only {int(everywhere.sum())} genes of {what} are counted in every sample; is a sample empty?")
    logs = np.log(values[:, everywhere])
    medians = np.median(logs - logs.mean(axis=0), axis=1)
    factors: _Float = np.exp(medians - medians.mean())
    return factors


def _efficiency(
    f_values: _Float, m_values: _Float, sizes: tuple[_Float, _Float], scale: str, prior: float
) -> tuple[_Float, _Float, _Float, _Float]:
    """Return te, its variance from counting, and the two log2 abundances."""
    if scale == "log2":
        logs = [v - np.nanmedian(v, axis=1, keepdims=True) for v in (f_values, m_values)]
        return logs[0] - logs[1], np.zeros_like(f_values), logs[0], logs[1]
    logs, noise = [], np.zeros_like(f_values)
    for values, size in zip((f_values, m_values), sizes, strict=True):
        padded = values + prior * size[:, None]
        logs.append(np.log2(padded / size[:, None]))
        noise += 1 / (padded * _LN2**2)
    return logs[0] - logs[1], noise, logs[0], logs[1]


def _level_columns(
    var: pd.DataFrame, te: _Float, noise: _Float, labels: npt.NDArray[np.object_] | None, level: float,
    both: _Both,
) -> None:  # fmt: skip
    """Mean te over samples, its interval from replicates within groups where there are any."""
    members = [np.ones(len(te), dtype=bool)] if labels is None else [labels == g for g in set(labels)]
    variance, degrees, _ = _moderated(noise, members, both)
    error = np.sqrt(np.maximum(variance, noise.mean(axis=0)) / len(te))
    quantile = stats.t.ppf(0.5 + level / 2, degrees)
    var["te"] = te.mean(axis=0)
    var["te_low"], var["te_high"] = var["te"] - quantile * error, var["te"] + quantile * error


def _change_columns(
    var: pd.DataFrame, te: _Float, noise: _Float, t: npt.NDArray[np.bool_], c: npt.NDArray[np.bool_], level: float,
    both: _Both,
) -> None:  # fmt: skip
    variance, degrees, replicated = _moderated(noise, [t, c], both)
    counting = np.array([noise[i].mean(axis=0) for i in (t, c)])
    if not replicated:
        warn(
            "There are no replicates: intervals and p values of translation efficiency hold counting noise only, "
            "which is less than the noise of an experiment.",
            StatisticsWarning,
        )
    error = np.sqrt(np.maximum(variance, counting[0]) / t.sum() + np.maximum(variance, counting[1]) / c.sum())
    change = te[t].mean(axis=0) - te[c].mean(axis=0)
    change = change - shift_of_the_unchanged(change, error)
    quantile = stats.t.ppf(0.5 + level / 2, degrees)
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.where(error > 0, change / error, np.nan)
    p = 2 * stats.t.sf(np.abs(statistic), degrees)
    var["log2fc"], var["low"], var["high"] = change, change - quantile * error, change + quantile * error
    var["t"], var["p"] = statistic, p
    var["q"] = weighted_q(p, error, _level_of(both, noise))
    var["interval"] = "replicates" if replicated else "counting"


def _trend(values: _Float, size: _Float, log: _Float, scale: str, prior: float) -> _Float:
    """Return per gene what its variance follows: log counting noise, or without counts the mean log abundance."""
    if scale == "log2":
        return np.asarray(log.mean(axis=0))
    out: _Float = np.log((1 / (values + prior * size[:, None])).mean(axis=0))
    return out


def _level_of(both: _Both, noise: _Float) -> _Float:
    """Return per gene what its errors follow: log counting noise of te, or without counts the summed log abundance."""
    counting = noise.mean(axis=0)
    return np.log(counting) if (counting > 0).all() else both[0][1] + both[1][1]


def _moderated(noise: _Float, members: list[npt.NDArray[np.bool_]], both: _Both) -> tuple[_Float, _Float, bool]:
    """Return shrunken variances of te, their degrees of freedom, and whether there are replicates at all."""
    degrees = sum(int(i.sum()) - 1 for i in members)
    if degrees == 0:
        return noise.mean(axis=0), np.full(noise.shape[1], np.inf), False
    residuals = [np.concatenate([log[i] - log[i].mean(axis=0) for i in members]) for log, _ in both]
    trends = both[0][1], both[1][1]
    found = difference_variance(residuals[0], residuals[1], degrees, trends, _level_of(both, noise))
    return (*found, True)
