"""See the operations inside one of torch's functions: those of its Python code, or of its C++ code."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import torch
import torch.functional
import torch.nn.functional
from torch.overrides import TorchFunctionMode

from inspector.torch_api.capability import Capability
from inspector.torch_api.modes import FUNCTION_MODES, function_mode_count, remove_mode

# In Python code

_MODULES = (torch.nn.functional, torch.functional)
_ONE_OPERATION = frozenset(
    vars(torch.nn.functional)[name]
    for name in (
        "batch_norm",
        "cross_entropy",
        "dropout",
        "embedding",
        "layer_norm",
        "leaky_relu",
        "log_softmax",
        "relu",
        "softmax",
    )
)
"""Frequent functions that call one operation in C++ and return its result, so that nothing is left to see."""

_Check = Callable[..., bool]


class _Checks(NamedTuple):
    """What Python functions of torch ask first: whether a mode or a subclass overrides them."""

    has_torch_function: _Check
    has_torch_function_unary: _Check
    has_torch_function_variadic: _Check


def _find_checks() -> _Checks:
    found = _Checks(**{name: vars(torch.nn.functional)[name] for name in _Checks._fields})
    if any(vars(torch.functional)[name] is not check for name, check in found._asdict().items()):
        raise LookupError("torch.functional has other checks than torch.nn.functional")
    return found


OVERRIDE_CHECKS = Capability(
    "checks for overrides",
    "values inside functions of torch.nn.functional, such as multi-head attention, are unknown",
    _find_checks,
)


class FunctionBody:
    """A context in which the Python functions of torch run their own code although `mode` is on the stack, so that
    `mode` receives the operations inside them."""

    def __init__(self, mode: TorchFunctionMode) -> None:
        self._mode = mode
        self._replaced: _Checks | None = None

    def can_run(self, function: Any) -> bool:
        """Whether the code of this function can run so: no other mode is active."""
        if type(function) is not FunctionType or function in _ONE_OPERATION:
            return False
        if function_mode_count() or OVERRIDE_CHECKS.parts is None:
            return False
        return any(function.__globals__ is vars(module) for module in _MODULES)

    def __enter__(self) -> None:
        checks, stack = OVERRIDE_CHECKS.parts, FUNCTION_MODES.parts
        if checks is not None and stack is not None:
            self._replaced = _Checks(**{name: vars(torch.nn.functional)[name] for name in _Checks._fields})
            _install(_Checks(*(self._without_mode(check) for check in checks)))
            stack.push(self._mode)

    def __exit__(self, *error: Any) -> None:
        if self._replaced is not None:
            _install(self._replaced)
            remove_mode(self._mode)

    def _without_mode(self, original: _Check) -> _Check:
        stack, mode = FUNCTION_MODES.parts, self._mode
        assert stack is not None

        def check(*arguments: Any) -> bool:
            if stack.size() != 1 or stack.at(0) is not mode:
                return original(*arguments)
            stack.pop()
            try:
                return original(*arguments)
            except Exception as error:
                OVERRIDE_CHECKS.turn_off(error)
                return False
            finally:
                stack.push(mode)

        return check


def _install(checks: _Checks) -> None:
    for module in _MODULES:
        for name, check in checks._asdict().items():
            setattr(module, name, check)


# In C++ code

After = Callable[[str, Any], None]
"""Called after each operation with its name, such as `add_`, and its result."""


class _Dispatch(NamedTuple):
    mode: Callable[[After], contextlib.AbstractContextManager[Any]]
    code: CodeType


@functools.lru_cache(maxsize=1024)
def _name_of(function: Any) -> str:
    """`add_` for aten.add_.Tensor, whose text torch formats anew each time."""
    return str(function).split(".")[1]


def _find_dispatch() -> _Dispatch:
    from torch.utils._python_dispatch import TorchDispatchMode

    class DispatchMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
        """Passes the operations below autograd to `after`."""

        def __init__(self, after: After) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self._after = after

        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # else torch wraps the method below, and imports its compiler when it is first called

        def __torch_dispatch__(
            self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: Any = None
        ) -> Any:
            result = function(*arguments, **(options or {}))
            self._after(_name_of(function), result)
            return result

    method: Any = vars(DispatchMode)["__torch_dispatch__"]
    if hasattr(method, "__wrapped__"):
        raise TypeError("torch wraps __torch_dispatch__")
    return _Dispatch(DispatchMode, method.__code__)


DISPATCH_MODE = Capability(
    "dispatch mode", "values inside functions in C++, such as recurrent cells, are unknown", _find_dispatch
)


def dispatching_to(after: After) -> contextlib.AbstractContextManager[Any] | None:
    """A context in which `after` is called after each operation below autograd; None if torch has none.

    In it, a few functions in C++ take another path, such as `reshape` of a tensor that is not contiguous.
    """
    parts = DISPATCH_MODE.parts
    if parts is None:
        return None
    try:
        return parts.mode(after)
    except Exception as error:
        DISPATCH_MODE.turn_off(error)
        return None


def cut_traceback(error: BaseException) -> None:
    """Remove the inspector's frames from the end of a traceback, where an operation below autograd left them."""
    parts = DISPATCH_MODE.parts
    trace = error.__traceback__
    while parts is not None and trace is not None and trace.tb_next is not None:
        if trace.tb_next.tb_frame.f_code is parts.code:
            trace.tb_next = None
        trace = trace.tb_next
