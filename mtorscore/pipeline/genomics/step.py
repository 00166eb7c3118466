"""Step 4d: classes, DNA alterations and layers of evidence beside scores and outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore import _alteration_results as tables
from mtorscore import io, prognosis
from mtorscore.collection import leads
from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.io.alterations.declared import declared_genes
from mtorscore.pipeline.config import DEFAULTS
from mtorscore.pipeline.prepare import load_cohort
from mtorscore.pipeline.relate import endpoints_of
from mtorscore.pipeline.table_files import read_table, write_result
from mtorscore.pp.cohort import alteration_files
from mtorscore.pp.cohort_recipes import load_recipe
from mtorscore.prognosis.genomics.altered import Altered

if TYPE_CHECKING:
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection

__all__ = ["has_beside", "relate_alterations"]

SCHEMES = {"HCC": "hoshida", "CCA": "cca_stem_cell", "HB": "hb_c1c2", "": "hoshida"}
"""Context -> classes that are called where a recipe names none."""
AETIOLOGY = ("aetiology", "etiology", "hbv", "hcv", "hepatitis_b", "hepatitis_c", "alcohol", "nash", "nafld")
MOST_LEVELS = 6


def has_beside(recipe: str) -> bool:
    """Whether a recipe names alterations, proteins or classes, so that this step has something to do."""
    if recipe == "simulated":
        return False
    found = load_recipe(recipe)
    return bool(found.alterations or found.proteins or found.classes)


@dataclass
class _Cohort:
    """What the step reads."""

    adata: AnnData
    tumours: AnnData
    altered: AnnData | None
    proteins: pd.DataFrame | None
    context: str


def relate_alterations(
    folder: str | Path,
    signatures: SignatureCollection,
    *,
    methods: Sequence[str],
    recipe: str = "simulated",
    data: str | Path | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    null_sets: int = DEFAULTS["null_sets"],
    seed: int = DEFAULTS["seed"],
) -> list[Path]:
    """Write the tables of ``alterations/``: classes, alterations, their pairs with scores, and layers of evidence.

    Parameters
    ----------
    folder
        The cohort's results folder, scored.
    signatures
        What was scored.
    methods
        Methods whose scores are related; layers by the first one.
    recipe, data
        As of `mtorscore.pipeline.acquire`: the recipe names the files.
    parameters
        Per method the parameters that the scores were made with.
    null_sets
        Random signatures per signature.
    seed
        Of everything random.

    Returns
    -------
    list of pathlib.Path
        The files; a cohort without alterations gives tables with a header and no rows.

    Raises
    ------
    FormatError
        If a file of alterations or proteins cannot be read.
    DataError
        If none of its samples is in the cohort.
    """
    folder = Path(folder)
    cohort = _read(folder, recipe, data)
    asked = load_recipe(recipe).classes if recipe != "simulated" else ()
    calls = _classes(cohort, asked, has_beside(recipe))
    parts: dict[str, list[pd.DataFrame]] = {t.name: [] for t in tables.ALTERATION_TABLES}
    columns = list(tables.CLASSES.names)
    parts["classes"] = [c.rename_axis("observation").reset_index().reindex(columns=columns) for c in calls.values()]
    called = {name: c["class"] for name, c in calls.items()}
    found = None
    if cohort.altered is not None:
        found = Altered.of(cohort.altered, cohort.tumours.obs_names)
        parts["alteration_calls"] = [_calls(found)]
        parts["alteration_shares"] = [prognosis.alteration_shares(cohort.altered, cohort.tumours.obs_names)]
    endpoints, _ = endpoints_of(cohort.tumours)
    for scheme, classes in called.items():
        labels = _labels(found, cohort.tumours.obs)
        parts["class_labels"].append(
            prognosis.class_labels(classes, labels, cohort.tumours.obs, endpoints, scheme=scheme, seed=seed)
        )
    for method in methods:
        scores = read_table(folder / "scores" / f"{method}.tsv", index="observation").dropna(axis=1, how="all")
        options = {"method": method, "params": dict((parameters or {}).get(method, {})), "seed": seed}
        for name, table in _of_method(cohort, scores, called, endpoints, signatures, null_sets, options):
            parts[name].append(table.assign(method=method))
        if method == methods[0] and (cohort.altered is not None or cohort.proteins is not None):
            parts["layers"], parts["layer_shares"] = _layers(cohort, scores)
    return [write_result([p for p in parts[t.name] if len(p)], t, folder) for t in tables.ALTERATION_TABLES]


def _read(folder: Path, recipe: str, data: str | Path | None) -> _Cohort:
    adata = load_cohort(folder)
    in_outcome = adata.obs["in_outcome"].to_numpy(dtype=bool) if "in_outcome" in adata.obs else True
    # Where nothing says which samples are tumours, all are.
    kinds = adata.obs["sample_type"].astype(str).isin(["tumour", "unknown"]).to_numpy()
    tumours = adata[kinds & in_outcome]
    chosen = load_recipe(recipe) if recipe != "simulated" else None
    files = alteration_files(chosen, data) if chosen is not None else {}
    altered = proteins = None
    if files.get("files"):
        who = files["profiled"][0] if files["profiled"] else None
        columns = dict(chosen.alterations.get("columns") or {}) if chosen is not None else {}
        altered = _looked_at(
            io.read_alterations(
                files["files"], genes=columns or list(declared_genes()), profiled=who, panels=files["panels"]
            )
        )
    if files.get("proteins"):
        proteins = _proteins(files["proteins"][0], adata)
    return _Cohort(adata, tumours, altered, proteins, str(adata.uns.get("context", "")))


def _looked_at(altered: AnnData) -> AnnData:
    """Leave out genes of which nothing says that anybody looked at them."""
    absent = set(altered.uns["alterations"]["not_mentioned"]) | {
        g for g, seen in zip(altered.var_names, altered.layers["profiled"].any(axis=0), strict=True) if not seen
    }
    if absent:
        warn(
            f"{len(absent)} declared gene(s) are named in no file ({examples(sorted(absent))}); nothing is said of "
            "them. Give the gene panel (--panels) if they were looked at.",
            DataWarning,
        )
    kept = altered[:, [g not in absent for g in altered.var_names]]
    if not kept.n_vars:
        files = examples(altered.uns["alterations"]["files"])
        raise DataError(
            f"{files}: none of the {len(absent)} declared genes of the pathway ({examples(sorted(absent))}) is named "
            "there (--alterations). Check that these are alterations, and that genes go by symbols."
        )
    return kept.copy()


def _proteins(path: Path, adata: AnnData) -> pd.DataFrame:
    """Return the levels of the cohort's samples, in either orientation of the file."""
    from mtorscore.io.clinical import read_named_rows
    from mtorscore.prognosis.genomics.altered import matched

    table = read_named_rows(path)
    table = table[[c for c in table.columns if pd.api.types.is_numeric_dtype(table[c])]]
    problem: DataError | None = None
    for one in (table, table.T):
        try:
            at = np.array(matched(one.index, adata.obs_names))
        except DataError as error:
            problem = problem or error
            continue
        levels = one.iloc[np.maximum(at, 0)].set_axis(adata.obs_names, axis=0).astype(np.float64)
        return levels.where(pd.Series(at >= 0, adata.obs_names), axis=0)
    raise DataError(f"{path}: {str(problem).replace('the alterations', 'the proteins')}")


def _classes(cohort: _Cohort, asked: Sequence[str], wanted: bool) -> dict[str, pd.DataFrame]:
    """Return the calls by each scheme; one that does not fit this cohort is said and left out."""
    from mtorscore import tl

    out: dict[str, pd.DataFrame] = {}
    default = SCHEMES.get(cohort.context)
    names = list(asked) or ([default] if default and wanted else [])
    for name in names:
        try:
            table = tl.classify(cohort.tumours.copy(), name, layer="log")
        except DataError as error:
            if asked:
                raise
            warn(f"No tumour was called by {name}: {error}", DataWarning)
            continue
        out[str(table["scheme"].iloc[0])] = table
    return out


def _calls(found: Altered) -> pd.DataFrame:
    rows = []
    for gene, declared in declared_genes().items():
        if gene not in found.calls:
            continue
        calls, _ = found.of_gene(gene, declared.kinds)
        kinds = found.kinds[gene] if found.kinds is not None else pd.Series("", calls.index)
        rows.append(
            pd.DataFrame({"observation": calls.index, "gene": gene, "kinds": kinds.array, "altered": calls.array})
        )
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def _aetiologies(obs: pd.DataFrame) -> list[str]:
    """Return the columns that say what caused the cancer, of a few levels each."""
    named = [c for c in obs.columns if str(c).lower().replace(" ", "_") in AETIOLOGY]
    return [c for c in named if 1 < obs[c].dropna().nunique() <= MOST_LEVELS]


def _labels(found: Altered | None, obs: pd.DataFrame) -> dict[str, pd.Series]:
    """Return what is laid beside classes: altered genes, and each level of an aetiology."""
    out: dict[str, pd.Series] = {}
    for gene, declared in declared_genes().items():
        if found is not None and gene in found.calls:
            calls, _ = found.of_gene(gene, declared.kinds)
            if calls.eq(1).any():
                out[gene] = calls.where(found.looked_at(gene, declared.kinds))
    for column in _aetiologies(obs):
        values = obs[column].astype(object)
        levels = sorted(map(str, values.dropna().unique()))
        for level in levels[1:] if len(levels) == 2 else levels:
            out[f"{column} {level}"] = (values.astype(str) == level).astype(float).where(values.notna())
    return out


def _of_method(
    cohort: _Cohort,
    scores: pd.DataFrame,
    called: Mapping[str, pd.Series],
    endpoints: Sequence[Any],
    signatures: SignatureCollection,
    null_sets: int,
    options: dict[str, Any],
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the tables of one scoring method."""
    own = scores.loc[cohort.tumours.obs_names]
    leading = own[leads(own.columns, confounders=False, context=cohort.context or None)]
    clinical = cohort.tumours.obs.assign(**{f"class ({s})": c for s, c in called.items()})
    if cohort.altered is not None:
        usable = [c for c in (f"class ({s})" for s in called) if clinical[c].dropna().nunique() > 1]
        controls = ("random", "proliferation", "purity") if null_sets else ("proliferation", "purity")
        yield "alterations", prognosis.alterations(
            own, cohort.altered, clinical, expression=_on_log_scale(cohort.tumours), signatures=signatures,
            adjust=[*usable, *_aetiologies(clinical)], tissue=cohort.context or None, negative_controls=controls,
            n_random=null_sets, **options,
        )  # fmt: skip
    for scheme, classes in called.items():
        yield "class_contrasts", prognosis.class_contrasts(leading, classes, scheme=scheme, seed=options["seed"])
        yield "beyond_class", prognosis.beyond_class(leading, classes, cohort.tumours.obs, endpoints, scheme=scheme)


def _on_log_scale(adata: AnnData) -> AnnData:
    import anndata as ad

    return ad.AnnData(X=adata.layers["log"], obs=adata.obs[[]], var=adata.var[[]])


def _layers(cohort: _Cohort, scores: pd.DataFrame) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    normal = cohort.adata.obs_names[(cohort.adata.obs["sample_type"] == "normal").to_numpy()]
    table = prognosis.layers(
        scores, cohort.tumours.obs_names, normal, alterations=cohort.altered, proteins=cohort.proteins,
        tissue=cohort.context or None,
    )  # fmt: skip
    return [table], [prognosis.layer_shares(table, scores, normal, proteins=cohort.proteins)]
