"""End the workflow when the command line that started it ends."""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["STARTED_BY", "end_with_parent"]

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
