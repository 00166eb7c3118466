include: "workflows/main.smk"
