"""The single-step commands: from a user's own tables to scores and associations."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from mtorscore._doors import option
from mtorscore._outcome_terms import word_of
from mtorscore.errors import ConfigError, DataError, DataWarning, EndpointError, MtorscoreError, examples, warn
from mtorscore.io.portals.event_column import events_of, is_code

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection

__all__ = [
    "GeneNames",
    "Reading",
    "call_classes",
    "check_overlap",
    "events_of",
    "is_code",
    "log_layer",
    "named_rows",
    "read_clinical_table",
    "read_expression",
    "relate_label",
    "relate_survival",
    "scores_table",
]


@dataclass(frozen=True)
class GeneNames:
    """Whose genes a matrix holds and which tables name them; see `mtorscore.pp.harmonise_genes`."""

    organism: str = "human"
    platform: Path | None = None
    platform_columns: tuple[str, ...] | None = None
    mapping: Path | None = None

    def options(self) -> dict[str, Any]:
        """Return what was said of tables, as keyword arguments."""
        return {k: v for k, v in asdict(self).items() if k != "organism" and v is not None}


@dataclass(frozen=True)
class Reading:
    """What was said of a matrix for `mtorscore.read`, its units, and whether logarithms are made of it (of a layer)."""

    orientation: str | None = None
    ids: str | None = None
    units: str | None = None
    tx2gene: Path | None = None
    log: bool = False
    modality: str | None = None
    layer: str | None = None
    genome: str | None = None
    prefix: str | None = None

    def options(self) -> dict[str, Any]:
        """Return what was said for `mtorscore.read`, as keyword arguments."""
        return {k: v for k, v in asdict(self).items() if k not in ("units", "log", "layer") and v is not None}


def read_expression(
    source: Path | IO[bytes],
    *,
    harmonise: bool,
    names: GeneNames | None = None,
    reading: Reading | None = None,
) -> AnnData:
    """Read an expression matrix and, where asked, bring its genes to current symbols.

    Parameters
    ----------
    source
        A path in any supported format, or an open binary stream of a table, compressed or not.
    harmonise
        Map identifiers to current symbols; wanted with the shipped library, whose symbols are current, and not with
        gene lists that use the matrix's own identifiers.
    names, reading
        How genes are named and the file is read, where that was said.

    Returns
    -------
    anndata.AnnData
        Observations x genes, values as published.

    Raises
    ------
    DataError
        If the file is missing or its values cannot be expression.
    FormatError
        If it is not what its format promises.
    """
    from mtorscore import io, pp
    from mtorscore.pp.cohort import state_units
    from mtorscore.pp.odd_values import check_codes
    from mtorscore.pp.scale import warn_calls

    names, reading = names or GeneNames(), reading or Reading()
    if names.options() and not harmonise:
        raise ConfigError("A platform or a mapping names genes by current symbols: add --harmonise.")
    if isinstance(source, Path):
        adata = io.read(source, **reading.options())
    else:
        adata = _read_stream(source, reading.options())
    _check_samples(adata)
    if reading.log and reading.layer is not None:
        if reading.layer not in adata.layers:
            raise DataError(
                f"There is no layer {reading.layer!r}; there are {examples(filter(None, adata.layers)) or 'none'}."
            )
        adata.X = adata.layers[reading.layer]
    if adata.n_vars and adata.n_obs:
        check_codes(adata)
    if adata.n_vars and (reading.units or reading.log):
        state_units(adata, reading.units or "")
    else:
        pp.check_signs(adata)
        warn_calls(adata)
    _warn_of_repairs(adata, harmonise)
    if harmonise:
        harmonised = pp.harmonise_genes(adata, names.organism, **names.options())
        adata = adata if harmonised is None else harmonised
    return adata


def log_layer(adata: AnnData) -> str:
    """Add the layer of logarithms that a run scores, and say what it is of which values.

    Parameters
    ----------
    adata
        Observations x genes.

    Returns
    -------
    str
        Such as ``"log2_cpm of counts"``.
    """
    from mtorscore import pp

    pp.add_log_layer(adata)
    made = adata.uns["normalised"]["log"]
    words = {"log2_cpm": "log2(CPM + 1)", "log2": "log2(x + 1)", "none": "the values as they are"}
    return f"{words.get(made['method'], made['method'])} ({made['input_scale']})"


def _read_stream(source: IO[bytes], options: dict[str, Any]) -> AnnData:
    """Read standard input through a temporary file, which error messages do not name."""
    from mtorscore import io

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "standard-input.tsv"
        with path.open("wb") as kept:
            shutil.copyfileobj(source, kept)
        try:
            return io.read(path, **options)
        except MtorscoreError as error:
            raise DataError(str(error).replace(str(path), "standard input")) from error


def _check_samples(adata: AnnData) -> None:
    """Refuse a table of genes whose further columns hold no numbers, so that no sample is left.

    Parameters
    ----------
    adata
        What was read.

    Raises
    ------
    DataError
        With the first value of each column.
    """
    if adata.n_obs or not adata.n_vars:
        return
    first = {str(c): str(adata.var[c].iloc[0]) for c in adata.var}
    words = [f"{name}: {value}" for name, value in first.items() if value != str(adata.var_names[0])]
    raise DataError(
        f"{adata.uns.get('source', {}).get('file', 'The file')} has {adata.n_vars} gene(s) and no column of numbers "
        f"({examples(words) or 'no further column'}), so there is no sample to score. Give genes x samples, or samples "
        "x genes, with numbers in the cells."
    )


def check_overlap(adata: AnnData, signatures: SignatureCollection) -> None:
    """Refuse a matrix that holds no gene of any signature.

    Parameters
    ----------
    adata
        Observations x genes.
    signatures
        What is to be scored.

    Raises
    ------
    DataError
        If nothing overlaps, with examples of both sides.
    """
    source = adata.uns.get("source", {})
    file = source.get("file", "The file")
    if not adata.n_vars:
        raise DataError(
            f"{file} holds no expression matrix ({source.get('evidence', '')}). Give genes x samples, or samples x "
            "genes."
        )
    genes = {g for s in signatures.signatures for g in s.genes}
    if genes and not genes & set(adata.var_names):
        raise DataError(
            f"None of the {len(genes)} genes of {len(signatures.signatures)} signature(s) ({examples(sorted(genes))}) "
            f"is among the {adata.n_vars} genes of the matrix ({examples(adata.var_names)}). "
            f"Check that both use the same identifiers; {option('harmonise')} turns others into current symbols."
        )


def scores_table(adata: AnnData, methods: Sequence[str]) -> pd.DataFrame:
    """Collect scores into one table to be written.

    Parameters
    ----------
    adata
        Scored observations.
    methods
        Names of the methods.

    Returns
    -------
    pandas.DataFrame
        Column ``observation``, with several methods column ``method``, then one column per signature.
    """
    import pandas as pd

    parts = []
    for method in methods:
        part = adata.obsm[f"score_{method}"].copy()
        if len(methods) > 1:
            part.insert(0, "method", method)
        part.insert(0, "observation", adata.obs_names)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def read_clinical_table(path: Path) -> pd.DataFrame:
    """Read a table whose first column names the observation.

    Parameters
    ----------
    path
        Text with any delimiter, compressed or not, or a workbook.

    Returns
    -------
    pandas.DataFrame
        Indexed by observation, as text.

    Raises
    ------
    DataError
        If the file is missing or names an observation twice.
    FormatError
        If it is empty, cut off, or not a table.
    """
    table = named_rows(path)
    twice = table.index[table.index.duplicated()].unique()
    if len(twice):
        raise DataError(f"{path}: {len(twice)} observation(s) are duplicated ({examples(twice)}); keep one row each.")
    return table


def call_classes(
    source: Path | IO[bytes],
    scheme: str,
    *,
    reject: float,
    reading: Mapping[str, Any],
    options: Mapping[str, Any],
) -> pd.DataFrame:
    """Read a matrix and call its classes; see `mtorscore.tl.classify`.

    Parameters
    ----------
    source
        A path in any supported format, or an open binary stream of a table.
    scheme
        A scheme's id, its YAML file, or the file of a model of classes.
    reject
        Of a model: calls of a smaller probability are rejected.
    reading
        ``organism``, ``orientation``, ``ids`` and ``units`` of the matrix, where they were said.
    options
        Of `mtorscore.tl.classify`.

    Returns
    -------
    pandas.DataFrame
        One row per observation, with a column `observation`.
    """
    from mtorscore import prognosis, tl
    from mtorscore.pp import detect_scale

    rest: dict[str, Any] = {k: reading.get(k) for k in ("orientation", "ids", "units")}
    names = GeneNames(str(reading.get("organism") or "human"))
    adata = read_expression(source, harmonise=True, names=names, reading=Reading(**rest))
    scale = detect_scale(adata)
    layer = None
    if scale.log == "none" and scale.kind in ("counts", "tpm", "rsem", "fpkm", "linear"):
        log_layer(adata)
        layer = "log"
    path = Path(scheme)
    if path.is_file() and zipfile.is_zipfile(path):
        model = prognosis.load_model(path)
        if layer is not None:
            adata.X = adata.layers[layer]
        table = model.classify(adata, reject=reject)
    else:
        table = tl.classify(adata, scheme, layer=layer, **options)
    return table.rename_axis("observation").reset_index()


def relate_survival(
    scores: pd.DataFrame,
    clinical: pd.DataFrame,
    *,
    time: str,
    event: str,
    unit: str,
    adjust: Sequence[str] = (),
    event_value: str | None = None,
    competing: str | None = None,
) -> pd.DataFrame:
    """Fit Cox models of every score; see `mtorscore.prognosis.associate`.

    Parameters
    ----------
    scores, clinical
        Tables with the same index.
    time, event, unit
        Columns of the endpoint and the unit of its times; events are 1 and 0, or words such as Dead and Alive.
    adjust
        Clinical columns to adjust for, one at a time.
    event_value
        The value of `event` that means the event, as text; every other one means none.
    competing
        Column that is 1 where a competing event ended follow-up, or the value of `event` that means it.

    Returns
    -------
    pandas.DataFrame
        One row per signature and model.
    """
    from mtorscore import prognosis
    from mtorscore.prognosis.endpoints.coding import names_in

    if is_code(competing, clinical, event):
        clinical, competing, event_value = _with_competing(clinical, event, competing, event_value)
    coded = [c for c in (event if event_value is None else None, competing) if c is not None and c in clinical]
    clinical = clinical.assign(**{c: events_of(clinical[c], "The clinical table") for c in coded})
    if event_value is not None and event in clinical:
        clinical = clinical.assign(**{event: names_in(clinical[event])})
    endpoint = prognosis.Endpoint.survival(time, event, unit, competing=competing, event_value=event_value)
    return prognosis.associate(scores, clinical, endpoint, adjust=tuple(adjust))


def _with_competing(
    clinical: pd.DataFrame, event: str, code: object, event_value: str | None
) -> tuple[pd.DataFrame, str, str | None]:
    """Return the table with a column of competing events made of a value of the event column."""
    column = clinical[event]
    words = column.map(word_of, na_action="ignore")
    name = f"{event} = {code}"
    happened = (words == word_of(code)).astype(float).where(column.notna())
    if event_value is None:
        column = events_of(column, "The clinical table", code)
    return clinical.assign(**{event: column, name: happened}), name, event_value


def relate_label(
    scores: pd.DataFrame,
    clinical: pd.DataFrame,
    label: str,
    *,
    positive: str | None = None,
    classes: Sequence[str] = (),
    order: Sequence[str] = (),
    balanced: bool = False,
    baseline: Sequence[str] = (),
    patients: pd.Series | None = None,
) -> pd.DataFrame:
    """Cross-validate a classifier of a label on all scores; see `mtorscore.prognosis.evaluate`.

    Parameters
    ----------
    scores, clinical
        Tables with the same index.
    label
        Column of a label.
    positive
        The class that is predicted; a label of 0 and 1 needs none.
    classes, order, balanced
        Classes of a label of more than two, unordered or ascending, and whether each counts the same; see
        `mtorscore.prognosis.Endpoint.label`.
    baseline
        Clinical columns of the model to compare with.
    patients
        Whose sample each observation is, where patients have several; they stay together in the folds.

    Returns
    -------
    pandas.DataFrame
        One row per model and metric.
    """
    from mtorscore import prognosis

    if label not in clinical:
        raise EndpointError(f"The clinical table has no column {label!r}; it has {examples(clinical.columns, 8)}.")
    endpoint = prognosis.Endpoint.label(label, positive=positive, classes=classes, order=order, balanced=balanced)
    result: Any = prognosis.evaluate(None, scores, clinical, endpoint, baseline=tuple(baseline), groups=patients)
    return result.summary if hasattr(result, "summary") else result


def named_rows(path: Path) -> pd.DataFrame:
    """Return a table whose first column names its rows, as it stands; a missing file is an error."""
    from mtorscore.io.clinical import read_named_rows

    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a table in it.")
    if not path.exists():
        raise DataError(f"There is no file {path}. Check the path.")
    return read_named_rows(path)


def _warn_of_repairs(adata: AnnData, harmonise: bool) -> None:
    """Warn of repairs made on reading, and of missing values."""
    repairs = list(adata.uns.get("source", {}).get("repairs", ()))
    if repairs:
        warn(f"Reading changed the file's content: {'; '.join(map(str, repairs))}.", DataWarning)
    copies = [n for n in adata.var_names if "~" in n and re.fullmatch(r".+~\d+", n)] if not harmonise else []
    if copies:
        warn(
            f"{len(copies)} row(s) repeat a gene name and are not scored ({examples(copies)} here); the first of each "
            "is. --harmonise collapses copies instead.",
            DataWarning,
        )
    values = adata.X.data if hasattr(adata.X, "indptr") else np.asarray(adata.X)
    if not values.size or np.isfinite(np.sum(values)):
        return
    dense = adata.X.toarray() if hasattr(adata.X, "toarray") else np.asarray(adata.X)
    rows, columns = np.nonzero(np.isnan(dense))
    where = (f"{adata.obs_names[r]} x {adata.var_names[c]}" for r, c in zip(rows, columns, strict=True))
    if len(rows):
        warn(
            f"{len(rows)} value(s) are missing ({examples(where)}); a score that needs one of them is missing too.",
            DataWarning,
        )
