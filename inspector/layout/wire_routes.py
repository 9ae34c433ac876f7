"""Route wires from rank to rank, through the gaps between ranks, with as few bends as possible.

The gap between two ranks is empty, so an S-curve within it is always clear. If nothing is in the way, the S-curve
starts at the box itself and extends below the text, which looks calmer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from inspector.layout.host_block import Orientation
from inspector.scene.scene import Rectangle
from inspector.scene.splines import Curve, is_clear, joined, s_curve, straight

CLEARANCE = 5.0
"""Points between a wire and a box that it passes."""
_SHORT_TEXT = 50.0
"""Length up to which an S-curve may pass a text completely, not only its middle."""
_LEVEL = 0.75
"""Points: smaller differences across the flow give a straight line."""


class RouteStop(Struct, frozen=True):
    """A block that a wire runs through.

    across: position of the wire, across the flow. block, extent: start and end of the block and of its rank, along
    the flow.
    """

    across: float
    block: tuple[float, float]
    rank: int
    extent: tuple[float, float]

    @property
    def middle(self) -> float:
        return (self.block[0] + self.block[1]) / 2


class ObstacleMap(Struct, frozen=True):
    """The areas that wires must avoid. areas: rank → (id of a box or empty for a text, its area)."""

    flow: Orientation
    areas: Mapping[int, Sequence[tuple[str, Rectangle]]]

    def around(self, ranks: tuple[int, int], own: tuple[str, str]) -> list[Rectangle]:
        """The areas of two ranks, without the wire's own boxes."""
        return [area for rank in ranks for box, area in self.areas.get(rank, ()) if box not in own]


def make_wire(
    stops: Sequence[RouteStop],
    ends: tuple[Rectangle, Rectangle],
    own: tuple[str, str],
    obstacle_map: ObstacleMap,
    inset: float = 0.0,
) -> Curve:
    """The spline of a wire, forwards, from the side of its source to the side of its target.

    stops: its blocks, including those of source and target. ends: the boxes of source and target; own: their ids.
    inset: how far inside the target's area its border is (for a circle beside its middle).
    """
    flow = obstacle_map.flow
    source, target = (flow.turned((end.x, end.y))[0] for end in ends)
    at = source + flow.turned((ends[0].width, ends[0].height))[0]
    curves: list[Curve] = []
    for start, stop in pairwise(stops):
        obstacles = obstacle_map.around((start.rank, stop.rank), own)
        reaches = [target] if stop is stops[-1] else _reaches(stop)
        at, pieces = _hop(at, (start, stop), reaches, obstacles, flow)
        curves += pieces
    end = flow.turned((target + inset, stops[-1].across))
    curves.append(straight(flow.turned((at, stops[-1].across)), end))
    return joined(curves)


def _reaches(stop: RouteStop) -> list[float]:
    """Positions along a stop at which an S-curve may end, best first."""
    length = stop.block[1] - stop.block[0]
    far = [stop.extent[1]] if length < _SHORT_TEXT else []
    return [*far, stop.middle]


def _hop(
    at: float,
    stops: tuple[RouteStop, RouteStop],
    reaches: Sequence[float],
    obstacles: Sequence[Rectangle],
    flow: Orientation,
) -> tuple[float, list[Curve]]:
    """The position reached, and the curves from `at` (along the flow, at the first stop) to the second stop.

    reaches: positions along the second stop at which the S-curve may end; the last resort is the gap between the
    ranks.
    """
    start, stop = stops
    if abs(start.across - stop.across) < _LEVEL:
        end = reaches[-1]
        return end, [straight(flow.turned((at, start.across)), flow.turned((end, stop.across)))]
    gap = max(at, start.extent[1]), stop.extent[0]
    for begin in dict.fromkeys((at, gap[0])):
        for end in (*reaches, gap[1]):
            corners = flow.turned((begin, start.across)), flow.turned((end, stop.across))
            curve = s_curve(*corners, horizontal=flow.horizontal)
            if (begin, end) == gap or is_clear(curve, obstacles):
                return end, [straight(flow.turned((at, start.across)), corners[0]), curve]
    raise AssertionError("the gap between two ranks is always clear")
