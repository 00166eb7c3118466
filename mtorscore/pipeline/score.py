"""Step 3: signature scores by every method asked for, and what each signature found in the matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore.pipeline._files import write_table
from mtorscore.pipeline.prepare import load_cohort

if TYPE_CHECKING:
    from mtorscore.collection import SignatureCollection

__all__ = ["score"]


def score(
    folder: str | Path,
    signatures: SignatureCollection,
    methods: Sequence[str],
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Path]:
    """Write ``scores/<method>.tsv`` (observations x signatures) and ``scores/coverage.tsv``.

    Parameters
    ----------
    folder
        The cohort's results folder, prepared.
    signatures
        What to score.
    methods
        Names of scoring methods, see `mtorscore.tl.methods`.
    parameters
        Per method its keyword arguments, where they differ from the defaults.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    MethodError
        If a method is unknown.
    """
    from mtorscore import tl

    folder = Path(folder)
    adata = load_cohort(folder)
    paths = []
    for method in methods:
        tl.score(adata, signatures, method=method, layer="log", **dict((parameters or {}).get(method, {})))
        paths.append(
            write_table(adata.obsm[f"score_{method}"], folder / "scores" / f"{method}.tsv", index="observation")
        )
    coverage = adata.uns["mtorscore"][methods[0]]["coverage"]
    paths.append(write_table(coverage, folder / "scores" / "coverage.tsv", index="signature"))
    return paths
