"""Gates that stand for several Nodes which one writes as one: `·ᵀ`, `1÷`, and what only multiplies by 1."""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from inspector.graph import Graph
from inspector.graph.node_names import op_of
from inspector.graph.row_types import NextEdge
from inspector.graph.topology import topology_of
from inspector.styles.gates import SIGNS, TRANSPOSE, Gate, sign_with_constant
from inspector.styles.operands import Operand, operands_of
from inspector.styles.shown_name import shown_name

Gates = dict[str, Gate]
_RESHAPE = "reshape"
_PRODUCT_SIGNS = {"·", "ᵀ·", "·ᵀ", "· +", "x Wᵀ + b"}
_SAME = "="
"""The sign of a Node whose result is its operand under another name."""
_PRODUCTS = {"·": ("ᵀ·", "·ᵀ"), "· +": ("", "", "x Wᵀ + b")}
"""The sign of a product → its signs if the operand in each place is transposed; empty for none."""
_FACTOR = re.compile(r"(?:[\w.]+|\([^()]*\))ᵀ?(?=\s|$)")
"""A factor of a product of matrices: a name or a sum in brackets, perhaps transposed."""


def composed(graph: Graph, gates: Gates) -> Gates:
    """The gates, with those that one writes as one."""
    joined = _without_reshapes(graph, _without_transposes(gates))
    return _without_identities(graph, _without_reciprocals(graph, joined))


def has_identities(graph: Graph) -> bool:
    """Whether a graph has Nodes that only multiply by 1 or take the first power, as the graph of a derivative."""
    return any(_is_identity(graph, key) for key, node in graph.functions() if not node["is_leaf"])


def _readers(gates: Gates) -> dict[str, list[Operand]]:
    """Function → the operands that are its outputs."""
    readers: dict[str, list[Operand]] = {}
    for gate in gates.values():
        for operand in gate.operands:
            if operand.output is not None:
                readers.setdefault(operand.output[0], []).append(operand)
    return readers


def _without_transposes(gates: Gates) -> Gates:
    """The gates, with every transpose that only a product of matrices reads as a part of that product's sign."""
    readers, found = _readers(gates), dict(gates)
    for identifier, gate in gates.items():
        read = readers.get(identifier, [])
        if gate.sign != TRANSPOSE or len(read) != 1 or len(gate.operands) != 1:
            continue
        reader, own = read[0].user, gate.operands[0]
        signs = _PRODUCTS.get(found[reader].sign)
        if signs and own.edge and read[0].edge and read[0].position < len(signs) and signs[read[0].position]:
            edge = _edge_past_transpose(own.edge, read[0].edge)
            moved = replace(own, user=reader, position=read[0].position, edge=edge)
            operands = tuple(moved if operand == read[0] else operand for operand in found[reader].operands)
            found[reader] = Gate(signs[read[0].position], operands)
            del found[identifier]
    return found


def _without_reciprocals(graph: Graph, gates: Gates) -> Gates:
    """The gates, with the two Nodes of `1 / x`, a reciprocal and a product, as one."""
    readers, found = _readers(gates), dict(gates)
    for identifier, gate in gates.items():
        read = readers.get(identifier, [])
        if gate.sign != SIGNS["reciprocal"] or len(read) != 1:
            continue
        reader, (own,) = read[0].user, gate.operands
        numbers = [one.constant for one in operands_of(graph, reader) if one.constant is not None]
        is_product = op_of(graph.function(reader)["name"]).partition(".")[0] == "mul"
        if is_product and len(numbers) == 1 and len(found[reader].operands) == 1 and own.edge is not None:
            sign = sign_with_constant("div", 0, numbers[0])
            operand = replace(own, user=reader, edge={**own.edge, "slot": 0})
            found[reader] = Gate(sign, (operand,), (reader, identifier), found[reader].named)
            del found[identifier]
    return found


def _without_reshapes(graph: Graph, gates: Gates) -> Gates:
    """The gates, with each product for which torch reshapes a factor, and the result back, as one: `x @ A` of a
    vector."""
    found = dict(gates)
    roots = {graph.tensor(root)["grad_fn"] for root in graph.roots if root in graph.rows}
    for identifier, gate in gates.items():
        read = _readers(found).get(identifier, [])
        is_kept = identifier in roots or _has_name(graph, identifier)
        if is_kept or len(read) != 1 or not _is_product(graph, identifier, gate):
            continue
        back, before = read[0].user, _reshaped(graph, found, gate)
        if not _is_reshape(found[back]) or not before:
            continue
        kept = (_as_vector(before[one.id].operands[0], one) if one.id in before else one for one in gate.operands)
        sources = tuple(one.output[0] for one in gate.operands if one.output and one.id in before)
        operands = tuple(replace(one, user=back) for one in kept)
        found[back] = replace(gate, operands=operands, members=(back, identifier, *sources))
        for other in (identifier, *sources):
            del found[other]
    return found


def _reshaped(graph: Graph, gates: Gates, product: Gate) -> Gates:
    """Operand → the gate that reshaped it for this product alone."""
    readers, found = _readers(gates), {}
    for operand in product.operands:
        source = operand.output[0] if operand.output else ""
        gate = gates.get(source)
        if gate is not None and _is_reshape(gate) and len(readers[source]) == 1 and not _has_name(graph, source):
            found[operand.id] = gate
    return found


def _is_product(graph: Graph, identifier: str, gate: Gate) -> bool:
    """Whether a gate is a product of matrices, perhaps with a constant in its sign, or a linear layer; stacks of
    matrices do not count."""
    if op_of(graph.function(identifier)["name"]) in ("bmm", "baddbmm"):
        return False
    return gate.sign in _PRODUCT_SIGNS or (bool(gate.named) and "·" in gate.sign)


def _is_reshape(gate: Gate) -> bool:
    return gate.sign == _RESHAPE and len(gate.operands) == 1


def _without_identities(graph: Graph, gates: Gates) -> Gates:
    """The gates, with every Node that only multiplies by 1 as a part of the gate whose result it hands on."""
    found, roots = dict(gates), {graph.tensor(root)["grad_fn"] for root in graph.roots if root in graph.rows}
    for identifier in gates:
        gate = found.get(identifier)
        if gate is None or gate.members or len(gate.operands) != 1 or not _is_identity(graph, identifier):
            continue
        readers, own = _readers(found), gate.operands[0]
        source = own.output[0] if own.output else ""
        read = readers.get(identifier, [])
        if source in found and len(readers[source]) == 1 and not _has_name(graph, source):
            operands = tuple(replace(operand, user=identifier) for operand in found[source].operands)
            members = (identifier, *(found[source].members or (source,)))
            found[identifier] = replace(found[source], operands=operands, members=members)
            del found[source]
        elif len(read) == 1 and identifier not in roots and not _has_name(graph, identifier):
            reader = found[read[0].user]
            moved = _moved(own, read[0])
            kept = tuple(moved if one == read[0] else one for one in reader.operands)
            members = (*(reader.members or (read[0].user,)), identifier)
            found[read[0].user] = replace(reader, operands=kept, members=members)
            del found[identifier]
        else:
            found[identifier] = replace(gate, sign=_SAME)
    return found


def _as_vector(operand: Operand, row: Operand) -> Operand:
    """A vector in the place of the row that torch made of it: its gradient is `A δ`, where that of the row is
    `δ Aᵀ`."""
    moved = _moved(operand, row)
    form = None if moved.edge is None else moved.edge.pop("matrix", None)
    factors = _FACTOR.findall(form or "")
    if moved.edge is not None and form == " ".join(factors) and factors[:1] == ["δ"] and len(factors) == 2:
        moved.edge["matrix"] = f"{_transposed(factors[1])} δ"
    return moved


def _moved(operand: Operand, place: Operand) -> Operand:
    """An operand in the place of another one, from which only steps that keep the gradient lead to it."""
    edge: NextEdge | None = None
    if operand.edge is not None and place.edge is not None:
        edge = {**place.edge, "input_nr": operand.edge["input_nr"]}
        if "gradient" in operand.edge:
            edge["gradient"] = operand.edge["gradient"]
    return replace(operand, user=place.user, position=place.position, edge=edge)


def _is_identity(graph: Graph, identifier: str) -> bool:
    node = graph.function(identifier)
    op = op_of(node["name"]).partition(".")[0]
    if op == "pow":
        exponent: Any = node["attributes"].get("exponent")
        return bool(exponent == 1)
    constants = [one.constant for one in operands_of(graph, identifier) if one.constant is not None]
    return op == "mul" and len(constants) == 1 and constants[0]["value"] == 1 and not constants[0]["name"]


def _has_name(graph: Graph, identifier: str) -> bool:
    made = topology_of(graph).made.get(identifier, ())
    return any(shown_name(graph.tensor(tensor)) for tensor in made)


def _edge_past_transpose(edge: NextEdge, product: NextEdge) -> NextEdge:
    """The edge of a transpose as one of the product that reads it: by its slot, and with the form `δᵀ Q` of the
    product's `Qᵀ δ`."""
    moved: NextEdge = {**edge, "slot": product["slot"]}
    form = moved.pop("matrix", None)
    factors = _FACTOR.findall(product.get("matrix") or "")
    if form and len(factors) == 2 and " ".join(factors) == product.get("matrix"):
        moved["matrix"] = " ".join(map(_transposed, reversed(factors)))
    return moved


def _transposed(factor: str) -> str:
    return factor[:-1] if factor.endswith(TRANSPOSE) else factor + TRANSPOSE
