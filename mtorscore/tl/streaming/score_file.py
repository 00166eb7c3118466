"""Scoring from disk in bounded memory: blocks of rows are read ahead, scored, and written when they are finished."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtorscore._atomic import atomic
from mtorscore._sparse_structure import all_missing
from mtorscore._version import __version__
from mtorscore.collection import Panel, Ratio, SignatureCollection
from mtorscore.errors import DataError, DataWarning, FormatError, MethodError, warn
from mtorscore.tl.engine.coverage_warnings import warn_scale
from mtorscore.tl.engine.execute import execute
from mtorscore.tl.engine.gene_sets import Array
from mtorscore.tl.engine.outcome import finish, tables_of
from mtorscore.tl.engine.plan import Plan, learn
from mtorscore.tl.engine.prepare import MATCHED, MethodScores, ScoreOptions, masked_rows, null_for, prepare, record
from mtorscore.tl.engine.ratios_panels import guess_scale, ratios_and_panels, scale_of_range, stated_scale
from mtorscore.tl.engine.reference import universe_hash
from mtorscore.tl.engine.source import Source
from mtorscore.tl.engine.spec import Scored
from mtorscore.tl.streaming.checkpoints import (
    Finished,
    Parts,
    content_of,
    stamps_of,
    write_h5ad,
    write_parquet,
    write_zarr,
)
from mtorscore.tl.streaming.disk_file import DiskFile
from mtorscore.tl.streaming.disk_options import DiskOptions, check_column_names, check_copy, target_of
from mtorscore.tl.streaming.gene_names import NamedGenes, name_genes
from mtorscore.tl.streaming.open_file import open_file
from mtorscore.tl.streaming.output_lock import only_writer
from mtorscore.tl.streaming.progress import progress_bar
from mtorscore.tl.streaming.stream_source import StreamSource, block_bytes, parse_memory
from mtorscore.tl.streaming.value_scale import ValueScale

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["plain", "refuse_cohort", "refuse_random_nulls", "score_block", "score_file"]

WRITE_BYTES = 16 << 20
AT_ONCE = 2
WRITERS = {".parquet": write_parquet, ".h5ad": write_h5ad, ".h5mu": write_h5ad, ".zarr": write_zarr}


@dataclass
class _Job:
    """What all blocks of a run have in common."""

    file: DiskFile
    collection: SignatureCollection
    options: ScoreOptions
    rows: npt.NDArray[np.int64] | None
    genes: NamedGenes
    values: ValueScale | None = None
    source: Any = None
    plans: list[Plan] = field(default_factory=list)
    scale: str | None = None
    columns: dict[str, list[str]] = field(default_factory=dict)
    linear: dict[str, Any] = field(default_factory=dict)


def score_file(
    path: str | Path, collection: SignatureCollection, options: ScoreOptions, disk: DiskOptions
) -> AnnData | Path:
    """Score a file; `mtorscore.tl.score` comes here when it is given a path.

    Parameters
    ----------
    path
        ``.h5ad`` or ``.h5mu`` file or ``.zarr`` folder (dense, CSR or CSC, any compression), 10x ``.h5`` or folder.
    collection, options, disk
        What to score, how, and the options of streaming.

    Returns
    -------
    AnnData or Path
        Without `out` an AnnData that has everything but the matrix; else the path written.

    Raises
    ------
    MethodError
        If a method needs the whole cohort in memory, or p-values need many passes over the file.
    DataError, FormatError
        If the file cannot be scored, or was changed since the run that is resumed, or while it was scored.
    ConfigError
        If `out` cannot be written, or another run is writing it.
    """
    parse_memory(disk.memory)
    target = target_of(path, disk.out)
    check_column_names(collection, target)
    with nullcontext() if target is None else only_writer(target):
        return _score(Path(path), collection, options, disk, target)


def _score(
    path: Path, collection: SignatureCollection, options: ScoreOptions, disk: DiskOptions, target: Path | None
) -> AnnData | Path:
    budget = parse_memory(disk.memory)
    scratch = None if target is None else target.parent
    file = open_file(
        path, layer=options.layer, modality=disk.modality, scratch=scratch, panel_bytes=block_bytes(budget),
        said=disk.said,
    )  # fmt: skip
    stamps = stamps_of(file.files)
    try:
        check_copy(file, target)
        if min(file.shape) == 0:
            raise DataError(f"The matrix is empty: {file.shape[0]} observations x {file.shape[1]} genes.")
        values = _look(file, disk)
        rows = masked_rows(disk.mask_obs, file.shape[0], lambda: file.element("obs"))
        # Logarithms are in double precision, and are made in copies.
        most = block_bytes(budget) // (1 if values is None else 2)
        source = StreamSource.over(file.matrix, rows, block=disk.block, most_bytes=most)
        source.threads = options.threads
        _refuse_all_missing(source, file)
        with progress_bar(disk.progress, source, "reading copies of genes"):
            job = _Job(file, collection, options, rows, name_genes(file, source, disk.naming), values)
        if job.genes.columns is not None:
            source.columns, source.n_vars = job.genes.columns, len(job.genes.names)
        if job.values is not None:
            source.matrix = job.values.rows(file, job.genes.columns)
        parts = None
        if target is not None:
            folder = target.with_name(f"{target.name}.parts")
            content = content_of(file.path, file.files)
            parts = Parts.open(folder, _identity(job, content), source.bounds, resume=disk.resume)
            source.bounds = parts.bounds
        with progress_bar(disk.progress, source, "learning"):
            _prepare(job, source, parts)
        with progress_bar(disk.progress, job.source, "scoring", job.source.n_obs):
            if parts is None:
                return _in_memory(job)
            _run_blocks(job, parts)
        if stamps_of(file.files) != stamps:
            parts.remove()
            raise DataError(f"{path} was changed while it was scored, so the scores were discarded. Run again.")
        return _assemble(job, parts, target)  # type: ignore[arg-type]
    finally:
        file.close()


def _look(file: DiskFile, disk: DiskOptions) -> ValueScale | None:
    """Put the matrix into rows, where it is not, and let the caller look at it."""
    with progress_bar(disk.progress, file, "putting into rows"):
        _ = file.matrix
    if file.words:
        warn(file.words, DataWarning)
    return None if disk.look is None else disk.look(file)


def _refuse_all_missing(source: StreamSource, file: DiskFile) -> None:
    """Refuse a file without a number, as reading it does; the first row tells for most files."""
    if not all_missing(file.matrix[0:1]):
        return
    if all(tile.count_special()[0] == tile.n_obs * tile.n_vars for tile in source.tiles()):
        raise FormatError("Every value of the matrix is missing (NaN); there is nothing to score.", path=file.path)


def _prepare(job: _Job, source: StreamSource, parts: Parts | None) -> None:
    def learn_blockwise(plan: Plan, over: Any) -> Plan:
        refuse_cohort(plan, "A file is scored in blocks")
        return _learn(plan, over, parts)

    job.source, job.plans = prepare(source, job.genes.names, job.collection, job.options, learn=learn_blockwise)
    warn_scale(job.plans, source)
    about = job.file.element("uns/source") if job.file.has("uns/source") else None
    refuse_random_nulls(job.plans, null_for(job.options.null, about))
    job.scale = _scale(job)


def refuse_cohort(plan: Plan, why: str) -> None:
    """Refuse methods that need the whole cohort at once, unless they have a reference."""
    if plan.spec.fit is not None and plan.spec.learns(plan.params) and plan.spec.holds_cohort:
        raise MethodError(
            f"{why}, and {plan.spec.name} needs the whole cohort in memory to learn from it. Fit a SignatureScorer on "
            "a cohort that fits (pseudobulk, or a sample of the observations) and hand it over as reference=, or use a "
            "single-sample method such as singscore or ucell."
        )


def refuse_random_nulls(plans: Sequence[Plan], null: str = "auto") -> None:
    """Refuse p-values that need random signatures, which those of a panel do."""
    found = [p.spec.name for p in plans if p.pvalues and (null == MATCHED or not p.spec.null_closed)]
    if found:
        raise MethodError(
            f"p-values of {', '.join(found)} come from random signatures, which would take many passes over the data. "
            "Ask for them on pseudobulk or on a part in memory, or use a method with a closed form such as ucell "
            '(and null="closed" for a panel of few genes).'
        )


def _learn(plan: Plan, source: Any, parts: Parts | None) -> Plan:
    """Learn from the file, or load what an unfinished run learned."""
    if plan.spec.fit is None or not plan.spec.learns(plan.params):
        return plan
    kept = None if parts is None else parts.folder / f"learned-{plan.spec.name}.npz"
    if kept is not None and kept.exists():
        with np.load(kept, allow_pickle=False) as found:
            plan.state = {k: found[k] for k in found.files}
        return plan
    source.tell(f"{plan.spec.name} reads the whole file to learn from it, before the first block is scored.")
    learn(plan, source)
    if kept is not None:
        with atomic(kept) as temporary:
            np.savez(temporary, **plan.state)  # type: ignore[arg-type]
    return plan


def score_block(
    part: Source, plans: Sequence[Plan], collection: SignatureCollection, options: ScoreOptions
) -> dict[str, tuple[list[str], Array]]:
    """Score rows in memory; return each table with its column names."""
    tables: dict[str, tuple[list[str], Array]] = {}
    scored = execute(part, plans, threads=options.threads)
    for name, plan, result in zip(options.methods, plans, scored, strict=True):
        outcome = finish(plan, result, collection, options.references.get(name))
        found = tables_of(options.key(name), outcome)
        tables |= {key: (outcome.names, values) for key, values in found.items()}
    return tables


def _tables(job: _Job, part: Source) -> dict[str, Array]:
    tables = score_block(part, job.plans, job.collection, job.options)
    if job.scale is not None:
        shim = _Described({"source": {"scale": "log1p" if job.scale == "ln" else job.scale}})
        genes = job.genes
        raw = Source(part.matrix, part.n_obs, len(genes.names), None, part.block, genes.columns, part.offset)
        tables |= ratios_and_panels(shim, job.collection, None, raw, genes.names)
        job.linear = shim.uns.get("mtorscore", {})
    job.columns = {key: names for key, (names, _) in tables.items()}
    return {key: values for key, (_, values) in tables.items()}


@dataclass
class _Described:
    """Stands in for an AnnData that describes the scale of its values."""

    uns: dict[str, Any]


def _scale(job: _Job) -> str | None:
    """Return the scale of the values, if there are entries on linear scale."""
    if not any(isinstance(e, Ratio | Panel) for e in job.collection):
        return None
    stated = None if job.values is None else job.values.stated()
    if job.values is None and job.file.has("uns/source"):
        stated = stated_scale(_Described({"source": job.file.element("uns/source")}), job.options.layer)
    if stated is not None:
        return stated
    return scale_of_range(*job.file.matrix.value_range()) if job.rows is None else guess_scale(job.source)


def _in_memory(job: _Job) -> AnnData:
    import pandas as pd
    from anndata import AnnData

    found: dict[str, list[Array]] = {}
    for _, tables in _scored(job, range(job.source.bounds.size - 1)):
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


def _run_blocks(job: _Job, parts: Parts) -> None:
    todo = parts.missing()
    job.source.report(sum(int(parts.bounds[i + 1] - parts.bounds[i]) for i in set(range(parts.n)) - set(todo)))
    # Blocks are written while the next ones are scored; when too much is waiting in memory, scoring waits for the disk.
    with ThreadPoolExecutor(1, thread_name_prefix="mtorscore-write") as pool:
        waiting: deque[tuple[Future[None], int]] = deque()
        for i, tables in _scored(job, todo):
            size = sum(t.nbytes for t in tables.values())
            while waiting and (waiting[0][0].done() or size + sum(n for _, n in waiting) > WRITE_BYTES):
                waiting.popleft()[0].result()
            waiting.append((pool.submit(parts.write, i, tables), size))
        for future, _ in waiting:
            future.result()
    if not job.columns:
        # Everything was scored before the run was killed: one row gives the names of the columns.
        _tables(job, next(iter(_first(job.source))))


def _scored(job: _Job, todo: Sequence[int]) -> Iterator[tuple[int, dict[str, Array]]]:
    """Yield the tables of each block in order; two blocks share the scoring threads, so that no thread is idle."""
    bounds = job.source.bounds
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="mtorscore-block") as pool:
        begun: deque[tuple[int, Future[dict[str, Array]]]] = deque()

        def oldest() -> tuple[int, dict[str, Array]]:
            i, future = begun.popleft()
            tables = future.result()
            job.source.report(int(bounds[i + 1] - bounds[i]))
            return i, tables

        for i, part in zip(todo, job.source.blocks(todo), strict=True):
            begun.append((i, pool.submit(_tables, job, part)))
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
        records = json.loads(json.dumps(records, default=plain))
    WRITERS[target.suffix](target, Finished(parts, job.columns, job.file, job.rows, records))
    parts.remove()
    return target


def _records(job: _Job, empty: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(job.linear)
    genes_hash = universe_hash(job.genes.names)
    layer = "log" if job.values is not None and job.values.of_layer else job.options.layer
    for name, plan in zip(job.options.methods, job.plans, strict=True):
        key, reference = job.options.key(name), job.options.references.get(name)
        gone = dict(zip(job.columns[key], empty[key], strict=True))
        row = np.array([[np.nan if gone.get(s, True) else 0.0 for s in plan.sets.names]])
        scores = MethodScores(plan, finish(plan, Scored(row), job.collection, reference), reference)
        found[key.removeprefix("score_")] = record(scores, job.collection, genes_hash, layer)
    return found


def plain(value: Any) -> Any:
    """Return a table or an array as what JSON holds."""
    if hasattr(value, "to_dict"):
        return value.reset_index().to_dict("list")
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _identity(job: _Job, content: str) -> dict[str, Any]:
    """Return what must be equal for a run to resume another."""
    options = job.options
    mask = "all" if job.rows is None else hashlib.sha256(job.rows.tobytes()).hexdigest()
    learned = {
        name: None
        if r is None
        else hashlib.sha256(b"".join(np.asarray(v).tobytes() for v in r.state.values())).hexdigest()
        for name, r in options.references.items()
    }
    return {
        "file": str(job.file.path.resolve()),
        "content": content,
        "shape": list(job.file.shape),
        "layer": options.layer or "X",
        "modality": job.file.modality or "",
        "values": job.values and job.values.identity(),
        "rows": mask,
        "genes": universe_hash(job.genes.names),
        "signatures": job.collection.hash,
        "methods": {name: {k: repr(v) for k, v in options.params[name].items()} for name in options.methods},
        "keys": options.keys,
        "references": learned,
        "min_coverage": options.min_coverage,
        "pvalues": options.pvalues,
        "universe": options.universe,
        "version": __version__,
    }
