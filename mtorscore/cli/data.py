"""Looking at data and getting it: ``describe``, ``read``, ``fetch``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtorscore.cli.verbosity import quiet

if TYPE_CHECKING:
    from mtorscore.io import Description

__all__ = [
    "GENOME",
    "IDS",
    "MAPPING",
    "MODALITY",
    "ORIENTATION",
    "PLATFORM",
    "PLATFORM_COLUMNS",
    "PREFIX",
    "TX2GENE",
    "UNITS",
    "parts",
    "register",
]


SOURCE = "File or folder, as a portal published it, or its address (https://..., s3://...)."
ORIENTATION = "genes-in-rows or samples-in-rows, for a table that can be read in two ways."
IDS = "The column that names the genes, where it is not the first."
UNITS = "What the values are, where that is no sure guess: counts, tpm, fpkm, rsem, linear, log2, ln, rma or zscore."
PLATFORM = "Annotation of the array: a table of probes and their genes."
PLATFORM_COLUMNS = "Its columns of probes and symbols, as ID,SYMBOL, where the headings are unusual."
MAPPING = "Table of two columns, identifier and gene, for identifiers that are not known here."
GENOME = "Of a 10x file with several genomes: which one."
PREFIX = "Of a 10x folder with several samples: what the names of the three files begin with."
MODALITY = "Of a MuData file (.h5mu), where it has several modalities."
EVENT_VALUE = "Value of the event column that means the event, such as 0 where 1 means censored."
COMPETING = (
    "Column that is 1 where a competing event ended follow-up, such as any death; or the value of the event column "
    "that means it, such as 2."
)
TX2GENE = "Table of two columns, transcript and gene, for a folder of quantifications."


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(describe)
    app.command()(read)
    app.command()(fetch)


def parts(text: str | None) -> tuple[str, ...] | None:
    """Return the parts of an option that are separated by commas; None where it is not given."""
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def describe(
    path: Annotated[str, typer.Argument(help=SOURCE)],
    orientation: Annotated[str | None, typer.Option(help=ORIENTATION)] = None,
) -> None:
    """Say what a file is and why, without loading it all.

    For example:

        mtorscore describe GSE42872_series_matrix.txt.gz
    """
    from mtorscore import io

    found = io.describe(path, orientation=orientation) if orientation else io.describe(path)
    typer.echo(str(found))
    if (after := _next_command(found)) and not quiet():
        typer.echo(f"Next: {after}", err=True)


def _next_command(found: Description) -> str:
    """Return what to do with a file; "" where it is refused, or neither expression nor clinical."""
    path, table = shlex.quote(str(found.path)), str(found.details.get("table", ""))
    if found.kind == "h5mu":
        first = str(found.details.get("modalities", "")).partition(",")[0]
        return f"mtorscore score {path} --modality {shlex.quote(first)} --out scores.tsv"
    if "refused" in found.details:
        return ""
    if table.startswith("contrast"):
        return f"mtorscore contrast {path}"
    if table.startswith("clinical") or found.kind.startswith("clinical"):
        return f"mtorscore relate SCORES --clinical {path} --time TIME --event EVENT --unit UNIT"
    return f"mtorscore score {path} --out scores.tsv" if not table or table.startswith("matrix") else ""


def read(
    path: Annotated[str, typer.Argument(help=SOURCE)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .h5ad file to write.")],
    kind: Annotated[str | None, typer.Option(help="Format, where it is not recognised.")] = None,
    orientation: Annotated[str | None, typer.Option(help=ORIENTATION)] = None,
    ids: Annotated[str | None, typer.Option(help=IDS)] = None,
    modality: Annotated[str | None, typer.Option(help=MODALITY)] = None,
) -> None:
    """Read any supported format and write it as AnnData.

    For example:

        mtorscore read GSE42872_series_matrix.txt.gz --out GSE42872.h5ad
    """
    from mtorscore import io
    from mtorscore._atomic import atomic

    chosen: dict[str, Any] = {} if modality is None else {"modality": modality}
    adata = io.read(path, kind=kind, orientation=orientation, ids=ids, **chosen)
    with atomic(out) as temporary:
        adata.write_h5ad(temporary)
    typer.echo(f"{out}: {adata.n_obs} observations x {adata.n_vars} genes")


def fetch(
    accession: Annotated[str, typer.Argument(help="Such as GSE14520 or TCGA-LIHC.")],
    source: Annotated[str | None, typer.Option(help="gdc, xena or cbioportal, for TCGA cohorts.")] = None,
) -> None:
    """Download a cohort into the cache and print where it is.

    For example:

        mtorscore fetch GSE14520
        mtorscore fetch TCGA-LIHC --source xena
    """
    from mtorscore import io

    typer.echo(str(io.fetch(accession, source=source) if source else io.fetch(accession)))
