"""Snakemake script: scores of a cohort against its outcomes."""

from pathlib import Path

from mtorscore.pipeline import logged, relate
from mtorscore.pipeline.config import open_signatures

with logged(snakemake.log[0]):
    relate(
        Path(snakemake.input.cohort).parent,
        open_signatures(snakemake.params.signatures),
        **snakemake.params.options,
    )
