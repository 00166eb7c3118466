"""Snakemake script: scores of a cohort compared between its groups."""

from pathlib import Path

from mtorscore.pipeline import compare_groups, logged

with logged(snakemake.log[0]):
    compare_groups(
        Path(snakemake.input.cohort).parent,
        snakemake.params.methods,
        seed=snakemake.params.seed,
    )
