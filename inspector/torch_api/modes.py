"""The stacks of modes, and how to run operations without the modes seeing them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

import torch
import torch.overrides
from torch.overrides import TorchFunctionMode

from inspector.torch_api.capability import Capability
from inspector.torch_api.patch import Patch

# Hiding the operations of the inspector


class _Hiding(NamedTuple):
    without_functions: Callable[[], Any]
    set_grad_enabled: Callable[[bool], Any]
    count_function_modes: Callable[[], int]
    count_dispatch_modes: Callable[[], int]
    without_dispatch_modes: Callable[[], Any]


def _find_hiding() -> _Hiding:
    from torch.utils._python_dispatch import _disable_current_modes

    found = _Hiding(
        torch._C.DisableTorchFunction,
        torch._C._set_grad_enabled,
        torch._C._len_torch_function_stack,
        torch._C._len_torch_dispatch_stack,
        _disable_current_modes,
    )
    with found.without_functions():
        found.count_function_modes(), found.count_dispatch_modes()
    return found


HIDDEN_OPERATIONS = Capability(
    "mode exclusion switches",
    "modes and tensor classes of the script also see the inspector's operations",
    _find_hiding,
)


def _nothing() -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


def _one() -> int:
    return 1


def _set_grad_enabled(enabled: bool) -> Any:
    return torch.set_grad_enabled(enabled)


_DOCUMENTED = _Hiding(_nothing, _set_grad_enabled, _one, _one, _nothing)
"""Fallbacks if torch lacks one of them: one mode of each kind is assumed, and operations stay visible."""

# Bound once, since they are called for every tensor that is read.
_hide = HIDDEN_OPERATIONS.parts or _DOCUMENTED
without_functions = _hide.without_functions
"""A context manager, one per call: function modes and subclasses do not see operations on tensors within it."""
set_grad_enabled = _hide.set_grad_enabled
function_mode_count = _hide.count_function_modes
dispatch_mode_count = _hide.count_dispatch_modes
_without_dispatch_modes = _hide.without_dispatch_modes


class _Profiling(NamedTuple):
    is_on: Callable[[], bool]
    show_operations: Callable[[bool], object]


def _find_profiling() -> _Profiling:
    autograd = torch._C._autograd
    found = _Profiling(autograd._profiler_enabled, autograd._enable_record_function)
    found.is_on(), found.show_operations(True)
    return found


PROFILING = Capability(
    "profiler switch", "profilers of the script also show the inspector's operations", _find_profiling
)

_profiling = PROFILING.parts or _Profiling(bool, bool)
is_profiling = _profiling.is_on
"""Whether a profiler of the script sees the operations of the calling thread."""
_show_operations_to_profilers = _profiling.show_operations
_not_profiled: set[int] = set()
"""The threads that hide the operations of the inspector from a profiler: torch does not tell."""


class hidden:
    """A block that the user's modes, tensor classes and profilers do not see. Everything that the inspector asks
    of tensors runs in such a block, or in an `unobserved` one.

    Entered for every operation, so it is written out: contextlib alone costs 7 microseconds.
    """

    __slots__ = ("_functions", "_modes", "_thread")

    def __enter__(self) -> None:
        self._thread = 0
        if is_profiling() and (thread := threading.get_ident()) not in _not_profiled:
            _not_profiled.add(thread)
            self._thread = thread
            _show_operations_to_profilers(False)
        self._functions = without_functions()
        self._functions.__enter__()
        self._modes: Any = None
        if dispatch_mode_count() > 0:
            self._modes = _without_dispatch_modes()
            self._modes.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self._modes is not None:
            self._modes.__exit__(*error)
        self._functions.__exit__(*error)
        if self._thread:
            _show_operations_to_profilers(True)
            _not_profiled.discard(self._thread)


class unobserved(hidden):
    """A `hidden` block that autograd does not record either."""

    __slots__ = ("_grad",)

    def __enter__(self) -> None:
        hidden.__enter__(self)
        self._grad = torch.is_grad_enabled()
        if self._grad:
            set_grad_enabled(False)

    def __exit__(self, *error: Any) -> None:
        if self._grad:
            set_grad_enabled(True)
        hidden.__exit__(self, *error)


def is_observed() -> bool:
    """Whether a mode or a profiler would see an attribute access or an operation on an ordinary tensor."""
    return bool(function_mode_count() or dispatch_mode_count() or is_profiling())


def is_unobserved(tensor: torch.Tensor) -> bool:
    """Whether no mode, no profiler and not autograd see operations on an ordinary tensor, as usual within
    backward."""
    return not (
        function_mode_count()  # first, since function modes would see the access to requires_grad
        or dispatch_mode_count()
        or is_profiling()
        or (torch.is_grad_enabled() and tensor.requires_grad)
    )


# The stack of function modes


class _Stack(NamedTuple):
    size: Callable[[], int]
    at: Callable[[int], Any]
    pop: Callable[[], Any]
    push: Callable[[Any], None]
    device_context: type[Any]


def _find_stack() -> _Stack:
    from torch.utils._device import DeviceContext

    found = _Stack(
        torch._C._len_torch_function_stack,
        torch._C._get_function_stack_at,
        torch._C._pop_torch_function_stack,
        torch._C._push_on_torch_function_stack,
        DeviceContext,
    )
    if any(found.at(index) is None for index in range(found.size())) or not callable(torch.overrides._push_mode):
        raise TypeError("_push_mode is not a function")
    return found


FUNCTION_MODES = Capability(
    "function mode stack", "values and names of the forward, cuts and in-place writes are unknown", _find_stack
)


def modes_on_stack() -> list[Any]:
    """The function modes of the calling thread, from the bottom up."""
    stack = FUNCTION_MODES.parts
    if stack is None:
        return []
    try:
        return [stack.at(index) for index in range(stack.size())]
    except Exception as error:
        FUNCTION_MODES.turn_off(error)
        return []


def push_at_bottom(mode: TorchFunctionMode) -> None:
    """Put a mode below all modes except the default device, so that a user's mode that exits by popping the top
    never removes this one."""
    stack = FUNCTION_MODES.parts
    if stack is None:
        return
    modes = [other for other in modes_on_stack() if other is not mode]
    bottom = 1 if modes and isinstance(modes[0], stack.device_context) else 0
    _rearrange([*modes[:bottom], mode, *modes[bottom:]])


def remove_mode(mode: TorchFunctionMode) -> None:
    """Remove a mode from the stack of the calling thread, whatever is above it."""
    modes = modes_on_stack()
    if any(other is mode for other in modes):
        _rearrange([other for other in modes if other is not mode])


def _rearrange(modes: list[Any]) -> None:
    """Set the modes on the stack of the calling thread, from the bottom up."""
    stack = FUNCTION_MODES.parts
    if stack is None:
        return
    try:
        for _ in range(stack.size()):
            stack.pop()
        for mode in modes:
            stack.push(mode)
    except Exception as error:
        FUNCTION_MODES.turn_off(error)


HANDLE = torch.overrides.handle_torch_function.__code__
"""The code that dispatches torch's Python functions to modes."""


def remove_mode_after(mode: TorchFunctionMode, caller: FrameType) -> None:
    """Keep torch from putting a mode back on the stack after it was stopped by the call that it is handling
    (`loss.backward()`, called by the frame `caller`).

    Called from Python, `torch.overrides._pop_mode_temporarily` puts it back with `_push_mode`, once. Called from
    C++ it is put back and stays there without effect until it is removed.
    """
    if caller.f_code is not HANDLE:
        return
    push: Callable[[TorchFunctionMode], None] = torch.overrides._push_mode

    def push_others(other: TorchFunctionMode) -> None:
        torch.overrides._push_mode = push
        if other is not mode:
            push(other)

    torch.overrides._push_mode = push_others


# torch's inference kernels


class _Builtins(NamedTuple):
    register: Callable[[Any, str], None]
    table: Callable[[], dict[int, str]]


def _find_builtins() -> _Builtins:
    from torch.jit import _builtins

    name = _builtins._get_builtin_table().get(id(torch.overrides.has_torch_function))  # type: ignore[no-untyped-call]
    if name != _NAME:
        raise LookupError(f"has_torch_function is compiled to {name}")
    return _Builtins(_builtins._register_builtin, _builtins._get_builtin_table)


_NAME = "aten::has_torch_function"
"""The operator to which TorchScript compiles a call of it."""

FAST_PATHS = Capability(
    "TorchScript function table",
    "values and names of the forward, cuts and in-place writes are unknown",
    _find_builtins,
)


class FastPaths:
    """From `open` to `close`, `torch.overrides.has_torch_function` ignores `mode`.

    `nn.TransformerEncoderLayer`, `nn.TransformerEncoder` and `nn.MultiheadAttention` call it before they take a
    fast path, whose last bits differ; with a mode installed it returns True for every tensor. All other callers in
    torch only pass the call to the mode, which calls the same function.
    """

    def __init__(self, mode: TorchFunctionMode) -> None:
        self._mode = mode
        self._made: list[Any] = []
        self._patch = Patch((torch.overrides,), "has_torch_function", self._ignoring)

    def open(self) -> None:
        """Replace the function. Does nothing if it is replaced."""
        if FAST_PATHS.parts is not None and FUNCTION_MODES.parts is not None:
            self._patch.install()

    def close(self) -> None:
        """Restore the function. If other code has wrapped the replacement since, it stays and passes calls on."""
        builtins = FAST_PATHS.parts
        if not self._patch.is_installed or builtins is None:
            return
        self._patch.uninstall()
        try:
            while self._made:
                builtins.table().pop(id(self._made.pop()), None)
        except Exception as error:
            FAST_PATHS.turn_off(error)

    def _ignoring(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        builtins, stack, mode = FAST_PATHS.parts, FUNCTION_MODES.parts, self._mode
        assert builtins is not None and stack is not None

        def has_torch_function(arguments: Any) -> Any:
            if stack.size() != 1 or stack.at(0) is not mode:
                return original(arguments)
            stack.pop()
            try:
                return original(arguments)
            finally:
                stack.push(mode)

        builtins.register(has_torch_function, _NAME)
        self._made.append(has_torch_function)
        return has_torch_function
