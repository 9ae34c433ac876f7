"""What AOTAutograd keeps of the backward graph of a compiled function: its operations and their lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import Struct
from torch import fx

from inspector.torch_api.capability import Capability

COMPILED = "CompiledFunctionBackward"
"""The name of the Node of a compiled function."""

_FRAME = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+), in (?P<function>\S+)')
_RESUMED = re.compile(r"torch_dynamo_resume_in_.*_at_(\d+)$")
_TANGENT = re.compile(r"tangents_\d+$")
"""AOTAutograd's name for a gradient that arrives."""
_KEYS = ("nn_module_stack", "fwd_nn_module_stack")
"""Where fx keeps the modules of an operation: of the forward's, and of those that backward adds."""


class StackFrame(NamedTuple):
    """A frame of the forward while Dynamo traced it. resumed_at: the line of the graph break after which Dynamo
    traced this function from there on; None for a whole function."""

    file: str
    line: int
    resumed_at: int | None


class BackwardOperation(Struct, frozen=True):
    """An operation of a compiled backward.

    name: torch's, `tanh_backward`. inputs: the positions of the operations whose results it uses. module: the path
    of the module that it belongs to, "" for the compiled module itself; None outside of modules.
    frames: of the forward operation that it belongs to, innermost last.
    """

    name: str
    inputs: list[int]
    module: str | None
    frames: tuple[StackFrame, ...]


class BackwardOperations(Struct, frozen=True):
    """The operations of a compiled backward, in the order of its graph.

    receives: the positions of those that use a gradient that arrives. returns: for each slot of next_functions the
    position of the operation whose result goes there, None if none does; None as a whole if that is unknown.
    """

    operations: list[BackwardOperation]
    receives: list[int]
    returns: list[int | None] | None


def _find_compiled_graphs() -> Callable[[Any], fx.GraphModule | None]:
    """What AOTAutograd keeps shows only once a script has compiled something: its import takes seconds."""
    return _backward_module


def _backward_module(node: Any) -> fx.GraphModule | None:
    """The backward graph; None if AOTAutograd does not keep it, for example if it was loaded from its cache."""
    kept = type(node)._forward_cls._lazy_backward_info
    module = getattr(kept, "bw_module", None)
    return module if isinstance(module, fx.GraphModule) else None


COMPILED_GRAPHS = Capability(
    "compiled backward graphs",
    "what a CompiledFunctionBackward computes, and for which lines, is unknown",
    _find_compiled_graphs,
)


def backward_operations(node: Any) -> BackwardOperations | None:
    """The operations in the Node of a compiled function; None if unknown."""
    found = COMPILED_GRAPHS.parts
    if found is None:
        return None
    try:
        module = found(node)
        return None if module is None else _operations(module.graph, [target for target, _ in node.next_functions])
    except Exception as error:
        COMPILED_GRAPHS.turn_off(error)
        return None


def _operations(graph: fx.Graph, targets: list[Any]) -> BackwardOperations:
    calls = [node for node in graph.nodes if node.op not in ("placeholder", "output", "get_attr")]
    positions = {node: position for position, node in enumerate(calls)}
    operations = [
        BackwardOperation(
            _name(call.target),
            [positions[item] for item in call.all_input_nodes if item in positions],
            _module(call.meta),
            _frames(call.meta.get("stack_trace") or ""),
        )
        for call in calls
    ]
    given = [node for node in graph.nodes if node.op == "placeholder" and _TANGENT.match(node.name)]
    receives = sorted({positions[user] for node in given for user in node.users if user in positions})
    return BackwardOperations(operations, receives, _returns(graph, positions, targets))


def _returns(graph: fx.Graph, positions: dict[fx.Node, int], targets: list[Any]) -> list[int | None] | None:
    """The operation for each slot. The results of the graph are those of the inputs of the forward, of which some
    may be no tensors, which have no slot."""
    (output,) = (node for node in graph.nodes if node.op == "output")
    results = list(output.args[0])
    if len(results) != len(targets):
        return None
    found = [positions.get(result) for result in results]
    fits = all(target is None or position is not None for target, position in zip(targets, found, strict=True))
    return [None if target is None else at for target, at in zip(targets, found, strict=True)] if fits else None


def _name(target: Any) -> str:
    """`tanh_backward` for `aten.tanh_backward.default`."""
    packet = getattr(target, "overloadpacket", target)
    name: str = getattr(packet, "__name__", None) or str(packet)
    return name.rpartition(".")[2]


def _module(meta: dict[str, Any]) -> str | None:
    stack = next((meta[key] for key in _KEYS if meta.get(key)), None)
    if stack is None:
        return None
    path: str = [entry[0] for entry in stack.values()][-1]
    path = re.sub(r"\._modules\['([^']+)'\]|\[(\d+)\]", lambda match: f".{match[1] or match[2]}", path)
    path = re.sub(r"^L\['self'\]\.?", "", path)
    return re.sub(r"^[LG]\['([^']+)'\]", r"\1", path)


def _frames(trace: str) -> tuple[StackFrame, ...]:
    found = []
    for match in _FRAME.finditer(trace):
        resumed = _RESUMED.match(match["function"])
        found.append(StackFrame(match["file"], int(match["line"]), int(resumed[1]) if resumed else None))
    return tuple(found)
