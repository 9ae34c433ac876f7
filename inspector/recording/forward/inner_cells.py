"""The values inside a recurrent cell, such as those of its products.

A dispatch mode sees them, but takes ten times as long as a small cell. There they are computed again, by the
operations of torch's own cell on the same tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch

from inspector.graph.node_names import op_of
from inspector.tensor_stats.plain_tensor import ORDINARY
from inspector.torch_api.saved_tensors import are_saved_as_they_are, saved_by
from inspector.tracing.walk import AutogradNode

_MOST_PRODUCTS = 1 << 21
"""Multiplications in the products of a cell up to which computing them takes less time than a dispatch mode."""

_Results: TypeAlias = Sequence[tuple[torch.Tensor, ...]]
"""The outputs of the Nodes of a cell in the order of their operations; none of those that are known otherwise."""


class _Parts(NamedTuple):
    """What the values are computed from: the products of the weights with the input and with the state, the state
    (the second one of two), and the activations in order, which their Nodes save."""

    of_input: torch.Tensor
    of_state: torch.Tensor
    state: torch.Tensor
    active: list[torch.Tensor]


class _Cell(NamedTuple):
    """ops: of its Nodes in order. input_first: whether the product with the input is the first one."""

    ops: tuple[str, ...]
    values: Callable[[_Parts], _Results]
    input_first: bool = False


def can_compute(arguments: tuple[Any, ...]) -> bool:
    """Whether a call of a cell with these arguments creates the usual Nodes, and is small."""
    if len(arguments) != 6 or torch.is_autocast_enabled("cpu") or not are_saved_as_they_are():
        return False
    tensors = _tensors(arguments)
    if not all(type(item) in ORDINARY and item.is_cpu and item.layout is torch.strided for item in tensors):
        return False
    if not all(item.requires_grad for item in tensors[-4:]) or any(item.dim() != 2 for item in tensors[:-2]):
        return False
    weights = tensors[-4].numel() + tensors[-3].numel()
    return tensors[0].shape[0] * weights <= _MOST_PRODUCTS and len({item.dtype for item in tensors}) == 1


def cell_values(
    name: str, created: dict[int, AutogradNode], arguments: tuple[Any, ...]
) -> Iterator[tuple[AutogradNode, int, torch.Tensor]]:
    """The Nodes of a call of a cell, each with output number and value.

    name: of the function. created: the Nodes of the call, by number. arguments: for which `can_compute`.
    """
    cell, nodes = CELLS[name], [created[number] for number in sorted(created)]
    if [op_of(node.name()) for node in nodes] != list(cell.ops):
        return
    tensors = _tensors(arguments)
    factors = tensors[:2] if cell.input_first else tensors[1::-1]
    if [id(item) for item in _saved(nodes, ("addmm",), "mat1")] != [id(item) for item in factors]:
        return
    active = _saved(nodes, _ACTIVATIONS, "result")
    of_input, of_state, bias_of_input, bias_of_state = tensors[-4:]
    parts = _Parts(
        torch.addmm(bias_of_input, tensors[0], of_input.t()),
        torch.addmm(bias_of_state, tensors[1], of_state.t()),
        tensors[-5],
        active,
    )
    for node, results in zip(nodes, cell.values(parts), strict=True):
        for output_nr, result in enumerate(results):
            yield node, output_nr, result


def _saved(nodes: list[AutogradNode], ops: tuple[str, ...], name: str) -> list[Any]:
    """What the Nodes with these ops saved under a name."""
    chosen = [node for node in nodes if op_of(node.name()) in ops]
    return [item.tensor for node in chosen for item in saved_by(node) if item.name == name]


def _tensors(arguments: tuple[Any, ...]) -> list[Any]:
    """The arguments of a cell, with the states one by one."""
    states = arguments[1] if isinstance(arguments[1], (tuple, list)) else arguments[1:2]
    return [arguments[0], *states, *arguments[2:]]


def _simple(parts: _Parts) -> _Results:
    return ((), (parts.of_state,), (), (parts.of_input,), (parts.of_state + parts.of_input,), ())


def _lstm(parts: _Parts) -> _Results:
    into, forget, update, *_ = parts.active
    gates = parts.of_state + parts.of_input
    products: _Results = ((), (parts.of_state,), (), (parts.of_input,))
    terms = (forget * parts.state,), (into * update,)
    return (*products, (gates,), gates.chunk(4, 1), (), (), (), (), *terms, (), (), ())


def _gru(parts: _Parts) -> _Results:
    reset, into, update = parts.active
    of_input, of_state = parts.of_input.chunk(3, 1), parts.of_state.chunk(3, 1)
    products: _Results = ((), (parts.of_input,), of_input, (), (parts.of_state,), of_state)
    left, change = of_state[2] * reset, parts.state - update
    gates = (of_state[0] + of_input[0],), (), (of_state[1] + of_input[1],), ()
    return (*products, *gates, (left,), (of_input[2] + left,), (), (change,), (change * into,), ())


_ACTIVATIONS = ("relu", "sigmoid", "tanh")
_PRODUCTS = ("t", "addmm", "t", "addmm")
_OF_LSTM = ("add", "unsafe_split", "sigmoid", "sigmoid", "tanh", "sigmoid", "mul", "mul", "add", "tanh", "mul")
_SPLIT = ("t", "addmm", "unsafe_split", "t", "addmm", "unsafe_split")
_OF_GRU = ("add", "sigmoid", "add", "sigmoid", "mul", "add", "tanh", "sub", "mul", "add")

CELLS = {
    "gru_cell": _Cell((*_SPLIT, *_OF_GRU), _gru, input_first=True),
    "lstm_cell": _Cell((*_PRODUCTS, *_OF_LSTM), _lstm),
    "rnn_relu_cell": _Cell((*_PRODUCTS, "add", "relu"), _simple),
    "rnn_tanh_cell": _Cell((*_PRODUCTS, "add", "tanh"), _simple),
}
"""The cells that can be computed again, by the name of the function."""
