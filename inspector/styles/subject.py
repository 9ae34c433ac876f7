"""The input of a style: a graph at one moment and the chosen options, with lookups shared by all styles."""

from __future__ import annotations

from msgspec import Struct, field

from inspector.graph import Graph, is_unknown
from inspector.graph.hook_changes import hook_changes
from inspector.graph.model import Moment
from inspector.graph.module_outputs import output_of
from inspector.graph.row_types import FunctionRow, NextEdge, TensorRow
from inspector.graph.tensor_names import numbered_name
from inspector.graph.topology import Pair, Topology, topology_of
from inspector.graph.values import Value
from inspector.options.choices import Arrows, Detail
from inspector.options.figure_options import FigureOptions
from inspector.styles.plan import Head
from inspector.styles.value_text import edge_text, sum_text
from inspector.typography import one_line

MANY_FUNCTIONS = 30
"""Maximum functions for which a figure shows AccumulateGrads by default."""


class Subject(Struct, frozen=True):
    """A graph at one moment. call: the code of the backward call (`z.backward()`), or an empty text."""

    graph: Graph
    moment: Moment
    call: str = ""
    look: FigureOptions = field(default_factory=FigureOptions)
    arrows: Arrows = "backward"  # of the style; the options override it
    final: Graph | None = None  # the graph after all steps, if `graph` is between two
    title: str = ""  # of the script

    @property
    def ran(self) -> bool:
        """Whether this is the moment after backward."""
        return self.moment == "after"

    @property
    def topology(self) -> Topology:
        """The index of the graph."""
        return topology_of(self.graph)

    @property
    def detail(self) -> Detail:
        """The level of detail, by default chosen by size."""
        return self.look.detail or ("beginner" if self.is_large else "standard")

    @property
    def is_large(self) -> bool:
        """Whether there are many functions."""
        return len(self.topology) > MANY_FUNCTIONS

    @property
    def head(self) -> Head:
        """The end of a wire (from the root to the leaves) with the arrowhead."""
        return "target" if self.pointing == "backward" else "source"

    @property
    def pointing(self) -> Arrows:
        """The direction of arrows."""
        return self.look.arrows or self.arrows

    def badge(self, node: FunctionRow) -> str:
        """The step of a function in the engine's order; empty before it has run."""
        step = node["step"] if self.ran else None
        return str(step) if isinstance(step, int) else ""

    def data(self, output: Pair) -> Value:
        """The value of an output of a function."""
        row, tensor = self.graph.function(output[0]), self.topology.outputs.get(output)
        if tensor is not None:
            return self.graph.tensor(tensor)[self.moment]["data"]
        found = self.topology.of_output(output, row[self.moment]["data"])
        return row["computed"] if self.is_computed(output) else found

    def is_computed(self, output: Pair) -> bool:
        """Whether the value of an output was not recorded, but computed from the operands."""
        row = self.graph.function(output[0])
        return output not in self.topology.outputs and "computed" in row

    def flowed(self, source: str, edge: NextEdge) -> bool:
        """Whether a gradient has flowed along an edge, as far as is known."""
        if not self.ran:
            return False
        gradient = edge.get("gradient")
        if gradient is None:
            return False
        if is_unknown(gradient):
            return self.graph.error is None and self.graph.function(source)["step"] is not None
        return True

    def edge_text(self, source: str, edge: NextEdge) -> str:
        """The text at an edge with a gradient: `2x · 1 = 4`, according to the option `derivatives`."""
        upstream = self.graph[source]["gradient"]
        return edge_text(edge.get("gradient"), edge.get("local"), upstream, self.look.derivatives or "both")

    def sum_text(self, identifier: str) -> str:
        """`2 + 2 = 4` if several gradients arrived for the only output of a function, `2 + 2 → 5` if a hook
        changed the sum."""
        rows = self.graph.rows
        node = rows.nodes[identifier]
        arriving = [
            (rows.nodes[source]["step"], edge["slot"], edge["input_nr"], edge.get("gradient"))
            for source, edge in rows.in_edges(identifier)
            if edge["kind"] == "next"
        ]
        if max((number for _, _, number, _ in arriving), default=0) > 0:
            return ""
        ordered = sorted(arriving, key=lambda item: (item[0] if isinstance(item[0], int) else 0, item[1]))
        gradients = [gradient for *_, gradient in ordered]
        found = sum_text(gradients, node["gradient"])
        if found or len(gradients) < 2:
            return found
        changed = any(change.function == identifier for change in hook_changes(self.graph))
        return sum_text(gradients, node["gradient"], "→") if changed else ""

    def name(self, tensor: TensorRow) -> str:
        """The name of a tensor, else the expression that computed it, else the module that gave it out, else an
        empty text."""
        return one_line(
            numbered_name(tensor) or tensor.get("expression") or output_of(self.topology, tensor["grad_fn"])
        )
