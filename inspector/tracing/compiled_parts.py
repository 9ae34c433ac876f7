"""What a compiled function's Node computes in backward, as a row of the report."""

from __future__ import annotations

from inspector.graph.row_types import InnerOperation, InnerPart, Source
from inspector.graph.values import Unknown, unknown
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
