"""``contrast``: what differs between groups, from scores with a clinical table or from fold changes alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtorscore.cli.verbosity import quiet
from mtorscore.errors import ConfigError

if TYPE_CHECKING:
    pass

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(contrast)


def contrast(
    table: Annotated[Path, typer.Argument(help="Table of differential expression, or of scores.")],
    clinical: Annotated[
        Path | None, typer.Option("--clinical", "-c", help="With scores: table whose first column is the observation.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="Column of groups.")] = None,
    treated: Annotated[
        list[str] | None, typer.Option(help="Group to compare; repeatable. All but --reference by default.")
    ] = None,
    reference: Annotated[str | None, typer.Option(help="Group that the others are compared with.")] = None,
    order: Annotated[
        list[str] | None, typer.Option(help="Groups from lowest to highest, as a,b,c, for a trend; may be repeated.")
    ] = None,
    continuous: Annotated[str | None, typer.Option(help="Column of numbers, instead of groups.")] = None,
    pair: Annotated[str | None, typer.Option(help="Column that pairs observations, such as the patient.")] = None,
    block: Annotated[str | None, typer.Option(help="Column of batches, donors or clones.")] = None,
    block_effect: Annotated[str, typer.Option(help="Blocks are fixed, consensus (limma's) or mixed.")] = "fixed",
    covariates: Annotated[list[str] | None, typer.Option(help="Columns to allow for, as a,b; may be repeated.")] = None,
    interaction: Annotated[str | None, typer.Option(help="Column that the difference may depend on.")] = None,
    interaction_reference: Annotated[
        str | None, typer.Option(help="Value of --interaction that the others are compared with.")
    ] = None,
    within: Annotated[
        str | None, typer.Option(help="Column in each value of which the difference is given, such as the cell type.")
    ] = None,
    signatures: Annotated[
        Path | None, typer.Option("--signatures", "-s", help="GMT or YAML; the shipped library by default.")
    ] = None,
    statistic: Annotated[str | None, typer.Option(help="Column of a DE table to rank genes by.")] = None,
    genes: Annotated[str | None, typer.Option(help="Column of a DE table that names the genes.")] = None,
    organism: Annotated[str, typer.Option(help="human or mouse.")] = "human",
    out: Annotated[str, typer.Option("--out", "-o", help="Table to write; - prints it.")] = "contrast.tsv",
) -> None:
    """Say which branches differ: between groups of samples, or in somebody's table of fold changes.

    The table is recognised: differential expression (of DESeq2, edgeR, limma, GEO2R, Seurat, scanpy, sleuth, Cuffdiff,
    ...) is scored as it is; scores, as `mtorscore score` writes them, are compared between the groups of --clinical by
    a linear model, with pairs, blocks, covariates, a trend or an interaction.

    For example:

        mtorscore contrast deseq2_results.csv --organism mouse --out contrast.tsv
        mtorscore contrast scores.tsv --clinical samples.tsv --group arm --reference vehicle
        mtorscore contrast scores.tsv --clinical samples.tsv --group stage --order normal,cirrhosis,HCC
        mtorscore contrast scores.tsv --clinical samples.tsv --group tissue --reference adjacent --pair patient
    """
    from mtorscore.collection import SignatureCollection
    from mtorscore.pipeline.contrast import answers, contrast_scores, differential_expression, score_table
    from mtorscore.pipeline.table_files import separator_of, write_output

    given = {"--group": group, "--continuous": continuous, "--clinical": clinical}
    of_scores = [name for name, value in given.items() if value is not None]
    if organism not in ("human", "mouse"):
        raise ConfigError(f"Unknown organism {organism!r}; there are human and mouse.")
    separator_of(out)
    found, seen = differential_expression(table)
    if found is not None:
        if of_scores:
            raise ConfigError(f"{table} is a table of differential expression, which takes no {', '.join(of_scores)}.")
        collection = None if signatures is None else SignatureCollection.read(signatures)
        result = score_table(found, collection, statistic=statistic, genes=genes, organism=organism)
        what = f"differential expression ({result['tool'].iloc[0]}), genes ranked by {result['statistic'].iloc[0]}"
        what += "".join(f"; {note}" for note in result.attrs["notes"])
    else:
        if clinical is None or (group is None and continuous is None):
            raise ConfigError(
                f"{table} is no table of differential expression ({seen}). If it holds scores, give --clinical and "
                "--group (or --continuous); if it holds expression, score it first (mtorscore score)."
            )
        result = contrast_scores(
            table, clinical, group=group, covariates=covariates or (), treated=treated or None, control=reference,
            order=order or None, continuous=continuous, pair=pair, block=block, block_effect=block_effect,
            interaction=interaction, interaction_control=interaction_reference, within=within,
        )  # fmt: skip
        what = "scores"
    write_output(result, out)
    if out != "-" and not quiet():
        typer.echo(f"{table}: {what}")
        for sentence in answers(result):
            typer.echo(sentence)
        typer.echo(f"{out}: {len(result)} rows")
