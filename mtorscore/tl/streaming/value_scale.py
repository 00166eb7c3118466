"""What the values of a file are, and the logarithms that are made of its rows as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.pp.scale import library_sizes, normalise
from mtorscore.tl.engine.ratios_panels import stated_scale
from mtorscore.tl.streaming.disk_file import DiskFile, DiskRows

__all__ = ["ValueScale"]

_SIZES = "library_size"


@dataclass(frozen=True, kw_only=True)
class ValueScale:
    """What the values are, and what is scored of them.

    Attributes
    ----------
    units
        What they are, in the words of `mtorscore.pp.detect_scale`.
    found
        What was found out about them, as ``uns["scale"]`` holds it.
    method
        A method of `mtorscore.pp.normalise` that works row by row; ``"none"`` scores them as they are.
    of_layer
        Whether that is a matrix of its own (``log``), and not the one that the file states a scale of.
    """

    units: str
    found: Mapping[str, Any]
    method: str = "none"
    of_layer: bool = False

    def identity(self) -> list[str]:
        """Return what must be equal for a run to resume another."""
        return [self.units, self.method]

    def stated(self) -> str | None:
        """Return the scale of what is scored, in the words of ratios and panels; None where its range tells."""
        if self.method != "none":
            return "log2"
        return None if self.of_layer else stated_scale(_Described({"source": {"units": self.units}}), None)

    def rows(self, file: DiskFile, columns: npt.NDArray[np.int64] | None) -> DiskRows:
        """Return the rows of a file as they are scored.

        Parameters
        ----------
        file
            The open file.
        columns
            The genes that are scored, of which counts are added up where the file has a column ``library_size`` of its
            own; else counts per million are of all genes.
        """
        if self.method == "none":
            return file.matrix
        before = file.matrix
        own = _SIZES in file.element("obs")

        def read(start: int, stop: int) -> Any:
            return self._made(before.read(start, stop), file.obs_names(slice(start, stop)), columns if own else None)

        return replace(before, dtype=np.dtype(np.float64), read=read)

    def _made(self, part: Any, names: npt.NDArray[Any], columns: npt.NDArray[np.int64] | None) -> Any:
        import pandas as pd
        from anndata import AnnData

        block = AnnData(part, obs=pd.DataFrame(index=pd.Index(names, dtype=object)))
        block.uns["scale"] = dict(self.found)
        by = None
        if self.method == "log2_cpm":
            by = _SIZES
            block.obs[by] = library_sizes(part if columns is None else part[:, columns])
        return normalise(block, self.method, key_added=None, library_size=by).X


@dataclass
class _Described:
    uns: dict[str, Any]
