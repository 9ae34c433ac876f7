"""When each parameter had its first gradient."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from inspector.recording.flight.block import Block


class FirstGradients:
    """The first recorded step of each parameter whose gradient was not zero."""

    def __init__(self) -> None:
        self._steps = torch.zeros(0, dtype=torch.int64)  # 0: none yet

    def update(self, block: Block) -> None:
        """Note the gradients of a block."""
        more = torch.zeros(block.norms.shape[1] - len(self._steps), dtype=torch.int64)
        self._steps = torch.cat([self._steps, more])
        had = block.known & (block.norms != 0)
        new = had.any(0) & (self._steps == 0)
        if bool(new.any()):
            first = torch.tensor(block.steps)[had.int().argmax(0)]
            self._steps = torch.where(new, first, self._steps)

    def after(self, step: int, names: Sequence[str]) -> dict[str, int]:
        """The parameters whose first one came after a step, by name, with its step. Where several have one name,
        as in models that are trained in turn, this must hold for all of them."""
        pairs = list(zip(names, self._steps.tolist(), strict=False))
        others = {name for name, first in pairs if first <= step}
        found: dict[str, int] = {}
        for name, first in pairs:
            if name not in others:
                found[name] = min(first, found.get(name, first))
        return found
