"""Recognise operations with a small random mask, such as one number that drops a residual branch at random.

All elements of a small mask may be zero by chance; of a large one they are not.
"""

from __future__ import annotations

import math
import weakref

import torch

MOST_ELEMENTS = 16
"""Maximum random numbers in a small mask: 16 fair coins all show zero once in 65,536 times."""

_LIMIT = 20_000
"""Maximum number of random tensors remembered."""

_DRAWS = frozenset(
    [
        "bernoulli",
        "binomial",
        "multinomial",
        "normal",
        "poisson",
        "rand",
        "rand_like",
        "randint",
        "randint_like",
        "randn",
        "randn_like",
        "randperm",
        "random",
        "uniform",
    ]
)
"""Functions whose result consists of random numbers, without the underscore of those that work in place."""

_DROPOUTS = frozenset(["alpha_dropout", "dropout", "native_dropout", "rrelu"])
_CHANNEL_DROPOUTS = frozenset(
    ["dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout", "feature_dropout"]
)
"""Functions that draw one random number for each element, and for each channel: the first two dimensions."""

_LIKE_ANOTHER = frozenset(["expand_as", "to", "type_as", "view_as"])
"""Functions that use only the shape or the dtype of their second argument."""


class RandomMasks:
    """The small tensors without a gradient that hold random numbers, or were computed from these alone."""

    def __init__(self) -> None:
        self._tensors: dict[int, weakref.ref[torch.Tensor]] = {}

    def note(self, operation: str, inputs: list[torch.Tensor], results: list[torch.Tensor]) -> None:
        """Note an operation that created no Node. operation: torch's name, `bernoulli_`."""
        if operation.rstrip("_") in _DRAWS:
            random = [tensor for tensor in results if tensor.numel() <= MOST_ELEMENTS]
            random = [tensor for tensor in random if not tensor.requires_grad]  # not the parameters of a new layer
        elif not self._tensors or not inputs:
            return
        else:
            meant = inputs[:1] if operation in _LIKE_ANOTHER else inputs
            random = results if all(map(self._is_random, meant)) else []
        for tensor in results:
            self._tensors.pop(id(tensor), None)
        if len(self._tensors) + len(random) <= _LIMIT:
            self._tensors.update((id(tensor), weakref.ref(tensor)) for tensor in random)

    def is_used(self, operation: str, inputs: list[torch.Tensor], results: list[torch.Tensor]) -> bool:
        """Whether an operation that created a Node uses such a tensor, or draws so few random numbers itself."""
        name = operation.rstrip("_")
        if name in _DROPOUTS or name in _CHANNEL_DROPOUTS:
            return bool(results) and _drawn(name, results[0]) <= MOST_ELEMENTS
        return bool(self._tensors) and any(map(self._is_random, inputs))

    def _is_random(self, tensor: torch.Tensor) -> bool:
        kept = self._tensors.get(id(tensor))
        return kept is not None and kept() is tensor and not tensor.requires_grad


def _drawn(name: str, result: torch.Tensor) -> int:
    return math.prod(result.shape[:2]) if name in _CHANNEL_DROPOUTS else result.numel()
