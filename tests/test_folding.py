"""Views: no Node is lost, unfolding gives the graph back, equal boxes are isomorphic, nothing runs in circles."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import networkx
import pytest
import torch
from columns import Builder, Op, graph, loop, transformer
from hypothesis import given
from hypothesis import strategies as st

import inspector
from inspector.export.svg import write_svg
from inspector.figure import draw
from inspector.folding import finding_marks, fold, merge_neighbours
from inspector.folding.by_repetition import label_span
from inspector.folding.depth import MOST_AT_A_DEPTH, MOST_BOXES
from inspector.folding.folded_graph import whole_of
from inspector.folding.folded_rows import build_folded_rows
from inspector.graph import Graph, from_rows, to_rows
from inspector.graph.topology import topology_of

MODULES = [None, "", "a", "a.0", "a.1", "a.2", "a.1.x", "b", "b.0.y"]
NAMES = ["MulBackward0", "AddBackward0", "TBackward0", "ViewBackward0"]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Random backward graphs, with leaves that several functions share."""
    count = draw(st.integers(2, 40))
    ops = []
    for position in range(count):
        targets = [draw(st.integers(position + 1, count)) for _ in range(draw(st.integers(1, 2)))]
        name, module = draw(st.sampled_from(NAMES)), draw(st.sampled_from(MODULES))
        ops.append(Op(name, targets, module, draw(st.integers(0, 3)), draw(st.sampled_from([0.0, 1.5, None]))))
    last = Op("AccumulateGrad")
    reached = {0, *(target for op in ops for target in op.targets)}
    return graph([*ops, last], [position for position in range(count) if position not in reached or position == 0])


VIEWS: dict[str, Any] = {
    "auto": fold,
    "1": lambda item: fold(item, 1),
    "2": lambda item: fold(item, 2),
    "fold of fold": lambda item: fold(fold(item, 2), 1),
    "merged": lambda item: merge_neighbours(item, 8),
    "fold of merged": lambda item: fold(merge_neighbours(item, 8), 1),
}
views = st.sampled_from(sorted(VIEWS))


def shown(view: Graph) -> Counter[str]:
    """How often every function is shown, by itself or in a box."""
    counts: Counter[str] = Counter()
    for identifier, node in view.network.nodes(data=True):
        if node["kind"] == "function":
            counts[identifier] += 1
        elif node["kind"] == "fold":
            counts.update(node["members"])
    return counts


def same(one: networkx.MultiDiGraph, other: networkx.MultiDiGraph) -> bool:
    """Whether two networks have the same nodes, edges and attributes."""
    edges = [sorted(map(repr, item.edges(data=True))) for item in (one, other)]
    return dict(one.nodes(data=True)) == dict(other.nodes(data=True)) and edges[0] == edges[1]


@given(graphs(), views)
def test_no_node_is_lost_and_none_is_shown_twice(whole: Graph, view: str) -> None:
    counts = shown(VIEWS[view](whole))
    assert counts == Counter(identifier for identifier, _ in whole.functions())


@pytest.mark.parametrize("depth", [1, 2, "auto"])
@pytest.mark.parametrize("earlier", [2, "auto"])
def test_a_box_of_an_earlier_folding_stays_closed(earlier: Any, depth: Any) -> None:
    for whole in (transformer(8), loop(12)):
        first = fold(whole, earlier)
        again = fold(first, depth)
        assert shown(again) == Counter(identifier for identifier, _ in whole.functions())
        holders = [set(node["members"]) for _, node in again.network.nodes(data=True) if node["kind"] == "fold"]
        stacks = [set(node["members"]) for _, node in first.network.nodes(data=True) if node["kind"] == "fold"]
        assert stacks
        assert all(any(stack <= holder for holder in holders) for stack in stacks)


@given(graphs(), views)
def test_unfolding_gives_the_graph_back(whole: Graph, view: str) -> None:
    assert whole_of(VIEWS[view](whole)) is whole


@given(graphs())
def test_a_network_of_all_functions_is_the_whole_one(whole: Graph) -> None:
    assert same(build_folded_rows(whole, range(len(topology_of(whole)))).network(), whole.network)


@given(graphs(), views)
def test_edges_forwards_never_run_in_a_circle(whole: Graph, view: str) -> None:
    network = VIEWS[view](whole).network
    forwards = networkx.DiGraph(
        (source, target) for source, target, edge in network.edges(data=True) if not edge.get("back")
    )
    assert networkx.is_directed_acyclic_graph(forwards)


@given(graphs(), views)
def test_every_edge_is_drawn_or_within_a_box(whole: Graph, view: str) -> None:
    network = VIEWS[view](whole).network
    owner = {
        member: identifier
        for identifier, node in network.nodes(data=True)
        for member in (node["members"] if node["kind"] == "fold" else [identifier])
    }
    expected = Counter(
        (owner[source], owner[target])
        for source, target, _ in whole.edges("next")
        if owner[source] != owner[target]
    )
    drawn: Counter[tuple[str, str]] = Counter()
    for source, target, edge in network.edges(data=True):
        if edge["kind"] in ("next", "flow"):
            drawn[source, target] += edge.get("count", 1)
    assert drawn == expected


@given(graphs(), views)
def test_a_view_is_the_same_every_time(whole: Graph, view: str) -> None:
    again = from_rows(to_rows(whole))
    assert to_rows(VIEWS[view](whole)) == to_rows(VIEWS[view](again))


@given(graphs(), st.sampled_from(["auto", 1, 2]))
def test_what_is_called_equal_is_isomorphic(whole: Graph, depth: Any) -> None:
    for box in getattr(fold(whole, depth), "boxes", {}).values():
        if box.repeats and box.repeats[0].kind == "module":
            for one, other in itertools.pairwise(box.repeats):
                assert _isomorphic(whole, one, other)


def _isomorphic(whole: Graph, one: Any, other: Any) -> bool:
    return networkx.is_isomorphic(
        _part(whole, one), _part(whole, other), node_match=dict.__eq__, edge_match=dict.__eq__
    )


def _part(whole: Graph, box: Any) -> networkx.MultiDiGraph:
    of = topology_of(whole)
    ids = {of.ids[position] for position in box.positions}
    part = networkx.MultiDiGraph()
    for identifier in ids:
        node = whole[identifier]
        module = (node["module"] or "").split(".")[len(box.path) :]
        entered = any(source not in ids for source, _, edge in whole.network.in_edges(identifier, data=True))
        part.add_node(identifier, name=node["name"], module=module, entered=entered)
    for source, target, edge in whole.edges("next"):
        if source in ids and target in ids:
            part.add_edge(source, target, slot=edge["slot"])
        elif source in ids:
            part.add_edge(source, ("outside", source, edge["slot"]), slot=edge["slot"])
    return part


def kinds(view: Graph) -> dict[str, tuple[str, int]]:
    """Name of each box → (why, count)."""
    return {
        node["name"]: (node["why"], node["count"])
        for _, node in view.network.nodes(data=True)
        if node["kind"] == "fold"
    }


def test_equal_blocks_are_one_box() -> None:
    assert kinds(fold(transformer(12), 2))["blocks.0–11"] == ("equal", 12)  # noqa: RUF001


def test_auto_opens_one_of_the_equal_blocks() -> None:
    folded = fold(transformer(12))
    boxes = kinds(folded)
    assert boxes["blocks.0–10"] == ("equal", 11)  # noqa: RUF001
    assert boxes["blocks.11.linear"] == ("module", 1)
    assert "12 equal" not in folded.note and "11 equal" in folded.note  # type: ignore[attr-defined]


@pytest.mark.parametrize("whole", [transformer(6), loop(40)], ids=["transformer", "loop"])
def test_the_depth_that_a_note_offers_opens_more_and_where_none_does_none_is_offered(whole: Graph) -> None:
    folded = fold(whole, 1)
    while "opens more" in folded.note:
        deeper = fold(whole, int(re.findall(r"--depth (\d+) opens more", folded.note)[0]))
        assert kinds(deeper) != kinds(folded)
        folded = deeper
    assert "--depth full opens all" in folded.note
    assert kinds(folded) == kinds(fold(whole, 20))


def test_a_depth_that_leaves_too_many_boxes_is_folded_further_and_says_so() -> None:
    many = MOST_AT_A_DEPTH + 100
    ops = [Op(f"F{position}Backward0", [position + 1, min(position + 7, many)]) for position in range(many)]
    folded = fold(graph([*ops, Op("AccumulateGrad")]), 3)
    assert folded.note.startswith(f"depth 3 would give {many} boxes, so the graph is folded further: ")
    assert "opens more" not in folded.note
    assert len(folded.network) <= MOST_BOXES


def test_auto_opens_one_block_also_where_much_is_outside_of_blocks() -> None:
    places = [(f"Outside{k}", "") for k in range(20)]
    for block in range(5, -1, -1):
        places += [(f"Own{k}", f"blocks.{block}") for k in range(12)]
        places += [("Mul", f"blocks.{block}.inner"), ("Tanh", f"blocks.{block}.inner")]
    ops = [Op(f"{name}Backward", [at + 1], module) for at, (name, module) in enumerate(places)]
    boxes = kinds(fold(graph([*ops, Op("AccumulateGrad")])))
    assert boxes["blocks.1–4"] == ("equal", 4)  # noqa: RUF001


def test_a_block_that_differs_stays_outside() -> None:
    builder = Builder()
    builder.op("loss", "SumBackward0", "4.mul")
    for layer in (4, 3, 2, 1, 0):
        below = f"{layer - 1}.mul" if layer else "x"
        extra = ["u.slope"] if layer == 2 else []
        builder.op(f"{layer}.mul", "MulBackward0", f"{layer}.t", *extra, module=f"m.{layer}")
        builder.op(f"{layer}.t", "TanhBackward0", below, module=f"m.{layer}")
    boxes = kinds(fold(builder.graph(), 2))
    assert boxes == {f"m.{layer}": ("module", 1) for layer in range(5)}


def test_equal_names_with_unequal_parameters_are_not_equal() -> None:
    builder = Builder()
    builder.op("loss", "SumBackward0", "2.mm")
    for layer, weight in ((2, "w"), (1, "ww"), (0, "w")):
        builder.op(f"{layer}.mm", "MmBackward0", f"{layer - 1}.mm" if layer else "x", f"{layer}.{weight}",
                   module=f"m.{layer}")  # fmt: skip
    assert set(kinds(fold(builder.graph(), 2))) == {"m.0", "m.1", "m.2"}


def test_alternating_layers_fold_in_pairs() -> None:
    builder = Builder()
    builder.op("loss", "SumBackward0", "7.b")
    for layer in reversed(range(8)):
        name = "SinBackward0" if layer % 2 else "CosBackward0"
        builder.op(f"{layer}.b", name, f"{layer}.a", module=f"m.{layer}")
        builder.op(f"{layer}.a", "ExpBackward0", f"{layer - 1}.b" if layer else "x", module=f"m.{layer}")
    assert kinds(fold(builder.graph(), 2)) == {
        "m.2–7": ("equal", 3),  # noqa: RUF001
        "m.0": ("module", 1),
        "m.1": ("module", 1),
    }


def test_a_loop_without_modules_folds_by_its_passes() -> None:
    folded = fold(loop(1000))
    boxes = kinds(folded)
    assert len(boxes) <= 8
    assert ("equal", 999) in boxes.values() or ("equal", 998) in boxes.values()
    leaf = next(identifier for identifier, tensor in folded.tensors() if tensor["name"] == "w[3001]")
    assert folded[leaf]["is_leaf"]  # shared by all passes: drawn, not folded


def test_two_modules_that_alternate_fold_by_turns() -> None:
    builder = Builder()
    builder.op("loss", "SumBackward0", "9.b")
    for turn in reversed(range(10)):
        builder.op(f"{turn}.b", "TanhBackward0", f"{turn}.a", module=f"attention.{turn}")
        builder.op(f"{turn}.a", "ExpBackward0", f"{turn - 1}.b" if turn else "x", module=f"adapters.{turn}")
    folded = fold(builder.graph())
    assert not any(edge["back"] for *_, edge in folded.edges("flow"))
    assert max(count for _, count in kinds(folded).values()) >= 8


def test_a_cycle_of_modules_is_marked() -> None:
    ops = [Op("SumBackward0", [1])]
    ops += [Op("MulBackward0", [2, 3], "a"), Op("SinBackward0", [3, 4], "b"), Op("CosBackward0", [4, 5], "a")]
    ops += [Op("ExpBackward0", [5], "b"), Op("TanhBackward0", [6], "a"), Op("AccumulateGrad")]
    network = fold(graph(ops), 1).network
    assert any(edge.get("back") for _, _, edge in network.edges(data=True))
    assert networkx.is_directed_acyclic_graph(
        networkx.DiGraph((u, v) for u, v, edge in network.edges(data=True) if not edge.get("back"))
    )


def test_a_graph_without_structure_says_what_it_shows() -> None:
    ops = [Op(f"F{position}Backward0", [position + 1, min(position + 7, 500)]) for position in range(500)]
    folded = fold(graph([*ops, Op("AccumulateGrad")]))
    assert "few modules or loops to fold" in folded.note  # type: ignore[attr-defined]
    assert 12 <= len(folded.network) <= MOST_BOXES
    assert {kind for kind, _ in kinds(folded).values()} == {"joined"}


def test_a_box_sums_what_is_in_it() -> None:
    ops = [Op("SumBackward0", [1], gradient=1.0)]
    ops += [Op("MulBackward0", [2, 3], "m", gradient=3.0), Op("ExpBackward0", [3], "m", gradient=0.0)]
    ops += [Op("AccumulateGrad", gradient=[3.0, 4.0], shape=(2,))]
    box = next(node for _, node in fold(graph(ops), 1).network.nodes(data=True) if node["kind"] == "fold")
    assert box["nodes"] == 3 and box["parameters"] == 1 and box["elements"] == 2
    assert box["arriving"]["low"] == box["arriving"]["high"] == 3.0
    assert box["norms"] == {"low": 0.0, "high": 3.0, "zeros": 1, "nans": 0, "none": 0, "unknown": 0}
    assert box["grads"]["high"] == 5.0
    assert box["steps"] == [2, 4]


def test_a_leaf_that_is_a_variable_of_its_own_is_no_parameter_of_the_module_that_uses_it() -> None:
    image = torch.rand(1, 3, requires_grad=True)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    with inspector.record() as recording:
        model(image).sum().backward()
    graph = recording.calls[0].graph
    folded = fold(graph, 1).network.nodes(data=True)
    boxes = {node["name"]: (node["parameters"], node["elements"]) for _, node in folded if node["kind"] == "fold"}
    assert boxes == {"0": (2, 16), "2": (2, 10)}
    assert "image" in {node["name"] for _, node in folded if node["kind"] == "tensor"}


def test_wrong_depths_are_refused() -> None:
    whole = transformer(2)
    for wrong in (0, -1, True, "deep"):
        with pytest.raises(ValueError, match="invalid depth"):
            fold(whole, wrong)  # type: ignore[arg-type]
    assert fold(whole, "full") is whole


def test_a_graph_that_was_saved_folded_cannot_be_unfolded() -> None:
    saved = from_rows(to_rows(fold(transformer(4), 1)))
    with pytest.raises(ValueError, match="saved folded"):
        whole_of(saved)


_ROWS_IN_ANOTHER_PROCESS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from inspector.graph import to_rows
from inspector.folding import fold
from columns import loop, transformer
print(json.dumps([to_rows(fold(item)) for item in (transformer(5), loop(40))]))
"""


def test_two_processes_fold_alike() -> None:
    root = str(Path(__file__).resolve().parent)
    answers = [
        subprocess.run(
            [sys.executable, "-c", _ROWS_IN_ANOTHER_PROCESS, root],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "77")
    ]
    assert answers[0] == answers[1] and len(answers[0]) > 1000


def test_a_chain_of_a_hundred_thousand_folds() -> None:
    ops = [Op("SinBackward0", [position + 1], line=3) for position in range(100_000)]
    folded = fold(graph([*ops, Op("AccumulateGrad")]))
    assert len(list(folded.functions())) + len(kinds(folded)) < 10
    assert sum(shown(folded).values()) == 100_001


@given(graphs(), views)
def test_a_mark_follows_its_function_into_the_fold(whole: Graph, view: str) -> None:
    whole.marks.texts = {"n0": "first", "n1": "second"}
    folded = VIEWS[view](whole)
    marks = finding_marks(folded)
    for identifier, text in whole.marks.texts.items():
        holders = [
            key
            for key, node in folded.network.nodes(data=True)
            if key == identifier or (node["kind"] == "fold" and identifier in node["members"])
        ]
        assert [key for key, texts in marks.items() if text in texts] == holders
    saved = from_rows(to_rows(folded))
    saved.marks = whole.marks
    assert finding_marks(saved) == marks


def test_a_mark_is_drawn_on_the_box_and_a_leafs_on_what_holds_it() -> None:
    whole = transformer(12)
    leaf = next(key for key, tensor in whole.tensors() if tensor["is_leaf"] and tensor["name"])
    whole.marks.texts = {"n5": "vanishing gradient", leaf: "no gradient"}
    svg = write_svg(draw(whole).panels["before"], text="plain")
    assert "vanishing gradient" in svg
    assert sum(map(len, finding_marks(fold(whole, 1)).values())) == 2


def test_repeated_folding_is_isomorphism() -> None:
    """Folding a fold again changes nothing, and equal models fold to isomorphic graphs."""
    for depth in (1, 2, "auto"):
        once = fold(transformer(6), depth)  # type: ignore[arg-type]
        again = fold(once, depth) if depth != "auto" else fold(transformer(6), depth)
        assert networkx.is_isomorphic(
            once.network, again.network, node_match=lambda a, b: a.get("nodes") == b.get("nodes")
        )


@pytest.mark.parametrize(
    ("first", "last", "span"),
    [
        ("blocks.0", "blocks.4", "blocks.0-4"),
        ("models[2]", "models[1]", "models[1]-[2]"),
        ("models[9]", "models[10]", "models[9]-[10]"),
        ("h.10.mlp", "h.9.mlp", "h.9.mlp-10.mlp"),
        ("cell, step 2", "cell, step 7", "cell, step 2-7"),
        ("there", "back", "there-back"),
    ],
)
def test_the_name_of_several_parts_counts_upwards(first: str, last: str, span: str) -> None:
    assert label_span(first, last) == span.replace("-", "\N{EN DASH}")


class Experts(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = torch.nn.Linear(6, 4)
        self.experts = torch.nn.ModuleList(torch.nn.Linear(6, 6) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights, chosen = self.gate(x).softmax(-1).topk(2)
        out = torch.zeros_like(x)
        for index, expert in enumerate(self.experts):
            rows, slot = (chosen == index).nonzero(as_tuple=True)
            out = out.index_add(0, rows, expert(x[rows]) * weights[rows, slot, None])
        return out


def test_single_functions_of_a_line_in_a_module_are_named_by_themselves() -> None:
    model = torch.nn.Sequential(Experts(), torch.nn.Linear(6, 2))
    with inspector.record() as recording:
        model(torch.randn(40, 6)).log_softmax(-1).sum().backward()
    folded = fold(recording.calls[0].graph, "auto")
    names = [re.sub("^line [0-9]+: ", "", node["name"]) for _, node in folded.folds() if node["count"] > 1]
    assert sorted(names) == ["0.experts.0\N{EN DASH}3", "Index", "IndexAdd", "Mul", "Unsqueeze"]
