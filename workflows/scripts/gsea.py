"""Snakemake script: gene set enrichment between groups of a cohort's samples."""

from pathlib import Path

from mtorscore.pipeline import enrich, logged
from mtorscore.pipeline.config import open_signatures

with logged(snakemake.log[0]):
    enrich(
        Path(snakemake.input.cohort).parent,
        open_signatures(snakemake.params.signatures),
        permutations=snakemake.params.permutations,
        seed=snakemake.params.seed,
    )
