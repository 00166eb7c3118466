"""Snakemake script: classes, DNA alterations and layers of evidence of a cohort."""

from pathlib import Path

from mtorscore.pipeline import logged
from mtorscore.pipeline.config import open_signatures
from mtorscore.pipeline.genomics.step import relate_alterations

with logged(snakemake.log[0]):
    relate_alterations(
        Path(snakemake.input.cohort).parent,
        open_signatures(snakemake.params.signatures),
        recipe=snakemake.params.cohort["recipe"],
        data=snakemake.params.data,
        **snakemake.params.options,
    )
