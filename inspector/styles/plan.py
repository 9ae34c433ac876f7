"""A plan: the content of a picture, without sizes and positions.

A style returns one Plan per moment (before, after, one for each step of the engine). The plans of one figure use
the same ids for the same things, so that their union is laid out once and every moment has the same geometry.
Nothing here depends on the style.

The id of a box is that of its Graph node, optionally followed by a dot and a suffix; the id of a wire is
`SOURCE.SLOT` of its `next` edge. Frames and paths use these ids to highlight parts in any style.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Literal, cast

from msgspec import Struct, field
from msgspec.structs import replace

PlannedShape = Literal["card", "stack", "pill", "circle", "gate", "plain", "name", "box", "chip", "record", "dot"]
"""A `stack` is a card with others behind it, `name` is plain text that wires lead to, `box` has centred lines, a
`gate` is a small circle and a `chip` a small box, `record` has cells in a row, `dot` is where a wire branches."""
Head = Literal["target", "source", "none"]
"""The end of a wire with an arrowhead. Wires run from the root to the leaves, arrows either way."""

MAIN_SIZE = 18.0
"""Points: names of functions, values, gradients."""
SMALL_SIZE = 15.0
"""Points: keys of rows, roles, the legend. Nothing in a picture is smaller."""
TITLE_SIZE = 21.0
"""Points: the title line and the names of tensors."""
CODE_SIZE = 17.0
"""Points: source text beside a function; a fixed-width face looks larger than the others at the same size."""


class StyledText(Struct, frozen=True):
    """One line of text and its style. `size` is in points, `face` and `ink` as in a TextRun."""

    text: str
    ink: str = "ink"
    face: str = "regular"
    size: float = MAIN_SIZE


class DrawnTensor(StyledText, frozen=True):
    """A tensor that is drawn in place of a line. text: the same on one line. short: its shape and norm."""

    short: str = ""


class NumberGrid(DrawnTensor, frozen=True):
    """A vector or a matrix as rows of numbers between brackets. fill: behind the numbers."""

    rows: tuple[tuple[str, ...], ...] = ()
    fill: str = "ground"


class HeatMap(DrawnTensor, frozen=True):
    """A tensor as coloured cells. The ink is that of its texts.

    tiles: every element by matrix and row, as a share of the largest absolute value: from -1 to 1, NaN, infinite.
    scale: shares from the largest to the smallest element. ends: these two, or one if they are equal. caption:
    below the cells.
    """

    tiles: tuple[tuple[tuple[float, ...], ...], ...] = ()
    tiles_per_row: int = 1
    scale: tuple[float, ...] = ()
    ends: tuple[str, ...] = ()
    caption: str = ""


class SideBySide(DrawnTensor, frozen=True):
    """Tensors drawn beside each other, such as a value and its gradient."""

    parts: tuple[DrawnTensor, ...] = ()


class TextTable(DrawnTensor, frozen=True):
    """Texts in rows and columns, such as the leaves of a gate with their values and gradients.

    cells: the rows, each with as many texts. text: the same on one line.
    """

    cells: tuple[tuple[StyledText, ...], ...] = ()


class CardRow(Struct, frozen=True):
    """One row of a card: a quiet key on the left, one or more lines of value on the right. least: its height at
    other moments, in points."""

    key: str
    lines: tuple[StyledText, ...]
    fill: str = ""  # background of a highlighted row, or empty
    key_ink: str = "quiet"
    key_size: float = SMALL_SIZE
    bar: tuple[float, float] | None = None  # below the row; two places from 0 to 1
    least: float = 0.0


class PlannedBox(Struct, frozen=True):
    """A box without a position.

    texts: the centred lines of a shape, the cells of a record, or the name and the role in the header of a card.
    """

    id: str
    shape: PlannedShape
    texts: tuple[StyledText, ...]
    rows: tuple[CardRow, ...] = ()
    ink: str = "ink"
    fill: str = "ground"
    header: str = ""  # the fill of a card's header
    badge: str = ""  # the number in the badge at its corner, or empty


class PlannedWire(Struct, frozen=True):
    """An edge without a route.

    label: lines beside the wire, on the side with more room; together with `below`, above it (left and right of a
    vertical wire).
    """

    id: str
    source: str
    target: str
    label: tuple[StyledText, ...] = ()
    ink: str = "line"
    dashed: bool = False
    head: Head = "target"
    below: tuple[StyledText, ...] = ()


class PlannedWeightedWire(PlannedWire, frozen=True):
    """A wire whose width shows the size of its gradient."""

    width: float = 2.2  # points


class LegendEntry(Struct, frozen=True):
    """A sign and its meaning. sample: the text of the sign `text`."""

    sign: Literal["badge", "arrow", "dashed", "text"]
    text: str
    ink: str
    sample: str = ""
    size: float = SMALL_SIZE


class CodeLine(Struct, frozen=True):
    """A line of the script beside the graph. badges: the steps of the functions that it created."""

    number: int
    text: str
    badges: tuple[str, ...] = ()
    ink: str = "quiet"
    fill: str = ""  # background of the running line
    size: float = SMALL_SIZE


class Plan(Struct, frozen=True):
    """The content of one moment of a figure.

    hanging: id of an attached box → id of its host. An attached box has no other wires than its link, and is
    placed beside its host, across the flow. title: the parts of the title line. notes: lines below it (e.g. the
    error of backward). listing: the code beside the graph.
    """

    moment: str
    boxes: tuple[PlannedBox, ...]
    wires: tuple[PlannedWire, ...]
    hanging: dict[str, str] = field(default_factory=dict)
    title: tuple[StyledText, ...] = ()
    notes: tuple[StyledText, ...] = ()
    legend: tuple[LegendEntry, ...] = ()
    listing: tuple[CodeLine, ...] = ()

    @property
    def has_heat_maps(self) -> bool:
        """Whether a tensor is drawn as a heat map."""
        of_boxes = (lines for box in self.boxes for lines in (box.texts, *(row.lines for row in box.rows)))
        of_wires = (lines for wire in self.wires for lines in (wire.label, wire.below))
        return any(isinstance(words, HeatMap) for lines in chain(of_boxes, of_wires) for words in lines)

    def map_texts(self, change: Callable[[StyledText], StyledText]) -> Plan:
        """The plan with a function applied to the texts of boxes and wires, and to the notes."""

        def changed(lines: tuple[StyledText, ...]) -> tuple[StyledText, ...]:
            return tuple([_changed(words, change) for words in lines])

        boxes = [
            replace(
                box,
                texts=changed(box.texts),
                rows=tuple([replace(row, lines=changed(row.lines)) for row in box.rows]),
            )
            for box in self.boxes
        ]
        wires = [replace(wire, label=changed(wire.label), below=changed(wire.below)) for wire in self.wires]
        return replace(self, boxes=tuple(boxes), wires=tuple(wires), notes=changed(self.notes))


def _changed(words: StyledText, change: Callable[[StyledText], StyledText]) -> StyledText:
    """A text with a function applied to it; to each text of a table."""
    if isinstance(words, TextTable):
        return replace(words, cells=tuple(tuple(map(change, row)) for row in words.cells))
    return change(words)


class GroupedPlan(Plan, frozen=True):
    """A plan with groups of boxes, each on a ground of its own."""

    groups: tuple[tuple[str, ...], ...] = ()


class LoopPass(Struct, frozen=True):
    """One pass of a loop, drawn as a column. hosts: its boxes with wires, by their role in the pass; empty where
    this pass has none."""

    title: str
    hosts: tuple[str, ...]


class CircuitPlan(Plan, frozen=True):
    """A plan with lines below the graph.

    formulas: further lines, left out if the canvas has no room for them. passes: the passes of a loop, in the
    order of the forward. even: whether these are drawn equally wide.
    """

    footer: tuple[StyledText, ...] = ()
    formulas: tuple[StyledText, ...] = ()
    passes: tuple[LoopPass, ...] = ()
    even: bool = True

    def map_texts(self, change: Callable[[StyledText], StyledText]) -> Plan:
        """As for any plan, and the lines below the graph."""
        changed = cast(CircuitPlan, Plan.map_texts(self, change))
        footer, formulas = tuple(map(change, self.footer)), tuple(map(change, self.formulas))
        return replace(changed, footer=footer, formulas=formulas)
