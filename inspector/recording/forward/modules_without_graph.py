"""Modules that were never called while grad was enabled, and where they were called."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from types import CodeType, FrameType

import torch
from torch import nn

from inspector.torch_api.engine import in_backward
from inspector.user_code.source_expressions import Place


class ModulesWithoutGraph:
    """Notes calls of modules. is_users: tells the user's code."""

    def __init__(self, is_users: Callable[[CodeType], bool]) -> None:
        self._is_users = is_users
        self._called: dict[int, tuple[weakref.ref[nn.Module], Place | None]] = {}

    def note(self, module: nn.Module) -> None:
        """Note where a module is called under no_grad, until it is called otherwise; what backward calls again for
        a checkpoint does not count."""
        kept = self._called.get(id(module))
        known = kept is not None and kept[0]() is module
        if torch.is_grad_enabled():
            is_noted = known and kept is not None and kept[1] is None
            if not is_noted and not in_backward():
                self._called[id(module)] = weakref.ref(module), None
        elif not known:
            frame: FrameType | None = sys._getframe(1)
            while frame is not None and not self._is_users(frame.f_code):
                frame = frame.f_back
            if frame is not None:
                self._called[id(module)] = weakref.ref(module), (frame.f_code, frame.f_lasti)

    def place(self, module: nn.Module) -> Place | None:
        """Where a module was called first, if it was never called while grad was enabled."""
        kept = self._called.get(id(module))
        return None if kept is None or kept[0]() is not module else kept[1]
