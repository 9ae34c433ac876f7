"""Attribute Nodes to code by ranges of sequence numbers.

Every autograd Node takes the next sequence number of its thread before its kernel runs, so the Nodes created
between two moments have the numbers in between (torch: `at::sequence_number::get_and_increment`). This includes
Nodes that no Python tensor ever refers to.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from typing import Generic, TypeVar

from inspector.torch_api.nodes import sequence_counter

Item = TypeVar("Item")

sequence_number = sequence_counter()
"""The number of the next Node of this thread."""


class SequenceRanges(Generic[Item]):
    """The ranges of one thread, in the order of their numbers."""

    __slots__ = ("_items", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._items: list[Item | None] = []

    def __len__(self) -> int:
        return len(self._starts)

    def mark(self, number: int, item: Item | None) -> None:
        """Attribute Nodes from `number` on to `item` (or to nothing), until the next mark."""
        if self._starts and self._starts[-1] == number:
            self._items[-1] = item
        elif not self._items or self._items[-1] is not item:
            self._starts.append(number)
            self._items.append(item)

    def at(self, number: int) -> Item | None:
        """The item of the Node with this number."""
        index = bisect_right(self._starts, number) - 1
        return self._items[index] if index >= 0 else None

    def is_free(self, first: int, last: int) -> bool:
        """Whether Nodes with numbers from `first` to `last` have no item."""
        begin = max(bisect_right(self._starts, first) - 1, 0)
        return all(item is None for item in self._items[begin : bisect_right(self._starts, last)])

    @property
    def current(self) -> Item | None:
        """The item of Nodes from now on."""
        return self._items[-1] if self._items else None

    def closed_at(self, number: int) -> Item | None:
        """Like `at`, for another thread, whose last range is still open."""
        if not self._starts or number >= self._starts[-1]:
            return None
        return self.at(number)


class RangesByThread(Generic[Item]):
    """The ranges of every thread. Each thread numbers its Nodes from 0."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._all: list[SequenceRanges[Item]] = []

    @property
    def here(self) -> SequenceRanges[Item]:
        """The ranges of the calling thread."""
        try:
            ranges: SequenceRanges[Item] = self._local.ranges
        except AttributeError:
            ranges = self._local.ranges = SequenceRanges()
            self._all.append(ranges)
        return ranges

    def at(self, number: int) -> Item | None:
        """The item of the calling thread's Node with this number."""
        return self.here.at(number)

    @property
    def others(self) -> bool:
        """Whether another thread created Nodes."""
        mine = self.here
        return any(ranges is not mine and len(ranges) > 0 for ranges in tuple(self._all))

    def elsewhere(self, number: int) -> bool:
        """Whether another thread also created a Node with this number, so that the number alone is ambiguous."""
        mine = self.here
        if len(self._all) == 1:  # the usual case; this is called for every Node
            return False
        return any(ranges is not mine and ranges.closed_at(number) is not None for ranges in tuple(self._all))
