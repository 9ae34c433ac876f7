"""The elements of small tensors: every one at its place, whatever the type and the strides."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import inspector
from inspector.graph.elements import elements_of, tiles_of, with_elements
from inspector.tensor_stats import Batch
from inspector.tracing.graph_values import MOST_NODES

ARRANGEMENTS: dict[str, Callable[[Tensor], Tensor]] = {
    "as it is": lambda base: base,
    "transposed": lambda base: base.t(),
    "every other column": lambda base: base[:, ::2],
    "a part": lambda base: base[::3, 1:5],
    "permuted": lambda base: base.reshape(4, 2, 2, 16).permute(3, 1, 0, 2),
    "channels last": lambda base: base.reshape(2, 2, 8, 8).to(memory_format=torch.channels_last),
    "expanded": lambda base: base[:, :1].expand(16, 4),
    "expanded in front": lambda base: base[0].expand(3, 16),
}
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
REAL = [*FLOATS, torch.int64, torch.int32, torch.uint8, torch.bool]


def measured(tensor: Tensor, batch: Batch | None = None, *, counted: bool = False) -> Any:
    """The value of a tensor with its elements."""
    batch = batch or Batch()
    pending = batch.add(tensor, counted=counted)
    batch.read()
    return {**pending.value, "elements": pending.elements}


@pytest.mark.parametrize("dtype", REAL, ids=str)
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_every_element_is_at_its_place(arrangement: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    tensor = ARRANGEMENTS[arrangement]((100 * torch.rand(16, 16)).to(dtype))
    assert elements_of(measured(tensor)) == tensor.double().reshape(-1).tolist()
    assert elements_of(measured(tensor, counted=True)) == tensor.double().reshape(-1).tolist()


def test_a_view_of_measured_elements_has_its_own_order() -> None:
    batch, tensor = Batch(), torch.arange(12.0).reshape(3, 4)
    pending = [batch.add(one, counted=True) for one in (tensor, tensor.t(), tensor.reshape(2, 6))]
    batch.read()
    found = [elements_of({**one.value, "elements": one.elements}) for one in pending]  # type: ignore[dict-item]
    assert found == [tensor.reshape(-1).tolist(), tensor.t().reshape(-1).tolist(), list(range(12))]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int64], ids=str)
def test_elements_in_another_order_with_the_same_norm_are_read_again(dtype: torch.dtype) -> None:
    batch, tensor = Batch(), torch.arange(12).to(dtype)
    first = batch.add(tensor, counted=True)
    tensor.copy_(tensor.flip(0))
    second = batch.add(tensor, counted=True)
    batch.read()
    found = [elements_of({**one.value, "elements": one.elements}) for one in (first, second)]  # type: ignore[dict-item]
    assert found == [list(range(12)), list(range(11, -1, -1))]


@pytest.mark.filterwarnings("ignore:Sparse CSC")
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(257),
        lambda: torch.zeros(12, dtype=torch.complex64),
        lambda: torch.arange(12) + 2**60,
        lambda: torch.eye(4).to_sparse(),
        lambda: torch.ones(4, 4).to_sparse_csc(),
        lambda: torch.arange(8.0).as_strided((4, 4), (1, 1)),
    ],
    ids=["large", "complex", "no float64", "sparse", "by columns", "overlapping"],
)
def test_elements_that_cannot_be_told_are_left_out(make: Callable[[], Tensor]) -> None:
    value = measured(make())
    assert value["elements"] is None
    assert tiles_of(value) is None


def test_a_light_recording_keeps_none() -> None:
    pending = Batch("light").add(torch.ones(16))
    assert pending.elements is None


def test_nan_and_infinities_are_kept() -> None:
    found = elements_of(measured(torch.tensor([math.nan, math.inf, -math.inf] * 4)))
    assert found is not None
    assert [str(item) for item in found[:3]] == ["nan", "inf", "-inf"]


@pytest.mark.parametrize("packed", ["?", "AAAA", "", 7])
def test_damaged_elements_are_none(packed: Any) -> None:
    assert elements_of({"shape": [12], "dtype": "float32", "norm": 1.0, "elements": packed}) is None


def test_other_elements_have_the_same_precision() -> None:
    summary = measured(torch.arange(12.0))
    assert elements_of(with_elements(summary, [0.1] * 12)) == torch.full((12,), 0.1).double().tolist()
    assert "elements" not in with_elements(summary, None)


def test_tensors_become_matrices() -> None:
    vector, kernel = torch.arange(12.0), torch.arange(36.0).reshape(2, 2, 3, 3)
    assert tiles_of(measured(vector)) == [vector[:, None].tolist()]
    assert tiles_of(measured(kernel)) == kernel.reshape(4, 3, 3).tolist()
    assert tiles_of([[1.0, 2.0], [3.0, 4.0]]) == [[[1.0, 2.0], [3.0, 4.0]]]
    none: list[Any] = [1.0, None, [1.0, [2.0]], [None, 1.0], [], {"unknown": "lost"}]
    assert [tiles_of(value) for value in none] == [None] * len(none)


# ---- graphs -------------------------------------------------------------------------------------------------


def chain(steps: int) -> tuple[Tensor, Tensor]:
    weight = torch.arange(12.0).reshape(3, 4).requires_grad_()
    value = weight
    for _ in range(steps):
        value = value * 1.5 + 0.0
    return weight, value.t().sum()


def test_a_small_graph_keeps_every_tensor_and_gradient() -> None:
    with inspector.record() as recording:
        weight, loss = chain(2)
        loss.backward()
    graph = recording.calls[0].graph
    leaf = next(row for _, row in graph.tensors() if row["is_leaf"])
    assert elements_of(leaf["after"]["data"]) == weight.detach().reshape(-1).tolist()
    assert weight.grad is not None
    gradients = [elements_of(leaf["after"]["grad"]), elements_of(leaf["gradient"])]
    assert gradients == [weight.grad.reshape(-1).tolist()] * 2
    turned = next(row for _, row in graph.functions() if row["name"].startswith(("TBackward", "PermuteBackward")))
    assert elements_of(turned["after"]["data"]) == (weight * 2.25).t().reshape(-1).tolist()


def test_a_large_graph_keeps_leaves_and_names_alone() -> None:
    with inspector.record() as recording:
        _weight, loss = chain(MOST_NODES)
        loss.backward()
    graph = recording.calls[0].graph
    kept = {row["name"] for _, row in graph.tensors() if elements_of(row["after"]["data"])}
    assert "_weight" in kept
    unnamed = [row for _, row in graph.tensors() if row["name"] is None]
    assert unnamed
    assert not any(elements_of(row["after"]["data"]) for row in unnamed)
