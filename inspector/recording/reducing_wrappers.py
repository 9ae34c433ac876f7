"""The DistributedDataParallel modules of a call: what they reduce in which order, and those that the forward went
around: `model.module(x)` in place of `model(x)`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from inspector.recording.forward.thread_nodes import ThreadNodes
from inspector.report.row_types import BucketRow, WrapperRow
from inspector.torch_api.gradient_buckets import buckets_of
from inspector.tracing.node_facts import ACCUMULATE_GRAD
from inspector.tracing.snapshot import GraphSnapshot
from inspector.user_code.variable_names import Names

if TYPE_CHECKING:
    from torch.nn.parallel import DistributedDataParallel


def reducing_wrappers(names: Names, graph: GraphSnapshot, nodes: ThreadNodes | None) -> list[WrapperRow]:
    """The DistributedDataParallel modules of a graph: what each will reduce, or that it was not called in the
    forward although the module in it, or one below it, was called by itself.

    nodes: None if no forward was recorded."""
    wrappers = list(_wrappers(names)) if "torch.nn.parallel.distributed" in sys.modules else []
    if nodes is None or not wrappers:
        return []
    structure = zip(graph.walk.structure.sequence_nrs, graph.walk.structure.names, strict=True)
    numbers = [number for number, name in structure if name != ACCUMULATE_GRAD]
    ran = {id(module) for module in nodes.outermost_ran(numbers)}
    leaves = {id(leaf) for _, leaf in graph.tensors.leaves()}
    rows: list[WrapperRow] = []
    for name, wrapper in wrappers:
        tree = names.tree(wrapper)
        if id(wrapper) not in ran and ran & {id(inner) for _, inner in tree.modules[1:]}:
            rows.append({"name": name, "bypassed": True})
        elif leaves & {id(parameter) for _, parameter in tree.parameters}:
            rows += _reduced(name, wrapper, names)
    return rows


def _reduced(name: str, wrapper: DistributedDataParallel, names: Names) -> Iterator[WrapperRow]:
    """What a wrapper will reduce; nothing after a forward under `no_sync()`, or if torch does not report it."""
    if not wrapper.require_forward_param_sync:  # set by each forward: whether its gradients are to be reduced
        return
    buckets: list[BucketRow] = [
        {"parameters": [names.name(parameter) or "?" for parameter in bucket.parameters], "bytes": bucket.size}
        for bucket in buckets_of(wrapper)
    ]
    if buckets:
        row: WrapperRow = {"name": name, "buckets": buckets}
        if wrapper.find_unused_parameters:
            row["find_unused_parameters"] = True
        if wrapper.static_graph:
            row["static_graph"] = True
        yield row


def _wrappers(names: Names) -> Iterator[tuple[str, DistributedDataParallel]]:
    from torch.nn.parallel import DistributedDataParallel

    for name, outermost in (*names.given, *names.outermost):
        for path, module in names.tree(outermost).modules:
            if isinstance(module, DistributedDataParallel):
                yield f"{name}.{path}" if name and path else name or path or "the model", module
