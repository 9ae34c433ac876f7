"""What a recording adds to a step with large tensors: how often it reads their bytes, and what it allocates."""

import math
from collections import Counter

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

import inspector
from inspector.recording import watch_plan
from inspector.torch_api import modes
from inspector.tracing.roots import gradient_edge
from inspector.tracing.walk import walk

NODES, EDGES = 500, 10_000
PIECE = 1 << 20
"""Bytes that the inspector may allocate at once, whatever the size of a tensor."""


class Attention(nn.Module):
    """A layer of a graph attention network: its tensors have a row for each edge."""

    def __init__(self) -> None:
        super().__init__()
        self.values = nn.Linear(16, 64, bias=False)
        self.score = nn.Parameter(torch.randn(8, 8))

    def forward(self, x: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        values = self.values(x).view(-1, 8, 8)
        sent = values[source]
        scores = nn.functional.leaky_relu((sent * self.score).sum(-1)).exp()
        total = torch.zeros(NODES, 8).index_add(0, target, scores)
        weighted = sent * (scores / total[target]).unsqueeze(-1)
        return torch.zeros(NODES, 8, 8).index_add(0, target, weighted).flatten(1)


class Convolutions(nn.Module):
    """Large tensors with few rows, of which rows are measured; half of what `relu` lets pass is zero."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x).mean((2, 3))


def attention():
    edges = torch.randint(0, NODES, (2, EDGES))
    return Attention(), (torch.randn(NODES, 16), *edges), 1.0


def convolutions():
    return Convolutions(), (torch.randn(8, 3, 64, 64),), 1.0


class Masked(nn.Module):
    """Attention whose scores are infinite where they are masked."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.project(x)
        scores = (x @ x.mT).masked_fill(torch.ones(400, 400).triu(1).bool(), -math.inf)
        return scores.softmax(-1) @ x


def masked():
    return Masked(), (torch.randn(4, 400, 16),), 1.0


class Wide(nn.Module):
    """Most of what a step has are weights, to whose grads each call adds."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(300, 400), nn.Tanh(), nn.Linear(400, 300))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def accumulated():
    return Wide(), (torch.randn(300, 300),), 1.0


def without_a_gradient():
    return Convolutions(), (torch.randn(8, 3, 64, 64),), 0.0


def profiled(run):
    """The elements that each kind of operation was given, and the most bytes that one of them allocated."""
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True, profile_memory=True) as found:
        run()
    read, most = Counter(), Counter()
    for event in found.events():
        shapes = [shape for shape in event.input_shapes if shape and all(type(size) is int for size in shape)]
        read[event.name] += max(map(math.prod, shapes), default=0)
        most[event.name] = max(most[event.name], event.cpu_memory_usage)
    return read, most


READS = (
    "aten::linalg_vector_norm",
    "aten::sum",
    "aten::amin",
    "aten::amax",
    "aten::aminmax",
    "aten::count_nonzero",
    "aten::isnan",
    "aten::isinf",
    "aten::isfinite",
    "aten::square",
    "aten::abs",
    "aten::eq",
    "aten::ne",
    "aten::clone",
    "aten::_to_copy",
)
"""Operations that read all that they are given, or copy it."""


@pytest.mark.parametrize(
    ("made", "mode"),
    [
        (attention, "full"),
        (convolutions, "full"),
        (masked, "full"),
        (accumulated, "full"),
        (attention, "light"),
        (without_a_gradient, "light"),
    ],
)
def test_large_tensors_are_read_twice_at_most_and_in_pieces(made, mode, monkeypatch):
    monkeypatch.setattr(watch_plan, "SMALL_NODES", 0)
    monkeypatch.setattr(modes, "is_profiling", lambda: False)  # so that this profiler sees what is read
    torch.manual_seed(0)
    model, inputs, scale = made()

    def step():
        (model(*inputs).square().mean() * scale).backward()

    step()
    plain, allocated = profiled(step)
    with inspector.record(watch=1, mode=mode):
        recorded, most = profiled(step)
    loss = model(*inputs).square().mean() * scale
    nodes = walk([gradient_edge(loss)]).nodes
    sizes = [math.prod(output.shape) for node in nodes for output in node._input_metadata]
    of_forward_and_backward = 2 * sum(sizes) + sum(math.prod(item.shape) for item in inputs)
    passes = {name: (recorded[name] - plain[name]) / of_forward_and_backward for name in READS}
    assert passes["aten::linalg_vector_norm"] > 0.3  # so that what is counted here is what reads them
    assert max(passes.values()) <= 2
    assert not [name for name in READS if most[name] > max(allocated[name], PIECE)]


@pytest.mark.parametrize(("size", "small"), [(10, True), (1 << 22, False)])
def test_a_graph_is_small_if_its_nodes_and_their_elements_are_few(size, small):
    x = torch.ones(2, size // 2, requires_grad=True)
    assert watch_plan.is_small(walk([gradient_edge(x.sin().sum())]).nodes) == small


def test_a_later_call_with_large_tensors_is_not_recorded_in_full():
    model, inputs = Attention(), (torch.randn(NODES, 16), *torch.randint(0, NODES, (2, 2 * EDGES)))
    with inspector.record(watch=2) as recording:
        for _ in range(2):
            model(*inputs).square().mean().backward()
    modes = [call.setting.recording for call in recording.calls]
    assert modes == ["full", "light"]
