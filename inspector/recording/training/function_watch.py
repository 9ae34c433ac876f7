"""Report calls of functions of torch, with temporary wrappers."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from inspector.torch_api.compilation import skip_in_dynamo, without_dynamo
from inspector.torch_api.modes import hidden
from inspector.torch_api.patch import Patch
from inspector.torch_api.tracers import is_tracing
from inspector.util.own_tracing import untraced
from inspector.util.stand_in_frames import call_as, hide_call, without_stand_ins

After = Callable[[tuple[Any, ...], FrameType | None], None]
Before = Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, ...]]


class FunctionWatch:
    """Reports calls of functions from `install` to `uninstall`. fail: called with internal errors."""

    def __init__(self, fail: Callable[[Exception], None]) -> None:
        self._fail = fail
        self._patches: list[Patch] = []
        self._removers: list[Callable[[], None]] = []
        self.is_on = False

    def add(self, owners: tuple[Any, ...], name: str, after: After, before: Before | None = None) -> None:
        """Call `after` after each call of a function, with its arguments and the frame that called it.

        Calls that raise are reported too: such a call may be the last of a script.
        before: called before it, with its arguments; returns the positional arguments to call it with, and may
        change the keyword arguments.
        """
        patch = Patch(owners, name, functools.partial(self._watched, after, before))
        self._patches.append(patch)
        patch.install()

    def add_hook(self, remove: Callable[[], None]) -> None:
        """Add a hook that torch calls. remove: removes it."""
        self._removers.append(remove)

    def uninstall(self) -> None:
        """Remove the wrappers. If other code has wrapped one since, it stays and only passes calls on."""
        self.is_on = False
        while self._removers:
            self._removers.pop()()
        while self._patches:
            self._patches.pop().uninstall()

    def _watched(self, after: After, before: Before | None, original: Callable[..., Any]) -> Callable[..., Any]:
        watch = self

        @functools.wraps(original)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if not watch.is_on:  # other code has wrapped this wrapper
                return original(*args, **kwargs)
            if before is not None:
                args = without_dynamo(watch._arguments, before, args, kwargs)
            caller = sys._getframe(1)
            try:
                return call_as(caller, original, args, kwargs)
            except BaseException as error:
                hide_call(error)
                raise
            finally:
                without_dynamo(watch.notify, after, args, kwargs, without_stand_ins(caller))

        skip_in_dynamo(watched)
        return watched

    def _arguments(self, before: Before, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            with untraced():
                if not self.is_on or is_tracing():
                    return args
                with hidden():
                    return before(args, kwargs)
        except Exception as error:
            self._fail(error)
            return args

    def notify(self, after: After, args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType | None) -> None:
        """Call `after`, unless torch traces the call, or the watch is off (other code may still call a removed
        wrapper)."""
        if not self.is_on:
            return
        try:
            with untraced():
                if not is_tracing():
                    with hidden():
                        after((*args, *kwargs.values()), frame)
        except Exception as error:
            self._fail(error)
