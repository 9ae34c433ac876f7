"""Where the straight link between an attached box and its host begins and ends."""

from __future__ import annotations

from inspector.scene.scene import Point, Rectangle


def link_ends(hung: Rectangle, host: Rectangle, horizontal: bool) -> tuple[Point, Point]:
    """The ends at an attached box and at its host. horizontal: whether the figure's flow is."""
    if horizontal:  # to a box beyond its host the link runs along the flow
        upright = not (hung.y < host.bottom and host.y < hung.bottom)
    else:
        upright = hung.x < host.right and host.x < hung.right
    return _upright_ends(hung, host) if upright else _transposed_ends(hung, host)


def _upright_ends(hung: Rectangle, host: Rectangle) -> tuple[Point, Point]:
    """The ends of a link at a box above or below its host, and at the host."""
    x = hung.center[0]
    straight_part = host.width / 2 - host.height / 2  # a pill's ends are round
    reach = max(straight_part, 0.0)
    host_x = min(max(x, host.center[0] - reach), host.center[0] + reach)
    above = hung.center[1] < host.center[1]
    return (x, hung.bottom if above else hung.y), (host_x, host.y if above else host.bottom)


def _transposed_ends(hung: Rectangle, host: Rectangle) -> tuple[Point, Point]:
    """The same for a box left or right of its host; at a round end the link is in the middle."""
    left = hung.center[0] < host.center[0]
    x, host_x = (hung.right, host.x) if left else (hung.x, host.right)
    return (x, hung.center[1]), (host_x, host.center[1])
