"""Findings in pictures: a word on the Node at fault, and the way to what it harms in the colour of errors."""

from __future__ import annotations

import pytest
import torch
from functions import Blocks

import inspector
from inspector.diagnosis.mark_graph import mark_graph
from inspector.figure import draw
from inspector.graph import Graph, Marks
from inspector.graph.step_replay import after_steps
from inspector.options import FigureOptions
from inspector.report import Report, from_json, to_json


def report() -> Report:
    x = torch.tensor(2.0, requires_grad=True)
    w = torch.tensor(3.0, requires_grad=True)
    with inspector.record() as recording:
        v = w * 2
        loss = Blocks.apply(x, v) ** 2
        loss.backward()
    return from_json(to_json(recording.report()))


def said(graph: Graph, style: str) -> list[tuple[str, str]]:
    """What the picture after backward says of the rule, and in which ink."""
    (panel,) = draw(graph, FigureOptions(style=style)).panels["after"].panels
    texts = [text for part in (*panel.boxes, *panel.wires) for text in part.texts]
    return [(text.text, text.ink) for text in texts if "blocked-gradient" in text.text]


def test_the_node_at_fault_is_marked_and_the_way_to_the_harmed_leaf() -> None:
    made = report()
    mark_graph(made)
    graph = made.calls[0].graph
    names = {identifier: node["name"] for identifier, node in graph.network.nodes(data=True)}
    assert {names[key]: text for key, text in graph.marks.texts.items()} == {"BlocksBackward": "blocked-gradient"}
    harmed = sorted(names[key] for key in graph.marks.harmed)
    assert harmed == ["AccumulateGrad", "BlocksBackward", "MulBackward0", "w"]
    half = after_steps(graph, 1)
    assert half.marks == graph.marks


@pytest.mark.parametrize("style", ["attributes", "circuit", "engine", "modules", "record"])
def test_every_style_shows_it(style: str) -> None:
    made = report()
    assert not said(made.calls[0].graph, style)
    mark_graph(made)
    assert set(said(made.calls[0].graph, style)) == {("! blocked-gradient", "error")}


def test_notes_are_not_drawn() -> None:
    made = report()
    made.findings[0].severity = "note"
    mark_graph(made)
    assert made.calls[0].graph.marks == Marks()


def test_where_no_node_is_at_fault_the_harmed_leaves_are_marked() -> None:
    w = torch.tensor(1.0, requires_grad=True)
    with inspector.record() as recording:
        optimizer = torch.optim.SGD([w], lr=0.1)
        for _ in range(3):
            loss = (w * 2) ** 2
            loss.backward()
            optimizer.step()
    made = recording.report()
    (found,) = made.findings
    assert found.rule == "stale-gradient"
    mark_graph(made)
    graph = made.calls[found.backward_call - 1].graph
    assert list(graph.marks.texts.values()) == ["stale-gradient"]
    assert sorted(graph[key]["name"] for key in graph.marks.harmed) == ["AccumulateGrad", "w"]
