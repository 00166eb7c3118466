"""Fitted prediction models: coefficients, provenance, and application to new observations."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.collection import SignatureCollection, as_collection
from mtorscore.errors import DataError, DataWarning, EndpointError, examples, warn
from mtorscore.prognosis.endpoints.checks import check_not_outcome, names_of
from mtorscore.prognosis.endpoints.coding import Coding
from mtorscore.prognosis.endpoints.columns import warn_repeated_patients
from mtorscore.prognosis.endpoints.covariates import (
    check_numbers,
    check_observations,
    check_table,
    pick_columns,
    refuse_infinite,
)
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.endpoints.inputs import is_anndata
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData
from mtorscore.prognosis.endpoints.scoring_record import check_same_scoring, scoring_by, scoring_of
from mtorscore.prognosis.models import model_file
from mtorscore.prognosis.models.card import card_of
from mtorscore.prognosis.models.class_calls import calls_of, scored_anew
from mtorscore.prognosis.models.clinical_part import coded_baseline, encoded
from mtorscore.prognosis.models.model_header import header_of
from mtorscore.prognosis.models.model_kinds import KINDS, ModelKind, kind_of
from mtorscore.prognosis.models.training_cohort import training_digests
from mtorscore.prognosis.prediction.candidates import rows
from mtorscore.prognosis.prediction.sample_size import adequacy
from mtorscore.prognosis.prediction.tasks import make_task
from mtorscore.prognosis.statistics.risk_sets import FloatArray

if TYPE_CHECKING:
    from mtorscore.tl import Reference

__all__ = ["FittedModel", "fit_model"]


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A ridge Cox, logistic, multinomial or proportional-odds model with everything needed to apply it elsewhere.

    Attributes
    ----------
    name, kind
        Name, and ``"survival"``, ``"label"``, ``"classes"`` or ``"ordered"``.
    endpoint
        The training endpoint.
    scores
        Score columns, in the order of the coefficients; clinical columns follow.
    clinical
        Coded clinical columns: per column its kind (number, ordered, category), the names of its levels in their order,
        and the median that a missing value becomes.
    coef, mean, scale
        ``(p,)`` coefficients per SD of training (of several unordered classes ``(K * p,)``, class after class), and the
        training means and SDs.
    intercept
        Log odds at the mean (labels).
    intercepts
        Of every class, or the thresholds between ordered ones; empty for other kinds.
    times, hazard, offset
        Breslow's cumulative baseline hazard at a linear predictor of `offset` (survival).
    signatures
        Signature id -> hash and signed weights.
    scoring
        Method, parameters and reference of the scores, where they are known.
    reference
        Frozen reference of the scorer, where the model takes expression.
    training
        Summary of the training cohort: n, events, median follow-up (reverse Kaplan-Meier), horizon (median event
        time), classes (the positive one last), mean, SD and quantiles of every column, and digests of its patients.
    versions
        Of mtorscore, Python and numpy.
    """

    name: str
    kind: str
    endpoint: Endpoint
    scores: tuple[str, ...]
    clinical: Mapping[str, Mapping[str, Any]]
    columns: tuple[str, ...]
    coef: FloatArray
    mean: FloatArray
    scale: FloatArray
    penalty: float
    intercept: float = 0.0
    times: FloatArray = field(default_factory=lambda: np.zeros(0))
    hazard: FloatArray = field(default_factory=lambda: np.zeros(0))
    offset: float = 0.0
    intercepts: FloatArray = field(default_factory=lambda: np.zeros(0))
    signatures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reference: Reference | None = None
    scoring: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def features(self, X: Any, clinical: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the model's columns for new observations, scoring expression where the model holds a reference.

        Raises
        ------
        DataError
            If a score or clinical column is missing.
        ReferenceMismatchError
            If expression does not hold the genes of the reference.
        """
        table = self._scored(X)
        missing = [c for c in self.scores if c not in table.columns]
        if missing:
            raise DataError(
                f"{len(missing)} of {len(self.scores)} score(s) of model {self.name} are missing "
                f"({examples(missing)}); score the same signatures by the same method."
            )
        parts = [table[list(self.scores)].astype(float)]
        refuse_infinite(parts[0], "scores")
        if self.clinical:
            if clinical is None:
                raise DataError(f"Model {self.name} needs clinical columns: {', '.join(self.clinical)}.")
            check_observations(clinical.index, "clinical table")
            absent = table.index[~table.index.isin(clinical.index)]
            if len(absent):
                raise DataError(
                    f"{len(absent)} observation(s) have no row in the clinical table ({examples(absent)}); model "
                    f"{self.name} needs it."
                )
            parts.append(self._encode(clinical.loc[table.index]))
        out = pd.concat(parts, axis=1)
        out.columns = list(self.columns)
        return out

    def takes_expression(self, x: Any) -> bool:
        """Whether `x` is expression, which the model scores, and not a table that holds its scores."""
        holds_scores = isinstance(x, pd.DataFrame) and set(self.scores) <= set(x.columns)
        return self.reference is not None and not holds_scores

    def _scored(self, x: Any) -> pd.DataFrame:
        if isinstance(x, pd.DataFrame) and set(self.scores) <= set(x.columns):
            check_same_scoring(self.name, self.scoring, scoring_of(x))
            return x
        if self.reference is not None:
            from mtorscore.tl import SignatureScorer

            scored = SignatureScorer.from_reference(self.reference).transform(x)
            return pd.DataFrame(scored)
        if is_anndata(x):
            return scored_anew(self.name, self.scores, self.signatures, self.scoring, x)
        return x if isinstance(x, pd.DataFrame) else pd.DataFrame(x, columns=list(self.scores))

    @property
    def codings(self) -> list[Coding]:
        """How each clinical column becomes numbers."""
        return [Coding(c, v["kind"], tuple(v["levels"]), float(v["median"])) for c, v in self.clinical.items()]

    def _encode(self, clinical: pd.DataFrame) -> pd.DataFrame:
        pick_columns(clinical, list(self.clinical), f"clinical column(s) of model {self.name}")
        return encoded(self.codings, self.training, clinical)

    def _warn_of_unseen(self, clinical: pd.DataFrame | None) -> None:
        """Warn of levels that the model never saw."""
        if clinical is None:
            return
        for coding in self.codings:
            new = coding.unseen(clinical[coding.column])
            if len(new):
                warn(
                    f"{len(new)} observation(s) have a {coding.column} that model {self.name} never saw "
                    f"({examples(new.unique())}): they count as {coding.levels[0]}, its commonest level.",
                    DataWarning,
                )

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that the model tells apart, of two the positive one last; none of a survival model."""
        return tuple(self.training.get("classes", ()))

    def linear_predictor(self, X: Any, clinical: pd.DataFrame | None = None) -> pd.Series | pd.DataFrame:
        """Linear predictor; higher means the event, or a higher class. NaN where a score is missing.

        Of several unordered classes observations x classes: log-probabilities up to a constant per row.
        """
        features = self.features(X, clinical)
        z = (features.to_numpy() - self.mean) / self.scale
        return self._named(KINDS[self.kind].linear(z, self.coef, self.intercept, self.intercepts), features.index)

    def predict(self, X: Any, clinical: pd.DataFrame | None = None) -> pd.Series | pd.DataFrame:
        """Probability of the positive class, or (survival) the linear predictor; of several classes, of each."""
        linear = self.linear_predictor(X, clinical)
        self._warn_of_unseen(clinical)
        return self._named(KINDS[self.kind].prediction(linear.to_numpy(), self.intercepts), linear.index)

    def classify(self, X: Any, clinical: pd.DataFrame | None = None, *, reject: float = 0.5) -> pd.DataFrame:
        """Call the class of every observation; a class less probable than `reject` is not called.

        Returns
        -------
        pandas.DataFrame
            As `mtorscore.tl.classify`, with `probability` and ``probability_<class>`` instead of distances; `p` and `q`
            are missing.

        Raises
        ------
        EndpointError
            If the model tells no classes apart.
        """
        if not KINDS[self.kind].has_classes:
            raise EndpointError(f"Model {self.name} predicts a {self.kind} endpoint, no classes.")
        p = self.predict(X, clinical)
        if isinstance(p, pd.Series):
            p = pd.DataFrame({self.classes[0]: 1 - p, self.classes[1]: p})
        return calls_of(p, reject).assign(scheme=self.name, caller=KINDS[self.kind].title.removesuffix("."))

    def _named(self, values: FloatArray, index: pd.Index) -> pd.Series | pd.DataFrame:
        if values.ndim == 2:
            return pd.DataFrame(values, index=index, columns=list(self.classes))
        return pd.Series(values, index=index, name=self.name)

    def predict_survival(self, X: Any, times: Sequence[float], clinical: pd.DataFrame | None = None) -> pd.DataFrame:
        """Probability of being free of the event at each time; observations x times.

        Of a model that knows competing events: one minus the cumulative incidence of the event.
        """
        if not KINDS[self.kind].has_survival:
            raise EndpointError(f"Model {self.name} predicts a label; it has no survival curve.")
        self.check_within_training(np.asarray(times, dtype=np.float64))
        linear = self.linear_predictor(X, clinical)
        self._warn_of_unseen(clinical)
        return pd.DataFrame(self.survival_at(linear.to_numpy(), np.asarray(times)), index=linear.index, columns=times)

    def check_within_training(self, times: FloatArray) -> None:
        """Refuse times beyond the longest follow-up of the training cohort, of which the model knows nothing."""
        longest = self.training.get("longest")
        if longest is not None and (times > longest).any():
            raise EndpointError(
                f"Model {self.name} knows nothing beyond the longest follow-up of its training cohort ({longest:g} "
                f"{self.endpoint.unit}); got {examples(np.unique(times[times > longest]).tolist())}."
            )

    def survival_at(self, linear: FloatArray, times: FloatArray) -> FloatArray:
        """``(n, T)`` survival of observations with these linear predictors."""
        at = np.searchsorted(self.times, times, side="right")
        cumulative = np.concatenate([[0.0], self.hazard])[at]
        out: FloatArray = np.exp(-np.outer(np.exp(np.minimum(linear - self.offset, 500.0)), cumulative))
        return out

    @property
    def digest(self) -> str:
        """SHA-256 of the model file: models with the same digest predict the same."""
        return model_file.digest_of(model_file.parts_of(*self._content(), self.reference))

    def _content(self) -> tuple[dict[str, Any], dict[str, FloatArray]]:
        """Return header and arrays of the model file."""
        arrays = {k: getattr(self, k) for k in (*model_file.ARRAYS, *model_file.FURTHER)}
        return header_of(self, asdict(self.endpoint)), arrays

    def save(self, path: str | Path) -> Path:
        """Write one file (JSON and plain arrays in a zip archive); see `load_model`."""
        return model_file.write(Path(path), *self._content(), self.card, self.reference)

    @property
    def horizon(self) -> float | None:
        """Time by which risks are predicted unless said otherwise: the training cohort's median event time."""
        if "horizon" in self.training:
            return float(self.training["horizon"])
        # Files of 0.1.0 do not say it; the baseline hazard steps at the event times.
        return float(np.median(self.times)) if len(self.times) else None

    @property
    def predicts_incidence(self) -> bool:
        """Whether the model knows competing events: one minus its survival is then a cumulative incidence."""
        return "hazard" in self.training

    @property
    def output(self) -> str:
        """What the model returns, in words."""
        return KINDS[self.kind].output

    @property
    def card(self) -> str:
        """A model card: what it is, what it was learned on, what it is not."""
        return card_of(self, KINDS[self.kind])


def fit_model(
    X: Any,
    clinical: pd.DataFrame,
    endpoint: Endpoint,
    baseline: Sequence[str] = (),
    *,
    scorer: Any = None,
    signatures: Any = None,
    name: str = "model",
    method: str | None = None,
    impute: str = "median",
    seed: int = 0,
) -> FittedModel:
    """Fit a ridge model on a whole cohort, to be saved and validated elsewhere.

    Cox for survival, logistic for a label of two classes, multinomial for several (`classes`), proportional odds where
    they are ordered (`order`).

    Parameters
    ----------
    X
        DataFrame of scores; or expression, with `scorer`.
    clinical, endpoint
        The outcome.
    baseline
        Clinical columns beside the scores.
    scorer
        A `SignatureScorer`; it is fitted here on the observations of the endpoint and frozen into the model.
    signatures
        The collection that the scores come from; its hashes are kept. That of `scorer` by default.
    name
        Of the model.
    method
        Scoring method of a table of scores; by default what `tl.score` wrote into it. It is kept and compared.
    impute
        How missing clinical values are filled, here and in new patients: ``"median"`` (the commonest level of a
        category), or ``"regression"`` on the other clinical columns, frozen with the model.
    seed
        Of the inner folds that choose the penalty.

    Returns
    -------
    FittedModel
        Ready to predict, save and validate.

    Raises
    ------
    EndpointError
        If nothing can be learned.
    DataError
        If scores are missing.
    """
    index = X.obs_names if is_anndata(X) else X.index
    if isinstance(X, pd.DataFrame):
        check_table(X, "features")
    baseline = names_of(baseline)
    check_not_outcome(baseline, endpoint, "part of the baseline")
    if len(baseline):
        pick_columns(clinical, list(baseline), "baseline column(s)")
    data = endpoint.resolve(clinical, index)
    kind = kind_of(data)
    make_task(data).check()
    warn_repeated_patients(clinical, data.index)
    chosen = rows(X, index.get_indexer(data.index))
    scoring = scoring_of(X, method)
    reference = raw = None
    if scorer is not None:
        from sklearn.base import clone

        raw, fitted = chosen, clone(scorer).fit(chosen)
        reference = fitted.reference_
        scoring = scoring_by(reference)
        chosen = pd.DataFrame(fitted.transform(chosen), index=data.index, columns=fitted.get_feature_names_out())
        signatures = scorer.signatures if signatures is None else signatures
    table = _known_scores(chosen, name)
    columns, parts = [str(c) for c in table.columns], [table.to_numpy()]
    coded: dict[str, dict[str, Any]] = {}
    filling: dict[str, Any] = {}
    if len(baseline):
        more, values, coded, filling = coded_baseline(clinical.loc[data.index, list(baseline)], impute)
        columns += more
        parts.append(values)
    if len(set(columns)) < len(columns):
        twice = sorted({c for c in columns if columns.count(c) > 1})
        raise DataError(f"A score and a clinical column have one name ({examples(twice)}); rename one of them.")
    x = np.column_stack(parts)
    training = _summary(data, kind, x, columns)
    if scorer is not None:
        training["expression"] = value_quantiles(raw)
    training |= training_digests(table, clinical) | filling
    return FittedModel(
        name=name,
        kind=kind.name,
        endpoint=endpoint.as_read(data.classes, kind.ascending),
        scores=tuple(str(c) for c in table.columns),
        clinical=coded,
        columns=tuple(columns),
        signatures=_definitions(signatures, table.columns),
        reference=reference,
        scoring=scoring,
        training=training,
        versions=_versions(),
        **kind.fit(x, data, seed),
    )


def _known_scores(chosen: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the scores that every observation has; those that nobody has are left out with a warning."""
    check_numbers(chosen, "scores")
    table = chosen.dropna(axis=1, how="all").astype(float)
    if not table.shape[1]:
        raise DataError("No score is known for any observation of the endpoint.")
    if table.shape[1] < chosen.shape[1]:
        gone = [c for c in chosen.columns if c not in table.columns]
        warn(
            f"{len(gone)} score(s) are missing for everybody and are left out of model {name} ({examples(gone)}).",
            DataWarning,
        )
    if table.isna().any(axis=None):
        bad = table.index[table.isna().any(axis=1)]
        raise DataError(f"{len(bad)} observation(s) miss a score ({examples(bad)}); drop them or the score.")
    return table


def _definitions(signatures: Any, columns: Any) -> dict[str, dict[str, Any]]:
    if signatures is None:
        return {}
    collection: SignatureCollection = as_collection(signatures)
    out: dict[str, dict[str, Any]] = {}
    for name in map(str, columns):
        if name in collection:
            entry = collection[name]
            out[name] = {"hash": entry.hash, "content": entry.content()}
    return out


def _summary(data: OutcomeData, kind: type[ModelKind], x: FloatArray, columns: list[str]) -> dict[str, Any]:
    """Describe the training cohort: size, outcome, and every column."""
    out: dict[str, Any] = {"n": data.n, "events": data.n_events, "excluded": len(data.excluded)} | kind.described(data)
    needed = adequacy(make_task(data), x.shape[1])
    if len(needed):
        out["n_needed"] = int(needed["n_needed"].max())
    quantiles = np.quantile(x, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    out["columns"] = {
        c: {"mean": float(x[:, j].mean()), "sd": float(x[:, j].std(ddof=1)), "quantiles": quantiles[:, j].tolist()}
        for j, c in enumerate(columns)
    }
    return out


def value_quantiles(x: Any) -> list[float]:
    """5, 25, 50, 75 and 95% quantiles of expression values, over 200 observations at most: what scale they are on."""
    matrix = x.X if is_anndata(x) else x.to_numpy() if isinstance(x, pd.DataFrame) else x
    rows = np.unique(np.linspace(0, matrix.shape[0] - 1, min(200, matrix.shape[0])).astype(int))
    part = matrix[rows]
    values = np.asarray(part.toarray() if hasattr(part, "toarray") else part, dtype=np.float64)
    found: list[float] = np.quantile(values[np.isfinite(values)], [0.05, 0.25, 0.5, 0.75, 0.95]).tolist()
    return found


def _versions() -> dict[str, str]:
    from mtorscore._version import __version__

    return {"mtorscore": __version__, "python": platform.python_version(), "numpy": np.__version__}


def recalibrated(model: FittedModel, slope: float, n: int, **changes: Any) -> FittedModel:
    """Return the model with its linear predictor multiplied by `slope` and other fields changed, for `n` others."""
    training = dict(model.training) | {"recalibrated_on": n}
    return replace(model, coef=model.coef * slope, training=training, **changes)
