"""The Nodes of a recorded call, as an order in which those of later calls are recognised."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from inspector.graph import Graph
from inspector.graph.batch_rows import RowMeaning, first_samples
from inspector.graph.row_types import Place
from inspector.graph.values import is_unknown, unknown
from inspector.recording.flight.risky_nodes import MOST_NODES
from inspector.report.timeline import NodePlace
from inspector.tracing.node_facts import ACCUMULATE_GRAD

_AMBIGUOUS = "recorded calls with the same Nodes have other lines"
MOST_MODULES = 32
"""Maximum number of modules; with more, the outputs of their parents are taken."""


class NodeLayout(Struct, frozen=True, eq=False):
    """The Nodes of one graph, by position.

    names: of the Nodes, in walk order. places: module and line of each. targets: the Nodes that each sends
    gradients to. modules: the Nodes at which the gradients of a module's outputs arrive, by module. rows_at: the
    Node at whose gradient the rows are measured, with what they are; None if no Node has samples as rows.
    """

    names: list[str]
    places: list[NodePlace]
    targets: list[list[int]]
    modules: dict[str, list[int]]
    rows_at: tuple[int, RowMeaning] | None = None

    def called(self) -> set[str]:
        """What `found` finds: the names of Nodes, and lines."""
        lines = {line_of(place["source"]) for place in self.places}
        return {*self.names, *(line for line in lines if line is not None)}

    def found(self, wanted: str) -> list[int]:
        """The positions of the Nodes with a name, or of a source line (`file.py:12`)."""
        return [
            position
            for position, place in enumerate(self.places)
            if wanted in (place["name"], line_of(place["source"]))
        ]


def line_of(source: Place) -> str | None:
    """`train.py:12`; None if it is not known."""
    return None if source is None or is_unknown(source) else f"{source['file']}:{source['line']}"


def layouts_of(graphs: Iterable[Graph]) -> list[NodeLayout]:
    """The different layouts of these graphs, without those of large graphs.

    Of graphs with the same Nodes, as of two models of one class, a place that is not the same in all is unknown.
    """
    found: list[NodeLayout] = []
    for graph in graphs:
        layout = _layout(graph)
        if not 0 < len(layout.names) <= MOST_NODES:
            continue
        like = next((number for number, other in enumerate(found) if other.names == layout.names), None)
        if like is None:
            found.append(layout)
        else:
            found[like] = _common(found[like], layout)
    return found


def _common(one: NodeLayout, other: NodeLayout) -> NodeLayout:
    """What two layouts with the same Nodes have in common."""
    places: list[NodePlace] = [
        place if place == its else {
            "name": place["name"],
            "module": place["module"] if place["module"] == its["module"] else None,
            "source": place["source"] if place["source"] == its["source"] else unknown(_AMBIGUOUS),
        }
        for place, its in zip(one.places, other.places, strict=True)
    ]  # fmt: skip
    modules = {path: its for path, its in one.modules.items() if other.modules.get(path) == its}
    return replace(one, places=places, modules=modules)


def _layout(graph: Graph) -> NodeLayout:
    functions = list(graph.functions())
    index = {identifier: position for position, (identifier, _) in enumerate(functions)}
    targets: list[list[int]] = [[] for _ in functions]
    for source, target, _ in graph.edges("next"):
        targets[index[source]].append(index[target])
    places: list[NodePlace] = []
    for _, row in functions:
        module = row["module"] if isinstance(row["module"], str) else None
        places.append({"name": row["name"], "module": module, "source": row["source"]})
    samples = first_samples(graph) if len(functions) <= MOST_NODES else None
    rows_at = None if samples is None else (index[samples[0]], samples[1])
    names = [row["name"] for _, row in functions]
    return NodeLayout(names, places, targets, _outputs(places, targets), rows_at)


def _outputs(places: list[NodePlace], targets: list[list[int]]) -> dict[str, list[int]]:
    """For each module the Nodes in it that receive gradients from outside of it, or from nowhere."""
    sources: list[list[int]] = [[] for _ in places]
    for source, its in enumerate(targets):
        for target in its:
            sources[target].append(source)
    deepest = max((_depth(place["module"]) for place in places), default=0)
    found: dict[str, list[int]] = {}
    for depth in range(deepest, 0, -1):
        modules = [_beginning(place["module"], depth) for place in places]
        found = {}
        for position, module in enumerate(modules):
            is_output = not sources[position] or any(modules[source] != module for source in sources[position])
            if module and is_output and places[position]["name"] != ACCUMULATE_GRAD:
                found.setdefault(module, []).append(position)
        if len(found) <= MOST_MODULES:
            return found
    return dict(list(found.items())[:MOST_MODULES])


def _depth(module: str | None) -> int:
    return 0 if module is None else module.count(".") + 1


def _beginning(module: str | None, parts: int) -> str | None:
    return None if module is None else ".".join(module.split(".")[:parts])
