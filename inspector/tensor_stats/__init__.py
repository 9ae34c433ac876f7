"""Tensors to plain values (`inspector.graph.values`), with one read-back from a device for many tensors.

A tensor handed to a `Batch` is reduced at once, where it lives, so that it need not be kept; the numbers come
back together at `Batch.read`. Nothing here is seen by the user's program: no grad mode, no modes, no random
numbers, no version counter.
"""

from inspector.tensor_stats.batch import NOTHING, Batch, Level, Pending, PendingNorm
from inspector.tensor_stats.plain_tensor import Memory, device_name, dtype_name, is_shared, memory_of, overlap
from inspector.tensor_stats.statistics import NormFacts, quick_norm

__all__ = [
    "NOTHING",
    "Batch",
    "Level",
    "Memory",
    "NormFacts",
    "Pending",
    "PendingNorm",
    "device_name",
    "dtype_name",
    "is_shared",
    "memory_of",
    "overlap",
    "quick_norm",
]
