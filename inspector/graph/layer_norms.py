"""The gradient norm of each layer, from the root to the leaves."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from inspector.graph.model import Graph
from inspector.graph.topology import topology_of
from inspector.graph.value_norms import value_norm


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """The leaves of one module, or a leaf that is in none.

    name: the module's path, or the leaf's name. size: the norm of what arrived at them together, NaN or infinite
    where one of them is; None where nothing arrived, or it is not known.
    """

    name: str
    size: float | None


def layers_of(graph: Graph, scale: float | None = None) -> list[LayerNorm]:
    """Every layer, that nearest to the root first. scale: of a GradScaler, which is divided out."""
    of = topology_of(graph)
    found: dict[str, list[float | None]] = defaultdict(list)
    nearest: dict[str, int] = {}
    for function, leaf in of.leaves.items():
        name = str(graph[leaf]["name"] or leaf)
        module = name.rpartition(".")[0] or name
        found[module].append(value_norm(graph[leaf]["gradient"]))
        level = of.levels[of.index[function]]
        nearest[module] = min(nearest.get(module, level), level)
    order = sorted(found, key=lambda module: nearest[module])
    return [LayerNorm(module, together(found[module], scale or 1.0)) for module in order]


def together(sizes: Iterable[float | None], scale: float = 1.0) -> float | None:
    """The norm of several gradients together; None where none is known."""
    known = [size / scale for size in sizes if size is not None]
    return math.hypot(*known) if known else None
