"""The name of an operation, its tensor arguments, and the arguments that it may overwrite."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from types import BuiltinFunctionType, MethodDescriptorType
from typing import Any, TypeAlias

import torch
from msgspec import Struct

from inspector.recording.forward.cuts_and_writes import Key
from inspector.recording.forward.outputs import Outputs
from inspector.tensor_stats import memory_of
from inspector.tensor_stats.plain_tensor import Memory
from inspector.torch_api.tensors import version_counter
from inspector.user_code.module_tree import PLAIN

IN_C = (BuiltinFunctionType, MethodDescriptorType)
"""Types of functions in C. What one creates belongs to its operation, so no line needs tracing inside, as in
functions of torch in Python whose operations are recorded one by one. One that warns names the frame that called
it."""

_version = version_counter()

_PROPERTIES = ("data", "T", "mT", "H", "mH", "real", "imag")
"""Attributes of a tensor that return a new tensor; the others (`shape`, `grad`) are not operations."""

SET_DATA = "data.__set__"
"""The name of `h.data = x`, which replaces the elements of a tensor but not its version."""


NO_OPERATIONS = frozenset(
    [
        "backward",
        "grad",
        "register_hook",
        "retain_grad",
        "size",
        "dim",
        "numel",
        "stride",
        "__len__",
        "__repr__",
        "__format__",
        "is_floating_point",
        "is_complex",
        "is_contiguous",
        "data_ptr",
        "untyped_storage",
        "_set_grad_enabled",
    ]
)


UNCOUNTED = frozenset(
    [
        "data",
        SET_DATA,
        "numpy",
        "__array__",
        "__dlpack__",
        "data_ptr",
        "storage",
        "untyped_storage",
        "_typed_storage",
        "share_memory_",
        "set_",
    ]
)
"""Operations that give access to memory without version counting, or replace the memory."""


Placed: TypeAlias = tuple[Memory, tuple[int, ...]]


class WriteTarget(Struct):
    """A tensor that an operation may write, with its version and its identity before.

    part: the index that is written, if it selects a view. placed: its memory and strides before `t.data = x`.
    """

    tensor: torch.Tensor
    version: int
    key: Key | None
    part: Any = None
    placed: Placed | None = None

    def has_moved(self) -> bool:
        """Whether `t.data = x` gave it other memory. FSDP often assigns the same."""
        return self.placed is None or _placed(self.tensor) != self.placed


def name_of(function: Any) -> str | None:
    """torch's name of an operation; None if it is not one."""
    name = getattr(function, "__name__", None)
    if name in ("__get__", "__set__", "__delete__"):
        attribute = getattr(function.__self__, "__name__", None)
        if name == "__set__" and attribute == "requires_grad":
            return "requires_grad_"
        if name == "__set__" and attribute == "data":
            return SET_DATA
        return attribute if attribute in _PROPERTIES else None
    return str(name) if name is not None else None


def targets_of(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any], outputs: Outputs
) -> list[WriteTarget]:
    """The tensors that an operation may write: its first argument, `out=`, and the list of a `_foreach_…_`."""
    first: Any = arguments[0] if arguments else None
    in_place = _is_in_place(name) or options.get("inplace") is True
    if name in _WRITE_WEIGHT:
        first = options.get("weight", arguments[1] if len(arguments) > 1 else None)
    if not in_place and "out" not in options:  # the usual case; a change of the version still shows a write
        if not isinstance(first, torch.Tensor) or first.is_inference():
            return []
        return [WriteTarget(first, _version(first), None, placed=_placed(first) if name == SET_DATA else None)]
    candidates: list[Any] = [first, options.get("out")]
    if in_place and name.startswith("_foreach_") and isinstance(first, (list, tuple)):
        candidates = list(first)
    part = arguments[1] if name == "__setitem__" and _is_plain_index(arguments[1]) else None
    return [
        WriteTarget(tensor, _version(tensor), outputs.keys.of(tensor) if in_place else None, part)
        for tensor in candidates
        if isinstance(tensor, torch.Tensor) and not tensor.is_inference()
    ]


def _placed(tensor: torch.Tensor) -> Placed | None:
    """Where the elements of a tensor are; None if that is not known."""
    memory = memory_of(tensor)
    return None if memory is None else (memory, tensor.stride())


_WRITE_WEIGHT = ("embedding", "embedding_bag")
"""Operations that with `max_norm` scale rows of their second argument in place."""


@functools.lru_cache(maxsize=4096)
def _is_in_place(name: str) -> bool:
    if name == "__setitem__" or name in _IN_PLACE_OPERATORS:
        return True
    return name.endswith("_") and not name.endswith("__")


def _is_plain_index(index: Any) -> bool:
    """Whether an index consists of numbers and slices, so that it selects a view."""
    items = index if isinstance(index, tuple) else (index,)
    return all(item is Ellipsis or type(item) is int or isinstance(item, slice) for item in items)


def outer_operands(inputs: list[torch.Tensor]) -> list[list[int]] | None:
    """The shapes of the two operands of an operation whose result is larger than either: [n, 1] and [n]."""
    if len(inputs) < 2:
        return None
    if inputs[0].is_nested or inputs[1].is_nested:  # they have no shape, or a symbolic one
        return None
    first, second = inputs[0].shape, inputs[1].shape
    if first == second or not first or not second:
        return None
    longest = max(len(first), len(second))
    one, other = ([1] * (longest - len(shape)) + list(shape) for shape in (first, second))
    if any(size != its and 1 not in (size, its) for size, its in zip(one, other, strict=True)):
        return None
    result = [max(size, its) for size, its in zip(one, other, strict=True)]
    return None if result in (list(first), list(second)) else [list(first), list(second)]


BROADCASTING = frozenset(
    [
        "add",
        "sub",
        "subtract",
        "rsub",
        "__rsub__",
        "mul",
        "multiply",
        "div",
        "divide",
        "true_divide",
        "__rdiv__",
        "__rtruediv__",
        "pow",
        "__rpow__",
        "maximum",
        "minimum",
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "huber_loss",
        "kl_div",
        "poisson_nll_loss",
        "gaussian_nll_loss",
    ]
)
"""Operations that broadcast their two tensors."""

_IN_PLACE_OPERATORS = frozenset(
    [
        "__iadd__",
        "__isub__",
        "__imul__",
        "__itruediv__",
        "__ifloordiv__",
        "__imod__",
        "__ipow__",
        "__iand__",
        "__ior__",
        "__ixor__",
        "__ilshift__",
        "__irshift__",
    ]
)


def tensors_among(values: Iterable[Any]) -> list[torch.Tensor]:
    """The tensors among `values` and in the lists and tuples among them."""
    found: list[torch.Tensor] = []
    for value in values:
        if type(value) in PLAIN:
            continue
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)) and not PLAIN.issuperset(map(type, value)):
            found += [element for element in value if isinstance(element, torch.Tensor)]
    return found


def tensors_of(result: Any) -> list[torch.Tensor]:
    """The tensors in the result of an operation."""
    return [result] if type(result) is torch.Tensor else tensors_among(_several(result))


def _several(result: Any) -> Iterable[Any]:
    return result if isinstance(result, (tuple, list)) else (result,)
