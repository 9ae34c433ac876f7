"""The norms of many tensors at once, as gradient clipping computes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from inspector.torch_api.capability import Capability
from inspector.torch_api.modes import unobserved

NARROW = frozenset([torch.float16, torch.bfloat16, torch.float32])
"""The dtypes whose norms are computed in float32, so that a norm in half precision does not overflow."""


def _find_norms() -> Callable[[list[torch.Tensor]], torch.Tensor]:
    with unobserved():
        (norm,) = _norms([torch.tensor([3.0, 4.0], device="cpu")]).tolist()
        if norm != 5.0:
            raise ValueError("the norm of (3, 4) is not 5")
    return _norms


def _norms(tensors: list[torch.Tensor]) -> torch.Tensor:
    kinds = {tensor.dtype for tensor in tensors}
    is_narrow = kinds <= NARROW
    norms = torch._foreach_norm(tensors, 2, torch.float32 if is_narrow else None)
    return torch.stack(norms) if is_narrow or len(kinds) == 1 else _stacked(norms)


FOREACH_NORMS = Capability(
    "norms of many tensors", "the flight recorder computes the norm of each gradient by itself", _find_norms
)


def norms_of(tensors: list[torch.Tensor]) -> torch.Tensor:
    """The 2-norms of ordinary tensors of one device, as a vector there: float32, or float64 if one of them is not
    of float32 or narrower."""
    norms = FOREACH_NORMS.parts
    if norms is not None:
        try:
            return norms(tensors)
        except Exception as error:
            FOREACH_NORMS.turn_off(error)
    return _stacked([_norm(tensor) for tensor in tensors])


def narrow_norms_of(tensors: list[torch.Tensor]) -> tuple[torch.Tensor, ...] | list[torch.Tensor]:
    """The same without a look at each tensor, each norm as a float32 of its own: raises an error unless these are
    dense and of a dtype in `NARROW`. Only if `FOREACH_NORMS` is available."""
    return torch._foreach_norm(tensors, 2, torch.float32)


def _norm(tensor: torch.Tensor) -> torch.Tensor:
    norm: torch.Tensor = torch.linalg.vector_norm(tensor.float() if tensor.dtype in NARROW else tensor)
    return norm


def _stacked(norms: Sequence[torch.Tensor]) -> torch.Tensor:
    kinds = {norm.dtype for norm in norms}
    return torch.stack([norm.double() for norm in norms] if len(kinds) > 1 else list(norms))
