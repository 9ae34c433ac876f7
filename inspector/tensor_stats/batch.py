"""Collect values of tensors and read them back together."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any, Literal, NamedTuple, TypeAlias

import torch

from inspector.graph.values import FULL, Value, is_unknown, unknown
from inspector.tensor_stats import on_device
from inspector.tensor_stats.histogram import histogram, sample
from inspector.tensor_stats.memory_extent import MemoryExtent, in_memory_order, memory_extent
from inspector.tensor_stats.plain_tensor import ORDINARY, dtype_name, is_ordinary, plain_tensor, stored
from inspector.tensor_stats.small_tensor_pool import Measured, SmallTensorPool, fits
from inspector.tensor_stats.statistics import (
    COUNTS,
    NAMES,
    REDUCED_AS_THEY_ARE,
    quick_norm,
    statistics,
    sums,
    tensor_norm,
)
from inspector.torch_api.modes import any_mode_active, is_unobserved, set_grad_enabled, unobserved
from inspector.torch_api.tensors import is_transformed, storage_id, version_counter

_version = version_counter()

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


class PendingNorm(Pending):
    """The summary of a large tensor in a light recording, written out when somebody asks."""

    __slots__ = ("dtype", "norm", "shape")

    is_none = False
    is_unknown = False

    def __init__(self, shape: torch.Size, dtype: torch.dtype, norm: float) -> None:
        self.shape, self.dtype, self.norm = shape, dtype, norm

    @property
    def value(self) -> Value:
        return {"shape": list(map(int, self.shape)), "dtype": dtype_name(self.dtype), "norm": self.norm}


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


_Key: TypeAlias = tuple[int, torch.dtype, int, MemoryExtent]
"""Elements: the address of torch's record of their memory, their type and where they lie in it."""


def _key(tensor: torch.Tensor, memory: torch.UntypedStorage) -> _Key:
    return storage_id(memory), tensor.dtype, int(tensor.storage_offset()), memory_extent(tensor)


class _Met(NamedTuple):
    """Elements that were measured. version: None where a write to them may count as none."""

    memory: weakref.ref[torch.UntypedStorage]  # since its address may be another's by now
    version: int | None
    measured: Measured


class Batch:
    """Collects values of tensors and reads them back together.

    level: "full" for all statistics of a large tensor, "light" for its norm.
    earlier: a batch that may have met the same tensors.

    Many tensors share their memory: a gradient and its views, the `grad` that it becomes, an output and what a
    Node saved of it. Where elements were met before norm and mean are measured again; if they are the same as
    then, so is all the rest. That also sees what was written by way of `.data`, which no version counts. Where
    nothing can have been written so, an equal version is enough. (A norm alone takes less time than to find out
    whether it was taken before.)
    """

    def __init__(self, level: Level = "full", earlier: Batch | None = None) -> None:
        self.level = level
        self.counts_writes = True
        """Whether all writes to tensors of the forward count as versions: nobody took their `.data`, say."""
        self._is_light = level == "light"
        self._earlier = earlier
        self._waiting: list[_Waiting] = []
        self._met: dict[_Key, _Met] = {}
        self._pool = SmallTensorPool()

    def add(self, tensor: torch.Tensor | None, *, counted: bool = False) -> Pending:
        """The value of `tensor`: in full up to 9 elements, its statistics above. Never raises.

        On the CPU it is there at once; from a device it comes with `read`.
        counted: it is of the forward, where `counts_writes` holds.
        """
        if counted:
            counted = self.counts_writes and (self._earlier is None or self._earlier.counts_writes)
        return self._look(tensor, counted)

    def flowing(self, gradients: tuple[torch.Tensor | None, ...]) -> list[Pending]:
        """The values of gradients on their way from one Node to the next. Never raises."""
        return [self._look(gradient, True) for gradient in gradients]

    def _look(self, tensor: torch.Tensor | None, trusts: bool) -> Pending:
        """trusts: an equal version means equal elements."""
        if tensor is None:
            return NOTHING
        try:
            if self._is_light:
                if (found := quick_norm(tensor)) is not None:
                    return PendingNorm(*found)
            elif trusts and (measured := self._dense(tensor)) is not None:
                return _Summary(tensor, measured)
            if is_ordinary(tensor) and is_unobserved(tensor):
                return self._add(tensor, trusts)
            with unobserved():
                return self._add(tensor, trusts)
        except Exception as error:  # an exotic tensor is no reason to stop the user's script
            return Pending(unknown(f"{type(tensor).__name__} could not be read: {type(error).__name__}"))

    def read(self, *others: Batch) -> None:
        """Fill in every pending value, of `others` too: one copy from each device. Forget what was met."""
        waiting: list[_Waiting] = []
        for batch in (self, *others):
            batch._met.clear()
            batch._pool.measure()
            waiting += batch._waiting
            batch._waiting = []
        if not waiting:
            return
        with unobserved():
            for device in dict.fromkeys(tensor.device for _, tensor in waiting):
                with contextlib.suppress(Exception):  # no memory is left there, say: they stay unknown
                    _read_from([item for item in waiting if item[1].device == device])

    def _add(self, tensor: torch.Tensor, trusts: bool) -> Pending:
        elements, reason = plain_tensor(tensor)
        if elements is None:
            return Pending(unknown(reason))
        count = elements.numel()
        if count <= FULL:
            if elements.is_cpu:
                return Pending(elements.to_dense().tolist())
            return self._wait(Pending(unknown("not read back")), elements.to_dense().clone())
        held = stored(elements)
        if held.is_neg():  # `x.conj().imag`, whose memory holds the elements of `x.imag`
            held = held.resolve_neg()
        if not elements.is_cpu:
            held = in_memory_order(held, memory_extent(held)) if held.numel() else held
            numbers = (
                on_device.norm_on_device(held)
                if self._is_light
                else on_device.summary_on_device(held, count - held.numel())
            )
            return self._wait(_Summary(tensor, Measured()), numbers)
        if self._is_light:
            return PendingNorm(tensor.shape, tensor.dtype, tensor_norm(held))
        if held.numel() != count:
            return _Summary(tensor, self._numbers(held, count - held.numel()))
        if fits(held) and not trusts:
            return _Summary(tensor, self._pool.add(held))
        return _Summary(tensor, self._measured(held, trusts))

    def _dense(self, tensor: torch.Tensor) -> Measured | None:
        """The numbers of a large dense tensor on the processor, an equal version of which means equal elements.

        Most tensors of most scripts are such, and half of them views of what was met: that is asked first. None of
        every other tensor, of one that needs a closer look, and where somebody would see that we look.
        """
        if type(tensor) not in ORDINARY or any_mode_active() or not tensor.is_cpu or tensor.is_neg():
            return None
        try:
            memory = tensor.untyped_storage()
            key = _key(tensor, memory)
            version = _version(tensor)
        except (RuntimeError, TypeError):  # one without a memory, of unknown size, or that counts no versions
            return None
        met = self._met_there(memory, key)
        if not memory.resizable():  # an array has the memory too
            return None
        if met is not None and met.version == version:
            return met.measured
        if tensor.dtype not in REDUCED_AS_THEY_ARE or tensor.numel() <= FULL or not memory.nbytes():
            return None
        if tensor.is_nested or is_transformed(tensor):
            return None
        if not tensor.requires_grad or not torch.is_grad_enabled():
            return self._measure(tensor, key, met, version)
        set_grad_enabled(False)
        try:
            return self._measure(tensor, key, met, version)
        finally:
            set_grad_enabled(True)

    def _met_there(self, memory: torch.UntypedStorage, key: _Key) -> _Met | None:
        met = self._met.get(key) or (self._earlier._met.get(key) if self._earlier is not None else None)
        return None if met is None or met.memory() is not memory else met

    def _measured(self, elements: torch.Tensor, trusts: bool) -> Measured:
        """The numbers of strided elements, which may have been met before."""
        memory = elements.untyped_storage()
        key = _key(elements, memory)
        version = None
        if trusts and not elements.is_inference() and memory.resizable():  # else an array has the memory too
            version = _version(elements)
        met = self._met_there(memory, key)
        if met is not None and version is not None and met.version == version:
            return met.measured
        return self._measure(elements, key, met, version)

    def _measure(self, elements: torch.Tensor, key: _Key, met: _Met | None, version: int | None) -> Measured:
        """met: what was measured there, at another version or since which nobody counts writes."""
        if fits(elements):
            measured = self._pool.add(elements)
        else:
            elements = in_memory_order(elements, key[-1])
            if met is None or met.measured.numbers[:2] != sums(elements):
                measured = self._numbers(elements, 0)
            else:
                measured = met.measured
        self._met[key] = _Met(weakref.ref(elements.untyped_storage()), version, measured)
        return measured

    def _numbers(self, elements: torch.Tensor, implied: int) -> Measured:
        return Measured(statistics(elements, implied), sample(elements))

    def _wait(self, pending: Pending, tensor: torch.Tensor) -> Pending:
        self._waiting.append((pending, tensor))
        return pending


_Waiting: TypeAlias = tuple[Pending, torch.Tensor]
"""A value, and a tensor on a device from which it is filled in."""


def _read_from(waiting: list[_Waiting]) -> None:
    """Copy all tensors, which are on one device, at once: as bytes, of whatever type they are."""
    widest_first = sorted(waiting, key=lambda item: -item[1].itemsize)  # so that each begins at a whole element
    flat = torch.cat([_bytes(tensor) for _, tensor in widest_first]).cpu()
    sizes = [tensor.numel() * tensor.itemsize for _, tensor in widest_first]
    for (pending, tensor), part in zip(widest_first, torch.split(flat, sizes), strict=True):
        numbers = part.view(tensor.dtype)
        if isinstance(pending, _Summary):
            rest = numbers[len(NAMES) :]
            pending.measured = Measured(numbers[: len(NAMES)].tolist(), rest.clone() if len(rest) else None)
        else:
            pending._value = numbers.reshape(tensor.shape).tolist()


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    flat = tensor.resolve_conj().resolve_neg().reshape(-1).contiguous()
    return flat.as_strided(flat.shape, (1,)).view(torch.uint8)  # one element may have any stride
