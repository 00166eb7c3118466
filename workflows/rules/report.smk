"""The report over all cohorts of a run."""


rule report:
    input:
        cohorts=expand(f"{RUN}/{{cohort}}/cohort.h5ad", cohort=COHORTS),
        scores=expand(
            f"{RUN}/{{cohort}}/scores/{{method}}.tsv",
            cohort=COHORTS,
            method=CONFIG.methods,
        ),
        coverage=expand(f"{RUN}/{{cohort}}/scores/coverage.tsv", cohort=COHORTS),
        associations=expand(f"{RUN}/{{cohort}}/relate/associations.tsv", cohort=COHORTS),
        gsea=expand(f"{RUN}/{{cohort}}/relate/gsea.tsv", cohort=COHORTS),
        exports=expand(f"{RUN}/{{cohort}}/export/files.json", cohort=COHORTS),
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
        config=CONFIG.as_dict(),
        signatures_hash=SIGNATURES_HASH,
    script:
        "../scripts/report.py"
