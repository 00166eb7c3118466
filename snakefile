include: "workflows/main.smk"


# The target of an included file is not the default one.
rule run:
    input:
        rules.all.input,
    default_target: True
