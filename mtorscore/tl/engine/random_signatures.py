"""Random signatures like a given one, and their scores by the same method: the null of a signature's result."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtorscore._workers import workers
from mtorscore.collection import Signature, SignatureCollection, SignaturesLike, as_collection
from mtorscore.errors import DataError, MethodError
from mtorscore.tl.engine import registry
from mtorscore.tl.engine.cached_matrix import Held, gene_means_of, hold, hold_source, learn, score_columns, score_held
from mtorscore.tl.engine.gene_sets import ROUNDING, Array, DrawnSets, Ints, Sets
from mtorscore.tl.engine.open_source import open_source
from mtorscore.tl.engine.plan import columns_of_genes
from mtorscore.tl.engine.source import Source
from mtorscore.tl.engine.spec import MethodSpec

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = [
    "Held",
    "draw",
    "expression_bins",
    "hold",
    "random_pvalues",
    "random_scores",
    "random_signatures",
    "score_columns",
    "score_sets",
]

CHUNK_BYTES = 256 << 20
GROUP_ENTRIES = 2_000_000
GROUP_SCORES = 16_000_000


def expression_bins(means: npt.ArrayLike, n_bins: int) -> Ints:
    """Sort genes into bins of about equal size by mean expression; equal means share a bin.

    Parameters
    ----------
    means
        ``(n_vars,)`` mean per gene; NaN is a bin of its own.
    n_bins
        Bins wanted; ties can leave fewer.

    Returns
    -------
    numpy.ndarray
        ``(n_vars,)`` bin numbers from 0.
    """
    from scipy.stats import rankdata

    values = np.asarray(means, dtype=np.float64)
    known = ~np.isnan(values)
    out = np.full(values.size, n_bins, dtype=np.int64)
    if known.any():
        ranks = rankdata(values[known], method="min") - 1
        out[known] = np.floor(ranks * n_bins / known.sum()).astype(np.int64)
    return np.unique(out, return_inverse=True)[1].astype(np.int64)


def draw(columns: Ints | None, size: int, n_sets: int, bins: Ints, *, seed: int, stream: int | str = 0) -> Ints:
    """Draw random gene sets matched in size and, if the template's columns are known, in expression bins.

    Parameters
    ----------
    columns
        Columns of the template; None draws from all genes alike.
    size
        Genes of the template.
    n_sets
        Sets wanted.
    bins
        ``(n_vars,)`` bin of each gene.
    seed, stream
        What decides the draw; another template should have another stream.

    Returns
    -------
    numpy.ndarray
        ``(n_sets, size)`` columns; place j is drawn from the bin of the template's gene j.
    """
    from mtorscore.tl.kernels.random_draws import draw_sets

    if size > bins.size:
        raise DataError(f"A template of {size} genes cannot be drawn from {bins.size}.")
    if columns is None:
        pool, pointer = np.arange(bins.size, dtype=np.int64), np.array([0, bins.size], dtype=np.int64)
    else:
        pool = np.argsort(bins, kind="stable").astype(np.int64)
        pointer = np.concatenate([[0], np.cumsum(np.bincount(bins))]).astype(np.int64)
    bin_of = np.zeros(size, dtype=np.int64) if columns is None else bins[columns]
    start = int.from_bytes(hashlib.sha256(f"{seed}/{stream}".encode()).digest()[:8], "little")
    found: Ints = draw_sets(pool, pointer, bin_of, n_sets, np.uint64(start))
    return found


def random_scores(
    X: Any,
    weights: Array | Sequence[npt.ArrayLike] | Sequence[tuple[Ints, Array]],
    n_sets: int,
    *,
    method: str,
    bins: int | npt.ArrayLike | None = None,
    seed: int = 0,
    streams: Sequence[str] | None = None,
    params: Mapping[str, Any] | None = None,
) -> Iterator[tuple[int, Array]]:
    """Score random signatures that have the sizes, directions and weights of templates.

    Parameters
    ----------
    X
        ``(n_obs, n_vars)`` expression, any container that `score` takes, or what `hold` made of one.
    weights
        ``(n_vars, n_templates)`` signed weights, 0 for genes that a template does not hold; or columns and
        signed weights of each template; or signed weights of each, without positions, which cannot be matched in
        expression.
    n_sets
        Random signatures per template.
    method
        The scoring method. A cohort-dependent one learns from `X`.
    bins
        Match expression: a number of bins of about equal size by mean expression, or the bin of each gene. None
        draws from all genes alike.
    seed
        Same seed, same sets, whatever else is asked for.
    streams
        Per template what its draw follows beside the seed, such as the hash of a signature, so that it is the same
        beside other templates and in another order; the template's number by default.
    params
        Parameters of the method.

    Yields
    ------
    template, scores
        The template's number and ``(n_obs, n_sets)``: exact to about 1e-9 of the largest score, since sums may
        be taken in fixed point; of `ssgsea` and `zscore`, for 4,096 genes or more and templates of 3 genes or more,
        to a thousandth of the SD of random scores, which their quantiles do not show.

    Raises
    ------
    MethodError
        If bins are asked for without the templates' positions, or the method cannot learn from `X`.
    """
    held = X if isinstance(X, Held) else hold(X)
    templates = _templates(weights)
    if bins is not None and any(columns is None for columns, _ in templates):
        raise MethodError("Matching expression needs positions: give weights as an (n_vars, n_templates) array.")
    for columns, _ in templates:
        if columns is not None and columns.size and columns.max() >= held.n_vars:
            raise DataError(f"The weights have more rows than the matrix has genes ({held.n_vars}).")
    spec = registry.get(method)
    checked = registry.check_params(spec, params or {})
    checked = columns_of_genes(spec, checked, held.names)
    assigned = _bins(held, bins)
    if spec.keeps_tables and held.plain:
        yield from _one_by_one(held, spec, checked, templates, assigned, (n_sets, seed, streams, bins is not None))
        return
    state: Mapping[str, Any] = {}
    group: list[tuple[int, Ints, Array]] = []
    for number, (columns, values) in enumerate(templates):
        stream = number if streams is None else streams[number]
        drawn = draw(columns if bins is not None else None, values.size, n_sets, assigned, seed=seed, stream=stream)
        if not state and not spec.state_per_set:
            state = learn(spec, checked, held, everything(drawn[:1], values, held.n_vars))
        if spec.state_per_set:
            yield number, score_sets(held, spec, checked, drawn, values, state)
            continue
        # Templates are scored together, since one pass over the matrix then serves all of them.
        group.append((number, drawn, values))
        if sum(one.size for _, one, _ in group) >= GROUP_ENTRIES or len(group) * n_sets * held.n_obs >= GROUP_SCORES:
            yield from _score_group(held, spec, checked, group, state)
            group = []
    yield from _score_group(held, spec, checked, group, state)


def random_signatures(
    signatures: SignaturesLike,
    expression: AnnData,
    n: int,
    *,
    seed: int = 0,
    n_bins: int = 20,
    layer: str | None = None,
) -> SignatureCollection:
    """Draw random signatures with the same directions, sizes, weights and expression bins.

    Parameters
    ----------
    signatures
        Templates; genes that the matrix lacks are not replaced.
    expression
        AnnData that gives the genes and their mean expression.
    n
        Random signatures per template.
    seed
        Same seed, same signatures.
    n_bins
        Bins of mean expression; 1 draws from all genes alike.
    layer
        Layer instead of ``.X``.

    Returns
    -------
    SignatureCollection
        ``<id>.random1`` and so on, templates without a gene in the matrix left out.
    """
    names = [str(g) for g in expression.var_names]
    collection = as_collection(signatures)
    resolved = collection.resolve(names)
    source = open_source(expression.X if layer is None else expression.layers[layer])
    bins = expression_bins(gene_means_of(source), n_bins)
    out = []
    for i, name in enumerate(resolved.names):
        part = slice(resolved.indptr[i], resolved.indptr[i + 1])
        columns, weights = resolved.indices[part], resolved.weights[part]
        if columns.size:
            drawn = draw(columns, columns.size, n, bins, seed=seed, stream=i)
            out += [_signature(f"{name}.random{j + 1}", names, row, weights) for j, row in enumerate(drawn)]
    return SignatureCollection(out)


def score_sets(
    held: Held, spec: MethodSpec, params: Mapping[str, Any], drawn: Ints, weights: Array, state: Mapping[str, Any]
) -> Array:
    """Score many sets of one size, some at a time, with ranks shared by all; ``(n_obs, n_sets)``."""
    used = np.sign(weights) if not spec.weighted else weights
    used = used if spec.signed else np.abs(used)
    n_obs, n_vars = held.n_obs, held.n_vars
    out = np.empty((n_obs, drawn.shape[0]))
    step = max(1, CHUNK_BYTES // max(8 * min(n_obs, 256) * 8, 8 * drawn.shape[1]))
    for a in range(0, drawn.shape[0], step):
        sets = everything(drawn[a : a + step], used, n_vars, held.genes)
        mine = learn(spec, params, held, sets) if spec.state_per_set else state
        for tile in held.tiles():
            out[tile.start : tile.start + tile.n_obs, a : a + step] = spec.score(tile, sets, params, mine, False).scores
    return out


def _one_by_one(
    held: Held,
    spec: MethodSpec,
    params: Mapping[str, Any],
    templates: Sequence[tuple[Ints | None, Array]],
    bins: Ints,
    how: tuple[int, int, Sequence[str] | None, bool],
) -> Iterator[tuple[int, Array]]:
    """Score the sets of each template for itself, some templates ahead of the one that is waited for."""
    n_sets, seed, streams, matched = how
    of_bins = hashlib.sha256(bins.tobytes()).digest()
    state = learn(spec, params, held, everything(np.zeros((1, 1), dtype=np.int64), np.ones(1), held.n_vars, held.genes))

    def scored(number: int) -> Array:
        columns, values = templates[number]
        place = columns if matched else None
        stream = number if streams is None else streams[number]
        key = ("drawn", stream, values.size, n_sets, seed, b"" if place is None else place.tobytes(), of_bins)
        # Methods that take turns draw the same sets.
        drawn = held.once(
            key, lambda: draw(place, values.size, n_sets, bins, seed=seed, stream=stream).astype(np.int32)
        )
        out = np.empty((held.n_obs, n_sets))
        sets = _drawn_sets(spec, drawn, values, held)
        for tile in held.tiles():
            out[tile.start : tile.start + tile.n_obs] = spec.score(tile, sets, params, state, False).scores
        return out

    threads = workers()
    if threads == 1:
        yield from ((number, scored(number)) for number in range(len(templates)))
        return
    if not templates:
        return
    # The first template makes the tables that all need, so that threads do not make them at the same time.
    yield 0, scored(0)
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque((i, pool.submit(scored, i)) for i in range(1, min(1 + threads, len(templates))))
        for following in range(1 + threads, len(templates) + threads):
            if not waiting:
                break
            number, found = waiting.popleft()
            scores = found.result()
            if following < len(templates):
                waiting.append((following, pool.submit(scored, following)))
            yield number, scores


def _drawn_sets(spec: MethodSpec, drawn: Ints, weights: Array, held: Held) -> DrawnSets:
    """Return the sets drawn for a template, up genes first, over all genes of the matrix."""
    used = np.sign(weights) if not spec.weighted else weights
    used = used if spec.signed else np.abs(used)
    down = used < 0
    if down.any():
        up_first = np.argsort(down, kind="stable")
        drawn, used = drawn[:, up_first], used[up_first]
    sets = everything(drawn, used, held.n_vars, held.genes)
    return DrawnSets(**{f.name: getattr(sets, f.name) for f in fields(sets)} | {"drawn": True})


def _score_group(
    held: Held,
    spec: MethodSpec,
    params: Mapping[str, Any],
    group: Sequence[tuple[int, Ints, Array]],
    state: Mapping[str, Any],
) -> Iterator[tuple[int, Array]]:
    """Score the sets of several templates in one pass; yield each template's number and scores."""
    if not group:
        return
    parts = []
    for _, drawn, weights in group:
        used = np.sign(weights) if not spec.weighted else weights
        up_first = np.argsort(weights < 0, kind="stable")
        drawn, used = drawn[:, up_first], used[up_first]
        parts.append(everything(drawn, used if spec.signed else np.abs(used), held.n_vars, held.genes))
    ends = np.cumsum([0, *(len(part) for part in parts)])
    n = int(ends[-1])
    sizes = np.concatenate([part.sizes for part in parts])
    sets = replace(
        parts[0],
        names=tuple(str(i) for i in range(n)),
        indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        slots=np.concatenate([part.slots for part in parts]),
        weights=np.concatenate([part.weights for part in parts]),
        missing_up=np.zeros(n, dtype=np.int64),
        missing_down=np.zeros(n, dtype=np.int64),
        drawn=True,
    )
    out = score_held(held, spec, params, sets, state)
    for (number, _, _), a, b in zip(group, ends[:-1], ends[1:], strict=True):
        yield number, np.ascontiguousarray(out[:, a:b])


@cache
def _numbers(n: int) -> tuple[str, ...]:
    return tuple(str(i) for i in range(n))


def everything(drawn: Ints, weights: Array, n_vars: int, genes: Ints | None = None) -> Sets:
    """Return drawn columns as sets over all genes of the matrix, so that ranks and moments are shared by all sets."""
    n, k = drawn.shape
    none = np.zeros(n, dtype=np.int64)
    return Sets(
        names=_numbers(n),
        indptr=np.arange(n + 1, dtype=np.int64) * k,
        slots=drawn.ravel().astype(np.int64),
        weights=np.tile(weights, n),
        genes=np.arange(n_vars, dtype=np.int64) if genes is None else genes,
        missing_up=none,
        missing_down=none,
        n_vars=n_vars,
    )


def random_pvalues(
    source: Source,
    spec: MethodSpec,
    params: Mapping[str, Any],
    sets: Sets,
    state: Mapping[str, Any],
    scores: Array,
    *,
    n_random: int,
    seed: int = 0,
    n_bins: int = 20,
) -> Array:
    """Compare scores with those of random signatures matched in size, direction, weight and expression.

    Parameters
    ----------
    source, spec, params, sets, state
        What the scores were computed with.
    scores
        ``(n_obs, n_sets)``.
    n_random
        Random signatures per signature; the smallest p-value is ``2 / (n_random + 1)``.
    seed
        Decides the draw.
    n_bins
        Bins of mean expression.

    Returns
    -------
    numpy.ndarray
        Two-sided p-values, same shape; NaN where the score is.
    """
    held = hold_source(source)
    bins = _bins(held, n_bins)
    if spec.state_per_gene:
        state = learn(spec, params, held, everything(np.zeros((1, 1), dtype=np.int64), np.ones(1), held.n_vars))
    out = np.full(scores.shape, np.nan)
    for i in range(len(sets)):
        part = slice(sets.indptr[i], sets.indptr[i + 1])
        columns, weights = sets.genes[sets.slots[part]], sets.weights[part]
        if not columns.size:
            continue
        drawn = draw(columns, columns.size, n_random, bins, seed=seed, stream=i)
        null = score_sets(held, spec, params, drawn, weights, state)
        own = scores[:, i : i + 1]
        # A random signature with the same genes reaches the score, whatever the order in which it was added up.
        slack = ROUNDING * np.maximum(np.abs(own), np.nanmax(np.abs(null), axis=1, keepdims=True, initial=0.0))
        above = 1 + np.sum(null >= own - slack, axis=1)
        below = 1 + np.sum(null <= own + slack, axis=1)
        known = np.sum(~np.isnan(null), axis=1)
        p = np.minimum(1.0, 2.0 * np.minimum(above, below) / (known + 1))
        out[:, i] = np.where(np.isnan(scores[:, i]) | (known == 0), np.nan, p)
    return out


def _bins(held: Held, bins: int | npt.ArrayLike | None) -> Ints:
    if bins is None:
        return np.zeros(held.n_vars, dtype=np.int64)
    if isinstance(bins, int | np.integer):
        return expression_bins(held.gene_means, int(bins))
    given = np.asarray(bins)
    if given.shape != (held.n_vars,):
        raise DataError(f"bins has shape {given.shape}; one bin per gene, ({held.n_vars},), is needed.")
    return np.unique(given, return_inverse=True)[1].astype(np.int64)


def _templates(weights: Any) -> list[tuple[Ints | None, Array]]:
    if isinstance(weights, np.ndarray) and weights.ndim == 2:
        found: list[tuple[Ints | None, Array]] = []
        for j in range(weights.shape[1]):
            columns = np.flatnonzero(weights[:, j]).astype(np.int64)
            found.append((columns, weights[columns, j].astype(np.float64)))
        return found
    if all(isinstance(w, tuple) for w in weights):
        return [(np.asarray(c, dtype=np.int64), np.asarray(w, dtype=np.float64)) for c, w in weights]
    return [(None, np.asarray(w, dtype=np.float64)) for w in weights]


def _signature(name: str, names: Sequence[str], columns: Ints, weights: Array) -> Signature:
    pairs = [(names[c], float(w)) for c, w in zip(columns, weights, strict=True)]
    return Signature(
        id=name,
        up=tuple(g for g, w in pairs if w > 0),
        down=tuple(g for g, w in pairs if w < 0),
        weights={g: abs(w) for g, w in pairs if abs(w) != 1},
    )
