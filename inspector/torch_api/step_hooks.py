"""torch's global hooks of optimizer steps, shared by all recorders.

torch iterates over a dictionary of hooks in every step: to add or remove one while another thread steps raises an
error there, in the script. So there is one pair of hooks for all recorders, which stays while a thread that may be
stepping is alive, and which is not removed from within a hook.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from inspector.torch_api.compilation import skip_in_dynamo

Hook = Callable[[Optimizer, Any, Any], None]


class Counter(NamedTuple):
    """What counts the steps of a thread for the only recorder, instead of its hooks. It adds and removes none.

    before, after: called before and after a step; they return whether that is all, else the hooks are called.
    """

    thread: int
    before: Callable[[Optimizer], bool]
    after: Callable[[Optimizer], bool]


class _Known(threading.local):
    """Whether the calling thread is one of those that step."""

    here = False


class StepHooks:
    """Calls the hooks of recorders before and after each step. There is only one instance, `STEP_HOOKS`."""

    def __init__(self) -> None:
        self._pairs: tuple[tuple[Hook, Hook], ...] = ()  # replaced, never changed: threads iterate over it
        self._counter: Counter | None = None
        self._removers: list[Callable[[], None]] = []
        self._changes = threading.RLock()  # two threads may start at once; a signal may interrupt either
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()  # an identifier is used again
        self._known = _Known()
        self._busy: set[int] = set()

    def add(self, before: Hook, after: Hook) -> Callable[[], None]:
        """Call these before and after every step, until the returned function is called."""
        pair = (before, after)
        with self._changes:
            self._counter = None
            self._pairs += (pair,)
            if not self._removers:
                skip_in_dynamo(StepHooks._before, StepHooks._after)
                self._removers = [
                    register_optimizer_step_pre_hook(self._before).remove,
                    register_optimizer_step_post_hook(self._after).remove,
                ]
        return lambda: self._remove(pair)

    def count(self, counter: Counter | None) -> None:
        """Let a counter take the place of the hooks of the only recorder, from its hook after a step on, until it
        is None. Where there are several recorders, their hooks are called."""
        with self._changes:
            self._counter = counter if len(self._pairs) == 1 else None

    def _remove(self, pair: tuple[Hook, Hook]) -> None:
        with self._changes:
            self._counter = None
            self._pairs = tuple(other for other in self._pairs if other is not pair)
            if self._pairs or any(map(self._may_step, threading.enumerate())):
                return
            while self._removers:
                self._removers.pop()()
            self._threads, self._known = weakref.WeakSet(), _Known()

    def _may_step(self, thread: threading.Thread) -> bool:
        is_another = thread is not threading.current_thread()
        return (is_another and thread in self._threads) or thread.ident in self._busy

    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        counter = self._counter
        if counter is not None and counter[0] == threading.get_ident() and counter[1](optimizer):
            return
        thread = threading.get_ident()
        if not self._known.here:
            self._known.here = True
            self._threads.add(threading.current_thread())
        self._busy.add(thread)
        try:
            for before, _ in self._pairs:
                before(optimizer, args, kwargs)
        finally:  # a debugger that is left raises
            self._busy.discard(thread)

    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        counter = self._counter
        if counter is not None and counter[0] == threading.get_ident() and counter[2](optimizer):
            return
        thread = threading.get_ident()
        self._busy.add(thread)
        try:
            for _, after in self._pairs:
                after(optimizer, args, kwargs)
        finally:
            self._busy.discard(thread)


STEP_HOOKS = StepHooks()
"""The only instance."""
