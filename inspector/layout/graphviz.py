"""The only module that calls Graphviz, through pygraphviz, whose wheel includes the library.

dot ranks the blocks, orders them within a rank with few crossings and aligns their ports; wires are routed
by `inspector.layout.wire_routes`. A block is an empty HTML table of a fixed size, with one cell (the port) that
wires enter and leave. Text labels have crashed repeated layouts (SIGSEGV), and `splines=ortho` aborts on
real graphs: neither is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pygraphviz  # type: ignore[import-untyped]
from msgspec import Struct

from inspector.layout.errors import LayoutFailed
from inspector.scene.scene import Point

_POINTS_PER_INCH = 72
_CLUSTER_MARGIN = 10
"""Points between the blocks of a cluster and what surrounds it."""
_MANY_NODES = 300
"""Number of blocks above which dot's placement and crossing minimisation are shortened."""
_TABLE = (
    '<<TABLE FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}" BORDER="0" CELLBORDER="0" CELLSPACING="0" '
    'CELLPADDING="0">{rows}</TABLE>>'
)
_CELL = '<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"{port}></TD>'


class DotBlock(Struct, frozen=True):
    """A rectangle to place. All lengths are whole points.

    bands: the extents, across the flow, before the port, of the port, and after it; they add up to the height (LR,
    RL) or the width (TB, BT). Wires enter and leave at the middle of the port.
    """

    width: int
    height: int
    bands: tuple[int, int, int]


class DotLink(Struct, frozen=True):
    """A wire between the blocks at these positions of the list.

    weight: how strongly it should be straight. ranks: minimum number of ranks to its target.
    """

    source: int
    target: int
    weight: int = 1
    ranks: int = 1


class DotSettings(Struct, frozen=True):
    """Options of a layout.

    horizontal: whether wires run from left to right, else from top to bottom. gaps: minimum room between ranks and
    between blocks of one rank, in points. rough: only compute ranks and the order within each. outermost: blocks
    blocks that have the last rank (`sink`) or the first (`source`) to themselves. clusters: blocks that no other
    block comes between. in_order: whether the links to a block keep their order, from top to bottom.
    """

    horizontal: bool
    gaps: tuple[float, float]
    rough: bool = False
    outermost: tuple[str, tuple[int, ...]] = ("sink", ())
    clusters: tuple[tuple[int, ...], ...] = ()
    in_order: bool = False


def arrange(blocks: Sequence[DotBlock], links: Sequence[DotLink], room: DotSettings) -> list[Point]:
    """The top left corners of the blocks, the same in every process. The origin is top left.

    Raises LayoutFailed if dot does not place everything.
    """
    if not blocks:
        return []
    graph = pygraphviz.AGraph()
    graph.from_string(_source(blocks, links, room))  # faster than call by call
    try:
        _run_dot(graph.handle)
        top = float(graph.graph_attr["bb"].split(",")[3])
        return [_corner(graph.handle, index, block, top) for index, block in enumerate(blocks)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LayoutFailed(f"Graphviz gave no usable layout ({type(error).__name__}: {error})") from error
    finally:
        graph.close()


def _run_dot(handle: Any) -> None:
    """What AGraph.layout does, without a context and a list of arguments for each run."""
    context = _context()
    pygraphviz.graphviz.gvLayout(context, handle, b"dot")
    pygraphviz.graphviz.gvRender(context, handle, format=b"dot")  # writes the positions to the graph
    pygraphviz.graphviz.gvFreeLayout(context, handle)


@cache
def _context() -> Any:
    return pygraphviz.graphviz.gvContextWithBuiltins()


def _source(blocks: Sequence[DotBlock], links: Sequence[DotLink], room: DotSettings) -> str:
    """The graph in dot's language."""
    limits = "nslimit=2 mclimit=0.5" if len(blocks) >= _MANY_NODES else ""
    if room.rough:
        limits += " nslimit=0"
    if room.in_order:
        limits += " ordering=in"
    ranksep, nodesep = (gap / _POINTS_PER_INCH for gap in room.gaps)
    leave, arrive = "ew" if room.horizontal else "sn"
    nodes = [_node(index, block, room.horizontal) for index, block in enumerate(blocks)]
    ports = ["" if _is_even(block) else "p:" for block in blocks]
    edges = [
        f"{link.source}:{ports[link.source]}{leave} -> {link.target}:{ports[link.target]}{arrive} "
        f"[weight={link.weight} minlen={link.ranks}]\n"
        for link in links
    ]
    way = "LR" if room.horizontal else "TB"
    rank, members = room.outermost
    ends = f"{{rank={rank}; {'; '.join(map(str, sorted(members)))}}}\n" if members else ""
    groups = [
        f"subgraph cluster_{number} {{margin={_CLUSTER_MARGIN} {'; '.join(map(str, cluster))}}}\n"
        for number, cluster in enumerate(room.clusters)
    ]
    graph = f"rankdir={way} ranksep={ranksep} nodesep={nodesep} splines=false {limits}"
    return f"digraph {{\n{graph}\nnode [shape=plain]\n{''.join(nodes)}{''.join(groups)}{''.join(edges)}{ends}}}"


def _node(index: int, block: DotBlock, horizontal: bool) -> str:
    """A node of a fixed size; if its port is not in its middle, a table with a cell for it."""
    if _is_even(block):
        size = f"width={block.width / _POINTS_PER_INCH} height={block.height / _POINTS_PER_INCH}"
        return f'{index} [shape=box fixedsize=true label="" {size}]\n'
    cells = []
    for position, extent in enumerate(block.bands):
        if extent:
            width, height = (block.width, extent) if horizontal else (extent, block.height)
            cells.append(_CELL.format(width=width, height=height, port=' PORT="p"' if position == 1 else ""))
    rows = "".join(f"<TR>{cell}</TR>" for cell in cells) if horizontal else f"<TR>{''.join(cells)}</TR>"
    return f"{index} [label={_TABLE.format(width=block.width, height=block.height, rows=rows)}]\n"


def _is_even(block: DotBlock) -> bool:
    """Whether the port is in the middle of the block."""
    return block.bands[0] == block.bands[2]


def _corner(handle: Any, index: int, block: DotBlock, top: float) -> Point:
    node = pygraphviz.graphviz.agnode(handle, str(index).encode(), 0)
    x, y = map(float, pygraphviz.graphviz.agget(node, b"pos").split(b","))
    return (x - block.width / 2, top - y - block.height / 2)
