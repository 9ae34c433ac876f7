"""The layout of the page, run by node: properties of every layout, and the places of two graphs as golden files.

Needs node. Where CI is set a missing one fails; elsewhere these tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import graphs
import one_level
import pytest
import torch
from golden import FOLDER as GOLDEN
from golden import Golden
from networks import GPT, NETWORKS, made

import inspector
from inspector.folding import fold
from inspector.folding.boxes import FoldedBox, members
from inspector.folding.folded_graph import items_of
from inspector.graph import Graph, unknown
from inspector.graph.topology import topology_of
from inspector.page.html import viewer_data
from inspector.report import BackwardCall, load

NODE = shutil.which("node")
VIEWER = Path(__file__).parent / "viewer"
pytestmark = pytest.mark.skipif(NODE is None and not os.environ.get("CI"), reason="no node here")


def node(*arguments: str) -> str:
    assert NODE is not None, "no node: install Debian's package `nodejs`"
    done = subprocess.run([NODE, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@cache
def network(name: str) -> Graph:
    """The graph of a model after backward."""
    loss = made(name).loss()
    graph = inspector.trace(loss)
    loss.backward()
    graph = inspector.trace(loss)
    graph.make()
    return graph


def gpt_48() -> Graph:
    loss = GPT(48)(torch.arange(10).view(1, 10)).sum()
    inspector.trace(loss)
    loss.backward()
    return inspector.trace(loss)


def lstm_1000() -> Graph:
    cell = torch.nn.LSTMCell(4, 4)
    state = (torch.zeros(1, 4), torch.zeros(1, 4))
    for step in torch.randn(1000, 1, 4):
        state = cell(step, state)
    loss = state[0].sum()
    inspector.trace(loss)
    loss.backward()
    return inspector.trace(loss)


LARGE = {
    "GPT of 48 blocks": gpt_48,
    "LSTM of 1,000 steps": lstm_1000,
    "U-Net": lambda: one_level.recorded("unet"),
    "10,000 Nodes": lambda: graphs.layered(25, 400),
}


def graph_of(name: str) -> Graph:
    if name in NETWORKS:
        return network(name)
    if (GOLDEN / f"{name}.json").exists():
        return load(GOLDEN / f"{name}.json").calls[0].graph
    more = {"net": lambda: graphs.layered(8, 40), "chain": lambda: graphs.chain(2_000)}
    return (graphs.SHAPES | more | LARGE)[name]()


def laid_out(graph: Graph, folder: Path, opened: str = "start") -> dict[str, Any]:
    """What the page shows of a graph, whose layout has been checked."""
    data = folder / "data.json"
    data.write_text(json.dumps(viewer_data(BackwardCall(1, unknown("not asked"), graph))))
    result: dict[str, Any] = json.loads(node(str(VIEWER / "check_view.mjs"), str(data), opened))
    return result


def test_the_layout_of_a_group() -> None:
    assert "# fail 0" in node("--test", "--test-reporter=tap", str(VIEWER / "layout.test.mjs"))


NAMES = [
    *("saddle", "classifier", "micrograd", *NETWORKS, "net", "chain", "fan-out", "two roots", "leaf root"),
    *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE),
]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_overlaps_and_every_edge_is_drawn(name: str, tmp_path: Path) -> None:
    graph = graph_of(name)
    start, everything = laid_out(graph, tmp_path), laid_out(graph, tmp_path, "all")
    leaves = sum(1 for _, row in graph.functions() if row["is_leaf"])
    count = len(topology_of(graph))
    assert start["shown"] <= everything["shown"]
    assert count - leaves <= everything["shown"] <= count


@pytest.mark.parametrize("name", ["lstm", "gpt", "resnet", "net"])
def test_the_page_starts_as_the_folded_picture(name: str, tmp_path: Path) -> None:
    """The same boxes hold the same Nodes, and the same Nodes are shown by themselves."""
    graph = graph_of(name)
    ids = topology_of(graph).ids
    shown = laid_out(graph, tmp_path)
    items = items_of(fold(graph))
    boxes = {frozenset(ids[at] for at in members(item)) for item in items if isinstance(item, FoldedBox)}
    assert {frozenset(box["nodes"]) for box in shown["nodes"]} == boxes


def test_two_processes_give_the_same_places(tmp_path: Path) -> None:
    graph = graph_of("gpt")
    assert laid_out(graph, tmp_path, "all") == laid_out(graph, tmp_path, "all")


@pytest.mark.parametrize("name", ["saddle", "lstm"])
def test_the_places_are_those_of_the_golden_file(name: str, tmp_path: Path, golden: Golden) -> None:
    found = laid_out(load(GOLDEN / f"{name}.json").calls[0].graph, tmp_path)
    rows = {"width": found["width"], "height": found["height"], "places": found["places"]}
    golden.check_json(f"pages/{name}.json", json.dumps(rows, indent=0) + "\n")
