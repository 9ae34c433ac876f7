"""Which user line, operation and backward call created each Node."""

from __future__ import annotations

from types import CodeType

from inspector.recording.forward.backward_marks import BackwardMarks
from inspector.recording.forward.sequence_ranges import RangesByThread, SequenceRanges
from inspector.user_code.source_expressions import Place


class NodePlaces:
    """The places of Nodes, by sequence number.

    lines: from the line tracer, of every thread. lines_unknown: why lines are missing, or None.
    operations: from the function mode, of the recorder's thread; more exact than lines.
    backwards: the Nodes created during backward calls.
    called: the operations that user code called itself, by the id of its code and the instruction: the code, which
    keeps its id, and the operation.
    """

    def __init__(self) -> None:
        self.lines: RangesByThread[Place] = RangesByThread()
        self.lines_unknown: str | None = None
        self.operations: SequenceRanges[Place] = SequenceRanges()
        self.backwards = BackwardMarks()
        self.called: dict[tuple[int, int], tuple[CodeType, str]] = {}
