"""Labels: what is read from a clinical table, and the declaration of more than two classes."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import EndpointError, examples
from mtorscore.prognosis.endpoints.coding import name_of
from mtorscore.prognosis.statistics.kaplan_meier import inverse_weights

__all__ = ["LabelData", "check_declared", "class_weights", "declare", "named_classes", "undeclared"]


@dataclass(frozen=True, eq=False)
class LabelData:
    """A label endpoint read from a clinical table.

    Attributes
    ----------
    index
        Observations that count; length ``n``.
    y
        ``(n,)`` int codes into `classes`.
    classes
        Class names; for a binary label the last is the positive one, for an ordinal one they ascend, and of several
        unordered ones the first is the reference.
    ordered
        Whether the order of `classes` means something.
    weights
        ``(n,)`` weights; 1 but for derived endpoints, where they are inverse probabilities of being uncensored.
    follow_up
        Time, event (of any kind) and horizon that a derived label comes from; None otherwise.
    declared
        Whether the classes were named, which more than two must be.
    balanced
        Whether models weight the classes so that each counts the same.
    """

    name: str
    index: pd.Index
    y: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    ordered: bool
    weights: npt.NDArray[np.float64]
    excluded: pd.DataFrame
    follow_up: tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], float] | None = None
    declared: bool = False
    balanced: bool = False

    @property
    def n(self) -> int:
        """Number of observations."""
        return len(self.y)

    @property
    def many(self) -> bool:
        """Whether it has more than two classes, declared as ordered or not."""
        return len(self.classes) > 2 and self.declared

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """``(K,)`` observations of each class."""
        return np.bincount(self.y, minlength=len(self.classes))

    @property
    def positive(self) -> str:
        """Name of the positive class of a binary label; empty for others."""
        return self.classes[-1] if len(self.classes) == 2 and not self.ordered else ""

    @property
    def horizon(self) -> float:
        """Horizon of a derived label; NaN otherwise."""
        return math.nan if self.follow_up is None else self.follow_up[2]

    @property
    def longest(self) -> float:
        """Longest follow-up of a derived label; NaN otherwise."""
        return math.nan if self.follow_up is None or not self.n else float(self.follow_up[0].max())

    def weights_within(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Weights of some observations as if there were no others: what a model may learn from them."""
        if self.follow_up is None:
            own: npt.NDArray[np.float64] = self.weights[rows]
            return own
        time, event, horizon = self.follow_up
        return inverse_weights(time[rows], event[rows], horizon)

    @property
    def n_competing(self) -> int:
        """Number of competing events by the horizon of a derived label; 0 otherwise."""
        if self.follow_up is None:
            return 0
        time, event, horizon = self.follow_up
        return int((event & (time <= horizon) & (self.y == 0)).sum())

    @property
    def n_events(self) -> int:
        """Size of the positive class; of several classes, all but the commonest."""
        if self.many:
            return int(self.n - self.counts.max(initial=0))
        return int((self.y == len(self.classes) - 1).sum())

    def against(self, k: int) -> LabelData:
        """Return class `k` against all others, as a label of two classes."""
        names, y = (f"not {self.classes[k]}", self.classes[k]), (self.y == k).astype(np.int64)
        return replace(self, y=y, classes=names, ordered=False, declared=False, balanced=False)

    def take(self, keep: npt.NDArray[Any]) -> LabelData:
        """Return the observations at positions, or under a mask, `keep`."""
        source = None if self.follow_up is None else (*(v[keep] for v in self.follow_up[:2]), self.follow_up[2])
        return replace(self, index=self.index[keep], y=self.y[keep], weights=self.weights[keep], follow_up=source)


def check_declared(
    column: str, positive: Hashable | None, order: Sequence[Hashable], classes: Sequence[Hashable], balanced: bool
) -> None:
    """Refuse a declaration of classes that contradicts itself.

    Raises
    ------
    EndpointError
        If a label is declared both ordered and unordered, a class is named twice or a single one, or `positive` or
        `balanced` does not go with the rest.
    """
    said = list(classes or order)
    if order and classes:
        raise EndpointError(f"Label {column!r}: name its classes once: order= where they ascend, classes= where not.")
    if isinstance(order, str) or isinstance(classes, str):
        raise EndpointError(f"Label {column!r}: name its classes as a list, such as ['S1', 'S2', 'S3'].")
    names = [name_of(c) for c in said]
    if said and (len(set(names)) < len(names) or len(names) < 2):
        raise EndpointError(f"Label {column!r}: two classes or more, each named once, are needed; not {names}.")
    if said and positive is not None:
        raise EndpointError(f"Label {column!r}: positive= is for labels of two classes without order= or classes=.")
    if balanced and len(said) < 3:
        raise EndpointError(f"Label {column!r}: balanced= is for labels of three classes or more; name them.")


def declare(column: pd.Series, order: Sequence[Hashable], classes: Sequence[Hashable]) -> tuple[tuple[str, ...], bool]:
    """Return the names of the declared classes, and whether they ascend; none where nothing is declared.

    A categorical column that declares an order of three levels or more is an ordered label.
    """
    if order or classes:
        return tuple(name_of(c) for c in order or classes), bool(order)
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) and dtype.ordered and len(dtype.categories) > 2:
        return tuple(name_of(c) for c in dtype.categories), True
    return (), False


def named_classes(column: pd.Series, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the place of each value among the names of the classes; -1 for values that are none, or missing."""
    place = {name: i for i, name in enumerate(names)}
    codes = [-1 if missing else place.get(name_of(v), -1) for v, missing in zip(column, column.isna(), strict=True)]
    return np.array(codes, dtype=np.int64)


def undeclared(name: str, column: object, classes: Sequence[str]) -> str:
    """Return the message on a label of several classes of which nothing is declared."""
    return (
        f"Endpoint {name} has {len(classes)} classes ({examples(classes, 5)}), and whether they are ordered is "
        f"not said. Name them, Endpoint.label({column!r}, classes=[reference, ...]) or order=[lowest, ..., highest] "
        "(--classes or --order on the command line), or keep two."
    )


def class_weights(y: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """``(n,)`` weights by which every class that occurs counts the same; they sum to n."""
    counts = np.bincount(y)
    weights: npt.NDArray[np.float64] = len(y) / ((counts > 0).sum() * counts[y])
    return weights
