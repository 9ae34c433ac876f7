"""Derivatives of elementary functions, as symbols and numbers: on each edge, and of the root by its leaves.

Nothing here needs torch; sympy is imported when a graph has an edge that can have a symbol.
"""

from inspector.derivatives.edge_derivatives import add_local_derivatives
from inspector.derivatives.total_derivative import total_derivatives

__all__ = ["add_local_derivatives", "total_derivatives"]
