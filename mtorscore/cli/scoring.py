"""Single steps by hand: ``methods``, ``score``, ``relate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtorscore.cli.data import (
    COMPETING,
    EVENT_VALUE,
    GENOME,
    IDS,
    MAPPING,
    MODALITY,
    ORIENTATION,
    PLATFORM,
    PLATFORM_COLUMNS,
    PREFIX,
    TX2GENE,
    UNITS,
    parts,
)
from mtorscore.cli.standard_input import standard_input
from mtorscore.cli.verbosity import quiet
from mtorscore.errors import ConfigError

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["register"]

# Columns of a terminal below which methods are listed one after the other.
_NARROW = 72


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(methods)
    app.command()(score)
    app.command()(relate)


def _methods_like(incomplete: str) -> list[str]:
    from mtorscore import tl

    done, _, last = incomplete.rpartition(",")
    head = f"{done}," if done else ""
    return [head + name for name in tl.methods().index if name.startswith(last)]


def methods(as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """List the scoring methods and what each assumes.

    For example:

        mtorscore methods
        mtorscore methods --json
    """
    from mtorscore import tl

    table = tl.methods().reset_index()
    if as_json:
        typer.echo(table.to_json(orient="records", indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    shown = [c for c in ("name", "cohort_dependent", "signed", "weighted", "input_scale", "range") if c in table]
    console = Console()
    rows = [["yes" if v is True else "no" if v is False else str(v) for v in row] for row in table[shown].to_numpy()]
    if console.width < _NARROW:
        # A table of six columns cannot be read here: one method after the other.
        for name, *values in rows:
            typer.echo(
                "\n".join([name, *(f"  {c.replace('_', ' ')}: {v}" for c, v in zip(shown[1:], values, strict=True))])
            )
        return
    grid = Table(*(c.replace("_", " ") for c in shown))
    for row in rows:
        grid.add_row(*row)
    console.print(grid)


def score(
    expression: Annotated[
        str, typer.Argument(help="Expression matrix in any supported format, or its address (s3://...); - reads a TSV.")
    ],
    signatures: Annotated[
        Path | None, typer.Option("--signatures", "-s", help="GMT or YAML; the shipped library by default.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="One or several, separated by commas; see `mtorscore methods`.",
            autocompletion=_methods_like,
        ),
    ] = "singscore",
    out: Annotated[str, typer.Option("--out", "-o", help="Table to write; - prints it.")] = "scores.tsv",
    coverage: Annotated[Path | None, typer.Option(help="Also write what each signature found in the matrix.")] = None,
    organism: Annotated[str, typer.Option(help="human or mouse.")] = "human",
    join_up_down: Annotated[
        bool, typer.Option("--join-up-down", help="Join X_UP with X_DN of a GMT into one signed signature X.")
    ] = False,
    harmonise: Annotated[
        bool | None,
        typer.Option("--harmonise/--as-they-are", help="Bring genes to current symbols; the default for the library."),
    ] = None,
    orientation: Annotated[str | None, typer.Option(help=ORIENTATION)] = None,
    ids: Annotated[str | None, typer.Option(help=IDS)] = None,
    units: Annotated[str | None, typer.Option(help=UNITS)] = None,
    log: Annotated[
        bool, typer.Option("--log", help="Score log2(CPM + 1) of counts, log2(x + 1) of other linear values.")
    ] = False,
    platform: Annotated[Path | None, typer.Option(help=PLATFORM)] = None,
    platform_columns: Annotated[str | None, typer.Option(help=PLATFORM_COLUMNS)] = None,
    mapping: Annotated[Path | None, typer.Option(help=MAPPING)] = None,
    tx2gene: Annotated[Path | None, typer.Option(help=TX2GENE)] = None,
    layer: Annotated[str | None, typer.Option(help="Layer of an AnnData file instead of X.")] = None,
    modality: Annotated[str | None, typer.Option(help=MODALITY)] = None,
    genome: Annotated[str | None, typer.Option(help=GENOME)] = None,
    prefix: Annotated[str | None, typer.Option(help=PREFIX)] = None,
    memory: Annotated[
        str, typer.Option(help="For .h5ad, .zarr and 10x, which are scored block by block: memory for the blocks.")
    ] = "1GB",
    resume: Annotated[
        bool, typer.Option("--resume/--start-again", help="Go on with a run that was killed, or begin it anew.")
    ] = True,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Blocks worked on at the same time; all cores by default.")
    ] = None,
) -> None:
    """Score an expression matrix.

    With the shipped library, gene identifiers are brought to current symbols. With your own gene lists they are taken
    as they are, unless --harmonise brings both the matrix and the lists to current symbols. Values are scored as they
    are; --log makes logarithms of counts and linear values first, which most methods are made for. The table has one
    row per observation and one column per signature; with several methods it has a column
    `method` and one row per observation and method. `--out` that ends in .parquet, .h5ad or .zarr holds the scores as
    the Python call does.

    An .h5ad or .zarr file, and a 10x .h5 file or folder (matrix.mtx, barcodes, features), is never loaded: it is
    scored in blocks, and a run that was killed goes on where it was. Of a 10x matrix only genes are scored.

    For example:

        mtorscore score counts.tsv.gz --method ucell,singscore --out scores.tsv
        mtorscore score counts.tsv --signatures mine.gmt --coverage coverage.tsv
        mtorscore score estimated_counts.tsv --units counts --log --method zscore
        zcat counts.tsv.gz | mtorscore score - --out - | head
        mtorscore score atlas.h5ad --method ucell --out scores.parquet --memory 500MB
        mtorscore score filtered_feature_bc_matrix.h5 --method ucell --out scores.parquet
        mtorscore score filtered_feature_bc_matrix/ --method ucell --out scored.h5ad
    """
    from mtorscore import tl
    from mtorscore.collection import SignatureCollection, library
    from mtorscore.io.reading import local
    from mtorscore.pipeline.config import check_methods, current
    from mtorscore.pipeline.from_disk.stream_scores import OUTPUTS, Asked, can_stream, check_output, stream_scores
    from mtorscore.pipeline.table_files import separator_of, write_output
    from mtorscore.pipeline.tables import GeneNames, Reading, check_overlap, log_layer, read_expression

    if organism not in ("human", "mouse"):
        raise ConfigError(f"Unknown organism {organism!r}; there are human and mouse.")
    names = [m.strip() for m in method.split(",") if m.strip()]
    check_methods(names)
    separator = separator_of(out, besides=OUTPUTS)
    collection = library() if signatures is None else SignatureCollection.read(signatures, join_up_down=join_up_down)
    harmonise = signatures is None if harmonise is None else harmonise
    if harmonise and signatures is not None:
        collection = current(collection, str(signatures))
    named = GeneNames(organism, platform, parts(platform_columns), mapping)
    in_memory = orientation or tx2gene or (named.options() and not harmonise)
    of_10x = {"genome": genome, "prefix": prefix}
    source = standard_input() if expression == "-" else local(expression)
    if isinstance(source, Path) and not in_memory and can_stream(source, out, modality, of_10x):
        asked = Asked(
            methods=tuple(names), harmonise={"organism": organism, **named.options()} if harmonise else None,
            check=check_overlap, separator=separator, ids=ids, units=units, log=log_layer if log else None, layer=layer,
            modality=modality, said=of_10x, memory=memory, threads=threads, resume=resume, progress=not quiet(),
        )  # fmt: skip
        done = stream_scores(source, collection, asked, out)
        found, n_obs, made = done.coverage, done.n_obs, done.made
    else:
        said: dict[str, Any] = {
            "orientation": orientation,
            "ids": ids,
            "units": units,
            "tx2gene": tx2gene,
            "modality": modality,
            **of_10x,
        }
        check_output(out)
        reading = Reading(log=log, layer=layer, **said)
        adata = read_expression(source, harmonise=harmonise, names=named, reading=reading)
        check_overlap(adata, collection)
        made = log_layer(adata) if log else ""
        tl.score(adata, collection, method=names, layer="log" if log else layer, threads=threads)
        found, n_obs = adata.uns["mtorscore"][names[0]]["coverage"], adata.n_obs
        _write_scores(adata, names, out)
    if coverage is not None:
        write_output(found.reset_index(), coverage)
    if out != "-" and not quiet():
        counts = f"{n_obs} observations, {len(collection.signatures)} signatures"
        typer.echo(f"{out}: {counts}, {', '.join(names)}{f', of {made}' if made else ''}")
        typer.echo(f"Next: mtorscore relate {out} --clinical CLINICAL --time TIME --event EVENT --unit UNIT", err=True)


def _write_scores(adata: AnnData, methods: list[str], out: str) -> None:
    from mtorscore.pipeline.from_disk.stream_scores import OUTPUTS, write_scores
    from mtorscore.pipeline.table_files import write_output
    from mtorscore.pipeline.tables import scores_table

    if Path(out).suffix in OUTPUTS:
        write_scores(adata, out)
    else:
        write_output(scores_table(adata, methods), out)


def relate(
    scores: Annotated[Path, typer.Argument(help="Table of scores: first column the observation.")],
    clinical: Annotated[Path, typer.Option("--clinical", "-c", help="Clinical table: first column the observation.")],
    time: Annotated[str | None, typer.Option(help="Column of follow-up times.")] = None,
    event: Annotated[str | None, typer.Option(help="Column of events: 1 and 0, or Dead and Alive.")] = None,
    unit: Annotated[str, typer.Option(help="Unit of the times: days, weeks, months or years.")] = "days",
    event_value: Annotated[str | None, typer.Option(help=EVENT_VALUE)] = None,
    competing: Annotated[str | None, typer.Option(help=COMPETING)] = None,
    label: Annotated[str | None, typer.Option(help="Column of a label, instead of time and event.")] = None,
    positive: Annotated[
        str | None,
        typer.Option(help="With --label: the value that is predicted; a label of 0 and 1 needs none."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="With --label: its classes, more than two and unordered, separated by commas."),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(help="With --label: its classes, ascending, separated by commas."),
    ] = None,
    balanced: Annotated[
        bool,
        typer.Option("--balanced", help="With --classes or --order: weight the classes so that each counts the same."),
    ] = False,
    adjust: Annotated[
        str | None,
        typer.Option(help="Clinical columns to adjust for (with --label: to compare with), separated by commas."),
    ] = None,
    out: Annotated[str, typer.Option("--out", "-o", help="Table to write; - prints it.")] = "associations.tsv",
) -> None:
    """Relate scores to survival (Cox models) or to a label (cross-validated classifiers).

    TCGA barcodes of patients and samples are joined, and every patient counts once, as in a run: outcomes are those of
    the primary tumour. A label may also be about normal tissue, where the table has a row per sample.

    For example:

        mtorscore relate scores.tsv --clinical clinical.tsv --time OS.time --event OS --unit days
        mtorscore relate scores.tsv --clinical clinical.tsv --time DSS.time --event DSS --competing OS
        mtorscore relate scores.tsv --clinical clinical.tsv --label recurrence --positive yes
        mtorscore relate scores.tsv --clinical clinical.tsv --label subclass --classes S3,S2,S1
        mtorscore relate scores.tsv --clinical clinical.tsv --label grade --order G1,G2,G3,G4
    """
    from mtorscore.pipeline.joined_scores import join_clinical, methods_beside
    from mtorscore.pipeline.table_files import separator_of, write_output
    from mtorscore.pipeline.tables import relate_label, relate_survival

    if (label is None) == (time is None or event is None):
        raise ConfigError("Give either --time and --event, or --label.")
    if label is None and (positive is not None or classes or order or balanced):
        raise ConfigError("--positive, --classes, --order and --balanced speak of --label; name the column as well.")
    if label is not None and (event_value is not None or competing is not None):
        raise ConfigError("--event-value and --competing speak of --time and --event, not of --label.")
    separator_of(out)
    columns = _listed(adjust)
    joined = join_clinical(scores, clinical, normals=label is not None)
    values, table, who = joined.scores, joined.clinical, joined.patients
    if label is not None:
        named = {"classes": _listed(classes), "order": _listed(order)}
        more: dict[str, Any] = {"balanced": balanced, "patients": who, **named}
        result = relate_label(values, table, label, positive=positive, baseline=columns, **more)
    else:
        asked: dict[str, Any] = {"event_value": event_value, "competing": competing}
        ratios = relate_survival(values, table, time=str(time), event=str(event), unit=unit, adjust=columns, **asked)
        result = methods_beside(ratios)
    write_output(result, out)
    if out != "-" and not quiet():
        typer.echo(f"{out}: {len(result)} rows, {len(values)} observations")


def _listed(text: str | None) -> list[str]:
    return [c.strip() for c in (text or "").split(",") if c.strip()]
