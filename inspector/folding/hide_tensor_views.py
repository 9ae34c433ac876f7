"""Hide views and transposes: each is merged into a neighbouring function."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection

from inspector.folding.boxes import FoldedBox, Item
from inspector.folding.folded_graph import items_of, make_folded_graph, whole_of
from inspector.graph import Graph
from inspector.graph.topology import topology_of

TENSOR_VIEWS = (
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


def is_tensor_view(name: str, names: Collection[str] = TENSOR_VIEWS) -> bool:
    """Whether a function of this name is one of `names`, whatever torch's number at its end."""
    return _DIGITS.sub("", name) in names


def hide_tensor_views(graph: Graph, names: Collection[str] = TENSOR_VIEWS) -> Graph:
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
    of = topology_of(whole)
    shown: list[Item] = []
    for item in items:
        if isinstance(item, FoldedBox):
            shown.append(item)
        elif item in groups:
            positions = sorted([item, *groups[item]])
            module = of.functions[item]["module"]
            path = tuple(module.split(".")) if isinstance(module, str) and module else ()
            shown.append(FoldedBox("views", of.functions[item]["name"], path, positions, anchor=item))
        elif item not in hosts:
            shown.append(item)
    return make_folded_graph(whole, shown)


def _hosts(whole: Graph, items: tuple[Item, ...], names: Collection[str]) -> dict[int, int]:
    """Hidden function → the function that it joins."""
    of = topology_of(whole)
    single = {item for item in items if not isinstance(item, FoldedBox)}
    hidden = [item for item in single if is_tensor_view(of.functions[item]["name"], names)]
    hosts: dict[int, int] = {}
    upwards: set[int] = set()
    for position in sorted(hidden, key=of.turns.__getitem__, reverse=True):
        following = of.following(position)
        target = following[0] if len(following) == 1 else -1
        if target in single and target not in upwards and not of.functions[target]["is_leaf"]:
            hosts[position] = hosts.get(target, target)
        else:
            upwards.add(position)
    for position in sorted(upwards, key=of.turns.__getitem__):
        users = set(of.arrivals.of(position))
        user = users.pop() if len(users) == 1 else -1
        if user in single and user not in of.roots:
            hosts[position] = hosts.get(user, user)
    return hosts
