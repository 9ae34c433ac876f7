"""The values inside a recurrent cell that are computed again are those that a dispatch mode sees, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import inspector
from inspector.graph import is_unknown
from inspector.recording.forward import inner_operations
from inspector.recording.forward.inner_cells import can_compute

CELLS: dict[str, Callable[..., nn.Module]] = {
    "lstm": nn.LSTMCell,
    "gru": nn.GRUCell,
    "rnn": nn.RNNCell,
    "rnn-relu": lambda *sizes, **options: nn.RNNCell(*sizes, nonlinearity="relu", **options),
}


def plain(cell: nn.Module) -> torch.Tensor:
    return torch.randn(3, 5)


def needing(cell: nn.Module) -> torch.Tensor:
    return torch.randn(3, 5, requires_grad=True)


def transposed(cell: nn.Module) -> torch.Tensor:
    return torch.randn(5, 3).t()


def of_doubles(cell: nn.Module) -> torch.Tensor:
    cell.double()
    return torch.randn(3, 5, dtype=torch.float64)


def expanded(cell: nn.Module) -> torch.Tensor:
    return torch.randn(1, 5).expand(3, 5)


def single(cell: nn.Module) -> torch.Tensor:
    return torch.randn(5)


def frozen_bias(cell: nn.Module) -> torch.Tensor:
    cell.bias_hh.requires_grad_(False)
    return torch.randn(3, 5)


def frozen_weights(cell: nn.Module) -> torch.Tensor:
    cell.weight_ih.requires_grad_(False)
    return torch.randn(3, 5)


INPUTS = {
    "usual": (plain, needing, transposed, of_doubles, expanded, single),
    "others": (frozen_bias, frozen_weights),
}


def rows(kind: str, prepare: Callable[[nn.Module], torch.Tensor], **options: Any) -> list[tuple[str, Any, Any]]:
    """Name, state before and gradient of each Node of two steps of a cell."""
    torch.manual_seed(0)
    cell = CELLS[kind](5, 7, **options)
    given = prepare(cell)
    with inspector.record() as recording:
        state = cell(given, cell(given))
        (state[0] if isinstance(state, tuple) else state).square().sum().backward()
    assert recording.failure is None
    return [(row["name"], row["before"], row["gradient"]) for _, row in recording.calls[0].graph.functions()]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each cell can be computed."""
    answers: list[bool] = []

    def answer(arguments: tuple[Any, ...]) -> bool:
        answers.append(can_compute(arguments))
        return answers[-1]

    monkeypatch.setattr(inner_operations, "can_compute", answer)
    return answers


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("prepare", INPUTS["usual"])
def test_values_are_those_of_a_dispatch_mode(
    kind: str, prepare: Callable[[nn.Module], torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = counted(monkeypatch)
    computed = rows(kind, prepare)
    assert answers == [True, True]
    assert not [name for name, before, _ in computed if is_unknown(before["data"])]
    monkeypatch.setattr(inner_operations, "can_compute", lambda arguments: False)
    assert computed == rows(kind, prepare)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("prepare", INPUTS["others"])
def test_cells_with_other_nodes_are_seen_by_a_dispatch_mode(
    kind: str, prepare: Callable[[nn.Module], torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = counted(monkeypatch)
    found = rows(kind, prepare)
    assert answers == [False, False]
    assert not [name for name, before, _ in found if is_unknown(before["data"])]


def test_a_cell_without_a_bias_and_a_large_one_are_seen_by_a_dispatch_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = counted(monkeypatch)
    rows("lstm", plain, bias=False)
    assert answers == [False, False]
    weights = [torch.zeros(4096, 1024, requires_grad=True)] * 2 + [torch.zeros(4096, requires_grad=True)] * 2
    few, many = torch.zeros(1, 1024), torch.zeros(8, 1024)
    assert not can_compute((many, (many, many), *weights))
    small = [torch.zeros(512, 1024, requires_grad=True)] * 2 + [torch.zeros(512, requires_grad=True)] * 2
    assert can_compute((few, (few, few), *small))
    with torch.autocast("cpu", torch.bfloat16):
        assert not can_compute((few, (few, few), *small))


def test_a_state_that_was_written_before_its_cell_ran_has_its_values() -> None:
    cell, given = nn.GRUCell(5, 7), torch.randn(3, 5)
    with inspector.record() as recording:
        state = cell(given).mul_(2)
        cell(given, state).sum().backward()
    graph = recording.calls[0].graph
    assert not [row["name"] for _, row in graph.functions() if is_unknown(row["before"]["data"])]


@pytest.mark.parametrize("kind", CELLS)
def test_where_hooks_pack_what_is_saved_a_dispatch_mode_sees_the_values(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, plainly = counted(monkeypatch), rows(kind, plain)
    with torch.autograd.graph.save_on_cpu():
        packed = rows(kind, plain)
    with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda tensor: tensor):
        copied = rows(kind, plain)
    assert answers == [True, True] + [False] * 4
    for found in (packed, copied):
        assert [name for name, _, _ in found] == [name for name, _, _ in plainly]
        unknown = {name for name, before, _ in found if is_unknown(before["data"])}
        assert unknown <= {"SigmoidBackward0", "TanhBackward0", "ReluBackward0"}  # only these save their results
