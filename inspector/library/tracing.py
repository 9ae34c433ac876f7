"""`inspector.trace`: the Graph of a tensor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from inspector.derivatives import add_local_derivatives
from inspector.files import Files
from inspector.graph import Graph
from inspector.library.memory import with_memory
from inspector.naming import Names, names_from
from inspector.recorder.keeper import KEEPER
from inspector.summaries import Batch
from inspector.tracer.build import build_graph
from inspector.tracer.ids import Ids
from inspector.tracer.roots import roots_of
from inspector.tracer.tracing import Tracing
from inspector.tracer.walk import walk


def trace(thing: Any) -> Graph:
    """The backward graph of a tensor, of several in a list, dict or dataclass, or of a model's output.

    Traced again after `backward()`, it shows before and after: what a graph was at first is remembered for as long
    as it lives. Tensors are named as the caller's variables are.
    Raises TypeError where there is no tensor, NoGraphError (a ValueError) where none has a graph.
    """
    return trace_from(thing, sys._getframe(1))


def trace_from(thing: Any, frame: Any) -> Graph:
    """`trace`, with the frame whose variables name the tensors."""
    return trace_named(thing, names_from(frame, Files(str(Path.cwd()))))


def trace_named(thing: Any, names: Names) -> Graph:
    """`trace`, with names that are known."""
    KEEPER.release()
    roots = roots_of(thing)
    outputs = [output for output, _ in roots]
    graph = walk(edge for _, edge in roots)
    tracing = Tracing(graph, outputs, names, Batch())
    record, flow = with_memory(roots[0][1][0], tracing.close(ran=False))
    KEEPER.keep(graph, outputs)
    traced = build_graph(record, Ids(record), flow)
    traced.refine(add_local_derivatives)
    return traced
