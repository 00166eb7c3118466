"""The record of a run (versions, configuration, hashes), the log of a step, and the end of its processes."""

from __future__ import annotations

import os
import platform
import shlex
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from mtorscore._doors import DOOR, RECIPE, at_door
from mtorscore.errors import MtorscoreError, MtorscoreWarning
from mtorscore.pipeline.table_files import write_json
from mtorscore.results import FORMAT

__all__ = [
    "ERROR_PREFIX",
    "STARTED_BY",
    "WARNING_PREFIX",
    "command_line",
    "end_with_parent",
    "logged",
    "write_run_record",
]

ERROR_PREFIX = "Error: "
WARNING_PREFIX = "Warning: "
COMMAND = "MTORSCORE_COMMAND"
"""The variable by which a step knows what the user typed; a parameter of a rule would make it run again."""
_REPORTED = (
    "anndata",
    "gseapy",
    "numba",
    "numpy",
    "pandas",
    "scanpy",
    "scikit-learn",
    "scipy",
    "snakemake",
)


def command_line() -> str:
    """Return the command that started this process, or its parent process.

    Returns
    -------
    str
        Programme (without its folder) and arguments, quoted for a shell.
    """
    if os.environ.get(COMMAND):
        return os.environ[COMMAND]
    programme = Path(sys.argv[0])
    name = programme.parent.name if programme.name == "__main__.py" else programme.name
    return shlex.join([name, *sys.argv[1:]])


def write_run_record(folder: str | Path, config: Mapping[str, Any], *, signatures_hash: str) -> Path:
    """Write ``run.json``: versions, configuration and hashes, which the report shows.

    Parameters
    ----------
    folder
        The run's results folder.
    config
        The checked configuration as plain types.
    signatures_hash
        Hash of the signature collection that was scored.

    Returns
    -------
    pathlib.Path
        The file.
    """
    from mtorscore._version import __version__

    versions = {"mtorscore": __version__, "python": platform.python_version()}
    for name in _REPORTED:
        versions[name] = metadata.version(name)
    content = {
        "name": config["run"],
        "format": FORMAT,
        "cohorts": list(config["cohorts"]),
        "config": dict(config),
        "signatures_hash": signatures_hash,
        "versions": versions,
        "platform": platform.platform(),
        "command": os.environ.get(COMMAND),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return write_json(content, Path(folder) / "run.json")


# Environment variable that holds the process id of the command line.
STARTED_BY = "MTORSCORE_STARTED_BY"
_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Ask the system to end this process when the command line that started it has gone.

    Otherwise a workflow whose command line was killed would wait for ever on a pipe that nobody reads, and keep the
    lock of its results folder. Does nothing where Snakemake was started by hand, and on other systems than Linux.
    """
    parent = os.environ.get(STARTED_BY, "")
    if not parent.isdigit() or not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):  # it went before we asked
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def logged(path: str | Path) -> Iterator[None]:
    """Redirect output and warnings of a step to its log; if the step fails, end the process with one sentence.

    Parameters
    ----------
    path
        The log file, written afresh.

    Raises
    ------
    SystemExit
        Code 2 for an error that the user can fix (its sentence is the log's last line), code 1 for any other
        (with its traceback in the log).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    here = os.environ.get(DOOR) or RECIPE
    with (
        path.open("w", encoding="utf-8") as log,
        redirect_stdout(log),
        redirect_stderr(log),
        _warnings_to(log),
        at_door(here),
    ):
        warnings.simplefilter("default")
        try:
            yield
        except MtorscoreError as error:
            print(f"{ERROR_PREFIX}{error}", file=log)
            _fail(str(error), 2)
        except Exception as error:
            traceback.print_exc(file=log)
            print(f"{ERROR_PREFIX}{type(error).__name__}: {error}", file=log)
            _fail(f"{type(error).__name__}: {error} (see {path})", 1)


@contextmanager
def _warnings_to(log: TextIO) -> Iterator[None]:
    """Write every warning as one line; the command line repeats ours."""
    before = warnings.showwarning

    def show(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, MtorscoreWarning):
            print(f"{WARNING_PREFIX}{' '.join(str(message).split())}", file=log)
        else:
            print(f"{category.__name__}: {' '.join(str(message).split())}", file=log)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def _fail(sentence: str, code: int) -> None:
    print(f"{ERROR_PREFIX}{sentence}", file=sys.__stderr__)
    raise SystemExit(code)
