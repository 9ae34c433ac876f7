"""Derivatives of elementary functions as symbols and numbers: local ones on each edge, total ones for each leaf.

No torch needed. sympy is only imported if a graph has an edge that can have a symbol.
"""

from inspector.derivatives.edge_derivatives import add_local_derivatives
from inspector.derivatives.total_derivative import total_derivatives

__all__ = ["add_local_derivatives", "total_derivatives"]
