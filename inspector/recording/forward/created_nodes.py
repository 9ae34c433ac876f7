"""The Nodes that an operation created, as seen from its result."""

from __future__ import annotations

from typing import Any

from inspector.recording.forward.operation_arguments import tensors_of
from inspector.torch_api.nodes import ACCUMULATE_GRAD_NUMBER, sequence_number_of
from inspector.torch_api.tensors import is_changed_view
from inspector.tracing.walk import AutogradNode


def created_nodes(result: Any, first: int) -> dict[int, AutogradNode]:
    """The Nodes under `result`, by sequence number.

    first: the sequence number at the start of the operation, which is that of the first Node.
    """
    waiting = [item.grad_fn for item in tensors_of(result) if item.requires_grad and not is_changed_view(item)]
    found: dict[int, AutogradNode] = {}
    while waiting:
        node = waiting.pop()
        number = -1 if node is None else sequence_number_of(node)
        if node is not None and first <= number < ACCUMULATE_GRAD_NUMBER and number not in found:
            found[number] = node
            waiting += [target for target, _ in node.next_functions]
    return found
