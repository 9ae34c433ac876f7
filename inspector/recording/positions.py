"""Positions along one dimension of tensors, such as the samples of a batch: which depends on which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from inspector.graph.node_names import op_of
from inspector.recording.session import recorded_nodes
from inspector.tracing.walk import AutogradNode, name_of

_SHOWN = 3


def weigh_position(zeros: torch.Tensor, dim: int, position: int) -> torch.Tensor:
    """A tensor of zeros with random weights at one position. A sum with equal weights may be constant."""
    part = zeros.select(dim, position)
    drawn = torch.rand(part.shape, generator=torch.Generator().manual_seed(position), dtype=torch.float64) + 0.5
    part.copy_(drawn.to(part))
    return zeros


def used_positions(gradient: torch.Tensor, dim: int) -> list[int]:
    """The positions along a dimension where a gradient is not zero."""
    others = [other for other in range(gradient.dim()) if other != dim % gradient.dim()]
    is_used = (gradient != 0).sum(dim=others) > 0 if others else gradient != 0
    return [int(position) for position in is_used.nonzero().flatten().tolist()]


def positions_text(unit: str, positions: Sequence[int]) -> str:
    """`sample 4`, or `samples 1, 2, 3 and 5 more`."""
    few = ", ".join(map(str, positions[:_SHOWN]))
    more = f" and {len(positions) - _SHOWN} more" if len(positions) > _SHOWN else ""
    return f"{unit}{'s' * (len(positions) > 1)} {few}{more}"


def describe_origin(node: AutogradNode) -> tuple[Any, str]:
    """The line of the Node where positions begin to mix, or None if it was not recorded, and the end of a sentence
    on it."""
    nodes, name = recorded_nodes(), op_of(name_of(node))
    if nodes is None:
        return None, f"; it begins at {name}"
    number = nodes.sequence_number_of(node)
    source, module = nodes.source(number), nodes.module(number)
    inside = f" of {module}" if isinstance(module, str) and module else ""
    return (source if isinstance(source, dict) and "line" in source else None), f"; it begins at {name}{inside}"
