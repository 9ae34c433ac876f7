"""The model: one networkx graph of tensors and functions, in plain values."""

from inspector.graph.model import Graph
from inspector.graph.values import is_summary, is_unknown, unknown

__all__ = ["Graph", "is_summary", "is_unknown", "unknown"]
