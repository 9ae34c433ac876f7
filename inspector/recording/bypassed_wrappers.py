"""Find DistributedDataParallel modules that a forward went around: `model.module(x)` in place of `model(x)`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from torch import nn

from inspector.recording.forward.thread_nodes import ThreadNodes
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.walk import Walk
from inspector.user_code.variable_names import Names


def bypassed_wrappers(names: Names, graph: Walk, nodes: ThreadNodes | None) -> list[str]:
    """The script's names of the DistributedDataParallel modules of a graph that were not called in its forward,
    although the module in them, or one below it, was called by itself. nodes: None if no forward was recorded."""
    wrappers = list(_wrappers(names)) if "torch.nn.parallel.distributed" in sys.modules else []
    if nodes is None or not wrappers:
        return []
    structure = zip(graph.structure.sequence_nrs, graph.structure.names, strict=True)
    numbers = [number for number, name in structure if name != ACCUMULATE_GRAD]
    ran = {id(module) for module in nodes.outermost_ran(numbers)}
    return [
        name
        for name, wrapper in wrappers
        if id(wrapper) not in ran and ran & {id(inner) for _, inner in names.tree(wrapper).modules[1:]}
    ]


def _wrappers(names: Names) -> Iterator[tuple[str, nn.Module]]:
    from torch.nn.parallel import DistributedDataParallel

    for name, outermost in (*names.given, *names.outermost):
        for path, module in names.tree(outermost).modules:
            if isinstance(module, DistributedDataParallel):
                yield f"{name}.{path}" if name and path else name or path or "the model", module
