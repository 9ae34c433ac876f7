"""Sees that a script uses `torch.compile`, before the first frame is compiled.

Global module hooks and modes of ours would be guarded on by Dynamo: frames would be compiled again when they
come or go, and `torch.compile(module)` warns of global hooks. So they come off first.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any

import torch

from inspector.recorder.dynamo import hide_alone, unseen

REASON = "torch.compile is in use"

_ENTRANCES = ("OptimizeContext.__init__", "_TorchDynamoContext.__call__.<locals>.compile_wrapper")


def is_entrance(code: CodeType) -> bool:
    """Whether a function with this code means that something is compiled: however the script came to it.

    `torch._dynamo.disable`, which optimizers call, is none.
    """
    return code.co_qualname in _ENTRANCES and code.co_filename.endswith("eval_frame.py")


def was_used() -> bool:
    """Whether something was made for compilation already; importing `torch._dynamo` alone is no sign of it."""
    eval_frame = sys.modules.get("torch._dynamo.eval_frame")
    backends = getattr(eval_frame, "cached_backends", {})
    return any(backend is not None for backend in backends.values())  # None: `torch._dynamo.disable`


class CompileWatch:
    """Stands before `torch.compile`, which `nn.Module.compile` calls too, and hears when a compilation ends.

    seen: is called once, before anything is compiled.
    compiled: is called after each compilation, which takes seconds of Python, before the compiled frame runs.
    """

    def __init__(self, seen: Callable[[], None], compiled: Callable[[], None]) -> None:
        self._seen: Callable[[], None] | None = seen
        self._compiled: Callable[[], None] | None = compiled
        self._original: Any = None
        self._wrapper: Any = None
        self._handler: Any = None

    def start(self) -> None:
        """Put the wrapper there."""
        hide_alone(CompileWatch._end)
        original = self._original = torch.compile

        @functools.wraps(original)
        def compile(*arguments: Any, **options: Any) -> Any:
            self.see()
            made = original(*arguments, **options)
            self.see()  # now `torch._dynamo` is imported, which took seconds of Python too
            self._end(None)
            return made

        self._wrapper = torch.compile = compile
        if was_used():
            self.see()

    def stop(self) -> None:
        """Put the original back, unless somebody has put theirs over ours; ours then only calls it."""
        self._seen = self._compiled = None
        if torch.compile is self._wrapper:
            torch.compile = self._original
        if self._handler is not None and self._end in self._handler.end_callbacks:
            self._handler.remove_end_callback(self._end)

    def see(self) -> None:
        """Something is, or is about to be, made for compilation."""
        if self._seen is None:
            return
        self._seen()
        if self._handler is None:
            dynamo = sys.modules.get("torch._dynamo")
            self._handler = getattr(dynamo, "callback_handler", None)  # None while it is being imported
            if self._handler is not None:
                self._handler.register_end_callback(self._end)

    def _end(self, arguments: Any) -> None:
        if self._compiled is not None:
            unseen(self._compiled)
