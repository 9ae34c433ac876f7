"""The table of tensors: data, grad before and after, is_leaf, requires_grad, grad_fn."""

from __future__ import annotations

from collections import defaultdict

from rich.text import Text

from inspector.graph import Graph, is_unknown
from inspector.graph.row_types import TensorRow
from inspector.graph.topology import topology_of
from inspector.graph.values import Value, is_number
from inspector.terminal.labels import function_title, gradient, tensor_label, tensor_labels, value
from inspector.terminal.text_cells import GRADIENT, QUIET, STRONG, columns, fit_text, wrapped
from inspector.typography import value_text

_NOT_A_LEAF = "None: not a leaf"
_NAMES = 3
_HEADINGS = ("tensor", "data", "grad", "is_leaf", "requires_grad", "grad_fn")
_SHRINK = ((5, 8), (4, 9), (2, 12), (1, 10), (3, 7), (0, 8), (4, 5))


def tensor_table(graph: Graph, width: int) -> list[Text]:
    """A row for every tensor that is named, a root, or a leaf that requires a gradient; below, why a grad is
    None."""
    rows = [[Text(heading, style=QUIET) for heading in _HEADINGS]]
    reasons: dict[str, list[str]] = defaultdict(list)
    shown = [item for item in graph.tensors() if _is_shown(graph, *item)]
    labels = tensor_labels([tensor for _, tensor in shown], min(32, width // 4))
    for identifier, tensor in shown:
        rows.append(_row(graph, tensor, tensor_label(tensor, min(32, width // 4), labels=labels)))
        if reason := _why_none(graph, identifier, tensor):
            reasons[reason].append(tensor_label(tensor))
    return [*columns(rows, width, _SHRINK), *_explained(reasons, width), *_parts(shown, width)]


def _parts(shown: list[tuple[str, TensorRow]], width: int) -> list[Text]:
    """A line on the tensors of which this process holds a part, if there are any."""
    parts = [part for _, tensor in shown if (part := tensor.get("part")) is not None and part["parts"] > 1]
    if not parts:
        return []
    which = "all tensors" if len(parts) == len(shown) else f"{len(parts)} of {len(shown)} tensors"
    ways = ", ".join(dict.fromkeys(f"[{', '.join(part['placements'])}]" for part in parts))
    text = f"sharded: data and grad are of the part on this rank, gradients of the whole tensor {ways}"
    return wrapped(Text(f"{which}  "), Text(text, style=QUIET), width)


def _is_shown(graph: Graph, identifier: str, tensor: TensorRow) -> bool:
    is_wanted = tensor["is_leaf"] and tensor["requires_grad"]
    return tensor["name"] is not None or is_wanted or identifier in graph.roots


def _row(graph: Graph, tensor: TensorRow, label: str) -> list[Text]:
    grad_fn = graph.name_of_grad_fn(tensor)
    return [
        Text(label, style=STRONG),
        _changed(tensor["before"]["data"], tensor["after"]["data"]),
        _grad(tensor["before"]["grad"], tensor["after"]["grad"]),
        Text(str(tensor["is_leaf"])),
        Text(str(tensor["requires_grad"])),
        Text(function_title(grad_fn)) if grad_fn else Text("None", style=QUIET),
    ]


def _changed(before: Value, after: Value) -> Text:
    if is_unknown(after) or value_text(before) == value_text(after):
        return value(before)
    return Text.assemble(value(before), (" → ", QUIET), value(after))


def _grad(before: Value, after: Value) -> Text:
    """`None → 4` if backward changed it, else the grad."""
    if value_text(before) == value_text(after):
        return gradient(after)
    return Text.assemble((f"{gradient(before).plain} → ", QUIET), gradient(after, f"{STRONG} {GRADIENT}"))


def _why_none(graph: Graph, identifier: str, tensor: TensorRow) -> str | None:
    """Why the tensor has no grad after backward; None if it has one, or if the reason is unknown."""
    if tensor["after"]["grad"] is not None:
        return None
    maker = topology_of(graph).makers.get(identifier)
    if not tensor["requires_grad"]:
        when = "is False" if maker is None else "was turned off after the forward"
        return f"None: requires_grad {when}"
    if not tensor["is_leaf"] and tensor["retains_grad"] is not True:
        return _NOT_A_LEAF
    if graph.error is not None:
        return "None: backward raised before it was reached"
    if tensor["gradient"] is None:
        return "None: no gradient reached it"
    if is_unknown(tensor["gradient"]):
        return None
    if maker is not None and tensor["is_leaf"] and is_number(graph.function(maker[0])["step"]):
        if "part" in tensor:  # fully_shard keeps it in a forward with set_requires_gradient_sync(False)
            return "None: its gradient has not been reduced yet, or a hook set it to None"
        return "None: backward stored it, and a hook set it to None"
    return "None: its gradient was computed, not stored (autograd.grad, or inputs=)"


def _explained(reasons: dict[str, list[str]], width: int) -> list[Text]:
    """One line per reason: `z.grad None: not a leaf; z.retain_grad() keeps it`."""
    lines = [Text()] if reasons else []
    for reason, names in reasons.items():
        keeper = f"{names[0]}." if names[0].isidentifier() else ""
        ending = f"; {keeper}retain_grad() keeps it" if reason == _NOT_A_LEAF else ""
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        which = ", ".join(f"{name}.grad" for name in names[:_NAMES])
        lines += wrapped(Text(f"{fit_text(which, width // 2)}{more}  "), Text(reason + ending, style=QUIET), width)
    return lines
