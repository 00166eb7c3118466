"""Standard input as a source of data, where ``-`` asks for it."""

from __future__ import annotations

import sys
from typing import IO

from mtorscore.errors import ConfigError

__all__ = ["standard_input"]


def standard_input() -> IO[bytes]:
    """Return standard input.

    Raises
    ------
    ConfigError
        If there is none, or it is the keyboard.
    """
    source = sys.stdin
    if source is None or source.closed:
        raise ConfigError("- reads standard input, and there is none; name a file, or pipe a table in.")
    if source.isatty():
        raise ConfigError(
            "- reads standard input, and nothing is piped into it; name a file, or pipe a table in, as in "
            "`zcat counts.tsv.gz | mtorscore score -`."
        )
    return source.buffer
