"""A saved tensor was changed through `.data` (or an alias of its memory), which bypasses the version counter.

Why it matters: an operation computes its derivative from the tensors it saved in the forward. A write through
`.data` is not counted, so torch does not raise and computes the gradient from the new values: the gradient is
silently wrong.

How to fix it: compute a new tensor, or write under `torch.no_grad()` before the forward or after backward.
Avoid `.data`: under `no_grad` torch would have raised.

Example:

    h = torch.sigmoid(layer(x))      # saves its result
    h.data.clamp_(0.1, 0.9)          # backward uses the clamped values
    h.sum().backward()
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from inspector.diagnosis.analysis.node_ops import op, operation
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.diagnosis.rule import Place, Rule
from inspector.diagnosis.wording import at_line
from inspector.graph.places import exact_place
from inspector.graph.row_types import SavedTensor
from inspector.report import Finding
from inspector.report.row_types import WriteRow

_Saved = tuple[str, str]
"""A Node, and the name of a tensor that it saved."""

_LAYERS: dict[str, dict[str, tuple[int, ...]]] = {
    "convolution": {"input": (1,), "weight": (0,)},
    "native_batch_norm": {"input": (0, 1), "weight": (0,)},
    "native_group_norm": {"input": (0, 1), "weight": (0,)},
    "native_layer_norm": {"input": (0, 1), "weight": (0,)},
}
"""Operations whose derivatives torch computes in one formula: the slots for which each saved tensor is needed."""

_ADVICE = "compute a new tensor instead of overwriting this one (without `.data` torch detects it and raises)"


def check(evidence: Evidence) -> Iterator[Finding]:
    """Every line that wrote to a tensor after a Node had saved it, without an error from torch."""
    for call in evidence.calls:
        if "modified by an inplace operation" not in (call.graph.error or ""):
            yield from _of_call(call)


def _of_call(call: BackwardView) -> Iterator[Finding]:
    held = {(node, row["name"]) for node, f in call.functions.items() for row in f["saved"] if _is_held(row)}
    lines: dict[Any, tuple[WriteRow, list[_Saved]]] = {}
    for write in call.row.writes:
        spoiled = [(item["node"], item["name"]) for item in write.get("saved", ()) if item["overlaps"]]
        spoiled = [item for item in spoiled if item in held]
        if spoiled:
            lines.setdefault(exact_place(write["source"]), (write, []))[1].extend(spoiled)
    explained: set[_Saved] = set()
    for write, saved in lines.values():
        new = [item for item in dict.fromkeys(saved) if item not in explained]
        explained.update(new)
        yield from _found(call, write, new)


def _found(call: BackwardView, write: WriteRow, saved: list[_Saved]) -> Iterator[Finding]:
    harmed = list(_harmed(call, saved))
    if not harmed:
        return
    node, name = saved[0]
    wrote = write["code"] or write["operation"]
    saver = f"{operation(call, node)}{at_line(call.location(node))}"
    more = f" (and {len(saved) - 1} more)" if len(saved) > 1 else ""
    yield RULE.found(
        f"{wrote}{at_line(write['source'])} changed `{name}`, which {saver} had saved for backward{more}, "
        "bypassing the version counter: the gradient was computed from the new values",
        _ADVICE,
        at=Place(
            write["source"] or call.location(node), call.index, tuple(dict.fromkeys(key for key, _ in saved))
        ),
        parameters=harmed,
        evidence={"saved": [f"{key}.{item}" for key, item in saved]},
    )


def _harmed(call: BackwardView, saved: list[_Saved]) -> Iterator[str]:
    """The names of the leaves whose derivative is computed from a changed tensor."""
    names = defaultdict(set)
    for node, name in saved:
        names[node].add(name.partition("[")[0])
    for node, changed in names.items():
        slots = _LAYERS.get(op(call, node))
        for edge in call.next_edges.get(node, ()):
            if slots is not None and changed <= slots.keys():
                is_harmed = any(edge.slot in slots[name] for name in changed)
            else:
                is_harmed = bool(changed & _what_was_saved(call, node, edge.slot, changed))
            if is_harmed:
                yield from call.leaves_affected_by([edge.target])


def _what_was_saved(call: BackwardView, node: str, slot: int, unknown: set[str]) -> set[str]:
    """The names in the formula of one derivative; `unknown` if torch computes several in one formula."""
    formulas = list(call.functions[node]["formula"].items())
    if slot >= len(formulas) or "," in formulas[slot][0]:
        return unknown
    return set(re.findall(r"\w+", _METADATA.sub("", formulas[slot][1])))


_METADATA = re.compile(r"\w+(?:\.|->)\w*(?:size|sizes|strides|layout|scalar_type|options|dim|numel)\([^)]*\)")
"""Parts of a formula that use only the metadata of a tensor, not its elements: `self.sym_sizes()`."""


def _is_held(row: SavedTensor) -> bool:
    return bool(row["before"] == "held")


RULE = Rule("silent-overwrite", "error", ("forward",), check, __doc__)
