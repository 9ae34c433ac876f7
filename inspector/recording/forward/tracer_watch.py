"""Remove the hooks of the inspector while torch.export, make_fx, torch.jit or torch.onnx traces the script.

Dynamo would evaluate the hooks on modules, and tracers read the frames that call an operation: to name variables,
and to note where each Node of an `fx.Graph` comes from.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch.export

from inspector.torch_api.patch import Patch
from inspector.torch_api.tracers import tracers
from inspector.util.stand_in_frames import call_as

_EXPORTS = ("export", "draft_export", "export_for_training", "export_for_inference")
"""The functions of `torch.export` that trace, besides `tracers()`. Each release of torch has some of them."""


class TracerWatch:
    """Wraps the functions that trace from `start` to `stop`.

    without_hooks: a context manager that removes all hooks of the inspector while it is open.
    """

    def __init__(self, without_hooks: Callable[[], AbstractContextManager[None]]) -> None:
        self._without_hooks: Callable[[], AbstractContextManager[None]] | None = without_hooks
        known = [(torch.export, name) for name in _EXPORTS if name in vars(torch.export)]
        self._patches = [Patch((owner,), name, self._tracing) for owner, name in (*known, *tracers())]

    def start(self) -> None:
        """Install the wrappers."""
        for patch in self._patches:
            patch.install()

    def stop(self) -> None:
        """Restore the originals. If other code has wrapped a wrapper, it stays and only passes calls on."""
        self._without_hooks = None
        for patch in self._patches:
            patch.uninstall()

    def _tracing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def trace(*arguments: Any, **options: Any) -> Any:
            if self._without_hooks is None:
                return original(*arguments, **options)
            with self._without_hooks():
                return call_as(sys._getframe(1), original, arguments, options)

        return trace
