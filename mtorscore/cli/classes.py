"""Classes of tumours on the command line: ``classify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtorscore.cli.data import IDS, ORIENTATION, UNITS
from mtorscore.cli.standard_input import standard_input
from mtorscore.cli.verbosity import quiet

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(classify)


def classify(
    expression: Annotated[str, typer.Argument(help="Expression matrix in any supported format; - reads a TSV.")],
    scheme: Annotated[
        str,
        typer.Option("--scheme", "-s", help="A scheme's id, its YAML file, or the file of a trained model."),
    ] = "hoshida",
    caller: Annotated[str, typer.Option(help="template, or rank (needs no cohort).")] = "template",
    reference: Annotated[str, typer.Option(help="auto, frozen or cohort.")] = "auto",
    cancer: Annotated[str | None, typer.Option(help="What these tumours are: HCC, CCA or HB.")] = None,
    alpha: Annotated[float, typer.Option(help="A call with a larger q-value is rejected.")] = 0.05,
    reject: Annotated[float, typer.Option(help="Of a model: a call of a smaller probability is rejected.")] = 0.5,
    out: Annotated[str, typer.Option("--out", "-o", help="Table to write; - prints it.")] = "classes.tsv",
    organism: Annotated[str, typer.Option(help="human or mouse.")] = "human",
    orientation: Annotated[str | None, typer.Option(help=ORIENTATION)] = None,
    ids: Annotated[str | None, typer.Option(help=IDS)] = None,
    units: Annotated[str | None, typer.Option(help=UNITS)] = None,
) -> None:
    """Call the class of every tumour by a published scheme or a trained model.

    Genes are brought to current symbols; logarithms are made of counts and linear values. A tumour of another tissue,
    or one that no template is near to, is rejected with the reason.

    For example:

        mtorscore classify counts.tsv --scheme hoshida --out classes.tsv
        mtorscore classify counts.tsv --scheme model.zip --reject 0.6
    """
    from mtorscore.pipeline.table_files import separator_of, write_output
    from mtorscore.pipeline.tables import call_classes

    separator_of(out)
    source = standard_input() if expression == "-" else Path(expression)
    reading = {"organism": organism, "orientation": orientation, "ids": ids, "units": units}
    options = {"caller": caller, "reference": reference, "cancer": cancer, "alpha": alpha}
    table = call_classes(source, scheme, reject=reject, reading=reading, options=options)
    write_output(table, out)
    if out != "-" and not quiet():
        counts = ", ".join(f"{c} {n}" for c, n in table["class"].value_counts().items())
        typer.echo(
            f"{out}: {len(table)} observations: {counts or 'none called'}; {int(table['rejected'].sum())} rejected"
        )
