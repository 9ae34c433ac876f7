"""The derivative of the root with respect to each scalar leaf, in symbols: `v + 2*u` for f = u*v + u**2.

This is backward in sympy: local derivatives from the tables are multiplied along edges and added where edges meet.
The result is written in terms of the leaves if that is short, otherwise with the names of the script. It is kept
only if its value equals the gradient measured at the leaf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from inspector.derivatives.elementary import find_elementary, find_reduction, keeps_elements
from inspector.derivatives.forward_reconstruction import ForwardReconstruction
from inspector.derivatives.small_tensor import ROUNDING, small_tensor, values_agree
from inspector.graph import Graph
from inspector.graph.row_types import Local, NextEdge
from inspector.graph.topology import Pair

if TYPE_CHECKING:
    from inspector.derivatives.symbol_table import SymbolTable

MOST_FUNCTIONS = 60
"""Maximum number of functions; in a larger graph a total derivative does not fit on one line."""

_SHORT, _LONGEST = 32, 130
"""Maximum number of characters of a derivative in terms of the leaves, and with the names of the script."""

_MOST_OPERATIONS = 200


class _Sum(Struct):
    """The gradient that arrived at a tensor, term by term in the order of the edges."""

    terms: list[Any]

    @property
    def total(self) -> Any:
        import sympy

        return sympy.Add(*self.terms)

    @property
    def beginning(self) -> list[Any]:
        """The terms with which a printed sum should begin: one per path, if there are several simple ones."""
        plain = not any(term.is_Add or term.is_number for term in self.terms[:1])
        return self.terms if plain and len(self.terms) > 1 else []


def total_derivatives(graph: Graph) -> dict[str, Local]:
    """`{"symbol": "v + 2*u", "value": 4.0}` by the id of each scalar leaf whose derivative is known.

    In a small graph they are already stored at the leaves, as `derivative`. Empty if there are several roots, if
    the root is not a single number, and for a graph of more than 60 functions.
    """
    return {leaf: row["derivative"] for leaf, row in graph.tensors() if "derivative" in row}


def add_totals(forward: ForwardReconstruction) -> None:
    """Set `derivative` on every scalar leaf whose total derivative is known."""
    for leaf, derivative in _totals(forward).items():
        forward.nodes[leaf]["derivative"] = derivative


def _totals(forward: ForwardReconstruction) -> dict[str, Local]:
    root = root_pair(forward)
    if root is None or not _is_worth_it(forward):
        return {}
    from inspector.derivatives.symbol_table import SymbolTable, brackets_kept

    found: dict[str, Local] = {}
    with brackets_kept():
        in_leaves, in_names = SymbolTable(forward, expand=True, longest=_SHORT), SymbolTable(forward)
        for symbols, longest in ((in_leaves, _SHORT), (in_names, _LONGEST)):
            sums = _flow(symbols, forward, root)
            for leaf, pair in forward.leaves():
                if leaf not in found and pair in sums:
                    total = _written(symbols, forward, root, leaf, sums[pair])
                    if total is not None and len(total["symbol"] or "") <= longest:
                        found[leaf] = total
                        symbols.define(symbols.names([sums[pair].total]))
    return found


def root_pair(forward: ForwardReconstruction) -> Pair | None:
    """The root of a graph, if there is only one and it is a number; a root is not used by any other function."""
    roots = {function for function in forward.order if not any(forward.uses(function))}
    if len(roots) != 1:
        return None
    (function,) = roots
    found = [row for row in (forward.tensor((function, 0)),) if row is not None and not row["shape"]]
    return (function, 0) if found and not found[0]["is_leaf"] else None


def _is_worth_it(forward: ForwardReconstruction) -> bool:
    """Whether there is a scalar leaf, and few enough functions."""
    functions = [row for _, row in forward.nodes.items() if row["kind"] == "function"]
    scalars = any(not forward.nodes[leaf]["shape"] for leaf, _ in forward.leaves())
    return scalars and len(functions) <= MOST_FUNCTIONS


def _flow(symbols: SymbolTable, forward: ForwardReconstruction, root: Pair) -> dict[Pair, _Sum]:
    """d root / d tensor for every scalar that the tables reach; none beyond an edge without an entry."""
    import sympy

    sums = {root: _Sum([sympy.Integer(1)])}
    blocked: set[Pair] = set()
    for function in reversed(forward.order):
        pair = (function, 0)
        if pair not in sums and pair not in blocked:
            continue
        upstream = sums[pair].total if pair in sums else None
        for target, edge in sorted(forward.edges(function), key=lambda item: item[1]["slot"]):
            into = (target, edge["input_nr"])
            local = None if upstream is None else _local(symbols, forward, function, edge, into)
            if local is None or into in blocked or _is_long(local):
                blocked.add(into)
                sums.pop(into, None)
            else:
                sums.setdefault(into, _Sum([])).terms.append(local * upstream)
    return sums


def _local(
    symbols: SymbolTable, forward: ForwardReconstruction, function: str, edge: NextEdge, into: Pair
) -> Any:
    """The derivative of a scalar function with respect to an input; None if the tables have none."""
    row, slot = forward.function(function), edge["slot"]
    value = forward.value((function, 0))
    if value is None or value.shape:
        return None
    if keeps_elements(row, forward.shape(into)):
        return symbols.derivative(function, "self", "1")
    entry = find_elementary(row) or find_reduction(row)
    if entry is None or slot >= len(entry.derivatives):
        return None
    name, text = list(entry.derivatives.items())[slot]
    return symbols.derivative(function, name, forward.at_kink(function).get(name, text))


def _is_long(expression: Any) -> bool:
    """Whether an expression has too many operations to be shown, or sympy cannot count them."""
    try:
        return bool(expression.count_ops() > _MOST_OPERATIONS)
    except (ArithmeticError, TypeError, ValueError, RecursionError):
        return True


def _written(
    symbols: SymbolTable, forward: ForwardReconstruction, root: Pair, leaf: str, found: _Sum
) -> Local | None:
    """The derivative at a leaf as a row; None if it differs from the measured one or is too long."""
    from inspector.derivatives.expression_printer import print_expression
    from inspector.derivatives.symbol_table import number_at

    row = forward.nodes[leaf]
    total = found.total
    if row["shape"] or _is_long(total):
        return None
    value = number_at(total, symbols.values)
    seed, measured = small_tensor(forward.nodes[root[0]]["gradient"]), small_tensor(row["gradient"])
    if seed is None or measured is None or value.shape:
        return None
    if not values_agree(value.item() * seed.item(), measured.item(), ROUNDING):
        return None
    names = symbols.names([total])
    if any(forward.tensor((symbols.aliases[alias][0], 1)) is not None for alias in names):
        return None  # one name for two outputs
    return {"symbol": print_expression(total, names, found.beginning), "value": value.item()}
