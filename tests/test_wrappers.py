"""Subclasses that keep their elements in several tensors: nothing is guessed, and they run nothing of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

import inspector
from inspector.graph import is_unknown
from inspector.tensor_stats import Batch
from inspector.terminal.derivation_text import derivation_lines


class Scaled(Tensor):
    """Values times a scale, as a quantised tensor. calls: the operations that it was asked for."""

    calls: list[str] = []  # noqa: RUF012

    @staticmethod
    def __new__(cls, values: Tensor, scale: Tensor) -> Scaled:
        return torch.Tensor._make_wrapper_subclass(cls, values.shape, dtype=values.dtype)  # type: ignore

    def __init__(self, values: Tensor, scale: Tensor) -> None:
        self.inner, self.scale = values, scale

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["inner", "scale"], None

    def dense(self) -> Tensor:
        return self.inner * self.scale

    @classmethod
    def __torch_dispatch__(
        cls, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        cls.calls.append(str(func))
        plain = [one.dense() if isinstance(one, Scaled) else one for one in args]
        out = func(*plain, **(kwargs or {}))
        return Scaled(out, torch.ones(())) if isinstance(out, Tensor) else out


class Untold(Scaled):
    """One that fails to tell what it keeps."""

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        raise RuntimeError("not now")


def step() -> tuple[Tensor, list[str]]:
    """The grad of a weight, and the operations that its class was asked for."""
    torch.manual_seed(0)
    weight = Scaled(torch.randn(2, 5), torch.tensor(0.5)).requires_grad_()
    Scaled.calls.clear()
    loss = torch.tanh(weight).pow(2).sum()
    loss.backward()
    assert isinstance(weight.grad, Scaled)
    return weight.grad.dense(), list(Scaled.calls)


def test_the_class_runs_the_same_operations_and_has_the_same_gradients() -> None:
    plain, asked = step()
    with inspector.record():
        watched, asked_too = step()
    assert torch.equal(plain, watched)
    assert asked == asked_too


def test_what_several_tensors_hold_is_unknown_with_their_names() -> None:
    with inspector.record() as recording:
        step()
    graph = recording.calls[0].graph
    (leaf,) = (row for _, row in graph.tensors() if row["is_leaf"])
    for value in (leaf["before"]["data"], leaf["after"]["data"], leaf["after"]["grad"], leaf["gradient"]):
        assert value == {"unknown": "a Scaled keeps its elements in inner, scale"}
    assert (leaf["shape"], leaf["dtype"]) == ([2, 5], "float32")
    inspector.draw(graph).svg()
    text = "\n".join(line.plain for line in derivation_lines(graph, 100))
    assert "?" in text and "given" not in text  # torch itself made the gradient of the root


def test_the_memory_of_a_saved_one_is_that_of_its_tensors() -> None:
    with inspector.record() as recording:
        step()
    saved = [one for _, row in recording.calls[0].graph.functions() for one in row["saved"]]
    held = [one["bytes"] for one in saved if one["before"] == "held"]
    assert held == [4 * 10 + 4] * 2  # tanh saves a detached output, for which this class makes new elements


def test_a_class_that_fails_to_tell_costs_nothing() -> None:
    batch = Batch()
    pending = batch.add(Untold(torch.ones(2, 5), torch.ones(())))
    batch.read()
    assert is_unknown(pending.value)
    with inspector.record() as recording:
        weight = Untold(torch.ones(2, 5), torch.ones(())).requires_grad_()
        torch.tanh(weight).sum().backward()
    assert len(recording.calls) == 1
    assert weight.grad is not None


@pytest.mark.parametrize("name", ["two_tensor.TwoTensor"])
def test_the_wrapper_of_torch_itself(name: str) -> None:
    two_tensor = pytest.importorskip(f"torch.testing._internal.{name.partition('.')[0]}")
    values = torch.arange(12.0)
    weight = two_tensor.TwoTensor(values, values.clone()).requires_grad_()
    with inspector.record() as recording:
        (weight * weight).sum().backward()
    (leaf,) = (row for _, row in recording.calls[0].graph.tensors() if row["is_leaf"])
    assert leaf["after"]["data"] == {"unknown": "a TwoTensor keeps its elements in a, b"}
    assert torch.equal(weight.grad.a, 2 * values)
