"""Snakemake script: raw files to one AnnData."""

from pathlib import Path

from mtorscore.pipeline import logged, prepare

with logged(snakemake.log[0]):
    cohort = snakemake.params.cohort
    prepare(
        cohort["recipe"],
        Path(snakemake.output.cohort).parent,
        data=snakemake.params.data,
        histology=cohort["histology"],
        simulated=Path(snakemake.input.manifest).with_name("simulated.h5ad"),
    )
