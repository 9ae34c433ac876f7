"""What a compiled function's Node computes in backward, as a row of the report."""

from __future__ import annotations

from collections.abc import Iterable

from inspector.graph.row_types import InnerOperation, InnerPart, Source
from inspector.graph.values import Unknown, is_unknown, unknown
from inspector.torch_api.compiled_graphs import (
    COMPILED,
    BackwardOperation,
    BackwardOperations,
    StackFrame,
    backward_operations,
)
from inspector.tracing.walk import Walk
from inspector.user_code.paths import UserFiles

_NOT_KEPT = unknown("torch does not keep its backward graph, as for a function from its cache")


def compiled_parts(graph: Walk, files: UserFiles) -> dict[int, InnerPart | Unknown]:
    """The rows of the compiled functions in a graph, by the positions of their Nodes.

    Call it before backward, where torch may compile the backward graph and drop it.
    """
    found: dict[int, InnerPart | Unknown] = {}
    for position, name in enumerate(graph.structure.names):
        if name == COMPILED:
            inside = backward_operations(graph.nodes[position])
            found[position] = _NOT_KEPT if inside is None else _part(inside, files)
    return found


def with_script_paths(part: InnerPart | Unknown, leaves: Iterable[tuple[int, str]]) -> InnerPart | Unknown:
    """The part with the modules' paths as the script would write them.

    AOTAutograd's begin with a variable of the compiled function, or with nothing for the compiled module itself.
    The operation that computes the gradient of `net.0.weight` belongs to `net.0`, which tells what to write
    instead.

    leaves: (slot of the Node, name of the leaf to which its gradient goes).
    """
    if is_unknown(part) or part.get("returns") is None:
        return part
    operations, returns = part["operations"], part["returns"]
    found: dict[str, set[str]] = {}
    for slot, name in leaves:
        at = returns[slot] if slot < len(returns) else None
        path = None if at is None else operations[at]["module"]
        if isinstance(path, str) and "." in name:
            inside, outside = _beginnings(path, name.rpartition(".")[0])
            found.setdefault(inside, set()).add(outside)
    sure = {inside: next(iter(outside)) for inside, outside in found.items() if len(outside) == 1}
    return {**part, "operations": [_renamed(operation, sure) for operation in operations]}


def _beginnings(path: str, other: str) -> tuple[str, str]:
    """What is left of two paths without the end that both have: `fn`, `net` for `fn.0` and `net.0`."""
    one, two = path.split(".") if path else [], other.split(".")
    while one and two and one[-1] == two[-1]:
        one.pop(), two.pop()
    return ".".join(one), ".".join(two)


def _renamed(operation: InnerOperation, beginnings: dict[str, str]) -> InnerOperation:
    path = operation["module"]
    if not isinstance(path, str):
        return operation
    variable, _, rest = path.partition(".")
    parts = [beginnings[variable], rest] if variable in beginnings else [beginnings.get("", ""), path]
    return {**operation, "module": ".".join(part for part in parts if part)}


def _part(inside: BackwardOperations, files: UserFiles) -> InnerPart:
    operations = inside.operations
    part: InnerPart = {
        "operations": [_row(operation, files) for operation in operations],
        "receives": inside.receives,
    }
    if inside.returns is not None:
        part["returns"] = inside.returns
    resumed = [frame for operation in operations for frame in operation.frames if frame.resumed_at is not None]
    if resumed:
        first = resumed[0]
        part["graph_break"] = _source(StackFrame(first.file, first.resumed_at or 0, None), files)
    return part


def _row(operation: BackwardOperation, files: UserFiles) -> InnerOperation:
    users = [frame for frame in operation.frames if files.is_users(frame.file)]
    frame = next(reversed(users or operation.frames), None)
    return {
        "name": operation.name,
        "inputs": operation.inputs,
        "module": operation.module,
        "source": None if frame is None else _source(frame, files),
    }


def _source(frame: StackFrame, files: UserFiles) -> Source:
    code = files.statement_at(frame.file, frame.line)
    return {"file": files.display_path(frame.file), "line": frame.line, "code": code}
