"""Snakemake script: check and record the raw files of a cohort."""

from mtorscore.pipeline import acquire, logged

with logged(snakemake.log[0]):
    cohort = snakemake.params.cohort
    acquire(
        cohort["recipe"],
        snakemake.output.manifest,
        data=snakemake.params.data,
        simulate={"seed": snakemake.params.seed} | dict(cohort["simulate"]),
    )
