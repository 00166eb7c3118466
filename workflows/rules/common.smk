"""Configuration, checked; the cohort table; one run at a time per results folder."""

import os

from mtorscore.pipeline import COMMAND, command_line
from mtorscore.pipeline.record import end_with_parent
from mtorscore.pipeline.acquire import raw_state
from mtorscore.pipeline.config import (
    load_config,
    lock_run,
    open_signatures,
    with_paths,
)
from mtorscore.pipeline.genomics.step import has_beside
from mtorscore import __version__ as VERSION
from mtorscore.results import FORMAT, TABLES

CONFIG = load_config(
    with_paths(config, workflow.configfiles, workflow.config_settings.config)
)
RUN = f"{CONFIG.results}/{CONFIG.run}"
COHORTS = list(CONFIG.cohorts)
# Cohorts with DNA alterations, proteins or classes.
ALTERED = [name for name, row in CONFIG.cohorts.items() if has_beside(row.recipe)]
SIGNATURES_HASH = open_signatures(CONFIG.signatures).hash
# Part of every step: what another version computed is computed again and not mixed with what this one says.
MADE_BY = f"mtorscore {VERSION}, tables of format {FORMAT}"

# Steps are processes of their own: the record of a run reads there how it was started.
os.environ.setdefault(COMMAND, command_line())

if workflow.is_main_process and not workflow.dryrun:
    end_with_parent()
    RUN_LOCK = lock_run(RUN)


wildcard_constraints:
    cohort="|".join(COHORTS),


def cohort_of(wildcards):
    """The row of the cohort table that a job is for, as plain types."""
    return CONFIG.cohorts[wildcards.cohort].as_dict()


def raw_of(wildcards):
    """Size and time of the raw files that a job reads, so that changed ones are read again."""
    return raw_state(CONFIG.cohorts[wildcards.cohort].recipe, CONFIG.data)


def tables(step):
    """Paths of the tables that a step writes per cohort, by name; tables per scoring method are lists."""
    paths = {
        t.name: f"{RUN}/{{cohort}}/{t.path}" for t in TABLES.values() if t.step == step
    }
    return {
        name: (
            [path.replace("{method}", m) for m in CONFIG.methods]
            if "{method}" in path
            else path
        )
        for name, path in paths.items()
    }
