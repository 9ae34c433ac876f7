"""Find the `nn.Module` that created each Node, with two global hooks and ranges of sequence numbers."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from msgspec import Struct
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from inspector.recording.forward.called_modules import CalledModules, ModuleCall, is_sequence
from inspector.recording.forward.line_tracer import LineTracer
from inspector.recording.forward.sequence_ranges import RangesByThread, sequence_number
from inspector.torch_api.modules import CALL, children_of
from inspector.torch_api.tracers import is_tracing
from inspector.user_code.module_tree import module_tree, modules_below

_Paths = dict[int, str]
"""The paths of the modules registered in a module, by id."""


class _Running(Struct):
    """An entry of the stack.

    module: the id of the module. reference: does not keep it alive if a call ends without its hook.
    known: the paths of the modules registered in it, or in the enclosing module if that one contains it.
    kept: the paths of the modules that it keeps in lists and dicts; None if they were not needed yet.
    """

    module: int
    reference: weakref.ref[nn.Module]
    call: ModuleCall
    known: _Paths
    kept: _Paths | None = None


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

    def pause(self) -> None:
        """Remove the hooks until the next `start`; modules that are running still do then."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def stop(self) -> None:
        """Remove the hooks; modules that are running count as left."""
        self.pause()
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
            known, key = stack[-1].known if stack else _NO_PATHS, id(module)
            if path := known.get(key):  # the usual case: it is registered in the enclosing module
                running = self._running(module, path, known, stack)
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
        known = _paths_containing(key, stack)
        if stack and (known is None or not known[key]):  # outermost again, or not registered in another
            _drop_ended(stack, sys._getframe(2))
            known = _paths_containing(key, stack)
        if known is None:
            path = _path_if_kept(module, stack) if stack else ""
            if path is None and is_sequence(module) and _are_known(module, stack[-1].known):
                return _Running(key, weakref.ref(module), stack[-1].call, stack[-1].known)  # `layers[:3]`
            path = _of_class(module, stack[-1].call) if path is None else path
            known = {id(inner): name for name, inner in modules_below(module, path)}
        return self._running(module, known[key], known, stack)

    def _running(self, module: nn.Module, path: str, known: _Paths, stack: list[_Running]) -> _Running:
        """The entry of a call that starts now."""
        around = None
        if stack:
            around, root = stack[-1].call, stack[-1].call.root
            if path.rpartition(".")[0] != around.path:
                path = _path_within(module, path, stack[-1])
        else:
            root = self._called.root_index(module)
        call = ModuleCall(path, root, next(self._called.numbers), around)
        return _Running(id(module), weakref.ref(module), call, known)


_NO_PATHS: _Paths = {}


def _path_within(module: nn.Module, path: str, around: _Running) -> str:
    """The path of a module that several modules share, through the one that calls it; `path` if that one does not
    hold it."""
    outer, holder = around.call.path, around.reference()
    if not outer or path.startswith(f"{outer}.") or holder is None:
        return path
    names = (name for name, child in (children_of(holder) or {}).items() if child is module)
    name = next(names, None)
    return path if name is None else f"{outer}.{name}"


def _are_known(module: nn.Module, known: _Paths) -> bool:
    """Whether all that a module contains has a path in the module that runs."""
    return all(id(child) in known for child in (children_of(module) or {}).values())


def _path_if_kept(module: nn.Module, stack: list[_Running]) -> str | None:
    """The path of a module that is not registered in any running one: `layers[0]` if a list of a running module
    holds it, else None."""
    for running in reversed(stack):
        holder = running.reference()
        if running.kept is None:
            found = [] if holder is None else module_tree(holder).unregistered
            running.kept = {id(item): path for path, item, _ in found if isinstance(item, nn.Module)}
        if path := running.kept.get(id(module)):
            return f"{running.call.path}.{path}" if running.call.path else path
    return None


def _of_class(module: nn.Module, around: ModuleCall) -> str:
    """The path of a module that has none in the one that runs: its class, `(Linear)`."""
    kind = type(module).__name__
    return f"{around.path}.({kind})" if around.path else f"({kind})"


def _paths_containing(key: int, stack: list[_Running]) -> _Paths | None:
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
