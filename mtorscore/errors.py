"""Exceptions and warnings that mtorscore raises, so that users can catch or filter them by class.

Messages follow one pattern: what is wrong, how many, where, up to three examples, how to fix it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

__all__ = [
    "ConfigError",
    "CoverageWarning",
    "DataError",
    "DataWarning",
    "EndpointError",
    "FetchError",
    "FormatError",
    "IgnoredWarning",
    "MethodError",
    "MtorscoreError",
    "MtorscoreWarning",
    "ReferenceMismatchError",
    "RenamedWarning",
    "SignatureError",
    "StatisticsWarning",
    "examples",
    "nearest",
    "not_writable",
    "warn",
]

# Frames of these packages stand between a caller and the place that warns: ours, and what calls us back.
_PASSED_THROUGH = frozenset(
    {"mtorscore", "concurrent", "contextlib", "functools", "joblib", "pandas", "sklearn", "threading"}
)


class MtorscoreError(Exception):
    """Base of all errors that a user can fix; the command line turns it into one sentence and exit code 2."""


class DataError(MtorscoreError, ValueError):
    """The values, genes, samples or shapes handed in cannot be used."""


class FormatError(DataError):
    """A file does not hold what its format promises.

    Parameters
    ----------
    message
        What is wrong and how to fix it.
    path
        The file.
    line, column
        One-based position of the first offending character or field, where known.
    """

    def __init__(
        self, message: str, *, path: str | Path | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        self.path = path
        self.line = line
        self.column = column
        where = "" if path is None else str(path)
        if line is not None:
            where += f", line {line}"
        if column is not None:
            where += f", column {column}"
        super().__init__(f"{where}: {message}" if where else message)


class SignatureError(MtorscoreError, ValueError):
    """A signature, or a collection of them, is not valid."""


class MethodError(MtorscoreError, ValueError):
    """An unknown scoring method, or one asked to do what its assumptions forbid."""


class ReferenceMismatchError(MtorscoreError, ValueError):
    """A frozen reference does not fit the data that should be scored against it."""


class EndpointError(MtorscoreError, ValueError):
    """An endpoint is not defined by the clinical table, or holds nothing that a model could learn from."""


class ConfigError(MtorscoreError, ValueError):
    """A workflow configuration or a command-line option is not valid."""


class FetchError(MtorscoreError, OSError):
    """A download failed, or what arrived is not what was promised."""


class MtorscoreWarning(UserWarning):
    """Base of all warnings."""


class CoverageWarning(MtorscoreWarning):
    """Less than half of a signature's genes, or none of one of its directions, are in the matrix."""


class DataWarning(MtorscoreWarning):
    """Something in the data was collapsed, dropped, repaired or looks unlike what it is said to be."""


class IgnoredWarning(MtorscoreWarning):
    """A sign, weight or option that the chosen method cannot use was ignored."""


class RenamedWarning(MtorscoreWarning):
    """An argument or name was renamed; the old one works for one release."""


class StatisticsWarning(MtorscoreWarning):
    """A statistic is returned that should not be trusted as it stands; the table says why."""


def not_writable(path: str | Path, error: OSError) -> ConfigError:
    """Return the error of an output that the system does not let us write.

    Parameters
    ----------
    path
        The final name, not that of a temporary file.
    error
        What the system said.

    Returns
    -------
    ConfigError
        To be raised.
    """
    why = error.strerror or str(error)
    return ConfigError(f"{path} cannot be written ({why.lower()}); name a file in a folder that you may write to.")


def examples(items: Iterable[object], most: int = 3) -> str:
    """Join the first few items for an error message.

    Parameters
    ----------
    items
        The offending things, in the order in which they were met.
    most
        How many are named before an ellipsis.

    Returns
    -------
    str
        Such as ``"ACACA, ACLY, FASN, ..."``.
    """
    shown = [str(item) if len(str(item)) <= 60 else f"{str(item)[:57]}..." for item in items]
    return ", ".join(shown[:most]) + (", ..." if len(shown) > most else "")


def nearest(name: object, known: Iterable[object], most: int = 3) -> list[str]:
    """Return the known names that somebody may have meant.

    Parameters
    ----------
    name
        What was written.
    known
        The names that there are.
    most
        How many are wanted.

    Returns
    -------
    list of str
        Names that hold what was written come first, then names spelled alike; upper and lower case are one.
    """
    written, by_lower = str(name).lower(), {str(k).lower(): str(k) for k in known}
    holding = sorted((k for k in by_lower if written and written in k), key=len)
    alike = get_close_matches(written, by_lower, n=most, cutoff=0.5)
    return [by_lower[k] for k in dict.fromkeys([*holding, *alike])][:most]


def warn(message: str, category: type[MtorscoreWarning]) -> None:
    """Warn at the line of the caller, which is the first frame outside this package.

    Parameters
    ----------
    message
        What happened, how many, up to three examples.
    category
        One of the classes of this module.
    """
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _PASSED_THROUGH:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
