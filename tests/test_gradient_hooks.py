"""The hooks on Nodes: what they note is what torch hands to every Node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from networks import NETWORKS, made
from torch import nn

import inspector
from inspector.graph.node_kinds import has_one_output
from inspector.recording import watch_plan
from inspector.recording.gradient_hooks import GradientCapture
from inspector.tensor_stats import Batch
from inspector.tracing.roots import gradient_edge
from inspector.tracing.walk import AutogradNode, name_of, walk


def writes(gradient: torch.Tensor) -> None:
    with torch.no_grad():
        gradient.mul_(3)


def doubles(gradient: torch.Tensor) -> torch.Tensor:
    return gradient * 2


def takes_another_part(gradient: torch.Tensor) -> torch.Tensor:
    """As many elements of the same memory, but not the same ones."""
    return gradient[:1].expand_as(gradient)


HOOKS: list[Callable[[torch.Tensor], Any]] = [writes, doubles, takes_another_part, torch.Tensor.to_sparse]


def views(hook: Callable[[torch.Tensor], Any] | None) -> torch.Tensor:
    """Functions that only rearrange, between others; the gradient of one is changed on its way."""
    torch.manual_seed(0)
    w = torch.randn(6, 4, requires_grad=True)
    h = (w * 2).view(4, 6)
    if hook is not None:
        h.register_hook(hook)
    turned = h.t().unsqueeze(0)
    return (turned.exp() + turned.squeeze(0).reshape(24).view(6, 4)).sum() + w.permute(1, 0).tanh().sum()


def layers() -> torch.Tensor:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 8), nn.Linear(8, 3))
    return model(torch.randn(2, 7, 5)).transpose(0, 1).split(1)[0].square().mean()


@pytest.mark.parametrize(
    "make",
    [layers, lambda: views(None), *(lambda hook=hook: views(hook) for hook in HOOKS[:3])],
    ids=["layers", "views", "written", "doubled", "another part"],
)
def test_norms_of_a_light_recording_are_those_of_what_arrives(make: Callable[[], torch.Tensor]) -> None:
    root = make()
    graph = walk([gradient_edge(root)])  # type: ignore[list-item]
    expected: dict[int, list[Any]] = {}

    def hook(position: int) -> Callable[[Any], None]:
        def note(gradients: Any) -> None:
            expected[position] = [None if gradient is None else gradient.clone() for gradient in gradients]

        return note

    handles = [node.register_prehook(hook(position)) for position, node in enumerate(graph.nodes)]
    capture = GradientCapture(Batch("light"))
    capture.install(graph, runs_all=True)
    root.backward()
    capture.remove()
    assert capture.flow.steps == list(expected)
    assert len(capture.flow.arrived.norms) > 4
    for position, gradients in expected.items():
        found = capture.flow.arrived.at(position)
        assert found is not None and len(found) == len(gradients)
        for pending, gradient in zip(found, gradients, strict=True):
            if gradient is None:
                assert pending.is_none
            elif gradient.numel() > 9:
                assert pending.value["shape"] == list(gradient.shape)
                assert pending.value["norm"] == pytest.approx(torch.linalg.vector_norm(gradient).item(), rel=1e-6)
            else:
                assert pending.value == gradient.tolist()
    for handle in handles:
        handle.remove()


def test_counts_of_outputs_are_those_that_torch_gives() -> None:
    root = layers()
    graph = walk([gradient_edge(root)])  # type: ignore[list-item]
    capture = GradientCapture(Batch("light"))
    capture.install(graph, runs_all=True)
    root.backward()
    capture.remove()
    counts = {k: len(node._input_metadata) for k, node in enumerate(graph.nodes)}
    assert capture.flow.arrived.counts() == counts
    assert max(counts.values()) > 1


@pytest.mark.parametrize("kind", NETWORKS)
def test_functions_in_the_table_have_one_output(kind: str) -> None:
    network = made(kind)
    nodes = walk([gradient_edge(network.loss())]).nodes  # type: ignore[list-item]
    known = [node for node in nodes if has_one_output(name_of(node))]
    assert known
    assert [len(node._input_metadata) for node in known] == [1] * len(known)


def test_a_node_where_the_engine_stops_is_not_said_to_have_run() -> None:
    w = torch.randn(4, 4, requires_grad=True)
    with inspector.record(watch=2, mode="light") as recording:
        for _ in range(2):
            h = w.exp()
            y = h
            for _ in range(120):  # else the graph is small enough for a full recording
                y = y.sin()
            torch.autograd.grad(y.sum(), h)
    assert len(recording.calls) == 2
    for call in recording.calls:
        assert call.setting.recording == "light"
        steps = {row["name"]: row["step"] for _, row in call.graph.functions()}
        assert steps == {"SumBackward0": 1, "SinBackward0": 121, "ExpBackward0": None, "AccumulateGrad": None}


def has_a_grad(leaf: torch.Tensor) -> None:
    leaf.grad = torch.ones_like(leaf)


def is_hooked(leaf: torch.Tensor) -> None:
    leaf.register_hook(doubles)


def is_replaced(leaf: torch.Tensor) -> None:
    def replace(leaf: torch.Tensor) -> None:
        assert leaf.grad is not None
        leaf.grad = leaf.grad * 3

    leaf.register_post_accumulate_grad_hook(replace)


def is_written(leaf: torch.Tensor) -> None:
    leaf.register_post_accumulate_grad_hook(lambda leaf: writes(leaf.grad))  # type: ignore[arg-type]


def is_written_unseen(leaf: torch.Tensor) -> AutogradNode:
    """By `.data` in a hook on the AccumulateGrad, as libraries do that train on several devices."""
    node = leaf.view_as(leaf).grad_fn.next_functions[0][0]  # type: ignore[union-attr]

    def halve(*_: Any) -> None:
        assert leaf.grad is not None
        leaf.grad.data.mul_(0.5)

    node.register_hook(halve)
    return node


@pytest.mark.parametrize(
    "prepare", [lambda leaf: None, has_a_grad, is_hooked, is_replaced, is_written, is_written_unseen]
)
def test_a_light_recording_has_the_norm_of_each_grad(prepare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_plan, "SMALL_NODES", 0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Linear(16, 12), nn.Linear(12, 4))
    kept = [prepare(leaf) for leaf in model.parameters()]
    with inspector.record(model, mode="light") as recording:
        model(torch.randn(5, 8)).pow(2).sum().backward()
    rows = {row["name"]: row["after"]["grad"] for _, row in recording.calls[0].graph.tensors() if row["is_leaf"]}
    for name, leaf in model.named_parameters():
        if leaf.numel() > 9:
            assert leaf.grad is not None and rows[name]["norm"] == leaf.grad.norm().item(), name
    del kept
