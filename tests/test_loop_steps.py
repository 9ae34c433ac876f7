"""The boxes of a loop are made when they are asked for, and only once."""

from __future__ import annotations

import numpy
import pytest
from columns import Op, graph, loop

from inspector.folding import FoldedGraph, fold
from inspector.folding.boxes import FoldedBox, LateParts, column_of, stored
from inspector.folding.graph_parts import GraphParts
from inspector.folding.grouping import Grouping
from inspector.folding.loop_steps import LoopSteps
from inspector.graph import Graph


def chain(count: int) -> Graph:
    """The same operation again and again."""
    ops = [Op("SinBackward0", [position + 1]) for position in range(count)]
    return graph([*ops, Op("AccumulateGrad")])


def made(number: int) -> FoldedBox:
    return FoldedBox("step", f"step {number}", (), stored(numpy.array([2 * number, 2 * number + 1])))


def test_a_part_is_made_once() -> None:
    asked: list[int] = []
    pairs = GraphParts(numpy.arange(10, dtype=numpy.int32), numpy.arange(0, 11, 2))
    parts = LateParts(pairs, lambda number: asked.append(number) or made(number))
    rest = parts[1:]
    assert (len(parts), len(rest)) == (5, 4)
    assert column_of(rest)[0].tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert column_of(rest[1::2])[1].tolist() == [0, 0, 1, 1]
    assert asked == []
    assert rest[0] is parts[1]
    assert rest[-1] is parts[-1] is parts[4]
    assert rest[1:][1] is parts[3]
    assert sorted(asked) == [1, 3, 4]
    assert [part.label for part in rest] == [f"step {number}" for number in (1, 2, 3, 4)]
    assert sorted(asked) == [1, 2, 3, 4]
    with pytest.raises(IndexError):
        rest[4]


@pytest.mark.parametrize("whole", [chain(3_000), loop(40)], ids=["chain", "loop"])
def test_no_more_steps_are_made_than_are_shown(whole: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, box = list[int](), LoopSteps.box
    monkeypatch.setattr(LoopSteps, "box", lambda steps, index: asked.append(index) or box(steps, index))
    shown = fold(whole)
    assert isinstance(shown, FoldedGraph)
    _ = shown.rows
    assert 0 < len(asked) <= 8


def test_a_chain_is_a_stack_of_its_functions() -> None:
    whole = chain(3_000)
    stack = next(item for item in Grouping(whole).all() if isinstance(item, FoldedBox))
    assert stack.kind == "equal"
    assert stack.label == "step 2\N{EN DASH}3000"  # the first one has the leaf
    assert len(stack.repeats) == len(stack.positions) == 2_999
    assert [part.positions[0] for part in stack.repeats] == list(range(2_999))
    assert [part.label for part in stack.repeats[:2]] == ["step 3000", "step 2999"]
