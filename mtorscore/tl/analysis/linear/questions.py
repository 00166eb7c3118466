"""The keywords of contrasts: columns by name or by value, and what fits together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.pp.observation_values import in_order_of
from mtorscore.tl.analysis.linear.designs import Asked

__all__ = ["ask"]

_EFFECTS = ("fixed", "consensus", "mixed")


def ask(
    obs: pd.DataFrame,
    groups: Any = None,
    *,
    treated: Any = None,
    control: Any = None,
    block: Any = None,
    pair: Any = None,
    order: Any = None,
    covariates: Any = None,
    interaction: Any = None,
    interaction_control: Any = None,
    within: Any = None,
    continuous: Any = None,
    block_effect: str = "fixed",
) -> Asked:
    """Return what a contrast's keywords ask for, one value per observation each.

    Parameters
    ----------
    obs
        Observations x columns that keywords may name.
    groups, treated, control, block, pair, order, covariates
        As for `mtorscore.tl.contrast`; so are the next.
    interaction, interaction_control, within, continuous, block_effect
        As for `mtorscore.tl.contrast`.

    Returns
    -------
    Asked
        For `make_design`.

    Raises
    ------
    DataError
        If keywords contradict each other, or a column is absent or too short.
    """
    if block_effect not in _EFFECTS:
        raise DataError(f"block_effect={block_effect!r} is none of {', '.join(_EFFECTS)}.")
    if block_effect != "fixed" and block is None:
        raise DataError(f"block_effect={block_effect!r} needs `block`.")
    labels = None if groups is None else _column(groups, obs, "groups")
    control = _as_there(control, labels)
    if continuous is not None and (order is not None or treated is not None or control is not None):
        raise DataError("`continuous` stands instead of groups; leave `treated`, `control` and `order` out.")
    if continuous is None and labels is None:
        raise DataError(
            "Say what is compared: `groups` with `treated` and `control`, or with `order`, or `continuous`."
        )
    if order is not None and (treated is not None or control is not None):
        raise DataError("`order` names all groups; leave `treated` and `control` out.")
    order = None if order is None else _ordered(order, labels)
    if continuous is None and order is None and control is None:
        there = [] if labels is None else sorted({str(v) for v in labels.dropna()})
        raise DataError(
            f"Name the group that others are compared with in `control` (--reference); there are {examples(there, 8)}."
        )
    if interaction_control is not None and interaction is None:
        raise DataError("`interaction_control` is a value of `interaction`, which is not given.")
    if within is not None and interaction is not None:
        raise DataError(
            "`within` gives the difference in each value, `interaction` what differs between them; ask twice."
        )
    of_block = None if block is None else _column(block, obs, "block")
    predictor = None if continuous is None else _column(continuous, obs, "continuous")
    modifier = None if interaction is None else _column(interaction, obs, "interaction")
    return Asked(
        labels=None if continuous is not None else labels,
        treated=() if labels is None else _treated(treated, control, labels),
        control=control,
        order=order or (),
        predictor=predictor,
        fixed_block=of_block if block_effect == "fixed" else None,
        pair=None if pair is None else _column(pair, obs, "pair"),
        random_block=None if block_effect == "fixed" else of_block,
        covariates=_covariates(covariates, obs),
        modifier=modifier,
        modifier_control=_as_there(interaction_control, modifier),
        within=None if within is None else _factor(within, obs, "within"),
        name=continuous if isinstance(continuous, str) else str(getattr(continuous, "name", None) or "the predictor"),
    )


def _treated(treated: Any, control: Any, labels: pd.Series) -> tuple[Any, ...]:
    if treated is None:
        return tuple(v for v in pd.unique(labels.dropna()) if v != control)
    if isinstance(treated, (list, tuple, set, np.ndarray, pd.Index, pd.Series)):
        return tuple(dict.fromkeys(_as_there(v, labels) for v in treated))
    return (_as_there(treated, labels),)


def _ordered(order: Any, labels: pd.Series | None) -> tuple[Any, ...]:
    """Return the groups of a trend as they are there; say whose observations are in none of them."""
    named = tuple(_as_there(v, labels) for v in order)
    if len(set(named)) < max(2, len(named)):
        raise DataError(f"`order` needs two groups or more, each named once; it is {examples(order, 8)}.")
    if labels is not None:
        other = labels.dropna()
        other = other[~other.isin(named)]
        if len(other):
            warn(
                f"{len(other)} observation(s) are in groups that `order` does not name ({examples(other.unique())}) "
                "and are left out.",
                DataWarning,
            )
    return named


def _column(given: Any, obs: pd.DataFrame, name: str) -> pd.Series:
    if isinstance(given, str):
        if given not in obs:
            raise DataError(f"`{name}` names the column {given!r}, which .obs does not have.")
        given = obs[given]
    values = in_order_of(given, obs.index, name)
    # Blanks around a word are no other word.
    told = [v.strip() if isinstance(v, str) else v for v in values.astype(object)]
    return pd.Series(np.array([*told, None], dtype=object)[:-1], index=obs.index)


def _as_there(value: Any, labels: pd.Series | None) -> Any:
    """Return the label that a value names: a number and its text are one."""
    if labels is None or value is None or (labels == value).any():
        return value
    alike = [v for v in pd.unique(labels.dropna()) if _word(v) == _word(value)]
    return alike[0] if len(alike) == 1 else value


def _word(value: Any) -> str:
    whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
    return str(int(value) if whole else value).strip()


def _factor(given: Any, obs: pd.DataFrame, name: str) -> pd.Series:
    """Return a column with the order of its categories, where it has one."""
    values = _column(given, obs, name)
    source = obs[given] if isinstance(given, str) else given
    dtype = getattr(source, "dtype", None)
    return values.astype(dtype) if isinstance(dtype, pd.CategoricalDtype) else values


def _covariates(given: Any, obs: pd.DataFrame) -> pd.DataFrame:
    if given is None:
        return pd.DataFrame(index=obs.index)
    if isinstance(given, pd.DataFrame):
        if not given.index.equals(obs.index):
            missing = obs.index.difference(given.index)
            if len(missing):
                raise DataError(f"`covariates` lacks {len(missing)} observation(s): {examples(missing)}.")
            given = given.reindex(obs.index)
        return given
    names = [given] if isinstance(given, str) else list(given)
    absent = [c for c in names if c not in obs]
    if absent:
        raise DataError(f"`covariates` names {examples(map(repr, absent))}, which .obs does not have.")
    return obs[names]
