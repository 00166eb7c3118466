"""Scores of a matrix on disk, in bounded memory, into a table or a copy of the file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore._atomic import atomic
from mtorscore.errors import ConfigError
from mtorscore.tl.streaming.checkpoints import atomic_folder
from mtorscore.tl.streaming.job import plain

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from mtorscore.collection import SignatureCollection
    from mtorscore.tl.streaming.disk_file import DiskFile
    from mtorscore.tl.streaming.gene_names import GeneNaming
    from mtorscore.tl.streaming.value_scale import ValueScale

__all__ = ["OUTPUTS", "Asked", "Streamed", "can_stream", "check_output", "stream_scores", "write_scores"]

OUTPUTS = (".parquet", ".h5ad", ".h5mu", ".zarr")
"""Endings of outputs that hold the scores as `mtorscore.tl.score` does; any other one is a table of text."""
PACKED = (".bz2", ".xz", ".zst")
"""Compressions that are not written part by part."""
SAMPLED = 2_000
LOOKED_AT = 200


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How a file is to be scored.

    Attributes
    ----------
    methods
        Names of scoring methods.
    harmonise
        Keyword arguments of `mtorscore.pp.harmonise_genes`; None leaves names of genes as they are.
    ids
        Column of ``var`` that names the genes.
    units
        What the values are, checked on some of the rows; None asks nothing.
    log
        Adds a layer of logarithms to some of the rows and says what it is; the same is then made of all rows, and
        scored.
    check
        Called with the names of the genes (in ``var``) and the signatures, to refuse what has nothing in common.
    layer, modality, memory, threads, resume
        See `mtorscore.tl.score`.
    said
        ``genome`` or ``prefix`` of a 10x matrix.
    separator
        Between the columns of a table of text.
    progress
        Whether to say on standard error how far it is.
    """

    methods: tuple[str, ...]
    harmonise: Mapping[str, Any] | None
    check: Callable[[AnnData, SignatureCollection], None]
    ids: str | None = None
    units: str | None = None
    log: Callable[[AnnData], str] | None = None
    layer: str | None = None
    modality: str | None = None
    memory: str = "1GB"
    threads: int | None = None
    resume: bool = True
    said: Mapping[str, str | None] = field(default_factory=dict)
    separator: str = "\t"
    progress: bool = False


@dataclass(frozen=True)
class Streamed:
    """What was scored: observations, per signature what the matrix had of it, and what was made of its values."""

    n_obs: int
    coverage: pd.DataFrame
    made: str = ""


def can_stream(
    path: Path, output: str, modality: str | None = None, said: Mapping[str, str | None] | None = None
) -> bool:
    """Whether a file is scored from disk: an AnnData or 10x file with observations in the rows, and a file to write.

    Parameters
    ----------
    path
        What is to be scored.
    output
        Where the scores go; ``-`` prints them, from memory.
    modality
        Of a MuData file, where it has several.
    said
        ``genome`` or ``prefix`` of a 10x matrix.
    """
    from mtorscore.io.tables.orientation import is_transposed
    from mtorscore.tl.streaming.open_file import STREAMED, kind_of, open_file

    # The table of a SpatialData store, Visium and Xenium are read with their coordinates.
    if output == "-" or not path.exists() or kind_of(path)[0] not in STREAMED:
        return False
    file = open_file(path, modality=modality, panel_bytes=1 << 20, said=said)
    try:
        if file.orientation_stated:
            return True
        return not is_transposed([str(n) for n in file.obs_names(slice(0, SAMPLED))], file.genes[:SAMPLED])
    finally:
        file.close()


def stream_scores(path: Path, signatures: SignatureCollection, asked: Asked, out: str | Path) -> Streamed:
    """Score a file block by block and write the scores.

    Parameters
    ----------
    path
        ``.h5ad`` file, ``.zarr`` folder, 10x ``.h5`` or folder.
    signatures
        What is to be scored.
    asked
        How.
    out
        ``.parquet`` (read by `mtorscore.tl.read_scores`), a copy of the input with the scores in ``.obsm`` (its own
        ending), or a table of text. Finished blocks are kept beside it until all are done.

    Returns
    -------
    Streamed
        How many observations were scored, and the coverage of the signatures.

    Raises
    ------
    ConfigError
        If nothing can be written there.
    DataError, FormatError, MethodError
        See `mtorscore.tl.score`.
    """
    from mtorscore.tl.engine.prepare import ScoreOptions
    from mtorscore.tl.streaming.disk_options import DiskOptions
    from mtorscore.tl.streaming.gene_names import GeneNaming
    from mtorscore.tl.streaming.score_file import score_file

    target = Path(out)
    if target.suffix in PACKED:
        raise ConfigError(
            f"{out}: a file is scored into text, .gz, {', '.join(OUTPUTS)}, and not into {target.suffix}."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    naming = GeneNaming(ids=asked.ids, harmonise=asked.harmonise)
    made: list[str] = []

    def look(file: DiskFile) -> ValueScale | None:
        values, words = _check(file, signatures, naming, asked)
        made.append(words)
        return values

    options = ScoreOptions.checked(asked.methods, {}, layer=asked.layer, threads=asked.threads)
    written = target if target.suffix in OUTPUTS else target.with_name(f".{target.name}.parquet")
    disk = DiskOptions(
        memory=asked.memory, out=written, progress=asked.progress, resume=asked.resume, naming=naming,
        modality=asked.modality, said=asked.said, look=look,
    )  # fmt: skip
    score_file(path, signatures, options, disk)
    if written is not target:
        _as_text(written, target, asked.methods, asked.separator)
    record, n_obs = _recorded(written, asked.modality)
    if written is not target:
        written.unlink()
    return Streamed(n_obs, record[asked.methods[0]], made[0])


def check_output(out: str | Path) -> None:
    """Raise ConfigError where the scores of a matrix in memory cannot be written so, before anything is scored."""
    if Path(out).suffix == ".h5mu":
        raise ConfigError(f"{out}: .h5mu is a copy of an .h5mu that is scored; write .h5ad, .parquet or a table.")


def write_scores(adata: AnnData, out: str | Path) -> None:
    """Write the scores of a matrix in memory as those of a file are written.

    Parameters
    ----------
    adata
        Scored observations.
    out
        Ends in one of `OUTPUTS`.
    """
    check_output(out)
    target = Path(out)
    if target.suffix == ".h5ad":
        with atomic(target) as temporary:
            adata.write_h5ad(temporary)
        return
    if target.suffix == ".zarr":
        with atomic_folder(target) as temporary, warnings.catch_warnings():
            # Which version of the format is written is for the library to say.
            warnings.simplefilter("ignore", UserWarning)
            adata.write_zarr(temporary)
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"observation": pa.array([str(n) for n in adata.obs_names], pa.string())}
    for key in (k for k in adata.obsm if k.startswith("score_") or k in ("ratio", "panel")):
        table = adata.obsm[key]
        columns |= {f"{key}/{name}": pa.array(table[name].to_numpy(), pa.float64()) for name in table}
    record = json.loads(json.dumps(dict(adata.uns["mtorscore"]), default=plain))
    table = pa.table(columns).replace_schema_metadata({"mtorscore": json.dumps(record)})
    with atomic(target) as temporary:
        pq.write_table(table, temporary)


def _check(
    file: DiskFile, signatures: SignatureCollection, naming: GeneNaming, asked: Asked
) -> tuple[ValueScale | None, str]:
    """Refuse names that repeat, negative counts and genes of no signature, by some of the rows; find out the scale."""
    import numpy as np
    from anndata import AnnData

    from mtorscore import pp
    from mtorscore.errors import DataError, examples
    from mtorscore.pp.scale import check_values, warn_calls
    from mtorscore.tl.streaming.gene_names import known_names

    obs = file.element("obs")
    if not obs.index.is_unique:
        twice = obs.index[obs.index.duplicated()].unique()
        raise DataError(f"{file.path}: {len(twice)} observation name(s) are duplicated ({examples(twice)}).")
    found = _scale(file, asked) if asked.log or asked.units else (None, "")
    n_obs = file.shape[0]
    rows = np.unique(np.linspace(0, n_obs - 1, min(SAMPLED, n_obs)).astype(int))
    # One block of neighbours at a time: rows far from each other would read everything between them.
    for part in np.array_split(rows, max(1, len(rows) // 100)):
        first = int(part[0])
        block = slice(first, min(first + len(part), n_obs))
        some = AnnData(file.matrix[block], obs=_frame(list(file.obs_names(block))), var=_frame(file.genes))
        if asked.units:
            check_values(some, asked.units)
        elif not asked.log:
            pp.check_signs(some)
            if first == 0:
                warn_calls(some)
    asked.check(AnnData(var=_frame(known_names(file, naming))), signatures)
    return found


def _scale(file: DiskFile, asked: Asked) -> tuple[ValueScale, str]:
    """Return what the values are by the rows that the scale of a matrix in memory is detected by, and what is made."""
    import numpy as np
    import pandas as pd
    from anndata import AnnData
    from scipy import sparse

    from mtorscore.pp.cohort import state_units
    from mtorscore.tl.streaming.value_scale import ValueScale

    n_obs = file.shape[0]
    rows = np.unique(np.linspace(0, n_obs - 1, min(LOOKED_AT, n_obs)).astype(int))
    parts = [file.matrix[int(i) : int(i) + 1] for i in rows]
    matrix = sparse.vstack(parts, format="csr") if sparse.issparse(parts[0]) else np.vstack(parts)
    names = pd.Index([str(file.obs_names(slice(int(i), int(i) + 1))[0]) for i in rows], dtype=object)
    some = AnnData(matrix, obs=pd.DataFrame(index=names), var=_frame(file.genes))
    some.uns["source"] = {}
    state_units(some, asked.units or "")
    made = asked.log(some) if asked.log else ""
    method = some.uns["normalised"]["log"]["method"] if asked.log else "none"
    units, scale = str(some.uns["source"]["units"]), some.uns["scale"]
    return ValueScale(units=units, found=scale, method=method, of_layer=bool(asked.log)), made


def _frame(names: Sequence[str]) -> Any:
    import pandas as pd

    return pd.DataFrame(index=pd.Index(list(names), dtype=object))


def _as_text(parquet: Path, target: Path, methods: Sequence[str], separator: str) -> None:
    """Write the scores as the table that `mtorscore score` writes, a row group at a time."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(parquet)
    with atomic(target) as temporary, _text(temporary, target) as stream:
        first = True
        for method in methods:
            wanted = [c for c in file.schema_arrow.names if c.startswith(f"score_{method}/")]
            for group in range(file.num_row_groups):
                part = file.read_row_group(group, columns=["observation", *wanted]).to_pandas()
                part.columns = ["observation", *(c.split("/", 1)[1] for c in wanted)]
                if len(methods) > 1:
                    part.insert(1, "method", method)
                part.to_csv(stream, sep=separator, index=False, header=first, float_format="%.17g", na_rep="NA")
                first = False


@contextmanager
def _text(path: Path, target: Path) -> Iterator[Any]:
    import gzip

    if target.suffix == ".gz":
        with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            import io

            with io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as stream:
                yield stream
        return
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


def _recorded(written: Path, modality: str | None) -> tuple[dict[str, Any], int]:
    """Return the coverage table of each method, and the number of observations."""
    import pandas as pd

    if written.suffix == ".parquet":
        import pyarrow.parquet as pq

        file = pq.ParquetFile(written)
        record = json.loads(file.schema_arrow.metadata[b"mtorscore"])
        found = {k: pd.DataFrame(v["coverage"]) for k, v in record.items() if "coverage" in v}
        return {k: t.set_index(t.columns[0]) for k, t in found.items()}, int(file.metadata.num_rows)
    from mtorscore.tl.streaming.open_file import open_file

    file = open_file(written, modality=modality, panel_bytes=1 << 20)
    try:
        record = file.element("uns/mtorscore")
        return {k: v["coverage"] for k, v in record.items() if "coverage" in v}, file.shape[0]
    finally:
        file.close()
