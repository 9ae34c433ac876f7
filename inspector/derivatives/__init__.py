"""Local derivatives of elementary functions, as a symbol and a number. Needs no torch."""

from inspector.derivatives.local import add_local_derivatives

__all__ = ["add_local_derivatives"]
