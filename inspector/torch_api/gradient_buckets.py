"""The buckets in which DistributedDataParallel reduces gradients, as its reducer reports them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from inspector.torch_api.capability import Capability
from inspector.torch_api.modes import unobserved

if TYPE_CHECKING:
    from torch.nn.parallel import DistributedDataParallel


class Bucket(NamedTuple):
    """Gradients that are reduced together. size: of all of them, in bytes."""

    parameters: list[torch.Tensor]
    size: int


def _find() -> Callable[[DistributedDataParallel], list[Bucket]]:
    from torch.utils._python_dispatch import TorchDispatchMode

    if not callable(torch.distributed.Reducer._get_zeros_like_grad_buckets):  # type: ignore[attr-defined]
        raise TypeError("_get_zeros_like_grad_buckets is not a method")
    zeros_like = torch.ops.aten.zeros_like.default

    class WithoutMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
        """The reducer makes a tensor of zeros for each bucket: here one that has no elements."""

        def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
            if function is zeros_like:
                return torch.empty_like(arguments[0], device="meta")
            return function(*arguments, **(options or {}))

    def buckets(module: DistributedDataParallel) -> list[Bucket]:
        with unobserved(), WithoutMemory():  # type: ignore[no-untyped-call]
            found = module.reducer._get_zeros_like_grad_buckets()
        return [Bucket(list(item.parameters()), item.buffer().nbytes) for item in found]

    return buckets


GRADIENT_BUCKETS = Capability(
    "buckets of the reducer",
    "the order in which DistributedDataParallel reduces gradients is unknown",
    _find,
)


def buckets_of(module: DistributedDataParallel) -> list[Bucket]:
    """The buckets of the next reduction, in the order of their reduction; none if torch does not report them.

    No collective is called."""
    if getattr(module, "_use_python_reducer", False):  # a compiled backward reduces them itself
        return []
    buckets = GRADIENT_BUCKETS.parts
    if buckets is None:
        return []
    try:
        return buckets(module)
    except Exception as error:
        GRADIENT_BUCKETS.turn_off(error)
        return []
