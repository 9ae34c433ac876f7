"""Views and transposes out of sight: each goes into the function beside it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection

from inspector.graph import Graph
from inspector.views.folded import items_of, view, whole_of
from inspector.views.items import Box, Item
from inspector.views.outline import arrivals, outline, ranks

VIEWS = (
    "AliasBackward",
    "ExpandBackward",
    "PermuteBackward",
    "ReshapeAliasBackward",
    "SqueezeBackward",
    "TBackward",
    "TransposeBackward",
    "UnsafeViewBackward",
    "UnsqueezeBackward",
    "ViewBackward",
)
"""Functions that only look at their input in another shape."""

_DIGITS = re.compile(r"\d+$")


def is_view(name: str, names: Collection[str] = VIEWS) -> bool:
    """Whether a function of this name is one of `names`, whatever torch's number at its end."""
    return _DIGITS.sub("", name) in names


def hide(graph: Graph, names: Collection[str] = VIEWS) -> Graph:
    """The Graph with such functions as members of the function that their gradient goes to.

    names: without torch's trailing number. One that leads to a leaf joins the function before it, if there is but
    one; one that has no neighbour to join stays. Boxes of earlier views are left alone.
    """
    whole = whole_of(graph)
    items = items_of(graph)
    hosts = _hosts(whole, items, names)
    groups: dict[int, list[int]] = defaultdict(list)
    for position, host in hosts.items():
        groups[host].append(position)
    of = outline(whole)
    shown: list[Item] = []
    for item in items:
        if isinstance(item, Box):
            shown.append(item)
        elif item in groups:
            positions = sorted([item, *groups[item]])
            module = of.functions[item]["module"]
            path = tuple(module.split(".")) if isinstance(module, str) and module else ()
            shown.append(Box("views", of.functions[item]["name"], path, positions, host=item))
        elif item not in hosts:
            shown.append(item)
    return view(whole, shown)


def _hosts(whole: Graph, items: tuple[Item, ...], names: Collection[str]) -> dict[int, int]:
    """Hidden function → the function that it joins."""
    of, turns = outline(whole), ranks(outline(whole))
    into = arrivals(of)
    single = {item for item in items if not isinstance(item, Box)}
    hidden = [item for item in single if is_view(of.functions[item]["name"], names)]
    hosts: dict[int, int] = {}
    upwards: set[int] = set()
    for position in sorted(hidden, key=turns.__getitem__, reverse=True):
        following = of.following(position)
        target = following[0] if len(following) == 1 else -1
        if target in single and target not in upwards and not of.functions[target]["is_leaf"]:
            hosts[position] = hosts.get(target, target)
        else:
            upwards.add(position)
    for position in sorted(upwards, key=turns.__getitem__):
        users = set(into.of(position))
        user = users.pop() if len(users) == 1 else -1
        if user in single and user not in of.roots:
            hosts[position] = hosts.get(user, user)
    return hosts
