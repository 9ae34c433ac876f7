"""Neighbours join until a graph has few enough boxes."""

from __future__ import annotations

import graphs
import one_level
import pytest

from inspector.folding import FoldedGraph, fold, merge_neighbours
from inspector.folding.boxes import FoldedBox, members
from inspector.folding.context import FoldingContext
from inspector.graph import Graph
from inspector.graph.traversal import has_cycle

CASES = {name: (lambda name=name: one_level.recorded(name)) for name in one_level.MODELS} | {
    "layered": lambda: graphs.layered(5, 6),
    "chain": lambda: graphs.chain(40),
    "fan-out": graphs.fan_out,
    "two roots": graphs.two_roots,
}


def names(graph: Graph) -> list[str]:
    return [node["name"] for _, node in graph.network.nodes(data=True) if node["kind"] == "fold"]


@pytest.mark.parametrize("most", [30, 12, 7, 3, 1])
@pytest.mark.parametrize("case", CASES)
def test_no_node_is_lost_or_shown_twice_and_no_circle_comes_of_it(case: str, most: int) -> None:
    graph = CASES[case]()
    joined = merge_neighbours(graph, most)
    ground = FoldingContext(graph)
    if not isinstance(joined, FoldedGraph):
        assert joined is graph
        assert sum(not node["is_leaf"] for _, node in graph.functions()) <= max(most, len(graph.roots))
        return
    held = sorted(position for item in joined.items for position in members(item))
    assert held == list(range(len(ground)))
    assert not has_cycle(ground.following(joined.items))
    shown = [item for item in joined.items if not ground.is_leaf(item)]
    alone = len(graph.roots)  # what no wire ties together never joins
    assert len(shown) <= max(most, alone)


def test_a_function_joins_its_module_before_modules_join() -> None:
    found = names(merge_neighbours(one_level.recorded("vae"), 9))
    assert {"fc1, Relu", "fc3, Relu", "fc4", "fc21"} <= set(found)


def test_more_than_two_are_named_by_the_first_and_the_last_module_that_the_forward_ran() -> None:
    found = names(merge_neighbours(one_level.recorded("unet"), 4))
    first, last = next(name for name in found if name.endswith("out")).split(" \N{HORIZONTAL ELLIPSIS} ")
    order = ["down1", "down2", "middle", "up2", "conv2", "up1", "conv1", "out"]
    assert order.index(first) < order.index(last)


def test_modules_of_a_list_that_are_called_in_turns_are_opened_first() -> None:
    """They feed each other through what the lines between them do: as one box they would hold all of it."""
    found = names(merge_neighbours(one_level.recorded("dense"), 8))
    assert sum(name.startswith("layers.") for name in found) >= 5


def test_boxes_of_an_earlier_view_stay_whole() -> None:
    graph = one_level.recorded("unet")
    earlier = fold(graph, 1)
    assert isinstance(earlier, FoldedGraph)
    joined = merge_neighbours(earlier, 5)
    assert isinstance(joined, FoldedGraph)
    owner = {position: index for index, item in enumerate(joined.items) for position in members(item)}
    boxes = [item for item in earlier.items if isinstance(item, FoldedBox)]
    assert boxes
    for box in boxes:
        assert len({owner[position] for position in box.positions}) == 1
