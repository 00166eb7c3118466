"""The header of a saved model: what is written, and the check of every value that is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mtorscore._outcome_terms import DAYS
from mtorscore.errors import EndpointError, FormatError
from mtorscore.prognosis.endpoints import coding
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.models.model_file import FIRST
from mtorscore.prognosis.models.model_kinds import KINDS, SUBDISTRIBUTION, ModelKind
from mtorscore.prognosis.statistics.risk_sets import FloatArray

TEXT = ("name", "kind")
TABLES = ("clinical", "signatures", "scoring", "training", "versions")
NUMBERS = ("penalty", "intercept", "offset")
STEEPEST = 1e6
"""No coefficient, intercept or offset of a log ratio is larger."""


UNSAID = (("classes", ()), ("balanced", False))
"""Fields of an endpoint that are written only where they say something, so that digests of older models hold."""


class _Refused(Exception):
    """What is wrong, without the path."""


def header_of(model: Any, endpoint: dict[str, Any]) -> dict[str, Any]:
    """Return the header of a model: its fields as JSON takes them, beside the fields of its endpoint."""
    return {
        **{k: getattr(model, k) for k in TEXT},
        **{k: _plain(getattr(model, k)) for k in TABLES},
        "scores": list(model.scores),
        "columns": list(model.columns),
        "endpoint": {k: v for k, v in endpoint.items() if v is not None and (k, v) not in UNSAID},
        **{k: getattr(model, k) for k in NUMBERS},
    }


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=lambda v: v.item() if isinstance(v, np.generic) else str(v)))


def checked_fields(header: dict[str, Any], arrays: dict[str, FloatArray], path: Path) -> dict[str, Any]:
    """Return the fields of a model from a header and arrays of which nothing is taken on trust.

    Raises
    ------
    FormatError
        If a value is not what a model has there.
    """
    try:
        if header.get("format") == FIRST:
            header = _from_first(header)
        for key in TEXT:
            _need(_is_text(header.get(key)), key, header.get(key))
        _need(header["kind"] in KINDS, "kind", header["kind"])
        columns, scores = _names(header, "columns"), _names(header, "scores")
        for key in TABLES:
            _need(isinstance(header.get(key), dict), key, header.get(key))
        classes = header["training"].get("classes", [])
        _check_arrays(arrays, len(columns), KINDS[header["kind"]], classes if isinstance(classes, list) else [])
        _check_columns(header["clinical"], scores, columns)
        _check_training(header["training"], columns)
        _check_scoring(header["scoring"])
        for name, entry in header["signatures"].items():
            good = (
                isinstance(entry, dict) and _is_text(entry.get("hash")) and isinstance(entry.get("content", {}), dict)
            )
            _need(good, f"signatures, {name}", entry)
        for name, entry in header["versions"].items():
            _need(_is_text(entry), f"versions, {name}", entry)
        numbers: dict[str, Any] = {}
        for key in NUMBERS:
            value: Any = header.get(key)
            _need(_is_number(value) and abs(value) <= STEEPEST, key, value)
            numbers[key] = float(value)
        endpoint = _endpoint(header.get("endpoint"), header["kind"])
        if KINDS[header["kind"]].has_classes:
            _need(KINDS[header["kind"]].fits(classes), "training, classes", classes)
            endpoint = endpoint.as_read(classes, False)
    except _Refused as error:
        raise FormatError(f"model.json: {error}", path=path) from None
    texts, tables = {key: header[key] for key in TEXT}, {key: header[key] for key in TABLES}
    return texts | tables | numbers | arrays | {"endpoint": endpoint, "scores": scores, "columns": columns}


def _need(good: bool, what: str, value: object) -> None:
    if not good:
        raise _Refused(f"{what!r} is {value!r:.60}, not what a model has there.")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | bool) or _is_number(value)


def _are_quantiles(value: object) -> bool:
    return isinstance(value, list) and len(value) == 5 and all(map(_is_number, value))


def _is_normal(value: object, columns: tuple[str, ...]) -> bool:
    """Whether rows hold the means and the covariance of no more columns than the model has."""
    if not isinstance(value, list) or not value or not all(isinstance(row, list) for row in value):
        return False
    q = len(value) - 1
    if not 0 < q <= len(columns) or any(len(row) != q or not all(map(_is_number, row)) for row in value):
        return False
    covariance = np.array(value[1:])
    return bool(np.allclose(covariance, covariance.T) and np.linalg.eigvalsh(covariance).min() > 0)


def _names(header: dict[str, Any], key: str) -> tuple[str, ...]:
    values = header.get(key)
    good = isinstance(values, list) and all(map(_is_text, values)) and len(set(values)) == len(values)
    _need(good, key, values)
    return tuple(values or ())


def _check_arrays(arrays: dict[str, FloatArray], p: int, kind: type[ModelKind], classes: list[Any]) -> None:
    n_coef, n_intercepts = kind.sizes(p, len(classes))
    good = len(arrays["coef"]) == n_coef and len(arrays["intercepts"]) == n_intercepts
    if not good or any(len(arrays[k]) != p for k in ("mean", "scale")):
        raise _Refused(f"the model has {p} columns but arrays of other lengths.")
    if not np.isfinite(arrays["intercepts"]).all() or (np.abs(arrays["intercepts"]) > STEEPEST).any():
        raise _Refused(f"intercepts holds a value that is no number, or beyond {STEEPEST:g}.")
    if kind.ascending and (np.diff(arrays["intercepts"]) < 0).any():
        raise _Refused("the thresholds of ordered classes must ascend.")
    times, hazard = arrays["times"], arrays["hazard"]
    if len(times) != len(hazard) or (np.diff(times) <= 0).any() or (times < 0).any():
        raise _Refused("the baseline hazard does not belong to ascending times from 0.")
    for key in ("coef", "mean", "times", "hazard"):
        if not np.isfinite(arrays[key]).all():
            raise _Refused(f"{key} holds values that are no numbers.")
    if (np.abs(arrays["coef"]) > STEEPEST).any():
        raise _Refused(f"coef holds a value beyond {STEEPEST:g}.")
    if not (arrays["scale"] > 0).all() or (hazard < 0).any() or (np.diff(hazard) < 0).any():
        raise _Refused("scale and hazard must be positive, and the hazard must not fall.")


def _check_columns(clinical: dict[str, Any], scores: tuple[str, ...], columns: tuple[str, ...]) -> None:
    """Scores come first, then the columns that the clinical table is coded to."""
    made = list(scores)
    for name, coded in clinical.items():
        found = coded if isinstance(coded, dict) else {}
        levels, median = found.get("levels"), found.get("median")
        good = set(found) == {"kind", "levels", "median"} and found["kind"] in coding.KINDS and _is_number(median)
        good = good and isinstance(levels, list) and all(map(_is_text, levels)) and len(set(levels)) == len(levels)
        if not good or (found["kind"] in ("ordered", "category")) != bool(levels):
            raise _Refused(f"clinical column {name!r} has neither one median nor levels.")
        made += coding.Coding(name, found["kind"], tuple(levels or ())).names
    if tuple(made) != columns:
        raise _Refused(f"scores and clinical columns make {len(made)} columns, and not those of the model.")


def _from_first(header: dict[str, Any]) -> dict[str, Any]:
    """Return a header of 0.1.0 as one of today: what it did not say stays unsaid."""
    clinical, columns = header.get("clinical"), header.get("columns")
    _need(isinstance(clinical, dict) and isinstance(columns, list), "clinical", clinical)
    coded: dict[str, Any] = {}
    for name, found in dict(clinical or {}).items():
        levels = found.get("levels") if isinstance(found, dict) else None
        if isinstance(found, dict) and list(found) == ["median"]:
            coded[name] = {"kind": "number or position", "levels": [], "median": found["median"]}
        elif isinstance(levels, list) and all(map(_is_scalar, levels)):
            coded[name] = {"kind": "category", "levels": [coding.name_of(v) for v in levels], "median": 0.0}
            old = [f"{name}={v}" for v in levels]
            new = [f"{name}={coding.name_of(v)}" for v in levels]
            columns = [dict(zip(old, new, strict=True)).get(c, c) if _is_text(c) else c for c in columns or ()]
        else:
            raise _Refused(f"clinical column {name!r} has neither one median nor levels.")
    return header | {"clinical": coded, "columns": columns, "scoring": {}}


def _check_scoring(scoring: dict[str, Any]) -> None:
    """Check method, parameters, dependence on the cohort and frozen reference of the scores."""
    good = set(scoring) <= {"method", "params", "cohort_dependent", "reference"}
    good = good and all(_is_text(scoring.get(k, "")) for k in ("method", "reference"))
    good = good and isinstance(scoring.get("params", {}), dict) and isinstance(scoring.get("cohort_dependent", 0), int)
    _need(good, "scoring", scoring)


def _check_training(training: dict[str, Any], columns: tuple[str, ...]) -> None:
    checks: dict[str, Callable[[object], bool]] = {
        "n": _is_number,
        "events": _is_number,
        "excluded": _is_number,
        "median_follow_up": _is_number,
        "longest": _is_number,
        "n_needed": _is_number,
        "classes": lambda v: isinstance(v, list) and all(map(_is_text, v)),
        "columns": lambda v: isinstance(v, dict) and set(v) <= set(columns),
        "expression": _are_quantiles,
        "imputation": lambda v: _is_normal(v, columns),
        "horizon": lambda v: _is_number(v) and v > 0,  # type: ignore[operator]
        "patients": lambda v: isinstance(v, list) and all(map(_is_text, v)),
        "rows": lambda v: isinstance(v, list) and all(map(_is_text, v)),
        "recalibrated_on": _is_number,
        "competing": _is_number,
        "incidence": _is_number,
        "hazard": lambda v: v == SUBDISTRIBUTION,
    }
    for key, value in training.items():
        _need(key in checks and checks[key](value), f"training, {key}", value)
    for name, described in training.get("columns", {}).items():
        good = isinstance(described, dict) and all(_is_number(described.get(k)) for k in ("mean", "sd"))
        _need(good and _are_quantiles(described.get("quantiles")), f"training, columns, {name}", described)


def _endpoint(fields: object, kind: str) -> Endpoint:
    _need(isinstance(fields, dict), "endpoint", fields)
    found: dict[str, Any] = dict(fields)  # type: ignore[call-overload]
    for key in ("order", "classes"):
        found[key] = tuple(found[key]) if isinstance(found.get(key), list) else ()
    _need(isinstance(found.get("balanced", False), bool), "endpoint, balanced", found.get("balanced"))
    for key in ("kind", "name", "time", "event", "entry", "column", "unit"):
        _need(found.get(key) is None or _is_text(found[key]), f"endpoint, {key}", found.get(key))
    for key in ("event_value", "positive", "competing"):
        _need(found.get(key) is None or _is_scalar(found[key]), f"endpoint, {key}", found.get(key))
    for key in ("order", "classes"):
        _need(all(map(_is_scalar, found[key])), f"endpoint, {key}", found[key])
    _need(found.get("unit", "days") in DAYS, "endpoint, unit", found.get("unit"))
    horizon = found.get("horizon")
    _need(horizon is None or (_is_number(horizon) and horizon > 0), "endpoint, horizon", horizon)
    needed = {"survival": ("time", "event"), "early": ("time", "event", "horizon"), "label": ("column",)}
    _need(found.get("kind") in needed, "endpoint, kind", found.get("kind"))
    for key in ("name", *needed[found["kind"]]):
        _need(found.get(key) is not None, f"endpoint, {key}", found.get(key))
    try:
        endpoint = Endpoint(**found)
    except (TypeError, EndpointError) as error:
        raise _Refused(f"the endpoint is not one ({error}).") from None
    _need(endpoint.data_kind == kind, "endpoint, kind", found["kind"])
    return endpoint
