"""Mermaid: every node and edge, with nothing in a label that means something to it."""

from __future__ import annotations

import re
from html import unescape

import graphs
import pytest

from inspector.export.mermaid import write_mermaid

NODE = re.compile(r' {4}(\w+)(\[|\(\[)"([^"]*)"(\]|\]\))')
EDGE = re.compile(r' {4}(\w+) (-->|-\.-|-\.->)(?:\|"([^"]*)"\|)? (\w+)')


def label(text: str) -> list[str]:
    """The lines of a label as Mermaid reads them."""
    return [unescape(re.sub(r"#(\d+);", r"&#\1;", line)) for line in text.split("<br/>")]


@pytest.mark.parametrize("name", graphs.SHAPES)
def test_all_of_the_graph_is_there(name: str) -> None:
    graph = graphs.SHAPES[name]()
    first, *lines, last = write_mermaid(graph).split("\n")
    assert (first, last) == ("flowchart LR", "")
    nodes = [match for match in map(NODE.fullmatch, lines) if match]
    edges = [match for match in map(EDGE.fullmatch, lines) if match]
    assert len(nodes) + len(edges) == len(lines)
    assert [node[1] for node in nodes] == list(graph.network)
    assert [(edge[1], edge[4]) for edge in edges] == list(graph.network.edges())


def test_the_figure_of_the_saddle() -> None:
    text = write_mermaid(graphs.saddle(2.0, 0.0))
    nodes = {match[1]: label(match[3]) for match in map(NODE.fullmatch, text.split("\n")) if match}
    assert nodes["n0"] == ["1: SubBackward0"]
    assert nodes["t2"][:3] == ["x", "data 2", "grad None → 4"]
    assert '    n0 -->|"−1"| n3\n' in text  # noqa: RUF001


@pytest.mark.parametrize("name", ['a"b', "<b>", "`x`", "#1;", "end", "a|b", "x\ny", "**x**", "损失"])
def test_hostile_names_are_only_names(name: str) -> None:
    program = graphs.Program().leaf("x", 1.0)
    program.tensors["x"].name = name
    text = write_mermaid(program.op("y", "PowBackward0", 1.0, [("x", "2*x", 2.0)]).graph("y"))
    nodes = [match for match in map(NODE.fullmatch, text.split("\n")) if match]
    assert name.replace("\n", " ") in {label(node[3])[0] for node in nodes}
    assert not any(set(node[3].replace("<br/>", "")) & set('<>"`|*&') for node in nodes)
