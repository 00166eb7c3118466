"""The Snakemake workflow, its rules, schemas and example configurations."""
