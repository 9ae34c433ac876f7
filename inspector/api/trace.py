"""`inspector.trace`: build the Graph of a tensor."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from inspector.api.first_trace import with_first_trace
from inspector.derivatives import add_local_derivatives
from inspector.graph import Graph
from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS
from inspector.recording.parts import described
from inspector.tensor_stats import Batch, LateBatch
from inspector.torch_api.modes import hidden
from inspector.tracing.build_graph import build_graph
from inspector.tracing.graph_values import MOST_NODES
from inspector.tracing.ids import Ids
from inspector.tracing.roots import roots_of
from inspector.tracing.second_reading import SecondReading
from inspector.tracing.snapshot import GraphSnapshot
from inspector.tracing.walk import walk
from inspector.user_code.paths import UserFiles
from inspector.user_code.variable_names import Names, names_from
from inspector.util.gc_pause import gc_paused
from inspector.util.stderr import say


def trace(thing: Any) -> Graph:
    """Build the backward graph of a tensor, of several tensors in a list, dict or dataclass, or of a model's
    output.

    If traced again after `backward()`, the Graph shows before and after: the first trace of a graph is remembered
    for as long as the graph lives. Tensors are named after the caller's variables.
    Raises TypeError if there is no tensor, NoGraphError (a ValueError) if none has a graph.
    """
    return trace_from(thing, sys._getframe(1))


def trace_from(thing: Any, frame: Any) -> Graph:
    """`trace`, with the frame whose variables name the tensors."""
    with hidden():
        names = names_from(frame, UserFiles(str(Path.cwd())))
    return trace_named(thing, names)


@contextmanager
def traced_for_picture(thing: Any, frame: Any) -> Iterator[Graph]:
    """`trace_from` for a picture: values of a large graph are read when they are asked for. What the block leaves
    unread is read later if somebody asks for it while the graph lives unchanged, and unknown otherwise."""
    with hidden():
        names = names_from(frame, UserFiles(str(Path.cwd())))
    graph, end = _traced(thing, names, is_late=True)
    try:
        yield graph
    finally:
        end()


def trace_named(thing: Any, names: Names) -> Graph:
    """`trace`, with known names."""
    return _traced(thing, names)[0]


def _traced(thing: Any, names: Names, *, is_late: bool = False) -> tuple[Graph, Callable[[], None]]:
    """The Graph, and what ends the trace. is_late: whether values of a large graph are read when they are asked
    for."""
    DEEP_GRAPHS.release()
    with gc_paused(), hidden():
        roots = roots_of(thing)
        outputs = [output for output, _ in roots]
        graph = walk(edge for _, edge in roots)
        batch = LateBatch() if is_late and len(graph.nodes) > MOST_NODES else Batch(holds=True)
        tracing = GraphSnapshot(graph, outputs, names, batch)
        tracing.attach_compiled(UserFiles(str(Path.cwd())))
        found = tracing.close(ran=False)
        record, flow = with_first_trace(roots[0][1][0], found)
        DEEP_GRAPHS.keep(graph, outputs)
        second = SecondReading(found, outputs)
    traced = build_graph(record, Ids(record), flow)
    traced.refine(_add_derivatives)
    return traced, partial(tracing.end, second)


def _add_derivatives(graph: Graph) -> None:
    try:
        add_local_derivatives(graph)
    except Exception as error:
        say(f"note: derivatives in symbols are unknown: internal error, {described(error)}")
