"""SIGINT and SIGTERM end a command in order: what is unfinished is removed, one line, exit code 130 or 143."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from mtorscore import _atomic

__all__ = ["Ended", "Signals", "ended_by_signals", "ending"]

# What a workflow gets to end its steps, of which each removes what it has not finished.
GRACE_SECONDS = 20.0
_MAKERS = frozenset({tempfile.__file__, _atomic.__file__})


class Ended(KeyboardInterrupt):
    """A signal asked the command to end; libraries let it pass as they let Ctrl-C pass."""


class Signals:
    """The signal that came, if one did.

    Attributes
    ----------
    number
        Its number; 0 as long as none came.
    """

    def __init__(self) -> None:
        self.number = 0
        self.deaf = False

    def received(self, number: int, frame: FrameType | None) -> None:
        """Raise `Ended` at the first signal; later ones must not disturb what the first one lets clean up."""
        if self.deaf:
            return
        self.number = number
        if _makes_a_file(frame) and _soon():
            return
        self.deaf = True
        raise Ended

    def again(self, _: int, frame: FrameType | None) -> None:
        """Take up a signal that was put off (called by the timer)."""
        self.received(self.number, frame)

    def swallowed(self, unraisable: Any) -> bool:
        """Put off a signal that came within a finaliser, which lets no exception pass; say whether it did."""
        if not self.number or not isinstance(unraisable.exc_value, Ended):
            return False
        self.deaf = False
        return _soon()


def _makes_a_file(frame: FrameType | None) -> bool:
    """Whether a temporary file or folder is just being made or put in place: one that nobody knows would be left."""
    while frame is not None:
        if frame.f_code.co_filename in _MAKERS:
            return True
        frame = frame.f_back
    return False


def _soon() -> bool:
    """Start the timer; say whether there is one. A thread must not be started within a handler."""
    if not hasattr(signal, "setitimer"):
        return False
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    return True


@contextmanager
def ended_by_signals(*, restore: bool) -> Iterator[Signals]:
    """Turn SIGINT and SIGTERM into `Ended` within the block.

    Parameters
    ----------
    restore
        Put the handlers of before back at the end. A process that ends anyway takes no notice of later signals instead:
        what it has to do is done.

    Yields
    ------
    Signals
        What came. Nothing changes in a thread that is not the main one, where signals cannot be handled.
    """
    state = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield state
        return
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: None if state.swallowed(unraisable) else hook(unraisable)
    handlers: dict[int, Callable[[int, FrameType | None], None]]
    handlers = {signal.SIGINT: state.received, signal.SIGTERM: state.received}
    if hasattr(signal, "SIGALRM"):
        handlers[signal.SIGALRM] = state.again
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield state
    finally:
        state.deaf = True
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler if restore else signal.SIG_IGN)


@contextmanager
def ending(job: subprocess.Popen[str]) -> Iterator[None]:
    """End a process and those that it started, which share a session of their own, if the block ends early."""
    try:
        yield
    except BaseException:
        _send(job, signal.SIGTERM)
        try:
            job.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Also steps that outlived the process that started them.
            _send(job, signal.SIGKILL)
        raise


def _send(job: subprocess.Popen[str], number: int) -> None:
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(job.pid, number)
        else:
            job.send_signal(number)
