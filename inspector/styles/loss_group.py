"""A loss written by hand: the functions that one line made and that end in the root. No torch needed."""

from __future__ import annotations

import re

from inspector.graph import Graph
from inspector.graph.node_names import op_of
from inspector.graph.places import file_and_line
from inspector.graph.topology import Topology, topology_of
from inspector.graph.values import is_number
from inspector.styles.line_groups import ELLIPSIS, GateGroup, right_side, sign_of
from inspector.styles.operands import operands_of
from inspector.styles.shown_name import shown_name

UNNAMED = "loss"
"""The name of a loss of an unknown kind whose formula is long."""
_LEAST = 2
_LONGEST_FORMULA = 16
_AROUND_LOGS = {
    *("mul", "add", "sub", "rsub", "neg", "sum", "mean", "div"),
    *("select", "index", "gather", "clamp"),
}
"""What a cross-entropy consists of besides logarithms."""
_WITHIN_LOGS = {"sub", "rsub", "add", "select", "index", "gather", "clamp", "clamp_min"}
"""What may stand between a probability and its logarithm: `1 - p`, `p[2]`, `p + 1e-8`."""
_MEANS_LOSS = re.compile(r"l|j|.*(loss|cost|objective).*", re.IGNORECASE)
"""What a root is called that is a loss."""
_OF_LOGITS = {"nll_loss", "log_softmax"}
"""What torch's own cross-entropy consists of."""
_PROBABILITIES = {"sigmoid", "softmax"}


def loss_group(graph: Graph) -> GateGroup | None:
    """The loss of a graph with one root; None if one line did not make it, or made everything."""
    of = topology_of(graph)
    if len(of.roots) != 1:
        return None
    line = file_and_line(of.functions[of.roots[0]]["source"])
    members = [] if line is None else _members(of, line)
    gates = sum(not function["is_leaf"] for function in of.functions)
    if not _LEAST <= len(members) < gates:
        return None
    ids = tuple(of.ids[position] for position in members)
    return GateGroup(ids, _name(graph, ids))


def _members(of: Topology, line: tuple[str, int]) -> list[int]:
    """The functions of the line whose results only other members read."""
    members: list[int] = []
    for position in of.order:
        function = of.functions[position]
        if not function["is_leaf"] and file_and_line(function["source"]) == line:
            readers = set(of.arrivals.of(position))
            if position in of.roots or readers <= set(members):
                members.append(position)
    return members


def _name(graph: Graph, members: tuple[str, ...]) -> str:
    if _is_cross_entropy(graph, members) or {_op(graph, one) for one in members} == _OF_LOGITS:
        return "cross entropy"
    formula = right_side(graph.function(members[0])["source"], _LONGEST_FORMULA)
    if _is_squared_error(graph, members):
        is_reduced = any(_op(graph, one) in ("sum", "mean") for one in members)
        return "squared error" if is_reduced or not formula else formula
    root, sign = shown_name(graph.tensor(graph.roots[0])), sign_of(graph, members)
    if formula or _MEANS_LOSS.fullmatch(root):
        return formula or UNNAMED
    return root if root and ELLIPSIS in sign else sign


def _op(graph: Graph, identifier: str) -> str:
    return op_of(graph.function(identifier)["name"]).partition(".")[0]


def _inputs(graph: Graph, identifier: str) -> list[str]:
    """The functions that made the operands of a function."""
    return [operand.output[0] for operand in operands_of(graph, identifier) if operand.output is not None]


def _is_cross_entropy(graph: Graph, members: tuple[str, ...]) -> bool:
    """Whether the group adds logarithms of probabilities, weighted by constants, with a minus."""
    logs = [one for one in members if _op(graph, one) == "log"]
    others = {_op(graph, one) for one in members if one not in logs}
    if not logs or not others <= _AROUND_LOGS or not others & {"neg", "sub", "rsub"}:
        return False
    return all(_is_probability(graph, one) for one in logs) and _weighs_by_constants(graph, members)


def _is_probability(graph: Graph, log: str) -> bool:
    """Whether a logarithm is one of a sigmoid or a softmax, or of what is left of 1; also if written by hand."""
    below = _inputs(graph, log)
    while len(below) == 1 and _op(graph, below[0]) in _WITHIN_LOGS:
        below = _inputs(graph, below[0])
    if len(below) != 1:
        return False
    op, (first, *_) = _op(graph, below[0]), (*_inputs(graph, below[0]), below[0])
    return op in _PROBABILITIES or (op == "div" and _op(graph, first) == "exp")


def _is_squared_error(graph: Graph, members: tuple[str, ...]) -> bool:
    """Whether the group is one difference, squared, summed or averaged, and times numbers."""
    squares = [one for one in members if _is_square(graph, one)]
    if len(squares) != 1 or _op(graph, _inputs(graph, squares[0])[0]) != "sub":
        return False
    rest = [one for one in members if one != squares[0]]
    scaled = [one for one in rest if _op(graph, one) in ("mul", "div")]
    ops = [_op(graph, one) for one in rest if one not in scaled]
    is_plain = set(ops) <= {"sub", "sum", "mean"} and ops.count("sub") == 1
    return is_plain and all(_is_scaled(graph, one) for one in scaled)


def _is_square(graph: Graph, identifier: str) -> bool:
    """`d ** 2` or `d * d`."""
    op, inputs = _op(graph, identifier), [operand.output for operand in operands_of(graph, identifier)]
    if op == "pow":
        return graph.function(identifier)["attributes"].get("exponent") == 2 and inputs[0] is not None
    return op == "mul" and len(inputs) == 2 and inputs[0] is not None and inputs[0] == inputs[1]


def _is_scaled(graph: Graph, identifier: str) -> bool:
    """Whether a function multiplies or divides by a number."""
    constants = [operand.constant for operand in operands_of(graph, identifier) if operand.constant is not None]
    return len(constants) == 1 and is_number(constants[0]["value"])


def _weighs_by_constants(graph: Graph, members: tuple[str, ...]) -> bool:
    """Whether every product in the group has a factor without gradient: a target, not the prediction itself."""
    products = [member for member in members if _op(graph, member) == "mul"]
    return all(sum(operand.output is not None for operand in operands_of(graph, one)) < 2 for one in products)
