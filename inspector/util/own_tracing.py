"""Pause the trace functions of the inspector while the inspector itself works.

Under a trace function every Python function that is called costs an event, and Python 3.11 runs every instruction
slowly: the work takes three times as long.
"""

from __future__ import annotations

import sys
from typing import Any

OWN_TRACERS: set[Any] = set()
"""The trace functions of the inspector that are in use."""


class untraced:
    """A block without the inspector's trace function; that of another tool stays.

    Entered for every call that is watched, so it is written out.
    """

    __slots__ = ("_tracer",)

    def __enter__(self) -> None:
        tracer = sys.gettrace()
        self._tracer = tracer if tracer in OWN_TRACERS else None
        if self._tracer is not None:
            sys.settrace(None)

    def __exit__(self, *error: Any) -> None:
        if self._tracer in OWN_TRACERS:  # else tracing was stopped meanwhile
            sys.settrace(self._tracer)
