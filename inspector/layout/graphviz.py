"""The one door to Graphviz, by pygraphviz, whose wheel carries the library.

dot ranks the blocks, orders them within a rank with few crossings and aligns their ports; wires are routed
by `inspector.layout.route`. A block is an empty HTML table of a fixed size, with one cell (the port) that
wires enter and leave. Text labels have crashed repeated layouts (SIGSEGV), and `splines=ortho` aborts on
real graphs: neither is used.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pygraphviz  # type: ignore[import-untyped]

from inspector.layout.errors import LayoutFailed
from inspector.scene.scene import Point

_POINTS_PER_INCH = 72
_MANY_NODES = 300
"""From here on dot's placing and crossing minimisation are cut short."""
_TABLE = (
    '<<TABLE FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}" BORDER="0" CELLBORDER="0" CELLSPACING="0" '
    'CELLPADDING="0">{rows}</TABLE>>'
)
_CELL = '<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"{port}></TD>'


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle to be placed. All lengths are whole points.

    bands: the extents, across the flow, of what lies before the port, the port, and what lies behind it; they
    add up to the height (LR, RL) or the width (TB, BT). Wires enter and leave at the middle of the port.
    """

    width: int
    height: int
    bands: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Link:
    """A wire between the blocks of these positions in the list.

    weight: how much it should be straight. ranks: how many ranks further its target lies at least.
    """

    source: int
    target: int
    weight: int = 1
    ranks: int = 1


def arrange(
    blocks: Sequence[Block],
    links: Sequence[Link],
    *,
    horizontal: bool,
    gaps: tuple[float, float],
    outermost: tuple[str, Collection[int]] = ("sink", ()),
) -> list[Point]:
    """The top left corners of the blocks, the same in every process. The origin is top left.

    horizontal: whether wires run from left to right, else from top to bottom. gaps: least room between ranks
    and between blocks of one rank, in points. outermost: blocks that share the last rank (`sink`) or the first
    (`source`) with no others.
    Raises LayoutFailed if dot does not answer with a place for everything.
    """
    if not blocks:
        return []
    graph = _graph(blocks, links, horizontal, gaps)
    rank, members = outermost
    if members:
        graph.add_subgraph([str(index) for index in sorted(members)], rank=rank)
    try:
        graph.layout(prog="dot")
        top = float(graph.graph_attr["bb"].split(",")[3])
        return [_corner(graph, index, block, top) for index, block in enumerate(blocks)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LayoutFailed(f"Graphviz gave no usable layout ({type(error).__name__}: {error})") from error
    finally:
        graph.close()


def _graph(blocks: Sequence[Block], links: Sequence[Link], horizontal: bool, gaps: tuple[float, float]) -> Any:
    limits = {"nslimit": "2", "mclimit": "0.5"} if len(blocks) >= _MANY_NODES else {}
    graph = pygraphviz.AGraph(
        directed=True,
        strict=False,
        rankdir="LR" if horizontal else "TB",
        ranksep=str(gaps[0] / _POINTS_PER_INCH),
        nodesep=str(gaps[1] / _POINTS_PER_INCH),
        splines="false",
        **limits,
    )
    for index, block in enumerate(blocks):
        graph.add_node(str(index), shape="plain", label=_table(block, horizontal))
    leave, arrive = ("p:e", "p:w") if horizontal else ("p:s", "p:n")
    for index, link in enumerate(links):
        graph.add_edge(
            str(link.source),
            str(link.target),
            key=str(index),
            tailport=leave,
            headport=arrive,
            weight=str(link.weight),
            minlen=str(link.ranks),
        )
    return graph


def _table(block: Block, horizontal: bool) -> str:
    cells = []
    for position, extent in enumerate(block.bands):
        if extent:
            width, height = (block.width, extent) if horizontal else (extent, block.height)
            cells.append(_CELL.format(width=width, height=height, port=' PORT="p"' if position == 1 else ""))
    rows = "".join(f"<TR>{cell}</TR>" for cell in cells) if horizontal else f"<TR>{''.join(cells)}</TR>"
    return _TABLE.format(width=block.width, height=block.height, rows=rows)


def _corner(graph: Any, index: int, block: Block, top: float) -> Point:
    x, y = map(float, graph.get_node(str(index)).attr["pos"].split(","))
    return (x - block.width / 2, top - y - block.height / 2)
