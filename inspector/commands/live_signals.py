"""Signals to a running script: SIGUSR1 and Ctrl-\\ write what is known so far, SIGTERM does so before it ends the
process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

_NAMES = ("SIGUSR1", "SIGQUIT", "SIGTERM")  # Windows has only the last
_STATUS = Path("/proc/self/status")
_CAUGHT = "SigCgt:"


class LiveSignals:
    """Handles the signals that the script does not handle itself, from `install` to `uninstall`.

    write: writes what is known, now or soon, and says what follows; then it calls the function that it is given.
    """

    def __init__(self, write: Callable[[str, Callable[[], None]], None]) -> None:
        self._write = write
        self._process = os.getpid()
        self._installed: list[signal.Signals] = []

    def install(self) -> None:
        """Install the handlers; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            return
        caught = _caught()
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL and number not in caught:
                signal.signal(number, self._handle)
                self._installed.append(number)

    def uninstall(self) -> None:
        """Restore the default, unless the script has set a handler of its own since."""
        if threading.current_thread() is not threading.main_thread():
            return
        while self._installed:
            number = self._installed.pop()
            if signal.getsignal(number) == self._handle:
                signal.signal(number, signal.SIG_DFL)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a fork of the script: as without the inspector
            _end_by(number)
        elif number == signal.SIGTERM:
            self._write("was ended by SIGTERM", lambda: _end_by(number))
        else:
            self._write("goes on", lambda: None)


def _caught() -> set[int]:
    """The signals with a handler, also one in C that Python does not know, such as `faulthandler`'s; none if the
    system does not tell."""
    try:
        lines = _STATUS.read_text("ascii", "replace").splitlines()
        mask = next(int(line[len(_CAUGHT) :], 16) for line in lines if line.startswith(_CAUGHT))
    except (OSError, ValueError, StopIteration):
        return set()
    return {number for number in range(1, mask.bit_length() + 1) if mask >> (number - 1) & 1}


def _end_by(number: int) -> None:
    """End the process as the signal does by default."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
