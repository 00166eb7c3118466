"""mtorscore on a table of cohorts: acquire, prepare, score, relate, export, report."""

from snakemake.utils import min_version

min_version("9.0")


include: "rules/common.smk"
include: "rules/cohort.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        rules.report.output,
        rules.report.input,
        expand(rules.relate.output, cohort=COHORTS),
        expand(rules.contrast.output, cohort=COHORTS),
        expand(rules.gsea.output, cohort=COHORTS),
        expand(rules.alterations.output, cohort=ALTERED),
        expand(rules.score.output, cohort=COHORTS),
