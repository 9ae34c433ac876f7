"""Values of tensors, collected and read back together."""

from __future__ import annotations

from typing import Any, Literal

import torch

from inspector.graph.values import FULL, Value, is_summary, unknown
from inspector.summaries.elements import dtype_name, plain, stored, widened
from inspector.summaries.statistics import COUNTS, NAMES, norm, statistics
from inspector.summaries.unobserved import unobserved

Level = Literal["full", "light"]
"""Of tensors that are not kept in full: all statistics, or the norm alone."""


class Pending:
    """A value on its way: `value` holds it once the batch was read."""

    __slots__ = ("value",)

    def __init__(self, value: Value = None) -> None:
        self.value = value


class Batch:
    """Collects values of tensors and reads them back together.

    level: "full" for all statistics of a large tensor, "light" for its norm.
    """

    def __init__(self, level: Level = "full") -> None:
        self.level = level
        self._waiting: list[tuple[Pending, dict[str, Any] | None, torch.Tensor]] = []
        self._aliases: list[tuple[Pending, Pending, list[int]]] = []

    def add(self, tensor: torch.Tensor | None) -> Pending:
        """The value of `tensor`: in full up to 9 elements, its statistics above. Never raises.

        On the CPU it is there at once; from a device it comes with `read`.
        """
        if tensor is None:
            return Pending(None)
        with unobserved():
            try:
                return self._add(tensor)
            except Exception as error:  # an exotic tensor is no reason to stop the user's script
                return Pending(unknown(f"{type(tensor).__name__} could not be read: {type(error).__name__}"))

    def again(self, known: Pending, tensor: torch.Tensor) -> Pending:
        """The value of a `tensor` that holds the same elements as one that was added, in another shape."""
        pending = Pending()
        self._aliases.append((pending, known, [int(size) for size in tensor.shape]))
        return pending

    def read(self) -> None:
        """Fill in every pending value: one copy from each device for each kind of number."""
        groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
        for index, (_, _, tensor) in enumerate(self._waiting):
            groups.setdefault((tensor.device, tensor.dtype), []).append(index)
        with unobserved():
            for indices in groups.values():
                flat = torch.cat([self._waiting[index][2].reshape(-1) for index in indices])
                self._fill(indices, flat.cpu())
        self._waiting.clear()
        for pending, known, shape in self._aliases:
            pending.value = known.value | {"shape": shape} if is_summary(known.value) else known.value
        self._aliases.clear()

    def _fill(self, indices: list[int], numbers: torch.Tensor) -> None:
        position = 0
        for index in indices:
            pending, described, tensor = self._waiting[index]
            part = numbers[position : position + tensor.numel()]
            position += tensor.numel()
            pending.value = (
                part.reshape(tensor.shape).tolist() if described is None else described | _named(part.tolist())
            )

    def _add(self, tensor: torch.Tensor) -> Pending:
        elements, reason = plain(tensor)
        if elements is None:
            return Pending(unknown(reason))
        if tensor.numel() <= FULL:
            if elements.device.type == "cpu":
                return Pending(elements.to_dense().tolist())
            return self._wait(None, widened(elements.to_dense()).clone())
        described = {"shape": [int(size) for size in tensor.shape], "dtype": dtype_name(tensor.dtype)}
        numbers = self._reduced(elements)
        if elements.device.type == "cpu":
            return Pending(described | _named([float(number) for number in numbers]))
        return self._wait(described, torch.stack([number.to(torch.float64) for number in numbers]))

    def _reduced(self, elements: torch.Tensor) -> list[torch.Tensor]:
        held = stored(elements)
        return [norm(held)] if self.level == "light" else statistics(held, elements.numel() - held.numel())

    def _wait(self, described: dict[str, Any] | None, tensor: torch.Tensor) -> Pending:
        pending = Pending(unknown("not read back"))
        self._waiting.append((pending, described, tensor))
        return pending


def _named(numbers: list[float]) -> dict[str, Any]:
    """Names for the numbers of `statistics`, or for the norm alone."""
    return {name: int(number) if name in COUNTS else number for name, number in zip(NAMES, numbers, strict=False)}
