"""Place the passes of a loop in equal columns: one pass is placed, and stamped for each of them.

On a canvas too narrow for that, each column is as wide as its pass.

What comes before the loop and what comes after it is placed by itself. Wires from part to part run through ports
at the sides of the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.layout.main_line import with_main_line
from inspector.layout.problem import TIE, Placement, Problem, Route, Size
from inspector.scene.scene import Point, Rectangle
from inspector.scene.splines import joined, s_curve
from inspector.scene.transform import bounds, points_bounds

Place = Callable[[Problem], Placement]
_PORT: Size = (1.0, 1.0)
_GAP = 2.0
"""Distance of two columns, in which a wire may change its level."""
_STEEP = 0.35
"""Additional distance for each point that a wire rises or falls there."""
_WIDEST_GAP = 40.0
_IN, _OUT = "in ", "out "


class _Part(Struct):
    """A part of the figure.

    names: host → its name in the part's problem. hung: attached box → its name. routes, entering, leaving: route →
    its name there, for those inside and those across its left and its right side.
    """

    names: dict[str, str] = field(default_factory=dict)
    hung: dict[str, str] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    entering: dict[str, str] = field(default_factory=dict)
    leaving: dict[str, str] = field(default_factory=dict)


def place_in_columns(
    problem: Problem, passes: Sequence[Sequence[str]], place: Place, *, even: bool = True
) -> Placement | None:
    """The placement; None if a wire would skip a pass.

    problem: horizontal. passes: the boxes of each pass, by role; empty where a pass has none. even: whether all
    are equally wide; else each is as wide as it needs. Raises the errors of `place`.
    """
    stage = _stages(problem, passes)
    routes = {route.id: route for route in problem.routes}
    if any(stage[route.target] - stage[route.source] not in (0, 1) for route in problem.routes):
        return None
    parts = [_part(problem, stage, number, _roles(problem, passes, number)) for number in range(len(passes) + 2)]
    loop = parts[1:-1]
    alike = [loop] if even else [[one] for one in loop]
    templates = [place(_problem(problem, group, routes)) for group in alike]
    before, after = (
        place(_problem(problem, [end], routes)) if end.names else None for end in (parts[0], parts[-1])
    )
    placed = [before, *(templates * len(passes) if even else templates), after]
    return _joined(parts, placed, routes)


def _stages(problem: Problem, passes: Sequence[Sequence[str]]) -> dict[str, int]:
    """Host → the number of its pass; 0 for what is before the loop, one more than passes for what is after."""
    import networkx

    flow = networkx.DiGraph([(route.source, route.target) for route in problem.routes])
    stage = {host: number for number, hosts in enumerate(passes, start=1) for host in hosts if host}
    inside = [host for host in stage if host in flow]
    after = {found for host in inside for found in networkx.descendants(flow, host)}
    hosts = [box for box in problem.sizes if box not in problem.hanging]
    rest = {host: len(passes) + 1 if host in after else 0 for host in hosts}
    return {**rest, **stage}


def _roles(problem: Problem, passes: Sequence[Sequence[str]], number: int) -> dict[str, str]:
    """Host → its name in its part: its role in the loop."""
    if 0 < number <= len(passes):
        return {host: f"role {role:03d}" for role, host in enumerate(passes[number - 1]) if host}
    return {host: host for host in problem.sizes if host not in problem.hanging}


def _part(problem: Problem, stage: dict[str, int], number: int, roles: dict[str, str]) -> _Part:
    part = _Part({host: name for host, name in roles.items() if stage[host] == number})
    for box, host in problem.hanging.items():
        if stage[host] == number:
            part.hung[box] = _fresh(f"{roles[host]} with", part.hung)
    for route in problem.routes:
        start, end = stage[route.source] == number, stage[route.target] == number
        if start and end:
            part.routes[route.id] = _fresh(f"{roles[route.source]}>{roles[route.target]}", part.routes)
        elif start:
            part.leaving[route.id] = _fresh(f"{_OUT}{roles[route.source]}", part.leaving)
        elif end:
            part.entering[route.id] = _fresh(f"{_IN}{roles[route.target]}", part.entering)
    return part


def _fresh(name: str, taken: dict[str, str]) -> str:
    """The name, with a number if it is taken."""
    used = sum(other.rpartition(" #")[0] == name for other in taken.values())
    return f"{name} #{used}"


# ---- the problem of a part --------------------------------------------------------------------------------


def _problem(problem: Problem, parts: Sequence[_Part], routes: dict[str, Route]) -> Problem:
    """The problem that these parts share: each box and each text with its maximum size."""
    sizes: dict[str, Size] = {}
    shapes, hanging = {}, {}
    found: dict[str, Route] = {}
    for part in parts:
        for host, name in part.names.items():
            sizes[name] = _larger(sizes.get(name), problem.sizes[host])
            shapes[name] = problem.shapes[host]
        for box, name in part.hung.items():
            sizes[name] = _larger(sizes.get(name), problem.sizes[box])
            shapes[name], hanging[name] = problem.shapes[box], part.names[problem.hanging[box]]
        for identifier, name in part.routes.items():
            route = routes[identifier]
            _add(found, name, route, part.names[route.source], part.names[route.target])
        for identifier, name in part.leaving.items():
            sizes[name] = _PORT
            _add(found, name, routes[identifier], part.names[routes[identifier].source], name)
        for identifier, name in part.entering.items():
            sizes[name] = _PORT
            bare = replace(routes[identifier], label=(0.0, 0.0), below=(0.0, 0.0))
            _add(found, name, bare, name, part.names[bare.target])
    ties = _ties([box for box in sizes if box not in hanging], list(found.values()))
    whole = replace(problem, sizes=sizes, hanging=hanging, shapes=shapes, routes=tuple(found.values()))
    ports = [[box for box in sizes if box.startswith(side)] for side in (_IN, _OUT)]
    whole = with_main_line(whole, *ports)
    return replace(whole, routes=(*whole.routes, *ties))


def _add(found: dict[str, Route], name: str, route: Route, source: str, target: str) -> None:
    """Add a route, or enlarge its texts."""
    label, below = route.label, route.below
    if name in found:
        label, below = _larger(found[name].label, label), _larger(found[name].below, below)
    found[name] = Route(name, source, target, label, below)


def _larger(one: Size | None, other: Size) -> Size:
    return other if one is None else (max(one[0], other[0]), max(one[1], other[1]))


def _ties(sizes: Sequence[str], known: Sequence[Route]) -> list[Route]:
    """Routes that only keep the ports at the sides; they are not drawn."""
    hosts = [box for box in sizes if not box.startswith((_IN, _OUT))]
    entered = {route.target for route in known if not route.source.startswith(_IN)}
    left = {route.source for route in known if not route.target.startswith(_OUT)}
    own = {(route.source, route.target) for route in known}
    pairs = [(port, host) for port in sizes if port.startswith(_IN) for host in hosts if host not in entered]
    pairs += [(host, port) for port in sizes if port.startswith(_OUT) for host in hosts if host not in left]
    return [Route(f"{TIE}{one}>{other}", one, other) for one, other in pairs if (one, other) not in own]


# ---- the parts together -----------------------------------------------------------------------------------


def _joined(parts: Sequence[_Part], placed: Sequence[Placement | None], routes: dict[str, Route]) -> Placement:
    """The parts side by side, and the wires between them."""
    whole = Placement({}, {}, {}, {})
    ends: dict[str, tuple[Point, ...]] = {}
    right = rise = 0.0
    for number, (part, placement) in enumerate(zip(parts, placed, strict=True)):
        if placement is None:
            continue
        area = _area(placement)
        if number in (1, len(parts) - 1) or placement is not placed[number - 1]:  # equal columns have one level
            rise = _rise(part, placement, ends)
        levels = [
            abs(placement.boxes[name].center[1] + rise - ends[route][-1][1])
            for route, name in part.entering.items()
        ]
        gap = min(_GAP + _STEEP * max(levels, default=0.0), _WIDEST_GAP) if whole.boxes else 0.0
        moved = placement.moved(right + gap - area.x, rise)
        right += gap + area.width
        for box, name in {**part.names, **part.hung}.items():
            whole.boxes[box] = moved.boxes[name]
        for route, name in {**part.routes, **part.leaving}.items():
            if name in moved.labels:
                whole.labels[route] = moved.labels[name]
                whole.below[route] = moved.below[name]
        for route, name in part.routes.items():
            whole.wires[route] = moved.wires[name]
        for route, name in part.entering.items():
            inside = moved.wires[name]
            bend = s_curve(ends[route][-1], inside[0], horizontal=True)
            whole.wires[route] = joined([ends[route], bend, inside])
        ends |= {route: moved.wires[name] for route, name in part.leaving.items()}
    ordered = {route: whole.wires[route] for route in routes}
    return replace(whole, wires=ordered)


def _rise(part: _Part, placement: Placement, ends: dict[str, tuple[Point, ...]]) -> float:
    """How far to move a part down, so that its first wire is level."""
    for route, name in part.entering.items():
        if route in ends:
            return ends[route][-1][1] - placement.wires[name][0][1]
    return 0.0


def _area(placement: Placement) -> Rectangle:
    areas = [*placement.boxes.values(), *placement.labels.values(), *placement.below.values()]
    drawn = [points for name, points in placement.wires.items() if not name.startswith(TIE)]
    return bounds([*areas, *map(points_bounds, drawn)])
