"""The `nn.Module` that made each Node, by two global hooks and ranges of sequence numbers."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from inspector.module_tree import modules_below
from inspector.recorder.forward.lines import Lines
from inspector.recorder.forward.ranges import Threads, sequence_number


@dataclass(slots=True)  # frozen would take a microsecond more of every call
class ModuleCall:
    """A module that is running.

    path: from the outermost module that was called, `blocks.3.attn`; "" for that one itself. A module that no
        enclosing one has registered is written by its class, `(Linear)`.
    kind: the name of its class.
    root: index in `ModulePaths.roots` of the outermost module.
    """

    path: str
    kind: str
    root: int


@dataclass(slots=True)
class _Running:
    """An entry of the stack: a call, its module by id, and the paths of its submodules if it was not known."""

    module: int
    call: ModuleCall
    paths: dict[int, str] | None


class ModulePaths:
    """Follows module calls in every thread.

    entered: is called before each forward and told whether its module is the outermost.
    left: is called after each forward with its output.
    lines: are not traced while we work; where they sleep, a module wakes them.
    """

    def __init__(
        self, entered: Callable[[nn.Module, bool], None], left: Callable[[Any], None], lines: Lines
    ) -> None:
        self.ranges: Threads[ModuleCall] = Threads()
        self.roots: list[weakref.ref[nn.Module]] = []
        self._entered, self._left, self._lines = entered, left, lines
        self._local = threading.local()
        self._handles: list[Any] = []

    def start(self) -> None:
        """Install the hooks."""
        self._handles = [
            register_module_forward_pre_hook(self._before),
            register_module_forward_hook(self._after, always_call=True),  # also when forward raises
        ]

    def stop(self) -> None:
        """Remove the hooks; what runs now runs on outside of modules, as far as is known."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.ranges.here.mark(sequence_number(), None)
        self._stack.clear()

    @property
    def _stack(self) -> list[_Running]:
        try:
            stack: list[_Running] = self._local.stack
        except AttributeError:
            stack = self._local.stack = []
        return stack

    def _before(self, module: nn.Module, arguments: Any) -> None:
        if torch.compiler.is_compiling():
            return
        paused = self._lines.pause()
        outermost = False
        try:
            stack = self._stack
            running = self._enter(module, stack)
            outermost = not stack
            self._entered(module, outermost)
            stack.append(running)
            self.ranges.here.mark(sequence_number(), running.call)
        except Exception as error:
            self._lines.fail(error)
        finally:
            self._lines.resume(paused, None)
        if outermost or sys.gettrace() is None:
            self._lines.wake(sys._getframe(1))

    def _after(self, module: nn.Module, arguments: Any, output: Any) -> None:
        if torch.compiler.is_compiling():
            return
        paused = self._lines.pause()
        try:
            stack = self._stack
            position = len(stack) - 1
            while position >= 0 and stack[position].module != id(module):
                position -= 1
            if position >= 0:  # else it was called before the hooks were there
                del stack[position:]  # what lies above ended with an exception that runs no hooks
                self.ranges.here.mark(sequence_number(), stack[-1].call if stack else None)
                self._left(output)
        except Exception as error:
            self._lines.fail(error)
        finally:
            self._lines.resume(paused, None)

    def _enter(self, module: nn.Module, stack: list[_Running]) -> _Running:
        path = _registered(module, stack)
        if stack and (path is None or path == ""):  # an outermost module again, or one that is in no other
            _drop_ended(stack, sys._getframe(2))
            path = _registered(module, stack)
        kind = type(module).__name__
        if path is not None:
            return _Running(id(module), ModuleCall(path, kind, stack[0].call.root), None)
        if not stack:
            return _Running(id(module), ModuleCall("", kind, self._root(module)), _paths_below(module, ""))
        around = stack[-1].call
        path = f"{around.path}.({kind})" if around.path else f"({kind})"
        return _Running(id(module), ModuleCall(path, kind, around.root), _paths_below(module, path))

    def _root(self, module: nn.Module) -> int:
        for index, reference in enumerate(self.roots):
            if reference() is module:
                return index
        self.roots.append(weakref.ref(module))
        return len(self.roots) - 1


def _paths_below(module: nn.Module, path: str) -> dict[int, str]:
    """By id, the path of `module` (given) and of all modules in it."""
    return {id(inner): name for name, inner in modules_below(module, path)}


def _registered(module: nn.Module, stack: list[_Running]) -> str | None:
    """The path of a module in the innermost running one that knows it."""
    for running in reversed(stack):
        if running.paths is not None and id(module) in running.paths:
            return running.paths[id(module)]
    return None


def _drop_ended(stack: list[_Running], frame: FrameType | None) -> None:
    """Take off the stack what ended without its hook: a KeyboardInterrupt, say, that the script caught.

    Only asked where a new outermost module appears inside of another, which is rare.
    """
    calls = 0
    while frame is not None:
        calls += frame.f_code is _CALL
        frame = frame.f_back
    del stack[max(calls - 1, 0) :]


_CALL = nn.Module._call_impl.__code__
