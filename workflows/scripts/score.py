"""Snakemake script: signature scores of a cohort."""

from pathlib import Path

from mtorscore.pipeline import logged, score
from mtorscore.pipeline.config import open_signatures

with logged(snakemake.log[0]):
    score(
        Path(snakemake.input.cohort).parent,
        open_signatures(snakemake.params.signatures),
        snakemake.params.methods,
        snakemake.params.parameters,
        reference=snakemake.params.reference,
    )
