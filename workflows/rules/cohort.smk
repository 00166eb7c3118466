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
        made_by=MADE_BY,
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
        **tables("prepare"),
        cohort=f"{RUN}/{{cohort}}/cohort.h5ad",
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
        made_by=MADE_BY,
        cohort=lambda w: cohort_of(w),
        data=CONFIG.data,
    script:
        "../scripts/prepare.py"


rule score:
    input:
        cohort=rules.prepare.output.cohort,
    output:
        **tables("score"),
        references=expand(
            f"{RUN}/{{{{cohort}}}}/scores/reference/{{method}}.npz",
            method=CONFIG.methods,
        ),
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
        made_by=MADE_BY,
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
        **tables("relate"),
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
        made_by=MADE_BY,
        signatures=CONFIG.signatures,
        signatures_hash=SIGNATURES_HASH,
        options=CONFIG.relate_options(),
    script:
        "../scripts/relate.py"


rule contrast:
    input:
        cohort=rules.prepare.output.cohort,
        scores=rules.score.output.scores,
    output:
        **tables("contrast"),
    log:
        f"{RUN}/{{cohort}}/logs/contrast.log",
    benchmark:
        f"{RUN}/{{cohort}}/benchmarks/contrast.tsv"
    conda:
        "../envs/mtorscore.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        made_by=MADE_BY,
        methods=CONFIG.methods,
        seed=CONFIG.seed,
    script:
        "../scripts/contrast.py"


rule alterations:
    input:
        cohort=rules.prepare.output.cohort,
        scores=rules.score.output.scores,
    output:
        **tables("alterations"),
    log:
        f"{RUN}/{{cohort}}/logs/alterations.log",
    benchmark:
        f"{RUN}/{{cohort}}/benchmarks/alterations.tsv"
    conda:
        "../envs/mtorscore.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        made_by=MADE_BY,
        cohort=lambda w: cohort_of(w),
        data=CONFIG.data,
        signatures=CONFIG.signatures,
        signatures_hash=SIGNATURES_HASH,
        options=CONFIG.alteration_options(),
    script:
        "../scripts/alterations.py"


rule gsea:
    input:
        cohort=rules.prepare.output.cohort,
    output:
        **tables("gsea"),
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
        made_by=MADE_BY,
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
        made_by=MADE_BY,
        signatures=CONFIG.signatures,
        signatures_hash=SIGNATURES_HASH,
    script:
        "../scripts/export.py"
