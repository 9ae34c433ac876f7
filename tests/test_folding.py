"""Views: no Node is lost, unfolding gives the graph back, equal boxes are isomorphic, nothing runs in circles."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx
import pytest
import torch
import torch.nn.functional as F
from columns import Builder, Op, graph, loop, transformer
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

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
        ("members[0], pass 1 of 2", "members[9], pass 1 of 2", "members[0]-[9], pass 1 of 2"),
        ("a.0, step 2", "b, step 2", "a.0-b, step 2"),
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


def test_functions_of_a_line_that_calls_modules_in_a_loop_are_one_stack() -> None:
    model = torch.nn.Sequential(Experts(), torch.nn.Linear(6, 2))
    with inspector.record() as recording:
        model(torch.randn(40, 6)).log_softmax(-1).sum().backward()
    folded = fold(recording.calls[0].graph, "auto")
    line = Experts.forward.__code__.co_firstlineno + 5
    stacks = {node["name"]: node["count"] for _, node in folded.folds() if node["count"] > 1}
    first = f"line {line}: IndexAdd\N{EN DASH}Unsqueeze"  # the first has zeros below it
    assert stacks == {"0.experts.0\N{EN DASH}3": 4, first: 3}
    assert [node["count"] for _, node in folded.folds() if node["name"] == first] == [3, 1]


def perceptron(*widths: int) -> torch.nn.Sequential:
    linears = [torch.nn.Linear(*pair) for pair in itertools.pairwise(widths)]
    return torch.nn.Sequential(*itertools.chain.from_iterable((one, torch.nn.Tanh()) for one in linears))


def stacks_of(run: Callable[[], torch.Tensor], depth: Any = 1) -> dict[str, int]:
    """Name of each box of equal parts → how many."""
    with inspector.record() as recording:
        run().backward()
    view = fold(recording.calls[0].graph, depth)
    assert not any(edge.get("back") for _, _, edge in view.network.edges(data=True))
    return {node["name"]: node["count"] for _, node in view.folds() if node["count"] > 1}


def test_members_of_an_ensemble_that_run_twice_are_one_stack_for_each_pass() -> None:
    """Each has parameters of its own, which both passes use; the variable of the loop names none of them."""
    members = [perceptron(3, 5, 1) for _ in range(10)]
    x, y = torch.randn(4, 3), torch.randn(4, 1)

    def run() -> torch.Tensor:
        total = torch.zeros(())
        for member in members:
            predicted = member(x)
            total = total + ((predicted - y) ** 2).mean()
        return total - torch.stack([member(x) for member in members]).var(0).mean()

    stacks = stacks_of(run)
    line = run.__code__.co_firstlineno + 4
    assert stacks == {
        "members[0]\N{EN DASH}[9], pass 1 of 2": 10,
        "members[0]\N{EN DASH}[9], pass 2 of 2": 10,
        f"line {line}: total = total + ((predicted - y) ** 2).mean()": 9,  # the first has no gradient to hand on
    }


def test_other_shapes_keep_members_apart() -> None:
    members = [perceptron(3, width, 1) for width in (2, 3, 4, 5)]
    x = torch.randn(4, 3)

    def run() -> torch.Tensor:
        return sum(member(x).sum() * member(-x).sum() for member in members)  # type: ignore[return-value]

    assert not any(name.startswith("members") for name in stacks_of(run))


def test_what_one_line_does_to_each_result_of_a_tower_is_one_stack() -> None:
    tower, inputs = perceptron(6, 4), [torch.randn(8, 6) for _ in range(5)]

    def run() -> torch.Tensor:
        logits = []
        for one in inputs:
            n = torch.nn.functional.normalize(tower(one), dim=-1)
            logits.append((n * n.detach()).sum(-1))
        return torch.stack(logits).logsumexp(0).sum()

    line = run.__code__.co_firstlineno + 3
    assert stacks_of(run) == {
        "tower, 5 passes": 5,
        f"line {line}: Div\N{EN DASH}LinalgVectorNorm": 5,
        f"line {line + 1}: logits.append((n * n.detach()).sum(-1))": 5,
    }


def test_heads_with_a_name_each_stay_apart_and_their_losses_are_one_stack() -> None:
    names = ("age", "colour", "size", "price", "shape")
    trunk, heads = perceptron(4, 6), torch.nn.ModuleDict({name: torch.nn.Linear(6, 2) for name in names})
    x, label = torch.randn(3, 4), torch.tensor([0, 1, 1])

    def run() -> torch.Tensor:
        features = trunk(x)
        losses = {}
        for name, head in heads.items():
            losses[name] = torch.nn.functional.cross_entropy(head(features), label)
        return torch.stack(list(losses.values())).sum()

    line = run.__code__.co_firstlineno + 4
    assert stacks_of(run) == {f"line {line}: NllLoss\N{EN DASH}LogSoftmax": 5}
    with inspector.record() as recording:
        run().backward()
    boxes = {node["name"] for _, node in fold(recording.calls[0].graph).folds()}
    assert boxes >= {f"heads.{name}" for name in names}


class _Small(nn.Module):
    """Few boxes: each that shows something is opened for want of others."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.embed, self.norm, self.head = nn.Linear(2, 4), nn.LayerNorm(4), head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.embed(x)))


class _Scaled(nn.Linear):
    """A head that computes more than a product."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return F.normalize(super().forward(input), dim=-1) * 10


@pytest.mark.parametrize(
    ("head", "shape", "casts", "is_closed"),
    [
        (nn.Linear(4, 3), (5, 2), False, True),
        (nn.Linear(4, 3), (5, 2), True, True),
        (nn.Linear(4, 3, bias=False), (5, 6, 2), False, True),
        (nn.Linear(4, 3), (5, 6, 2), True, True),
        (nn.Linear(4, 3, bias=False), (5, 2), True, True),
        (_Scaled(4, 3), (5, 2), True, False),
    ],
)
def test_a_linear_stays_closed_also_between_casts_and_views(
    head: nn.Module, shape: tuple[int, ...], casts: bool, is_closed: bool
) -> None:
    model = _Small(head)
    with inspector.record() as recording, torch.autocast("cpu", dtype=torch.bfloat16, enabled=casts):
        model(torch.randn(shape)).float().square().mean().backward()
    boxes = {node["name"].rpartition(".")[2] for _, node in fold(recording.calls[0].graph).folds()}
    assert "embed" in boxes and ("head" in boxes) is is_closed


def test_one_expression_that_is_long_is_no_loop() -> None:
    """A healthy line of many operations, and a line that calls a module once, are no stacks."""
    net = perceptron(3, 3, 3)
    x = torch.randn(4, 3)

    def run() -> torch.Tensor:
        a = net(x)
        b = a.sin().cos().exp().tanh().sin().cos().exp().tanh().sin().cos().exp().tanh().sin().cos()
        return (a.sigmoid() * 2 - 1).pow(2).sum() + b.mean() + net(x).log_softmax(-1).sum().tanh()

    assert not [name for name in stacks_of(run) if name.startswith("line")]


class Decoder(torch.nn.Module):
    """Time steps, each through two cells and an attention over the memory."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = torch.nn.ModuleList(torch.nn.GRUCell(4, 4) for _ in range(2))
        self.query, self.out = torch.nn.Linear(4, 4), torch.nn.Linear(8, 3)

    def forward(self, inputs: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        states, logits = [memory.mean(1) for _ in self.cells], []
        for x in inputs.unbind(1):
            for layer, cell in enumerate(self.cells):
                x = states[layer] = cell(x, states[layer])
            weights = torch.einsum("bd,bsd->bs", self.query(x), memory).softmax(-1)
            context = (weights[..., None] * memory).sum(1)
            logits.append(self.out(torch.cat([x, context], -1)))
        return torch.stack(logits, 1)


def test_a_decoder_with_attention_is_not_hidden_in_one_box_while_its_encoder_is_open() -> None:
    encoder, decoder = torch.nn.GRU(5, 4, batch_first=True), Decoder()

    def run() -> torch.Tensor:
        memory, _ = encoder(torch.randn(2, 6, 5))
        return decoder(torch.randn(2, 6, 4), memory).sum()

    stacks = stacks_of(run, "auto")
    assert {f"decoder.cells.{layer}, 6 passes" for layer in (0, 1)} <= stacks.keys()
    line = Decoder.forward.__code__.co_firstlineno + 5
    assert stacks[f"line {line + 1}: context = (weights[..., None] * memory).sum(1)"] == 6
    assert [name for name in stacks if name.startswith(f"line {line}: Softmax")]


def test_what_is_before_the_loop_is_not_counted_as_its_first_step() -> None:
    """Four steps of Euler, then seven of Heun: the box of the first of the seven holds the four as well."""
    field = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))

    def run() -> torch.Tensor:
        y = torch.ones(1, 2)
        for step in range(11):
            k1 = field(y)
            if step < 4:  # noqa: SIM108 (a line of its own for each kind of step)
                y = y + 0.1 * k1
            else:
                y = y + 0.1 * (k1 + field(y + 0.1 * k1)) / 2
        return y.sum()

    with inspector.record() as recording:
        run().backward()
    names = [node["name"] for _, node in fold(recording.calls[0].graph, 1).folds()]
    assert any(name.endswith("up to step 1") for name in names), names
    assert not any(name.endswith(" step 1") and "up to" not in name for name in names)
