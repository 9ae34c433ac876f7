"""Convert the caller's object (a tensor, a dictionary of losses, a model's output) to roots of a walk."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch.autograd.graph import GradientEdge, get_gradient_edge

from inspector.tracing.walk import AutogradNode


class NoGraphError(ValueError):
    """None of the given tensors has a graph."""


def tensors_in(thing: Any) -> list[Any]:
    """The tensors and GradientEdges in a tensor, list, tuple, mapping, dataclass or any nesting of them."""
    found: list[Any] = []
    stack = [thing]
    while stack:
        item = stack.pop()
        if isinstance(item, (torch.Tensor, GradientEdge)):
            found.append(item)
        else:
            stack.extend(reversed(list(_children(item))))
    return found


def _children(item: Any) -> Iterator[Any]:
    if isinstance(item, Mapping):  # also the outputs of transformers, which are dataclasses too
        yield from item.values()
    elif isinstance(item, (list, tuple)):
        yield from item
    elif dataclasses.is_dataclass(item) and not isinstance(item, type):
        for field in dataclasses.fields(item):
            yield getattr(item, field.name, None)


def gradient_edge(output: Any) -> tuple[AutogradNode, int] | None:
    """(Node, output number) of a tensor or GradientEdge; AccumulateGrad for a leaf; None without a graph."""
    if isinstance(output, GradientEdge):
        return output.node, output.output_nr
    if output.grad_fn is None and not output.requires_grad:
        return None
    edge = get_gradient_edge(output)
    return edge.node, edge.output_nr


def edges_of(tensors: Iterable[torch.Tensor | None]) -> list[tuple[AutogradNode, int]]:
    """The gradient edges of the tensors that have a graph."""
    computed = [tensor for tensor in tensors if tensor is not None and tensor.grad_fn is not None]
    return [edge for tensor in computed if (edge := gradient_edge(tensor)) is not None]


def roots_of(thing: Any) -> list[tuple[Any, tuple[AutogradNode, int]]]:
    """(tensor or GradientEdge, its gradient edge) for everything in `thing` that has a graph.

    Raises TypeError if there is no tensor, NoGraphError if none has a graph.
    """
    outputs = tensors_in(thing)
    if not outputs:
        raise TypeError(
            f"no tensor in {type(thing).__name__}; pass a tensor, or a list, dict or dataclass of tensors"
        )
    edges = [(output, edge) for output in outputs if (edge := gradient_edge(output)) is not None]
    if not edges:
        shapes = ", ".join(str(list(output.shape)) for output in outputs[:3])
        raise NoGraphError(
            f"tensor has no graph: grad_fn is None and requires_grad is False (shape {shapes}); it was computed "
            "from tensors without requires_grad, under no_grad(), or cut by detach(), .data or item()"
        )
    return edges
