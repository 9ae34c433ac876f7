"""Cuts in words: what the rules say of a place where a tensor left the graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_TEXTS = {
    "detach": "is detached here",
    "data": "is taken as .data here",
    "item": "becomes a Python number here",
    "tolist": "becomes Python numbers here",
    "numpy": "becomes a NumPy array here",
    "tensor": "is copied into a new tensor here",
    "comparison": "is compared here, which has no derivative",
    "integer": "becomes integers here, which have no derivative",
    "no_grad": "is computed while gradients are turned off",
    "inference_mode": "is computed in inference mode",
}


def described(cut: dict[str, Any]) -> str:
    """`h is detached here`."""
    if cut["region"] is not None:
        return "gradients are turned off here"
    name = cut["code"] if cut["kind"] in ("no_grad", "inference_mode") else cut["name"]
    return f"{name or 'the result of ' + cut['operation']} {_TEXTS[cut['kind']]}"


def location(cut: dict[str, Any]) -> Any:
    """The line at fault: where gradients were turned off, else the cut's own, and which part of it."""
    if cut["region"] is not None or cut["source"] is None or cut["code"] is None:
        return cut["region"] or cut["source"]
    return cut["source"] | {"part": cut["code"]}


def by_place(cuts: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The cuts of one place together, in the order of the places."""
    places: dict[Any, list[dict[str, Any]]] = {}
    for cut in cuts:
        at = location(cut)
        key = (at["file"], at["line"]) if at is not None else None
        places.setdefault(key, []).append(cut)
    return list(places.values())
