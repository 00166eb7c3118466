"""Snakemake script: a cohort and the signatures in GSEA's formats."""

from pathlib import Path

from mtorscore.pipeline import export, logged, write_json
from mtorscore.pipeline.config import open_signatures

with logged(snakemake.log[0]):
    files = export(Path(snakemake.input.cohort).parent, open_signatures(snakemake.params.signatures))
    write_json({"files": [path.name for path in files]}, snakemake.output.done)
