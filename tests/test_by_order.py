"""Graphs without structure are cut into parts that ran one after the other."""

from __future__ import annotations

import re

import graphs
import pytest
from columns import Op, graph
from running import OUTPUT, ScriptRunner

import inspector
from inspector.folding import fold
from inspector.folding.boxes import members
from inspector.folding.by_order import join_in_order
from inspector.folding.context import FoldingContext
from inspector.graph import Graph
from inspector.graph.traversal import has_cycle


def tangled(count: int) -> Graph:
    """Every function sends its gradient to the next and to the seventh next."""
    ops = [Op(f"F{position}Backward0", [position + 1, min(position + 7, count)]) for position in range(count)]
    return graph([*ops, Op("AccumulateGrad")])


CASES = {
    "tangled": lambda: tangled(200),
    "layered": lambda: graphs.layered(5, 6),
    "chain": lambda: graphs.chain(90),
    "fan-out": graphs.fan_out,
    "two roots": graphs.two_roots,
}


@pytest.mark.parametrize("most", [40, 12, 2, 1])
@pytest.mark.parametrize("case", CASES)
def test_no_function_is_lost_and_no_cycle_comes_of_it(case: str, most: int) -> None:
    ground = FoldingContext(CASES[case]())
    functions = sum(not ground.is_leaf(position) for position in range(len(ground)))
    items = join_in_order(ground, list(range(len(ground))), most)
    assert sorted(position for item in items for position in members(item)) == list(range(len(ground)))
    assert not has_cycle(ground.following(items))
    shown = sum(not ground.is_leaf(item) for item in items)
    assert min(most, functions) / 2 <= shown <= most


def test_it_is_cut_where_one_tensor_passes() -> None:
    """Three blocks of ten functions that all use each other, of which only the last one hands on."""
    ops = []
    for block in range(3):
        for own in range(10):
            inside = [block * 10 + other for other in range(own + 1, 10)]
            ops.append(Op(f"F{block}Backward0", inside or [(block + 1) * 10]))
    ground = FoldingContext(graph([*ops, Op("AccumulateGrad")]))
    items = join_in_order(ground, list(range(len(ground))), 3)
    assert sorted(len(members(item)) for item in items) == [10, 10, 11]


def test_parts_are_named_by_their_lines(inspect_script: ScriptRunner) -> None:
    lines = ["import torch", "x = torch.ones(3, requires_grad=True)", "h0 = x * 1.5"]
    for number in range(1, 90):
        operation = ("sin", "cos", "exp", "tanh", "atan", "sigmoid", "erf")[(number * number + number // 3) % 7]
        lines.append(f"h{number} = h{number - 1}.{operation}() + h{max(0, number - 5)}")
    ran = inspect_script("\n".join([*lines, "h89.sum().backward()"]))
    view = fold(inspector.load(ran.folder / OUTPUT / "report.json").calls[0].graph)
    items = [node for _, node in view.network.nodes(data=True)]
    names = [node["name"] for node in items if node["kind"] == "fold" and node["why"] == "joined"]
    assert 12 <= len(names) <= 30
    assert [name for name in names if not re.fullmatch("lines? [0-9]+(\N{EN DASH}[0-9]+)?", name)] == []
