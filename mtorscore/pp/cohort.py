"""From a cohort recipe and a data folder to one analysis-ready AnnData."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore._doors import COMMAND_LINE, RECIPE, at_door, option
from mtorscore._outcome_terms import DAYS, event_codes, is_unsaid, word_of
from mtorscore.errors import ConfigError, DataError, DataWarning, EndpointError, examples, warn
from mtorscore.io.clinical import read_clinical
from mtorscore.io.portals.clinical_columns import standardise
from mtorscore.io.reading import read
from mtorscore.io.tables import file_bytes
from mtorscore.pp.clinical import attach_clinical, warn_follow_up
from mtorscore.pp.cohort_recipes import Recipe, load_recipe
from mtorscore.pp.identifiers import harmonise_genes
from mtorscore.pp.odd_values import check_codes, check_one_scale
from mtorscore.pp.patients import resolve_patients
from mtorscore.pp.scale import LINEAR, UNITS, Scale, check_signs, check_values, detect_scale, library_sizes, normalise

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["add_log_layer", "alteration_files", "prepare_cohort", "read_cohort", "recipe_files", "state_units"]

_LIBRARY_SIZE = "library_size"


def recipe_files(recipe: str | Path | Recipe, data: str | Path | None) -> list[Path]:
    """Return the files that a recipe reads from a data folder, expression (and platform) first; all must be there.

    Raises
    ------
    ConfigError
        If no folder is given, or a file is missing from it.
    """
    chosen = load_recipe(recipe)
    files = _Files.of(chosen, data)
    return [f for f in (files.expression, *files.helpers.values(), *files.clinical) if f is not None]


def alteration_files(recipe: str | Path | Recipe, data: str | Path | None) -> dict[str, list[Path]]:
    """Return the files of a recipe's alterations, of who was profiled, of panels and of proteins, by these names.

    Raises
    ------
    ConfigError
        If no folder is given, or a file is missing from it.
    """
    helpers = _Files.of(load_recipe(recipe), data).helpers
    return {
        name: [f for key, f in helpers.items() if key.partition(":")[0] == name]
        for name in ("files", "profiled", "panels", "proteins")
    }


@dataclass(frozen=True)
class _Files:
    """The files of a cohort: the matrix, the tables that name its genes, the clinical tables."""

    expression: Path | None
    helpers: Mapping[str, Path]
    clinical: tuple[Path, ...]
    tables: tuple[Mapping[str, Any], ...]
    absent: tuple[str, ...]

    @classmethod
    def of(cls, recipe: Recipe, data: str | Path | None) -> _Files:
        """Find them, below the data folder or beside the recipe."""
        places = _places(recipe, data)
        helpers = {
            "platform": recipe.genes.get("platform"),
            "mapping": recipe.genes.get("mapping"),
            "tx2gene": recipe.expression.get("tx2gene"),
            "proteins": recipe.proteins,
            "profiled": recipe.alterations.get("profiled"),
        }
        for name in ("files", "panels"):
            helpers |= {f"{name}:{i}": f for i, f in enumerate(recipe.alterations.get(name, ()))}
        file = recipe.expression.get("file")
        absent = tuple(f for f in recipe.optional if not _there(places, f))
        tables = tuple(c for c in recipe.clinical if c.get("file") and c["file"] not in absent)
        return cls(
            _find(places, str(file), recipe) if file else None,
            {name: _find(places, str(f), recipe) for name, f in helpers.items() if f and f not in absent},
            tuple(_find(places, str(c["file"]), recipe) for c in tables),
            tables,
            absent,
        )


def _places(recipe: Recipe, data: str | Path | None) -> list[Path]:
    """Return the folders in which a recipe's files are looked for: the data folder, then the recipe's own."""
    if data is not None and not Path(data).is_dir():
        raise ConfigError(f"the data folder {data} is not there; cohort {recipe.id} needs it.")
    own = Path(recipe.path)
    places = [] if data is None else [Path(data)]
    places += [own.parent] if own.is_file() else []
    if not places:
        raise ConfigError(f"cohort {recipe.id} is read from raw files; say where they are (a data folder).")
    return places


def _there(places: Sequence[Path], name: str) -> Path | None:
    # A cohort's own folder may be handed over instead of the folder above it.
    return next((c for folder in places for c in (folder / name, folder / Path(name).name) if c.exists()), None)


def _find(places: Sequence[Path], name: str, recipe: Recipe) -> Path:
    found = _there(places, name)
    if found is not None:
        return found
    where = " or ".join(dict.fromkeys(str(folder) for folder in places))
    raise ConfigError(
        f"cohort {recipe.id} needs {name}, and it is not in {where}. Give the folder that holds {Path(name).parts[0]}/."
    )


def prepare_cohort(
    recipe: str | Path | Recipe, data: str | Path | None, *, histology: str | Mapping[str, str] = "default"
) -> AnnData:
    """Read a cohort as its recipe says: expression, genes, clinical tables, samples to patients.

    Parameters
    ----------
    recipe
        Id, path or Recipe (`load_recipe`).
    data
        The folder that the recipe's files are relative to.
    histology
        ``"default"`` leaves out what the recipe (or the general rule) names, ``"all"`` nobody.

    Returns
    -------
    anndata.AnnData
        Kept samples x current HGNC symbols. ``X`` as published, ``layers["log"]`` log2(x + 1) (of CPM for counts; as
        published where that is logarithmic). ``obs``: sample_type, patient, in_outcome, the clinical columns, the
        endpoints (``OS`` 1/0, ``OS.time`` in days, ...), stage, stage_number, stage_raw, age, sex. ``uns``: source,
        scale, normalised, genes, exclusions, flow, clinical, recipe.

    Raises
    ------
    ConfigError
        If a file is missing, or a field that the recipe names is not there.
    FormatError, DataError
        If a file cannot be read, its values contradict the declared units, or no sample matches.
    """
    chosen = load_recipe(recipe)
    rules = chosen.histology if histology == "default" and chosen.histology is not None else histology
    with at_door(RECIPE, unless=COMMAND_LINE):
        adata = read_cohort(chosen, data)
        _add_endpoints(adata, chosen)
        _add_labels(adata, chosen)
        resolve_patients(adata, histology=rules, group=chosen.group, patient=chosen.patient)
        if adata.n_vars:
            add_log_layer(adata, method=chosen.expression.get("normalise"))
    adata.uns["recipe"] |= {
        "histology": histology if isinstance(histology, str) else "custom",
        "endpoints": list(chosen.endpoints),
        "labels": list(chosen.labels),
    }
    return adata


def read_cohort(recipe: str | Path | Recipe, data: str | Path | None) -> AnnData:
    """Read a cohort's expression, current gene symbols and clinical columns; every observation stays.

    Parameters
    ----------
    recipe
        Id, path or Recipe (`load_recipe`).
    data
        The folder that the recipe's files are relative to.

    Returns
    -------
    anndata.AnnData
        Observations x genes, ``X`` as published; ``uns``: source, scale, genes, clinical, recipe.

    Raises
    ------
    ConfigError, FormatError, DataError
        See `prepare_cohort`.
    """
    chosen = load_recipe(recipe)
    with at_door(RECIPE, unless=COMMAND_LINE):
        return _read_cohort(chosen, _Files.of(chosen, data))


def _read_cohort(chosen: Recipe, files: _Files) -> AnnData:
    adata, tables = _expression(chosen, files) if files.expression else _labels_only(chosen, files)
    if files.absent:
        warn(
            f"cohort {chosen.id}: {examples(files.absent)} is not there, and what it tells is left out.",
            DataWarning,
        )
    clinical_sources = {}
    for path, table in tables:
        attach_clinical(adata, _clinical(path, table), on=table.get("on"))
        clinical_sources[path.name] = file_bytes.sha256(path)
    _add_fields(adata, chosen)
    _add_aetiology(adata, chosen)
    adata.uns["source"]["clinical"] = clinical_sources
    adata.uns["source"]["accession"] = chosen.accession
    adata.uns["recipe"] = {
        "id": chosen.id,
        "title": chosen.title,
        "cancer": chosen.cancer,
        "status": chosen.status,
        "source": chosen.source,
        "terms": chosen.terms,
    }
    return adata


_Tables = list[tuple[Path, Mapping[str, Any]]]


def _expression(recipe: Recipe, files: _Files) -> tuple[AnnData, _Tables]:
    """Read the matrix and name its genes; return it with the clinical tables to join."""
    expression = recipe.expression
    asked: dict[str, Any] = {
        name: str(expression[name]) for name in ("kind", "ids", "orientation") if expression.get(name)
    }
    options = dict(expression.get("options") or {})
    if "tx2gene" in files.helpers:
        options["tx2gene"] = files.helpers["tx2gene"]
    adata = read(str(files.expression), **asked, **options)
    if not adata.n_vars or not adata.n_obs:
        raise DataError(f"{files.expression} holds no expression matrix ({adata.uns['source'].get('evidence', '')}).")
    state_units(adata, str(expression.get("units") or ""))
    named = {name: files.helpers[name] for name in ("platform", "mapping") if name in files.helpers}
    harmonise_genes(adata, recipe.organism, **(dict(recipe.genes) | named))
    return adata, list(zip(files.clinical, files.tables, strict=True))


def _labels_only(recipe: Recipe, files: _Files) -> tuple[AnnData, _Tables]:
    """Turn the first clinical table of a cohort without expression into observations."""
    from anndata import AnnData

    if not recipe.clinical:
        raise ConfigError(f"cohort {recipe.id} names neither an expression file nor a clinical table.")
    first = files.clinical[0]
    frame = _clinical(first, files.tables[0])
    frame = frame[[c for c in frame.columns if frame[c].notna().any()]].set_axis([str(n) for n in frame.index])
    adata = AnnData(X=np.zeros((len(frame), 0), dtype=np.float32), obs=frame)
    adata.uns["source"] = {
        "file": first.name,
        "kind": "clinical",
        "sha256": file_bytes.sha256(first),
        "units": "",
    }
    return adata, list(zip(files.clinical[1:], files.tables[1:], strict=True))


def _add_labels(adata: AnnData, recipe: Recipe) -> None:
    for name, rule in recipe.labels.items():
        column = rule["column"]
        if column not in adata.obs:
            raise ConfigError(
                f"{recipe.id}: label {name} names {column!r}, and there is no such column; there are "
                f"{examples(adata.obs.columns, 40)}. Correct the recipe."
            )
        classes = [str(c) for c in rule.get("order") or rule.get("classes") or ()]
        if classes:
            adata.obs[name] = _classes(adata.obs[column], classes, ordered=bool(rule.get("order")))
            continue
        values = {"event": column, "event_values": rule["positive"], "censored_values": rule["negative"]}
        adata.obs[name] = _events(adata.obs[column], values, name, recipe)


def _classes(column: pd.Series, classes: list[str], *, ordered: bool) -> pd.Categorical:
    """Return the classes of a label by name; other values are missing."""
    import pandas as pd

    texts = column.astype(object).where(column.notna(), None)
    names = [None if v is None else str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in texts]
    return pd.Categorical([n if n in classes else None for n in names], categories=classes, ordered=ordered)


def state_units(adata: AnnData, declared: str = "") -> None:
    """Write into ``uns`` what the values of a matrix as it was read are, as declared or detected.

    Sums of counts are kept in ``obs["library_size"]`` (where that name is free), before genes are collapsed.

    Parameters
    ----------
    adata
        Observations x genes, changed in place.
    declared
        One of `UNITS`; checked against the values.

    Raises
    ------
    DataError
        If the values contradict what is declared, or are negative where everything else says counts.

    Warns
    -----
    DataWarning
        If nothing is declared and the scale is a guess.
    """
    scale = detect_scale(adata)
    if declared:
        check_values(adata, declared)
    else:
        check_signs(adata)
        _doubt(scale)
    adata.uns["source"]["units"] = declared or scale.kind
    adata.uns["scale"] = scale.as_dict() | {"declared": declared}
    if adata.uns["source"]["units"] == "counts" and _LIBRARY_SIZE not in adata.obs:
        adata.obs[_LIBRARY_SIZE] = library_sizes(adata.X)
        adata.uns["source"]["library_size"] = _LIBRARY_SIZE


def _doubt(scale: Scale, argument: str = "units") -> None:
    """Warn of a scale that is a guess."""
    if not scale.certain:
        warn(
            f"the values look like {scale.kind} ({scale.evidence[-1]}), which is a guess; declare what they are: "
            f"{option(argument, scale.kind)}, or another of {', '.join(UNITS)}.",
            DataWarning,
        )


def _clinical(path: Path, table: Mapping[str, Any]) -> pd.DataFrame:
    where = table.get("where") or {}
    wanted = {str(k): [str(x) for x in (v if isinstance(v, list) else [v])] for k, v in where.items()}
    frame = read_clinical(path, key=table.get("key"), sheet=table.get("sheet"), where=wanted)
    columns = list(table.get("columns") or frame.columns)
    lacking = [c for c in columns if c not in frame]
    if lacking:
        raise ConfigError(
            f"{path.name} has no column {examples(lacking)}, which the recipe names; there are "
            f"{examples(frame.columns, 40)}. Correct the recipe."
        )
    return frame[columns]


def _add_aetiology(adata: AnnData, recipe: Recipe) -> None:
    """Write what caused the cancer, as yes and no, missing where nothing is said."""
    for name, rule in recipe.aetiology.items():
        if rule["column"] not in adata.obs:
            if recipe.optional:
                continue
            raise ConfigError(
                f"{recipe.id}: aetiology {name} names column {rule['column']!r}, and there is none; there are "
                f"{examples(adata.obs.columns, 40)}. Correct the recipe."
            )
        said = adata.obs[rule["column"]].astype(object)
        known = said.notna() & ~said.map(is_unsaid)
        holds = said.astype(str).str.contains(str(rule["holds"]), case=False, regex=False)
        adata.obs[name] = pd.Series(np.where(holds, "yes", "no"), adata.obs_names, dtype=object).where(known, None)


def _add_fields(adata: AnnData, recipe: Recipe) -> None:
    missing = [f"{k}: {v}" for k, v in recipe.fields.items() if v not in adata.obs]
    if missing:
        raise ConfigError(
            f"{recipe.id}: {len(missing)} field(s) that the recipe names are not there ({examples(missing)}); there "
            f"are {examples(adata.obs.columns, 40)}. Correct the recipe."
        )
    for standard, column in recipe.fields.items():
        adata.obs[standard] = adata.obs[column]
    adata.obs = standardise(adata.obs)


def _add_endpoints(adata: AnnData, recipe: Recipe) -> None:
    for name, rule in recipe.endpoints.items():
        named = [rule[k] for k in ("time", "event", "competing") if k in rule]
        missing = [c for c in named if c not in adata.obs]
        if missing:
            raise ConfigError(
                f"{recipe.id}: endpoint {name} names {examples(missing)}, and there is no such column; there are "
                f"{examples(adata.obs.columns, 40)}. Correct the recipe."
            )
        time = pd.to_numeric(adata.obs[rule["time"]], errors="coerce") * DAYS[rule.get("unit", "days")]
        event = _events(adata.obs[rule["event"]], rule, name, recipe)
        if "competing" in rule:
            other: dict[str, Any] = {"event": rule["competing"]}
            if "competing_values" in rule:
                none = [*rule.get("event_values", [1]), *rule.get("censored_values", [0])]
                other |= {"event_values": rule["competing_values"], "censored_values": none}
            # Before the event's own column is replaced: the codes may stand in that one.
            adata.obs[f"{name}.competing"] = _events(adata.obs[rule["competing"]], other, name, recipe)
        adata.obs[name] = event
        adata.obs[f"{name}.time"] = time.astype(np.float64)
        warn_follow_up(time, name, str(rule["time"]), str(rule.get("unit", "days")))
    # An endpoint that the recipe does not name is none of this cohort's endpoints, whatever its columns are called.
    if recipe.endpoints:
        stray = [c for c in adata.obs if f"{c}.time" in adata.obs and c not in recipe.endpoints]
        gone = [c for s in stray for c in (s, f"{s}.time", f"{s}.competing") if c in adata.obs]
        adata.obs = adata.obs.drop(columns=gone)


def _events(values: pd.Series, rule: Mapping[str, Any], name: str, recipe: Recipe) -> pd.Series:
    if not {"event_values", "censored_values"} & set(rule):
        codes, unread = event_codes(values, endpoint=name)
        if unread:
            raise EndpointError(
                f"{recipe.id}: {rule['event']!r} of endpoint {name} holds {examples(dict.fromkeys(unread))}, which may "
                "mean anything. Say in the recipe what means the event (event_values) and what its absence "
                "(censored_values)."
            )
        return pd.Series(codes, index=values.index, name=values.name)
    event = {word_of(v) for v in rule.get("event_values", [1])}
    censored = {word_of(v) for v in rule.get("censored_values", [0])}
    known = values.notna() & ~values.map(lambda v: is_unsaid(v) and word_of(v) not in event | censored)
    strange = sorted({word_of(v) for v in values[known]} - event - censored)
    if strange:
        raise EndpointError(
            f"{recipe.id}: {rule['event']!r} of endpoint {name} holds {examples(strange)}, which the recipe does not "
            f"explain (events: {examples(sorted(event))}; censored: {examples(sorted(censored))})."
        )
    return values.where(known).map(lambda v: float(word_of(v) in event), na_action="ignore").astype(np.float64)


def add_log_layer(adata: AnnData, scale: str | None = None, *, method: str | None = None) -> AnnData:
    """Write ``layers["log"]``: log2(CPM + 1) of counts, log2(x + 1) of other linear values, logarithms as they are.

    Parameters
    ----------
    adata
        Observations x genes; changed and returned.
    scale
        One of the kinds of `Scale`, checked against the values; None takes ``uns["source"]["units"]`` or detects it.
    method
        A method of `normalise` instead of the rule above.

    Counts per million are of the library as it was read, where that is known (``uns["source"]["library_size"]`` names
    its column of ``obs``), not of the genes that were kept of it.

    Returns
    -------
    anndata.AnnData
        The same object; ``uns["normalised"]["log"]`` says what was done, ``uns["scale"]`` what ``X`` is.
    """
    if scale is not None:
        check_values(adata, scale)
    check_codes(adata)
    check_one_scale(adata)
    units = scale or adata.uns.get("source", {}).get("units") or detect_scale(adata).kind
    if "scale" not in adata.uns:
        found = detect_scale(adata)
        adata.uns["scale"] = found.as_dict() | {"declared": scale or ""}
        if not scale and not adata.uns.get("source", {}).get("units") and not found.certain:
            _doubt(found, "scale")
    chosen = method or ("log2_cpm" if units == "counts" else ("log2" if units in LINEAR else "none"))
    known = adata.uns.get("source", {}).get("library_size")
    known = known if chosen == "log2_cpm" and known in adata.obs else None
    return normalise(adata, chosen, key_added="log", library_size=known)
