"""The tree of boxes of a graph: every module, loop iteration, source line and stack of equal parts, opened."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct, field

from inspector.folding.boxes import FoldedBox, Item, members
from inspector.folding.folded_graph import items_of
from inspector.folding.grouping import Grouping
from inspector.graph import Graph

MOST_NODES = 20_000
"""Maximum number of Nodes in a page; boxes farther down stay closed."""


class Group(Struct):
    """A box of the tree.

    box: None for the whole graph. parent: its index; -1 for the whole graph. sealed: its contents are not in the
    page. is_open: whether the page starts with its contents shown. alone: whether one of several equal parts is
    shown by itself.
    """

    box: FoldedBox | None
    parent: int
    sealed: bool = False
    is_open: bool = False
    alone: bool = False


class GroupTree(Struct):
    """The groups, parents first, and the group of every Node in the page, by position in walk order."""

    groups: list[Group] = field(default_factory=list)
    group_of: dict[int, int] = field(default_factory=dict)
    sealed_at: dict[int, int] = field(default_factory=dict)
    """The sealed group of every Node that is not in the page."""


def group_tree(graph: Graph, view: Graph, most: int = MOST_NODES) -> GroupTree:
    """The tree of an unfolded graph, opened where `view`, a folding of it, shows the contents.

    most: the maximum number of Nodes; boxes that would exceed it are sealed.
    """
    folder = Grouping(graph)
    shown = items_of(view)
    owner = _owners(shown)
    top = folder.all()
    if any(isinstance(item, FoldedBox) and item.kind == "joined" for item in shown):
        top = list(shown)
    elif not owner:  # nothing is folded: only modules frame their Nodes
        top = [inner for item in top for inner in _without_line(folder, item)]
    tree = GroupTree([Group(None, -1, is_open=True)])
    waiting: deque[tuple[int, Sequence[Item]]] = deque([(0, top)])
    count = _nodes(top)
    while waiting:
        index, items = waiting.popleft()
        for item in items:
            if not isinstance(item, FoldedBox):
                tree.group_of[item] = index
        boxes = [item for item in items if isinstance(item, FoldedBox)]
        for box in boxes:
            group = Group(box, index, is_open=_is_open(box, owner))
            group.alone = _is_alone(box, tree.groups[index].box, owner)
            tree.groups.append(group)
            inner = _open(folder, box)
            count += _nodes(inner)
            if count > most:
                count -= _nodes(inner)
                tree.groups[-1].sealed, inner = True, []
                tree.sealed_at |= dict.fromkeys(box.positions, len(tree.groups) - 1)
            waiting.append((len(tree.groups) - 1, inner))
    return tree


def _nodes(items: Sequence[Item]) -> int:
    return sum(not isinstance(item, FoldedBox) for item in items)


def _without_line(folder: Grouping, item: Item) -> Sequence[Item]:
    return folder.open(item) if isinstance(item, FoldedBox) and item.kind == "line" else [item]


def _owners(shown: Sequence[Item]) -> dict[int, FoldedBox]:
    """The box that shows each Node; Nodes that are shown by themselves are left out."""
    return {
        position: item for item in shown if isinstance(item, FoldedBox) for position in members(item)
    }


def _is_open(box: FoldedBox, owner: dict[int, FoldedBox]) -> bool:
    """Whether a view shows more than one box here, or Nodes."""
    return len({id(owner[position]) if position in owner else position for position in box.positions}) > 1


def _is_alone(box: FoldedBox, stack: FoldedBox | None, owner: dict[int, FoldedBox]) -> bool:
    """Whether a view shows a part of a stack apart from the others."""
    if stack is None or stack.kind != "equal":
        return False
    shown = owner.get(box.positions[0])
    return shown is None or len(shown.positions) <= len(box.positions)


def _open(folder: Grouping, box: FoldedBox) -> Sequence[Item]:
    """The contents of a box; a level that holds one box of the same Nodes is skipped."""
    inner: Sequence[Item] = folder.open(box)
    for _ in range(len(box.path) + 64):
        only = inner[0] if len(inner) == 1 else None
        if not isinstance(only, FoldedBox) or only.kind == "equal":
            return inner
        inner = folder.open(only)
    return list(box.positions)
