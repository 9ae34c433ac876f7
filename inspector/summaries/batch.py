"""Values of tensors, collected and read back together."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from inspector.graph.values import FULL, Value, is_unknown, unknown
from inspector.summaries import on_device
from inspector.summaries.elements import dtype_name, is_ordinary, plain, stored, widened
from inspector.summaries.histogram import histogram, sample
from inspector.summaries.memory import Extent, extent, in_memory_order
from inspector.summaries.pool import Measured, Pool, fits
from inspector.summaries.statistics import (
    COUNTS,
    NAMES,
    norm,
    quick_norm,
    reducible,
    statistics,
    sums,
)
from inspector.summaries.unobserved import nobody_observes, unobserved

Level = Literal["full", "light"]
"""Of tensors that are not kept in full: all statistics, or the norm alone."""


class Pending:
    """A value on its way: `value` holds it once the batch was read."""

    __slots__ = ("_value",)

    def __init__(self, value: Value = None) -> None:
        self._value = value

    @property
    def value(self) -> Value:
        return self._value

    @property
    def is_none(self) -> bool:
        """Whether there was no tensor."""
        return self._value is None

    @property
    def is_unknown(self) -> bool:
        """Whether the tensor could not be read."""
        return is_unknown(self._value)


NOTHING = Pending()
"""Of no tensor."""


class _Summary(Pending):
    """The summary of a tensor, written out when somebody asks: the script waits for the numbers alone."""

    __slots__ = ("dtype", "measured", "shape")

    def __init__(self, tensor: torch.Tensor, measured: Measured) -> None:
        self._value = None
        self.shape, self.dtype = tensor.shape, tensor.dtype
        self.measured = measured

    @property
    def value(self) -> Value:
        if self._value is None:
            self._value = self._written()
        return self._value

    @property
    def is_none(self) -> bool:
        return False

    @property
    def is_unknown(self) -> bool:
        return not self.measured.numbers

    def _written(self) -> Value:
        numbers, sample = self.measured.numbers, self.measured.sample
        if not numbers:
            return unknown("not read back")
        found: dict[str, Any] = {"shape": [int(size) for size in self.shape], "dtype": dtype_name(self.dtype)}
        for name, number in zip(NAMES, numbers, strict=False):
            found[name] = int(number) if name in COUNTS else number
        if sample is not None:
            found["histogram"] = histogram(sample)
        return found


_Key: TypeAlias = tuple[int, torch.dtype, Extent]
"""Elements: the address of their memory (torch's own record of it), their type and where they lie in it."""


_WORTH_A_LOOK = 1 << 15
"""Elements from which it takes less time to see whether they were met before than to take their norm again."""


class _Met(NamedTuple):
    """Elements that were measured. version: of a gradient within backward, else None."""

    memory: StorageWeakRef  # so that its address is nobody else's
    version: int | None
    measured: Measured


class Batch:
    """Collects values of tensors and reads them back together.

    level: "full" for all statistics of a large tensor, "light" for its norm.
    earlier: a batch that may have met the same tensors.

    Many tensors share their memory: a gradient and its views, the `grad` that it becomes, an output and what a
    Node saved of it. Where elements were met before norm and mean are measured again; if they are the same as
    then, so is all the rest. That also sees what was written by way of `.data`, which no version counts.
    """

    def __init__(self, level: Level = "full", earlier: Batch | None = None) -> None:
        self.level = level
        self._earlier = earlier
        self._waiting: list[tuple[Pending, torch.Tensor]] = []
        self._met: dict[_Key, _Met] = {}
        self._pool = Pool()

    def add(self, tensor: torch.Tensor | None, *, flowing: bool = False) -> Pending:
        """The value of `tensor`: in full up to 9 elements, its statistics above. Never raises.

        On the CPU it is there at once; from a device it comes with `read`.
        flowing: it is a gradient on its way through backward. From one Node to the next its version is trusted.
        """
        if tensor is None:
            return NOTHING
        try:
            if is_ordinary(tensor) and nobody_observes(tensor):
                return self._add(tensor, flowing)
            with unobserved():
                return self._add(tensor, flowing)
        except Exception as error:  # an exotic tensor is no reason to stop the user's script
            return Pending(unknown(f"{type(tensor).__name__} could not be read: {type(error).__name__}"))

    def read(self) -> None:
        """Fill in every pending value: one copy from each device for each kind of number. Forget what was met."""
        self._met.clear()
        self._pool.measure()
        groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
        for index, (_, tensor) in enumerate(self._waiting):
            groups.setdefault((tensor.device, tensor.dtype), []).append(index)
        if groups:
            with unobserved():
                for indices in groups.values():
                    flat = torch.cat([self._waiting[index][1].reshape(-1) for index in indices])
                    self._fill(indices, flat.cpu())
        self._waiting.clear()

    def _fill(self, indices: list[int], numbers: torch.Tensor) -> None:
        position = 0
        for index in indices:
            pending, tensor = self._waiting[index]
            part = numbers[position : position + tensor.numel()]
            position += tensor.numel()
            if isinstance(pending, _Summary):
                sample = part[len(NAMES) :].clone() if self.level == "full" else None
                pending.measured = Measured(part[: len(NAMES)].tolist(), sample)
            else:
                pending._value = part.reshape(tensor.shape).tolist()

    def _add(self, tensor: torch.Tensor, flowing: bool) -> Pending:
        if self.level == "light" and FULL < tensor.numel() < _WORTH_A_LOOK and (found := quick_norm(tensor)):
            return _Summary(tensor, Measured((found,)))  # most gradients of most scripts
        elements, reason = plain(tensor)
        if elements is None:
            return Pending(unknown(reason))
        count = elements.numel()
        if count <= FULL:
            if elements.is_cpu:
                return Pending(elements.to_dense().tolist())
            return self._wait(Pending(unknown("not read back")), widened(elements.to_dense()).clone())
        held = stored(elements)
        if not elements.is_cpu:
            return self._wait(_Summary(tensor, Measured()), self._on_device(held, count - held.numel()))
        if self.level == "light" and not (flowing and count >= _WORTH_A_LOOK):
            return _Summary(tensor, Measured((norm(held),)))
        if held.numel() != count:
            return _Summary(tensor, self._numbers(held, count - held.numel()))
        if fits(held) and not flowing and self.level == "full":
            return _Summary(tensor, self._pool.add(held))
        return _Summary(tensor, self._measured(held, flowing))

    def _measured(self, elements: torch.Tensor, flowing: bool) -> Measured:
        """The numbers of strided elements, which may have been met before."""
        memory, where = elements.untyped_storage(), extent(elements)
        key = (memory._cdata, elements.dtype, where)
        version = elements._version if flowing and not elements.is_inference() else None
        met = self._met.get(key) or (self._earlier._met.get(key) if self._earlier is not None else None)
        if met is not None and version is not None and met.version == version:
            return met.measured
        if fits(elements) and self.level == "full":
            measured = self._pool.add(elements)
        else:
            elements = in_memory_order(elements, where)
            if met is None or self.level == "light" or met.measured.numbers[:2] != sums(elements):
                measured = self._numbers(elements, 0)
            else:
                measured = met.measured
        weak = StorageWeakRef(memory) if met is None else met.memory  # type: ignore[no-untyped-call]
        self._met[key] = _Met(weak, version, measured)
        return measured

    def _numbers(self, elements: torch.Tensor, implied: int) -> Measured:
        if self.level == "light":
            return Measured((norm(elements),))
        return Measured(statistics(elements, implied), sample(elements))

    def _on_device(self, elements: torch.Tensor, implied: int) -> torch.Tensor:
        """The numbers of `NAMES` and a sample, as one tensor; the norm alone in a light recording."""
        if self.level == "light":
            return on_device.norm(elements).to(torch.float64)
        numbers = [number.to(torch.float64) for number in on_device.statistics(elements, implied)]
        return torch.cat([torch.stack(numbers), reducible(sample(elements))])

    def _wait(self, pending: Pending, tensor: torch.Tensor) -> Pending:
        self._waiting.append((pending, tensor))
        return pending
