"""Random expressions of scalars for hypothesis, built of torch's operations; leaves and parts are shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies

UNARY: dict[str, Callable[[Any], Any]] = {
    "exp": torch.exp,
    "log": torch.log,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": lambda one, other: one / other,
    "**": lambda one, other: one**other,
    "max": torch.maximum,
}
OPERATIONS = (*UNARY, *BINARY)


@strategies.composite
def expressions(draw: Callable[[Any], Any]) -> Callable[[list[torch.Tensor]], torch.Tensor]:
    """A function of a list of leaves: an expression of depth 3 to 6, every operation with equal chance."""
    shared: list[Any] = []

    def part(depth: int) -> Any:
        if depth == 0:
            return ("leaf", draw(strategies.integers(0, 3)))
        if shared and draw(strategies.integers(0, 4)) == 0:
            return draw(strategies.sampled_from(shared))
        name = draw(strategies.sampled_from(OPERATIONS))
        parts = [part(depth - 1)]
        if name in BINARY:
            parts.append(part(draw(strategies.integers(0, depth - 1))))
        made = (name, *parts)
        shared.append(made)
        return made

    tree = part(draw(strategies.integers(3, 6)))

    def root(leaves: list[torch.Tensor]) -> torch.Tensor:
        known: dict[int, torch.Tensor] = {}
        return _evaluate(tree, leaves, known)

    return root


def _evaluate(tree: Any, leaves: list[torch.Tensor], known: dict[int, torch.Tensor]) -> torch.Tensor:
    if tree[0] == "leaf":
        return leaves[tree[1] % len(leaves)]
    if id(tree) not in known:
        parts = [_evaluate(part, leaves, known) for part in tree[1:]]
        known[id(tree)] = UNARY[tree[0]](*parts) if tree[0] in UNARY else BINARY[tree[0]](*parts)
    return known[id(tree)]
