"""The steps of a run, each from files to files: acquire, prepare, score, relate, export, report.

The workflow's scripts and the command line both call these functions, so that a run by Snakemake and a run by hand
give the same tables. Every output is written to a temporary name and moved.
"""

from __future__ import annotations

from mtorscore._atomic import atomic
from mtorscore.pipeline.acquire import acquire
from mtorscore.pipeline.export import export
from mtorscore.pipeline.group_contrasts import compare_groups
from mtorscore.pipeline.gsea import enrich
from mtorscore.pipeline.prepare import load_cohort, prepare
from mtorscore.pipeline.record import COMMAND, ERROR_PREFIX, command_line, logged, write_run_record
from mtorscore.pipeline.relate import relate
from mtorscore.pipeline.score import score
from mtorscore.pipeline.table_files import read_table, write_json, write_table

__all__ = [
    "COMMAND",
    "ERROR_PREFIX",
    "acquire",
    "atomic",
    "command_line",
    "compare_groups",
    "enrich",
    "export",
    "load_cohort",
    "logged",
    "prepare",
    "read_table",
    "relate",
    "score",
    "write_json",
    "write_run_record",
    "write_table",
]
