"""Whether torch traces what runs: a compiler, torch.export, make_fx, a fake mode, `torch.jit.trace`, torch.func.

What runs then is not the script's own computation. An operation of the inspector would become part of the trace,
and a number read from one of its tensors would end it with an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from inspector.torch_api.capability import Capability
from inspector.torch_api.modes import dispatch_mode_count
from inspector.torch_api.tensors import in_trace, in_transform, is_traced, is_transformed


class _TraceModes(NamedTuple):
    """mode: the dispatch mode for a key, or None. keys: those of torch's own tracers. early_modes: number of modes
    that see operations before autograd does (`make_fx(…, pre_dispatch=True)`, torch.export)."""

    mode: Callable[[Any], Any]
    keys: tuple[Any, ...]
    early_modes: Callable[[], int]


def _find_trace_modes() -> _TraceModes:
    key = torch._C._TorchDispatchModeKey
    early: Any = torch._ops.mode_stack_state_for_pre_dispatch()  # type: ignore[no-untyped-call]
    found = _TraceModes(torch._C._get_dispatch_mode, (key.PROXY, key.FAKE, key.FUNCTIONAL), early.count)
    if not isinstance(found.early_modes(), int):
        raise TypeError("the modes before autograd have no number")
    for item in found.keys:
        found.mode(item)
    return found


TRACE_MODES = Capability(
    "modes of tracers",
    "operations that make_fx, torch.export or a FakeTensorMode traces are recorded as operations of the script",
    _find_trace_modes,
)


def is_tracing() -> bool:
    """Whether torch traces or transforms what the calling thread runs, as far as torch can tell."""
    return torch.compiler.is_compiling() or in_transform() or in_trace() or _in_trace_mode()


def _in_trace_mode() -> bool:
    parts = TRACE_MODES.parts
    if parts is None:
        return False
    try:
        if parts.early_modes() > 0:
            return True
        return dispatch_mode_count() > 0 and any(parts.mode(key) is not None for key in parts.keys)
    except Exception as error:
        TRACE_MODES.turn_off(error)
        return False


def belongs_to_trace(value: Any) -> bool:
    """Whether a value is a tensor of a tracer or a torch.func transform. It has a shape and a dtype, but reading
    its elements, memory or history would be traced, or fails."""
    return isinstance(value, torch.Tensor) and (is_traced(value) or is_transformed(value))


def _find_make_fx() -> list[tuple[Any, str]]:
    module = sys.modules.get(_PROXY_TENSOR)
    if module is None:  # torch imports it, unless it is not in use
        return []
    tracer = module._MakefxTracer
    if not callable(vars(tracer)["trace"]):
        raise TypeError("trace is not a function")
    return [(tracer, "trace")]


_PROXY_TENSOR = "torch.fx.experimental.proxy_tensor"

MAKE_FX = Capability(
    "tracer of make_fx",
    "graphs of make_fx name lines of the inspector as the origin of their Nodes",
    _find_make_fx,
)
"""Not `make_fx` itself: Dynamo recognises torch's functions by their identity."""


def make_fx_tracers() -> list[tuple[Any, str]]:
    """The functions that trace for `make_fx`, as owners and names."""
    return MAKE_FX.parts or []
