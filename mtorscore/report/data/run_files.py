"""Read the files of a run; missing ones are replaced by a sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtorscore._outcome_terms import ENDPOINTS
from mtorscore.collection.grades import context_named
from mtorscore.errors import DataError, DataWarning, FormatError, warn
from mtorscore.results import FORMAT, TABLES, Table

MOST_CELLS = 4000
TRACKS = (
    "comparison_arm",
    "comparison_group",
    "sample_type",
    "cell_type",
    "sample",
    "stage",
    "grade",
    "sex",
    "age",
    *ENDPOINTS,
    "recurrence_24m",
)


OLDER_RUN = (
    "These tables were written by mtorscore 0.1.0. They do not say the positive class of a label, the horizon, the "
    "level of an interval, or how well a signature reads its branch in this tissue; their groups and units may have "
    "been guessed. Run the same command again: every step is then made anew."
)


@dataclass(frozen=True)
class Cohort:
    """One cohort's results.

    Attributes
    ----------
    name
        Its folder.
    obs
        Clinical columns, one row per observation.
    source
        ``uns["source"]`` as plain types.
    n_vars
        Genes in the matrix.
    flow
        Steps from samples read to samples analysed; empty where it was not recorded.
    scores
        Method -> observations x signatures.
    tables
        The result tables by the names of `mtorscore.results.TABLES`; only those that exist and have rows.
    missing
        What could not be read, name -> sentence.
    manifest
        The record of the raw files, where there is one.
    exports
        Files for GSEA.
    total
        Observations in the cohort; `obs` holds fewer where cells are too many for a page.
    own_endpoints
        Survival endpoints that the recipe names, beside the standard ones.
    context
        Context of the library's grades, such as ``"HCC"``; None where it is not known.
    embedding, embedding_made
        ``(n_obs, 2)`` coordinates of cells and how they were computed; None where there are none.
    """

    name: str
    obs: pd.DataFrame
    source: dict[str, Any]
    n_vars: int
    flow: pd.DataFrame
    scores: dict[str, pd.DataFrame]
    tables: dict[str, pd.DataFrame]
    missing: dict[str, str]
    manifest: dict[str, Any]
    exports: tuple[str, ...]
    total: int = 0
    own_endpoints: tuple[str, ...] = ()
    embedding: np.ndarray | None = None
    embedding_made: str = ""
    context: str | None = None

    @property
    def cells(self) -> bool:
        """Whether the observations are single cells."""
        return "sample_type" in self.obs and bool((self.obs["sample_type"].astype(str) == "cell").any())

    @property
    def group(self) -> str:
        """Column that the figures split observations by."""
        if self.cells:
            return "cell_type"
        return next((c for c in ("comparison_arm", "comparison_group") if c in self.obs), "sample_type")

    @property
    def unit(self) -> str:
        """Name of an observation: cell or sample."""
        return "cell" if self.cells else "sample"

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        flag = "simulated" in self.obs and bool(self.obs["simulated"].astype(str).str.lower().eq("true").any())
        return flag or str(self.source.get("kind", "")).lower() == "simulated"

    def count(self, kind: str) -> int:
        """Return the number of observations of a sample type."""
        return int((self.obs["sample_type"].astype(str) == kind).sum()) if "sample_type" in self.obs else 0

    @property
    def tumours(self) -> pd.Index:
        """Observations that outcomes are related to."""
        if "sample_type" not in self.obs:
            return self.obs.index
        return self.obs.index[self.obs["sample_type"].astype(str) != "normal"]

    @property
    def endpoints(self) -> list[str]:
        """Survival endpoints with times and at least one event."""
        known = dict.fromkeys([*ENDPOINTS, *self.own_endpoints])
        return [e for e in known if e in self.obs and f"{e}.time" in self.obs and (_numbers(self.obs[e]) == 1).any()]

    @property
    def guesses(self) -> list[str]:
        """What was not declared and is not certain of the matrix, each with its evidence; scores rest on it."""
        scale, guessed = self.source.get("scale") or {}, self.source.get("guessed") or {}
        out = []
        if scale and not scale.get("declared") and not scale.get("certain", True):
            evidence = [str(e) for e in scale.get("evidence", [])][-1:]
            out.append(f"units {scale.get('kind')} ({'; '.join(evidence)})")
        return out + [f"{k} {v['is']} ({v['evidence']})" for k, v in guessed.items() if not v.get("sure", True)]

    @property
    def guess_note(self) -> str:
        """What the scores rest on that was guessed, as a sentence; "" where all is declared or certain."""
        if not self.guesses:
            return ""
        return f"Guessed, not declared: {'; '.join(self.guesses)}. If that is wrong, so are the scores."

    def table(self, name: str) -> pd.DataFrame:
        """Return a result table; empty where there is none."""
        return self.tables.get(name, pd.DataFrame())


@dataclass(frozen=True)
class Run:
    """A run's record and its cohorts, in order."""

    folder: Path
    record: dict[str, Any]
    cohorts: list[Cohort]
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The run's name; that of its folder where no record says otherwise."""
        return str(self.record.get("name") or self.folder.resolve().name)

    @property
    def methods(self) -> list[str]:
        """Scoring methods, in the order of the configuration, then as found."""
        asked = [str(m) for m in (self.record.get("config") or {}).get("methods", [])]
        found = list(dict.fromkeys(m for c in self.cohorts for m in c.scores))
        return [m for m in asked if m in found] + [m for m in found if m not in asked]

    @property
    def simulated(self) -> bool:
        """Whether any cohort is simulated."""
        return any(c.simulated for c in self.cohorts)


def read_run(folder: Path) -> Run:
    """Read a run's results.

    Parameters
    ----------
    folder
        ``results/<run>``.

    Returns
    -------
    Run
        With a sentence for everything that is not there.

    Raises
    ------
    DataError
        If the folder does not exist or holds no cohort.
    """
    if not folder.is_dir():
        raise DataError(f"There is no results folder {folder}. Give the folder of one run, such as results/demo.")
    notes: list[str] = []
    record = _json(folder / "run.json", notes)
    if record and record.get("format", 1) < FORMAT:
        notes.append(OLDER_RUN)
        warn(f"{folder}: {OLDER_RUN}", DataWarning)
    names = [str(n) for n in record.get("cohorts", [])]
    found = sorted(p.parent.name for p in folder.glob("*/cohort.h5ad"))
    names = [n for n in names if n in found] + [n for n in found if n not in names]
    absent = [str(n) for n in record.get("cohorts", []) if str(n) not in found]
    if absent:
        notes.append(f"No results were found for {', '.join(absent)}; this report leaves them out.")
    if not names:
        raise DataError(
            f"{folder} holds no cohort: no folder in it has a cohort.h5ad. Run the workflow first, or give the "
            "folder of one run, such as results/demo."
        )
    return Run(folder, record, [_read_cohort(folder / n) for n in names], notes)


def _read_cohort(folder: Path) -> Cohort:
    prepared = _read_h5ad(folder / "cohort.h5ad")
    obs = prepared.obs
    missing: dict[str, str] = {}
    scores = {}
    for path in sorted((folder / "scores").glob("*.tsv")):
        # Tables of the same folder that are no scores, such as that of coverage.
        if not any(folder / t.path == path for t in TABLES.values() if t.path and not t.per_signature):
            scores[path.stem] = _scores(path, obs)
    if not scores:
        missing["scores"] = "There are no scores: the folder scores/ holds no table."
    tables = {}
    for name, declared in TABLES.items():
        if not declared.report:
            continue
        path = folder / declared.path
        if not path.is_file():
            missing[name] = f"The file {declared.path} is missing, so this part is empty."
            continue
        table = _flags(_table(path), declared)
        if not len(table):
            missing[name] = declared.empty or f"The file {declared.path} has no rows."
            continue
        if name == "coverage" and "signature" not in table:
            table = table.rename(columns={table.columns[0]: "signature"})
        tables[name] = table
    ignored: list[str] = []
    manifest = _json(folder / "acquired" / "manifest.json", ignored)
    exports = tuple(sorted(p.name for p in (folder / "export").glob("*") if p.is_file() and p.suffix != ".json"))
    cohort = Cohort(
        folder.name, obs, prepared.source, prepared.n_vars, prepared.flow, scores, tables, missing, manifest, exports,
        len(obs), prepared.endpoints, prepared.embedding, prepared.embedding_made, prepared.context,
    )  # fmt: skip
    return _thin(cohort) if cohort.cells else cohort


def _thin(cohort: Cohort) -> Cohort:
    """Keep as many cells as a page can show."""
    at = thinned(cohort.obs)
    places = None if cohort.embedding is None else cohort.embedding[at]
    scores = {m: t.iloc[at] for m, t in cohort.scores.items()}
    return replace(cohort, obs=cohort.obs.iloc[at], scores=scores, embedding=places)


def thinned(obs: pd.DataFrame, most: int = MOST_CELLS) -> np.ndarray:
    """Subsample cells for the page, stratified by sample and cell type.

    Parameters
    ----------
    obs
        Cells with ``sample`` and ``cell_type``.
    most
        Cells to keep at most, roughly.

    Returns
    -------
    numpy.ndarray
        Positions in order. The same share of each group, at least 20 of it, by a fixed seed.
    """
    if len(obs) <= most:
        return np.arange(len(obs))
    rng = np.random.default_rng(0)
    share = most / len(obs)
    keys = [c for c in ("sample", "cell_type") if c in obs]
    chosen = []
    for at in obs.groupby(keys, observed=True, dropna=False).indices.values():
        size = min(len(at), max(20, round(share * len(at))))
        chosen.append(rng.choice(at, size, replace=False))
    return np.sort(np.concatenate(chosen))


@dataclass(frozen=True)
class _Prepared:
    obs: pd.DataFrame
    source: dict[str, Any]
    n_vars: int
    flow: pd.DataFrame
    endpoints: tuple[str, ...]
    embedding: np.ndarray | None
    embedding_made: str
    context: str | None


def _read_h5ad(path: Path) -> _Prepared:
    """Read the clinical table and the record of the source; the matrix is not needed and stays on disk."""
    import h5py
    from anndata.io import read_elem

    try:
        with h5py.File(path, "r") as file:
            obs = read_elem(file["obs"])
            n_vars = len(read_elem(file["var"][file["var"].attrs["_index"]]))
            source = read_elem(file["uns/source"]) if "uns/source" in file else {}
            scale = read_elem(file["uns/scale"]) if "uns/scale" in file else {}
            flow = read_elem(file["uns/flow"]) if "uns/flow" in file else pd.DataFrame()
            recipe = read_elem(file["uns/recipe"]) if "uns/recipe" in file else {}
            made = read_elem(file["uns/embedding"]) if "uns/embedding" in file else {}
            context = context_named(read_elem(file["uns/context"])) if "uns/context" in file else None
            places = np.asarray(file[f"obsm/{made['key']}"])[:, :2].astype(np.float64) if made else None
    except (OSError, KeyError) as error:
        raise FormatError(f"not a prepared cohort ({error}); run the prepare step again.", path=path) from error
    obs.index = obs.index.astype(str)
    plain = {str(k): _plain(v) for k, v in source.items()} if isinstance(source, Mapping) else {}
    plain |= {"scale": _plain(scale)} if scale else {}
    named = recipe.get("endpoints", ()) if isinstance(recipe, Mapping) else ()
    flow = flow if isinstance(flow, pd.DataFrame) else pd.DataFrame()
    made_text = f"{made['key'].removeprefix('X_').upper()}: {made['made']}" if made else ""
    return _Prepared(obs, plain, n_vars, flow, tuple(map(str, named)), places, made_text, context)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value.tolist()]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value


def _scores(path: Path, obs: pd.DataFrame) -> pd.DataFrame:
    table = _table(path, text=0)
    table = table.set_index(table.columns[0])
    table.index = table.index.astype(str)
    unknown = [n for n in table.index if n not in obs.index]
    if unknown:
        raise FormatError(
            f"{len(unknown)} observation(s) are not in cohort.h5ad ({unknown[0]!r}, ...); score the cohort again.",
            path=path,
        )
    return table.apply(pd.to_numeric, errors="coerce").reindex(obs.index)


def _table(path: Path, text: int | None = None) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, sep="\t", dtype=None if text is None else {text: str}, keep_default_na=True)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise FormatError(f"not a tab-separated table ({error}); run the step again.", path=path) from error
    return table


def _flags(table: pd.DataFrame, declared: Table) -> pd.DataFrame:
    # A flag that is missing throughout, as agreement is of one method, stays missing.
    found = [c for c in declared.flags if c in table and table[c].notna().any()]
    return table.assign(**{c: table[c].astype(str).str.lower().eq("true") for c in found})


def _json(path: Path, notes: list[str]) -> dict[str, Any]:
    if not path.is_file():
        notes.append(f"The run has no {path.name}, so versions, configuration and hashes are not known.")
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"not valid JSON ({error}); run the workflow again.", path=path) from error
    return content if isinstance(content, dict) else {}


def _numbers(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column.astype(object), errors="coerce")
