"""Scoring from disk in bounded memory: blocks of rows are read ahead, scored, and written when they are finished."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore._atomic import atomic
from mtorscore._sparse_structure import all_missing
from mtorscore.collection import SignatureCollection
from mtorscore.errors import DataError, DataWarning, FormatError, MethodError, warn
from mtorscore.tl.engine.coverage_warnings import warn_scale
from mtorscore.tl.engine.gene_sets import Array
from mtorscore.tl.engine.outcome import freeze
from mtorscore.tl.engine.plan import Plan, learn
from mtorscore.tl.engine.prepare import MATCHED, ScoreOptions, masked_rows, null_for, prepare
from mtorscore.tl.engine.reference import Reference
from mtorscore.tl.engine.source import Source
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
from mtorscore.tl.streaming.gene_names import name_genes
from mtorscore.tl.streaming.job import EARLY, Group, Job, identity_of, plain, records_of, scale_of, tables_in
from mtorscore.tl.streaming.open_file import open_file
from mtorscore.tl.streaming.output_lock import only_writer
from mtorscore.tl.streaming.progress import progress_bar, told_what_is_kept
from mtorscore.tl.streaming.stream_source import StreamSource, block_bytes, parse_memory
from mtorscore.tl.streaming.value_scale import ValueScale

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["refuse_cohort", "refuse_random_nulls", "score_cohort_file", "score_file"]

WRITE_BYTES = 16 << 20
AT_ONCE = 2
WRITERS = {".parquet": write_parquet, ".h5ad": write_h5ad, ".h5mu": write_h5ad, ".zarr": write_zarr}


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
    return _locked(path, collection, options, disk)[0]


def score_cohort_file(
    path: str | Path, collection: SignatureCollection, options: ScoreOptions, disk: DiskOptions
) -> dict[str, Reference]:
    """Score a file as `score_file` does, and return what the methods learned.

    Parameters
    ----------
    path, collection, options, disk
        See `score_file`.

    Returns
    -------
    dict
        Method to the frozen `Reference` by which other observations can be scored alike; composites are not
        standardised.
    """
    job = _locked(path, collection, options, disk)[1]
    found = {}
    for name, plan in zip(options.methods, job.plans, strict=True):
        found[name] = freeze(plan, collection, job.genes.names, job.source.n_obs, None)
    return found


def _locked(
    path: str | Path, collection: SignatureCollection, options: ScoreOptions, disk: DiskOptions
) -> tuple[AnnData | Path, Job]:
    parse_memory(disk.memory)
    target = target_of(path, disk.out)
    check_column_names(collection, target)
    with nullcontext() if target is None else only_writer(target):
        return _score(Path(path), collection, options, disk, target)


def _score(
    path: Path, collection: SignatureCollection, options: ScoreOptions, disk: DiskOptions, target: Path | None
) -> tuple[AnnData | Path, Job]:
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
            job = Job(file, collection, options, rows, name_genes(file, source, disk.naming), values)
        if job.genes.columns is not None:
            source.columns, source.n_vars = job.genes.columns, len(job.genes.names)
        if job.values is not None:
            source.matrix = job.values.rows(file, job.genes.columns)
        parts = None
        if target is not None:
            folder = target.with_name(f"{target.name}.parts")
            content = content_of(file.path, file.files)
            identity = identity_of(job, content)
            parts = Parts.open(folder, identity, source.bounds, resume=disk.resume, give_up_others=disk.give_up_others)
            source.bounds = parts.bounds
        with told_what_is_kept(disk.progress, None if parts is None else parts.folder):
            with progress_bar(disk.progress, source, "learning"):
                _prepare(job, source, parts)
            with progress_bar(disk.progress, job.source, "scoring", job.source.n_obs):
                if parts is None:
                    return _in_memory(job), job
                _run_blocks(job, parts)
        if stamps_of(file.files) != stamps:
            parts.remove()
            raise DataError(f"{path} was changed while it was scored, so the scores were discarded. Run again.")
        return _assemble(job, parts, target), job  # type: ignore[arg-type]
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


def _prepare(job: Job, source: StreamSource, parts: Parts | None) -> None:
    """Plan the methods and let those learn that do; what needs no learning is scored on the way, where it is kept."""
    job.source, job.plans = prepare(source, job.genes.names, job.collection, job.options, learn=lambda plan, _: plan)
    learning = [job.plans[i] for i in job.learning()]
    for plan in learning:
        refuse_cohort(plan, "A file is scored in blocks")
    warn_scale(job.plans, source)
    about = job.file.element("uns/source") if job.file.has("uns/source") else None
    refuse_random_nulls(job.plans, null_for(job.options.null, about))
    job.scale = scale_of(job)
    job.groups = job.grouped(apart=parts is not None)
    for plan in learning:
        _learn(job, plan, parts)


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


def _learn(job: Job, plan: Plan, parts: Parts | None) -> None:
    """Learn from the file, or load what an unfinished run learned."""
    kept = None if parts is None else parts.folder / f"learned-{plan.spec.name}.npz"
    if kept is not None and kept.exists():
        with np.load(kept, allow_pickle=False) as found:
            plan.state = {k: found[k] for k in found.files}
        return
    _announce(job, plan)
    with _scored_on_the_way(job, parts):
        learn(plan, job.source)
    if kept is not None:
        with atomic(kept) as temporary:
            np.savez(temporary, **plan.state)  # type: ignore[arg-type]


def _announce(job: Job, plan: Plan) -> None:
    """Say what is waited for, and what is not."""
    words = f"{plan.spec.name} reads the whole file to learn from it, before its first block is scored."
    early = [job.options.methods[i] for g in job.groups if g.name == EARLY for i in g.methods]
    if early:
        words += f" The blocks of {' and '.join(early)} are scored and kept meanwhile."
    job.source.tell(words)


@contextmanager
def _scored_on_the_way(job: Job, parts: Parts | None) -> Iterator[None]:
    """Score the blocks that are read in order to learn, by the methods that need not learn."""
    early = next((g for g in job.groups if g.name == EARLY), None)
    if early is None or parts is None:
        yield
        return
    kept = parts.named(EARLY)
    missing = set(kept.missing())

    def score(i: int, part: Source) -> None:
        if i in missing:
            kept.write(i, tables_in(job, part, early))
            missing.discard(i)

    job.source.on_block = score
    try:
        yield
    finally:
        job.source.on_block = None


def _in_memory(job: Job) -> AnnData:
    import pandas as pd
    from anndata import AnnData

    found: dict[str, list[Array]] = {}
    for _, _, tables in _scored(job, range(job.source.bounds.size - 1), lambda _: job.groups):
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
    adata.uns.setdefault("mtorscore", {}).update(records_of(job, empty))
    return adata


def _run_blocks(job: Job, parts: Parts) -> None:
    missing = {group: set(parts.named(group.name).missing()) for group in job.groups}
    todo = sorted(set().union(*missing.values()))
    job.source.report(sum(int(parts.bounds[i + 1] - parts.bounds[i]) for i in set(range(parts.n)) - set(todo)))

    def wanted(i: int) -> list[Group]:
        return [group for group, blocks in missing.items() if i in blocks]

    # Blocks are written while the next ones are scored; when too much is waiting in memory, scoring waits for the disk.
    with ThreadPoolExecutor(1, thread_name_prefix="mtorscore-write") as pool:
        waiting: deque[tuple[Future[None], int]] = deque()
        for i, group, tables in _scored(job, todo, wanted):
            size = sum(t.nbytes for t in tables.values())
            while waiting and (waiting[0][0].done() or size + sum(n for _, n in waiting) > WRITE_BYTES):
                waiting.popleft()[0].result()
            waiting.append((pool.submit(parts.named(group.name).write, i, tables), size))
        for future, _ in waiting:
            future.result()
    for group in job.groups:
        if group not in job.seen:
            # Everything was scored before the run was killed: one row gives the names of the columns.
            tables_in(job, next(iter(_first(job.source))), group)


def _scored(
    job: Job, todo: Sequence[int], wanted: Callable[[int], Sequence[Group]]
) -> Iterator[tuple[int, Group, dict[str, Array]]]:
    """Yield the tables of each block in order; two blocks share the scoring threads, so that no thread is idle."""
    bounds = job.source.bounds
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="mtorscore-block") as pool:
        begun: deque[tuple[int, Future[list[tuple[Group, dict[str, Array]]]]]] = deque()

        def oldest() -> Iterator[tuple[int, Group, dict[str, Array]]]:
            i, future = begun.popleft()
            found = future.result()
            job.source.report(int(bounds[i + 1] - bounds[i]))
            yield from ((i, group, tables) for group, tables in found)

        def work(i: int, part: Source) -> list[tuple[Group, dict[str, Array]]]:
            return [(group, tables_in(job, part, group)) for group in wanted(i)]

        for i, part in zip(todo, job.source.blocks(todo), strict=True):
            begun.append((i, pool.submit(work, i, part)))
            if len(begun) == AT_ONCE:
                yield from oldest()
        while begun:
            yield from oldest()


def _first(source: StreamSource) -> Iterator[Source]:
    index: Any = slice(0, 1) if source.rows is None else source.rows[:1]
    yield Source(source.matrix[index], 1, source.n_vars, None, None, source.columns)


def _assemble(job: Job, parts: Parts, target: Path) -> Path:
    columns = job.columns_in_order()
    finished = Finished(tuple(parts.named(g.name) for g in job.groups), columns, job.file, job.rows, {})
    empty = {key: np.ones(len(names), dtype=np.bool_) for key, names in columns.items()}
    for tables in finished.blocks():
        for key, values in zip(columns, tables, strict=True):
            empty[key] &= np.isnan(values).all(axis=0)
        if not any(e.any() for e in empty.values()):
            break
    records = records_of(job, empty)
    if target.suffix == ".parquet":
        records = json.loads(json.dumps(records, default=plain))
    WRITERS[target.suffix](target, replace(finished, record=records))
    parts.remove()
    return target
