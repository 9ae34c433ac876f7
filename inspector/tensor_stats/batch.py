"""Collect values of tensors and read them back together."""

from __future__ import annotations

import contextlib
import weakref
from itertools import repeat
from typing import Any, Literal, TypeAlias

import torch

from inspector.graph.elements import MOST_ELEMENTS
from inspector.graph.values import FULL, Value, is_unknown, unknown
from inspector.tensor_stats import on_device
from inspector.tensor_stats.element_order import UNARRANGED, packed_elements
from inspector.tensor_stats.histogram import sample
from inspector.tensor_stats.memory_extent import MemoryExtent, extent_of, in_memory_order, is_dense, memory_extent
from inspector.tensor_stats.plain_tensor import (
    ORDINARY,
    dtype_name,
    is_ordinary,
    lacks_memory,
    plain_tensor,
    stored,
)
from inspector.tensor_stats.row_shares import blocks_are_alike, must_be_alike
from inspector.tensor_stats.small_tensor_pool import MOST_POOLED, MeasuredTensor, NormsByKey, SmallTensorPool, fits
from inspector.tensor_stats.statistics import (
    BLOCK,
    COUNTS,
    NAMES,
    REDUCED_AS_THEY_ARE,
    quick_norm,
    statistics,
    sums,
    tensor_norm,
)
from inspector.torch_api.modes import (
    dispatch_mode_count,
    function_mode_count,
    is_profiling,
    is_unobserved,
    set_grad_enabled,
    unobserved,
)
from inspector.torch_api.tensors import is_transformed, version_counter

_version = version_counter()

Level = Literal["full", "light"]
"""For tensors that are not kept in full: all statistics, or only the norm."""


class Pending:
    """A value that is available as `value` once the batch has been read."""

    __slots__ = ("_value",)

    def __init__(self, value: Value = None) -> None:
        self._value = value

    @property
    def value(self) -> Value:
        return self._value

    @property
    def elements(self) -> str | None:
        """The packed elements of a summary, if it is that of a small tensor of real numbers."""
        return None

    def request_row_norms(self, most: int, norms: NormsByKey, key: int) -> bool:
        """Put the norms of the tensor's rows into `norms` when the value is computed.

        Not if the rows are alike.

        most: maximum number of rows. Returns False if that will not happen: the tensor has one row, or too many,
        or its rows must be measured by themselves."""
        return False

    def has_alike_rows(self) -> bool:
        """Whether it is known already that all rows of the tensor are finite and none stands out."""
        return False

    @property
    def is_none(self) -> bool:
        """Whether the tensor was None."""
        return self._value is None

    @property
    def is_unknown(self) -> bool:
        """Whether the tensor could not be read."""
        return is_unknown(self._value)


NOTHING = Pending()
"""The value of None."""


class PendingNorm(Pending):
    """The summary of a large tensor in a light recording, converted on access."""

    __slots__ = ("dtype", "norm", "shape")

    is_none = False
    is_unknown = False

    def __init__(self, shape: torch.Size, dtype: torch.dtype, norm: float) -> None:
        self.shape, self.dtype, self.norm = shape, dtype, norm

    @property
    def value(self) -> Value:
        return {"shape": list(map(int, self.shape)), "dtype": dtype_name(self.dtype), "norm": self.norm}


class _Summary(Pending):
    """The summary of a tensor, converted on access, so that the script only waits for the reductions.

    arranged: the strides of the elements that were measured, None if they are contiguous; UNARRANGED if only some
    were stored.
    """

    __slots__ = ("arranged", "dtype", "measured", "shape")

    def __init__(
        self, tensor: torch.Tensor, measured: MeasuredTensor, arranged: tuple[int, ...] | None
    ) -> None:
        self._value = None
        self.shape, self.dtype = tensor.shape, tensor.dtype
        self.measured, self.arranged = measured, arranged

    @property
    def elements(self) -> str | None:
        if self.arranged == UNARRANGED or self.shape.numel() > MOST_ELEMENTS:
            return None
        sample = self.measured.sample
        if sample is None:
            return None
        try:
            return packed_elements(sample, self.dtype, self.shape, self.arranged)
        except Exception:  # the statistics are worth more
            return None

    def request_row_norms(self, most: int, norms: NormsByKey, key: int) -> bool:
        shape, arranged = self.shape, self.arranged
        if not shape or not 1 < shape[0] <= most:
            return False
        if arranged is not None and (arranged == UNARRANGED or not is_dense(shape, arranged)):
            return False
        return self.measured.request_row_norms((shape, arranged), norms, key)

    def has_alike_rows(self) -> bool:
        share, rows, count = self.measured.largest_share, self.shape[0], self.shape.numel()
        if share is None:
            return False
        if must_be_alike(rows, count, share):
            return True
        return self.arranged is None and blocks_are_alike(self.measured.block_norms, BLOCK, rows, count)

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
        numbers = self.measured.numbers
        if not numbers:
            return unknown("not read back")
        found: dict[str, Any] = {"shape": list(map(int, self.shape)), "dtype": dtype_name(self.dtype)}
        found.update(zip(NAMES, numbers, strict=False))
        if len(numbers) == len(NAMES):
            found.update(zip(COUNTS, map(int, numbers[-len(COUNTS) :]), strict=True))
        with contextlib.suppress(Exception):  # the numbers above are worth more than their histogram
            if (counts := self.measured.histogram) is not None:
                found["histogram"] = counts
        return found


_Key: TypeAlias = tuple[int, torch.dtype, MemoryExtent]
"""Identifies elements: their address, dtype and extent."""

_Met: TypeAlias = tuple[weakref.ref[torch.UntypedStorage], int | None, bool, MeasuredTensor]
"""Elements that were measured: their storage, to check that the address was not reused, their version, whether it
counts all writes to them, and their numbers."""


class Batch:
    """Collects values of tensors and reads them back together.

    level: "full" for all statistics of a large tensor, "light" for its norm.
    earlier: a batch that may have measured the same tensors. holds: whether all tensors stay as they are until
    `read`, so that none is copied.

    Many tensors share their memory: a gradient and its views, the `grad` that it becomes, an output and the tensor
    that a Node saved of it. For elements that were measured before, norm and mean are computed again; if both are
    equal, the other statistics are reused. This also detects writes through `.data`, which version counters miss.
    If there can be no such writes, an equal version is enough. (In a light recording the norm is always computed,
    which is faster than the lookup.)
    """

    def __init__(self, level: Level = "full", earlier: Batch | None = None, *, holds: bool = False) -> None:
        self.level = level
        self.holds = holds
        self.counts_writes = True
        """Whether version counters count all writes to tensors of the forward (no use of `.data`, for example)."""
        self._is_light = level == "light"
        self._earlier = earlier
        self._waiting: list[_Waiting] = []
        self._met: dict[_Key, _Met] = {}
        self._pool = SmallTensorPool()

    def add(self, tensor: torch.Tensor | None, *, counted: bool = False) -> Pending:
        """The value of `tensor`: in full up to 9 elements, else its statistics. Never raises.

        It is available immediately on the CPU, and after `read` on a device.

        counted: whether the tensor is of the forward, where `counts_writes` applies.
        """
        if counted:
            counted = self.counts_writes and (self._earlier is None or self._earlier.counts_writes)
        return self._look(tensor, counted)

    def flowing(self, gradients: tuple[torch.Tensor | None, ...]) -> list[Pending]:
        """The values of gradients that flow from one Node to the next. Never raises."""
        return list(map(self._look, gradients, repeat(True)))  # without a frame of its own

    def _look(self, tensor: torch.Tensor | None, trusts: bool) -> Pending:
        """trusts: whether an equal version implies equal elements."""
        if tensor is None:
            return NOTHING
        try:
            if self._is_light:
                if (found := quick_norm(tensor)) is not None:
                    return PendingNorm(*found)
            elif trusts and (summary := self._dense(tensor)) is not None:
                return summary
            if is_ordinary(tensor) and is_unobserved(tensor):
                return self._add(tensor, trusts)
            with unobserved():
                return self._add(tensor, trusts)
        except Exception as error:  # an unusual tensor must not stop the user's script
            return Pending(unknown(f"{type(tensor).__name__} could not be read: {type(error).__name__}"))

    def numbers(self, vector: torch.Tensor) -> Pending:
        """All numbers of a vector of ours, as a list once the batch has been read."""
        return self._wait(Pending(unknown("not read back")), vector)

    def read(self, *others: Batch) -> None:
        """Fill in all pending values, also those of `others`, with one copy from each device. Clears the measured
        elements."""
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
                with contextlib.suppress(Exception):  # e.g. out of memory: the values stay unknown
                    _read_from([item for item in waiting if item[1].device == device])

    def _add(self, tensor: torch.Tensor, trusts: bool) -> Pending:
        elements, reason = plain_tensor(tensor)
        if elements is None:
            return Pending(unknown(reason))
        if tensor.is_nested or elements.dim() != tensor.dim():
            tensor = elements
        count = elements.numel()
        if count <= FULL:
            if elements.is_cpu:
                return Pending(elements.to_dense().tolist())
            return self._wait(Pending(unknown("not read back")), elements.to_dense().clone())
        held = stored(elements)
        if held.is_neg():  # `x.conj().imag` shares the memory of `x.imag`
            held = held.resolve_neg()
        arranged = None if held.is_contiguous() else held.stride()
        if held.shape != tensor.shape:
            arranged = UNARRANGED
        if not elements.is_cpu:
            held = in_memory_order(held, memory_extent(held)) if held.numel() else held
            numbers = (
                on_device.norm_on_device(held)
                if self._is_light
                else on_device.summary_on_device(held, count - held.numel())
            )
            return self._wait(_Summary(tensor, MeasuredTensor(), arranged), numbers)
        if self._is_light:
            return PendingNorm(tensor.shape, tensor.dtype, tensor_norm(held))
        if held.numel() != count:
            return _Summary(tensor, self._numbers(held, count - held.numel()), UNARRANGED)
        if fits(held) and not trusts:
            return _Summary(tensor, self._pool.add(held), arranged)
        return _Summary(tensor, self._measured(held, trusts), arranged)

    def _dense(self, tensor: torch.Tensor) -> _Summary | None:
        """The summary of a large dense CPU tensor, for which an equal version implies equal elements.

        Most tensors of most scripts are of this kind, and half of them are views of measured elements, which is
        checked first. None for other tensors, for tensors that need more checks, and if user code would observe
        the operations.
        """
        if type(tensor) not in ORDINARY or function_mode_count() or dispatch_mode_count() or is_profiling():
            return None  # `is_observed`, written out
        if not tensor.is_cpu or tensor.is_neg():
            return None
        try:
            memory, version, address = tensor.untyped_storage(), _version(tensor), tensor.data_ptr()
            arranged = None if tensor.is_contiguous() else tensor.stride()
            dtype, count = tensor.dtype, tensor.numel()
            key = address, dtype, extent_of(tensor, arranged)
        except (RuntimeError, TypeError):  # no storage, unknown size, or no version counter
            return None
        if not memory.resizable():  # shared with a numpy array
            return None
        met = self._met.get(key) or (None if self._earlier is None else self._earlier._met.get(key))
        if met is not None and met[1] == version and met[2] and met[0]() is memory:
            return _Summary(tensor, met[3], arranged)
        if dtype not in REDUCED_AS_THEY_ARE or count <= FULL or lacks_memory(tensor, memory):
            return None
        if tensor.is_nested or is_transformed(tensor):
            return None
        if arranged is None and count <= MOST_POOLED and address:  # no operation is needed
            measured = self._pool.add_at(address, dtype, count)
            self._met[key] = weakref.ref(memory), version, True, measured
            return _Summary(tensor, measured, None)
        if not tensor.requires_grad or not torch.is_grad_enabled():
            return _Summary(tensor, self._measure(tensor, memory, key, (version, True)), arranged)
        set_grad_enabled(False)
        try:
            return _Summary(tensor, self._measure(tensor, memory, key, (version, True)), arranged)
        finally:
            set_grad_enabled(True)

    def _met_there(self, memory: torch.UntypedStorage, key: _Key) -> _Met | None:
        met = self._met.get(key) or (None if self._earlier is None else self._earlier._met.get(key))
        return None if met is None or met[0]() is not memory else met

    def _measured(self, elements: torch.Tensor, trusts: bool) -> MeasuredTensor:
        """The numbers of strided elements, which may have been measured before."""
        memory = elements.untyped_storage()
        key = elements.data_ptr(), elements.dtype, memory_extent(elements)
        version = None if elements.is_inference() else _version(elements)
        trusts = trusts and version is not None and memory.resizable()  # else shared with a numpy array
        met = self._met_there(memory, key)
        if met is not None and trusts and met[2] and met[1] == version:
            return met[3]
        return self._measure(elements, memory, key, (version, trusts))

    def _measure(
        self, elements: torch.Tensor, memory: torch.UntypedStorage, key: _Key, counted: tuple[int | None, bool]
    ) -> MeasuredTensor:
        """The numbers of elements that were not measured at this version, or that have no reliable version.

        counted: the version, and whether it counts all writes.
        """
        if fits(elements):
            measured: MeasuredTensor = self._pool.add(elements)
        else:
            met = self._met_there(memory, key)
            elements = in_memory_order(elements, key[-1])
            is_small = elements.numel() <= MOST_ELEMENTS  # then their order counts
            is_other = met is None or is_small or met[1] != counted[0]  # else the sums are read for nothing
            if met is None or is_other or met[3].numbers[:2] != sums(elements):
                measured = self._numbers(elements, 0)
            else:
                measured = met[3]
        self._met[key] = weakref.ref(memory), *counted, measured
        return measured

    def _numbers(self, elements: torch.Tensor, implied: int) -> MeasuredTensor:
        norms: list[float] = []
        return MeasuredTensor(statistics(elements, implied, norms), sample(elements), norms)

    def _wait(self, pending: Pending, tensor: torch.Tensor) -> Pending:
        self._waiting.append((pending, tensor))
        return pending


_Waiting: TypeAlias = tuple[Pending, torch.Tensor]
"""A value, and the device tensor that it is filled in from."""


def _read_from(waiting: list[_Waiting]) -> None:
    """Copy all tensors of one device together, as bytes."""
    widest_first = sorted(waiting, key=lambda item: -item[1].itemsize)  # so that each is aligned to its elements
    flat = torch.cat([_bytes(tensor) for _, tensor in widest_first]).cpu()
    sizes = [tensor.numel() * tensor.itemsize for _, tensor in widest_first]
    for (pending, tensor), part in zip(widest_first, torch.split(flat, sizes), strict=True):
        numbers = part.view(tensor.dtype)
        if isinstance(pending, _Summary):
            rest = numbers[len(NAMES) :]
            pending.measured = MeasuredTensor(numbers[: len(NAMES)].tolist(), rest.clone() if len(rest) else None)
        else:
            pending._value = numbers.reshape(tensor.shape).tolist()


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    flat = tensor.resolve_conj().resolve_neg().reshape(-1).contiguous()
    return flat.as_strided(flat.shape, (1,)).view(torch.uint8)  # a single element may have any stride
