"""Blocks that are one after the other need no engine: their ports are on one line."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.layout.graphviz import DotBlock, DotLink, DotSettings
from inspector.scene.scene import Point


def in_line(blocks: Sequence[DotBlock], links: Sequence[DotLink], room: DotSettings) -> list[Point] | None:
    """The top left corners of the blocks, as from `arrange`; None unless each has links to one other at most."""
    pairs = {(link.source, link.target) for link in links}
    following = dict(pairs)
    if len(pairs) != len(blocks) - 1 or len(following) < len(pairs) or len(set(following.values())) < len(pairs):
        return None
    block = next(iter(following.keys() - following.values()), None)
    corners: list[Point] = [(0.0, 0.0)] * len(blocks)
    along = 0.0
    while block is not None:
        shape = blocks[block]
        across = -(shape.bands[0] + shape.bands[1] / 2)
        corners[block] = (along, across) if room.horizontal else (across, along)
        along += (shape.width if room.horizontal else shape.height) + room.gaps[0]
        block = following.get(block)
    return corners
