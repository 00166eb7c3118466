"""One patient: ``passport``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtorscore.cli.verbosity import quiet
from mtorscore.errors import ConfigError, examples

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(passport)


def passport(
    sample: Annotated[str, typer.Argument(help="File of counts, or the name of a sample of the reference.")],
    reference: Annotated[
        Path, typer.Option("--reference", "-r", help="Counts of the cohort in which the patient is placed.")
    ],
    observation: Annotated[
        str | None, typer.Option(help="Which sample of the file; needed where it holds several.")
    ] = None,
    method: Annotated[str, typer.Option("--method", "-m", help="Scoring method.")] = "singscore",
    tissue: Annotated[str | None, typer.Option(help="HCC, CCA or HB: whose evidence decides what may be said.")] = None,
    full_depth: Annotated[
        float | None, typer.Option(help="Reads that count as full depth; the median of the cohort by default.")
    ] = None,
    organism: Annotated[str, typer.Option(help="human or mouse.")] = "human",
    out: Annotated[Path, typer.Option("--out", "-o", help="Page to write; a JSON file stands beside it.")] = Path(
        "passport.html"
    ),
) -> None:
    """Place one patient's branch scores in a frozen cohort, with what can and cannot be said.

    Both files hold counts of reads. Research use only.

    For example:

        mtorscore passport patient.tsv --reference cohort_counts.tsv.gz --tissue HCC --out patient.html
        mtorscore passport TCGA-XX-0001 --reference cohort_counts.tsv.gz
    """
    from mtorscore import report, tl
    from mtorscore.pipeline.config import check_methods
    from mtorscore.pipeline.tables import GeneNames, read_expression

    check_methods([method])
    named = GeneNames(organism=organism)
    cohort = read_expression(reference, harmonise=True, names=named)
    path = Path(sample)
    if path.exists():
        patient = read_expression(path, harmonise=True, names=named)
        name = _which(patient, observation, sample)
    else:
        if sample not in set(map(str, cohort.obs_names)):
            raise ConfigError(
                f"{sample!r} is neither a file nor a sample of {reference} ({examples(cohort.obs_names)})."
            )
        patient, name = cohort, sample
    record = tl.passport(patient, name, cohort, method=method, tissue=tissue, full_depth=full_depth)
    written = report.passport(record, out)
    if not quiet():
        said = int(record.branches["can_be_said"].sum())
        typer.echo(f"{written}: {name}, {said} of {len(record.branches)} signatures can be read; research use only")


def _which(patient: AnnData, observation: str | None, sample: str) -> str:
    names = [str(o) for o in patient.obs_names]
    if observation is not None:
        return observation
    if len(names) > 1:
        raise ConfigError(f"{sample} holds {len(names)} samples ({examples(names)}); choose one by --observation.")
    return names[0]
