"""Classes of the tumours of an expression matrix, from files to a table."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mtorscore.pipeline.tables import GeneNames, Reading, log_layer, read_expression

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["called"]


def called(
    source: Path | IO[bytes],
    scheme: str,
    *,
    reject: float,
    reading: Mapping[str, Any],
    options: Mapping[str, Any],
) -> pd.DataFrame:
    """Read a matrix and call its classes; see `mtorscore.tl.classify`.

    Parameters
    ----------
    source
        A path in any supported format, or an open binary stream of a table.
    scheme
        A scheme's id, its YAML file, or the file of a model of classes.
    reject
        Of a model: calls of a smaller probability are rejected.
    reading
        ``organism``, ``orientation``, ``ids`` and ``units`` of the matrix, where they were said.
    options
        Of `mtorscore.tl.classify`.

    Returns
    -------
    pandas.DataFrame
        One row per observation, with a column `observation`.
    """
    from mtorscore import prognosis, tl
    from mtorscore.pp import detect_scale

    rest: dict[str, Any] = {k: reading.get(k) for k in ("orientation", "ids", "units")}
    names = GeneNames(str(reading.get("organism") or "human"))
    adata = read_expression(source, harmonise=True, names=names, reading=Reading(**rest))
    scale = detect_scale(adata)
    layer = None
    if scale.log == "none" and scale.kind in ("counts", "tpm", "rsem", "fpkm", "linear"):
        log_layer(adata)
        layer = "log"
    path = Path(scheme)
    if path.is_file() and zipfile.is_zipfile(path):
        model = prognosis.load_model(path)
        if layer is not None:
            adata.X = adata.layers[layer]
        table = model.classify(adata, reject=reject)
    else:
        table = tl.classify(adata, scheme, layer=layer, **options)
    return table.rename_axis("observation").reset_index()
