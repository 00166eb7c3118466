include: "workflows/main.smk"


# The target of an included file is not the default one.
rule run:
    default_target: True
    input:
        rules.all.input,
