"""Undocumented attributes of a Node: its sequence number and its outputs."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import torch

from inspector.torch_api.capability import Capability

ACCUMULATE_GRAD_NUMBER = 2**64 - 1
"""The sequence number of every AccumulateGrad: the engine runs it first."""


class _Numbers(NamedTuple):
    counter: Callable[[], int]
    of_node: Callable[[Any], int]


def _find_numbers() -> _Numbers:
    counter: Callable[[], int] = torch._C._autograd._get_sequence_nr
    accumulate_grad = vars(torch._C._functions)["AccumulateGrad"]
    if not isinstance(counter(), int) or not callable(accumulate_grad._sequence_nr):
        raise TypeError("Nodes have no numbers")
    return _Numbers(counter, _number_of)


def _number_of(node: Any) -> int:
    number: int = type(node)._sequence_nr(node)  # a custom Function may have set `ctx._sequence_nr`
    return number


SEQUENCE_NUMBERS = Capability(
    "sequence numbers",
    "lines, modules, names and values of the forward are unknown",
    _find_numbers,
)


def sequence_counter() -> Callable[[], int]:
    """The function that returns the number of the next Node of the calling thread.

    This is torch's own function, since it is called at every line of the script. If torch has none, it always
    returns 0.
    """
    parts = SEQUENCE_NUMBERS.parts
    return _no_number if parts is None else parts.counter


def _no_number() -> int:
    return 0


def sequence_numbers(nodes: Sequence[Any]) -> array[int]:
    """The number of each Node. If torch has none: `ACCUMULATE_GRAD_NUMBER` for AccumulateGrad, 0 for others."""
    parts = SEQUENCE_NUMBERS.parts
    if parts is not None:
        try:
            return array("Q", map(parts.of_node, nodes))
        except Exception as error:
            SEQUENCE_NUMBERS.turn_off(error)
    return array("Q", [ACCUMULATE_GRAD_NUMBER if hasattr(type(node), "variable") else 0 for node in nodes])


def sequence_number_of(node: Any) -> int:
    """The number of one Node, see `sequence_numbers`."""
    parts = SEQUENCE_NUMBERS.parts
    if parts is not None:
        try:
            return parts.of_node(node)
        except Exception as error:
            SEQUENCE_NUMBERS.turn_off(error)
    return sequence_numbers([node])[0]


def _find_metadata() -> Callable[[Any], Sequence[Any]]:
    accumulate_grad = vars(torch._C._functions)["AccumulateGrad"]
    if not hasattr(accumulate_grad, "_input_metadata"):
        raise AttributeError("_input_metadata")
    return attrgetter("_input_metadata")


OUTPUT_METADATA = Capability(
    "output metadata of a Node",
    "shapes and dtypes are unknown for tensors that only the graph holds",
    _find_metadata,
)


def output_metadata(node: Any) -> Sequence[Any] | None:
    """One object per output of the forward, with `shape`, `dtype`, `device`; None if torch cannot tell."""
    parts = OUTPUT_METADATA.parts
    if parts is None:
        return None
    try:
        return parts(node)
    except Exception as error:
        OUTPUT_METADATA.turn_off(error)
        return None
