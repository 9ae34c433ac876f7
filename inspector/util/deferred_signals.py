"""Signals that arrive during longer work of the inspector are handled after it.

Python calls the handler of a signal wherever the main thread is, and what it raises, such as the TimeoutError of
an alarm, belongs to the script: within the inspector's work it would be taken for an internal error.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_arrived: dict[int, None] = {}
_NUMBERS = tuple(sorted(signal.valid_signals() - {getattr(signal, "SIGKILL", 9), getattr(signal, "SIGSTOP", 19)}))


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """Within it, the handlers of the script are not called; `handle_deferred` does that. Ctrl-C is not deferred,
    unless the script handles it. Only the main thread has handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: handler for number in _NUMBERS if _is_of_script(handler := signal.getsignal(number))}
    for number in handlers:
        signal.signal(number, _note)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def handle_deferred() -> None:
    """Call the handlers of the signals that have arrived meanwhile. Raises what they raise."""
    if not _arrived or threading.current_thread() is not threading.main_thread():
        return
    with contextlib.ExitStack() as calls:  # all are called, also if one raises
        for number in reversed(_arrived):
            handler = signal.getsignal(number)
            if callable(handler):  # the signal is not raised again: it has written to the fd of set_wakeup_fd
                calls.callback(handler, number, sys._getframe(1))
        _arrived.clear()


def _note(number: int, frame: FrameType | None) -> None:
    _arrived[number] = None


def _is_of_script(handler: Callable[..., Any] | int | None) -> bool:
    return callable(handler) and handler is not _note and handler is not signal.default_int_handler
