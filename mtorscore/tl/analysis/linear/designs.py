"""Designs without formulas: which columns a contrast tests, which it allows for, and who takes part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.io.tables.cell_text import are_measurements, twins

__all__ = ["Asked", "Design", "Term", "make_design"]

_Float = npt.NDArray[np.float64]
_Bool = npt.NDArray[np.bool_]
_Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """What was asked, one value per observation each.

    Attributes
    ----------
    labels
        Groups, or None.
    treated, control, order
        Values of `labels`.
    predictor
        Continuous predictor, or None.
    fixed_block, pair, random_block
        Blocks, or None.
    covariates
        Observations x covariates.
    modifier, modifier_control
        What the effect may depend on (interaction), or None; its value that the others are compared with, or None.
    within
        The effect is estimated in each of its values, or None.
    name
        Of the predictor and the modifier, for the label of the contrast.
    """

    labels: pd.Series | None
    treated: tuple[Any, ...]
    control: Any
    order: tuple[Any, ...]
    predictor: pd.Series | None
    fixed_block: pd.Series | None
    pair: pd.Series | None
    random_block: pd.Series | None
    covariates: pd.DataFrame
    modifier: pd.Series | None
    modifier_control: Any = None
    within: pd.Series | None = None
    name: str = "the predictor"


@dataclass(frozen=True)
class Term:
    """One contrast.

    Attributes
    ----------
    label
        In words.
    x
        The column whose coefficient is the difference.
    others
        Columns tested by other contrasts, or main effects of an interaction or of a factor within which one tests.
    treated, control
        Who is compared, where two groups are.
    """

    label: str
    x: _Float
    others: _Float
    treated: _Bool | None = None
    control: _Bool | None = None


@dataclass(frozen=True)
class Design:
    """Terms and what they allow for, of the observations that take part.

    Attributes
    ----------
    rows
        Of the observations that take part, within all.
    terms
        Contrasts.
    fixed
        Intercept, covariates, indicator columns of blocks and pairs.
    base
        Columns of the groups or the predictor, by which a block is informative.
    strata
        Fixed block or pair of each observation; 0 for all without.
    block
        Random block of each observation, or None.
    exact
        Whether values of the tested column may be permuted within strata.
    pairs
        Whether every stratum holds one observation of each of two groups.
    """

    rows: npt.NDArray[np.int64]
    terms: tuple[Term, ...]
    fixed: _Float
    base: _Float
    strata: _Codes
    block: _Codes | None
    exact: bool
    pairs: bool = field(default=False)

    @property
    def n_blocks(self) -> int:
        """Blocks or pairs; 1 without."""
        return len(np.unique(self.strata if self.block is None else self.block))

    def part(self, chosen: _Bool) -> Design:
        """Return the design of some of its observations; blocks that tell nothing any more are left out."""
        chosen = chosen.copy()
        chosen[chosen] = _informative(self.base[chosen], self.strata[chosen])
        terms = tuple(_term_part(t, chosen) for t in self.terms)
        strata = np.unique(self.strata[chosen], return_inverse=True)[1].astype(np.int64)
        block = None if self.block is None else np.unique(self.block[chosen], return_inverse=True)[1].astype(np.int64)
        return replace(
            self, rows=self.rows[chosen], terms=terms, fixed=self.fixed[chosen], base=self.base[chosen],
            strata=strata, block=block, pairs=_are_pairs(terms, strata),
        )  # fmt: skip


def _term_part(term: Term, chosen: _Bool) -> Term:
    return Term(
        term.label,
        term.x[chosen],
        term.others[chosen],
        None if term.treated is None else term.treated[chosen],
        None if term.control is None else term.control[chosen],
    )


def make_design(asked: Asked) -> Design:
    """Turn what was asked into columns.

    Parameters
    ----------
    asked
        Values per observation.

    Returns
    -------
    Design
        Of the observations that take part.

    Raises
    ------
    DataError
        If a group is absent, a block holds nothing to compare, or a predictor is not numeric.
    """
    taking_part = _in_groups(asked) & _complete(asked)
    rows = np.flatnonzero(taking_part)
    if not len(rows):
        raise DataError("No observation has all that the design asks for (groups, covariates, blocks); look at them.")
    terms, base = _terms(asked, rows)
    strata, columns, exact = _fixed(asked, rows)
    block = None if asked.random_block is None else _codes(asked.random_block, rows)
    design = Design(rows, terms, columns, base, strata, block, exact, _are_pairs(terms, strata))
    informative = _informative(base, strata)
    if not informative.any():
        raise DataError("No block holds both groups, so group and block cannot be told apart; leave `block` out.")
    if not informative.all():
        _say_left_out(asked, rows, informative)
    return design.part(np.ones(len(rows), dtype=bool))


def _say_left_out(asked: Asked, rows: npt.NDArray[np.int64], informative: _Bool) -> None:
    shared = asked.pair if asked.pair is not None else asked.fixed_block
    if shared is None:
        return
    lost, n = pd.unique(shared.iloc[rows[~informative]]), len(pd.unique(shared.iloc[rows]))
    what = "pairs are not complete" if asked.pair is not None else "blocks hold one group only"
    samples = "" if asked.pair is not None else f", with {int((~informative).sum())} observation(s)"
    warn(f"{len(lost)} of {n} {what} ({examples(lost)}) and are left out{samples}.", DataWarning)


def _in_groups(asked: Asked) -> _Bool:
    if asked.labels is None:
        return np.ones(len(asked.covariates), dtype=bool)
    wanted = asked.order or (asked.control, *asked.treated)
    masks = [(asked.labels == v).to_numpy(dtype=bool) for v in wanted]
    there = {str(v) for v in asked.labels.dropna()}
    for value, mask in zip(wanted, masks, strict=True):
        if not mask.any():
            raise DataError(f"No observation is in group {value!r}; there are {examples(sorted(there), 8)}.")
        twin = twins([str(value), *sorted(there - {str(value)})])
        if twin and str(value) in twin:
            raise DataError(
                f"Groups {twin[0]!r} and {twin[1]!r} differ in capitals or blanks only, and would be two groups; write "
                "them alike."
            )
    out: _Bool = np.any(masks, axis=0)
    return out


def _complete(asked: Asked) -> _Bool:
    parts = {"the predictor": asked.predictor, "block": asked.fixed_block, "pair": asked.pair}
    parts |= {"block ": asked.random_block, "value of the interaction's factor": asked.modifier}
    parts |= {"value of the factor of `within`": asked.within}
    parts |= {str(c): asked.covariates[c] for c in asked.covariates}
    complete = np.ones(len(asked.covariates), dtype=bool)
    inside = _in_groups(asked)
    for name, values in parts.items():
        if values is not None:
            missing = values.isna().to_numpy(dtype=bool)
            if (missing & inside).any():
                warn(f"{int((missing & inside).sum())} observation(s) have no {name} and are left out.", DataWarning)
            complete &= ~missing
    return complete


def _terms(asked: Asked, rows: npt.NDArray[np.int64]) -> tuple[tuple[Term, ...], _Float]:
    none = np.empty((len(rows), 0))
    if asked.predictor is not None:
        x = _numbers(asked.predictor.iloc[rows], "continuous")
        main = [Term(f"per unit of {asked.name}", x, none)]
    elif asked.order:
        values = asked.labels.iloc[rows] if asked.labels is not None else pd.Series(dtype=object)
        x = np.array([asked.order.index(v) for v in values], dtype=np.float64)
        main = [Term(f"per step of {' < '.join(map(str, asked.order))}", x, none)]
    else:
        main = _group_terms(asked, rows)
    base = np.column_stack([t.x for t in main])
    if np.ptp(base, axis=0).max() == 0:
        raise DataError("The groups or the predictor are the same for all observations that take part.")
    if asked.within is not None:
        return _within(main, asked.within.iloc[rows]), base
    if asked.modifier is not None:
        return _interactions(main, asked.modifier.iloc[rows], asked.modifier_control), base
    return tuple(main), base


def _group_terms(asked: Asked, rows: npt.NDArray[np.int64]) -> list[Term]:
    labels = asked.labels.iloc[rows] if asked.labels is not None else pd.Series(dtype=object)
    control = (labels == asked.control).to_numpy(dtype=bool)
    masks = [(labels == v).to_numpy(dtype=bool) for v in asked.treated]
    out = []
    for i, value in enumerate(asked.treated):
        others = [m.astype(np.float64) for j, m in enumerate(masks) if j != i]
        columns = np.column_stack(others) if others else np.empty((len(rows), 0))
        out.append(Term(f"{value} - {asked.control}", masks[i].astype(np.float64), columns, masks[i], control))
    return out


def _interactions(main: Sequence[Term], modifier: pd.Series, control: Any) -> tuple[Term, ...]:
    if control is None and pd.api.types.is_numeric_dtype(modifier.infer_objects()):
        levels, columns = ["per unit of it"], _numbers(modifier, "interaction")[:, None]
    else:
        known = _levels(modifier, control)
        levels = [f"{v} - {known[0]}" for v in known[1:]]
        columns = np.column_stack([(modifier == v).to_numpy(dtype=np.float64) for v in known[1:]])
    asked = [(term, i) for term in main for i in range(len(levels))]
    products = np.column_stack([term.x * columns[:, i] for term, i in asked])
    mains = np.column_stack([t.x for t in main])
    return tuple(
        Term(
            f"({term.label}): {levels[i]}",
            products[:, k],
            np.column_stack([mains, columns, np.delete(products, k, axis=1)]),
        )
        for k, (term, i) in enumerate(asked)
    )


def _within(main: Sequence[Term], factor: pd.Series) -> tuple[Term, ...]:
    """Return the effect in each value of a factor: one model with a mean for each value."""
    known = _levels(factor, None)
    inside = [(factor == v).to_numpy(dtype=bool) for v in known]
    columns = np.column_stack([m.astype(np.float64) for m in inside[1:]])
    asked = [(term, k) for k in range(len(known)) for term in main]
    products = np.column_stack([term.x * inside[k] for term, k in asked])
    out = []
    for j, (term, k) in enumerate(asked):
        others = np.column_stack([columns, np.delete(products, j, axis=1)])
        who = [None if mask is None else mask & inside[k] for mask in (term.treated, term.control)]
        out.append(Term(f"{term.label} in {known[k]}", products[:, j], others, *who))
    return tuple(out)


def _levels(modifier: pd.Series, control: Any) -> list[Any]:
    """Return the values of a factor, first the one that the others are compared with."""
    known = list(pd.unique(modifier))
    if isinstance(modifier.dtype, pd.CategoricalDtype):
        known = [v for v in modifier.cat.categories if v in set(known)]
    elif all(isinstance(v, str) for v in known):
        known = sorted(known)
    if len(known) < 2:
        raise DataError(f"The factor of the interaction, or of `within`, has one value ({known[0]}); it needs two.")
    if control is None:
        return known
    if control not in known:
        raise DataError(
            f"No observation that takes part has {control!r} in the interaction's factor; there are "
            f"{examples(map(str, known), 8)}. Mend `interaction_control` (--interaction-reference)."
        )
    return [control, *(v for v in known if v != control)]


def _numbers(values: pd.Series, name: str) -> _Float:
    found = pd.to_numeric(values, errors="coerce")
    wrong = values[found.isna()]
    if len(wrong):
        raise DataError(f"`{name}` must be numeric; {len(wrong)} values are not ({examples(wrong)}).")
    out: _Float = found.to_numpy(dtype=np.float64)
    return out


def _fixed(asked: Asked, rows: npt.NDArray[np.int64]) -> tuple[_Codes, _Float, bool]:
    columns = [np.ones((len(rows), 1))]
    strata = np.zeros(len(rows), dtype=np.int64)
    # A trend within a factor's value is 0 elsewhere: its values do not change places with those.
    whole = asked.within is None or (asked.predictor is None and not asked.order)
    exact = asked.covariates.empty and asked.modifier is None and whole
    for name in asked.covariates:
        columns.append(_covariate(asked.covariates[name].iloc[rows]))
    outer = asked.fixed_block
    if outer is not None:
        strata = _codes(outer, rows)
        columns.append(_indicators(strata))
    if asked.pair is not None:
        pairs = _codes(asked.pair, rows)
        # A block that differs within pairs is a covariate of the pairs' comparison.
        exact &= all(len(np.unique(strata[pairs == p])) == 1 for p in np.unique(pairs))
        strata = pairs
        columns.append(_indicators(pairs))
    return strata, np.column_stack(columns), exact


def _covariate(values: pd.Series) -> _Float:
    values = values.infer_objects()
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.to_numpy(dtype=np.float64)
        if not np.isfinite(numbers).all():
            bad = values.index[~np.isfinite(numbers)]
            raise DataError(
                f"The covariate {values.name!r} holds {len(bad)} infinite value(s) ({examples(bad)}); set them to "
                "missing."
            )
        return np.ascontiguousarray((numbers - numbers.mean())[:, None])
    texts = [str(v) for v in pd.unique(values)]
    if are_measurements(texts):
        raise DataError(
            f"The covariate {values.name!r} holds numbers written as text ({examples(map(repr, texts))}), of which "
            "each would be a level of its own; write plain numbers with decimal points, without signs and units."
        )
    twin = twins(texts)
    if twin:
        raise DataError(
            f"The covariate {values.name!r} holds levels that differ in capitals or blanks only ({twin[0]!r}, "
            f"{twin[1]!r}), and would be counted as different ones; write them alike."
        )
    return _indicators(_codes(values, np.arange(len(values))))


def _indicators(codes: _Codes) -> _Float:
    """Return a column per value but the first, as R codes a factor beside an intercept."""
    out: _Float = (codes[:, None] == np.unique(codes)[None, 1:]).astype(np.float64)
    return out


def _codes(values: pd.Series, rows: npt.NDArray[np.int64]) -> _Codes:
    some = values.iloc[rows]
    text = all(isinstance(v, str) for v in some)
    out: _Codes = pd.factorize(some, sort=text)[0].astype(np.int64)
    return out


def _informative(base: _Float, strata: _Codes) -> _Bool:
    """Say which observations stand in a stratum within which the groups or the predictor differ."""
    if not len(np.unique(strata)) > 1:
        return np.ones(len(strata), dtype=bool)
    varying = [s for s in np.unique(strata) if np.ptp(base[strata == s], axis=0).max() > 0]
    return np.isin(strata, varying)


def _are_pairs(terms: Sequence[Term], strata: _Codes) -> bool:
    if len(terms) != 1 or terms[0].treated is None or len(strata) == 0:
        return False
    return bool((np.bincount(strata) == 2).all() and (np.bincount(strata, weights=terms[0].x) == 1).all())
