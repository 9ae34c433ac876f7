"""Detect that a script uses `torch.compile`, and where compiled functions run.

Dynamo adds guards for global module hooks and modes: frames would be compiled again when they are installed or
removed, and a compiled module warns about global hooks. So there are none while a compiled function runs. A torch
that does not tell when one runs has none from then on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch

from inspector.torch_api.compilation import (
    FRAME_EVALUATION,
    compiled_regions,
    on_compilation_end,
    skip_in_dynamo,
    was_compiled,
    without_dynamo,
)
from inspector.torch_api.patch import Patch

REASON = "torch.compile is in use"


class CompiledCalls(Protocol):
    """Told of compiled functions."""

    def without_hooks(self) -> AbstractContextManager[None]:
        """While it is open, nothing of the inspector is visible to Dynamo in the calling thread."""

    def enter_compiled(self) -> bool:
        """A compiled function begins. Returns whether hooks were removed for it."""

    def leave_compiled(self) -> None:
        """A compiled function has ended."""

    def compiles_unseen(self) -> None:
        """Something was prepared for compilation, and this torch does not tell when it runs."""

    def compilation_ended(self) -> None:
        """A compilation (seconds of Python) has ended; the compiled frame has not run yet."""


class ClosedByCompilation(CompiledCalls):
    """Ends an observation at the first sign of a compilation. close: may be called again."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close

    def without_hooks(self) -> AbstractContextManager[None]:
        self._close()
        return nullcontext()

    def enter_compiled(self) -> bool:
        self._close()
        return False

    def leave_compiled(self) -> None:
        """Nothing is left to be told."""

    def compiles_unseen(self) -> None:
        self._close()

    def compilation_ended(self) -> None:
        """Nothing is left to be told."""


class CompileWatch:
    """Wraps `torch.compile`, which `nn.Module.compile` also calls, and what runs compiled functions.

    What was compiled or prepared before `start` matters only when it is called. told: until `stop`.
    """

    def __init__(self, told: CompiledCalls) -> None:
        self._told: CompiledCalls | None = told
        self._patch = Patch((torch,), "compile", self._wrapped)
        self._unregister: Callable[[], None] | None = None
        self._regions: list[Patch] | None = None

    def start(self) -> None:
        """Install the wrappers."""
        skip_in_dynamo(CompileWatch._end)
        self._patch.install()
        if was_compiled():
            self.check()

    def stop(self) -> None:
        """Restore the originals. If other code has wrapped a wrapper, it stays and only passes calls on."""
        self._told = None
        for patch in (self._patch, *(self._regions or ())):
            patch.uninstall()
        if self._unregister is not None:
            self._unregister()

    def check_prepared(self) -> None:
        """Check whether something was prepared for compilation, unless it was seen before."""
        if self._regions is None and was_compiled():
            self.check()

    def check(self) -> None:
        """Something was prepared for compilation."""
        told = self._told
        if told is None or self._regions is not None:
            return
        if not FRAME_EVALUATION.is_available:
            FRAME_EVALUATION.miss()
        self._regions = compiled_regions(self._enter, self._leave)
        for patch in self._regions or ():
            patch.install()
        if self._regions is None:
            told.compiles_unseen()
        if self._unregister is None:
            self._unregister = on_compilation_end(self._end)

    def _enter(self) -> bool:
        return self._told is not None and self._told.enter_compiled()

    def _leave(self) -> None:
        if self._told is not None:
            self._told.leave_compiled()

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def compile(*arguments: Any, **options: Any) -> Any:
            if self._told is None:
                return original(*arguments, **options)
            with self._told.without_hooks():  # it imports `torch._dynamo`, which takes seconds of Python
                compiled = original(*arguments, **options)
            self.check()
            self._end()
            return compiled

        return compile

    def _end(self, *arguments: Any) -> None:  # Dynamo passes some from torch 2.7 on
        if self._told is not None:
            without_dynamo(self._told.compilation_ended)
