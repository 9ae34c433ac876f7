"""Record which Nodes were created during a backward call: by create_graph, a hook, or a re-run checkpoint."""

from __future__ import annotations

from collections.abc import Set

from msgspec import Struct

from inspector.graph.row_types import MadeBy
from inspector.recording.forward.engine_thread_nodes import EngineThreadNodes, call_of
from inspector.recording.forward.sequence_ranges import RangesByThread, SequenceRanges, sequence_number
from inspector.tracing.walk import AutogradNode, Walk
from inspector.user_code.source_expressions import Place


class BackwardPlace(Struct, frozen=True):
    """A backward call, and the place in user code that called it, if known."""

    index: int
    place: Place | None


class BackwardMarks:
    """The ranges of sequence numbers in which backward calls ran.

    makers: those in which a Node ran under create_graph, in the recorder's thread.
    """

    def __init__(self) -> None:
        self.makers: SequenceRanges[MadeBy] = SequenceRanges()
        self._ranges: RangesByThread[BackwardPlace] = RangesByThread()
        self._begun: tuple[BackwardPlace, int] | None = None
        self._by_engine: dict[int, BackwardPlace] = {}

    def begin(self, index: int, place: Place | None, *, is_recorders_thread: bool) -> None:
        """A call begins in the calling thread. is_recorders_thread: whether that is the recorder's."""
        backward = BackwardPlace(index, place)
        if is_recorders_thread:
            self._begun = backward, sequence_number()
        self._ranges.here.mark(sequence_number(), backward)

    def end(self) -> None:
        """The call of the calling thread has ended."""
        self._ranges.here.mark(sequence_number(), None)
        if self.makers.current is not None:
            self.makers.mark(sequence_number(), None)

    def runs(self, maker: MadeBy) -> None:
        """A Node begins to run in the recorder's thread, under create_graph."""
        self.makers.mark(sequence_number(), maker)

    def note_created_graph(self, nodes: EngineThreadNodes, result: Walk, known: Set[AutogradNode]) -> None:
        """The last call that began in the recorder's thread has ended and created a graph.

        nodes: those of the engine's threads. result: the graph of its result. known: Nodes from before the call.
        """
        if self._begun is None:
            return
        backward, first = self._begun
        if nodes.note_created_graph(backward.index, result, known, range(first, sequence_number())):
            self._by_engine[backward.index] = backward

    def is_free(self, first: int, last: int) -> bool:
        """Whether no call created a Node with a number from `first` to `last`."""
        return call_of(last) is None and self._ranges.here.is_free(first, last)

    def at(self, sequence_nr: int) -> BackwardPlace | None:
        """The call that created the Node with this number; None for a Node of a forward."""
        call = call_of(sequence_nr)
        return self._ranges.at(sequence_nr) if call is None else self._by_engine[call]
