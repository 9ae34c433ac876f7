"""The recorded forward, for queries from the thread that recorded it."""

from __future__ import annotations

import threading
from typing import Any

from inspector.graph.values import unknown
from inspector.recording.forward import ForwardRecorder, OutputRow

_ELSEWHERE = "requested from another thread than the one that ran backward"


class ThreadBoundForward:
    """The Nodes of one thread, as recorded by a ForwardRecorder.

    Sequence numbers start anew in every thread, so queries from another thread would get the lines of this one.
    """

    def __init__(self, forward: ForwardRecorder) -> None:
        self._forward = forward
        self._thread = threading.get_ident()

    def source(self, sequence_nr: int) -> Any:
        """The line that created a Node."""
        return self._forward.source(sequence_nr) if self._is_here() else unknown(_ELSEWHERE)

    def module(self, sequence_nr: int) -> Any:
        """The module that created a Node."""
        return self._forward.module(sequence_nr) if self._is_here() else unknown(_ELSEWHERE)

    def made_in(self, sequence_nr: int) -> int | None:
        """The backward call during which a Node was created."""
        return self._forward.made_in(sequence_nr) if self._is_here() else None

    def output(self, sequence_nr: int, output_nr: int) -> OutputRow | None:
        """The record of one output of a Node."""
        return self._forward.output(sequence_nr, output_nr) if self._is_here() else None

    def _is_here(self) -> bool:
        return threading.get_ident() == self._thread
