"""The modules that ran, and the Nodes that each created."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

from torch import nn

from inspector.recording.forward.modules_without_graph import ModulesWithoutGraph
from inspector.recording.forward.sequence_ranges import RangesByThread
from inspector.recording.forward.user_frames import UserFrames
from inspector.user_code.source_expressions import SourceExpressions


@dataclass(slots=True)  # frozen would take a microsecond more for every call
class ModuleCall:
    """A running module.

    path: from the outermost module that was called, `blocks.3.attn`; "" for that module itself. A module not
    registered in any enclosing one is written as its class, `(Linear)`.
    kind: the name of its class.
    root: index of the outermost module in `CalledModules.roots`.
    """

    path: str
    kind: str
    root: int


class CalledModules:
    """What the module hooks record.

    ranges: the module call that created each Node. roots: the outermost modules that were called, in the order of
    their first calls. compiled_from: the sequence number from which modules are unknown because of torch.compile
    (0 if another thread compiled); None if nothing was compiled.
    """

    def __init__(self, users: UserFrames, sources: SourceExpressions) -> None:
        self.ranges: RangesByThread[ModuleCall] = RangesByThread()
        self.roots: list[weakref.ref[nn.Module]] = []
        self.without_graph = ModulesWithoutGraph(users, sources)
        self.compiled_from: int | None = None

    def root_index(self, module: nn.Module) -> int:
        """The index of an outermost module in `roots`, where it is added when it is called first."""
        for index, reference in enumerate(self.roots):
            if reference() is module:
                return index
        self.roots.append(weakref.ref(module))
        return len(self.roots) - 1
