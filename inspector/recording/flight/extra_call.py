"""Record one more backward call in full: the one whose root is not finite."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from inspector.graph import Graph
from inspector.graph.values import is_unknown, unknown
from inspector.recording.engine_hook import EngineCall
from inspector.recording.flight.watched_steps import WatchedRun
from inspector.recording.session import Session
from inspector.recording.watch_plan import WatchPlan
from inspector.report import BackwardCall

_OTHER_GRAPH = unknown("the graph differs from those of the recorded calls, whose lines are known")


class ExtraCall:
    """Records a call from `begin` to `end`, without its forward, which has run.

    watched: the recorded calls, from which the lines are taken if the graph is the same. index: the call's number.
    """

    def __init__(self, watched: WatchedRun, index: int) -> None:
        self._session = Session(watched.files, WatchPlan(1, "none"), given=watched.chosen.modules or None)
        self._index, self._known = index, watched.calls
        self._token: Any = None

    def begin(self, call: EngineCall) -> None:
        """Before the engine runs."""
        self._token = self._session.before_backward(call)

    def end(self, result: object, error: BaseException | None) -> BackwardCall | None:
        """After the engine has run: the call as in a report; None after an internal error."""
        self._session.after_backward(self._token, result, error)
        self._token = None
        self._session.close()
        if not self._session.calls:
            return None
        (call,) = self._session.calls
        _copy_sources(call.graph, [known.graph for known in self._known])
        return replace(call, index=self._index)

    @property
    def failure(self) -> str | None:
        """The internal error, in one line; None if there was none."""
        return self._session.failure


def _copy_sources(graph: Graph, known: list[Graph]) -> None:
    """Take lines and modules from the first graph with the same Nodes in the same order, whose lines are known."""
    names = [row["name"] for _, row in graph.functions()]
    others = (other for other in known if [row["name"] for _, row in other.functions()] == names)
    same = next(others, None)
    if same is None:
        for _, row in graph.functions():
            if is_unknown(row["source"]):
                row["source"] = _OTHER_GRAPH
        return
    for (_, row), (_, other) in zip(graph.functions(), same.functions(), strict=True):
        row["source"], row["module"] = other["source"], other["module"]
