"""The gradient norm of each layer, from the root to the leaves."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct

from inspector.graph.model import Graph
from inspector.graph.topology import topology_of
from inspector.graph.value_norms import value_norm


class LayerNorm(Struct, frozen=True):
    """The gradient norm of the leaves of one module, or of a leaf that is not in a module.

    name: the path of the module, or the name of the leaf. size: the norm of their gradients together; NaN or
    infinite if one of them is; None if no gradient arrived or none is known.
    """

    name: str
    size: float | None


def layers_of(graph: Graph, scale: float | None = None) -> list[LayerNorm]:
    """Every layer, nearest to the root first. scale: the scale of a GradScaler, which is divided out."""
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
    """The norm of several gradients together; None if none is known."""
    known = [size / scale for size in sizes if size is not None]
    return math.hypot(*known) if known else None
