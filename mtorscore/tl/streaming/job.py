"""What all blocks of a run have in common, the tables of one block, and what is recorded of the run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore._version import __version__
from mtorscore.collection import Panel, Ratio, SignatureCollection
from mtorscore.tl.engine.execute import execute
from mtorscore.tl.engine.gene_sets import Array
from mtorscore.tl.engine.outcome import finish, tables_of
from mtorscore.tl.engine.plan import Plan
from mtorscore.tl.engine.prepare import MethodScores, ScoreOptions, record
from mtorscore.tl.engine.ratios_panels import guess_scale, ratios_and_panels, scale_of_range, stated_scale
from mtorscore.tl.engine.reference import universe_hash
from mtorscore.tl.engine.source import Source
from mtorscore.tl.engine.spec import Scored
from mtorscore.tl.streaming.disk_file import DiskFile
from mtorscore.tl.streaming.gene_names import NamedGenes
from mtorscore.tl.streaming.value_scale import ValueScale

__all__ = ["EARLY", "Group", "Job", "identity_of", "plain", "records_of", "scale_of", "tables_in"]

EARLY, BLOCK = "early", "block"
LAYOUT = 2
"""Of the files of finished blocks; 1 knew no blocks that are scored while others learn."""


@dataclass(frozen=True)
class Group:
    """Methods (by their number) whose blocks are scored together, and whether ratios and panels are."""

    name: str
    methods: tuple[int, ...]
    linear: bool


@dataclass
class Job:
    """What all blocks of a run have in common."""

    file: DiskFile
    collection: SignatureCollection
    options: ScoreOptions
    rows: npt.NDArray[np.int64] | None
    genes: NamedGenes
    values: ValueScale | None = None
    source: Any = None
    plans: list[Plan] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    scale: str | None = None
    seen: set[Group] = field(default_factory=set)
    columns: dict[str, list[str]] = field(default_factory=dict)
    linear: dict[str, Any] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)

    def learning(self) -> list[int]:
        """Return the methods that learn from this file."""
        return [
            i
            for i, (name, plan) in enumerate(zip(self.options.methods, self.plans, strict=True))
            if self.options.references.get(name) is None and plan.spec.fit is not None and plan.spec.learns(plan.params)
        ]

    def grouped(self, *, apart: bool) -> list[Group]:
        """Return all methods as one group, or those that learn apart from those that can be scored at once."""
        learning = self.learning()
        others = [i for i in range(len(self.plans)) if i not in learning]
        if not (apart and learning and others):
            return [Group(BLOCK, tuple(range(len(self.plans))), linear=True)]
        return [Group(EARLY, tuple(others), linear=True), Group(BLOCK, tuple(learning), linear=False)]

    def note(self, key: str, names: list[str], place: int) -> None:
        """Note the columns of a table, and of which method it is."""
        self.columns[key] = names
        self._places[key] = place

    def columns_in_order(self) -> dict[str, list[str]]:
        """Return the columns of all tables in the order of the methods, ratios and panels last."""
        return dict(sorted(self.columns.items(), key=lambda item: self._places[item[0]]))


@dataclass
class _Described:
    """Stands in for an AnnData that describes the scale of its values."""

    uns: dict[str, Any]


def tables_in(job: Job, part: Source, group: Group) -> dict[str, Array]:
    """Score rows in memory by the methods of a group; return each table by its key in ``.obsm``."""
    plans = [job.plans[i] for i in group.methods]
    scored = execute(part, plans, threads=job.options.threads)
    tables: dict[str, Array] = {}
    for i, plan, result in zip(group.methods, plans, scored, strict=True):
        name = job.options.methods[i]
        outcome = finish(plan, result, job.collection, job.options.references.get(name))
        for key, values in tables_of(job.options.key(name), outcome).items():
            tables[key] = values
            job.note(key, outcome.names, i)
    if group.linear and job.scale is not None:
        shim = _Described({"source": {"scale": "log1p" if job.scale == "ln" else job.scale}})
        genes = job.genes
        raw = Source(part.matrix, part.n_obs, len(genes.names), None, part.block, genes.columns, part.offset)
        for key, (names, values) in ratios_and_panels(shim, job.collection, None, raw, genes.names).items():
            tables[key] = values
            job.note(key, names, len(job.plans))
        job.linear = shim.uns.get("mtorscore", {})
    job.seen.add(group)
    return tables


def scale_of(job: Job) -> str | None:
    """Return the scale of the values, if there are entries on linear scale."""
    if not any(isinstance(e, Ratio | Panel) for e in job.collection):
        return None
    stated = None if job.values is None else job.values.stated()
    if job.values is None and job.file.has("uns/source"):
        stated = stated_scale(_Described({"source": job.file.element("uns/source")}), job.options.layer)
    if stated is not None:
        return stated
    job.source.tell("Nothing says on which scale the values are; all are looked at once, as ratios and panels need it.")
    return scale_of_range(*job.file.matrix.value_range()) if job.rows is None else guess_scale(job.source)


def records_of(job: Job, empty: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``.uns["mtorscore"]`` holds; `empty` says which columns have no score at all."""
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


def identity_of(job: Job, content: str) -> dict[str, Any]:
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
        "version": __version__,
        "layout": LAYOUT,
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
    }
