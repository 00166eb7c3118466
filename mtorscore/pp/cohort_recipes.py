"""Cohort recipes: readable YAML files that say which files make a cohort and what their fields mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from mtorscore._outcome_terms import DAYS
from mtorscore.errors import ConfigError, DataError, examples, nearest
from mtorscore.pp.scale import UNITS

__all__ = ["Recipe", "load_recipe", "recipes"]

STATUS = ("verified", "labels", "unverified")
ORGANISMS = ("human", "mouse")
ORIENTATIONS = ("genes-in-rows", "samples-in-rows")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a cohort is put together.

    Attributes
    ----------
    id, title, cancer, organism
        Name; one line; ``hcc``, ``cca`` or ``hb``; ``human`` or ``mouse``.
    status
        ``verified`` (read and checked on the real files), ``labels`` (clinical labels only), ``unverified`` (written
        from the publication: every named field must be found at the first reading, or the recipe is refused).
    expression
        ``file`` (a file or folder, relative to the data folder, else to the recipe), ``units``, ``ids``,
        ``orientation``, ``tx2gene`` (a file) and further ``options`` of `mtorscore.read`; absent for labels only.
    clinical
        Tables in the order in which they are joined: ``file``, and ``sheet``, ``key``, ``where`` (column -> value),
        ``on`` (column of the observations to join on), ``columns`` (those that are taken; all by default).
    group
        ``column``, ``tumour``, ``normal``: where sample names do not tell. Without the latter two, every value is a
        group of its own: ``reference`` or ``order``; also ``leave_out``, ``pair``, ``block``, ``covariates``,
        ``interaction``, ``interaction_reference``.
    patient
        Column that names the patient, where sample names do not.
    endpoints
        Name -> ``time``, ``event``, ``unit``, ``event_values``, ``censored_values``, and ``competing``, a column that
        is 1 where a competing event ended follow-up (any death beside death of the disease), or whose
        ``competing_values`` mean it.
    labels
        Name -> ``column``, ``positive``, ``negative``: outcomes without a time.
    fields
        Standard name (stage_raw, age, sex, grade, histology, ...) -> column.
    aetiology
        Cause of the cancer, such as ``HBV`` -> ``column`` and ``holds``: the words that say yes; a tumour of which the
        column says something else is a no. Beside alterations and classes each is a control.
    histology
        Rule name -> regular expression that leaves a tumour out by default; absent for the general rules.
    cells
        Present where observations are single cells: ``sample`` and ``cell_type`` (columns), ``embedding`` (key of
        ``obsm``), ``min_genes`` (cells that show fewer are left out; 200 by default).
    genes
        ``duplicates`` rule and other options of `harmonise_genes`; ``platform`` and ``mapping`` are files, and
        ``platform_columns`` the platform's columns of probes and symbols.
    alterations
        ``files`` (any that `mtorscore.io.read_alterations` takes), and where those need it ``profiled`` (a case list),
        ``panels``, and ``columns`` (gene -> column, of a table whose columns have other names).
    proteins
        Table of observations x antibodies on a log scale: the protein layer of the branches.
    classes
        Schemes of classes that tumours are called by, see `mtorscore.tl.classify`.
    optional
        Files that may be absent: what they would tell is left out, with a warning.
    source, terms, notes
        Provenance in words.
    """

    id: str
    title: str = ""
    cancer: str = ""
    organism: str = "human"
    status: str = "unverified"
    accession: str = ""
    expression: Mapping[str, Any] = field(default_factory=dict)
    clinical: tuple[Mapping[str, Any], ...] = ()
    group: Mapping[str, Any] | None = None
    patient: str | None = None
    endpoints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    aetiology: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    histology: Mapping[str, str] | None = None
    genes: Mapping[str, Any] = field(default_factory=dict)
    cells: Mapping[str, Any] | None = None
    alterations: Mapping[str, Any] = field(default_factory=dict)
    proteins: str | None = None
    classes: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    source: str = ""
    terms: str = ""
    notes: str = ""
    path: str = field(default="", compare=False)


_ALLOWED = {
    "expression": {"file", "units", "kind", "ids", "orientation", "tx2gene", "normalise", "options"},
    "clinical": {"file", "sheet", "key", "where", "on", "columns"},
    "endpoints": {"time", "event", "unit", "event_values", "censored_values", "competing", "competing_values"},
    "group": {
        *("column", "tumour", "normal", "recurrent", "reference", "order", "leave_out", "pair", "block", "covariates"),
        *("interaction", "interaction_reference"),
    },
    "labels": {"column", "positive", "negative", "classes", "order"},
    "genes": {"duplicates", "unmapped", "several", "ids", "target", "platform", "platform_columns", "mapping"},
    "cells": {"sample", "cell_type", "embedding", "min_genes"},
    "alterations": {"files", "profiled", "panels", "columns"},
    "aetiology": {"column", "holds"},
}


def recipes() -> list[str]:
    """Return the ids of the cohort recipes that ship with mtorscore."""
    folder = resources.files("mtorscore.workflows").joinpath("cohorts")
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))


def load_recipe(recipe: str | Path | Recipe) -> Recipe:
    """Load a cohort recipe.

    Parameters
    ----------
    recipe
        Id of a shipped recipe (``"tcga-lihc"``), or a path to a YAML file; a Recipe is returned as it is.

    Returns
    -------
    Recipe
        Checked: no unknown key, units known.

    Raises
    ------
    ConfigError
        If there is no such recipe, or it is not valid; the key is named.
    """
    if isinstance(recipe, Recipe):
        return recipe
    text, where = _text(recipe)
    import yaml

    from mtorscore._bounded_yaml import safe_load

    try:
        raw = safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not valid YAML ({' '.join(str(error).split())}).") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{where}: a recipe is a mapping with at least `id` and `expression`.")
    return _checked(raw, where)


def _text(recipe: str | Path) -> tuple[str, str]:
    path = Path(recipe)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ConfigError(f"there is no recipe file {path}.")
        return path.read_text(), str(path)
    known = recipes()
    if str(recipe) not in known:
        near = nearest(recipe, known)
        hint = f" Did you mean {', '.join(near)}?" if near else f" Known: {', '.join(known)}."
        raise ConfigError(f"no cohort recipe is called {str(recipe)!r}.{hint}")
    file = resources.files("mtorscore.workflows").joinpath("cohorts", f"{recipe}.yaml")
    return file.read_text(), f"{recipe}.yaml"


def _checked(raw: dict[str, Any], where: str) -> Recipe:
    known = set(Recipe.__dataclass_fields__) - {"path"}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise ConfigError(f"{where}: unknown key(s) {examples(unknown)}; known: {', '.join(sorted(known))}.")
    if not raw.get("id"):
        raise ConfigError(f"{where}: `id` is missing.")
    if raw.get("status", "unverified") not in STATUS:
        raise ConfigError(f"{where}: status must be one of {', '.join(STATUS)}, not {raw['status']!r}.")
    clinical = raw.get("clinical") or []
    raw["clinical"] = tuple([clinical] if isinstance(clinical, dict) else clinical)
    sections: list[tuple[str, Any]] = [
        (k, raw.get(k) or {}) for k in ("expression", "group", "genes", "cells", "alterations")
    ]
    sections += [("clinical", c) for c in raw["clinical"]]
    sections += [("aetiology", e) for e in (raw.get("aetiology") or {}).values()]
    sections += [("labels", e) for e in (raw.get("labels") or {}).values()]
    sections += [("endpoints", e) for e in (raw.get("endpoints") or {}).values()]
    for name, section in sections:
        if not isinstance(section, dict):
            raise ConfigError(f"{where}: `{name}` must hold keys and values, not {section!r}.")
        strange = sorted(set(section) - _ALLOWED[name])
        if strange:
            raise ConfigError(
                f"{where}: unknown key(s) {examples(strange)} in `{name}`; known: {', '.join(sorted(_ALLOWED[name]))}."
            )
    for name, label in (raw.get("labels") or {}).items():
        said = [k for k in ("positive", "classes", "order") if label.get(k)]
        if "column" not in label or len(said) != 1 or bool(label.get("positive")) != bool(label.get("negative")):
            raise ConfigError(
                f"{where}: label {name} needs `column`, and either `positive` and `negative`, or `classes` (the "
                "reference first), or `order` (ascending)."
            )
    for name, cause in (raw.get("aetiology") or {}).items():
        if not (cause.get("column") and cause.get("holds")):
            raise ConfigError(f"{where}: aetiology {name} needs `column`, and `holds`, the words that say yes.")
    _check_words(raw, where)
    _check_alterations(raw, where)
    for name, endpoint in (raw.get("endpoints") or {}).items():
        if not {"time", "event"} <= set(endpoint):
            raise ConfigError(f"{where}: endpoint {name} needs `time` and `event`.")
        if endpoint.get("unit", "days") not in DAYS:
            raise ConfigError(f"{where}: endpoint {name}: unit must be one of {', '.join(DAYS)}.")
    return Recipe(**{k: v for k, v in raw.items() if v is not None}, path=where)


def _check_alterations(raw: dict[str, Any], where: str) -> None:
    """Refuse alterations without files; one file or scheme may stand for a list of one."""
    section = raw.get("alterations") or {}
    for name in ("files", "panels"):
        if name in section:
            section[name] = [section[name]] if isinstance(section[name], str) else list(section[name] or ())
    if section and not section.get("files"):
        raise ConfigError(f"{where}: `alterations` needs `files`, such as [data_mutations.txt, data_cna.txt].")
    classes = raw.get("classes") or ()
    raw["classes"] = (classes,) if isinstance(classes, str) else tuple(map(str, classes))
    optional = raw.get("optional") or ()
    raw["optional"] = (optional,) if isinstance(optional, str) else tuple(map(str, optional))


def _check_words(raw: Mapping[str, Any], where: str) -> None:
    """Refuse an organism, units, an orientation or platform columns that cannot be, where the recipe says them."""
    if raw.get("organism", "human") not in ORGANISMS:
        raise ConfigError(f"{where}: organism is {raw['organism']!r}; there are {' and '.join(ORGANISMS)}.")
    expression, genes = raw.get("expression") or {}, raw.get("genes") or {}
    if expression.get("units") is not None and expression["units"] not in UNITS:
        raise DataError(f"{where}: unknown units {expression['units']!r}; known: {', '.join(UNITS)}.")
    if expression.get("orientation") is not None and expression["orientation"] not in ORIENTATIONS:
        raise ConfigError(
            f"{where}: orientation is {expression['orientation']!r}; there are {' and '.join(ORIENTATIONS)}."
        )
    columns = genes.get("platform_columns")
    if columns is not None and not (isinstance(columns, list) and len(columns) == 2):
        raise ConfigError(
            f"{where}: platform_columns is a list of two, the columns of probes and symbols: [ID, SYMBOL]."
        )
