"""The norms of the gradients that arrive at Nodes in one backward call."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import torch

from inspector.graph.node_kinds import has_one_output
from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS
from inspector.recording.engine_hook import EngineCall
from inspector.recording.flight.node_layout import NodeLayout
from inspector.recording.flight.output_norms import OutputParts
from inspector.tensor_stats import row_norms
from inspector.torch_api.compilation import skip_in_dynamo
from inspector.torch_api.engine import CURRENT_NODE, hook_carrier, register_shared
from inspector.torch_api.modes import dispatch_mode_count, function_mode_count, unobserved
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.roots import gradient_edge
from inspector.tracing.walk import AutogradNode, Walk, walk

Depth: TypeAlias = Literal["modules", "nodes"]

_NARROW = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, slots=True)
class NodeNorms:
    """What arrived in one call. order: the positions of the Nodes, as they ran. norms: of each, on its device.
    rows: the norms of the rows at `layout.rows_at`; None if they were not measured. outputs: the norms of what
    modules returned in the forward."""

    layout: NodeLayout
    depth: Depth
    order: list[int]
    norms: torch.Tensor
    rows: torch.Tensor | None = None
    outputs: OutputParts = field(default_factory=dict)

    def without(self, scale: torch.Tensor) -> NodeNorms:
        """The same of gradients that a scale was multiplied to, without it."""
        with unobserved():
            rows = None if self.rows is None else self.rows / scale
            return replace(self, norms=self.norms / scale, rows=rows)


@dataclass(slots=True)
class _Kept:
    """What is kept of a call beside norms. wanted: the positions of `gradients`. rows_at: that of the Node at
    which the rows are measured; rows: their norms."""

    wanted: frozenset[int]
    rows_at: int | None
    gradients: dict[int, torch.Tensor] = field(default_factory=dict)
    rows: torch.Tensor | None = None

    @property
    def positions(self) -> frozenset[int]:
        """The positions at which something is kept."""
        return self.wanted if self.rows_at is None else self.wanted | {self.rows_at}


class NodeHooks:
    """Measures from `install` to `remove`. keep: the positions at which gradients are kept until then."""

    def __init__(self, layout: NodeLayout, depth: Depth, keep: Collection[int] = ()) -> None:
        self._layout, self._depth = layout, depth
        self._index: dict[AutogradNode, int] = {}
        self._shared: dict[int, Callable[..., None]] = {}
        self._handles: list[Any] = []
        self._norms: dict[int, torch.Tensor] = {}
        self._kept = _Kept(frozenset(keep), None if layout.rows_at is None else layout.rows_at[0])

    def install(self, graph: Walk) -> None:
        """Install the hooks: one shared by all Nodes with one output, which leaves no handle."""
        layout = self._layout
        wanted = (
            range(len(layout.names))
            if self._depth == "nodes"
            else sorted({position for its in layout.modules.values() for position in its} | self._kept.positions)
        )
        current_node = CURRENT_NODE.parts
        assert current_node is not None
        one, several = _hooks(current_node, self._index, self._norms, self._kept)
        self._shared[0] = one
        with unobserved():
            carrier = hook_carrier(self._shared)
        for position in wanted:
            node, name = graph.nodes[position], layout.names[position]
            if name == ACCUMULATE_GRAD:
                continue  # the gradients of parameters are measured after the call
            self._index[node] = position
            if not has_one_output(name) or not register_shared(node, carrier):
                self._handles.append(type(node).register_prehook(node, several))

    def named(self) -> dict[str, torch.Tensor]:
        """The gradients that were kept, by the names of their Nodes."""
        found: dict[str, torch.Tensor] = {}
        for position, gradient in self._kept.gradients.items():
            name = self._layout.names[position]
            found[f"{name} ({position})" if name in found else name] = gradient
        return found

    def remove(self) -> NodeNorms | None:
        """Remove the hooks. Returns what they measured; None if nothing arrived."""
        self._shared.clear()
        while self._handles:
            self._handles.pop().remove()
        self._index.clear()  # Node -> hook -> index -> Node is a cycle
        norms = self._norms
        with unobserved():
            device = next((norm.device for norm in norms.values()), None)
            found = {position: norm for position, norm in norms.items() if norm.device == device}
            if not found:
                return None
            joined = torch.stack([norm.double() if norm.is_cpu else norm for norm in found.values()])
        return NodeNorms(self._layout, self._depth, list(found), joined, self._kept.rows)


def walk_of(call: EngineCall) -> Walk:
    """The Nodes under the roots of a call, in the order of a recorded call."""
    graph = walk([edge for output in call.given.outputs if (edge := gradient_edge(output)) is not None])
    DEEP_GRAPHS.keep(graph, [*call.given.outputs])
    return graph


def _hooks(
    current_node: Callable[[], AutogradNode],
    index: dict[AutogradNode, int],
    norms: dict[int, torch.Tensor],
    kept: _Kept,
) -> tuple[Callable[[torch.Tensor | None], None], Callable[[tuple[torch.Tensor | None, ...]], None]]:
    """The hooks for one gradient, and for those of all outputs of a Node. They never raise."""
    norm_of, stack = torch.linalg.vector_norm, torch.stack

    def one(gradient: torch.Tensor | None) -> None:
        if type(gradient) is not torch.Tensor or function_mode_count() or dispatch_mode_count():
            return
        try:
            position = index.get(current_node())
            if position is None or gradient.layout is not torch.strided:
                return
            plain = gradient.detach()
            norms[position] = norm_of(plain, dtype=torch.float32) if plain.dtype in _NARROW else norm_of(plain)
            if position in kept.wanted:
                kept.gradients[position] = plain
            if position == kept.rows_at:
                kept.rows = row_norms(plain)
        except RuntimeError:  # nested, or inside a torch.func transform
            return

    def several(gradients: tuple[torch.Tensor | None, ...]) -> None:
        position = index.get(current_node())
        parts = []
        for gradient in gradients if position is not None else ():
            one(gradient)
            if position is not None and (norm := norms.pop(position, None)) is not None:
                parts.append(norm)
        if position is not None and parts:
            norms[position] = norm_of(stack(parts)) if len(parts) > 1 else parts[0]

    return one, several


skip_in_dynamo(*_hooks(lambda: None, {}, {}, _Kept(frozenset(), None)))
