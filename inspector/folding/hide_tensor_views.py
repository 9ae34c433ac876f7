"""Hide views and transposes: each is merged into a neighbouring function."""

from __future__ import annotations

import functools
from collections import defaultdict

from inspector.folding.boxes import FoldedBox, Item
from inspector.folding.folded_graph import items_of, make_folded_graph, whole_of
from inspector.graph import Graph
from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.graph.topology import arrivals, topological_order, topology_of


@functools.cache
def is_tensor_view(name: str) -> bool:
    """Whether a function of this name only looks at its input, all of it, in another shape."""
    return is_kind(name, NodeKind.VIEW) and is_kind(name, NodeKind.COVERS)


def hide_tensor_views(graph: Graph) -> Graph:
    """The Graph with such functions as members of the function that their gradient goes to.

    One that leads to a leaf joins the function before it, if there is but one; one that has no neighbour to join
    stays. Boxes of earlier views are left alone.
    """
    whole = whole_of(graph)
    items = items_of(graph)
    hosts = _hosts(whole, items)
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


def _hosts(whole: Graph, items: tuple[Item, ...]) -> dict[int, int]:
    """Hidden function → the function that it joins."""
    of, turns = topology_of(whole), topological_order(topology_of(whole))
    into = arrivals(of)
    single = {item for item in items if not isinstance(item, FoldedBox)}
    hidden = [item for item in single if is_tensor_view(of.functions[item]["name"])]
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
