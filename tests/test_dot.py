"""The DOT writer: what it says, that Graphviz reads it as it was meant, that it is the same each time."""

from __future__ import annotations

from typing import Any

import pygraphviz
import pytest

from inspector.export.dot import write_dot
from inspector.graph import Graph, unknown
from inspector.graph.rows import Rows

HOSTILE = [
    "<b>bold</b>",
    'a "quoted" name',
    r"a\b\n\l\"",
    "{record | field}",
    "&lt;",
    "a\nb\x00c",
    "]; evil [shape=none",
    "\\",
    "損失 → é",
]


def state(data: Any, grad: Any) -> dict[str, Any]:
    return {"data": data, "grad": grad}


def function(name: str, step: Any, **attributes: Any) -> dict[str, Any]:
    return {"kind": "function", "name": name, "step": step, "attributes": attributes}


def tensor(name: str | None, grad_fn: str | None, data: Any, grads: tuple[Any, Any]) -> dict[str, Any]:
    return {
        "kind": "tensor",
        "name": name,
        "is_leaf": grad_fn is None,
        "requires_grad": True,
        "grad_fn": grad_fn,
        "before": state(data, grads[0]),
        "after": state(data, grads[1]),
    }


def square(name: str | None = "x") -> Graph:
    """y = x**2 at 2, by hand."""

    def build() -> Rows:
        rows = Rows()
        rows.add_node("n0", function("PowBackward0", 1, exponent=2))
        rows.add_node("n1", function("AccumulateGrad", unknown("not recorded")))
        rows.add_node("t0", tensor("y", "n0", 4.0, (None, None)))
        rows.add_node("t1", tensor(name, None, 2.0, (None, 4.0)) | {"expression": "u * v"})
        rows.add_edge("n0", "n1", {"kind": "next", "slot": 0, "input_nr": 0, "gradient": 4.0})
        rows.add_edge("t0", "n0", {"kind": "grad_fn"})
        rows.add_edge("n1", "t1", {"kind": "accumulate", "gradient": 4.0})
        rows.add_edge("n0", "t1", {"kind": "saved"})
        return rows

    return Graph(build, roots=["t0"], steps=["n0", "n1"])


def read(source: str) -> pygraphviz.AGraph:
    return pygraphviz.AGraph(string=source)


def shown(label: str) -> str:
    """The text that Graphviz draws for a label."""
    return label.replace("\\l", "\n").replace("\\\\", "\\")


def test_functions_and_tensors_say_what_they_hold() -> None:
    drawing = read(write_dot(square()))
    labels = {node: shown(node.attr["label"]).splitlines() for node in drawing.nodes()}
    assert labels["n0"] == ["1: PowBackward0", "exponent = 2"]
    assert labels["n1"] == ["AccumulateGrad"]
    assert labels["t0"] == [
        "y",
        "data 4",
        "grad None",
        "grad_fn PowBackward0",
        "is_leaf False",
        "requires_grad True",
    ]
    assert labels["t1"][:4] == ["x", "data 2", "grad None → 4", "grad_fn None"]
    assert drawing.get_node("n0").attr["style"] == "rounded"


def test_every_kind_of_edge_has_its_line() -> None:
    drawing = read(write_dot(square()))
    styles = {
        (edge[0], edge[1]): (edge.attr["style"], shown(edge.attr["label"] or "")) for edge in drawing.edges()
    }
    assert styles == {
        ("n0", "n1"): ("solid", "4\n"),
        ("t0", "n0"): ("dashed", ""),
        ("n1", "t1"): ("dashed", ""),
        ("n0", "t1"): ("dotted", ""),
    }


def test_a_tensor_without_a_name_shows_its_source_text() -> None:
    drawing = read(write_dot(square(None)))
    assert shown(drawing.get_node("t1").attr["label"]).startswith("u * v\n")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_only_a_name(name: str) -> None:
    drawing = read(write_dot(square(name)))
    assert sorted(drawing.nodes()) == ["n0", "n1", "t0", "t1"]
    expected = name.replace("\n", " ").replace("\x00", "")
    assert unescaped(drawing.get_node("t1").attr["label"])[0] == expected


def unescaped(label: str) -> list[str]:
    r"""The lines of a label, `\\` and `\l` read from left to right as Graphviz reads them."""
    text, letters = "", iter(label)
    for letter in letters:
        following = next(letters) if letter == "\\" else ""
        text += {"": letter, "l": "\n", "\\": "\\"}[following]
    return text.splitlines()


def test_a_folded_box_keeps_its_edges() -> None:
    def build() -> Rows:
        rows = Rows()
        rows.add_node("g:n0", function("3 layers", None))
        rows.add_node("n3", function("MulBackward0", None))
        rows.add_edge("g:n0", "n3", {"kind": "next", "gradient": unknown("light recording")})
        rows.add_edge("g:n0", "n3", {"kind": "next", "gradient": None})
        return rows

    drawing = read(write_dot(Graph(build, roots=[])))
    assert sorted(drawing.nodes()) == ["g_n0", "n3"]
    assert len(drawing.edges()) == 2


def test_the_same_graph_gives_the_same_text() -> None:
    assert write_dot(square()) == write_dot(square())
