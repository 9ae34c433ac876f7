"""The norms of the gradients that arrive at Nodes in one backward call."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Literal, TypeAlias

import torch
from msgspec import Struct, field
from msgspec.structs import replace

from inspector.graph.node_kinds import has_one_output
from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS
from inspector.recording.engine_hook import EngineCall
from inspector.recording.flight.careful_norms import LEAST
from inspector.recording.flight.node_layout import NodeLayout
from inspector.recording.flight.output_norms import OutputParts
from inspector.tensor_stats import row_norms
from inspector.torch_api.compilation import skip_in_dynamo, without_dynamo
from inspector.torch_api.engine import CURRENT_NODE, hook_carrier, register_shared
from inspector.torch_api.modes import dispatch_mode_count, function_mode_count, is_profiling, unobserved
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.roots import gradient_edge
from inspector.tracing.walk import AutogradNode, Walk, walk

Depth: TypeAlias = Literal["modules", "nodes"]

_NARROW = (torch.float16, torch.bfloat16)
_vector_norm = torch.linalg.vector_norm


class NodeNorms(Struct, frozen=True):
    """What arrived in one call. order: the positions of the Nodes, as they ran. norms: of each, on its device.
    rows: the norms of the rows at `layout.rows_at`; None if they were not measured. outputs: the norms of what
    modules returned in the forward. sent: the norm of all that the kept Nodes sent; None if there is nothing."""

    layout: NodeLayout
    depth: Depth
    order: list[int]
    norms: torch.Tensor
    rows: torch.Tensor | None = None
    outputs: OutputParts = field(default_factory=dict)
    sent: torch.Tensor | None = None

    def tensors(self) -> list[torch.Tensor]:
        """All that is measured."""
        rows = [] if self.rows is None else [self.rows]
        return [self.norms, *rows, *(norm for its in self.outputs.values() for norm in its)]

    def read(self, copies: Iterator[torch.Tensor]) -> NodeNorms:
        """The same with copies of `tensors()`, in that order."""
        norms, rows = next(copies), None if self.rows is None else next(copies)
        outputs = {path: [next(copies) for _ in its] for path, its in self.outputs.items()}
        return replace(self, norms=norms, rows=rows, outputs=outputs, sent=None)

    def without(self, scale: torch.Tensor) -> NodeNorms:
        """The same of gradients that a scale was multiplied to, without it."""
        with unobserved():
            rows = None if self.rows is None else self.rows / scale
            sent = None if self.sent is None else self.sent / scale
            return replace(self, norms=self.norms / scale, rows=rows, sent=sent)


class _Kept(Struct):
    """What is kept of a call beside norms. wanted: the positions of `gradients`. sent: what the Nodes there sent,
    by position and slot. rows_at: the position of the Node at which the rows are measured; rows: their norms."""

    wanted: frozenset[int]
    rows_at: int | None
    gradients: dict[int, torch.Tensor] = field(default_factory=dict)
    sent: dict[tuple[int, int], torch.Tensor] = field(default_factory=dict)
    rows: torch.Tensor | None = None

    @property
    def positions(self) -> frozenset[int]:
        """The positions at which something is kept."""
        return self.wanted if self.rows_at is None else self.wanted | {self.rows_at}

    def keep_sent(self, position: int, sent: Sequence[torch.Tensor | None]) -> None:
        """Keep what a Node has sent. It never raises."""
        if function_mode_count() or dispatch_mode_count() or is_profiling():
            return
        for slot, gradient in enumerate(sent):
            if type(gradient) is torch.Tensor and gradient.layout is torch.strided:
                self.sent[position, slot] = gradient.detach()

    def norm_of_sent(self) -> torch.Tensor | None:
        """The norm of all that was sent from one device; None if nothing was."""
        device = next((gradient.device for gradient in self.sent.values()), None)
        norms = [_norm_of(gradient) for gradient in self.sent.values() if gradient.device == device]
        return _norm_of_norms(norms) if norms else None


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
            if position in self._kept.wanted:
                keep = functools.partial(_keep_sent, self._kept, position)
                self._handles.append(type(node).register_hook(node, keep))

    def named(self) -> dict[str, torch.Tensor]:
        """The gradients that were kept: those that arrived by the names of their Nodes, those that these sent by
        the slot, too."""
        found: dict[str, torch.Tensor] = {}
        names: dict[int, str] = {}
        for position, gradient in self._kept.gradients.items():
            name = self._layout.names[position]
            names[position] = f"{name} ({position})" if name in found else name
            found[names[position]] = gradient
        for (position, slot), gradient in self._kept.sent.items():
            found[f"{names.get(position, self._layout.names[position])}, slot {slot}"] = gradient
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
            sent = self._kept.norm_of_sent()
        return NodeNorms(self._layout, self._depth, list(found), joined, self._kept.rows, sent=sent)


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

    def one(gradient: torch.Tensor | None) -> None:
        if type(gradient) is not torch.Tensor or function_mode_count() or dispatch_mode_count() or is_profiling():
            return
        try:
            position = index.get(current_node())
            if position is None or gradient.layout is not torch.strided:
                return
            plain = gradient.detach()
            norms[position] = _norm_of(plain)
            if position in kept.wanted:
                kept.gradients[position] = plain
            if position == kept.rows_at:
                kept.rows = without_dynamo(row_norms, plain)
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
            norms[position] = _norm_of_norms(parts) if len(parts) > 1 else parts[0]

    return one, several


def _norm_of(tensor: torch.Tensor) -> torch.Tensor:
    """The norm, on the CPU also where the squares are too large or too small for float32; on other devices this
    would have to wait."""
    norm: torch.Tensor = _vector_norm(tensor, dtype=torch.float32 if tensor.dtype in _NARROW else None)
    if norm.is_cpu and not LEAST <= norm.item() < math.inf and tensor.dtype is not torch.float64:
        norm = _vector_norm(tensor, dtype=torch.complex128 if tensor.is_complex() else torch.float64)
    return norm


def _norm_of_norms(norms: list[torch.Tensor]) -> torch.Tensor:
    """The norm of all that these are the norms of."""
    wide = [norm.double() if norm.is_cpu else norm.float() for norm in norms]  # a device may have no float64
    found: torch.Tensor = _vector_norm(torch.stack(wide))
    return found


def _keep_sent(kept: _Kept, position: int, sent: Sequence[torch.Tensor | None], arrived: Any) -> None:
    """torch's hook after a Node has run."""
    kept.keep_sent(position, sent)


skip_in_dynamo(_keep_sent, _Kept.keep_sent, *_hooks(lambda: None, {}, {}, _Kept(frozenset(), None)))
skip_in_dynamo(_norm_of, _norm_of_norms)
