"""The Node of a leaf, and plain values about the outputs of a Node."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from msgspec import Struct

from inspector.tensor_stats import device_name, dtype_name
from inspector.torch_api.nodes import output_metadata
from inspector.tracing.walk import AutogradNode

ACCUMULATE_GRAD = "AccumulateGrad"
"""The name of the Node that adds a gradient to the grad of a leaf."""


class OutputFacts(Struct, frozen=True):
    """What a Node knows about one of its forward outputs."""

    dtype: str
    shape: tuple[int, ...] | None  # None if torch cannot tell (nested tensors)
    device: str


UNREAD = OutputFacts("unknown", None, "unknown")
"""For an output that was not read."""


def outputs_of(node: AutogradNode) -> list[OutputFacts] | None:
    """One entry per output of the forward, by output number; None if torch cannot tell."""
    metadata = output_metadata(node)
    if metadata is None:
        return None
    return [_output(metadata[0])] if len(metadata) == 1 else [_output(item) for item in metadata]


def element_count(node: AutogradNode) -> int:
    """The number of elements of the outputs of a Node, as far as torch can tell."""
    try:
        return sum(math.prod(map(int, output.shape)) for output in output_metadata(node) or ())
    except (AttributeError, RuntimeError, TypeError, ValueError):  # see `_output`
        return 0


def _output(metadata: Any) -> OutputFacts:
    try:
        return _facts(metadata.dtype, tuple(metadata.shape), metadata.device)
    except (AttributeError, RuntimeError, TypeError, ValueError):  # nested, or a shape with symbols
        return OutputFacts(dtype_name(metadata.dtype), _known_shape(metadata), device_name(metadata.device))


def _known_shape(metadata: Any) -> tuple[int, ...] | None:
    try:
        return tuple(map(int, metadata.shape))
    except (AttributeError, RuntimeError, TypeError, ValueError):  # nested: no shape, or one with symbols
        return None


@functools.lru_cache(maxsize=4096)
def _facts(dtype: torch.dtype, shape: tuple[int, ...], device: torch.device) -> OutputFacts:
    return OutputFacts(dtype_name(dtype), tuple(map(int, shape)), device_name(device))
