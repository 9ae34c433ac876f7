"""Watches the backward calls of a program and makes a Graph of each, without ever being the program's problem."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from inspector.derivatives import add_local_derivatives
from inspector.files import Files
from inspector.naming import names_from
from inspector.recorder.engine import EngineCall, EngineWatch
from inspector.recorder.forward import ForwardRecorder
from inspector.recorder.gradients import GradientCapture
from inspector.recorder.keeper import KEEPER
from inspector.report import BackwardCall, mask_addresses
from inspector.summaries import Batch
from inspector.tracer.build import build_graph
from inspector.tracer.flow import Flow
from inspector.tracer.ids import Ids
from inspector.tracer.roots import gradient_edge
from inspector.tracer.tracing import FULL_NODES, Pair, Tracing

Mode = Literal["full", "light", "none"]

DEFAULT_WATCH = 3
"""How many backward calls are watched: enough to see what differs from step to step."""

_TOO_LARGE = f"more than {FULL_NODES:,} Nodes: only the structure was recorded"


@dataclass(slots=True)
class _Open:
    """A backward call that is under way."""

    index: int
    location: dict[str, Any]
    tracing: Tracing
    capture: GradientCapture
    outputs: list[Any]
    captured: list[Pair | None]


class Session:
    """Watches up to `watch` backward calls (None: all until `close`, of which it keeps the last).

    calls: what was seen so far. on_done is called once, when the last watched call has ended. `instead`, if given,
    is then called in the place of that call's return (`--stop`).
    mode: how the forward is recorded; "full" for the first call, "light" for the others; "none": not at all.
    """

    def __init__(
        self,
        files: Files,
        watch: int | None,
        *,
        mode: Mode = "full",
        on_done: Callable[[], None] | None = None,
        instead: Callable[[], None] | None = None,
    ) -> None:
        self.calls: list[BackwardCall] = []
        self.failure: str | None = None
        self.watched = 0
        self._files = files
        self._watch = watch
        self.mode = mode
        self._values = Batch()
        self._forward = None if mode == "none" else ForwardRecorder(mode, self._values, files)
        self._on_done = on_done
        self._instead = instead
        self._engine = EngineWatch(self)
        self._cuts = self._writes = 0  # how many of the recorder's belong to calls that have ended

    def open(self) -> None:
        """Begin to watch."""
        self._engine.install()
        if self._forward is not None:
            self._forward.start()

    def close(self) -> None:
        """Take everything of ours off. May be called again."""
        if self._forward is not None:
            self._forward.stop()
        self._engine.uninstall()
        KEEPER.release()

    @property
    def is_done(self) -> bool:
        """Whether all the calls that were to be watched have ended."""
        return self._watch is not None and self.watched >= self._watch

    def starts(self, call: EngineCall) -> _Open | None:
        """Look at the graph before backward."""
        if self.is_done:
            return None
        try:
            return self._start(call)
        except Exception as error:
            self._fail(error)
            return None

    def ends(self, token: _Open | None, result: Any, error: BaseException | None) -> None:
        """Look at it again, after backward."""
        if token is None:
            return
        try:
            self._end(token, result, error)
        except Exception as ours:
            self._fail(ours)
        if self.is_done:
            self.close()
            self._tell()

    def finished(self) -> Callable[[], None] | None:
        """`--stop`, once all watched calls have ended."""
        return self._instead if self.is_done else None

    def _start(self, call: EngineCall) -> _Open:
        KEEPER.release()
        roots = [(output, edge) for output in call.outputs if (edge := gradient_edge(output)) is not None]
        batch = Batch("full" if self.mode == "full" and self.watched == 0 else "light")
        tracing = Tracing(roots, names_from(call.frame, self._files), batch)
        capture = GradientCapture(batch)
        if len(tracing.walk.nodes) <= FULL_NODES:
            capture.install(tracing.walk)
        else:
            capture.flow.not_recorded = _TOO_LARGE
        captured = [] if call.accumulates else [_pair_of_input(item, tracing) for item in call.inputs]
        outputs = [output for output, _ in roots]
        return _Open(self.watched + 1, self._location(call), tracing, capture, outputs, captured)

    def _end(self, token: _Open, result: Any, error: BaseException | None) -> None:
        token.capture.remove()
        self.watched += 1
        if token.captured and result is not None:
            token.capture.captured(token.captured, result)
        flow = token.capture.flow
        flow.error = None if error is None else one_line(error)
        call = self._call(token, flow)
        if self._watch is None:
            self.calls.clear()
        self.calls.append(call)
        KEEPER.keep(token.tracing.walk, token.outputs)

    def _call(self, token: _Open, flow: Flow) -> BackwardCall:
        self._values.read()
        record = token.tracing.close(ran=True)
        graph = build_graph(record, flow, self._forward)
        graph.refine(add_local_derivatives)
        if self._forward is None:
            return BackwardCall(token.index, token.location, graph)
        graph.make()  # now: the recorder knows Nodes by the numbers of this thread
        ids = Ids(record)
        cuts, writes = self._forward.cuts[self._cuts :], self._forward.writes[self._writes :]
        self._cuts, self._writes = self._cuts + len(cuts), self._writes + len(writes)
        self._forward.lighten("only the first watched call is recorded in full")
        self._forward.wake()
        return BackwardCall(
            token.index,
            token.location,
            graph,
            [self._row(cut, "from", ids, token.tracing) for cut in cuts],
            [self._row(write, "to", ids, token.tracing) for write in writes],
        )

    def _row(self, found: dict[str, Any], key: str, ids: Ids, tracing: Tracing) -> dict[str, Any]:
        """A cut or a write for the report, its tensor by its id in the graph (None for one outside of it)."""
        row = {name: item for name, item in found.items() if name not in (key, "leaf", "storage")}
        row["tensor"] = ids.recorded(found[key])
        if found["leaf"] is not None and self._forward is not None:
            leaf = self._forward.leaves[found["leaf"]]()
            pair = None if leaf is None else tracing.pair_of(leaf)
            row["tensor"] = None if pair is None else ids.tensor(pair)
        return row

    def _location(self, call: EngineCall) -> dict[str, Any]:
        frame = call.frame
        while frame is not None and not self._files.is_users(frame.f_code.co_filename):
            frame = frame.f_back
        frame = frame or call.frame
        if frame is None:
            return {"unknown": "backward was not called from Python"}
        path, line = frame.f_code.co_filename, frame.f_lineno
        return {"file": self._files.shown(path), "line": line, "code": self._files.statement(path, line)}

    def _fail(self, error: Exception) -> None:
        """An error of ours: remember it, take everything off, and let the script go on."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        self.failure = f"{one_line(error)} (in {last.name}, line {last.lineno})"
        self.close()

    def _tell(self) -> None:
        if self._on_done is None:
            return
        done, self._on_done = self._on_done, None
        try:
            done()
        except Exception as error:
            self._fail(error)


def one_line(error: BaseException) -> str:
    """`RuntimeError: the first line of its message`, addresses masked."""
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return mask_addresses(f"{name}: {lines[0]}" if lines else name)


def _pair_of_input(item: Any, tracing: Tracing) -> Pair | None:
    edge = gradient_edge(item)
    if edge is None or edge[0] not in tracing.walk.index:
        return None
    return tracing.walk.index[edge[0]], edge[1]


def caller_frame(depth: int = 2) -> Any:
    """The frame `depth` calls up from here."""
    return sys._getframe(depth)
