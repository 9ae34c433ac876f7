"""The norm of the change of each parameter in a step."""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Iterable

import torch

from inspector.recording.flight.careful_norms import careful_norms
from inspector.recording.flight.cost_control import CostControl, power_of_two
from inspector.recording.flight.gradient_norms import GradientNorms, StepNorms
from inspector.torch_api.modes import unobserved

MOST_COPIED = 2_000_000
"""Maximum elements of the parameters that are copied for a step; of the parameters after them nothing is known."""
_MOST_BETWEEN = 256
"""Updates are measured in at least one of this many steps."""
_RECENT = 8


class UpdateNorms:
    """Compares the parameters before and after some steps. parameters: those that are followed."""

    def __init__(self, parameters: GradientNorms) -> None:
        self._parameters = parameters
        self._before: dict[int, torch.Tensor] = {}
        self._seconds: deque[float] = deque(maxlen=_RECENT)
        self._began = 0.0

    def is_due(self, step: int, cost: CostControl) -> bool:
        """Whether a step is to be measured. step: its number."""
        if cost.limit >= 1.0 or cost.skips:
            return cost.limit >= 1.0
        seconds = statistics.median(self._seconds) if self._seconds else math.inf
        return step % power_of_two(seconds, cost.left, _MOST_BETWEEN) == 0

    def until_due(self, step: int, most: int, cost: CostControl) -> int:
        """How many steps from this one on are not to be measured; at most `most`."""
        return next((count for count in range(most) if self.is_due(step + count, cost)), most)

    def begin(self, positions: Iterable[int]) -> None:
        """Before a step: copy the parameters at these positions, as far as they are ordinary dense tensors."""
        began, left = time.perf_counter(), MOST_COPIED
        self._before = {}
        with unobserved():
            for position in sorted(positions):
                tensor = self._ordinary(position)
                if tensor is None or tensor.numel() > left:
                    continue
                left -= tensor.numel()
                self._before[position] = tensor.detach().clone()
        self._began = time.perf_counter() - began

    def end(self, cost: CostControl) -> StepNorms | None:
        """After the step: the norms of the changes; None if nothing was copied."""
        before, self._before = self._before, {}
        if not before:
            return None
        began = time.perf_counter()
        places: dict[torch.device, tuple[list[int], list[torch.Tensor]]] = {}
        with unobserved():
            for position, old in before.items():
                new = self._ordinary(position)
                if new is not None and (new.shape, new.dtype, new.device) == (old.shape, old.dtype, old.device):
                    positions, changes = places.setdefault(old.device, ([], []))
                    positions.append(position)
                    changes.append(new.detach() - old)
            found = [(tuple(positions), careful_norms(changes)) for positions, changes in places.values()]
        seconds = time.perf_counter() - began + self._began
        self._seconds.append(seconds)
        cost.note_look(seconds, 0.0)
        return StepNorms(tuple(found)) if found else None

    def _ordinary(self, position: int) -> torch.Tensor | None:
        tensor = self._parameters.references[position]()
        if tensor is None or type(tensor) not in (torch.Tensor, torch.nn.Parameter):
            return None
        plain = tensor.layout is torch.strided and not tensor.is_meta and tensor.is_floating_point()
        return tensor if plain else None
