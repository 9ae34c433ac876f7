"""Tensors to plain values (`inspector.graph.values`), with one read-back from a device for many tensors.

A tensor handed to a `Batch` is reduced at once, where it lives, so that it need not be kept; the numbers come
back together at `Batch.read`. Nothing here is seen by the user's program: no grad mode, no modes, no random
numbers, no version counter.
"""

from inspector.summaries.batch import NOTHING, Batch, Level, Norm, Pending
from inspector.summaries.elements import Memory, device_name, dtype_name, is_shared, memory_of, overlap
from inspector.summaries.statistics import NormFacts, quick_norm

__all__ = [
    "NOTHING",
    "Batch",
    "Level",
    "Memory",
    "Norm",
    "NormFacts",
    "Pending",
    "device_name",
    "dtype_name",
    "is_shared",
    "memory_of",
    "overlap",
    "quick_norm",
]
