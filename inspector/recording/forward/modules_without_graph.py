"""Find modules that were only called while grad was disabled, and the place of their first call."""

from __future__ import annotations

import sys
import weakref

import torch
from torch import nn

from inspector.graph.row_types import Source
from inspector.recording.forward.user_frames import UserFrames
from inspector.torch_api.engine import in_backward
from inspector.user_code.source_expressions import Place, SourceExpressions


class ModulesWithoutGraph:
    """Records for each module whether a call with grad enabled was seen, and else where it was called first."""

    def __init__(self, users: UserFrames, sources: SourceExpressions) -> None:
        self._users, self._sources = users, sources
        self._called: dict[int, tuple[weakref.ref[nn.Module], Place | None]] = {}

    def note(self, module: nn.Module) -> None:
        """A module is called. Calls during backward, by a checkpoint that runs again, do not count."""
        kept = self._called.get(id(module))
        known = kept is not None and kept[0]() is module
        if torch.is_grad_enabled():
            is_noted = known and kept is not None and kept[1] is None
            if not is_noted and not in_backward():
                self._called[id(module)] = weakref.ref(module), None
        elif not known:
            frame = self._users.innermost(sys._getframe(1))
            if frame is not None:
                self._called[id(module)] = weakref.ref(module), (frame.f_code, frame.f_lasti)

    def source(self, module: nn.Module) -> Source | None:
        """The user's line that called a module first, if grad was disabled in all its calls; else None."""
        kept = self._called.get(id(module))
        place = None if kept is None or kept[0]() is not module else kept[1]
        return None if place is None else self._sources.source(place)
