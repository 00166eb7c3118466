"""What an option is called at the door where the user stands: in Python, on the command line, in a recipe.

A sentence that says how to declare something asks `option` for the name, so that nobody is told of a Python argument
on the command line. Python is the default; the command line and the recipes say that they are the door.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

__all__ = ["COMMAND_LINE", "DOOR", "PYTHON", "RECIPE", "at_door", "door", "option"]

DOOR = "MTORSCORE_DOOR"
"""Environment variable by which the steps of a run know the door of the command that started them."""
PYTHON, COMMAND_LINE, RECIPE = "python", "command", "recipe"


class _Names(NamedTuple):
    python: str
    command: str
    recipe: str


_NAMES = {
    "orientation": _Names("orientation=", "--orientation", "orientation (under expression)"),
    "ids": _Names("ids=", "--ids", "ids (under expression)"),
    "units": _Names("units=", "--units", "units (under expression)"),
    "scale": _Names("scale=", "--units", "units (under expression)"),
    "organism": _Names("organism=", "--organism", "organism"),
    "platform": _Names("platform= of harmonise_genes", "--platform", "platform (under genes)"),
    "platform_columns": _Names("platform_columns=", "--platform-columns", "platform_columns (under genes)"),
    "mapping": _Names("mapping= of harmonise_genes", "--mapping", "mapping (under genes)"),
    "tx2gene": _Names("tx2gene=", "--tx2gene", "tx2gene (under expression)"),
    "modality": _Names("modality=", "--modality", "modality (under expression.options)"),
    "genome": _Names("genome=", "--genome", "genome (under expression.options)"),
    "prefix": _Names("prefix=", "--prefix", "prefix (under expression.options)"),
    "start_again": _Names("resume=False", "--start-again", "the folder deleted"),
    "memory": _Names("memory=", "--memory", "memory"),
    "event_value": _Names("event_value=", "--event-value", "event_values (of the endpoint)"),
    "unit": _Names("unit=", "--unit", "unit (of the endpoint)"),
    "group": _Names("group=", "--group", "group.column"),
    "tumour": _Names('group={"tumour": [...]}', "--tumour", "group.tumour"),
    "normal": _Names('group={"normal": [...]}', "--normal", "group.normal"),
    "reference": _Names('group={"reference": ...}', "--reference", "group.reference"),
    "order": _Names('group={"order": [...]}', "--order", "group.order"),
    "leave_out": _Names('group={"leave_out": [...]}', "--leave-out", "group.leave_out"),
    "pair": _Names('group={"pair": ...}', "--pair", "group.pair"),
    "block": _Names('group={"block": ...}', "--block", "group.block"),
    "interaction": _Names('group={"interaction": ...}', "--interaction", "group.interaction"),
    "interaction_reference": _Names(
        'group={"interaction_reference": ...}', "--interaction-reference", "group.interaction_reference"
    ),
    "covariates": _Names('group={"covariates": [...]}', "--covariates", "group.covariates"),
    "harmonise": _Names("pp.harmonise_genes(adata)", "--harmonise", "harmonise_genes"),
    "log": _Names('pp.add_log_layer(adata), then layer="log"', "--log", "normalise (under expression)"),
}
_state = {"door": ""}


def door() -> str:
    """Return where the user stands: ``"python"``, ``"command"`` or ``"recipe"``."""
    return _state["door"] or os.environ.get(DOOR, "") or PYTHON


@contextmanager
def at_door(name: str, *, unless: str = "") -> Iterator[None]:
    """Say, for as long as the block lasts, where the user stands.

    Parameters
    ----------
    name
        ``"python"``, ``"command"`` or ``"recipe"``.
    unless
        A door that stays the door: a recipe that the command line wrote is none that the user knows.
    """
    before = _state["door"]
    if not unless or door() != unless:
        _state["door"] = name
    try:
        yield
    finally:
        _state["door"] = before


def option(name: str, value: str = "") -> str:
    """Return how an option is written at the door of the user.

    Parameters
    ----------
    name
        Such as ``"orientation"``.
    value
        What to give, such as ``"genes-in-rows"``.

    Returns
    -------
    str
        ``orientation='genes-in-rows'``, ``--orientation genes-in-rows`` or ``orientation: genes-in-rows (under
        expression)``.
    """
    names, here = _NAMES[name], door()
    if here == COMMAND_LINE:
        quoted = f"'{value}'" if " " in value else value
        return f"{names.command} {quoted}".strip()
    if here == RECIPE:
        head, blank, where = names.recipe.partition(" (")
        return (f"{head}: {value}" if value else f"{head}:") + (f" ({where}" if blank else "") + " in the recipe"
    head, equals, rest = names.python.partition("=")
    if "..." in rest:
        return names.python
    return f"{head}={value!r}{rest}" if value and equals else names.python
