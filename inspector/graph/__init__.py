"""The model: one networkx graph of tensors and functions, in plain values."""

from inspector.graph.json_rows import from_rows, to_rows
from inspector.graph.model import Graph, Marks
from inspector.graph.values import is_summary, is_unknown, unknown

__all__ = ["Graph", "Marks", "from_rows", "is_summary", "is_unknown", "to_rows", "unknown"]
