"""Derivatives of elementary functions as symbols and numbers: local ones on each edge, total ones for each leaf.

No torch needed. sympy is only imported if a graph has an edge that can have a symbol.
"""

from inspector.derivatives.added_rows import AddedRows, add_rows, derive_rows
from inspector.derivatives.edge_derivatives import add_local_derivatives, may_have_symbols
from inspector.derivatives.total_derivative import total_derivatives

__all__ = [
    "AddedRows",
    "add_local_derivatives",
    "add_rows",
    "derive_rows",
    "may_have_symbols",
    "total_derivatives",
]
