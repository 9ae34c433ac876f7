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
    "no_derivative": "has no derivative in torch",
    "grad": "is computed without create_graph=True, so the gradients have no graph",
    "no_grad": "is computed with gradients turned off",
    "inference_mode": "is computed in inference mode",
    "parameter": "is wrapped in an nn.Parameter here, which is a new leaf",
}


_WITHOUT_NAME = {
    "comparison": "is a comparison, which has no derivative",
    "integer": "gives integers, which have no derivative",
}
"""Predicates of the operation's text, where its input has no name."""

_OF_CODE = ("no_derivative", "grad", "no_grad", "inference_mode")
"""Kinds of cuts that a message names by the operation, not by its input."""


def described(cut: CutRow) -> str:
    """`h is detached here`."""
    if cut["kind"] == "frozen_inputs":
        called = cut.get("code") or "a custom Function"
        return f"no input of {called} requires a gradient, so torch records nothing inside it"
    if cut["kind"] == "sample":
        return "sample() draws with gradients turned off"
    if cut["region"] is not None:
        return "gradients are turned off here"
    if cut["kind"] == "parameter" and not cut.get("name"):
        return f"a tensor {_TEXTS[cut['kind']]}"
    code, text = cut.get("code"), _WITHOUT_NAME.get(cut["kind"])
    if code and text and not cut.get("name"):
        return f"{code} {text}"
    name = cut.get("code") if cut["kind"] in _OF_CODE else cut.get("name")
    return f"{name or 'the result of ' + cut['operation']} {_TEXTS[cut['kind']]}"


def advice(cut: CutRow) -> str:
    """How to keep the tensor in the graph."""
    if cut["region"] is not None and cut["kind"] not in _ADVICE:
        return "run this part with gradients enabled"
    return _ADVICE.get(cut["kind"], _OTHERWISE)


_ADVICE = {
    "comparison": "replace the comparison by a smooth function, such as a sigmoid or a margin",
    "integer": "keep the floating-point scores: integers can select elements, but carry no gradient",
    "no_derivative": "replace it by an operation that has a derivative",
    "grad": "pass create_graph=True to torch.autograd.grad",
    "sample": "call rsample(), which draws the same way and passes a gradient to the distribution's parameters",
    "parameter": "compute the tensor in each step and use it itself, as in F.linear(x, weight)",
    "frozen_inputs": "pass use_reentrant=False to a checkpoint, or an input that requires a gradient",
}
_OTHERWISE = "use the tensor itself in the loss, not a detached copy"


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
