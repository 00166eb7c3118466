"""Step 2: raw files to one AnnData per cohort, with a log of every sample and gene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mtorscore import results
from mtorscore._atomic import atomic
from mtorscore._doors import COMMAND_LINE, RECIPE, at_door, option
from mtorscore.collection.grades import context_named
from mtorscore.errors import DataError, DataWarning, examples, warn
from mtorscore.pipeline.single_cells import prepare_cells
from mtorscore.pipeline.table_files import write_result
from mtorscore.pp.groups import group_columns

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["cohort_file", "load_cohort", "prepare"]


def prepare(
    recipe: str,
    folder: str | Path,
    *,
    data: str | Path | None = None,
    histology: str = "default",
    simulated: str | Path | None = None,
) -> Path:
    """Write ``cohort.h5ad``, ``exclusions.tsv`` and ``genes.tsv`` into a cohort's results folder.

    Parameters
    ----------
    recipe
        As in `mtorscore.pipeline.acquire`.
    folder
        The cohort's results folder.
    data
        Folder of the raw files.
    histology
        ``"default"`` or ``"all"``; see `mtorscore.pp.resolve_patients`.
    simulated
        The simulated cohort that `acquire` wrote.

    Returns
    -------
    pathlib.Path
        ``cohort.h5ad``.

    Raises
    ------
    DataError
        If files are missing or do not agree with the recipe.
    """
    folder = Path(folder)
    with at_door(RECIPE, unless=COMMAND_LINE):
        adata = _prepared(recipe, data, histology, simulated)
    adata.uns["context"] = _context(adata)
    for table in (results.EXCLUSIONS, results.GENES):
        write_result(adata.uns.get(table.name, ()), table, folder)
    with atomic(folder / "cohort.h5ad") as temporary:
        adata.write_h5ad(temporary, compression="lzf")
    return folder / "cohort.h5ad"


def _prepared(recipe: str, data: str | Path | None, histology: str, simulated: str | Path | None) -> AnnData:
    if recipe == "simulated":
        if simulated is None:
            raise DataError("A simulated cohort needs the file that the acquire step wrote.")
        return _from_simulation(Path(simulated))
    from mtorscore.pp import load_recipe, prepare_cohort

    chosen = load_recipe(recipe)
    if chosen.cells is not None:
        return prepare_cells(chosen, data)
    adata = prepare_cohort(chosen, data, histology=histology)
    _warn_dropped(adata)
    _assume_tumours(adata, grouped=chosen.group is not None)
    return adata


def cohort_file(folder: str | Path) -> Path:
    """Return the file that `prepare` wrote.

    Raises
    ------
    DataError
        If there is none.
    """
    path = Path(folder) / "cohort.h5ad"
    if not path.is_file():
        raise DataError(f"There is no prepared cohort at {path}; run the prepare step first.")
    return path


def load_cohort(folder: str | Path) -> AnnData:
    """Read the cohort that `prepare` wrote.

    Parameters
    ----------
    folder
        The cohort's results folder.

    Returns
    -------
    anndata.AnnData
        Observations x genes, ``X`` as published, ``layers["log"]`` for scoring.

    Raises
    ------
    DataError
        If there is none.
    """
    import anndata as ad

    return ad.read_h5ad(cohort_file(folder))


def _context(adata: AnnData) -> str:
    """Return the context of the library's grades that a cohort is of, as its recipe or simulation says; "" for none."""
    stated = adata.uns.get("recipe", {}).get("cancer") or adata.uns.get("truth", {}).get("parameters", {}).get(
        "disease"
    )
    return context_named(stated) or ""


_SAID = {"negative_time": "a negative time", "missing_time": "an event status without a time"}


def _warn_dropped(adata: AnnData) -> None:
    """Warn with counts of what the tables lose: times that cannot be used, samples and records without the other."""
    repairs = list(adata.uns.get("source", {}).get("repairs", ()))
    if repairs:
        warn(f"Reading changed the file's content: {'; '.join(map(str, repairs))}.", DataWarning)
    log = adata.uns["exclusions"]
    out = log[log["effect"] == "dropped"]
    if len(out):
        parts = [f"{len(part)} by the rule {rule} ({examples(part['sample'])})" for rule, part in out.groupby("rule")]
        warn(f"{len(out)} sample(s) are left out: {'; '.join(parts)}. exclusions.tsv says why.", DataWarning)
    for rule, what in _SAID.items():
        rows = log[log["rule"] == rule]
        for effect, part in rows.groupby("effect"):
            warn(
                f"{len(part)} sample(s) have {what} ({examples(part['sample'])}) and count as {effect}; correct the "
                "table if they should count.",
                DataWarning,
            )
    joined = adata.uns.get("clinical", {})
    if joined.get("unmatched"):
        lost = joined.get("without_record", ())
        warn(
            f"{joined['unmatched']} of {joined['matched'] + joined['unmatched']} samples of the matrix have no row in "
            f"the clinical table ({examples(lost)}); nothing that it says is known of them.",
            DataWarning,
        )
    if joined.get("unused"):
        warn(
            f"{joined['unused']} of {joined['records']} rows of the clinical table belong to no sample of the matrix "
            f"({examples(joined['without_sample'])}) and are left out.",
            DataWarning,
        )


def _assume_tumours(adata: AnnData, *, grouped: bool) -> None:
    """Assume tumours where sample types are not stated, log it, and say which columns could tell."""
    import pandas as pd

    if grouped or set(adata.obs["sample_type"].astype(str)) != {"unknown"}:
        return
    adata.obs["sample_type"] = "tumour"
    adata.obs["in_outcome"] = True
    likely = group_columns(adata.obs)
    shown = "; ".join(f"{name} ({examples(values)})" for name, values in list(likely.items())[:3])
    hint = f" Columns that look like groups: {shown}; name one with {option('group')}." if likely else ""
    reason = f"all {adata.n_obs} samples are taken as tumours, as nothing says otherwise"
    warn(f"{reason[0].upper()}{reason[1:]}.{hint}", DataWarning)
    row = {
        "sample": f"all {adata.n_obs}",
        "patient": "",
        "rule": "assumed_tumour",
        "reason": reason + (f"; columns that look like groups: {shown}" if likely else ""),
        "effect": "kept",
    }
    adata.uns["exclusions"] = pd.concat([adata.uns["exclusions"], pd.DataFrame([row])], ignore_index=True)


def _from_simulation(path: Path) -> AnnData:
    import anndata as ad

    from mtorscore.pp import add_log_layer

    if not path.is_file():
        raise DataError(f"There is no simulated cohort at {path}; run the acquire step first.")
    adata = ad.read_h5ad(path)
    add_log_layer(adata, scale="counts")
    return adata
