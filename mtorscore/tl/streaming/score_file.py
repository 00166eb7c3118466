"""Scoring from disk: blocks of rows are read ahead, scored, and written as they come, in bounded memory."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtorscore._atomic import atomic
from mtorscore._version import __version__
from mtorscore.collection import Panel, Ratio, SignatureCollection, SignaturesLike, as_collection
from mtorscore.errors import DataError, MethodError, SignatureError, examples
from mtorscore.tl.engine import outcome as _run
from mtorscore.tl.engine import plan as engine
from mtorscore.tl.engine.reference import Reference, universe_hash
from mtorscore.tl.engine.source import Source
from mtorscore.tl.engine.spec import Array, Scored
from mtorscore.tl.streaming.checkpoints import Parts, write_h5ad, write_parquet, write_zarr
from mtorscore.tl.streaming.disk_matrix import DiskFile, check_kind, open_file
from mtorscore.tl.streaming.progress import progress_bar
from mtorscore.tl.streaming.stream_source import StreamSource, block_bytes, parse_memory

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["refuse_cohort", "score_file"]

WRITE_BYTES = 16 << 20
AT_ONCE = 2
WRITERS = {".parquet": write_parquet, ".h5ad": write_h5ad, ".zarr": write_zarr}


@dataclass
class _Job:
    """What stays the same from block to block."""

    file: DiskFile
    collection: SignatureCollection
    chosen: list[str]
    keys: list[str]
    references: Mapping[str, Reference | None]
    layer: str | None
    rows: npt.NDArray[np.int64] | None
    source: Any = None
    plans: list[engine.Plan] = field(default_factory=list)
    scale: str | None = None
    columns: dict[str, list[str]] = field(default_factory=dict)
    linear: dict[str, Any] = field(default_factory=dict)


def score_file(
    path: str | Path,
    signatures: SignaturesLike = None,
    *,
    method: str | Sequence[str],
    layer: str | None = None,
    mask_obs: npt.ArrayLike | str | None = None,
    reference: Any = None,
    min_coverage: float = 0.0,
    pvalues: bool = False,
    key_added: str | None = None,
    universe: str = "refuse",
    threads: int | None = None,
    block: int | None = None,
    memory: str | int = "1GB",
    out: str | Path | None = None,
    progress: bool = False,
    resume: bool = True,
    params: Mapping[str, Any] | None = None,
) -> AnnData | Path:
    """Score a file; `mtorscore.tl.score` comes here when it is given a path.

    Parameters
    ----------
    path
        ``.h5ad`` file or ``.zarr`` folder; dense, CSR or CSC, any compression.
    memory
        What the blocks in memory, and the copies made of them, may take, such as ``"1GB"``; scores that are handed
        back instead of written (`out`) come on top.
    out
        ``.parquet`` (read by `read_scores`), ``.h5ad`` or ``.zarr`` (a copy of the input with the scores in
        ``.obsm``). Finished blocks wait in ``<out>.parts``; a run that was killed goes on from there.
    progress
        Show a bar with cells per second on standard error.
    resume
        Go on with an unfinished run; False begins anew.
    signatures, method, layer, mask_obs, reference, min_coverage, pvalues, key_added, universe, threads, block, params
        See `mtorscore.tl.score`.

    Returns
    -------
    AnnData or Path
        Without `out` an AnnData that has everything but the matrix; else the path written.

    Raises
    ------
    MethodError
        If a method needs the whole cohort in memory, or p-values need many walks over the file.
    DataError, FormatError
        If the file cannot be scored, or `out` cannot be written.
    """
    from mtorscore.tl.scoring import _key, _methods, _reference_for, prepare, split_params

    budget = parse_memory(memory)
    target = _target(path, out)
    chosen = _methods(method)
    options = split_params(chosen, params or {})
    collection = as_collection(signatures)
    if len(collection) == 0:
        raise SignatureError("The collection holds no signature.")
    slashes = [e.id for e in collection if "/" in e.id]
    if slashes and target is not None and target.suffix != ".parquet":
        raise DataError(f"{target.suffix} cannot name a column {examples(slashes)}; write .parquet, or rename it.")
    check_kind(Path(path))
    scratch = None if target is None else target.parent
    file = open_file(path, layer=layer, scratch=scratch, panel_bytes=block_bytes(budget))
    try:
        rows = _rows(file, mask_obs)
        if min(file.matrix.shape) == 0:
            raise DataError(f"The matrix is empty: {file.matrix.shape[0]} observations x {file.matrix.shape[1]} genes.")
        keys = [_key(name, key_added, len(chosen)) for name in chosen]
        references = {name: _reference_for(reference, name) for name in chosen}
        job = _Job(file, collection, chosen, keys, references, layer, rows)
        source = StreamSource.over(file.matrix, rows, block=block, most_bytes=block_bytes(budget))
        source.threads = threads
        parts = None
        if target is not None:
            identity = _identity(job, options, min_coverage, pvalues, universe)
            parts = Parts.open(target.with_name(f"{target.name}.parts"), identity, source.bounds, resume=resume)
            source.bounds = parts.bounds

        def learn(plan: engine.Plan, over: Any) -> engine.Plan:
            refuse_cohort(plan, "A file is scored in blocks")
            return _learn(plan, over, parts)

        with progress_bar(progress, source, "learning"):
            job.source, job.plans = prepare(
                source,
                file.genes,
                collection,
                chosen,
                options,
                references=references,
                min_coverage=min_coverage,
                pvalues=pvalues,
                universe=universe,
                learn=learn,
            )
            refuse_random_nulls(job.plans)
            job.scale = _scale(job)
        with progress_bar(progress, job.source, "scoring"):
            if parts is None:
                return _in_memory(job, threads)
            _run_blocks(job, parts, threads)
        return _assemble(job, parts, target)  # type: ignore[arg-type]
    finally:
        file.close()


def refuse_cohort(plan: engine.Plan, why: str) -> None:
    """Refuse methods that need the whole cohort at once, unless they have a reference."""
    if plan.spec.fit is not None and plan.spec.learns(plan.params) and plan.spec.holds_cohort:
        raise MethodError(
            f"{why}, and {plan.spec.name} needs the whole cohort in memory to learn from it. Fit a SignatureScorer on "
            "a cohort that fits (pseudobulk, or a sample of the observations) and hand it over as reference=, or use a "
            "single-sample method such as singscore or ucell."
        )


def refuse_random_nulls(plans: Sequence[engine.Plan]) -> None:
    """Refuse p-values that have no closed form."""
    found = [p.spec.name for p in plans if p.pvalues and not p.spec.null_closed]
    if found:
        raise MethodError(
            f"p-values of {', '.join(found)} come from random signatures, which would take many walks over the data. "
            "Ask for them on pseudobulk or on a part in memory, or use a method with a closed form such as ucell."
        )


def _learn(plan: engine.Plan, source: Any, parts: Parts | None) -> engine.Plan:
    """Learn from the file, or take what an unfinished run learned."""
    if plan.spec.fit is None or not plan.spec.learns(plan.params):
        return plan
    if parts is None:
        return engine.learn(plan, source)
    kept = parts.folder / f"learned-{plan.spec.name}.npz"
    if kept.exists():
        with np.load(kept, allow_pickle=False) as found:
            plan.state = {k: found[k] for k in found.files}
        return plan
    engine.learn(plan, source)
    with atomic(kept) as temporary:
        np.savez(temporary, **plan.state)  # type: ignore[arg-type]
    return plan


def score_block(
    part: Source,
    plans: Sequence[engine.Plan],
    keys: Sequence[str],
    chosen: Sequence[str],
    job: Any,
    threads: int | None,
) -> dict[str, tuple[list[str], Array]]:
    """Score rows that are in memory and return every table that they give, with its columns."""
    from mtorscore._multiple_testing import adjust_p

    tables: dict[str, tuple[list[str], Array]] = {}
    for name, key, plan, scored in zip(chosen, keys, plans, engine.execute(part, plans, threads=threads), strict=True):
        outcome = _run.finish(plan, scored, job.collection, job.references[name])
        tail = key.removeprefix("score_")
        tables[key] = (outcome.names, outcome.scores)
        for what, values in outcome.extras.items():
            tables[f"{what}_{tail}"] = (outcome.names, values)
        if outcome.pvalues is not None:
            tables[f"pval_{tail}"] = (outcome.names, outcome.pvalues)
            tables[f"padj_{tail}"] = (outcome.names, adjust_p(outcome.pvalues))
    return tables


def _tables(job: _Job, part: Source, threads: int | None) -> dict[str, Array]:
    tables = score_block(part, job.plans, job.keys, job.chosen, job, threads)
    if job.scale is not None:
        from mtorscore.tl.engine.ratios_panels import ratios_and_panels

        shim = _Described({"source": {"scale": "log1p" if job.scale == "ln" else job.scale}})
        raw = Source(part.matrix, part.n_obs, len(job.file.genes), None, part.block, None, part.offset)
        tables |= ratios_and_panels(shim, job.collection, None, raw, job.file.genes)
        job.linear = shim.uns.get("mtorscore", {})
    job.columns = {key: names for key, (names, _) in tables.items()}
    return {key: values for key, (_, values) in tables.items()}


@dataclass
class _Described:
    """Carries what is said of the values, where no AnnData is there."""

    uns: dict[str, Any]


def _scale(job: _Job) -> str | None:
    """Return the scale of the values, if entries on linear scale need it."""
    if not any(isinstance(e, Ratio | Panel) for e in job.collection):
        return None
    from mtorscore.tl.engine.ratios_panels import guess_scale, scale_of_range, stated_scale

    stated = None
    if job.file.has("uns/source"):
        stated = stated_scale(_Described({"source": job.file.element("uns/source")}), job.layer)
    if stated is not None:
        return stated
    return scale_of_range(*job.file.matrix.value_range()) if job.rows is None else guess_scale(job.source)


def _in_memory(job: _Job, threads: int | None) -> AnnData:
    import pandas as pd
    from anndata import AnnData

    found: dict[str, list[Array]] = {}
    for _, tables in _scored(job, range(job.source.bounds.size - 1), threads):
        for key, values in tables.items():
            found.setdefault(key, []).append(values)
    obs = job.file.element("obs")
    uns = job.file.element("uns") if job.file.has("uns") else {}
    adata = AnnData(obs=obs, var=job.file.element("var"), uns=uns)
    empty = {}
    for key in list(found):
        values = np.vstack(found.pop(key))
        empty[key] = np.isnan(values).all(axis=0)
        if job.rows is not None:
            full = np.full((adata.n_obs, values.shape[1]), np.nan)
            full[job.rows] = values
            values = full
        adata.obsm[key] = pd.DataFrame(values, index=adata.obs_names, columns=job.columns[key], copy=False)
    adata.uns.setdefault("mtorscore", {}).update(_records(job, empty))
    return adata


def _run_blocks(job: _Job, parts: Parts, threads: int | None) -> None:
    todo = parts.missing()
    job.source.tell(sum(int(parts.bounds[i + 1] - parts.bounds[i]) for i in set(range(parts.n)) - set(todo)))
    # Blocks are written while the next ones are scored; a slow disk is waited for when much lies in memory.
    with ThreadPoolExecutor(1, thread_name_prefix="mtorscore-write") as pool:
        waiting: deque[tuple[Future[None], int]] = deque()
        for i, tables in _scored(job, todo, threads):
            size = sum(t.nbytes for t in tables.values())
            while waiting and (waiting[0][0].done() or size + sum(n for _, n in waiting) > WRITE_BYTES):
                waiting.popleft()[0].result()
            waiting.append((pool.submit(parts.write, i, tables), size))
        for future, _ in waiting:
            future.result()
    if not job.columns:
        # Everything was scored before the run was cut off: one row tells the names of the columns.
        _tables(job, next(iter(_first(job.source))), threads)


def _scored(job: _Job, todo: Sequence[int], threads: int | None) -> Iterator[tuple[int, dict[str, Array]]]:
    """Yield the tables of each block in order; two blocks share the scoring threads, so that none of them idles."""
    bounds = job.source.bounds
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="mtorscore-block") as pool:
        begun: deque[tuple[int, Future[dict[str, Array]]]] = deque()

        def oldest() -> tuple[int, dict[str, Array]]:
            i, future = begun.popleft()
            tables = future.result()
            job.source.tell(int(bounds[i + 1] - bounds[i]))
            return i, tables

        for i, part in zip(todo, job.source.blocks(todo), strict=True):
            begun.append((i, pool.submit(_tables, job, part, threads)))
            if len(begun) == AT_ONCE:
                yield oldest()
        while begun:
            yield oldest()


def _first(source: StreamSource) -> Iterator[Source]:
    index: Any = slice(0, 1) if source.rows is None else source.rows[:1]
    yield Source(source.matrix[index], 1, source.n_vars, None, None, source.columns)


def _assemble(job: _Job, parts: Parts, target: Path) -> Path:
    empty = {key: np.ones(len(names), dtype=np.bool_) for key, names in job.columns.items()}
    for tables in parts:
        for key, values in zip(job.columns, tables, strict=True):
            empty[key] &= np.isnan(values).all(axis=0)
        if not any(e.any() for e in empty.values()):
            break
    records = _records(job, empty)
    if target.suffix == ".parquet":
        records = json.loads(json.dumps(records, default=_plain))
    WRITERS[target.suffix](target, parts, job.columns, job.file, job.rows, records)
    parts.remove()
    return target


def _records(job: _Job, empty: Mapping[str, Any]) -> dict[str, Any]:
    from mtorscore.tl.scoring import _record

    found = dict(job.linear)
    genes_hash = universe_hash(job.file.genes)
    for name, key, plan in zip(job.chosen, job.keys, job.plans, strict=True):
        gone = dict(zip(job.columns[key], empty[key], strict=True))
        row = np.array([[np.nan if gone.get(s, True) else 0.0 for s in plan.sets.names]])
        outcome = _run.finish(plan, Scored(row), job.collection, job.references[name])
        record = _record(plan, outcome, job.collection, genes_hash, job.references[name], job.layer)
        found[key.removeprefix("score_")] = record
    return found


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return value.reset_index().to_dict("list")
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _identity(
    job: _Job, options: Mapping[str, Any], min_coverage: float, pvalues: bool, universe: str
) -> dict[str, Any]:
    """Return what must be the same for blocks of two runs to belong together."""
    file = job.file.path.stat()
    mask = "all" if job.rows is None else hashlib.sha256(job.rows.tobytes()).hexdigest()
    learned = {
        name: None
        if r is None
        else hashlib.sha256(b"".join(np.asarray(v).tobytes() for v in r.state.values())).hexdigest()
        for name, r in job.references.items()
    }
    return {
        "file": [str(job.file.path.resolve()), file.st_size, file.st_mtime_ns],
        "shape": list(job.file.matrix.shape),
        "layer": job.layer or "X",
        "rows": mask,
        "genes": universe_hash(job.file.genes),
        "signatures": job.collection.hash,
        "methods": {name: {k: repr(v) for k, v in options[name].items()} for name in job.chosen},
        "keys": job.keys,
        "references": learned,
        "min_coverage": min_coverage,
        "pvalues": pvalues,
        "universe": universe,
        "version": __version__,
    }


def _target(path: str | Path, out: str | Path | None) -> Path | None:
    if out is None:
        return None
    target = Path(out)
    if target.suffix not in WRITERS:
        raise DataError(f"out={str(out)!r} must end in {examples(WRITERS)}.")
    same_kind = target.suffix == ".parquet" or target.suffix == Path(path).suffix
    if not same_kind:
        raise DataError(f"{target.name} is a copy of the input with scores, so it must end in {Path(path).suffix}.")
    if target.resolve() == Path(path).resolve():
        raise DataError(f"out={str(out)!r} is the file that is being read; give the copy another name.")
    if not target.parent.is_dir():
        raise DataError(f"There is no folder {target.parent} to write {target.name} in.")
    return target


def _rows(file: DiskFile, mask: npt.ArrayLike | str | None) -> npt.NDArray[np.int64] | None:
    if mask is None:
        return None
    n_obs = file.matrix.shape[0]
    if isinstance(mask, str):
        obs = file.element("obs")
        if mask not in obs:
            raise DataError(f"mask_obs={mask!r} is not a column of obs.")
        mask = np.asarray(obs[mask])
    values = np.asarray(mask)
    if values.dtype != bool or values.shape != (n_obs,):
        raise DataError(f"mask_obs must be {n_obs} booleans, not {values.dtype} of shape {values.shape}.")
    if not values.any():
        raise DataError("mask_obs leaves no observation to score.")
    return np.flatnonzero(values)
