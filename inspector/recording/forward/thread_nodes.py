"""Look up the recorded forward by the sequence number of a Node."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import torch
from msgspec.structs import replace
from torch import nn

from inspector.graph.row_types import MadeBy, Source
from inspector.graph.values import Unknown, unknown
from inspector.recording.forward import compile_watch
from inspector.recording.forward.called_modules import ModuleCall
from inspector.recording.forward.engine_thread_nodes import call_of
from inspector.recording.forward.forward_record import ForwardRecord
from inspector.recording.forward.graph_modules import GraphModules
from inspector.recording.forward.outputs import OutputRow
from inspector.tensor_stats import Pending
from inspector.torch_api.nodes import sequence_number_of
from inspector.torch_api.tensors import other_shape, reshaped_from
from inspector.tracing.uses import Use
from inspector.tracing.walk import AutogradNode, Walk

TWO_THREADS = "two threads created Nodes with this sequence number"
_OTHER_THREAD = "requested from another thread than the one that ran backward"
_CREATED_IN_BACKWARD = "it was created during a backward that was not called from user code"
_NO_LINE = "no line of user code was running or being traced"


class ThreadNodes:
    """The Nodes of one thread, which is the thread that creates this object.

    Every thread numbers its Nodes from 0, so the same query from another thread would find other Nodes: there the
    answer is unknown.
    """

    def __init__(self, record: ForwardRecord) -> None:
        self._record = record
        self._root_names = record.modules.root_names  # as of now, since a later call may name them otherwise
        self._calls: dict[int, ModuleCall | Unknown | None] = {}
        self._modules: GraphModules | None = None
        self._thread = threading.get_ident()
        self._is_recorders = record.is_recorders_thread()

    def source(self, sequence_nr: int) -> Source | Unknown:
        """The user's file, line and statement that created a Node, or unknown. For a Node created during backward,
        the statement that called backward."""
        if not self._is_here():
            return unknown(_OTHER_THREAD)
        places, sources = self._record.places, self._record.sources
        if places.lines.elsewhere(sequence_nr):
            return unknown(TWO_THREADS)
        backward = places.backwards.at(sequence_nr)
        if backward is not None:
            return unknown(_CREATED_IN_BACKWARD) if backward.place is None else sources.source(backward.place)
        place = places.operations.at(sequence_nr) if self._is_recorders else None
        place = place or places.lines.at(sequence_nr)
        return unknown(places.lines_unknown or _NO_LINE) if place is None else sources.source(place)

    def begin_graph(self, sequence_nrs: Iterable[int]) -> None:
        """The Nodes of the graph that `module` and `passes` are asked about, by their numbers."""
        self._calls = {number: self._module_call(number) for number in sequence_nrs}
        self._modules = self._named(call for call in self._calls.values() if isinstance(call, ModuleCall))

    def module(self, sequence_nr: int) -> str | Unknown | None:
        """The path of the module that created a Node: `blocks.3.attn.q_proj`, "" for the outermost module itself,
        None outside of modules; or unknown. It begins with the script's name of the outermost module if several
        take part."""
        call = self.module_call(sequence_nr)
        if not isinstance(call, ModuleCall):
            return call
        return (self._modules or self._named([call])).path(call)

    def passes(self, sequence_nr: int) -> list[int] | None:
        """Which pass through each module along its path created a Node; None if each was called, and once."""
        call = self.module_call(sequence_nr)
        return self._modules.passes(call) if self._modules and isinstance(call, ModuleCall) else None

    def module_call(self, sequence_nr: int) -> ModuleCall | Unknown | None:
        """The module call that created a Node; None outside of modules."""
        found = self._calls.get(sequence_nr)
        return found if found is not None else self._module_call(sequence_nr)

    def outermost_ran(self, sequence_nrs: Iterable[int]) -> list[nn.Module]:
        """The outermost modules whose calls created these Nodes, as far as that is known."""
        calls = (self._module_call(number) for number in sequence_nrs)
        roots = dict.fromkeys(call.root for call in calls if isinstance(call, ModuleCall))
        found = (self._record.modules.roots[root].reference() for root in roots)
        return [module for module in found if module is not None]

    def _module_call(self, sequence_nr: int) -> ModuleCall | Unknown | None:
        if not self._is_here():
            return unknown(_OTHER_THREAD)
        modules = self._record.modules
        if modules.compiled_from is not None and (not self._is_recorders or sequence_nr >= modules.compiled_from):
            return unknown(compile_watch.REASON)
        if self._is_recorders and modules.compiled.at(sequence_nr):
            return unknown(compile_watch.REASON)
        if modules.ranges.elsewhere(sequence_nr):
            return unknown(TWO_THREADS)
        return None if call_of(sequence_nr) is not None else modules.ranges.at(sequence_nr)

    def _named(self, calls: Iterable[ModuleCall]) -> GraphModules:
        return GraphModules(calls, self._record.modules.roots, self._root_names)

    def has_made(self) -> bool:
        """Whether `made_in` may be known of a Node of the graph that has begun."""
        numbers = self._calls
        return bool(numbers) and not self._record.places.backwards.is_free(min(numbers), max(numbers))

    def made_in(self, sequence_nr: int) -> int | None:
        """The index of the backward call that created a Node; None for a Node of a forward, and if two threads
        created one with this number."""
        if not self._is_here():
            return None
        places = self._record.places
        backward = places.backwards.at(sequence_nr)
        return None if backward is None or places.lines.elsewhere(sequence_nr) else backward.index

    def made_by(self, sequence_nr: int) -> MadeBy | None:
        """The function that created a Node in its backward, if that was seen."""
        if self.made_in(sequence_nr) is None or not self._is_recorders or call_of(sequence_nr) is not None:
            return None
        return self._record.places.backwards.makers.at(sequence_nr)

    def output(self, sequence_nr: int, output_nr: int) -> OutputRow | None:
        """The record of one output of a Node; None if it was not seen."""
        if not self._is_recorders or not self._is_here() or self._record.places.lines.elsewhere(sequence_nr):
            return None
        return self._record.outputs.get((sequence_nr, output_nr))

    def inner_value(self, sequence_nr: int, output_nr: int) -> Pending | None:
        """The value of an output that an operation created inside; None if it was not recorded."""
        if not self._is_recorders or not self._is_here() or self._record.places.lines.elsewhere(sequence_nr):
            return None
        return self._record.outputs.inner_value((sequence_nr, output_nr))

    def content_at_last_use(self, tensor: torch.Tensor) -> Pending | None:
        """The content of a tensor without a gradient and with shared memory when a Node last used it; else
        None."""
        return self._record.outputs.values.content_at_last_use(tensor) if self._is_recorders else None

    def use(self, tensor: torch.Tensor) -> Use | None:
        """Where the forward used a leaf or a constant under a name; None if it did not."""
        if not self._is_recorders:
            return None
        uses, base = self._record.outputs.constants, reshaped_from(tensor)
        use = uses.use(tensor)
        if use is not None or base is None or (use := uses.use(base)) is None:
            return use
        return replace(use, shape=other_shape(base, tensor))

    def add_names(self, names: Iterable[tuple[torch.Tensor, str]]) -> None:
        """Name the constants that the forward used without a name."""
        if self._is_recorders:
            for tensor, name in names:
                self._record.outputs.constants.add_name(tensor, name)

    def renumber_engine_nodes(self, walk: Walk) -> None:
        """Give unique numbers to the Nodes of a graph, before any other query."""
        if self._is_recorders:
            self._record.outputs.keys.engine_threads.renumber_engine_nodes(walk)

    def sequence_number_of(self, node: AutogradNode) -> int:
        """The number of one Node, as set by `renumber_engine_nodes`."""
        if self._is_recorders:
            return self._record.outputs.keys.engine_threads.sequence_number_of(node)
        return sequence_number_of(node)

    def _is_here(self) -> bool:
        return threading.get_ident() == self._thread
