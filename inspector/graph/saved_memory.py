"""Memory held by the saved tensors of a graph: by function, by module, in total."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct

from inspector.graph.model import Graph
from inspector.graph.row_types import FunctionRow

OUTSIDE = "outside of modules"
ITSELF = "the model itself"
NOT_RECORDED = "modules not known"


class SavedMemoryTotals(Struct, frozen=True):
    """total: the bytes of all storages that functions saved, without those of leaves. packed: number of saved
    tensors that a hook packed (checkpointing, save_on_cpu), whose bytes are unknown. modules: the bytes by
    top-level module, largest first; the items of one list together (`blocks.*`)."""

    total: int
    packed: int
    modules: dict[str, int]


def saved_bytes(function: FunctionRow) -> int:
    """The bytes that one function adds to the memory held by the graph."""
    return sum(saved.get("bytes", 0) for saved in function["saved"])


def saved_memory(graph: Graph) -> SavedMemoryTotals | None:
    """The memory held by a graph before backward; None if it was not recorded."""
    modules: Counter[str] = Counter()
    packed, is_known = 0, False
    for _, function in graph.functions():
        for saved in function["saved"]:
            packed += saved["before"] == "packed"
            is_known |= saved["before"] == "packed" or "bytes" in saved
        if size := saved_bytes(function):
            modules[_top(function["module"])] += size
    if not is_known:
        return None
    largest = sorted(modules.items(), key=lambda item: (-item[1], item[0]))
    return SavedMemoryTotals(modules.total(), packed, dict(largest))


def _top(path: Any) -> str:
    """`decoder.blocks.*` for `decoder.blocks.3.attn.query`, `decoder` for `decoder.norm`."""
    if path is None:
        return OUTSIDE
    if not isinstance(path, str):
        return NOT_RECORDED
    if not path:
        return ITSELF
    parts = path.split(".")
    number = next((place for place, part in enumerate(parts) if place and part.isdigit()), None)
    return parts[0] if number is None else ".".join([*parts[:number], "*"])
