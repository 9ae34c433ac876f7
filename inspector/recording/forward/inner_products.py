"""The products inside attention (in math mode) and inside `linear` of a tensor that is not contiguous.

torch adds a mask or a bias to them in place. They are computed again by torch's own operation on the same tensors,
which are saved by their Nodes or are arguments of the call, like the mask.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from inspector.graph.node_names import op_of
from inspector.torch_api.nodes import output_metadata
from inspector.torch_api.saved_tensors import saved_by
from inspector.tracing.walk import AutogradNode

_SOFTMAX = ("softmax", "safe_softmax")
_VIEWS = ("unsafe_view", "view")
_PARAMETERS = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")


def attention_scores(
    created: dict[int, AutogradNode], arguments: tuple[Any, ...], options: dict[str, Any]
) -> Iterator[tuple[AutogradNode, int, torch.Tensor]]:
    """The Nodes between the product of query and key and the softmax, each with output number and value.

    created: the Nodes of the call, by number. arguments, options: of the call.
    """
    softmax = next((node for node in created.values() if op_of(node.name()) in _SOFTMAX), None)
    node = None if softmax is None else softmax.next_functions[0][0]
    sum_with_mask = None
    if node is not None and op_of(node.name()) == "add":
        sum_with_mask, node = node, node.next_functions[0][0]
    view, metadata = node, None if node is None else output_metadata(node)
    if view is None or op_of(view.name()) not in _VIEWS or metadata is None:
        return
    product = view.next_functions[0][0]
    if product is None or op_of(product.name()) != "bmm":
        return
    saved = {item.name: item.tensor for item in saved_by(product) if item.state == "held"}
    factors = [factor for name in ("self", "mat2") if (factor := saved.get(name)) is not None]
    if len(factors) != 2:
        return
    scores = torch.bmm(factors[0], factors[1])
    yield product, 0, scores
    scores = scores.view(metadata[0].shape)
    yield view, 0, scores
    mask = None if sum_with_mask is None else _mask(scores, arguments, options)
    if mask is not None:
        yield sum_with_mask, 0, (scores + mask).to(scores.dtype)  # as in place


def linear_product(
    created: dict[int, AutogradNode], factor: torch.Tensor, weight: torch.Tensor
) -> Iterator[tuple[AutogradNode, int, torch.Tensor]]:
    """The Node of the product of input and weight, with output number and value.

    created: the Nodes of the call, by number. factor, weight: its first two arguments.
    """
    for node in created.values():
        if op_of(node.name()) == "mm":
            yield node, 0, torch.mm(factor.reshape(-1, factor.shape[-1]), weight.t())


def _mask(scores: torch.Tensor, arguments: tuple[Any, ...], options: dict[str, Any]) -> torch.Tensor | None:
    """What is added to the scores: the mask of the call, -inf where a boolean mask is False."""
    given = dict(zip(_PARAMETERS, arguments, strict=False)) | options
    mask = given.get("attn_mask")
    if given.get("is_causal"):
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if isinstance(mask, torch.Tensor) and mask.dtype is torch.bool:
        return torch.zeros_like(mask, dtype=scores.dtype).masked_fill(~mask, -math.inf)
    return mask
