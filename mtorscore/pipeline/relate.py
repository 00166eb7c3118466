"""Step 4: association of scores with outcome (Cox models, Kaplan-Meier) and cross-validated prediction."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore import prognosis, results
from mtorscore._blas_threads import one_blas_thread
from mtorscore._outcome_terms import ENDPOINTS
from mtorscore._workers import alone
from mtorscore.collection import leads
from mtorscore.errors import DataWarning, examples, warn
from mtorscore.pipeline.config import DEFAULTS
from mtorscore.pipeline.group_contrasts import activation_rows
from mtorscore.pipeline.predict import PREDICTED, Predictions, horizon_of
from mtorscore.pipeline.prepare import load_cohort
from mtorscore.pipeline.score import technical_of
from mtorscore.pipeline.single_cells import summarise_cells
from mtorscore.pipeline.table_files import read_table, write_result
from mtorscore.pp.groups import named_groups
from mtorscore.tl.analysis.method_agreement import with_agreement

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection
    from mtorscore.prognosis import Endpoint

__all__ = ["class_labels", "endpoints_of", "relate"]

TUMOUR = "tumour_vs_normal"
LEAST_PER_CLASS = 8
BASELINE = ("age", "sex", "stage")
_OF_MODEL = ("signature", "endpoint", "model", "adjusted_for")
_RATIO = {"by": _OF_MODEL, "effect": "hr", "low": "hr_low", "high": "hr_high", "null": 1.0}
_ODDS = {
    "by": (*_OF_MODEL, "positive", "against"), "effect": "odds_ratio", "low": "or_low", "high": "or_high", "null": 1.0,
}  # fmt: skip
_SHIFT = {"by": ("signature",), "effect": "difference", "low": "difference_low", "high": "difference_high"}
_SHARE = {
    "by": ("signature",), "effect": "active", "low": "active_low", "high": "active_high", "null": 0.5,
    "prefix": "active_",
}  # fmt: skip


def relate(
    folder: str | Path,
    signatures: SignatureCollection,
    *,
    methods: Sequence[str],
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    adjust: Sequence[str] = tuple(DEFAULTS["adjust"]),
    null_sets: int = DEFAULTS["null_sets"],
    bootstraps: int = DEFAULTS["bootstraps"],
    cv_folds: int = DEFAULTS["cv_folds"],
    cv_repeats: int = DEFAULTS["cv_repeats"],
    seed: int = DEFAULTS["seed"],
) -> list[Path]:
    """Relate a cohort's scores to its outcomes and write the tables into ``relate/``.

    ``associations.tsv`` (hazard ratios), ``class_effects.tsv`` (odds ratios of labels with several classes), ``km.tsv``
    (Kaplan-Meier), ``null.tsv`` (random signatures beside one per
    branch), ``classifiers.tsv`` and ``survival_models.tsv``
    (cross-validated), ``predictions.tsv`` (out-of-fold risks, by the first method), with their
    ``calibration.tsv``, ``smooth_calibration.tsv`` and ``decision.tsv``. For cells, ``cells.tsv``: scores by sample and
    cell type.

    Parameters
    ----------
    folder
        The cohort's results folder, scored.
    signatures
        What was scored.
    methods
        Methods whose scores are related; Kaplan-Meier tables for the first one. The declared family of the
        Benjamini-Hochberg adjustment is all signatures of one method, endpoint and model.
    parameters
        Per method the parameters that the scores were made with.
    adjust
        Confounders, one at a time; those that the cohort does not have are left out, and the table shows which.
    null_sets
        Random signatures per signature.
    bootstraps
        Of the interval of Harrell's C.
    cv_folds, cv_repeats
        Of the classifiers' nested cross-validation.
    seed
        Of everything random.

    Returns
    -------
    list of pathlib.Path
        The files. A cohort without outcomes gives tables with a header and no rows.
    """
    folder = Path(folder)
    adata = load_cohort(folder)
    in_outcome = adata.obs["in_outcome"].to_numpy(dtype=bool) if "in_outcome" in adata.obs else True
    tumours = adata[(adata.obs["sample_type"] == "tumour").to_numpy() & in_outcome]
    endpoints, labels = endpoints_of(tumours)
    context = str(adata.uns.get("context", "")) or None
    several = class_labels(tumours.obs, tumours.uns.get("labels", ()))
    possible = [a for a in adjust if a == "proliferation" or a in signatures or _varies(tumours.obs, a)]
    # The default is asked of every cohort; one without stages is not adjusted for them, which its table shows.
    unknown = [a for a in adjust if a not in (*DEFAULTS["adjust"], *signatures.names) and a not in tumours.obs]
    if endpoints and unknown:
        warn(
            f"{folder.name} is not adjusted for {examples(unknown)}: neither a signature nor a column is called so; "
            f"columns are {examples(tumours.obs, 8)}.",
            DataWarning,
        )
    associations, nulls, effects = [], [], []
    models = Predictions(cv_folds, cv_repeats, bootstraps, seed)
    every: dict[str, pd.DataFrame] = {}
    asked: list[tuple[pd.DataFrame, dict[str, Any]]] = []
    for method in methods:
        every[method] = read_table(folder / "scores" / f"{method}.tsv", index="observation").dropna(axis=1, how="all")
        own = every[method].loc[tumours.obs_names]
        options: dict[str, Any] = {
            "adjust": possible,
            "signatures": signatures,
            "method": method,
            "n_random": null_sets,
            "negative_controls": ("random", "proliferation", "purity") if null_sets else ("proliferation", "purity"),
            "n_boot": bootstraps,
            "params": dict((parameters or {}).get(method, {})),
            "seed": seed,
            "tissue": context,
        }
        asked.append((own, options))
    # This thread has a core too. Threads of the linear algebra would wait for one another, and busily.
    threads = max(1, min(len(asked), (os.cpu_count() or 1) - 1))
    with one_blas_thread(), ThreadPoolExecutor(threads) as pool:
        # Association spends most of its time in compiled code, beside which this thread predicts.
        waiting = _associating(pool, tumours, asked, [several, endpoints])
        for method, scores in every.items():
            leading = scores[leads(scores.columns, confounders=False, context=context)]
            first = method == methods[0]
            _predict_labels(models, method, leading, adata, tumours, (labels, several), curves=first)
            if first and endpoints:
                _predict_survival(models, method, leading, tumours.obs, endpoints[0])
        # What needs no association is computed and written meanwhile.
        shifts = [
            activation_rows(adata, scores, signatures, leads(scores.columns, context=context), seed, method)
            for method, scores in every.items()
        ]
        curves = _curves(every, tumours, endpoints)
        paths = {
            table.name: write_result(parts, table, folder)
            for table, parts in [
                (results.KAPLAN_MEIER, curves), *((one, models.parts[one.name]) for one in PREDICTED),
                (results.CELLS, summarise_cells(adata, folder, methods)),
            ]
        }  # fmt: skip
        for task in (task for group in reversed(waiting) for task in reversed(group)):
            task.help()
        of_classes, of_endpoints = [[task.result() for task in group] for group in waiting]
    for i, (method, scores) in enumerate(every.items()):
        if several:
            effects.append(of_classes[i].assign(method=method).reindex(columns=results.CLASS_EFFECTS.names))
        if endpoints:
            table = of_endpoints[i]
            records = table.attrs.pop("null")
            associations.append(table.assign(method=method))
            if method == methods[0]:
                nulls.append(_nulls(records, leads(scores.columns, context=context), method))
    return [
        write_result(_beside(associations, folder, _RATIO), results.ASSOCIATIONS, folder),
        write_result(_beside(effects, folder, _ODDS), results.CLASS_EFFECTS, folder),
        paths[results.KAPLAN_MEIER.name],
        write_result(nulls, results.NULLS, folder),
        *(paths[table.name] for table in PREDICTED),
        paths[results.CELLS.name],
        write_result(_beside(shifts, folder, _SHIFT, _SHARE), results.ACTIVATION, folder),
    ]


def _curves(every: Mapping[str, pd.DataFrame], tumours: AnnData, endpoints: Sequence[Endpoint]) -> list[pd.DataFrame]:
    """Kaplan-Meier tables of the first method's scores."""
    if not endpoints:
        return []
    method, scores = next(iter(every.items()))
    curve = prognosis.kaplan_meier(scores.loc[tumours.obs_names], tumours.obs, endpoints)
    return [curve.assign(method=method)]


def _beside(parts: Sequence[pd.DataFrame], folder: Path, *effects: Mapping[str, Any]) -> list[pd.DataFrame]:
    """Join the tables of all methods; add the technical SD of each score, and whether the methods agree."""
    import pandas as pd

    known = [part for part in parts if len(part)]
    if not known:
        return list(parts)
    table = pd.concat(known, ignore_index=True)
    noise = pd.concat({m: technical_of(folder, m) for m in table["method"].unique()})
    asked = pd.MultiIndex.from_frame(table[["method", "signature"]])
    table["technical_sd"] = noise.reindex(asked).to_numpy() if len(noise) else float("nan")
    for effect in effects:
        table = with_agreement(table, **effect)
    return [table]


def _associating(
    pool: Executor,
    tumours: AnnData,
    asked: Sequence[tuple[pd.DataFrame, dict[str, Any]]],
    outcomes: Sequence[Sequence[Endpoint]],
) -> list[list[_Task]]:
    """Begin to relate the scores of several methods, one on each core, to each list of endpoints that is not empty.

    Every draw has a seed of its own, so that no number depends on the cores.
    """
    from mtorscore.prognosis.endpoints.inputs import read_expression

    expression = read_expression(_on_log_scale(tumours)) if any(outcomes) else None
    if expression is not None:
        # One matrix, held once: methods share its ranks.
        _ = expression.held

    def associated(scores: pd.DataFrame, options: dict[str, Any], endpoints: Sequence[Endpoint]) -> pd.DataFrame:
        # Where each core has a method, a method with threads of its own would only wait for the others.
        with alone() if len(asked) >= (os.cpu_count() or 1) else nullcontext():
            return prognosis.associate(scores, tumours.obs, endpoints, expression=expression, **options)

    return [[_Task(pool, partial(associated, *one, endpoints)) for one in asked if endpoints] for endpoints in outcomes]


class _Task:
    """Work that a thread of a pool does, or the thread that waits for it if nobody has begun."""

    def __init__(self, pool: Executor, work: Callable[[], pd.DataFrame]) -> None:
        self._work = work
        self._future: Future[pd.DataFrame] = pool.submit(work)
        self._own: pd.DataFrame | None = None

    def help(self) -> None:
        """Do the work now unless somebody has begun with it."""
        if self._future.cancel():
            self._own = self._work()

    def result(self) -> pd.DataFrame:
        """Return what came out."""
        return self._future.result() if self._own is None else self._own


def endpoints_of(adata: AnnData) -> tuple[list[Endpoint], list[str]]:
    """Return the endpoints and labels of a prepared cohort.

    Parameters
    ----------
    adata
        Tumours, with the standard columns ``OS``, ``OS.time`` (days) and so on, and ``DSS.competing`` and the like
        where the recipe names competing events.

    Returns
    -------
    endpoints : list of Endpoint
        Survival endpoints with at least one event: the standard ones and those that the cohort's recipe names.
    labels : list of str
        Two-valued columns named ``recurrence_24m`` or declared in ``uns["labels"]``.
    """
    from mtorscore.prognosis import Endpoint

    obs = adata.obs
    recipe = [str(n) for n in adata.uns.get("recipe", {}).get("endpoints", ())]
    declared = dict.fromkeys([*ENDPOINTS, *recipe])
    known = [n for n in declared if n in obs and f"{n}.time" in obs and (obs[n] == 1).any()]
    endpoints = [
        Endpoint.survival(
            f"{n}.time", n, "days", competing=f"{n}.competing" if f"{n}.competing" in obs else None, name=n
        )
        for n in known
    ]
    named = ["recurrence_24m", *map(str, adata.uns.get("labels", ()))]
    labels = [n for n in dict.fromkeys(named) if n in obs and _two_classes(obs[n])]
    return endpoints, labels


def class_labels(obs: pd.DataFrame, declared: Iterable[str]) -> list[Endpoint]:
    """Return labels of three classes or more with eight observations each.

    Parameters
    ----------
    obs
        Clinical columns of the tumours.
    declared
        Names of the cohort's labels; those that are categorical columns of several categories are looked at, whose
        order, or whose first category as the reference, is that of the column.
    """
    import pandas as pd

    found = []
    for name in dict.fromkeys(map(str, declared)):
        dtype = obs[name].dtype if name in obs else None
        if not isinstance(dtype, pd.CategoricalDtype) or len(dtype.categories) < 3:
            continue
        counts = obs[name].value_counts()
        kept = [c for c in dtype.categories if counts[c] >= LEAST_PER_CLASS]
        rare = [f"{c} ({counts[c]})" for c in dtype.categories if counts[c] < LEAST_PER_CLASS]
        if rare:
            few = f"fewer than {LEAST_PER_CLASS} tumours"
            warn(f"Label {name}: {examples(rare)} have {few} and are left out.", DataWarning)
        if len(kept) > 2:
            order, classes = (kept, []) if dtype.ordered else ([], kept)
            found.append(prognosis.Endpoint.label(name, order=order, classes=classes))
    return found


def _on_log_scale(adata: AnnData) -> AnnData:
    import anndata as ad

    return ad.AnnData(X=adata.layers["log"], obs=adata.obs[[]], var=adata.var[[]])


def _varies(obs: pd.DataFrame, column: str) -> bool:
    return column in obs and obs[column].dropna().nunique() > 1


def _two_classes(column: pd.Series) -> bool:
    counts = column.dropna().value_counts()
    return bool(len(counts) == 2 and counts.min() >= LEAST_PER_CLASS)


def _tasks(adata: AnnData, tumours: AnnData, labels: Sequence[str]) -> Iterator[tuple[pd.DataFrame, str, list[str]]]:
    """Yield clinical table, label and baseline columns of every classification that the cohort allows."""
    baseline = [c for c in BASELINE if _varies(tumours.obs, c)]
    for label in labels:
        yield tumours.obs[tumours.obs[label].notna()], label, baseline
    both = adata.obs[adata.obs["sample_type"].isin(["tumour", "normal"])].copy()
    both[TUMOUR] = (both["sample_type"] == "tumour").astype(float)
    # Groups of the user's own are compared by the step contrast; several of them are no one class.
    if len(named_groups(adata)[1]) <= 2 and _two_classes(both[TUMOUR]):
        # Stage and the like are known for patients with tumours only, hence they would give the label away.
        yield both, TUMOUR, []


def _predict_labels(
    models: Predictions,
    method: str,
    scores: pd.DataFrame,
    adata: AnnData,
    tumours: AnnData,
    labels: tuple[Sequence[str], Sequence[Endpoint]],
    *,
    curves: bool,
) -> None:
    """Predict labels of two classes and of several, where there are enough of each; curves of the former only."""
    for rows, label, baseline in _tasks(adata, tumours, labels[0]):
        endpoint = prognosis.Endpoint.label(label)
        models.add(method, scores, rows, endpoint, baseline, curves=curves and label != TUMOUR)
    for endpoint in labels[1]:
        known = tumours.obs[tumours.obs[endpoint.column].isin(list(endpoint.classes or endpoint.order))]
        baseline = [c for c in BASELINE if _varies(known, c) and c != endpoint.column]
        models.add(method, scores, known, endpoint, baseline, curves=False)


def _predict_survival(
    models: Predictions, method: str, scores: pd.DataFrame, clinical: pd.DataFrame, endpoint: Endpoint
) -> None:
    """Predict the first survival endpoint, where follow-up and events allow it."""
    from mtorscore.prognosis import SurvivalData

    data = endpoint.resolve(clinical, scores.index.intersection(clinical.index))
    horizon = horizon_of(data.time, data.event) if isinstance(data, SurvivalData) else None
    if horizon is None:
        return
    baseline = [c for c in BASELINE if _varies(clinical, c)]
    models.add(method, scores, clinical.loc[data.index], endpoint, baseline, horizon=horizon)


def _nulls(records: list[dict[str, Any]], shown: Sequence[str], method: str) -> pd.DataFrame:
    """Return the random signatures' statistics of one signature per branch."""
    import pandas as pd

    kept = [r for r in records if r["signature"] in set(shown)]
    return pd.DataFrame(kept, columns=list(results.NULLS.names)).assign(method=method)
