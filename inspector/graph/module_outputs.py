"""Which tensors are the outputs of modules."""

from __future__ import annotations

from inspector.graph.topology import Topology


def output_of(of: Topology, function: str | None) -> str:
    """`out of 0.2` for what a function gave to the outside of its module; empty if it stays inside, and without a
    module.

    function: the id of the grad_fn of a tensor; None for a leaf.
    """
    position = None if function is None else of.index.get(function)
    module = None if position is None else of.functions.modules[position]
    if position is None or not isinstance(module, str) or not module:
        return ""
    users = (of.functions.modules[user] for user in of.arrivals.of(position))
    is_inside = any(isinstance(user, str) and f"{user}.".startswith(f"{module}.") for user in users)
    return "" if is_inside else f"out of {module}"
