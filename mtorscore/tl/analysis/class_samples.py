"""What a classification reads of the samples, percentiles of the markers and tissue, and how near templates are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, MethodError, examples
from mtorscore.pp import detect_scale
from mtorscore.tl.analysis.class_schemes import Scheme

if TYPE_CHECKING:
    from anndata import AnnData

FloatArray = npt.NDArray[np.float64]

LEAST_LINEAGE = 8
"""With fewer genes of a lineage in the matrix nothing is said of the tissue."""
ROWS = 500
LEAST_COHORT, MANY = 10, 20
"""Observations that a cohort needs to be its own reference, and from which on these are not called few."""
ELSEWHERE = 0.45
"""Median distance of the markers' means from the frozen ones, in SDs, from which on a cohort is of another platform.

Ten tumours of the reference's own platform lie 0.3 off at most, those of one class alone up to 0.4; the same tumours as
counts, without the lengths of genes, 0.5, and with the probes of an array 0.5 to 1."""
FOREIGN = 1.0
"""Median distance of one sample's markers from the frozen means, in SDs, from which on frozen numbers say nothing.

Of the reference's own tumours 19 of 20 lie below 0.9; from 1 on, frozen calls agree with the labels by chance."""
MOST_LOST = 10
"""A call that hangs on more genes than this is not called fragile."""
BLOCK = 200


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


def standardised(markers: Markers, scheme: Scheme, reference: str) -> tuple[FloatArray, str]:
    """Return ``(n, G)`` markers in SDs from a reference, and which reference in words.

    Raises
    ------
    MethodError
        If the scheme has no frozen reference and the cohort is too small.
    """
    frozen = scheme.reference.get("genes", {})
    n, x = len(markers.index), markers.values
    known = np.array([g in frozen for g in markers.genes], dtype=bool)
    least = LEAST_COHORT
    if reference == "frozen" or (frozen and n < least):
        if not frozen:
            raise MethodError(f"Scheme {scheme.id} has no frozen reference; use reference='cohort' ({least} or more).")
        if reference == "cohort":
            raise MethodError(f"{n} observation(s) are too few to be their own reference; {least} at least.")
        return _by_frozen(x, markers, frozen, known), f"frozen: {scheme.reference['cohort']}"
    if n < least:
        raise MethodError(
            f"Scheme {scheme.id} has no frozen reference, and {n} observation(s) are too few to be their own; {least} "
            "at least."
        )
    own = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    few = "" if n >= MANY else ", which is few"
    said = f"this cohort: {n} observations{few}"
    if reference == "cohort" or not frozen:
        return own, said
    off = _off(x, markers, frozen, known)
    if off > ELSEWHERE:
        return own, f"{said} (its markers lie {off:.1f} SD off the frozen reference: another platform or case mix)"
    return _by_frozen(x, markers, frozen, known), f"frozen: {scheme.reference['cohort']}"


def _by_frozen(x: FloatArray, markers: Markers, frozen: dict[str, Any], known: npt.NDArray[np.bool_]) -> FloatArray:
    mean = np.array([frozen[g][0] if k else 0.0 for g, k in zip(markers.genes, known, strict=True)])
    sd = np.array([frozen[g][1] if k else 0.0 for g, k in zip(markers.genes, known, strict=True)])
    out: FloatArray = np.where(sd > 0, (x - mean) / np.where(sd > 0, sd, 1.0), 0.0)
    return out


def _off(x: FloatArray, markers: Markers, frozen: dict[str, Any], known: npt.NDArray[np.bool_]) -> float:
    if not known.any():
        return float("inf")
    z = _by_frozen(x, markers, frozen, known)[:, known]
    return float(np.median(np.abs(z.mean(axis=0))))


def foreign(markers: Markers, scheme: Scheme) -> list[str]:
    """Return per sample why the frozen reference says nothing of it; empty where it does."""
    frozen = scheme.reference.get("genes", {})
    known = np.array([g in frozen for g in markers.genes], dtype=bool)
    if not known.any():
        return [""] * len(markers.index)
    z = _by_frozen(markers.values, markers, frozen, known)[:, known]
    off = np.median(np.abs(z), axis=1)
    ask = f"call {LEAST_COHORT} or more tumours of this platform together, by caller='template'"
    return [
        f"its markers lie {d:.1f} SD off the frozen reference, as on another platform; {ask}" if d > FOREIGN else ""
        for d in off
    ]


def templates_of(markers: Markers) -> FloatArray:
    """``(K, G)`` templates of unit length: 1 for up, -1 for down, 0 for the markers of other classes."""
    t = markers.up.astype(np.float64) - markers.down
    out: FloatArray = t / np.sqrt((t**2).sum(axis=1, keepdims=True))
    return out


def nearest_template(
    z: FloatArray, markers: Markers, n_permutations: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return ``(n, K)`` cosines, ``(n,)`` p of the nearest, and ``(n, G)`` standardised markers of unit length.

    Under the null the markers are exchanged among each other; p counts how often the nearest template is as near.
    """
    size = np.sqrt((z**2).sum(axis=1, keepdims=True))
    unit = np.where(size > 0, z / np.where(size > 0, size, 1.0), np.nan)
    t = templates_of(markers)
    cosine = unit @ t.T
    p = _exceeds(unit, t, cosine.max(axis=1), n_permutations, rng)
    return cosine, p, unit


def _exceeds(
    unit: FloatArray, t: FloatArray, observed: FloatArray, n_permutations: int, rng: np.random.Generator
) -> FloatArray:
    hits = np.zeros(len(unit))
    values = np.where(np.isfinite(unit), unit, 0.0)
    for first in range(0, n_permutations, BLOCK):
        many = min(BLOCK, n_permutations - first)
        shuffled = np.concatenate([t[:, rng.permutation(t.shape[1])] for _ in range(many)])
        null = (values @ shuffled.T).reshape(len(unit), many, len(t)).max(axis=2)
        hits += (null >= observed[:, None] - 1e-12).sum(axis=1)
    out: FloatArray = np.where(np.isfinite(observed), (hits + 1) / (n_permutations + 1), np.nan)
    return out


def rank_weights(markers: Markers) -> FloatArray:
    """``(K, G)`` weights of a rank score: mean of the up genes less that of the down genes.

    A class with genes of one direction alone is set against the genes of the other classes.
    """
    out = np.zeros(markers.up.shape)
    for k in range(len(out)):
        up, down = markers.up[k], markers.down[k]
        rest = ~(up | down)
        for sign, own in ((1.0, up if up.any() else rest), (-1.0, down if down.any() else rest)):
            if own.any():
                out[k, own] += sign / own.sum()
    return out


def rank_scores(
    markers: Markers, scheme: Scheme, n_permutations: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, str]:
    """Return ``(n, K)`` rank scores in SDs of the frozen reference, ``(n,)`` p, and the reference in words.

    Raises
    ------
    MethodError
        If the scheme has no frozen reference: a single sample has nothing else to be compared with.
    """
    frozen = scheme.reference.get("scores", {})
    lacking = [c for c in markers.classes if c not in frozen]
    if lacking:
        raise MethodError(
            f"Scheme {scheme.id} has no frozen reference of rank scores, so a single sample cannot be called; use "
            "caller='template' on a cohort."
        )
    centre, spread = (np.array([float(frozen[c][i]) for c in markers.classes]) for i in (0, 1))
    weights = rank_weights(markers)
    scores = (markers.values @ weights.T - centre) / spread
    # The differences to the reference of random markers of the same sizes: their percentiles have no class.
    hits = np.zeros(len(scores))
    spreads = np.sqrt((weights**2).sum(axis=1)) / np.sqrt(12)
    observed = ((markers.values @ weights.T - centre) / spreads).max(axis=1)
    for _ in range(n_permutations):
        shuffled = weights[:, rng.permutation(weights.shape[1])]
        hits += ((markers.values @ shuffled.T) / spreads).max(axis=1) >= observed - 1e-12
    p: FloatArray = (hits + 1) / (n_permutations + 1)
    return scores, p, f"frozen: {scheme.reference['cohort']}"


def fragile_genes(markers: Markers, values: FloatArray, unit: FloatArray | None) -> list[str]:
    """Return per sample the fewest genes without which another class is nearer, the strongest first; empty for many."""
    t = templates_of(markers) if unit is not None else rank_weights(markers)
    x = markers.values if unit is None else unit
    order = np.argsort(-np.where(np.isfinite(values), values, -np.inf), axis=1, kind="stable")
    out = []
    for i in range(len(values)):
        first, second = order[i, 0], order[i, 1]
        gap = float(values[i, first] - values[i, second])
        parts = x[i] * (t[first] - t[second])
        if not np.isfinite(gap) or not np.isfinite(parts).all():
            out.append("")
            continue
        # A rank score is in SDs of its reference: its gap is what the weighted percentiles explain in proportion.
        whole = float(parts.sum())
        parts = parts if unit is not None or whole <= 0 else parts * (gap / whole)
        strongest = np.argsort(-parts)[: MOST_LOST + 1]
        needed = int(np.searchsorted(np.cumsum(parts[strongest]), gap)) + 1
        out.append(", ".join(markers.genes[j] for j in strongest[:needed]) if needed <= MOST_LOST else "")
    return out
