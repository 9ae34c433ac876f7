"""Find the `nn.Module` that created each Node, with two global hooks and ranges of sequence numbers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from inspector.recording.forward.called_modules import CalledModules, ModuleCall
from inspector.recording.forward.line_tracer import LineTracer
from inspector.recording.forward.sequence_ranges import RangesByThread, sequence_number
from inspector.torch_api.modules import CALL
from inspector.torch_api.tracers import is_tracing
from inspector.user_code.module_tree import modules_below


@dataclass(slots=True)
class _Running:
    """An entry of the stack.

    module: the id of the module. call: its path.
    known: the calls of the modules registered in it, or in the enclosing module if that one contains it, by id.
    """

    module: int
    call: ModuleCall
    known: dict[int, ModuleCall]


class _ModuleStacks(threading.local):
    """The running modules of a thread, innermost last."""

    def __init__(self, ranges: RangesByThread[ModuleCall]) -> None:
        self.stack: list[_Running] = []
        self.ranges = ranges.here


class ModuleHooks:
    """Follows module calls in every thread.

    called: filled in.
    entered: called before each forward, with whether its module is the outermost.
    left: called after each forward with its output.
    reports_all: whether both are called; otherwise only `entered`, for the outermost module.
    lines: paused while this works; resumed by a module if suspended.
    """

    def __init__(
        self,
        called: CalledModules,
        entered: Callable[[nn.Module, bool], None],
        left: Callable[[Any], None],
        lines: LineTracer,
    ) -> None:
        self.reports_all = False
        self._called = called
        self._entered, self._left, self._lines = entered, left, lines
        self._thread = _ModuleStacks(called.ranges)
        self._handles: list[Any] = []

    def start(self) -> None:
        """Install the hooks."""
        self._handles = [
            register_module_forward_pre_hook(self._before),
            register_module_forward_hook(self._after, always_call=True),  # also when forward raises
        ]

    @property
    def are_installed(self) -> bool:
        """Whether torch calls the hooks."""
        return bool(self._handles)

    def stop(self) -> None:
        """Remove the hooks; modules that are running count as left."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._thread.ranges.mark(sequence_number(), None)
        self._thread.stack.clear()

    # Both run for every module. Until line tracing is off, each Python function that they call costs an event.

    def _before(self, module: nn.Module, arguments: Any) -> None:
        if torch.compiler.is_compiling():  # first: Dynamo evaluates what follows, and cannot evaluate sys.gettrace
            return
        tracer = sys.gettrace()
        if was_traced := tracer in self._lines.tracers:
            sys.settrace(None)
        resumes = tracer is None
        try:
            if is_tracing():
                resumes = False
                return
            stack = self._thread.stack
            known, key = stack[-1].known if stack else _NO_CALLS, id(module)
            if key in known and known[key].path:  # the usual case: it is registered in the enclosing module
                running = _Running(key, known[key], known)
            else:
                running = self._enter(module, stack)
            resumes = resumes or not stack
            if self.reports_all or not stack:
                self._entered(module, not stack)
            stack.append(running)
            self._thread.ranges.mark(sequence_number(), running.call)
        except Exception as error:
            self._lines.state.fail(error)
        finally:
            if was_traced and self._lines.state.running:
                sys.settrace(tracer)
        if resumes:
            self._lines.resume(sys._getframe(1))

    def _after(self, module: nn.Module, arguments: Any, output: Any) -> None:
        if torch.compiler.is_compiling():
            return
        tracer = sys.gettrace()
        if was_traced := tracer in self._lines.tracers:
            sys.settrace(None)
        try:
            if is_tracing():
                return
            stack = self._thread.stack
            position = len(stack) - 1
            while position >= 0 and stack[position].module != id(module):
                position -= 1
            if position >= 0:  # else it was called before the hooks were installed
                del stack[position:]  # the entries above ended with an exception that runs no hooks
                self._thread.ranges.mark(sequence_number(), stack[-1].call if stack else None)
                if self.reports_all:
                    self._left(output)
        except Exception as error:
            self._lines.state.fail(error)
        finally:
            if was_traced and self._lines.state.running:
                sys.settrace(tracer)

    def _enter(self, module: nn.Module, stack: list[_Running]) -> _Running:
        key = id(module)
        known = _calls_containing(key, stack)
        if stack and (known is None or known[key].path == ""):  # outermost again, or not registered in another
            _drop_ended(stack, sys._getframe(2))
            known = _calls_containing(key, stack)
        if known is not None:
            return _Running(key, known[key], known)
        if not stack:
            known = _calls_below(module, "", self._called.root_index(module))
        else:
            around, kind = stack[-1].call, type(module).__name__
            path = f"{around.path}.({kind})" if around.path else f"({kind})"
            known = _calls_below(module, path, around.root)
        return _Running(key, known[key], known)


_NO_CALLS: dict[int, ModuleCall] = {}


def _calls_below(module: nn.Module, path: str, root: int) -> dict[int, ModuleCall]:
    """The calls of `module`, whose path is given, and of all modules in it, by id."""
    return {id(inner): ModuleCall(name, type(inner).__name__, root) for name, inner in modules_below(module, path)}


def _calls_containing(key: int, stack: list[_Running]) -> dict[int, ModuleCall] | None:
    """`_Running.known` of the innermost running module that contains the module with this id."""
    for running in reversed(stack):
        if key in running.known:
            return running.known
    return None


def _drop_ended(stack: list[_Running], frame: FrameType | None) -> None:
    """Remove calls from the stack that ended without their hook, for example by a KeyboardInterrupt that the
    script caught.

    Only called when a new outermost module appears inside another one, which is rare.
    """
    calls = 0
    while frame is not None:
        calls += frame.f_code is CALL
        frame = frame.f_back
    del stack[max(calls - 1, 0) :]
