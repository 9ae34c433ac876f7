"""What a compiled function's Node computes in backward, as a row of the report."""

from __future__ import annotations

from inspector.graph.row_types import CompiledOperation, CompiledPart, Source
from inspector.torch_api.compiled_graphs import COMPILED, BackwardOperation, StackFrame, backward_operations
from inspector.tracing.walk import Walk
from inspector.user_code.paths import UserFiles


def compiled_parts(graph: Walk, files: UserFiles) -> dict[int, CompiledPart]:
    """The rows of the compiled functions in a graph, by the positions of their Nodes, as far as torch tells.

    Call it before backward, where torch may compile the backward graph and drop it.
    """
    found = {}
    for position, name in enumerate(graph.structure.names):
        if name == COMPILED and (operations := backward_operations(graph.nodes[position])) is not None:
            found[position] = _part(operations, files)
    return found


def _part(operations: list[BackwardOperation], files: UserFiles) -> CompiledPart:
    part: CompiledPart = {"operations": [_row(operation, files) for operation in operations]}
    resumed = [frame for operation in operations for frame in operation.frames if frame.resumed_at is not None]
    if resumed:
        first = resumed[0]
        part["graph_break"] = _source(StackFrame(first.file, first.resumed_at or 0, None), files)
    return part


def _row(operation: BackwardOperation, files: UserFiles) -> CompiledOperation:
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
