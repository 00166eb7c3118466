"""Snakemake script: the run's record and its report."""

from pathlib import Path

from mtorscore import report
from mtorscore.pipeline import logged, write_run_record

with logged(snakemake.log[0]):
    folder = Path(snakemake.output.html).parent
    write_run_record(folder, snakemake.params.config, signatures_hash=snakemake.params.signatures_hash)
    report.write(folder)
