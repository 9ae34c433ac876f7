"""Detect that a script uses `torch.compile` before the first frame is compiled.

Dynamo adds guards for global module hooks and modes: frames would be compiled again when they are installed or
removed, and `torch.compile(module)` warns about global hooks. So they are removed first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from inspector.torch_api.compilation import (
    FRAME_EVALUATION,
    compiled_calls,
    on_compilation_end,
    skip_in_dynamo,
    was_compiled,
    without_dynamo,
)
from inspector.torch_api.patch import Patch

REASON = "torch.compile is in use"


class CompileWatch:
    """Wraps `torch.compile`, which `nn.Module.compile` also calls, and is notified when a compilation ends.

    What was compiled or prepared before `start` matters only when it is called.

    on_start: called before the first compilation, and again by each `check`.
    on_end: called after each compilation (seconds of Python), before the compiled frame runs.
    """

    def __init__(self, on_start: Callable[[], None], on_end: Callable[[], None]) -> None:
        self._on_start: Callable[[], None] | None = on_start
        self._on_end: Callable[[], None] | None = on_end
        self._patch = Patch((torch,), "compile", self._wrapped)
        self._unregister: Callable[[], None] | None = None
        self._calls: list[Patch] | None = None

    def start(self) -> None:
        """Install the wrapper."""
        skip_in_dynamo(CompileWatch._end)
        self._patch.install()
        if was_compiled():
            self._calls = compiled_calls(self.check)
            if self._calls is None:
                self.check()
            for patch in self._calls or ():
                patch.install()

    def stop(self) -> None:
        """Restore the original. If other code has wrapped the wrapper, it stays and only passes calls on."""
        self._on_start = self._on_end = None
        self._patch.uninstall()
        for patch in self._calls or ():
            patch.uninstall()
        if self._unregister is not None:
            self._unregister()

    def check_prepared(self) -> None:
        """Check whether something was prepared for compilation, unless each call of it is seen anyway."""
        if self._calls is None and was_compiled():
            self.check()

    def check(self) -> None:
        """Something was, or is about to be, prepared for compilation."""
        if self._on_start is None:
            return
        if not FRAME_EVALUATION.is_available:
            FRAME_EVALUATION.miss()
        self._on_start()
        if self._unregister is None:
            self._unregister = on_compilation_end(self._end)

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def compile(*arguments: Any, **options: Any) -> Any:
            self.check()
            compiled = original(*arguments, **options)
            self.check()  # `torch._dynamo` is imported only now, which took seconds of Python too
            self._end()
            return compiled

        return compile

    def _end(self, *arguments: Any) -> None:  # Dynamo passes some from torch 2.7 on
        if self._on_end is not None:
            without_dynamo(self._on_end)
