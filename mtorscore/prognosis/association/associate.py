"""Association of scores with outcomes, with built-in negative controls."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mtorscore._blas_threads import one_blas_thread
from mtorscore._outcome_terms import EVENTS_PER_PARAMETER
from mtorscore.errors import DataError, RenamedWarning, warn
from mtorscore.prognosis.association.cohort_overlap import Digests
from mtorscore.prognosis.association.design import Beside, Block, Design, blocks_of, lacking_in
from mtorscore.prognosis.association.negative_controls import (
    ALL,
    PROLIFERATION,
    Confounder,
    NegativeControls,
)
from mtorscore.prognosis.association.outliers import outliers_of
from mtorscore.prognosis.association.quality import the_outcome_itself, why_not_valid
from mtorscore.prognosis.association.result_rows import (
    COLUMNS,
    NOT_PROPORTIONAL,
    blank_row,
    concordance_of,
    detail,
    finish,
)
from mtorscore.prognosis.endpoints.checks import check_counts, check_level, check_not_outcome, names_of
from mtorscore.prognosis.endpoints.columns import warn_repeated_patients
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.endpoints.inputs import Inputs, as_endpoints, read_inputs
from mtorscore.prognosis.endpoints.outcome_models import (
    Outcome,
    estimate,
    make_outcomes,
    proportionalities,
    score_tests,
)
from mtorscore.prognosis.endpoints.subdistribution import put_subdistribution, subdistribution
from mtorscore.prognosis.statistics.concordance import bootstrap_multiplicities
from mtorscore.prognosis.statistics.inference import Effects, ratio
from mtorscore.prognosis.statistics.risk_sets import FloatArray
from mtorscore.prognosis.statistics.score_test import residual_statistics

__all__ = ["COLUMNS", "associate"]


@dataclass
class _Options:
    level: float
    n_boot: int
    seed: int
    ties: str
    family: str


def associate(
    scores: Any,
    clinical: pd.DataFrame | None = None,
    endpoint: Endpoint | Sequence[Endpoint] = (),
    adjust: Sequence[Any] = (),
    expression: Any = None,
    signatures: Any = None,
    method: str | None = None,
    *,
    negative_controls: Sequence[str] = ALL,
    n_random: int = 1000,
    n_boot: int = 500,
    family: str = "model",
    ties: str = "efron",
    level: float = 0.95,
    params: dict[str, Any] | None = None,
    seed: int = 0,
    tissue: str | None = None,
    strata: Sequence[Hashable] | str = (),
    cluster: Hashable | None = None,
    robust: bool = False,
    mirrors: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Relate every score to one or more endpoints.

    For survival a Cox model on the continuous score, for a label a logistic (two classes), multinomial (`classes`) or
    proportional-odds model (`order`); the effect is per SD of the score (n - 1 in the denominator) among the patients
    of the endpoint who have one, in adjusted models too. One adjusted model per entry of `adjust`, each with one
    confounder beside the score.

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
        Scoring method of the scores; needed by the negative controls, which score anew.
    negative_controls
        All three by default: ``"random"`` (random signatures), ``"proliferation"`` and ``"purity"`` (stroma, immune
        and hepatocyte scores, one at a time). They need `expression` and `method`; without, their columns are NaN
        with a reason. ``()`` turns them off.
    n_random
        Random signatures per signature; 200 at most for the methods that score each set from the whole cohort (gsva,
        plage).
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
        Parameters of the scoring method, for the negative controls.
    seed
        Of bootstrap and random signatures.
    tissue
        Tissue of the observations, where entries of the collection are graded by tissue: an entry that is graded
        "opposed" there is not valid.
    strata
        Clinical column(s) whose values have baseline hazards of their own (survival).
    cluster
        Clinical column of patients that are alike, such as a centre, or of the patient where some have several
        observations: errors, intervals and p-values are robust to it. Its random signatures are compared as without.
    robust
        Robust errors where there is no `cluster`. Robust errors are those of R; tests and intervals use Student's t on
        the clusters (patients) with an event less one, because normal ones err too often.
    mirrors
        Old name of `negative_controls`, to be removed in the next release.

    Returns
    -------
    pandas.DataFrame
        One row per signature, endpoint and model, with the columns of `COLUMNS`; `positive` is what a ratio above 1
        means more of, `horizon` that of an early endpoint, `level` that of the intervals. Label endpoints add
        ``odds_ratio``, ``or_low`` and ``or_high``, and their ``c_index`` is the area under the ROC curve. That of an
        unadjusted row is that of the score itself (below 0.5: protective); of an adjusted row that of the fitted
        linear predictor, in sample. Labels of several classes have one row per class, `positive`, against the
        reference, ``against`` (their random signatures and ``c_index`` are of these two classes alone), with
        ``overall_p`` of all classes together; ordered ones have one row, and ``proportional_p``, the test of
        proportional odds. ``unadjusted_same_n`` is the unadjusted ratio on the patients of an adjusted model.
        With competing events `hr` is cause-specific; ``subdistribution_hr`` is that of Fine and Gray (robust errors).
        The ``residual_`` columns, on rows adjusted for proliferation, are of what is left of the score once
        proliferation is regressed out: ratio per its own SD with interval, p, and p among equally treated random
        signatures.
        ``valid`` is False where the numbers cannot be trusted, and ``reason`` says why: too few events, less than half
        of a signature's genes in the matrix or one of its directions absent, a confounder of which that holds.
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
    check_level(level)
    check_counts(n_boot=n_boot, seed=seed)
    wanted = names_of(negative_controls if mirrors is None else _renamed(mirrors, negative_controls))
    if "random" in wanted:
        check_counts(1, n_random=n_random)
    with one_blas_thread():
        return _associate(
            scores, clinical, endpoint, names_of(adjust), expression, signatures, method, wanted, n_random, params,
            tissue, _Options(level, n_boot, seed, ties, family), (strata, cluster, robust),
        )  # fmt: skip


def _renamed(mirrors: Sequence[str], negative_controls: Sequence[str]) -> Sequence[str]:
    """Return the value of the deprecated argument, with a warning."""
    if tuple(names_of(negative_controls)) != ALL:
        raise DataError("mirrors= is the old name of negative_controls=; hand over negative_controls= alone.")
    warn("mirrors= is now called negative_controls=; the old name goes with the next release.", RenamedWarning)
    return mirrors


def _associate(
    scores: Any,
    clinical: pd.DataFrame | None,
    endpoint: Endpoint | Sequence[Endpoint],
    adjust: Sequence[Any],
    expression: Any,
    signatures: Any,
    method: str | None,
    negative_controls: Sequence[str],
    n_random: int,
    params: dict[str, Any] | None,
    tissue: str | None,
    options: _Options,
    sampling: tuple[Sequence[Hashable] | str, Hashable | None, bool],
) -> pd.DataFrame:
    endpoints = as_endpoints(endpoint)
    inputs = read_inputs(scores, clinical, expression, signatures, method, params)
    design = Design.of(inputs.clinical, *sampling, endpoints)
    controls = NegativeControls(inputs, negative_controls, n_random, options.seed)
    quality = why_not_valid(inputs, tissue)
    rows: list[dict[str, Any]] = []
    excluded = []
    for one in endpoints:
        for item in adjust:
            check_not_outcome(item if isinstance(item, tuple | list) else [item], one, "adjusted for")
        data, lost = design.known(one.resolve(inputs.clinical, inputs.scores.index))
        outcomes = [design.applied(outcome, data) for outcome in make_outcomes(data, options.ties)]
        if design.clusters is None:
            warn_repeated_patients(inputs.clinical, data.index)
        excluded += [data.excluded, lost]
        for outcome in outcomes:
            rows += _one_endpoint(inputs, outcome, data.name, list(adjust), controls, options)
    controls.run()
    digests = Digests(inputs.clinical)
    for row in rows:
        index = row.pop("index")
        row |= {"level": options.level, "patients": digests.of(index)}
        doubts, trusted = design.doubts(row, index)
        row["reason"] += doubts
        row["valid"] &= trusted
        lacking = quality.get(row["signature"])
        if lacking:
            row["valid"] = False
            row["reason"].append(lacking)
    table = finish(rows, options.family)
    # Plain records: pandas compares attrs when tables are concatenated, and tables do not compare to a truth value.
    excluded = [e for e in excluded if len(e)]
    table.attrs["excluded"] = pd.concat(excluded, ignore_index=True).to_dict("records") if excluded else []
    table.attrs["design"] = design.what
    table.attrs["family"] = options.family
    table.attrs["level"] = options.level
    table.attrs["ties"] = options.ties
    table.attrs["null"] = controls.nulls
    return table


def _one_endpoint(
    inputs: Inputs, outcome: Outcome, name: str, adjust: list[Any], controls: NegativeControls, options: _Options
) -> list[dict[str, Any]]:
    blocks = blocks_of(inputs.scores, outcome)
    multiplicities = bootstrap_multiplicities(len(outcome.index), options.n_boot, options.seed)
    for block in blocks:
        _unadjusted(block, name, multiplicities[:, outcome.index.get_indexer(block.outcome.index)], controls, options)
        for confounder in controls.beside(adjust):
            _adjusted(block, name, confounder, outcome, multiplicities, controls, options)
    order = {str(c): i for i, c in enumerate(inputs.scores.columns)}
    rows = [row for block in blocks for row in block.rows]
    rows.sort(key=lambda r: order[r["signature"]])
    return rows


def _unadjusted(
    block: Block, name: str, multiplicities: FloatArray, controls: NegativeControls, options: _Options
) -> None:
    outcome, few = block.outcome, block.outcome.events < EVENTS_PER_PARAMETER
    block.effects = effects = _estimate(outcome, block.x[:, None, :], few, options)
    if outcome.events == 0 or outcome.n < 2:
        for j, signature in enumerate(block.names):
            block.rows.append(blank_row(signature, name, "unadjusted", "", outcome, 1, effects, j, block.sd[j]))
        return
    test = outcome.score_test(None)
    observed = test(block.x)
    outliers = outliers_of(outcome, block.x, effects, lambda x: _estimate(outcome, x, few, options))
    beside = subdistribution(outcome, block.x[:, None, :], options.level, few=few)
    ph = proportionalities(outcome, block.x[:, None, :], effects.all_coef[:1])
    for j, signature in enumerate(block.names):
        row = blank_row(signature, name, "unadjusted", "", outcome, 1, effects, j, block.sd[j])
        told, notes = outliers.told(j, row["p"], outcome)
        row |= told
        row["reason"] += notes
        put_subdistribution(row, beside, j)
        if np.isfinite(row["coef"]):
            row["ph_p"] = float(ph[j])
            detail(row, outcome, block.x[:, [j]], effects.all_coef[:1, j])
        if outcome.one_time:
            row["reason"].append("all events fall on one time: nothing can be said of the course of the hazards")
        if row["ph_p"] < NOT_PROPORTIONAL:
            row["reason"].append("hazards are not proportional: see prognosis.over_time")
        if block.sd[j] > 0 and outcome.events:
            row |= concordance_of(outcome, block.x[:, j], multiplicities, options.level)
            row["reason"] += the_outcome_itself(row["c_index"], outcome.events)
        controls.request(row, signature, outcome.index, test, observed[j])
        block.rows.append(row)


def _adjusted(
    block: Block,
    name: str,
    confounder: Confounder,
    outcome: Outcome,
    multiplicities: FloatArray,
    controls: NegativeControls,
    options: _Options,
) -> None:
    """Fit score + confounder; signatures with the same patients and as many columns beside are fitted together."""
    parts: dict[bytes, Outcome] = {}
    together: dict[tuple[bytes, int], list[Beside]] = {}
    for table, columns in confounder.per_signature(block.names):
        if table is None:
            for j in columns:
                label = confounder.label
                row = blank_row(block.names[j], name, "adjusted", label, block.outcome, 0, None, 0, block.sd[j])
                row["reason"] += confounder.notes_of(block.names[j])
                block.rows.append(row)
            continue
        z = table.reindex(block.outcome.index).to_numpy(dtype=np.float64)
        keep = np.isfinite(z).all(axis=1)
        mask = keep.tobytes()
        if mask not in parts:
            parts[mask] = block.outcome if keep.all() else block.outcome.take(keep)
        z = z[keep]
        lacking = lacking_in(block, parts[mask], z, confounder.label)
        if lacking:
            for j in columns:
                row = blank_row(
                    block.names[j], name, "adjusted", confounder.label, parts[mask], 0, None, 0, block.sd[j]
                )
                row["valid"], row["reason"] = False, [lacking]
                block.rows.append(row)
            continue
        spread = z.std(axis=0)
        z = (z[:, spread > 0] - z[:, spread > 0].mean(axis=0)) / spread[spread > 0]
        together.setdefault((mask, z.shape[1]), []).append(Beside(keep, z, columns))
    for (mask, _), groups in together.items():
        resample = multiplicities[:, outcome.index.get_indexer(parts[mask].index)]
        _fit_beside(block, name, confounder, parts[mask], groups, resample, controls, options)


def _fit_beside(
    block: Block,
    name: str,
    confounder: Confounder,
    part: Outcome,
    groups: list[Beside],
    resample: FloatArray,
    controls: NegativeControls,
    options: _Options,
) -> None:
    """Fit score + confounder of groups of signatures, each of which has the same confounder, in one batch."""
    columns = [j for group in groups for j in group.columns]
    keep = groups[0].keep
    z = np.concatenate([np.repeat(g.z[:, :, None], len(g.columns), axis=2) for g in groups], axis=2)
    x = np.concatenate([block.x[keep][:, None, columns], z], axis=1)
    parameters = x.shape[1]
    firth = part.events < EVENTS_PER_PARAMETER * parameters
    effects = _estimate(part, x, firth, options)
    same = _estimate(part, x[:, :1], part.events < EVENTS_PER_PARAMETER, options)
    beside = subdistribution(part, x, options.level, few=firth)
    ph = proportionalities(part, x, effects.all_coef[:parameters])
    tests = score_tests(part, [g.z for g in groups], firth=firth)
    k = 0
    for group, test in zip(groups, tests, strict=True):
        first = k
        observed = test(x[:, 0, first : first + len(group.columns)])
        for j in group.columns:
            signature = block.names[j]
            row = blank_row(signature, name, "adjusted", confounder.label, part, parameters, effects, k, block.sd[j])
            row["unadjusted_same_n"] = float(ratio(same.coef[k]))
            put_subdistribution(row, beside, k)
            if np.isfinite(row["coef"]):
                coef = effects.all_coef[:parameters, k]
                row["ph_p"] = float(ph[k])
                detail(row, part, x[:, :, k], coef)
                row |= concordance_of(part, x[:, :, k] @ coef, resample, options.level)
            elif block.sd[j] > 0 and np.linalg.matrix_rank(x[:, :, k]) < parameters:
                row["reason"][-1:] = [f"the score and {confounder.label} determine one another: no joint model"]
            if not keep.all():
                row["reason"].append(f"{int((~keep).sum())} without {confounder.label} left out")
            row["reason"] += confounder.notes_of(signature)
            row["lacking"] = confounder.lacking and row["valid"]
            row["valid"] &= not confounder.lacking
            controls.request(row, signature, part.index, test, observed[k - first])
            block.rows.append(row)
            k += 1
        if confounder.label == PROLIFERATION:
            _residual(block.rows[first - k :], part, x[:, 0, first:k], group.z, controls, options)


def _residual(
    rows: list[dict[str, Any]],
    part: Outcome,
    x: FloatArray,
    z: FloatArray,
    controls: NegativeControls,
    options: _Options,
) -> None:
    """Test the residual of each score after regression on the confounder; random scores are treated alike."""
    design = np.column_stack([np.ones(len(z)), z])
    onto = np.linalg.pinv(design)
    left = x - design @ (onto @ x)
    sd = left.std(axis=0, ddof=1)
    told = sd > 1e-8
    left = np.where(told, left / np.where(told, sd, 1.0), 0.0)
    effects = _estimate(part, left[:, None, :], part.events < EVENTS_PER_PARAMETER, options)
    test = part.score_test(None)
    observed = test(left)
    of_residuals = partial(residual_statistics, test, design=design, onto=onto)
    for k, row in enumerate(rows):
        if told[k] and np.isfinite(effects.coef[k]):
            row |= {"residual_ratio": float(ratio(effects.coef[k])), "residual_p": float(effects.p[k])}
            row |= {"residual_low": float(ratio(effects.low[k])), "residual_high": float(ratio(effects.high[k]))}
            controls.request(row, row["signature"], part.index, of_residuals, observed[k], residual=True)


def _estimate(outcome: Outcome, x: FloatArray, firth: bool, options: _Options) -> Effects:
    """Fit the models; those with separation again with Firth's penalty."""
    if outcome.events == 0 or outcome.n < 2:
        nan, empty = np.full(x.shape[2], np.nan), np.zeros(x.shape[2], dtype=bool)
        return Effects(nan, nan, nan, nan, nan, np.full(x.shape[1:], np.nan), firth, empty, empty, nan, nan)
    effects = estimate(outcome, x, firth=firth, level=options.level)
    if firth or not outcome.has_firth or not effects.infinite.any():
        return effects
    rows = np.flatnonzero(effects.infinite)
    again = estimate(outcome, x[:, :, rows], firth=True, level=options.level)
    for name in ("coef", "se", "low", "high", "p"):
        getattr(effects, name)[rows] = getattr(again, name)
    effects.all_coef[:, rows] = again.all_coef
    return effects
