"""`inspector.trace`: build the Graph of a tensor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from inspector.api.first_trace import with_first_trace
from inspector.graph import Graph
from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS
from inspector.tensor_stats import Batch
from inspector.torch_api.modes import hidden
from inspector.tracing.build_graph import build_graph
from inspector.tracing.ids import Ids
from inspector.tracing.roots import roots_of
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


def trace_named(thing: Any, names: Names) -> Graph:
    """`trace`, with known names."""
    DEEP_GRAPHS.release()
    with gc_paused(), hidden():
        roots = roots_of(thing)
        outputs = [output for output, _ in roots]
        graph = walk(edge for _, edge in roots)
        tracing = GraphSnapshot(graph, outputs, names, Batch(holds=True))
        tracing.attach_compiled(UserFiles(str(Path.cwd())))
        record, flow = with_first_trace(roots[0][1][0], tracing.close(ran=False))
        DEEP_GRAPHS.keep(graph, outputs)
    traced = build_graph(record, Ids(record), flow)
    traced.refine(_add_derivatives)
    return traced


def _add_derivatives(graph: Graph) -> None:
    from inspector.derivatives import add_local_derivatives  # asked for with the first row

    try:
        add_local_derivatives(graph)
    except Exception as error:
        from inspector.recording.parts import described  # and with it the report

        say(f"note: derivatives in symbols are unknown: internal error, {described(error)}")
