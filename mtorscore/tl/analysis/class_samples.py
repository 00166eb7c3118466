"""What a classification reads of the samples: percentiles of the markers, and whether the tissue is the scheme's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, examples
from mtorscore.pp import detect_scale
from mtorscore.tl.analysis.class_schemes import Scheme

if TYPE_CHECKING:
    from anndata import AnnData

FloatArray = npt.NDArray[np.float64]

LEAST_LINEAGE = 8
"""With fewer genes of a lineage in the matrix nothing is said of the tissue."""
ROWS = 500


@dataclass
class Markers:
    """Markers of a scheme in some samples.

    Attributes
    ----------
    index, genes, classes
        Samples, markers in the matrix, and classes.
    values
        ``(n, G)`` percentile of each marker among the markers of its sample, in (0, 1).
    up, down
        ``(K, G)`` whether a marker is up, or down, in a class.
    lineage
        Name of a group of lineage genes -> ``(n,)`` mean percentile among all genes.
    """

    index: pd.Index
    genes: tuple[str, ...]
    classes: tuple[str, ...]
    values: FloatArray
    up: npt.NDArray[np.bool_]
    down: npt.NDArray[np.bool_]
    lineage: dict[str, FloatArray] = field(default_factory=dict)


def check_cancer(adata: AnnData, scheme: Scheme, cancer: str | None) -> None:
    """Refuse tumours that are declared to be of another cancer than the scheme's.

    Raises
    ------
    DataError
        If `cancer`, or what the object records, is none of the scheme's.
    """
    known = {c.upper() for c in scheme.cancers}
    said = cancer if cancer is not None else recorded_cancer(adata)
    if said is not None and said.upper() not in known:
        raise DataError(
            f"These tumours are {said}, and scheme {scheme.id} tells classes of {', '.join(scheme.cancers)} apart; "
            f"its classes mean nothing here. If they are {scheme.cancers[0]}, say so: cancer={scheme.cancers[0]!r} "
            "(--cancer)."
        )


def recorded_cancer(adata: AnnData) -> str | None:
    """Return the cancer that the object records: of its cohort's recipe, or of a simulation."""
    for key, name in (("recipe", "cancer"), ("truth", "disease")):
        part = adata.uns.get(key)
        part = part.get("parameters", part) if hasattr(part, "get") else {}
        if part.get(name):
            return str(part[name])
    return None


def check_scale(adata: AnnData, layer: str | None) -> None:
    """Refuse values that are no logarithms.

    Raises
    ------
    DataError
        If they are counts, linear or z-scores.
    """
    scale = detect_scale(adata, layer)
    if scale.log == "none" and scale.kind != "rma":
        where = "X" if layer is None else f"layer {layer!r}"
        raise DataError(
            f"{where} looks like {scale.kind} ({'; '.join(scale.evidence)}), and classes are called on log scale. Run "
            "pp.add_log_layer(adata) and name layer='log'; z-scores have no order of genes within a sample."
        )


def read_markers(adata: AnnData, scheme: Scheme, layer: str | None) -> Markers:
    """Read the markers of a scheme, and the lineage genes, as percentiles within each sample."""
    names = pd.Index(adata.var_names.astype(str))
    twice = names[names.duplicated()].unique()
    here = [g for g in scheme.genes if g in names]
    if len(set(here) & set(twice)):
        raise DataError(f"{examples(sorted(set(here) & set(twice)))} stand in several columns; collapse them first.")
    groups = _groups(scheme)
    at = {
        name: names.get_indexer([g for g in genes if g in names and g not in twice]) for name, genes in groups.items()
    }
    at = {name: columns for name, columns in at.items() if len(columns) >= LEAST_LINEAGE}
    matrix = adata.X if layer is None else adata.layers[layer]
    columns = names.get_indexer(here)
    values, lineage = [], {name: [] for name in at}  # type: ignore[var-annotated]
    for first in range(0, adata.n_obs, ROWS):
        block = _dense(matrix[first : first + ROWS])
        values.append(percentiles(block[:, columns]))
        if at:
            whole = percentiles(block)
            for name, own in at.items():
                lineage[name].append(np.nanmean(whole[:, own], axis=1))
    merged = np.concatenate(values) if values else np.zeros((0, len(here)))
    whole_values = np.asarray(np.isfinite(merged).all(axis=0), dtype=bool)
    kept = [g for g, good in zip(here, whole_values.tolist(), strict=True) if good]
    up = np.array([[g in set(t.up) for g in kept] for t in scheme.classes.values()], dtype=bool)
    down = np.array([[g in set(t.down) for g in kept] for t in scheme.classes.values()], dtype=bool)
    found = {name: np.concatenate(parts) for name, parts in lineage.items()}
    index = pd.Index(adata.obs_names.astype(str))
    return Markers(index, tuple(kept), tuple(scheme.classes), merged[:, whole_values], up, down, found)


def _dense(block: Any) -> FloatArray:
    return np.asarray(block.toarray() if hasattr(block, "toarray") else block, dtype=np.float64)


def percentiles(block: FloatArray) -> FloatArray:
    """Return the percentile of each value in its row, in (0, 1); equal values share theirs, missing ones stay so."""
    ranks = pd.DataFrame(block).rank(axis=1).to_numpy(dtype=np.float64)
    known = np.isfinite(ranks).sum(axis=1, keepdims=True)
    out: FloatArray = (ranks - 0.5) / np.maximum(known, 1)
    return out


def _groups(scheme: Scheme) -> dict[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    if scheme.identity:
        found["identity"] = scheme.identity["genes"]
    for i, other in enumerate(scheme.against):
        found |= {f"high {i}": other["high"], f"low {i}": other["low"]}
    return found


def doubts(markers: Markers, scheme: Scheme, *, declared: bool) -> list[str]:
    """Return per sample why its tissue is not the scheme's; empty where nothing speaks against it.

    A cohort of which most samples look like another tissue is of that tissue, unless its cancer is declared.
    """
    n = len(markers.index)
    reasons = [[] for _ in range(n)]  # type: ignore[var-annotated]
    if "identity" in markers.lineage:
        low = markers.lineage["identity"] < float(scheme.identity["least"])
        _note(reasons, low, f"its lineage genes are low: no {' or '.join(scheme.cancers)}")
    for i, other in enumerate(scheme.against):
        high, base = markers.lineage.get(f"high {i}"), markers.lineage.get(f"low {i}")
        if high is None or base is None:
            continue
        like = high - base > float(other["margin"])
        if like.mean() > 0.5 and not declared:
            like[:] = True
            text = f"this cohort looks like {other['what']}; cancer={scheme.cancers[0]!r} says that it is not"
        else:
            text = f"it looks like {other['what']}"
        _note(reasons, like, text)
    return ["; ".join(r) for r in reasons]


def _note(reasons: list[list[str]], at: Iterable[bool], text: str) -> None:
    for reason, hit in zip(reasons, at, strict=True):
        if hit:
            reason.append(text)
