"""Connected functions of one line become one box; a line that ran in a loop has one for each iteration."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy
import pytest
from columns import Op, graph

from inspector.folding.boxes import Contents
from inspector.folding.by_source_line import LEAST_TIMES, MOST_OF_A_LINE, by_source_line
from inspector.folding.context import FoldingContext


def boxes_of(ops: Sequence[Op], path: tuple[tuple[str, int], ...] = ()) -> dict[str, list[list[int]]]:
    """The functions of each box, by label."""
    context = FoldingContext(graph(ops))
    outside = [at for at in range(len(ops)) if context.path(at) == path]
    found: dict[str, list[list[int]]] = {}
    for box in by_source_line(context, Contents((), numpy.array(outside, numpy.int32)), path).boxes:
        found.setdefault(box.label, []).append(list(box.positions))
    return found


def connected(ops: Sequence[Op], inside: Sequence[int], *, other_names: bool = False) -> list[list[int]]:
    """Connected functions among those of one line, by search. other_names: only along edges between two names."""
    near: dict[int, set[int]] = {position: set() for position in inside}
    for source in inside:
        for target in ops[source].targets:
            if target in near and not (other_names and ops[source].name == ops[target].name):
                near[source].add(target)
                near[target].add(source)
    groups, left = [], set(inside)
    while left:
        group, waiting = set[int](), [min(left)]
        while waiting:
            position = waiting.pop()
            if position not in group:
                group.add(position)
                waiting += near[position]
        left -= group
        groups.append(sorted(group))
    return groups


def wanted(ops: Sequence[Op]) -> set[tuple[int, ...]]:
    found = []
    for line in {op.line for op in ops} - {0}:
        for group in connected(ops, [at for at, op in enumerate(ops) if op.line == line]):
            parts = connected(ops, group, other_names=True) if len(group) > MOST_OF_A_LINE else []
            found += parts if len(parts) >= LEAST_TIMES else [group]
    return {tuple(group) for group in found if 1 < len(group) <= MOST_OF_A_LINE}


@pytest.mark.parametrize("seed", range(12))
def test_groups_are_those_that_a_search_finds(seed: int) -> None:
    chosen = random.Random(seed)
    count, lines = 240, (3, 8, 20, 60)[seed % 4]
    ops = [
        Op(
            f"{chosen.choice('ABC')}Backward0",
            sorted({min(at + chosen.randint(1, 1 + seed), count) for _ in range(chosen.choice((1, 1, 2)))}),
            line=(0, *range(1, lines))[at * lines // count] if seed % 3 else chosen.randrange(lines),
        )
        for at in range(count)
    ]
    context = FoldingContext(graph([*ops, Op("AccumulateGrad")]))
    whole = Contents((), numpy.arange(len(ops), dtype=numpy.int32))
    view = by_source_line(context, whole)
    groups = {tuple(position for position in box.positions if position < count) for box in view.boxes}
    expected = wanted(ops)
    assert groups <= expected
    missing = expected - groups  # taken apart, since they were in a cycle with others
    assert all(set(group) <= set(view.functions.tolist()) for group in missing)
    assert groups or seed % 3 == 0
    held = [position for box in view.boxes for position in box.positions if position < count]
    assert sorted([*held, *view.functions.tolist()]) == list(range(count))


def test_a_chain_of_one_line_that_is_longer_than_an_expression_has_no_box() -> None:
    names = "ABCDEFGHIJKLMNOPQRST"
    for length in (1, 2, MOST_OF_A_LINE, MOST_OF_A_LINE + 1, 20):
        ops = [Op(f"{name}Backward0", [at + 1], line=4) for at, name in enumerate(names[:length])]
        whole = [*ops, Op("AccumulateGrad")]
        is_one = 1 < length <= MOST_OF_A_LINE
        assert boxes_of(whole) == ({"line 4": [list(range(length + 1))]} if is_one else {})


@pytest.mark.parametrize(("names", "boxes"), [("ABCDEFGGFEDCBA", 0), ("ABCDEEFGHHIJKL", 3)])
def test_two_parts_are_no_loop(names: str, boxes: int) -> None:
    """One function that follows itself divides an expression into two; a loop has more iterations."""
    ops = [Op(f"{name}Backward0", [at + 1], line=4) for at, name in enumerate(names)]
    assert len(boxes_of([*ops, Op("AccumulateGrad")]).get("line 4", ())) == boxes


def total(steps: int, line: int = 7) -> list[Op]:
    """`total = total + x ** 2`, again and again."""
    ops = []
    for step in range(steps):
        ops += [Op("AddBackward0", [2 * step + 1, 2 * step + 2], line=line), Op("PowBackward0", (), line=line)]
    return [*ops, Op("AccumulateGrad")]


def test_a_line_that_hands_a_value_on_has_a_box_for_each_iteration() -> None:
    for steps in (7, 8, 40, 300):
        (groups,) = boxes_of(total(steps)).values()
        assert [group[:2] for group in groups] == [[2 * step, 2 * step + 1] for step in range(steps)]
    for steps in (2, 6):  # few functions are one expression
        assert boxes_of(total(steps)) == {"line 7": [list(range(2 * steps + 1))]}


def called(times: int) -> list[Op]:
    """`losses.append(net(x).square().sum())`: each result has a function of the module between two of the line."""
    ops: list[Op] = []
    for step in range(times):
        at = 1 + 3 * step
        ops += [Op("SumBackward0", [at + 1], line=5), Op("PowBackward0", [at + 2], line=5)]
        ops.append(Op("MmBackward0", (), module="net", line=5))
    stack = Op("StackBackward0", [1 + 3 * step for step in range(times)], line=6)
    return [stack, *ops]


def test_what_is_beside_a_module_is_a_box_where_the_line_ran_several_times() -> None:
    for times in (1, 2):
        assert boxes_of(called(times)) == {}
    for times in (3, 5, 50):
        groups = [[1 + 3 * step, 2 + 3 * step] for step in range(times)]
        assert boxes_of(called(times)) == {"line 5: Sum\N{EN DASH}Pow": groups}
