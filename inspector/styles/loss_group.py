"""A loss written by hand: the functions that one line made and that end in the root. No torch needed."""

from __future__ import annotations

from dataclasses import dataclass

from inspector.graph import Graph
from inspector.graph.node_names import op_of
from inspector.graph.places import file_and_line
from inspector.graph.topology import Topology, topology_of
from inspector.styles.operands import operands_of
from inspector.styles.value_text import plain_text
from inspector.typography.formula_format import format_formula

_LEAST = 2
_LONGEST_FORMULA = 16
_SQUARED = (
    {"sub", "pow", "sum", "mean"},
    {"sub", "mul", "sum", "mean"},
    {"sub", "pow", "sum", "mean", "mul", "div"},
)
_WITH_LOGS = {
    "log",
    "mul",
    "add",
    "sub",
    "rsub",
    "neg",
    "sum",
    "mean",
    "select",
    "index",
    "gather",
    "div",
    "clamp",
}


@dataclass(frozen=True, slots=True)
class LossGroup:
    """The functions of a loss, root first, and its name."""

    members: tuple[str, ...]
    name: str


def loss_group(graph: Graph) -> LossGroup | None:
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
    return LossGroup(ids, _name(graph, ids))


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
    ops = {op_of(graph.function(member)["name"]).partition(".")[0] for member in members}
    if (
        "log" in ops
        and ops <= _WITH_LOGS
        and ops & {"neg", "sub", "rsub"}
        and _weighs_by_constants(graph, members)
    ):
        return "cross entropy"
    if "sub" in ops and ops & {"pow", "mul"} and any(ops <= known for known in _SQUARED):
        return "squared error" if ops & {"sum", "mean"} else _formula(graph, members[0]) or "squared error"
    return _formula(graph, members[0]) or "loss"


def _weighs_by_constants(graph: Graph, members: tuple[str, ...]) -> bool:
    """Whether every product in the group has a factor without gradient: a target, not the prediction itself."""
    products = [member for member in members if op_of(graph.function(member)["name"]).startswith("mul")]
    return all(sum(operand.output is not None for operand in operands_of(graph, one)) < 2 for one in products)


def _formula(graph: Graph, root: str) -> str:
    """The right side of the line, if it is short."""
    source = graph.function(root)["source"]
    code = plain_text(source["code"]) if source is not None and "code" in source else ""
    _, equals, formula = code.partition(" = ")
    text = format_formula(formula.replace(" ** ", "**")) if equals else ""
    return text.replace(" ", "") if 0 < len(text) <= _LONGEST_FORMULA else ""
