"""The registry of scoring methods: finds them, and checks the parameters given to them.

A method is a file in `algorithms/`: a docstring with formula and citation, a pure function on a tile, and a
`MethodSpec`. To add one, write the file and name it in `NAMES`; nothing else in the package knows a method by name.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.errors import MethodError, examples, nearest
from mtorscore.tl.engine.spec import MethodSpec, Param

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NAMES", "check_params", "get", "methods", "specs"]

NAMES: tuple[str, ...] = (
    "mean",
    "zscore",
    "plage",
    "singscore",
    "ssgsea",
    "gsva",
    "ucell",
    "aucell",
    "module_score",
    "ulm",
    "mlm",
    "wmean",
)


def get(name: str) -> MethodSpec:
    """Return the spec of a method; an unknown name is an error that names the nearest ones."""
    if name not in NAMES:
        near = nearest(name, NAMES)
        hint = f"Did you mean {', '.join(near)}?" if near else f"Known methods: {', '.join(NAMES)}."
        raise MethodError(f"No scoring method is called {name!r}. {hint}")
    spec: MethodSpec = importlib.import_module(f"mtorscore.tl.algorithms.{name}").SPEC
    return spec


def specs() -> list[MethodSpec]:
    """Return the specs of all methods."""
    return [get(name) for name in NAMES]


def methods() -> pd.DataFrame:
    """Return one row per scoring method with what it assumes.

    Returns
    -------
    pandas.DataFrame
        Index: the name. Columns: title, whether it is cohort-dependent, signed and weighted, input scale wanted,
        whether sparse input is exact, where p-values come from, range, formula, parameters, reference and citation.
    """
    import pandas as pd

    rows = [
        {
            "name": spec.name,
            "title": spec.title,
            "cohort_dependent": spec.cohort_dependent,
            "cohort_options": ", ".join(spec.cohort_options),
            "signed": spec.signed,
            "weighted": spec.weighted,
            "input_scale": spec.input_scale,
            "sparse_exact": spec.sparse_exact,
            "pvalues": spec.null,
            "range": spec.range,
            "formula": spec.formula,
            "params": ", ".join(f"{p.name}={p.default!r}" for p in spec.params),
            "reference": spec.reference,
            "citation": spec.citation,
        }
        for spec in specs()
    ]
    return pd.DataFrame(rows).set_index("name")


def check_params(spec: MethodSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the method's parameters with defaults filled in.

    Parameters
    ----------
    spec
        The method.
    given
        Parameters by name.

    Raises
    ------
    MethodError
        If a name is unknown or a value is not allowed.
    """
    known = {p.name: p for p in spec.params}
    unknown = [name for name in given if name not in known]
    if unknown:
        near = nearest(unknown[0], known, 1)
        hint = f" Did you mean {near[0]}?" if near else f" It knows: {', '.join(known) or 'none'}."
        raise MethodError(f"{spec.name} has no parameter {examples(repr(u) for u in unknown)}.{hint}")
    return spec.defaults() | {name: _check_value(spec, known[name], value) for name, value in given.items()}


def _check_value(spec: MethodSpec, param: Param, value: Any) -> Any:
    where = f"{spec.name}: {param.name}={value!r}"
    if value is None:
        if param.optional:
            return None
        raise MethodError(f"{where} is not allowed; the default is {param.default!r}.")
    if param.kind == "choice":
        if value not in param.choices:
            allowed = ", ".join(repr(c) for c in param.choices)
            raise MethodError(f"{where} is not allowed; choose one of {allowed}.")
        return value
    if param.kind == "bool":
        if not isinstance(value, bool) and str(type(value).__name__) != "bool_":
            raise MethodError(f"{where} must be True or False.")
        return bool(value)
    if param.kind == "genes":
        genes = list(dict.fromkeys([value] if isinstance(value, str) else [str(g) for g in value]))
        if not genes:
            raise MethodError(f"{where} names no gene.")
        return genes
    return _check_number(where, param, value)


def _check_number(where: str, param: Param, value: Any) -> float | int:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise MethodError(f"{where} must be a number.") from error
    whole = param.kind == "int" or (param.kind == "number" and not isinstance(value, float | np.floating))
    if isinstance(value, bool) or not math.isfinite(number) or (whole and number != int(number)):
        raise MethodError(f"{where} must be {'a whole number' if param.kind == 'int' else 'a number'}.")
    if param.kind == "number" and not whole and number > 1:
        raise MethodError(f"{where} is a share above 1; give a whole number for a count.")
    below = param.low is not None and (number < param.low or (param.open_low and number == param.low))
    if below or (param.high is not None and number > param.high):
        low = "-inf" if param.low is None else f"{param.low:g}"
        high = "inf" if param.high is None else f"{param.high:g}"
        raise MethodError(f"{where} is outside {'(' if param.open_low else '['}{low}, {high}].")
    return int(number) if whole else number
