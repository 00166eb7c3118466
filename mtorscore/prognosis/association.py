"""Relate scores to an outcome, with the mirrors that keep one from being fooled beside every result."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, StatisticsWarning, examples
from mtorscore.prognosis._concordance import bootstrap_multiplicities
from mtorscore.prognosis._design import adjust_p, encode
from mtorscore.prognosis._inference import Effects, ratio
from mtorscore.prognosis._inputs import Inputs, as_list, read_inputs
from mtorscore.prognosis._mirrors import Confounder, Mirror, find_confounder
from mtorscore.prognosis._outcome import Outcome, estimate, make_outcome
from mtorscore.prognosis._risksets import FloatArray
from mtorscore.prognosis._threads import one_blas_thread
from mtorscore.prognosis.endpoints import Endpoint

__all__ = ["COLUMNS", "MIN_EVENTS", "associate"]

MIN_EVENTS = 10
"""Below this many events a row is returned with ``valid=False``; see the calibration benchmark."""
NOT_PROPORTIONAL = 0.01
"""A smaller p-value of the proportional-hazards test is mentioned in the reason; the ratio is then an average."""
PER_PARAMETER = 10
"""Events asked for per parameter; beyond it the model is penalised (Firth) and flagged."""

COLUMNS = [
    "signature",
    "endpoint",
    "model",
    "adjusted_for",
    "effect",
    "n",
    "events",
    "parameters",
    "hr",
    "hr_low",
    "hr_high",
    "p",
    "q",
    "ph_p",
    "c_index",
    "c_low",
    "c_high",
    "null_percentile",
    "null_p",
    "n_null",
    "unadjusted_same_n",
    "sd",
    "firth",
    "valid",
    "reason",
]


@dataclass
class _Options:
    level: float
    n_boot: int
    seed: int
    ties: str
    family: str


@dataclass
class _Block:
    """Signatures that are scored on the same observations, standardised there."""

    names: list[str]
    outcome: Outcome
    x: FloatArray
    sd: FloatArray
    effects: Effects | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)


def associate(
    scores: Any,
    clinical: pd.DataFrame | None = None,
    endpoint: Endpoint | Sequence[Endpoint] = (),
    adjust: Sequence[Any] = (),
    expression: Any = None,
    signatures: Any = None,
    method: str | None = None,
    *,
    mirrors: Sequence[str] = ("random", "proliferation", "purity"),
    n_random: int = 1000,
    n_boot: int = 500,
    family: str = "model",
    ties: str = "efron",
    level: float = 0.95,
    params: dict[str, Any] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Relate every score to one or more endpoints.

    For survival a Cox model on the continuous score, for a two-class label a logistic model; the effect is per SD of
    the score among the patients analysed. One adjusted model per entry of `adjust`, each with one confounder beside
    the score.

    Parameters
    ----------
    scores
        DataFrame ``(n_obs, n_signatures)``, or a scored AnnData, which also carries clinical table, expression and
        method.
    clinical
        DataFrame indexed by observation; ``adata.obs`` when `scores` is an AnnData.
    endpoint
        One endpoint or several.
    adjust
        Confounders, each giving one adjusted model: the name of a clinical column or of another score,
        ``"proliferation"`` or another confounder signature of `signatures` (scored from `expression` with the genes
        that it shares with the signature removed), or a tuple of names for one joint adjustment.
        Patients without a confounder are left out of its model and counted in ``reason`` (complete cases);
        `associate_imputed` imputes instead.
    expression
        DataFrame ``(n_obs, n_genes)`` or AnnData on the scale that the scores were made from.
    signatures
        The collection that was scored; the shipped library when None.
    method
        Scoring method of the scores; needed by the mirrors that score anew.
    mirrors
        The mirrors, all three by default: ``"random"`` (random signatures), ``"proliferation"`` and ``"purity"``
        (stroma, immune and hepatocyte scores, one at a time). They need `expression` and `method`; without, their
        columns are NaN with a reason. ``()`` turns them off.
    n_random
        Random signatures per signature; 200 at most for the methods that must be refitted per set (gsva, plage).
    n_boot
        Bootstrap resamples for the interval of the concordance where the closed form (logit scale, jackknife error,
        Student's t) does not apply: weighted labels, a concordance of 0 or 1. 0 for no interval at all.
    family
        The family of the Benjamini-Hochberg adjustment: ``"model"`` (the signatures tested by one model for one
        endpoint) or ``"all"`` (every test of this call).
    ties
        ``"efron"`` or ``"breslow"``.
    level
        Of the intervals.
    params
        Parameters of the scoring method, for the mirrors.
    seed
        Of bootstrap and random signatures.

    Returns
    -------
    pandas.DataFrame
        One row per signature, endpoint and model, with the columns of `COLUMNS`; label endpoints add ``odds_ratio``,
        ``or_low`` and ``or_high``, and their ``c_index`` is the area under the ROC curve. ``c_index`` of an
        unadjusted row is that of the score itself (below 0.5: protective); of an adjusted row that of the fitted
        linear predictor, in sample. ``unadjusted_same_n`` is the unadjusted ratio on the patients of an adjusted model.
        ``valid`` is False where the numbers cannot be trusted, and ``reason`` says why.
        ``.attrs["excluded"]`` lists the excluded observations, as records; ``.attrs["null"]`` holds per row the
        absolute score statistic and 41 quantiles of those of its random signatures, least to largest, as text.

    Raises
    ------
    EndpointError
        If an endpoint has no event, a column is missing or holds text.
    DataError
        If scores and clinical table share no observation, or a confounder is unknown.
    """
    if family not in ("model", "all"):
        raise DataError(f"Unknown family {family!r}; use 'model' or 'all'.")
    with one_blas_thread():
        return _associate(
            scores, clinical, endpoint, adjust, expression, signatures, method, mirrors, n_random, params,
            _Options(level, n_boot, seed, ties, family),
        )  # fmt: skip


def _associate(
    scores: Any,
    clinical: pd.DataFrame | None,
    endpoint: Endpoint | Sequence[Endpoint],
    adjust: Sequence[Any],
    expression: Any,
    signatures: Any,
    method: str | None,
    mirrors: Sequence[str],
    n_random: int,
    params: dict[str, Any] | None,
    options: _Options,
) -> pd.DataFrame:
    endpoints = as_list(endpoint)
    if not endpoints:
        raise DataError("No endpoint: hand over prognosis.Endpoint.survival(...) or .label(...), or several.")
    inputs = read_inputs(scores, clinical, expression, signatures, method, params)
    mirror = Mirror(inputs, mirrors, n_random, options.seed)
    rows: list[dict[str, Any]] = []
    excluded = []
    for one in endpoints:
        data = one.resolve(inputs.clinical, inputs.scores.index)
        outcome = make_outcome(data, options.ties)
        excluded.append(data.excluded)
        rows += _one_endpoint(inputs, outcome, data.name, list(adjust), mirror, options)
    mirror.run()
    table = _finish(rows, options.family)
    # Plain records: pandas compares attrs when tables are concatenated, and tables do not compare to a truth value.
    table.attrs["excluded"] = pd.concat(excluded, ignore_index=True).to_dict("records")
    table.attrs["family"] = options.family
    table.attrs["null"] = mirror.nulls
    return table


def _one_endpoint(
    inputs: Inputs, outcome: Outcome, name: str, adjust: list[Any], mirror: Mirror, options: _Options
) -> list[dict[str, Any]]:
    blocks = _blocks(inputs.scores, outcome)
    confounders = [_confounder(inputs, item) for item in adjust]
    known = {c.label for c in confounders}
    confounders += [c for c in mirror.confounders() if c.label not in known]
    multiplicities = bootstrap_multiplicities(len(outcome.index), options.n_boot, options.seed)
    for block in blocks:
        _unadjusted(block, name, multiplicities[:, outcome.index.get_indexer(block.outcome.index)], mirror, options)
        for confounder in confounders:
            _adjusted(block, name, confounder, outcome, multiplicities, mirror, options)
    order = {str(c): i for i, c in enumerate(inputs.scores.columns)}
    rows = [row for block in blocks for row in block.rows]
    rows.sort(key=lambda r: order[r["signature"]])
    return rows


def _blocks(scores: pd.DataFrame, outcome: Outcome) -> list[_Block]:
    """Group signatures by who is scored; a signature scored for nobody makes a block of its own."""
    values = scores.reindex(outcome.index).to_numpy(dtype=np.float64)
    known = np.isfinite(values)
    blocks = []
    groups: dict[bytes, list[int]] = {}
    for j in range(values.shape[1]):
        groups.setdefault(known[:, j].tobytes(), []).append(j)
    for columns in groups.values():
        keep = known[:, columns[0]]
        part = outcome if keep.all() else outcome.take(keep)
        x = values[np.ix_(keep, columns)]
        sd = x.std(axis=0, ddof=1) if len(x) > 1 else np.zeros(len(columns))
        size = np.abs(x).max(axis=0, initial=0.0)
        sd = np.where(sd <= 1e-12 * np.maximum(size, 1e-300), 0.0, sd)
        centred = (x - x.mean(axis=0)) if len(x) else x
        blocks.append(_Block([str(scores.columns[j]) for j in columns], part, centred / np.where(sd > 0, sd, 1), sd))
    return blocks


def _confounder(inputs: Inputs, item: Any) -> Confounder:
    """Resolve one entry of `adjust`."""
    if isinstance(item, pd.Series):
        return Confounder(str(item.name or "series"), encode(item.to_frame(name=item.name or "series")))
    names: list[Hashable] = list(item) if isinstance(item, tuple) else [item]
    parts = []
    for name in names:
        if name in inputs.clinical.columns:
            parts.append(encode(inputs.clinical[[name]]))
        elif name in inputs.scores.columns and len(names) > 1:
            parts.append(inputs.scores[[name]])
        else:
            found = find_confounder(inputs, str(name))
            if found is None:
                known = [*inputs.clinical.columns, *inputs.scores.columns]
                raise DataError(
                    f"Nothing to adjust for is called {name!r}: no clinical column, no score, no confounder signature. "
                    f"There are {examples(known, 6)}."
                )
            if len(names) == 1:
                return found
            parts.append(found.table)
    return Confounder(" + ".join(str(n) for n in names), pd.concat(parts, axis=1))


def _unadjusted(block: _Block, name: str, multiplicities: FloatArray, mirror: Mirror, options: _Options) -> None:
    outcome = block.outcome
    few = outcome.events < PER_PARAMETER
    block.effects = effects = _estimate(outcome, block.x[:, None, :], few, options)
    if outcome.events == 0 or outcome.n < 2:
        block.rows += [
            _row(signature, name, "unadjusted", "", outcome, 1, effects, j, block.sd[j])
            for j, signature in enumerate(block.names)
        ]
        return
    test = outcome.score_test(None)
    observed = test(block.x)
    for j, signature in enumerate(block.names):
        row = _row(signature, name, "unadjusted", "", outcome, 1, effects, j, block.sd[j])
        if np.isfinite(row["coef"]):
            row["ph_p"] = outcome.proportionality(block.x[:, [j]], effects.all_coef[:1, j])
        if outcome.one_time:
            row["reason"].append("all events fall on one time: nothing can be said of the course of the hazards")
        if row["ph_p"] < NOT_PROPORTIONAL:
            row["reason"].append("hazards are not proportional: see prognosis.over_time")
        if block.sd[j] > 0 and outcome.events:
            row |= _concordance(outcome, block.x[:, j], multiplicities)
        mirror.request(row, signature, outcome.index, test, observed[j])
        block.rows.append(row)


def _adjusted(
    block: _Block,
    name: str,
    confounder: Confounder,
    outcome: Outcome,
    multiplicities: FloatArray,
    mirror: Mirror,
    options: _Options,
) -> None:
    """Fit score + confounder; signatures whose confounder is the same are fitted together."""
    for table, columns in confounder.per_signature(block.names):
        names = [block.names[j] for j in columns]
        if table is None:
            for j in columns:
                row = _row(block.names[j], name, "adjusted", confounder.label, block.outcome, 0, None, 0, block.sd[j])
                row["reason"] += confounder.notes_of(block.names[j])
                block.rows.append(row)
            continue
        z = table.reindex(block.outcome.index).to_numpy(dtype=np.float64)
        keep = np.isfinite(z).all(axis=1) if z.size else np.zeros(len(z), dtype=bool)
        part = block.outcome if keep.all() else block.outcome.take(keep)
        if part.events == 0 or part.n < 2:
            for j in columns:
                row = _row(block.names[j], name, "adjusted", confounder.label, part, 0, None, 0, block.sd[j])
                row["reason"] += [f"no event among those with {confounder.label}"]
                block.rows.append(row)
            continue
        z = z[keep]
        spread = z.std(axis=0)
        z = (z[:, spread > 0] - z[:, spread > 0].mean(axis=0)) / spread[spread > 0]
        x = np.concatenate([block.x[keep][:, None, columns], np.repeat(z[:, :, None], len(columns), axis=2)], axis=1)
        parameters = x.shape[1]
        firth = part.events < PER_PARAMETER * parameters
        effects = _estimate(part, x, firth, options)
        same = _estimate(part, x[:, :1], part.events < PER_PARAMETER, options)
        test = part.score_test(z, firth=firth)
        observed = test(x[:, 0])
        resample = multiplicities[:, outcome.index.get_indexer(part.index)]
        for k, j in enumerate(columns):
            row = _row(names[k], name, "adjusted", confounder.label, part, parameters, effects, k, block.sd[j])
            row["unadjusted_same_n"] = float(ratio(same.coef[k]))
            if np.isfinite(row["coef"]):
                coef = effects.all_coef[:parameters, k]
                row["ph_p"] = part.proportionality(x[:, :, k], coef)
                row |= _concordance(part, x[:, :, k] @ coef, resample)
            if not keep.all():
                row["reason"].append(f"{int((~keep).sum())} without {confounder.label} left out")
            row["reason"] += confounder.notes_of(names[k])
            mirror.request(row, names[k], part.index, test, observed[k])
            block.rows.append(row)


def _estimate(outcome: Outcome, x: FloatArray, firth: bool, options: _Options) -> Effects:
    """Fit; what separates is fitted again with Firth's penalty."""
    if outcome.events == 0 or outcome.n < 2:
        nan = np.full(x.shape[2], np.nan)
        empty = np.zeros(x.shape[2], dtype=bool)
        return Effects(nan, nan, nan, nan, nan, np.full(x.shape[1:], np.nan), firth, empty, empty, nan, nan)
    effects = estimate(outcome, x, firth=firth, level=options.level)
    if firth or not effects.infinite.any():
        return effects
    rows = np.flatnonzero(effects.infinite)
    again = estimate(outcome, x[:, :, rows], firth=True, level=options.level)
    for name in ("coef", "se", "low", "high", "p"):
        getattr(effects, name)[rows] = getattr(again, name)
    effects.all_coef[:, rows] = again.all_coef
    return effects


def _concordance(outcome: Outcome, predictor: FloatArray, multiplicities: FloatArray) -> dict[str, float]:
    c = outcome.discrimination(predictor, multiplicities if len(multiplicities) else None)
    return {"c_index": c.c, "c_low": c.low, "c_high": c.high}


def _row(
    signature: str,
    endpoint: str,
    model: str,
    adjusted_for: str,
    outcome: Outcome,
    parameters: int,
    effects: Effects | None,
    j: int,
    sd: float,
) -> dict[str, Any]:
    reason: list[str] = []
    bad = False
    row: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan) | {
        "signature": signature,
        "endpoint": endpoint,
        "model": model,
        "adjusted_for": adjusted_for,
        "effect": outcome.effect,
        "n": outcome.n,
        "events": outcome.events,
        "parameters": parameters,
        "sd": sd if sd > 0 else (0.0 if outcome.n else np.nan),
        "coef": np.nan,
        "firth": False,
    }
    if outcome.n == 0:
        reason, bad = ["no score"], True
    elif sd == 0:
        reason, bad = ["the score is constant"], True
    elif effects is not None:
        infinite = bool(effects.infinite[j])
        row["firth"] = effects.firth or infinite
        row["coef"], row["p"] = float(effects.coef[j]), float(effects.p[j])
        row["low"], row["high"] = float(effects.low[j]), float(effects.high[j])
        if infinite:
            reason.append("the groups separate (no finite maximum): Firth penalty")
        elif effects.firth and parameters > 1:
            reason.append(f"{parameters} parameters for {outcome.events} events: Firth penalty")
        if not np.isfinite(row["coef"]):
            reason.append("the model did not converge")
            bad = True
    else:
        bad = True
    if outcome.n and outcome.events < MIN_EVENTS:
        reason.append(f"only {outcome.events} event(s); at least {MIN_EVENTS} are asked for")
        bad = True
    return row | {"valid": not bad, "reason": reason}


def _finish(rows: Iterable[dict[str, Any]], family: str) -> pd.DataFrame:
    """Ratios, adjusted p-values, joined reasons, column order."""
    table = pd.DataFrame(list(rows))
    for name in ("coef", "low", "high"):
        if name not in table:
            table[name] = np.nan
    survival = table["effect"] == "hazard ratio"
    for prefix, rows_of in (("hr", survival), ("or", ~survival)):
        if prefix == "or" and not rows_of.any():
            continue
        first = "hr" if prefix == "hr" else "odds_ratio"
        for column, source in ((first, "coef"), (f"{prefix}_low", "low"), (f"{prefix}_high", "high")):
            table[column] = np.where(rows_of, ratio(table[source].astype(float)), np.nan)
    table["reason"] = ["; ".join(dict.fromkeys(r)) for r in table["reason"]]
    keys = ["endpoint", "model", "adjusted_for"]
    if family == "all":
        table["q"] = adjust_p(table["p"])
    else:
        table["q"] = table.groupby(keys, sort=False)["p"].transform(lambda p: adjust_p(p.to_numpy()))
    extra = [c for c in ("odds_ratio", "or_low", "or_high") if c in table]
    doubtful = table.loc[~table["valid"] & table["p"].notna(), "signature"].unique()
    if len(doubtful):
        warnings.warn(
            f"{len(doubtful)} signature(s) have results that should not be trusted ({examples(doubtful)}); "
            "see the columns `valid` and `reason`.",
            StatisticsWarning,
            stacklevel=4,
        )
    return table[COLUMNS + extra].reset_index(drop=True)
