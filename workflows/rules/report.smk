"""The report over all cohorts of a run."""


rule report:
    input:
        cohorts=expand(rules.prepare.output.cohort, cohort=COHORTS),
        scores=expand(rules.score.output.scores, cohort=COHORTS),
        coverage=expand(rules.score.output.coverage, cohort=COHORTS),
        associations=expand(rules.relate.output.associations, cohort=COHORTS),
        contrasts=expand(rules.contrast.output.contrasts, cohort=COHORTS),
        alterations=expand(rules.alterations.output.alterations, cohort=ALTERED),
        gsea=expand(rules.gsea.output.gsea, cohort=COHORTS),
        exports=expand(rules.export.output.done, cohort=COHORTS),
    output:
        run=f"{RUN}/run.json",
        html=f"{RUN}/report.html",
    log:
        f"{RUN}/logs/report.log",
    benchmark:
        f"{RUN}/benchmarks/report.tsv"
    conda:
        "../envs/mtorscore.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        made_by=MADE_BY,
        config=CONFIG.as_dict(),
        signatures_hash=SIGNATURES_HASH,
    script:
        "../scripts/report.py"
