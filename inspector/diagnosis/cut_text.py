"""Sentences about cuts: places where a tensor left the graph."""

from __future__ import annotations

from collections.abc import Iterable

from inspector.graph.places import exact_place
from inspector.graph.row_types import Place
from inspector.report.row_types import CutRow, Fault

_TEXTS = {
    "detach": "is detached here",
    "data": "is read through .data here",
    "item": "is converted to a Python number here",
    "tolist": "is converted to Python numbers here",
    "numpy": "is converted to a NumPy array here",
    "tensor": "is copied into a new tensor here",
    "comparison": "is compared here, and a comparison has no derivative",
    "integer": "is converted to integers here, and integers have no derivative",
    "no_grad": "is computed with gradients turned off",
    "inference_mode": "is computed in inference mode",
}


def described(cut: CutRow) -> str:
    """`h is detached here`."""
    if cut["region"] is not None:
        return "gradients are turned off here"
    name = cut.get("code") if cut["kind"] in ("no_grad", "inference_mode") else cut.get("name")
    return f"{name or 'the result of ' + cut['operation']} {_TEXTS[cut['kind']]}"


def location(cut: CutRow) -> Fault | Place:
    """The faulty line (where gradients were turned off, otherwise the line of the cut), and the part of it."""
    source, code = cut["source"], cut.get("code")
    if cut["region"] is not None or source is None or "unknown" in source or code is None:
        return cut["region"] or source
    return {**source, "part": code}


def by_place(cuts: Iterable[CutRow]) -> list[list[CutRow]]:
    """Group cuts by location, in order."""
    places: dict[tuple[object, ...] | None, list[CutRow]] = {}
    for cut in cuts:
        places.setdefault(exact_place(cut["region"] or cut["source"]), []).append(cut)
    return list(places.values())
