"""Whole runs: ``demo``, ``run``, ``report``."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from mtorscore._doors import COMMAND_LINE, DOOR, RECIPE, at_door
from mtorscore.cli.data import (
    COMPETING,
    EVENT_VALUE,
    IDS,
    MAPPING,
    ORIENTATION,
    PLATFORM,
    PLATFORM_COLUMNS,
    TX2GENE,
    UNITS,
    parts,
)
from mtorscore.cli.step_messages import explain, refusal, say_board, say_warnings
from mtorscore.errors import ConfigError

__all__ = ["register", "run_workflow"]

_PROGRESS = re.compile(r"(\d+) of (\d+) steps")
_FINISHED = re.compile(r"Finished jobid: \d+ \(Rule: (\w+)\)")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(demo)
    app.command()(run)
    app.command()(report)


Results = Annotated[
    Path | None, typer.Option("--results", "-o", help="Folder for results; each run gets a folder in it.")
]
Cores = Annotated[int, typer.Option("--cores", "-c", min=1, help="Processor cores to use.")]


def demo(results: Results = None, cores: Cores = 2) -> None:
    """Run everything on a simulated cohort and print where the report is.

    For example:

        mtorscore demo --results demo-results --cores 4
    """
    from mtorscore.pipeline.config import workflow_folder

    overrides = {} if results is None else {"results": str(results)}
    run_workflow(workflow_folder() / "config" / "demo.yaml", cores=cores, overrides=overrides)


def run(
    expression: Annotated[
        Path | None,
        typer.Argument(
            help="Your own matrix: genes x samples or the other way round, any format; or a folder of quantifications."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-f", help="Configuration (YAML) of a run over a table of cohorts.")
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", "-d", help="Folder with the cohorts' raw files.")] = None,
    clinical: Annotated[
        Path | None, typer.Option(help="With your own matrix: clinical table, first column the sample.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column of follow-up times.")] = None,
    event: Annotated[
        str | None, typer.Option(help="Column of events: 1 or 0, or words such as Dead and Alive.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(help="Unit of the times: days, weeks, months or years. Days, if the column's name says nothing."),
    ] = None,
    event_value: Annotated[str | None, typer.Option(help=EVENT_VALUE)] = None,
    competing: Annotated[str | None, typer.Option(help=COMPETING)] = None,
    cancer: Annotated[
        str | None,
        typer.Option(
            help="What the samples are of: HCC, CCA, HB, other tumours or cell lines. Scores are graded by what was "
            "measured there."
        ),
    ] = None,
    units: Annotated[str | None, typer.Option(help=UNITS)] = None,
    organism: Annotated[str, typer.Option(help="Whose genes: human, or mouse (one-to-one orthologues).")] = "human",
    orientation: Annotated[str | None, typer.Option(help=ORIENTATION)] = None,
    ids: Annotated[str | None, typer.Option(help=IDS)] = None,
    platform: Annotated[Path | None, typer.Option(help=PLATFORM)] = None,
    platform_columns: Annotated[
        str | None,
        typer.Option(help=PLATFORM_COLUMNS),
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help=MAPPING)] = None,
    tx2gene: Annotated[Path | None, typer.Option(help=TX2GENE)] = None,
    group: Annotated[
        str | None, typer.Option(help="Column that tells groups, of the clinical table or of the matrix file.")
    ] = None,
    tumour: Annotated[list[str] | None, typer.Option(help="Its value for tumours; may be repeated.")] = None,
    normal: Annotated[list[str] | None, typer.Option(help="Its value for normal tissue; may be repeated.")] = None,
    reference: Annotated[str | None, typer.Option(help="The group that the others are compared with.")] = None,
    order: Annotated[
        list[str] | None, typer.Option(help="Groups from lowest to highest, as a,b,c, for a trend; may be repeated.")
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="Groups whose samples are left out, as x,y; may be repeated.")
    ] = None,
    pair: Annotated[str | None, typer.Option(help="Column of what pairs samples, such as the patient.")] = None,
    block: Annotated[str | None, typer.Option(help="Column of what samples share, such as the batch.")] = None,
    covariates: Annotated[
        list[str] | None, typer.Option(help="Columns that comparisons are adjusted for, as a,b; may be repeated.")
    ] = None,
    interaction: Annotated[
        str | None,
        typer.Option(help="Column that the comparison may depend on, such as the genotype or the cell type."),
    ] = None,
    interaction_reference: Annotated[
        str | None, typer.Option(help="Value of --interaction that the others are compared with, such as wt.")
    ] = None,
    alterations: Annotated[
        list[Path] | None,
        typer.Option(help="DNA alterations: MAF, data_cna, data_sv, GISTIC, a table of 0 and 1; may be repeated."),
    ] = None,
    profiled: Annotated[
        Path | None, typer.Option(help="Who was profiled for alterations: a case list, or one name a line.")
    ] = None,
    panels: Annotated[list[Path] | None, typer.Option(help="Gene panels of the alterations; may be repeated.")] = None,
    proteins: Annotated[Path | None, typer.Option(help="Table of samples x antibodies (RPPA), on log scale.")] = None,
    classes: Annotated[
        list[str] | None, typer.Option(help="Classes to call, such as hoshida; may be repeated.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the run with your own matrix.")] = "own",
    results: Results = None,
    cores: Cores = 2,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Override one key, as KEY=VALUE; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only list what would be done.")] = False,
) -> None:
    """Run the workflow to the report: on your own matrix, or on the cohorts that a configuration names.

    Only what changed is computed again; a run that was stopped goes on where it stopped. Any key of the configuration
    can be set with --set, such as --set null_sets=0 for a quick look.

    For example:

        mtorscore run expression.tsv --clinical clinical.tsv --time OS.time --event OS
        mtorscore run matrix.csv --clinical c.csv --time months --unit months --event status --cancer HCC
        mtorscore run matrix.csv --clinical c.csv --time DSS.time --event DSS --competing OS
        mtorscore run matrix.csv --clinical c.csv --group tissue --tumour Tumor --normal Adjacent
        mtorscore run matrix.csv --clinical c.csv --group stage --order normal,cirrhosis,HCC --leave-out unknown
        mtorscore run matrix.csv --clinical c.csv --group tissue --reference adjacent --pair patient
        mtorscore run counts.tsv --clinical c.csv --group arm --reference vehicle --interaction genotype
        mtorscore run salmon_folder --tx2gene tx2gene.tsv --units counts
        mtorscore run array.txt --platform GPL.txt --platform-columns ID,SYMBOL
        mtorscore run expression.tsv --clinical c.tsv --cancer HCC --alterations data_mutations.txt --classes hoshida
        mtorscore run --config liver.yaml --data DATA_FOLDER --cores 4
    """
    overrides = _settings(setting or [])
    if (expression is None) == (config is None):
        raise ConfigError(
            "Name your expression matrix, as in `mtorscore run expression.tsv`, or give a configuration with --config; "
            "one of the two. `mtorscore run --help` shows examples."
        )
    if results is not None:
        overrides["results"] = str(results)
    if expression is not None:
        from mtorscore.pipeline.config import DEFAULTS
        from mtorscore.pipeline.own_data import OwnData, write_inputs

        if (tumour or normal) and group is None:
            raise ConfigError("--tumour and --normal name values of a column of groups: name it with --group.")
        own = OwnData(
            name=name, expression=expression, clinical=clinical, units=units, organism=organism,
            orientation=orientation, ids=ids, platform=platform, platform_columns=parts(platform_columns),
            mapping=mapping, tx2gene=tx2gene, time=time, event=event, unit=unit,
            event_value=event_value, competing=competing, cancer=cancer, group=group,
            tumour=tuple(tumour or ()), normal=tuple(normal or ()), reference=reference, order=tuple(order or ()),
            leave_out=tuple(leave_out or ()), pair=pair, block=block, covariates=tuple(covariates or ()),
            interaction=interaction, interaction_reference=interaction_reference,
            alterations=tuple(alterations or ()), profiled=profiled, panels=tuple(panels or ()), proteins=proteins,
            classes=tuple(classes or ()),
        )  # fmt: skip
        config = write_inputs(own, overrides.get("results", DEFAULTS["results"]))
        data = expression.resolve().parent
    if data is not None:
        overrides["data"] = str(data)
    at = RECIPE if expression is None else COMMAND_LINE
    run_workflow(Path(str(config)), cores=cores, overrides=overrides, dry_run=dry_run, door=at)


def _settings(items: list[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--set {item!r} is not of the form KEY=VALUE.")
        settings[key.strip()] = value
    return settings


def report(
    results: Annotated[Path, typer.Argument(help="Folder of one run, such as results/demo.")],
    figures: Annotated[
        list[str] | None,
        typer.Option(help="Write the figures for papers too, in this format: svg, pdf or png; may be repeated."),
    ] = None,
) -> None:
    """Write the report of a run afresh from the tables in its folder.

    For example:

        mtorscore report results/demo
        mtorscore report results/demo --figures svg --figures pdf
    """
    from mtorscore import report as report_room

    typer.echo(str(report_room.write(results)))
    if figures:
        written = report_room.write_figures(results, figures)
        typer.echo(f"{len(written) - 1} figures in {written[-1].parent}")


def run_workflow(
    config: Path, *, cores: int, overrides: dict[str, Any], dry_run: bool = False, door: str = RECIPE
) -> None:
    """Check a configuration, run the workflow on it and print the report's path.

    Parameters
    ----------
    config
        YAML file.
    cores
        Processor cores for Snakemake.
    overrides
        Keys that win over the file's.
    dry_run
        Only list the jobs.
    door
        Where the user stands, for the sentences of the steps.

    Raises
    ------
    ConfigError
        If the configuration is not valid, or a step ended with an error that the user can fix.
    SystemExit
        Code 1 if the workflow failed for any other reason.
    """
    from mtorscore.pipeline.config import (
        check_recipe_groups,
        load_config,
        lock_run,
        parse_value,
        with_paths,
        workflow_folder,
    )

    raw = _read_yaml(config)
    raw.update(
        {
            key: parse_value(str(value), f"--set {key}={value}") if key != "data" else value
            for key, value in overrides.items()
        }
    )
    checked = load_config(with_paths(raw, [config], overrides))
    if door == RECIPE:
        for cohort in checked.cohorts.values():
            check_recipe_groups(cohort.recipe, checked.data)
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(workflow_folder() / "main.smk")),
        *("--cores", str(cores), "--configfile", str(config), "--nocolor"),
        *("--rerun-incomplete", "--nolock"),
    ]
    if overrides:
        command += ["--config", *(f"{key}={value}" for key, value in overrides.items())]
    if dry_run:
        raise SystemExit(_dry_run(command, door))
    run_folder = Path(checked.results) / checked.run
    # Said here rather than from within Snakemake: another run at work, or a folder that cannot be written.
    lock_run(run_folder).close()
    start = time.time()
    code, tail = _follow(command, door)
    say_warnings(run_folder, start)
    if code != 0:
        explain(run_folder, tail, start)
    with at_door(door):
        say_board(run_folder)
    typer.echo(f"Report: {(run_folder / 'report.html').resolve()}")


def _dry_run(command: list[str], door: str) -> int:
    """List how often each step would run, and nothing of Snakemake's own."""
    import os

    environment = os.environ | {"PYTHONSAFEPATH": "1", DOOR: door}
    done = subprocess.run(
        [*command, "--dry-run"], check=False, capture_output=True, text=True, errors="replace", env=environment
    )
    text = done.stdout + done.stderr
    if done.returncode:
        if sentence := refusal(text.splitlines()):
            raise ConfigError(sentence)
        typer.echo(text, err=True)
        return 1
    steps = dict(re.findall(r"^([a-z_]+) +(\d+)$", text, re.MULTILINE))
    steps.pop("total", None)
    typer.echo("\n".join(f"{name}\t{count}" for name, count in steps.items()) or "Nothing to be done.")
    return 0


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    from mtorscore._bounded_yaml import safe_load

    if not path.is_file():
        raise ConfigError(f"There is no configuration {path}. Check the path.")
    try:
        raw = safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold keys and values, such as `run: my-run`.")
    return raw


def _follow(command: list[str], door: str) -> tuple[int, list[str]]:
    import os

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from mtorscore.cli.signals import ending
    from mtorscore.cli.verbosity import quiet
    from mtorscore.pipeline import COMMAND, command_line
    from mtorscore.pipeline.record import STARTED_BY

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(), TextColumn("{task.fields[rate]}"),
    )  # fmt: skip
    tail: list[str] = []
    # Where no terminal is, a bar would be an empty line: there is a line for each step instead.
    hidden = quiet() or not sys.stderr.isatty()
    rule = ""
    # A folder named mtorscore in the working directory, such as a clone, must not be taken for the package.
    environment = os.environ | {
        "PYTHONSAFEPATH": "1", COMMAND: command_line(), STARTED_BY: str(os.getpid()), DOOR: door,
    }  # fmt: skip
    with (
        Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as progress,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,
        ) as job,
        ending(job),
    ):
        task = progress.add_task("steps", total=None, rate="")
        start = time.monotonic()
        for line in job.stderr or ():
            tail = [*tail[-200:], line.rstrip()]
            if done := _FINISHED.search(line):
                rule = done[1]
            if found := _PROGRESS.search(line):
                if hidden and not quiet():
                    typer.echo(f"{found[1]} of {found[2]}{f': {rule}' if rule else ''}", err=True)
                per_minute = 60 * int(found[1]) / max(time.monotonic() - start, 1e-3)
                progress.update(
                    task, completed=int(found[1]), total=int(found[2]), rate=f"{per_minute:.1f} steps a minute"
                )
    return job.returncode, tail
