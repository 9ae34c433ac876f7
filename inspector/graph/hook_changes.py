"""Find the gradients that a hook changed: what arrived at a tensor is not the sum of what was sent to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from inspector.graph.model import Graph
from inspector.graph.row_types import TensorRow
from inspector.graph.topology import topology_of
from inspector.graph.values import Value, flat_elements, is_number, is_summary

_TOLERANCES = {"float16": 0.01, "bfloat16": 0.05}
"""Relative tolerance of a sum by dtype."""

_TOLERANCE = 1e-5


class HookChange(Struct, frozen=True):
    """A hook changed the gradient of a tensor from `sent` to `arrived`.

    function: the id of the function that created the tensor; for a leaf, its AccumulateGrad.
    """

    function: str
    tensor: str
    sent: Value
    arrived: Value


def hook_changes(graph: Graph) -> list[HookChange]:
    """The changes of a graph, in walk order; none in a folded graph. Only where all that was sent is known: of
    tensors in full, and of larger ones to which one gradient was sent, of another norm."""
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
    if (is_root and "seed" not in row) or not terms:
        return
    tolerance = _TOLERANCES.get(row["dtype"], _TOLERANCE)
    if len(terms) == 1 and is_summary(terms[0]) and is_summary(arrived):
        total, pairs = terms[0], [([terms[0]["norm"]], arrived["norm"])]
        if terms[0]["shape"] != arrived["shape"] or terms[0]["dtype"] != arrived["dtype"]:
            return
    elif (shape := _shape(arrived)) is not None and all(_shape(term) == shape for term in terms):
        total = _sum(terms)
        flat = zip(*map(flat_elements, terms), strict=True)
        pairs = [(list(numbers), to) for numbers, to in zip(flat, flat_elements(arrived), strict=True)]
    else:
        return
    largest = max((abs(number) for of, to in pairs for number in (*of, to)), default=0)
    if any(abs(sum(of) - to) > tolerance * largest for of, to in pairs):
        yield HookChange(function, tensor, total, arrived)


def _shape(value: Value) -> tuple[int, ...] | None:
    """The shape of a tensor in full; None for other values."""
    if not isinstance(value, list):
        return () if is_number(value) else None
    inner = _shape(value[0]) if value else ()
    return None if inner is None else (len(value), *inner)


def _sum(terms: list[Any]) -> Any:
    if isinstance(terms[0], list):
        return [_sum(list(items)) for items in zip(*terms, strict=True)]
    return sum(terms)
