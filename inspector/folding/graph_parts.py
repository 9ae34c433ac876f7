"""Parts of a graph in columns: there may be a million."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy


class GraphParts(Sequence[Any]):
    """Parts without a common function: the k-th has the functions flat[starts[k] : starts[k + 1]], ascending."""

    __slots__ = ("flat", "starts")

    def __init__(self, flat: Any, starts: Any) -> None:
        self.flat, self.starts = flat, starts

    @classmethod
    def of(cls, flat: Any, owners: Any, count: int) -> GraphParts:
        """The parts, given functions in any order and the number of the part of each, all below `count`."""
        order = numpy.lexsort((flat, owners))
        ends = numpy.cumsum(numpy.bincount(owners, minlength=count))
        return cls(flat[order], numpy.concatenate(([0], ends)))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: Any) -> Any:
        """The functions of one part, an array."""
        index = range(len(self))[index]
        return self.flat[self.starts[index] : self.starts[index + 1]]

    @property
    def sizes(self) -> Any:
        """The number of functions of each part."""
        return self.starts[1:] - self.starts[:-1]

    @property
    def owners(self) -> Any:
        """The number of the part of each function in `flat`."""
        return numpy.repeat(numpy.arange(len(self), dtype=numpy.int32), self.sizes)

    def some(self, indexes: Any) -> GraphParts:
        """Some of the parts. indexes: an array."""
        if len(indexes) == len(self):
            return self
        sizes = self.sizes[indexes]
        ends = numpy.cumsum(sizes)
        shifts = numpy.repeat(self.starts[indexes] - ends + sizes, sizes)
        return GraphParts(self.flat[shifts + numpy.arange(len(shifts))], numpy.concatenate(([0], ends)))
