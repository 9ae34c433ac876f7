"""The norms of the outputs of modules, in the forward of some steps."""

from __future__ import annotations

import contextlib
import math
import threading
import time
import weakref
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from inspector.recording.forward.compile_watch import ClosedByCompilation, CompileWatch
from inspector.recording.forward.tracer_watch import TracerWatch
from inspector.tensor_stats import is_ordinary
from inspector.torch_api.compilation import skip_in_dynamo, was_compiled
from inspector.torch_api.engine import in_backward
from inspector.torch_api.modes import dispatch_mode_count, function_mode_count, is_profiling, unobserved
from inspector.torch_api.nodes import sequence_number_of
from inspector.torch_api.tracers import is_tracing
from inspector.user_code.module_tree import modules_below

_NARROW = (torch.float16, torch.bfloat16)
_MOST_CALLS = 10_000
"""Maximum number of outputs that wait for backward: those of the last calls, as after a long evaluation."""
_MOST_ITEMS = 64
"""Maximum number of tensors in one output."""

OutputParts = dict[str, list[torch.Tensor]]
"""The norm of each tensor that a module returned, by the path of the module."""


class OutputNorms:
    """Measures from `open` to `close`, in the thread that calls `open`, by one hook that torch calls for every
    module, so that no module holds it.

    modules: those that are measured, by path; they are not kept alive.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        self._seconds = 0.0
        self._paths: dict[int, tuple[weakref.ref[nn.Module], list[str]]] = {}
        for path, module in modules.items():
            self._paths.setdefault(id(module), (weakref.ref(module), []))[1].append(path)
        self._thread = 0
        self._waiting: deque[tuple[int, list[str], torch.Tensor]] = deque(maxlen=_MOST_CALLS)
        self._old = 0  # number of those that have waited for a graph already
        self._removers: list[Any] = []
        skip_in_dynamo(OutputNorms._after)

    def open(self) -> None:
        """Measure from now on, unless something is compiled: Dynamo would see the hook."""
        if self._removers or not self._paths or was_compiled():
            return
        self._clear()
        self._seconds, self._thread = 0.0, threading.get_ident()
        compiles = CompileWatch(ClosedByCompilation(self.close))
        traces = TracerWatch(self._without)
        self._removers = [register_module_forward_hook(self._after).remove, compiles.stop, traces.stop]
        compiles.start()
        traces.start()

    def close(self) -> None:
        """Remove the hook. May be called again."""
        while self._removers:
            self._removers.pop()()

    def taken(self, sequence_nrs: Collection[int], names: Collection[str]) -> OutputParts:
        """The norms of the outputs that are in a graph. All others wait for one more graph: a generator runs
        before the backward call of its discriminator.

        sequence_nrs: of its Nodes. names: the paths of its modules: one that is called twice has the name of its
        variable before its path.
        """
        found: OutputParts = {}
        others = []
        for position, item in enumerate(self._waiting):
            number, paths, norm = item
            path = next((path for path in paths if path in names), None)
            if path is not None and number in sequence_nrs:
                found.setdefault(path, []).append(norm)
            elif position >= self._old:
                others.append(item)
        self._clear()
        self._waiting.extend(others)
        self._old = len(others)
        return found

    def _clear(self) -> None:
        self._waiting.clear()
        self._old = 0

    def take_seconds(self) -> float:
        """How long it took since this was asked last."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def _after(self, module: nn.Module, arguments: Any, output: Any) -> None:
        if torch.compiler.is_compiling():  # first: Dynamo evaluates what follows
            return
        known = self._paths.get(id(module))
        if known is None or not torch.is_grad_enabled() or known[0]() is not module:
            return
        if threading.get_ident() != self._thread or in_backward():
            return
        if is_tracing() or function_mode_count() or dispatch_mode_count() or is_profiling():
            return
        began = time.perf_counter()
        try:
            for tensor in _tensors_in(output):
                if tensor.grad_fn is not None and (norm := _norm(tensor)) is not None:
                    self._waiting.append((sequence_number_of(tensor.grad_fn), known[1], norm))
        except Exception:  # nested tensors, an output on a device that has failed: for the script to meet
            self._clear()
        self._seconds += time.perf_counter() - began

    def _without(self) -> contextlib.AbstractContextManager[None]:
        """torch is about to trace the script, and must not meet the hook: this step is not measured any more."""
        self.close()
        return contextlib.nullcontext()


def numbers_of(parts: OutputParts) -> dict[str, float]:
    """The norm of all that each module returned; waits once for a device."""
    norms = [norm for its in parts.values() for norm in its]
    if not norms:
        return {}
    with unobserved():
        is_one = len({norm.device for norm in norms}) == 1
        if is_one:
            values = torch.stack([_wide(norm) for norm in norms]).tolist()
        else:
            values = [norm.item() for norm in norms]
    numbers = iter(values)
    return {path: math.hypot(*(next(numbers) for _ in its)) for path, its in parts.items()}


def _tensors_in(output: Any) -> Iterator[torch.Tensor]:
    """The ordinary tensors in what a module returned: in tuples, lists and dicts, up to a limit.

    Methods that a class of the script has put in the place of those of its base class are not called.
    """
    waiting: list[Any] = [output]
    for _ in range(_MOST_ITEMS):
        if not waiting:
            return
        item = waiting.pop()
        kind = type(item)
        if issubclass(kind, torch.Tensor):
            if is_ordinary(item):
                yield item
        elif issubclass(kind, dict):
            waiting += dict.values(item)
        elif issubclass(kind, tuple):
            waiting += tuple.__iter__(item)
        elif issubclass(kind, list):
            waiting += list.__iter__(item)


def modules_at(paths: Iterable[str], roots: Iterable[tuple[str, nn.Module]]) -> dict[str, nn.Module]:
    """The modules with these paths. roots: outermost modules, with the beginning of the paths of those in them."""
    known: dict[str, nn.Module] = {}
    for prefix, root in sorted(roots, key=lambda item: -len(item[0])):  # the named first
        for path, module in modules_below(root, prefix):
            known.setdefault(path, module)
    return {path: known[path] for path in paths if path in known}


def _norm(tensor: torch.Tensor) -> torch.Tensor | None:
    """The norm on the tensor's device; None where it cannot be had."""
    if tensor.layout is not torch.strided or tensor.is_meta or not tensor.is_floating_point():
        return None
    if tensor.is_cuda and torch.cuda.is_current_stream_capturing():  # it would become part of the captured graph
        return None
    with unobserved():
        plain = tensor.detach()
        norm: torch.Tensor = torch.linalg.vector_norm(
            plain, dtype=torch.float32 if plain.dtype in _NARROW else None
        )
        if norm.is_cpu and not math.isfinite(norm.item()):  # the squares may be too large for float32
            norm = torch.linalg.vector_norm(plain, dtype=torch.float64)
    return norm


def _wide(norm: torch.Tensor) -> torch.Tensor:
    return norm.double() if norm.is_cpu else norm.float()  # a device may have no float64
