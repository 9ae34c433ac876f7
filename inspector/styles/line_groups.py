"""Lines of the script as gates: the functions that one line made and that end in one result. No torch needed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from inspector.graph import Graph
from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.graph.places import file_and_line
from inspector.graph.row_types import Place
from inspector.graph.topology import Topology, topology_of
from inspector.styles.gates import TRANSPOSE, plain_sign
from inspector.styles.shown_name import shown_name
from inspector.styles.source_text import short_formula
from inspector.typography import one_line
from inspector.typography.formula_format import format_source
from inspector.typography.number_format import MINUS

_LEAST = 2
_LARGEST = 0.5
"""Share of the functions of a graph above which a line says too little as one gate."""
_LONGEST_FORMULA = 20
_LONGEST_LINE, _MOST_LINES = 28, 3
"""Characters of a line, and lines, of a formula that is shown whole."""
ELLIPSIS = "…"
_NEGATION = f"×{MINUS}1"  # noqa: RUF001
_CALL = re.compile(r"(?:\w+\.)*(\w+)\((.*)\)")
_PART = re.compile(r"^.[^-+·/@−,]*,?|[-+·/@−][^-+·/@−,]*,?|[^-+·/@−,]+,?")  # noqa: RUF001
"""What an operator begins or a comma ends, for line breaks."""
_AROUND = "√Σ"
"""Signs that stand before their operand, besides names."""


class GateGroup(Struct, frozen=True):
    """Functions that one gate stands for, root first, and its sign."""

    members: tuple[str, ...]
    name: str


def line_groups(graph: Graph) -> list[GateGroup]:
    """The lines of several functions, in the order from the root.

    A group has one result; what another line reads, and what has a name, is a result of its own. Transposes do not
    count, since a product shows them in its sign. Empty if one line made most of the graph.
    """
    of = topology_of(graph)
    hosts: dict[int, int] = {}
    for position in of.order:
        if not of.functions[position]["is_leaf"]:
            hosts[position] = _host(graph, of, position, hosts)
    members: dict[int, list[str]] = {}
    for position, host in hosts.items():
        members.setdefault(host, []).append(of.ids[position])
    if any(len(found) > _LARGEST * len(hosts) for found in members.values()):
        return []
    counted = [found for found in members.values() if _count(graph, found) >= _LEAST]
    return [GateGroup(tuple(found), sign_of(graph, found)) for found in counted]


def right_side(source: Place, longest: int) -> str:
    """The right side of the assignment at a place, as a formula; empty if it is longer, or no assignment."""
    _, equals, formula = _code(source).partition(" = ")
    return short_formula(formula, longest) if equals else ""


def _host(graph: Graph, of: Topology, position: int, hosts: dict[int, int]) -> int:
    """The function whose gate a function belongs to: of its readers if all belong to one gate of its line."""
    line = file_and_line(of.functions[position]["source"])
    found = {hosts[reader] for reader in of.arrivals.of(position)}
    if line is None or len(found) != 1 or position in of.roots or _has_name(graph, of, position):
        return position
    (host,) = found
    return host if file_and_line(of.functions[host]["source"]) == line else position


def _has_name(graph: Graph, of: Topology, position: int) -> bool:
    made = of.made.get(of.ids[position], ())
    return any(shown_name(graph.tensor(tensor)) for tensor in made)


def _count(graph: Graph, members: Sequence[str]) -> int:
    """The functions but the transposes."""
    return sum(plain_sign(graph, one) != TRANSPOSE for one in members)


def _code(source: Place) -> str:
    return one_line(source["code"]) if source is not None and "code" in source else ""


def sign_of(graph: Graph, members: Sequence[str]) -> str:
    """The code of the result, in several lines if it is long, else what it calls, else its last operation's sign.

    members: the functions, root first.
    """
    return _whole(graph, members) or _sign(graph, members)


def _sign(graph: Graph, members: Sequence[str]) -> str:
    code = _code_of_result(graph, members[0])
    call = _CALL.fullmatch(code)
    if call is not None and _is_balanced(call[2]):
        whole, short = f"{call[1]}({call[2]})", f"{call[1]}({ELLIPSIS})"
        return short_formula(whole, _LONGEST_FORMULA) or format_source(short)
    return short_formula(code, _LONGEST_FORMULA) or _shortened(graph, members)


def _whole(graph: Graph, members: Sequence[str]) -> str:
    """The code of the result in lines broken before operators; empty if it is longer."""
    text = short_formula(_code_of_result(graph, members[0]), _LONGEST_LINE * _MOST_LINES)
    lines = [""]
    for part in _PART.findall(text):
        if lines[-1] and len(lines[-1]) + len(part) > _LONGEST_LINE:
            lines.append("")
        lines[-1] += part
    is_short = len(lines) <= _MOST_LINES and max(map(len, lines)) <= _LONGEST_LINE
    return "\n".join(lines) if is_short else ""


def _code_of_result(graph: Graph, identifier: str) -> str:
    """The source text of the output of a function; empty if its line does not show it alone."""
    made = topology_of(graph).made.get(identifier)
    tensor = graph.tensor(made[0]) if made else None
    if tensor is not None and not tensor["name"]:
        return one_line(tensor.get("expression") or "")
    name, equals, code = _code(graph.function(identifier)["source"]).partition(" = ")
    return code if equals and tensor is not None and name == tensor["name"] else ""


def _is_balanced(text: str) -> bool:
    """Whether no bracket closes in a text that was opened before it."""
    depth = 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if depth < 0:
            return False
    return depth == 0


def _shortened(graph: Graph, members: Sequence[str]) -> str:
    """`Σ(…)`, `… + …`; the bare sign of an operation on views."""
    own = [one for one in members if not is_kind(graph.function(one)["name"], NodeKind.VIEW)]
    sign = plain_sign(graph, (own or members)[0])
    if len(own) == 1:
        return sign
    if sign == _NEGATION:
        return f"{MINUS}({ELLIPSIS})"
    return f"{sign}({ELLIPSIS})" if sign.isalnum() or sign in _AROUND else f"{ELLIPSIS} {sign} {ELLIPSIS}"
