"""The card of a model: text for people, beside what the file holds for machines."""

from __future__ import annotations

from typing import Any

from mtorscore.errors import examples
from mtorscore.prognosis.endpoints.scoring_record import described
from mtorscore.prognosis.models.model_kinds import ModelKind

__all__ = ["card_of"]


def card_of(model: Any, kind: type[ModelKind]) -> str:
    """Return the card of a fitted model: what it is, what it was learned on, what it is not."""
    t = model.training
    names = ", ".join(f"{k} ({v.get('hash', '')})" for k, v in model.signatures.items())
    events = "of other classes than the commonest" if kind.several else "events"
    lines = [
        f"# {model.name}",
        "",
        f"Predicts: {model.endpoint.name} ({model.kind}). {kind.title}",
        f"Trained on {t.get('n', '?')} observations with {t.get('events', '?')} {events}"
        + (f", median follow-up {t['median_follow_up']:g} {model.endpoint.unit}." if "median_follow_up" in t else "."),
        f"Columns: {', '.join(model.columns)}.",
        f"Penalty per event or observation: {model.penalty:g}.",
        f"Signatures: {names or 'none'}.",
        f"Scores: {described(model.scoring)}.",
        f"Digest: {model.digest[:16]}.",
        "",
        "Not validated on other cohorts unless a validation report says so.",
        "Research use; no clinical decision may rest on it.",
    ]
    if "horizon" in t:
        lines.insert(4, f"Horizon: {t['horizon']:g} {model.endpoint.unit}.")
    if kind.several:
        by = " < " if kind.ascending else ", "
        weighted = "; weighted so that each counts the same" if model.endpoint.balanced else ""
        lines.insert(3, f"Classes: {by.join(model.classes)}{weighted}.")
    elif "classes" in t:
        lines.insert(3, f"Positive class: {t['classes'][-1]} (against {examples(t['classes'][:-1])}).")
    if "hazard" in t:
        lines.insert(
            5 if "horizon" in t else 4,
            f"Competing events: {t['competing']}, by subdistribution hazards (Fine and Gray): predicted risks are "
            f"cumulative incidences ({t['incidence']:.3f} by the horizon in the training cohort).",
        )
    if t.get("recalibrated_on"):
        lines.insert(4, f"Recalibrated on {t['recalibrated_on']} observations of another cohort.")
    adequacy = t.get("n_needed")
    if adequacy is not None:
        lines.insert(4, f"Riley's criteria ask for {adequacy} observations.")
    return "\n".join(lines) + "\n"
