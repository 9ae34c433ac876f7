"""The stages of one case, timed in the same process; each prints what it found as a line of JSON when it ends.

What is compared takes turns, so that a ratio is that of one machine at one moment; times are CPU times with those
of child processes (`dot`, our layout). The graph is recorded as `inspect` records it, lightly, so that modules and
lines are known when it is folded. The process ends without freeing the graph: torch frees what Python has walked
by recursion in C, which a long chain does not survive.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.cases import CASES, Made
from inspector.export.svg import write_svg
from inspector.figure import draw
from inspector.figure.choose_style import choose_style
from inspector.graph import Graph
from inspector.layout.errors import LayoutFailed
from inspector.options.figure_options import FigureOptions
from inspector.recording.forward import ForwardRecord, ForwardRecorder
from inspector.tensor_stats import Batch
from inspector.tracing.build_graph import build_graph
from inspector.tracing.ids import Ids
from inspector.tracing.roots import roots_of
from inspector.tracing.snapshot import GraphSnapshot
from inspector.tracing.traced_graph import TracedGraph
from inspector.tracing.walk import walk
from inspector.user_code.paths import UserFiles
from inspector.user_code.variable_names import Names

_MANY = 20_000
"""Nodes, from which on a stage is timed once."""
_MOST_FOR_PEERS = 150_000
_PEER_LIMIT = 30
"""Seconds for one stage of a peer."""


def run(name: str) -> None:
    """Measure a case and end the process."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    made = CASES[name]()
    recorder = ForwardRecorder("light", ForwardRecord(Batch(), UserFiles(str(Path(__file__).parent))))
    recorder.start()
    loss = made.root()
    recorder.stop()
    count = len(bare_walk(loss.grad_fn))
    _say(nodes=count)
    times = 1 if count >= _MANY else 5
    record = _walks(loss, times)
    graph = build_graph(record, Ids(record), None, recorder.nodes())
    graph.make()
    _pictures(graph, times)
    if count <= _MOST_FOR_PEERS:
        _torchviz(loss, times)
        _torchlens(made)
        _torchview(made)
    sys.stdout.flush()
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


def _walks(loss: Any, times: int) -> TracedGraph:
    """The bare loop, the walk with its snapshot of the structure, and networkx of that alone: in turns."""
    edges = [edge for _, edge in roots_of(loss)]
    record = GraphSnapshot(walk(edges), [loss], Names(), Batch("light")).close(ran=False)
    ways: dict[str, Callable[[], Any]] = {
        "bare walk": lambda: bare_walk(loss.grad_fn),
        "walk and snapshot": lambda: walk(edges),
        "networkx": lambda: build_graph(record, Ids(record), None).make(),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(max(3, times)):
        for name, way in ways.items():
            taken[name].append(_timed(way)[0])
    _say(**{name: min(found) for name, found in taken.items()})
    tracemalloc.start()
    walked = walk(edges)
    _say(**{"bytes a Node": tracemalloc.get_traced_memory()[0] / len(walked.nodes)})
    tracemalloc.stop()
    return record


def _pictures(graph: Graph, times: int) -> None:
    """Folding (a new outline each time), the layout of what is left, its SVG; and both of the unfolded one."""
    from inspector.graph import topology

    def fold_anew() -> tuple[Graph, FigureOptions]:
        topology._made.clear()
        shown, look = choose_style(graph, FigureOptions(style="modules"), "auto")
        shown.make()
        return shown, look

    shown, look = _stage("fold", times, fold_anew)
    figure = _stage("layout", times, lambda: draw(shown, look))
    _stage("svg", times, lambda: write_svg(figure.scene))
    kinds = [node["kind"] for _, node in shown.network.nodes(data=True) if not node["is_leaf"]]
    _say(boxes=sum(kind != "tensor" for kind in kinds))

    def full() -> None:
        whole = draw(graph, FigureOptions(style="modules"), depth="full")
        folded_since = next((remark for remark in whole.remarks if "drawn folded" in remark), None)
        if folded_since is not None:
            raise LayoutFailed(folded_since)
        write_svg(whole.scene)

    _stage("full", min(times, 3), full)


def _torchviz(loss: Any, times: int) -> None:
    """torchviz on the same root, and dot on what it made."""
    from torchviz import make_dot  # type: ignore[import-untyped]

    dot = _stage("torchviz", times, lambda: make_dot(loss))
    if dot is None:
        return
    if shutil.which("dot") is None:
        _say(**{"torchviz pipe": "no `dot` here"})
        return
    source = dot.source.encode()
    command = ["dot", "-Tsvg"]
    _stage(
        "torchviz pipe",
        1,
        lambda: subprocess.run(command, input=source, capture_output=True, check=True, timeout=_PEER_LIMIT),
    )


def _torchlens(made: Made) -> None:
    def log() -> None:
        import torchlens  # type: ignore[import-not-found]

        torchlens.trace(made.model, list(made.inputs))

    _stage("torchlens", 1, log)


def _torchview(made: Made) -> None:
    def picture() -> None:
        import torchview  # type: ignore[import-not-found]

        torchview.draw_graph(made.model, input_data=list(made.inputs), device="cpu", depth=20)

    _stage("torchview", 1, picture)


class _TooLong(Exception):
    pass


def _stage(name: str, times: int, run: Callable[[], Any]) -> Any:
    """The result of the last of several runs, None if it failed; the shortest time is printed, or the failure."""
    _say(begun=name)
    taken, result = [], None

    def stop(*_: Any) -> None:
        raise _TooLong(f"stopped after {_PEER_LIMIT} s")

    signal.signal(signal.SIGALRM, stop)
    peers = name.startswith("torch")
    try:
        for _ in range(times):
            result = None
            signal.alarm(_PEER_LIMIT if peers else 0)
            seconds, result = _timed(run)
            taken.append(seconds)
    except subprocess.TimeoutExpired:
        _say(**{name: f"dot stopped after {_PEER_LIMIT} s"})
        return None
    except subprocess.CalledProcessError as error:
        _say(**{name: f"dot ended with {error.returncode}"})
        return None
    except Exception as error:  # a failure is quoted in the place of its time
        _say(**{name: _quoted(error)})
        return None
    finally:
        signal.alarm(0)
    _say(**{name: min(taken)})
    return result


def _quoted(error: BaseException) -> str:
    """The first line of what an exception says, and of what caused it."""
    first = (str(error).strip().splitlines() or [""])[0]
    text = first if isinstance(error, (_TooLong, LayoutFailed)) else f"{type(error).__name__}: {first}"
    if error.__cause__ is not None:
        text += f" (from {_quoted(error.__cause__)})"
    return text.replace("|", "/")


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    start = _cpu()
    result = run()
    return _cpu() - start, result


def _cpu() -> float:
    """Seconds of CPU of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(item.ru_utime + item.ru_stime for item in used)


def _say(**found: Any) -> None:
    print(json.dumps(found), flush=True)
