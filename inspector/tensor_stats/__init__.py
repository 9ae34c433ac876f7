"""Convert tensors to plain values (`inspector.graph.values`), with one read-back from a device for many tensors.

A tensor added to a `Batch` is reduced at once on its own device, so that it need not be kept; the numbers are read
back together by `Batch.read`. The user's program is not affected: no change to grad mode, modes, random numbers or
version counters.
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
