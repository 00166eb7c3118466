"""Whether a frozen model and the endpoint at hand speak of one outcome: kind, unit, horizon, positive class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mtorscore.errors import EndpointError, examples
from mtorscore.prognosis.endpoints.endpoints import Endpoint
from mtorscore.prognosis.endpoints.labels import LabelData
from mtorscore.prognosis.endpoints.outcome_data import OutcomeData
from mtorscore.prognosis.models.fitted import FittedModel
from mtorscore.prognosis.models.model_kinds import KINDS

__all__ = ["as_the_model", "classes_by_name", "competing_notes", "same_classes", "same_outcome"]


def same_outcome(fitted: FittedModel, endpoint: Endpoint) -> list[str]:
    """Refuse an endpoint of another kind, unit or horizon than the model's; note another name.

    Raises
    ------
    EndpointError
        If the model does not predict this endpoint.
    """
    own = fitted.endpoint
    if endpoint.data_kind != fitted.kind:
        raise EndpointError(f"Model {fitted.name} predicts a {fitted.kind} endpoint, {endpoint.name} is none.")
    if KINDS[fitted.kind].has_survival and endpoint.unit != own.unit:
        raise EndpointError(
            f"Model {fitted.name} counts time in {own.unit}, this endpoint in {endpoint.unit}; convert."
        )
    if endpoint.entry is not None:
        raise EndpointError(
            f"Endpoint {endpoint.name} has entry times, which the metrics of prediction do not know; leave `entry` out."
        )
    there, here = own.within_days, endpoint.within_days
    if (there is None) != (here is None):
        return [f"the model was fitted on {own.name}, an endpoint of another kind than {endpoint.name}"]
    if there is not None and here is not None and abs(there - here) > 1e-6 * there:
        raise EndpointError(
            f"Model {fitted.name} predicts an event within {own.horizon:g} {own.unit}, and {endpoint.name} is one "
            f"within {endpoint.horizon:g} {endpoint.unit}; validate it on its own horizon, or fit another."
        )
    if endpoint.name != own.name:
        return [f"the model was fitted on {own.name}, and is validated on {endpoint.name}"]
    return []


def competing_notes(fitted: FittedModel, data: OutcomeData) -> tuple[str, ...]:
    """Say how competing events counted in the validation of a survival model, and where the model counted otherwise."""
    notes = []
    if data.n_competing:
        notes.append(
            f"{data.n_competing} competing event(s): observed risks are cumulative incidences (Aalen-Johansen), the "
            "slope is that of the subdistribution hazard; in the AUC, the Brier score and wolbers_c they stand for no "
            "event, in harrell_c and uno_c they count as censored"
        )
    if data.n_competing and not fitted.predicts_incidence:
        notes.append("the model was fitted without competing events: its risks are those of a world without them")
    if fitted.predicts_incidence and not data.n_competing:
        notes.append(
            f"the model predicts the cumulative incidence beside competing events, and {data.name} holds none: name "
            "them (competing=) where they happened"
        )
    return tuple(notes)


def as_the_model(fitted: FittedModel, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with the classes of a model of several, where it declares none itself."""
    kind = KINDS[fitted.kind]
    return endpoint.as_read(fitted.classes, kind.ascending) if kind.several else endpoint


def classes_by_name(fitted: FittedModel, data: LabelData) -> tuple[LabelData, list[str]]:
    """Return a label of several classes with the codes of the model, and notes.

    Raises
    ------
    EndpointError
        If a class occurs that the model does not know, or ordered ones are declared in another order.
    """
    known, here = fitted.classes, data.classes
    strange = [f"{c} ({n})" for c, n in zip(here, data.counts, strict=True) if n and c not in known]
    if strange:
        raise EndpointError(
            f"Endpoint {data.name} holds {examples(strange)}, which model {fitted.name} does not know; its classes are "
            f"{', '.join(known)}. Rename the values, or leave them out of the declared classes."
        )
    shared = [c for c in here if c in known]
    if data.ordered and shared != [c for c in known if c in here]:
        raise EndpointError(
            f"Endpoint {data.name} declares the order {' < '.join(shared)}, and model {fitted.name} was fitted on "
            f"{' < '.join(known)}; declare the same."
        )
    place = np.array([known.index(c) if c in known else -1 for c in here], dtype=np.int64)
    again = replace(data, y=place[data.y], classes=known, balanced=fitted.endpoint.balanced)
    absent = [c for c, n in zip(known, again.counts, strict=True) if not n]
    return again, [f"nobody is of class {examples(absent)}: metrics of it are not defined"] if absent else []


def same_classes(fitted: FittedModel, endpoint: Endpoint, data: OutcomeData) -> list[str]:
    """Refuse another positive class than the model's; note another name of the other class.

    Raises
    ------
    EndpointError
        If the positive class of the endpoint is not the one that the model predicts, or there are not two classes.
    """
    known, here = list(fitted.training.get("classes", ())), list(data.classes)
    # The classes of an early endpoint are named after its horizon, which `same_outcome` compares.
    if len(known) != 2 or not data.n or endpoint.column is None:
        return []
    if len(here) != 2:
        raise EndpointError(
            f"Endpoint {data.name} has {len(here)} classes ({examples(here, 5)}), and model {fitted.name} predicts "
            f"{known[1]} against {known[0]}; keep these two."
        )
    if fitted.endpoint.column is None:
        return [f"the model predicts {known[1]}, and is validated on {here[1]}"]
    if here[1] != known[1]:
        raise EndpointError(
            f"Model {fitted.name} predicts {known[1]} (against {known[0]}), and the positive class of {data.name} is "
            f"{here[1]}; name the same class (positive={known[1]!r}), and rename the values where they are called "
            "otherwise."
        )
    notes = []
    if data.n_events == data.n:
        notes.append(f"every observation is {here[1]}: what compares two classes is not defined")
    if here[0] != known[0] and here[0] != f"not {here[1]}":
        notes.append(f"the class beside {known[1]} was {known[0]} in training and is {here[0]} here")
    return notes
