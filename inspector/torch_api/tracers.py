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
    """mode: the dispatch mode for a key, or None. keys: those of torch's own tracers. is_included: whether the
    calling thread uses a dispatch key. early: that of modes which see operations before autograd does
    (`make_fx(…, pre_dispatch=True)`, torch.export)."""

    mode: Callable[[Any], Any]
    keys: tuple[Any, ...]
    is_included: Callable[[Any], bool]
    early: Any


def _find_trace_modes() -> _TraceModes:
    key = torch._C._TorchDispatchModeKey
    found = _TraceModes(
        torch._C._get_dispatch_mode,
        (key.PROXY, key.FAKE, key.FUNCTIONAL),
        torch._C._dispatch_tls_is_dispatch_key_included,
        torch._C.DispatchKey.PreDispatch,
    )
    if not isinstance(found.is_included(found.early), bool):
        raise TypeError("whether a dispatch key is in use is no truth value")
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
        if parts.is_included(parts.early):
            return True
        return dispatch_mode_count() > 0 and any(parts.mode(key) is not None for key in parts.keys)
    except Exception as error:
        TRACE_MODES.turn_off(error)
        return False


def belongs_to_trace(value: Any) -> bool:
    """Whether a value is a tensor of a tracer or a torch.func transform. It has a shape and a dtype, but reading
    its elements, memory or history would be traced, or fails."""
    return isinstance(value, torch.Tensor) and (is_traced(value) or is_transformed(value))


def _find_tracers() -> list[tuple[Any, str]]:
    found: list[tuple[Any, str]] = [(torch.jit._trace, "_trace_impl")]
    if hasattr(torch.jit._trace, "ONNXTracedModule"):  # torch.onnx is not imported before the script does
        found.append((torch.jit._trace.ONNXTracedModule, "forward"))
    proxies = sys.modules.get("torch.fx.experimental.proxy_tensor")  # torch imports it, unless it is not in use
    if proxies is not None:
        found.append((proxies._MakefxTracer, "trace"))
    for owner, name in found:
        if not callable(vars(owner)[name]):
            raise TypeError(f"{name} is not a function")
    return found


TRACERS = Capability(
    "tracers of make_fx and torch.jit",
    "graphs of make_fx and `torch.jit.trace` name variables and lines of the inspector",
    _find_tracers,
)
"""Not the functions that a script calls: Dynamo knows `make_fx` by its identity, and wraps `torch.jit.trace`."""


def tracers() -> list[tuple[Any, str]]:
    """The functions that trace for `make_fx`, `torch.jit.trace` and `torch.onnx`, as owners and names."""
    return TRACERS.parts or []
