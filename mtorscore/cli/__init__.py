"""The command line: ``mtorscore``. Commands parse, call the package and print; they hold no logic of their own.

Exit codes: 0 done; 1 an unexpected error; 2 something that the user can fix (input, options); 130 interrupted (SIGINT);
143 asked to terminate (SIGTERM).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from mtorscore._doors import COMMAND_LINE, at_door
from mtorscore.cli.signals import Ended, Signals, ended_by_signals
from mtorscore.cli.verbosity import quiet, set_quiet
from mtorscore.errors import MtorscoreError, MtorscoreWarning

__all__ = ["main"]

# What the system refuses and the user can mend: a path, a permission, a full disk.
_MENDABLE = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENAMETOOLONG,
    errno.ENOSPC, errno.EDQUOT, errno.ELOOP,
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; by default those of the process.

    Raises
    ------
    SystemExit
        Always, with the exit code.
    """
    with ended_by_signals(restore=argv is not None) as signals:
        with contextlib.suppress(Ended):
            _run(list(sys.argv[1:] if argv is None else argv), signals)
        if signals.number:
            _say_ended(signals.number)


def _run(arguments: list[str], signals: Signals) -> None:
    debug = "--debug" in arguments
    set_quiet("--quiet" in arguments or "-q" in arguments)
    arguments = [a for a in arguments if a not in ("--debug", "--quiet", "-q")]
    if not debug:
        warnings.showwarning = _show_warning
        warnings.filterwarnings("once", category=MtorscoreWarning)
    try:
        from mtorscore.cli.app import app

        try:
            with at_door(COMMAND_LINE):
                app(arguments, prog_name="mtorscore")
        except BaseException:
            # Whatever became of the exception on its way here, as within a library: the signal is why.
            if not signals.number:
                raise
    except MtorscoreError as error:
        _fail(str(error), 2, error, debug)
    except SystemExit as ended:
        # The parser ends with an error where the reader of our output has gone.
        if isinstance(ended.__context__, BrokenPipeError):
            _end_quietly()
        raise
    except OSError as error:
        _fail(_system_sentence(error), 2 if error.errno in _MENDABLE else 1, error, debug)
    except MemoryError as error:
        _fail(f"{type(error).__name__}: {error}", 1, error, debug)
    except Exception as error:
        _fail(f"Unexpected {type(error).__name__}: {error}. Run again with --debug for details.", 1, error, debug)


def _end_quietly() -> None:
    """Leave when the reader of our output has gone, as ``head`` does: it has what it wanted."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(0) from None


def _say_ended(number: int) -> None:
    why = "interrupted" if number == signal.SIGINT else "asked to terminate"
    with contextlib.suppress(OSError, ValueError):
        print(f"Error: {why}; what was not finished is not left behind.", file=sys.stderr)  # noqa: T201
    raise SystemExit(128 + number)


def _system_sentence(error: OSError) -> str:
    why = (error.strerror or str(error) or type(error).__name__).rstrip(".")
    return f"{error.filename}: {why}." if error.filename else f"{why[:1].upper()}{why[1:]}."


def _fail(sentence: str, code: int, error: BaseException, debug: bool) -> None:
    if debug:
        raise error
    print(f"Error: {sentence}", file=sys.stderr)  # noqa: T201
    raise SystemExit(code)


def _show_warning(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, MtorscoreWarning) and not quiet():
        print(f"Warning: {message}", file=sys.stderr)  # noqa: T201
