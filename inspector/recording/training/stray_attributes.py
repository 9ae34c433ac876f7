"""Find attributes that a module or an optimizer has although torch does not read them: something has set them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from inspector.graph.traversal import reach
from inspector.torch_api.modules import children_of
from inspector.user_code.idle_statements import REQUIRES_GRAD


def attributes_of(owner: Any) -> dict[str, Any]:
    """The attributes of an object itself, whatever its class makes of them."""
    try:
        return dict(object.__getattribute__(owner, "__dict__"))
    except AttributeError:
        return {}


def is_a(owner: Any, *kinds: type) -> bool:
    """Whether an object is of one of these classes; `isinstance` asks `__class__`, which may be user code."""
    return issubclass(type(owner), kinds)


def is_stray(owner: Any, name: str) -> bool:
    """Whether torch does not read this attribute of an object that has it."""
    if is_a(owner, torch.nn.Module):
        return name == REQUIRES_GRAD and REQUIRES_GRAD in attributes_of(owner)
    if is_a(owner, torch.optim.Optimizer) and type(owner).__module__.startswith("torch.optim"):
        return name in owner.defaults
    return False


def stray_attributes(objects: Iterable[Any]) -> dict[str, Any]:
    """The names of such attributes, each with one object that has it.

    objects: modules and optimizers, and anything else. The modules inside a module count, too.
    """
    given = [item for item in objects if is_a(item, torch.nn.Module, torch.optim.Optimizer)]
    found: dict[str, Any] = {}
    for item in reach(given, modules_inside):
        for name in attributes_of(item):
            if is_stray(item, name):
                found.setdefault(name, item)
    return found


def modules_inside(owner: Any) -> list[torch.nn.Module]:
    """The modules that a module holds itself; none for another object."""
    if not is_a(owner, torch.nn.Module):
        return []
    return [inner for inner in (children_of(owner) or {}).values() if inner is not None]
