"""Custom Functions with a defect, for tests of the diagnosis."""

from __future__ import annotations

from typing import Any

import torch


class Blocks(torch.autograd.Function):
    """A product whose backward forgets its second factor."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(w)
        return x * w

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (w,) = ctx.saved_tensors
        return gradients[0] * w, None
