"""mtorscore on a table of cohorts: acquire, prepare, score, relate, export, report."""

from pathlib import Path

from snakemake.utils import min_version, validate

min_version("9.0")

HERE = (
    Path(workflow.current_basedir)
    if hasattr(workflow, "current_basedir")
    else Path(workflow.basedir)
)


include: "rules/common.smk"
include: "rules/cohort.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        f"{RUN}/report.html",
