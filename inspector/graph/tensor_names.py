"""The names of tensors and constants that a script binds several times: `h₂` is the second `h`."""

from __future__ import annotations

from inspector.graph.row_types import Constant, Naming, TensorRow

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def numbered_name(row: TensorRow | Constant | Naming) -> str | None:
    """The name with its pass as a subscript; None if it has none."""
    name = row["name"]
    return None if name is None else name + pass_subscript(row)


def pass_subscript(row: TensorRow | Constant | Naming) -> str:
    """`₂` for the second pass; empty if the name has only one."""
    return str(row["pass"]).translate(_SUBSCRIPTS) if "pass" in row else ""
