"""Whose steps are recorded: those of given modules and optimizers, or all."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator

import torch
from torch.optim.optimizer import Optimizer

from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS
from inspector.recording.engine_hook import EngineCall
from inspector.recording.session import Session
from inspector.recording.training.optimizer_steps import held_by
from inspector.recording.training.parameter_inventory import Given
from inspector.tracing.roots import edges_of
from inspector.tracing.walk import walk


class Chosen:
    """The parameters of the given modules and optimizers; all parameters if nothing is given.

    An optimizer is chosen if it holds one of them, so that a trainer may wrap an optimizer in one of its own.
    """

    def __init__(self, modules: Given | None = None, optimizers: Iterable[Optimizer] = ()) -> None:
        self.modules = modules or {}
        self._optimizers = [weakref.ref(optimizer) for optimizer in optimizers]
        self.is_all = not self.modules and not self._optimizers
        """Whether nothing is given."""
        self._known: weakref.WeakKeyDictionary[Optimizer, bool] = weakref.WeakKeyDictionary()

    def named(self) -> Iterator[tuple[torch.Tensor, str]]:
        """The parameters of the modules, with their names."""
        for prefix, reference in self.modules.items():
            module = reference()
            if module is not None:
                for name, parameter in module.named_parameters(prefix=prefix):
                    yield parameter, name

    def parameters(self) -> set[int]:
        """The ids of the parameters, which are alive."""
        found = {id(parameter) for parameter, _ in self.named()}
        return found.union(*(map(id, held_by(optimizer)) for optimizer in self.optimizers()))

    def optimizers(self) -> list[Optimizer]:
        """The given optimizers."""
        return [optimizer for reference in self._optimizers if (optimizer := reference()) is not None]

    def reached_by(self, call: EngineCall) -> bool:
        """Whether the graph of a call reaches one of the parameters; true if nothing is given."""
        return self.is_all or not self.parameters().isdisjoint(map(id, leaves_of(call)))

    def numbers(self, session: Session) -> set[int]:
        """The numbers of the optimizers, as far as a session knows them."""
        if self.is_all:
            return set(range(len(session.inventory.optimizers)))
        ours, given = self.parameters(), set(map(session.watch_optimizer, self.optimizers()))
        return given.union(*(holders for tensor, _, holders in session.leaves() if id(tensor) in ours))

    def has(self, optimizer: Optimizer) -> bool:
        """Whether the steps of an optimizer are recorded."""
        if self.is_all:
            return True
        found = self._known.get(optimizer)
        if found is None:
            ours = self.parameters()
            found = self._known[optimizer] = any(id(tensor) in ours for tensor in held_by(optimizer))
        return found


def leaves_of(call: EngineCall) -> list[torch.Tensor]:
    """The leaves that the graph of a call reaches."""
    graph = walk(edges_of(call.given.outputs))
    leaves = [getattr(node, "variable", None) for node in graph.nodes]
    DEEP_GRAPHS.keep(graph, [*call.given.outputs])
    return [leaf for leaf in leaves if leaf is not None]
