"""Some recorded steps, as numbers."""

from __future__ import annotations

import torch
from msgspec import Struct, field


class Scalars(Struct, frozen=True):
    """What one optimizer's step was about. root: the last root before it; rate: the largest learning rate.

    is_exact: whether the root has a dtype of at least 32 bits.
    """

    root: float | None
    rate: float | None
    is_exact: bool = True


class ModuleNorms(Struct, frozen=True):
    """At the outputs of modules, by path: the norms of the gradients, and of the outputs themselves."""

    gradients: dict[str, float]
    outputs: dict[str, float]


class Block(Struct, frozen=True):
    """Recorded steps, in order.

    steps: their numbers; those that were only counted are missing. calls: for each step, the number of backward
    calls made by its end.
    scalars: for each step, those of the optimizers that stepped, by the number of the optimizer.
    norms, known: [steps, parameters], the gradient norms, and whether they were recorded.
    names: of the parameters. modules: by row, the norms at the outputs of modules, where they were recorded.
    updates: the norms of the changes of parameters, like norms and known; None without.
    """

    steps: list[int]
    calls: list[int]
    scalars: list[dict[int, Scalars]]
    norms: torch.Tensor
    known: torch.Tensor
    names: list[str]
    modules: dict[int, ModuleNorms] = field(default_factory=dict)
    updates: tuple[torch.Tensor, torch.Tensor] | None = None

    def __len__(self) -> int:
        return len(self.calls)

    def step(self, row: int) -> int:
        """The number of the step in a row."""
        return self.steps[row]

    def roots(self, row: int) -> list[float]:
        """The roots of a step that are numbers."""
        return [item.root for item in self.scalars[row].values() if item.root is not None]
