"""The modules that ran, and the Nodes that each created."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Mapping, Sequence

from msgspec import Struct
from torch import nn

from inspector.recording.forward.modules_without_graph import ModulesWithoutGraph
from inspector.recording.forward.sequence_ranges import RangesByThread, SequenceRanges
from inspector.recording.forward.user_frames import UserFrames
from inspector.torch_api.modules import children_of
from inspector.user_code.module_names import RootName
from inspector.user_code.source_expressions import SourceExpressions


class ModuleCall(Struct):
    """One call of a module.

    path: from the outermost module that was called, `blocks.3.attn`; "" for that module itself. A module not
    registered in any enclosing one is written as its class, `(Linear)`.
    root: index of the outermost module in `CalledModules.roots`.
    number: of all calls, in the order of their starts. around: the call during which it was made.
    """

    path: str
    root: int
    number: int
    around: ModuleCall | None


class OutermostModule(Struct, frozen=True):
    """A module that was called outside of all others.

    kind: the name of its class. members: what an `nn.Sequential` contains, by its names in it.
    """

    reference: weakref.ref[nn.Module]
    kind: str
    members: Mapping[str, weakref.ref[nn.Module]]


class CalledModules:
    """What the module hooks record.

    ranges: the module call that created each Node. roots: the outermost modules that were called, in the order of
    their first calls. root_names: the names of the first of them in the script, see `name_roots`.
    compiled: the Nodes that compiled functions created in the recorder's thread; nothing else is known of what
    they did. compiled_from: the sequence number from which all modules are unknown because of torch.compile (0 if
    another thread compiled); None where it is known when compiled functions run.
    """

    def __init__(self, users: UserFrames, sources: SourceExpressions) -> None:
        self.ranges: RangesByThread[ModuleCall] = RangesByThread()
        self.roots: list[OutermostModule] = []
        self.root_names: Sequence[RootName | None] = ()
        self.without_graph = ModulesWithoutGraph(users, sources)
        self.compiled: SequenceRanges[bool] = SequenceRanges()
        self.compiled_from: int | None = None
        self.numbers = itertools.count()

    def root_index(self, module: nn.Module) -> int:
        """The index of an outermost module in `roots`, where it is added when it is called first."""
        for index, root in enumerate(self.roots):
            if root.reference() is module:
                return index
        inner = children_of(module) or {} if is_sequence(module) else {}
        members = {name: weakref.ref(child) for name, child in inner.items() if child is not None}
        self.roots.append(OutermostModule(weakref.ref(module), type(module).__name__, members))
        return len(self.roots) - 1

    def alive(self) -> list[nn.Module | None]:
        """The modules of `roots`; None for one that the script no longer holds."""
        return [root.reference() for root in self.roots]

    def members(self) -> list[dict[str, nn.Module]]:
        """For each of `roots`, what it contains; empty unless it is an `nn.Sequential`."""
        return [
            {name: child for name, its in root.members.items() if (child := its()) is not None}
            for root in self.roots
        ]


def is_sequence(module: nn.Module) -> bool:
    """Whether a module does nothing but call those that it contains."""
    found = (vars(kind)["forward"] for kind in type(module).__mro__ if "forward" in vars(kind))
    return next(found, None) is nn.Sequential.forward  # read so, since that of TorchScript is a descriptor
