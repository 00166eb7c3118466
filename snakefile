module mtorscore:
    snakefile:
        "workflows/main.smk"
    config:
        config


use rule * from mtorscore
