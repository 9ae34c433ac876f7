"""Find the gradients that a hook changed: what arrived at a tensor is not the sum of what was sent to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from inspector.graph.model import Graph
from inspector.graph.row_types import TensorRow
from inspector.graph.topology import topology_of
from inspector.graph.values import Value, is_number

_TOLERANCES = {"float16": 0.01, "bfloat16": 0.05}
"""Relative tolerance of a sum by dtype."""

_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class HookChange:
    """A hook changed the gradient of a tensor, a number, from `sent` to `arrived`.

    function: the id of the function that created the tensor; for a leaf, its AccumulateGrad.
    """

    function: str
    tensor: str
    sent: float
    arrived: float


def hook_changes(graph: Graph) -> list[HookChange]:
    """The changes of a graph, in walk order; none in a folded graph. Only of single numbers, and where all that
    was sent is known."""
    if any(graph.folds()):
        return []
    sent: dict[tuple[str, int], list[Value]] = defaultdict(list)
    for _, target, edge in graph.edges("next"):
        sent[target, edge["input_nr"]].append(edge.get("gradient"))
    runs = Counter(graph.steps)
    found: list[HookChange] = []
    for tensor, (function, output) in topology_of(graph).makers.items():
        if runs[function] == 1:
            terms = sent[function, output]
            found += _change(graph.tensor(tensor), tensor, function, terms, tensor in graph.roots)
    return found


def _change(row: TensorRow, tensor: str, function: str, sent: list[Value], is_root: bool) -> Iterator[HookChange]:
    arrived: Any = row["gradient"]
    terms: list[Any] = [*sent, row.get("seed")] if is_root and "seed" in row else sent
    if (is_root and "seed" not in row) or not terms or not all(map(is_number, (*terms, arrived))):
        return
    total, tolerance = sum(terms), _TOLERANCES.get(row["dtype"], _TOLERANCE)
    if abs(total - arrived) > tolerance * max(map(abs, (*terms, arrived))):
        yield HookChange(function, tensor, total, arrived)
