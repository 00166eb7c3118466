"""Scores of a prepared cohort of single cells, whose matrix stays on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection
    from mtorscore.tl import Reference

__all__ = ["CohortScores", "described", "score_cells", "works_from_disk"]


@dataclass(frozen=True)
class CohortScores:
    """Scores of a cohort.

    Attributes
    ----------
    tables
        By their key in ``.obsm``: observations x signatures, ratios or panels.
    coverage
        What the matrix had of each signature.
    references
        Per method what it learned, frozen.
    """

    tables: Mapping[str, pd.DataFrame]
    coverage: pd.DataFrame
    references: Mapping[str, Reference]


def described(path: Path) -> AnnData:
    """Return the observations of a prepared cohort, and its context, without any values.

    Parameters
    ----------
    path
        ``cohort.h5ad``.
    """
    from anndata import AnnData

    from mtorscore.tl.streaming.open_file import open_file

    file = open_file(path, panel_bytes=1 << 20)
    try:
        uns = {"context": file.element("uns/context")} if file.has("uns/context") else {}
        return AnnData(obs=file.element("obs"), uns=uns)
    finally:
        file.close()


def works_from_disk(methods: Sequence[str], parameters: Mapping[str, Mapping[str, Any]] | None = None) -> bool:
    """Whether all methods can be scored block by block: none needs the whole cohort in memory to learn from it."""
    from mtorscore.tl.engine import registry

    specs = [(registry.get(m), dict((parameters or {}).get(m, {}))) for m in methods]
    return not any(s.fit is not None and s.holds_cohort and s.learns(registry.check_params(s, p)) for s, p in specs)


def score_cells(
    path: Path,
    signatures: SignatureCollection,
    methods: Sequence[str],
    parameters: Mapping[str, Mapping[str, Any]] | None,
    kept: Path,
) -> CohortScores:
    """Score the logarithms of a cohort block by block.

    Parameters
    ----------
    path
        ``cohort.h5ad`` with a layer ``log``.
    signatures, methods, parameters
        See `mtorscore.pipeline.score`.
    kept
        Parquet file to keep blocks beside until all are scored, so that a step that was killed goes on; it is removed.

    Returns
    -------
    CohortScores
        The numbers of a cohort in memory; what is learned is added up block by block (to 1e-12).

    Raises
    ------
    MethodError
        If a method is unknown or needs the whole cohort.
    """
    import pandas as pd

    from mtorscore.tl.engine.prepare import ScoreOptions
    from mtorscore.tl.streaming.checkpoints import read_scores
    from mtorscore.tl.streaming.disk_options import DiskOptions
    from mtorscore.tl.streaming.score_file import score_cohort_file

    options = ScoreOptions.checked(methods, {k: dict(v) for k, v in (parameters or {}).items()}, layer="log")
    # The workflow calls again with other signatures or methods when its configuration has changed.
    disk = DiskOptions(out=kept, give_up_others=True)
    try:
        references = score_cohort_file(path, signatures, options, disk)
        tables, record = read_scores(kept)
    finally:
        kept.unlink(missing_ok=True)
    coverage = pd.DataFrame(record[methods[0]]["coverage"])
    return CohortScores(tables, coverage.set_index("signature"), references)
