"""`tl.score`: score an AnnData, one obsm per method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from mtorscore.collection import SignatureCollection, SignaturesLike, as_collection
from mtorscore.errors import DataError, FormatError, MethodError
from mtorscore.io.formats.mudata import modality_of
from mtorscore.io.formats.stored_matrices import check_anndata, check_hdf5, sound
from mtorscore.io.reading import local
from mtorscore.tl.engine.coverage_warnings import warn_composites
from mtorscore.tl.engine.open_source import open_source
from mtorscore.tl.engine.outcome import tables_of
from mtorscore.tl.engine.prepare import (
    MethodScores,
    ScoreOptions,
    check_collection,
    masked_rows,
    null_for,
    record,
    score_source,
    scored_by,
)
from mtorscore.tl.engine.ratios_panels import ratios_and_panels
from mtorscore.tl.engine.reference import Reference, universe_hash

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["score", "score_cohort"]

_Rows = npt.NDArray[np.int64]


@overload
def score(adata: str | Path, signatures: SignaturesLike = ..., **options: Any) -> Any: ...
@overload
def score(adata: AnnData, signatures: SignaturesLike = ..., **options: Any) -> AnnData: ...
def score(
    adata: AnnData | str | Path,
    signatures: SignaturesLike = None,
    *,
    method: str | Sequence[str] = "singscore",
    layer: str | None = None,
    modality: str | None = None,
    mask_obs: npt.ArrayLike | str | None = None,
    reference: Any = None,
    min_coverage: float = 0.0,
    pvalues: bool = False,
    n_random: int = 200,
    null: str = "auto",
    key_added: str | None = None,
    copy: bool = False,
    universe: str = "refuse",
    threads: int | None = None,
    block: int | None = None,
    memory: str | int = "1GB",
    out: str | Path | None = None,
    progress: bool = False,
    resume: bool = True,
    storage_options: Mapping[str, Any] | None = None,
    **params: Any,
) -> AnnData | Path:
    """Score observations by one method or several.

    Parameters
    ----------
    adata
        Observations x genes. The values are taken as they are: ``.raw`` is never used, nothing is logged. A path to an
        ``.h5ad`` or ``.h5mu`` file, a ``.zarr`` folder, or a 10x ``.h5`` or folder is scored from disk, in blocks. Of a
        MuData object one modality is scored in place.
    signatures
        A collection, a mapping of names to genes, a path, or None for the shipped library.
    method
        One name or several of `methods`; several share one walk over the matrix and one ranking.
    layer
        Layer instead of ``.X``.
    modality
        Of MuData (the object or an ``.h5mu`` file), where there are several.
    mask_obs
        Boolean mask, or the name of a boolean column of ``.obs``: score these observations only, and let
        cohort-dependent methods learn from these only. The others get NaN.
    reference
        What cohort-dependent methods (and composites) are standardised by: a `Reference`, a path to a saved one, a
        fitted `SignatureScorer`, or a mapping of method to these. Without one, the observations scored are the
        cohort.
    min_coverage
        Signatures with a smaller share of their genes in the matrix get NaN with a reason.
    pvalues
        Also write ``.obsm["pval_<method>"]`` and its Benjamini-Hochberg adjustment over the signatures of an
        observation, ``.obsm["padj_<method>"]``: a gene-sampling null, which ignores the correlation of genes, so
        that coherent signatures are called far too often. It comes in closed form where the method's spec says so,
        else from `n_random` random signatures matched in size, direction, weight and expression.
    n_random
        Random signatures per signature, where p-values rest on them.
    null
        ``"closed"``: the closed form, where the method has one. ``"matched"``: random signatures always, which meet the
        same depth. ``"auto"``: matched for a panel of few genes that says so (read from Xenium, or with
        ``uns["source"]["panel_name"]``), else closed.
    key_added
        Key in ``.obsm`` instead of ``score_<method>``; with several methods a prefix.
    copy
        Work on a copy.
    universe
        ``"refuse"`` or ``"align"``: what to do about genes that a reference has never seen, see
        `Reference.columns_in`.
    threads
        Row blocks worked on at the same time, all cores by default.
    block
        Rows per block. Neither changes any result.
    memory, out, progress, resume
        For a path: memory for the blocks, a file to write instead of handing back an AnnData, a progress bar, and
        whether to go on with an unfinished run. See the page on scaling out.
    storage_options
        For an address such as ``s3://bucket/atlas.h5ad``, see `mtorscore.read`.
    **params
        Parameters of the methods. With several methods a parameter goes to those that know it, and
        ``ucell={"max_rank": 1000}`` to that one.

    Returns
    -------
    AnnData or Path
        The object handed in, or its copy, with ``.obsm["score_<method>"]`` (DataFrame, observations x signatures) and
        ``.uns["mtorscore"]``. Entries of kind ratio and panel go to ``.obsm["ratio"]`` and ``.obsm["panel"]``.
        Signatures without a gene in the matrix are NaN; ``.uns["mtorscore"][<method>]["coverage"]`` has the reason.

    Warns
    -----
    CoverageWarning
        Once, if less than half of a signature's genes, or none of one of its directions, are in the matrix.
    IgnoredWarning
        Once, if the method cannot use the direction or the weights of a signature; and once, naming them, if
        composites are asked for without a reference.

    Raises
    ------
    MethodError
        If a method or parameter is unknown, or is asked for what its assumptions forbid.
    DataError
        If the matrix cannot be scored.
    ReferenceMismatchError
        If a reference was learned on other genes or signatures.
    """
    if out is not None and not isinstance(adata, str | Path):
        raise MethodError("out= is for scoring a file from disk; an AnnData is scored in place, write it yourself.")
    options = ScoreOptions.checked(
        method,
        params,
        reference=reference,
        layer=layer,
        min_coverage=min_coverage,
        pvalues=pvalues,
        n_random=n_random,
        null=null,
        key_added=key_added,
        universe=universe,
        threads=threads,
    )
    whole = adata
    if not isinstance(adata, str | Path):
        whole, adata = _within(adata, modality, copy)
        _check_anndata(adata)
    collection = check_collection(as_collection(signatures))
    warn_composites(collection, options.methods, options.references)
    if isinstance(adata, str | Path):
        from mtorscore.tl.streaming.disk_options import DiskOptions
        from mtorscore.tl.streaming.score_file import score_file

        disk = DiskOptions(
            mask_obs=mask_obs, block=block, memory=memory, out=out, progress=progress, resume=resume, modality=modality
        )
        return score_file(local(adata, storage_options), collection, options, disk)
    options = replace(options, null=null_for(options.null, adata.uns.get("source")))
    _score_into(adata, collection, options, masked_rows(mask_obs, adata.n_obs, lambda: adata.obs), block)
    return whole


def _within(given: Any, modality: str | None, copy: bool) -> tuple[Any, Any]:
    """Return the object to hand back (a copy, where that was asked for), and in it the AnnData that is scored."""
    modalities = getattr(given, "mod", None)
    if modalities is None or not hasattr(modalities, "keys"):
        if modality is not None:
            raise DataError(f"modality={modality!r} chooses one of a MuData, and this is {type(given).__name__}.")
        whole = given.copy() if copy and hasattr(given, "copy") else given
        return whole, whole
    name = modality_of(sorted(map(str, modalities)), modality, where="MuData")
    whole = given.copy() if copy else given
    return whole, whole.mod[name]


def score_cohort(
    adata: AnnData,
    signatures: SignaturesLike,
    *,
    method: str | Sequence[str],
    standardise_by: npt.NDArray[np.bool_],
    layer: str | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Reference]:
    """Score a cohort and return the frozen references by which other observations can be scored alike.

    Methods learn from the whole cohort, and composites are standardised by chosen observations of it; everything is
    ranked and scored once.

    Parameters
    ----------
    adata
        Observations x genes; the scores are written into it, as `score` does.
    signatures, method, layer
        See `score`.
    standardise_by
        ``(n_obs,)``: the observations whose scores standardise composites, such as its normal samples; all False
        leaves composites NaN.
    params
        Per method its parameters.

    Returns
    -------
    dict
        Method to `Reference`.
    """
    _check_anndata(adata)
    collection = check_collection(as_collection(signatures))
    options = ScoreOptions.checked(method, {k: dict(v) for k, v in (params or {}).items()}, layer=layer)
    found = _score_into(adata, collection, options, None, None, standardise_by)
    return {name: scores.reference for name, scores in found.items() if scores.reference is not None}


def _score_into(
    target: AnnData,
    collection: SignatureCollection,
    options: ScoreOptions,
    rows: _Rows | None,
    block: int | None,
    standardise_by: npt.NDArray[np.bool_] | None = None,
) -> dict[str, MethodScores]:
    """Score the observations and write tables and records into the object."""
    names = [str(g) for g in target.var_names]
    _check_backed(target)
    with sound(str(target.filename)) if getattr(target, "isbacked", False) else nullcontext():
        matrix = _matrix(target, options.layer)
    source = open_source(matrix, rows=rows, block=block)
    source.threads = options.threads
    if rows is None and source.all_missing():
        raise DataError("Every value of the matrix is missing (NaN); there is nothing to score.")
    found = score_source(source, names, collection, options, standardise_by=standardise_by)
    genes_hash = universe_hash(names)
    for name, scores in found.items():
        key = options.key(name)
        for table, values in tables_of(key, scores.outcome).items():
            frame = _frame(target, values, scores.outcome.names, rows)
            frame.attrs["scored_by"] = scored_by(scores)
            target.obsm[table] = frame
        kept = record(scores, collection, genes_hash, options.layer, options.null)
        target.uns.setdefault("mtorscore", {})[key.removeprefix("score_")] = kept
    for key, (columns, values) in ratios_and_panels(target, collection, options.layer, source, names).items():
        target.obsm[key] = _frame(target, values, columns, rows)
    return found


def _check_anndata(adata: Any) -> None:
    if not (hasattr(adata, "obs_names") and hasattr(adata, "var_names") and hasattr(adata, "obsm")):
        kind = f"{type(adata).__module__}.{type(adata).__qualname__}"
        if hasattr(adata, "tables"):
            raise DataError(
                f"A {kind} holds tables; score one of them (sdata.tables[name]), or take it with its coordinates: "
                "mt.io.from_spatialdata(sdata)."
            )
        raise DataError(
            f"A {kind} cannot be scored in place; give an AnnData, or a path to one. Arrays and DataFrames go through "
            "SignatureScorer(...).fit_transform(X), or anndata.AnnData(X)."
        )


def _check_backed(adata: AnnData) -> None:
    """Check the file of a backed AnnData as one that is read or streamed."""
    if not getattr(adata, "isbacked", False):
        return
    path = str(adata.filename)
    with sound(path):
        root = getattr(adata.file["obs"], "file", None)
    if root is None or not hasattr(root, "filename"):
        return
    if Path(root.filename).resolve() != Path(path).resolve():
        raise FormatError(f"obs is a link to another file ({root.filename}).", path=path)
    check_hdf5(root, path)
    check_anndata(root, path)


def _matrix(adata: AnnData, layer: str | None) -> Any:
    if layer is None:
        if adata.X is None:
            raise DataError("This AnnData has no X; name a layer.")
        return adata.X
    if layer not in adata.layers:
        known = ", ".join(filter(None, adata.layers)) or "none"
        raise DataError(f"There is no layer {layer!r}; there are: {known}.")
    return adata.layers[layer]


def _frame(adata: AnnData, values: Any, columns: Sequence[str], rows: _Rows | None) -> Any:
    import pandas as pd

    if rows is not None:
        full = np.full((adata.n_obs, values.shape[1]), np.nan)
        full[rows] = values
        values = full
    return pd.DataFrame(values, index=adata.obs_names, columns=list(columns))
