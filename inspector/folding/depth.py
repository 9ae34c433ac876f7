"""Fold to a depth: choose the boxes to open, and describe the result in one line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from msgspec import Struct

from inspector.folding.boxes import FoldedBox, Item
from inspector.folding.by_order import join_in_order
from inspector.folding.folded_graph import items_of, make_folded_graph, whole_of
from inspector.folding.grouping import Grouping
from inspector.folding.module_paths import mask_digits
from inspector.graph import Graph
from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.options.choices import Depth, check_depth
from inspector.typography import pluralize
from inspector.util.gc_pause import gc_paused

TIMES = "\N{MULTIPLICATION SIGN}"

MOST_NAMED = 3
"""Maximum boxes of equal parts that the note names; more would fill lines with what stands on them."""
LEAST_SHOWN = 3
"""Functions and boxes that a box must hold to be opened for want of others: a Linear shows nothing new, nor does
one between views or casts."""


class Room(Struct, frozen=True):
    """How many boxes a picture has room for, leaves excluded.

    little: below this, automatic depth also opens what it leaves closed otherwise: loop iterations, small modules.
    comfortable: the maximum for which it opens another level.
    most: the maximum of a picture that has little, or no open block.
    """

    little: int
    comfortable: int
    most: int


ROOMS = (Room(12, 30, 40), Room(12, 18, 24), Room(8, 12, 16))
"""From a full picture to a small one."""
MOST_BOXES = 60
"""Maximum boxes; above this, what ran one after the other goes into one box."""
MOST_AT_A_DEPTH = 300
"""Maximum boxes at a requested depth; above this it folds like `auto`, since no layout engine is fast with more.
"""


def fold(graph: Graph, depth: Depth = "auto", room: Room = ROOMS[0]) -> Graph:
    """Fold modules deeper than `depth` into boxes, and consecutive equal siblings into one box.

    depth: a number of levels (1 keeps `blocks` closed, 2 shows `blocks.0`, of equal siblings only the first);
    "auto" opens as many boxes as a picture has room for (`room`); "full" folds nothing.
    Boxes of earlier foldings stay closed. A depth that gives too many boxes folds like "auto", and the note says
    so. Raises ValueError for an invalid depth.
    """
    check_depth(depth)
    if depth == "full":
        return graph
    whole = whole_of(graph)
    with gc_paused():
        atoms = [item for item in items_of(graph) if isinstance(item, FoldedBox)] if graph is not whole else []
        folder = Grouping(whole, atoms)
        items = _auto(folder, room) if depth == "auto" else _to_depth(folder, depth)
        count, remark = _count(folder, items, {}), ""
        if count > MOST_AT_A_DEPTH:
            remark = f"depth {depth} would give {count:,} boxes, so the graph is folded further: "
            items, depth = _auto(folder, room), "auto"
        return make_folded_graph(whole, items, remark + note(folder, items, depth))


# ---- to a depth -------------------------------------------------------------------------------------------


def _to_depth(folder: Grouping, depth: int) -> list[Item]:
    waiting, done = list(reversed(folder.all())), list[Item]()
    while waiting:
        item = waiting.pop()
        part = folder.one_part(item) if isinstance(item, FoldedBox) else item
        inner = folder.open(part) if isinstance(part, FoldedBox) and _depth(part) < depth else []
        if not (isinstance(part, FoldedBox) and _shows_something(part, inner)):
            done.append(item)
            continue
        waiting += reversed(inner)
        if isinstance(item, FoldedBox) and item.repeats:
            done.append(folder.without_first(item))
    return done


def _shows_something(box: FoldedBox, inner: Sequence[Item]) -> bool:
    """Whether a box holds modules or is a loop iteration; opening a Linear shows nothing new.

    A box of an earlier folding stays closed and holds only itself.
    """
    if any(item is box for item in inner):
        return False
    if box.kind == "step":
        return len(inner) > 1
    return box.kind in ("module", "call") and any(
        isinstance(item, FoldedBox) and item.kind != "line" for item in inner
    )


def _shows_modules(folder: Grouping, box: FoldedBox, inner: Sequence[Item]) -> bool:
    """Whether at least half of the contents of a box belong to modules in it."""
    shown = [item for item in inner if not folder.ground.is_leaf(item)]
    return sum(len(folder.ground.path(item)) > len(box.path) for item in shown) * 2 >= len(shown)


def _depth(box: FoldedBox) -> int:
    """The depth of a box's contents; a loop iteration is below the module that runs it."""
    return len(box.path) + (box.kind == "step")


# ---- automatically ----------------------------------------------------------------------------------------


def _auto(folder: Grouping, room: Room) -> list[Item]:
    """Open boxes level by level while they fit; only the first of several equal parts."""
    items = folder.all()
    level = items
    rests: list[Item] = []
    while True:
        is_enough = _count(folder, items, {}) >= room.little
        inner = {id(item): opened for item in level if (opened := _opened(folder, item, level, is_enough))}
        if _count(folder, items, inner) > room.comfortable:
            inner = _some(folder, items, inner, room)
        if not inner:
            break
        level = [item for item in level if id(item) in inner]
        rests += [inner[id(item)][-1] for item in level if isinstance(item, FoldedBox) and item.repeats]
        items = [new for item in items for new in inner.get(id(item), [item])]
        level = [new for item in level for new in _next_level(item, inner[id(item)])]
    items = _enough(folder, items, rests, room)
    if _count(folder, items, {}) > MOST_BOXES:
        return join_in_order(folder.ground, items, room.comfortable)
    return items


def _enough(folder: Grouping, items: list[Item], rests: Sequence[Item], room: Room) -> list[Item]:
    """At least `room.little` items if boxes can be opened for it: the largest first, one of several equal parts.

    rests: equal parts of which one is open.
    """
    closed = list(rests)
    while (count := _count(folder, items, {})) < room.little:
        boxes = [item for item in items if isinstance(item, FoldedBox) and item not in closed]
        box = max(boxes, key=lambda box: len(folder.one_part(box).positions), default=None)
        if box is None:
            break
        part = folder.one_part(box)
        inner = folder.open(part) if part.kind in ("module", "call", "step") else []
        rest = [folder.without_first(box)] if part is not box else []
        more = _count(folder, [*inner, *rest], {})
        if _computing(folder, inner) < LEAST_SHOWN or (count + more - 1 > room.most and count > 1):
            closed.append(box)
        else:
            items = [new for item in items for new in ([*inner, *rest] if item is box else [item])]
            closed += rest
    return items


def _opened(folder: Grouping, item: Item, level: Sequence[Item], is_enough: bool) -> list[Item]:
    """The items that replace an opened item; empty if they show nothing new.

    If there are enough items already, also if they are mostly single functions of a box without equals.
    """
    if not isinstance(item, FoldedBox) or _is_like_a_stack(item, level):
        return []
    part = folder.one_part(item)
    inner = folder.open(part) if part.kind in ("module", "call") else []
    if not _shows_something(part, inner):
        return []
    if is_enough and not item.repeats and not _shows_modules(folder, part, inner):
        return []
    return [*inner, folder.without_first(item)] if item.repeats else inner


def _next_level(item: Item, opened: list[Item]) -> list[Item]:
    """The items that may be opened after an item: only one of several equal parts."""
    return opened[:-1] if isinstance(item, FoldedBox) and item.repeats else opened


def _count(folder: Grouping, items: Sequence[Item], inner: dict[int, list[Item]]) -> int:
    """Number of items after opening some of them; leaves are drawn as small labels and do not count."""
    flags = folder.ground.topology.leaf_flags
    shown = chain.from_iterable([inner.get(id(item), (item,)) for item in items]) if inner else items
    return sum([isinstance(item, FoldedBox) or not flags[item] for item in shown])


def _computing(folder: Grouping, items: Sequence[Item]) -> int:
    """Number of boxes, and of functions that do more than hand on the elements of their input."""
    flags, names = folder.ground.topology.leaf_flags, folder.ground.topology.functions.names
    return sum(
        isinstance(item, FoldedBox) or not (flags[item] or is_kind(names[item], NodeKind.COVERS)) for item in items
    )


def _some(
    folder: Grouping, items: Sequence[Item], inner: dict[int, list[Item]], room: Room
) -> dict[int, list[Item]]:
    """The boxes to open of a level that does not fit: first those that take no more room when opened; then one of
    the largest group of equal parts, even beyond the usual limit, because one block shows how a model works; then,
    if little is visible so far, as many as fit, those that hide most first."""
    stacks = {id(item): len(item.repeats) for item in items if isinstance(item, FoldedBox) and item.repeats}
    sizes = {key: _count(folder, opened, {}) for key, opened in inner.items()}
    count = _count(folder, items, {})
    little = count < room.little
    chosen: dict[int, list[Item]] = {}
    hidden = {id(item): len(item.positions) for item in items if isinstance(item, FoldedBox)}
    for key in sorted(
        inner, key=lambda key: (sizes[key] > 1, -stacks.get(key, 0), -hidden[key] if little else sizes[key])
    ):
        first = key in stacks and not chosen.keys() & stacks.keys()
        most = room.most if little or first else room.comfortable
        wanted = sizes[key] <= 1 or key in stacks or little
        if wanted and (sizes[key] <= 1 or count + sizes[key] - 1 <= most):
            chosen[key] = inner[key]
            count += sizes[key] - 1
    return chosen


def _is_like_a_stack(box: FoldedBox, level: Sequence[Item]) -> bool:
    """Whether a box is one of several equal siblings, of which another is opened."""
    if box.kind == "equal":
        return False
    siblings = (item.repeats[0] for item in level if isinstance(item, FoldedBox) and item.repeats)
    return any(mask_digits(box.label) == mask_digits(part.label) for part in siblings)


# ---- the note ---------------------------------------------------------------------------------------------


def note(folder: Grouping, items: Sequence[Item], depth: Depth) -> str:
    """What was folded, and how to unfold it, in one line. Empty if nothing was folded."""
    boxes = [item for item in items if isinstance(item, FoldedBox)]
    if not boxes:
        return ""
    inside = sum(len(box.positions) for box in boxes)
    parts = [
        f"{pluralize(len(folder.ground), 'Node')}, {inside:,} of them in {pluralize(len(boxes), 'box', 'boxes')}"
    ]
    parts += _stacks_in_words(boxes)
    if folder.ground.calls.are_inferred and any(box.path for box in boxes):
        parts.append("modules inferred from parameter names")
    if any(box.kind == "joined" for box in boxes):
        parts.append("few modules or loops to fold: a box may hold what ran one after the other")
    if folder.ground.has_cycle(items):
        parts.append("dashed wires lead back between boxes that feed each other")
    parts.append(_deeper(folder, boxes, depth))
    return "; ".join(parts)


def _deeper(folder: Grouping, boxes: Sequence[FoldedBox], depth: Depth) -> str:
    """How to see more: with a greater depth if that opens a box, else with `--depth full`.

    Boxes above the requested depth are Linears or the rest of equal parts, and stay closed.
    """
    parts = list(map(folder.one_part, boxes))
    if isinstance(depth, int):
        parts = sorted((part for part in parts if _depth(part) >= depth), key=_depth)
    modules = (part for part in parts if part.kind in ("module", "call", "step"))
    opens = next((part for part in modules if _shows_something(part, folder.open(part))), None)
    if opens is None:
        return "--depth full opens all"
    return f"--depth {_depth(opens) + 1 if isinstance(depth, int) else 'N'} opens more, full opens all"


def _stacks_in_words(boxes: Sequence[FoldedBox]) -> list[str]:
    stacks = [box for box in boxes if box.kind == "equal"]
    if len(stacks) > MOST_NAMED:
        return [f"{len(stacks)} of these hold equal parts"]
    return [", ".join(f"{box.label} {TIMES}{len(box.repeats)} equal" for box in stacks)] if stacks else []
