"""Convert tensors to plain values (`inspector.graph.values`), with one read-back from a device for many tensors.

A tensor added to a `Batch` is reduced immediately on its own device, so that it is not kept alive; `Batch.read`
reads all numbers back together. The user's program is not affected: grad mode, modes, random numbers and version
counters do not change.
"""

from inspector.tensor_stats.batch import NOTHING, Batch, Level, Pending, PendingNorm
from inspector.tensor_stats.plain_tensor import (
    Memory,
    device_name,
    dtype_name,
    inner_tensors,
    is_ordinary,
    is_shared,
    memory_of,
    overlap,
)
from inspector.tensor_stats.row_norms import RowNorms, outstanding_rows, row_norms
from inspector.tensor_stats.statistics import NormFacts, quick_norm

__all__ = [
    "NOTHING",
    "Batch",
    "Level",
    "Memory",
    "NormFacts",
    "Pending",
    "PendingNorm",
    "RowNorms",
    "device_name",
    "dtype_name",
    "inner_tensors",
    "is_ordinary",
    "is_shared",
    "memory_of",
    "outstanding_rows",
    "overlap",
    "quick_norm",
    "row_norms",
]
