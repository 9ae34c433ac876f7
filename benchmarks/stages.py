"""The stages of one case, timed one after the other; each prints what it found as a line of JSON when it ends.

The graph is recorded as `inspect` records it, so that modules and lines are known when it is folded. The process
ends without freeing the graph: torch frees what Python has walked by recursion in C, which a long chain does not
survive.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.cases import CASES
from inspector.files import Files
from inspector.graph import Graph
from inspector.layout import draw
from inspector.layout.folding import folded
from inspector.look import Look
from inspector.naming import Names
from inspector.recorder.forward import ForwardRecorder
from inspector.summaries import Batch
from inspector.tracer.build import build_graph
from inspector.tracer.roots import roots_of
from inspector.tracer.tracing import Record, Tracing
from inspector.tracer.walk import walk
from inspector.writers.svg import write_svg

_MANY = 20_000
"""Nodes, from which on a stage is timed once."""


def run(name: str) -> None:
    """Measure a case and end the process."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    recorder = ForwardRecorder("light", Batch(), Files(str(Path(__file__).parent)))
    recorder.start()
    loss = CASES[name]()
    node = loss.grad_fn
    count = len(bare_walk(node))
    _say(nodes=count)
    times = 1 if count >= _MANY else 5
    _stage("bare walk", times, lambda: bare_walk(node))
    edges = [edge for _, edge in roots_of(loss)]
    _stage("walk", times, lambda: walk(edges))
    record = _stage("snapshot", times, lambda: Tracing(walk(edges), [loss], Names(), Batch()).close(ran=False))
    _stage("networkx", times, lambda: _network(record, recorder))
    recorder.stop()
    graph = build_graph(record, None, recorder)
    graph.make()
    _stages_of_a_picture(graph, times)
    _torchviz(loss, count, times)
    os._exit(0)


def bare_walk(root: Any) -> set[Any]:
    """The barest loop over next_functions that visits every Node once."""
    seen = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        stack.extend([target for target, _ in node.next_functions if target is not None])
    return seen


def _network(record: Record, recorder: ForwardRecorder) -> Graph:
    graph = build_graph(record, None, recorder)
    graph.make()
    return graph


def _stages_of_a_picture(graph: Graph, times: int) -> None:
    """Folding (a new outline each time), the layout of what is left, and its SVG."""
    from inspector.views import outline

    def fold_anew() -> tuple[Graph, Look]:
        outline._made.clear()
        shown, look = folded(graph, Look(style="modules"), "auto")
        shown.make()
        return shown, look

    shown, look = _stage("fold", times, fold_anew)
    figure = _stage("layout", times, lambda: draw(shown, look))
    _stage("svg", times, lambda: write_svg(figure.scene))
    kinds = [node["kind"] for _, node in shown.network.nodes(data=True) if not node["is_leaf"]]
    _say(boxes=sum(kind != "tensor" for kind in kinds))


def _torchviz(loss: Any, count: int, times: int) -> None:
    """torchviz on the same root; what it raises is said in the place of its time."""
    try:
        from torchviz import make_dot  # type: ignore[import-untyped]

        dot = _stage("torchviz", times, lambda: make_dot(loss))
    except (ImportError, RecursionError) as error:
        _say(torchviz=f"{type(error).__name__}: {error}")
        return
    if shutil.which("dot") is None:
        _say(**{"torchviz pipe": "no `dot` here"})
    elif count < _MANY:
        _stage("torchviz pipe", 1, lambda: dot.pipe("svg"))


def _stage(name: str, times: int, run: Callable[[], Any]) -> Any:
    """The result of the last of several runs; the shortest time is printed."""
    _say(begun=name)
    taken = []
    result = None
    for _ in range(times):
        result = None
        gc.collect()
        start = time.process_time()
        result = run()
        taken.append(time.process_time() - start)
    _say(**{name: min(taken)})
    return result


def _say(**found: Any) -> None:
    print(json.dumps(found), flush=True)
    sys.stdout.flush()
