"""Tensors to plain values (`inspector.graph.values`), with one read-back from a device for many tensors.

A tensor handed to a `Batch` is reduced at once, where it lives, so that it need not be kept; the numbers come
back together at `Batch.read`. Nothing here is seen by the user's program: no grad mode, no modes, no random
numbers, no version counter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from inspector.graph.values import FULL, Value, unknown

CHUNK_BYTES = 64 << 20
"""No temporary of ours is larger; a reduction that needs one goes over the tensor in pieces."""

_STATISTICS = ("norm", "mean", "min", "max", "zeros", "nans", "infinities")
_COUNTS = ("zeros", "nans", "infinities")


class Pending:
    """A value on its way: `value` holds it once the batch was read."""

    __slots__ = ("value",)

    def __init__(self, value: Value = None) -> None:
        self.value = value


class Batch:
    """Collects values of tensors and reads them back together."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Pending, dict[str, Any] | None, torch.Tensor]] = []

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

    def _fill(self, indices: list[int], numbers: torch.Tensor) -> None:
        position = 0
        for index in indices:
            pending, described, tensor = self._waiting[index]
            part = numbers[position : position + tensor.numel()]
            position += tensor.numel()
            if described is None:
                pending.value = part.reshape(tensor.shape).tolist()
            else:
                pending.value = described | _statistics_from(part.tolist())

    def _add(self, tensor: torch.Tensor) -> Pending:
        plain, reason = _plain(tensor)
        if plain is None:
            return Pending(unknown(reason))
        if tensor.numel() <= FULL:
            if plain.device.type == "cpu":
                return Pending(plain.to_dense().tolist())
            return self._wait(None, _widened(plain.to_dense()).clone())
        described = {"shape": [int(size) for size in tensor.shape], "dtype": dtype_name(tensor.dtype)}
        stored = _stored(plain)
        implied = plain.numel() - stored.numel()
        if plain.device.type == "cpu":
            return Pending(described | _statistics_from(_statistics(stored, implied, lazily=True)))
        return self._wait(described, torch.stack(_statistics(stored, implied, lazily=False)))

    def _wait(self, described: dict[str, Any] | None, tensor: torch.Tensor) -> Pending:
        pending = Pending(unknown("not read back"))
        self._waiting.append((pending, described, tensor))
        return pending


@contextlib.contextmanager
def unobserved() -> Iterator[None]:
    """Our own tensor operations: not recorded by autograd, not seen by the user's modes and subclasses."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch._C.DisableTorchFunction())
        if torch._C._len_torch_dispatch_stack() > 0:
            from torch.utils._python_dispatch import _disable_current_modes

            stack.enter_context(_disable_current_modes())
        yield


def dtype_name(dtype: torch.dtype) -> str:
    """`float32` for torch.float32."""
    return str(dtype).removeprefix("torch.")


def _plain(tensor: torch.Tensor) -> tuple[torch.Tensor | None, str]:
    """The dense, ordinary tensor that holds the elements of `tensor`; or None and why there is none."""
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return None, "inside a torch.func transform"
    if tensor.is_nested:
        return None, "nested tensor"
    if hasattr(tensor, "to_local"):  # a DTensor: its own statistics would be collectives, and could hang
        tensor = tensor.to_local()
    if tensor.is_meta or _is_fake(tensor):
        return None, "no data: a meta or fake tensor"
    if tensor.is_quantized:
        return None, "quantized tensor"
    if tensor.layout is not torch.strided:
        return tensor.detach(), ""
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) and _is_wrapper(tensor):
        return None, f"a {type(tensor).__name__} wraps its data"
    if tensor.numel() > 0 and tensor.untyped_storage().nbytes() == 0:
        return None, "its storage is empty now (sharded or freed)"
    return tensor.detach(), ""


def _stored(tensor: torch.Tensor) -> torch.Tensor:
    """The elements that are stored: all of them, or those of a sparse tensor that may differ from zero."""
    if tensor.layout is torch.strided:
        return tensor
    return tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor.values()


def _is_fake(tensor: torch.Tensor) -> bool:
    from torch._subclasses.fake_tensor import FakeTensor

    return isinstance(tensor, FakeTensor)


def _is_wrapper(tensor: torch.Tensor) -> bool:
    """Whether a subclass keeps its elements in other tensors (`_make_wrapper_subclass`)."""
    return hasattr(tensor, "__tensor_flatten__") or (tensor.numel() > 0 and tensor.data_ptr() == 0)


def _widened(tensor: torch.Tensor) -> torch.Tensor:
    """In the widest type of its kind, so that one copy carries many dtypes and loses nothing."""
    if tensor.is_complex():
        return tensor.to(torch.complex128)
    if tensor.is_floating_point():
        return tensor.to(torch.float64)
    return tensor if tensor.dtype is torch.bool else tensor.to(torch.int64)


def _statistics(tensor: torch.Tensor, implied: int, *, lazily: bool) -> list[torch.Tensor]:
    """The tensors of `_STATISTICS`, in float64, over `tensor` and `implied` zeros that are not stored.

    `lazily`: NaN and Inf are counted only where there are any. Asking whether there are any would make a
    device wait, so there the counts are always made.
    """
    if tensor.is_complex():
        tensor = tensor.abs()
    if tensor.dtype in _WITHOUT_ARITHMETIC or not tensor.is_floating_point():
        tensor = tensor.to(torch.float64 if tensor.numel() * 8 <= CHUNK_BYTES else torch.float32)
    none = torch.zeros((), dtype=torch.float64, device=tensor.device)
    if tensor.numel() == 0:
        return [none, none, none, none, none + implied, none, none]
    norm = torch.linalg.vector_norm(tensor, dtype=torch.float64)
    total = tensor.numel() + implied
    mean = tensor.mean(dtype=torch.float64) * (tensor.numel() / total)
    least, most = (extreme.to(torch.float64) for extreme in torch.aminmax(tensor))
    if implied:
        least, most = torch.minimum(least, none), torch.maximum(most, none)
    zeros = (total - torch.count_nonzero(tensor)).to(torch.float64)
    if lazily and bool(torch.isfinite(least) & torch.isfinite(most)):
        return [norm, mean, least, most, zeros, none, none]
    return [norm, mean, least, most, zeros, _count(tensor, torch.isnan), _count(tensor, torch.isinf)]


_WITHOUT_ARITHMETIC = (
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.float8_e4m3fnuz,
    torch.float8_e5m2fnuz,
    torch.float8_e8m0fnu,
)


def _count(tensor: torch.Tensor, test: Any) -> torch.Tensor:
    """How many elements pass `test`, without a mask of more than `CHUNK_BYTES`."""
    if tensor.numel() <= CHUNK_BYTES:
        return torch.count_nonzero(test(tensor)).to(torch.float64)
    counts = [_count(piece, test) for piece in tensor.chunk(2, int(tensor.dim() and _longest(tensor)))]
    return torch.stack(counts).sum()


def _longest(tensor: torch.Tensor) -> int:
    return max(range(tensor.dim()), key=lambda dimension: tensor.shape[dimension])


def _statistics_from(numbers: list[Any]) -> dict[str, Any]:
    named = dict(zip(_STATISTICS, (float(number) for number in numbers), strict=True))
    return {name: int(number) if name in _COUNTS else number for name, number in named.items()}
