"""The leaves whose grads other threads may be writing now.

torch replaces the grad of a leaf without holding the GIL. The threads of a script know which model is whose. The
inspector, which asks for the grads of all models, could read one just as it is replaced, and the process would
crash. So the grads that another thread may write are not read.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable

import torch

_FEW_THREADS = 2
"""The main thread, and one that trains."""


class LeavesInUse:
    """The leaves of the engine calls that are running, by the thread that called the engine.

    Whoever reads grads holds the lock under which calls begin and end, so that no call begins in between.
    """

    def __init__(self) -> None:
        self._calls: dict[int, frozenset[int] | None] = {}
        self._threads: set[int] = set()
        self._is_closed = False
        self._readers: weakref.WeakSet[object] = weakref.WeakSet()

    def opens(self) -> None:
        """A recording begins."""
        if not self._calls and not self._readers:
            self._threads.clear()

    def add_reader(self, reader: object) -> None:
        """A flight recorder begins, which goes on when other recordings begin."""
        self._readers.add(reader)

    def remove_reader(self, reader: object) -> None:
        """A flight recorder has ended."""
        self._readers.discard(reader)

    def closes(self) -> None:
        """The recording ends: calls that begin later are not registered, while those that have begun go on."""
        self._is_closed = bool(self._calls)

    def begins(self, leaves: Iterable[torch.Tensor] | None) -> None:
        """The calling thread is about to run the engine. leaves: of its graph; None if they are not known."""
        found = None if leaves is None else frozenset(map(id, leaves))
        self._calls[threading.get_ident()] = found

    def ended(self) -> None:
        """The engine has run in the calling thread."""
        self._calls.pop(threading.get_ident(), None)
        self._is_closed = self._is_closed and bool(self._calls)

    def __contains__(self, leaf: torch.Tensor) -> bool:
        """Whether another thread may be writing the grad of `leaf`, which is in the graph of this thread."""
        if self._is_closed:
            return True
        if not self._calls:
            return False
        mine = threading.get_ident()
        others = [leaves for thread, leaves in list(self._calls.items()) if thread != mine]
        return any(leaves is None or id(leaf) in leaves for leaves in others)

    @property
    def may_be_elsewhere(self) -> bool:
        """Whether other threads may be writing the grads of leaves outside of the graph of this thread: several
        threads have run backward, or this one is one of several beside the main thread."""
        mine = threading.get_ident()
        self._threads.add(mine)
        if len(self._threads) > 1 or self._is_closed:
            return True
        return mine != threading.main_thread().ident and threading.active_count() > _FEW_THREADS


LEAVES_IN_USE = LeavesInUse()
"""The only instance."""
