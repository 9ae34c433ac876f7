"""The processes that a script starts, which are not watched."""

from __future__ import annotations

import os
import re
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


class ChildProcesses:
    """Tells whether the script has started processes since this object was created.

    It asks what Python and the system know anyway. Nothing is wrapped: processes start as without the inspector.
    """

    def __init__(self) -> None:
        self._created = _created_by_multiprocessing()
        self._seconds = _seconds_of_children()
        self._forks = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_parent=self._note_fork)

    def describe(self) -> str | None:
        """`its 2 child processes are not watched`; None if there is none."""
        started = max(_created_by_multiprocessing() - self._created, self._forks)  # which may have forked, too
        if started == 1:
            return "its child process is not watched"
        if started > 1:
            return f"its {started} child processes are not watched"
        if _seconds_of_children() > self._seconds:
            return "the processes that it started are not watched"
        return None

    def _note_fork(self) -> None:
        self._forks += 1


def _created_by_multiprocessing() -> int:
    """Number of objects of `multiprocessing.Process` that were created in this process, by any start method.

    `multiprocessing` numbers them for their names, and has no other record of those that have ended.
    """
    counter = getattr(sys.modules.get("multiprocessing.process"), "_process_counter", None)
    found = re.fullmatch(r"count\((\d+)\)", repr(counter))
    return int(found[1]) - 1 if found else 0


def _seconds_of_children() -> float:
    """Processor time of the child processes that have ended and were waited for."""
    if resource is None:
        return 0.0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
