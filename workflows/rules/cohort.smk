"""The steps of one cohort."""


rule acquire:
    output:
        manifest=f"{RUN}/{{cohort}}/acquired/manifest.json",
    log:
        f"{RUN}/{{cohort}}/logs/acquire.log",
    benchmark:
        f"{RUN}/{{cohort}}/benchmarks/acquire.tsv"
    conda:
        "../envs/mtorscore.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        cohort=lambda w: cohort_of(w),
        data=CONFIG.data,
        raw=lambda w: raw_of(w),
        seed=CONFIG.seed,
    script:
        "../scripts/acquire.py"


rule prepare:
    input:
        manifest=rules.acquire.output.manifest,
    output:
        cohort=f"{RUN}/{{cohort}}/cohort.h5ad",
        exclusions=f"{RUN}/{{cohort}}/exclusions.tsv",
        genes=f"{RUN}/{{cohort}}/genes.tsv",
    log:
        f"{RUN}/{{cohort}}/logs/prepare.log",
    benchmark:
        f"{RUN}/{{cohort}}/benchmarks/prepare.tsv"
    conda:
        "../envs/mtorscore.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        cohort=lambda w: cohort_of(w),
        data=CONFIG.data,
    script:
        "../scripts/prepare.py"


rule score:
    input:
        cohort=rules.prepare.output.cohort,
    output:
        scores=expand(
            f"{RUN}/{{{{cohort}}}}/scores/{{method}}.tsv", method=CONFIG.methods
        ),
        references=expand(
            f"{RUN}/{{{{cohort}}}}/scores/reference/{{method}}.npz",
            method=CONFIG.methods,
        ),
        ratio=f"{RUN}/{{cohort}}/linear/ratio.tsv",
        panel=f"{RUN}/{{cohort}}/linear/panel.tsv",
        coverage=f"{RUN}/{{cohort}}/scores/coverage.tsv",
    log:
        f"{RUN}/{{cohort}}/logs/score.log",
    benchmark:
        f"{RUN}/{{cohort}}/benchmarks/score.tsv"
    conda:
        "../envs/mtorscore.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        signatures=CONFIG.signatures,
        signatures_hash=SIGNATURES_HASH,
        methods=CONFIG.methods,
        parameters=CONFIG.parameters,
        reference=CONFIG.reference,
    script:
        "../scripts/score.py"


rule relate:
    input:
        cohort=rules.prepare.output.cohort,
        scores=rules.score.output.scores,
    output:
        associations=f"{RUN}/{{cohort}}/relate/associations.tsv",
        classifiers=f"{RUN}/{{cohort}}/relate/classifiers.tsv",
        km=f"{RUN}/{{cohort}}/relate/km.tsv",
        null=f"{RUN}/{{cohort}}/relate/null.tsv",
        survival_models=f"{RUN}/{{cohort}}/relate/survival_models.tsv",
        predictions=f"{RUN}/{{cohort}}/relate/predictions.tsv",
        calibration=f"{RUN}/{{cohort}}/relate/calibration.tsv",
        decision=f"{RUN}/{{cohort}}/relate/decision.tsv",
        cells=f"{RUN}/{{cohort}}/relate/cells.tsv",
    log:
        f"{RUN}/{{cohort}}/logs/relate.log",
    benchmark:
        f"{RUN}/{{cohort}}/benchmarks/relate.tsv"
    conda:
        "../envs/mtorscore.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        signatures=CONFIG.signatures,
        signatures_hash=SIGNATURES_HASH,
        options=CONFIG.relate_options(),
    script:
        "../scripts/relate.py"


rule gsea:
    input:
        cohort=rules.prepare.output.cohort,
    output:
        gsea=f"{RUN}/{{cohort}}/relate/gsea.tsv",
    log:
        f"{RUN}/{{cohort}}/logs/gsea.log",
    benchmark:
        f"{RUN}/{{cohort}}/benchmarks/gsea.tsv"
    conda:
        "../envs/mtorscore.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        signatures=CONFIG.signatures,
        signatures_hash=SIGNATURES_HASH,
        permutations=CONFIG.gsea_permutations,
        seed=CONFIG.seed,
    script:
        "../scripts/gsea.py"


rule export:
    input:
        cohort=rules.prepare.output.cohort,
    output:
        done=f"{RUN}/{{cohort}}/export/files.json",
    log:
        f"{RUN}/{{cohort}}/logs/export.log",
    benchmark:
        f"{RUN}/{{cohort}}/benchmarks/export.tsv"
    conda:
        "../envs/mtorscore.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        signatures=CONFIG.signatures,
        signatures_hash=SIGNATURES_HASH,
    script:
        "../scripts/export.py"
