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

from inspector.recorder.forward.ranges import Threads, sequence_number


@dataclass(frozen=True, slots=True)
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
    fail: is given an error of ours.
    """

    def __init__(
        self,
        entered: Callable[[nn.Module, bool], None],
        left: Callable[[Any], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self.ranges: Threads[ModuleCall] = Threads()
        self.roots: list[weakref.ref[nn.Module]] = []
        self._entered, self._left, self._fail = entered, left, fail
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
        try:
            stack = self._stack
            running = self._enter(module, stack)
            self._entered(module, not stack)
            stack.append(running)
            self.ranges.here.mark(sequence_number(), running.call)
        except Exception as error:
            self._fail(error)

    def _after(self, module: nn.Module, arguments: Any, output: Any) -> None:
        if torch.compiler.is_compiling():
            return
        try:
            stack = self._stack
            position = next((i for i in reversed(range(len(stack))) if stack[i].module == id(module)), None)
            if position is None:  # it was called before the hooks were there
                return
            del stack[position:]  # what lies above ended with an exception that runs no hooks
            self.ranges.here.mark(sequence_number(), stack[-1].call if stack else None)
            self._left(output)
        except Exception as error:
            self._fail(error)

    def _enter(self, module: nn.Module, stack: list[_Running]) -> _Running:
        path = _registered(module, stack)
        if stack and (path is None or path == ""):  # an outermost module again, or one that is in no other
            _drop_ended(stack, sys._getframe(2))
            path = _registered(module, stack)
        kind = type(module).__name__
        if path is not None:
            return _Running(id(module), ModuleCall(path, kind, stack[0].call.root), None)
        if not stack:
            return _Running(id(module), ModuleCall("", kind, self._root(module)), paths_below(module, ""))
        around = stack[-1].call
        path = f"{around.path}.({kind})" if around.path else f"({kind})"
        return _Running(id(module), ModuleCall(path, kind, around.root), paths_below(module, path))

    def _root(self, module: nn.Module) -> int:
        for index, reference in enumerate(self.roots):
            if reference() is module:
                return index
        self.roots.append(weakref.ref(module))
        return len(self.roots) - 1


def paths_below(module: nn.Module, path: str) -> dict[int, str]:
    """By id, the path of `module` (given) and of all modules in it; for a shared one the first, depth first.

    Not by `named_modules`: that is the user's to override, and does not end where a module contains itself.
    """
    paths: dict[int, str] = {}
    waiting = [(module, path)]
    while waiting:
        current, name = waiting.pop()
        if id(current) in paths:
            continue
        paths[id(current)] = name
        prefix = f"{name}." if name else ""
        children = [(child, prefix + key) for key, child in current._modules.items() if child is not None]
        waiting.extend(reversed(children))
    return paths


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
