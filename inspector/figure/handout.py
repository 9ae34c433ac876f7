"""A handout: the numbers that a reader works out are left blank, or shown as the solution.

Given are the values of the leaves; to be found are all other values, and every gradient.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from inspector.figure.canvas import FittedPanels
from inspector.graph import Graph
from inspector.graph.topology import topology_of
from inspector.options.choices import HANDOUTS, Handout
from inspector.styles.plan import (
    CardRow,
    CircuitPlan,
    HeatMap,
    NumberGrid,
    Plan,
    PlannedBox,
    PlannedWire,
    StyledText,
    TextTable,
)

BLANK = "_____"
SOLUTION = "solution"
"""The ink of numbers that are blank in the handout."""
_NUMBER = re.compile(
    r"(?<![\w.\N{MULTIPLICATION SIGN}^])[\N{MINUS SIGN}-]?"
    r"(?:\d+(?:\.\d+)?(?:e[\N{MINUS SIGN}+-]?\d+)?|nan|inf)(?![\w\N{MULTIPLICATION SIGN}]|\.\d)"
)
"""A number that stands alone: not the 2 of `2x`, of `v2` or of a shape."""
_BETWEEN_TERMS = re.compile(r"( (?:[=\N{MIDDLE DOT}]|\N{RIGHTWARDS ARROW}) |, )")
_SHAPE = re.compile(r"^(?:float|bfloat|complex|int|uint|bool)\w*\[")
_SOUGHT = {"gradient", "value"}


def handed_out(plans: list[Plan], graph: Graph, kind: Handout | None) -> list[Plan]:
    """Plans with blanks, then the same with the solution, so that one layout serves both; without a handout, the
    plans as they are."""
    if kind is None:
        return plans
    return [hand_out(plan, graph, one) for one in HANDOUTS for plan in plans]


def handed(fitted: FittedPanels, kind: Handout | None) -> FittedPanels:
    """The panels of one kind of handout. fitted: those of both kinds, from `handed_out`."""
    if kind is None:
        return fitted
    half = len(fitted.panels) // len(HANDOUTS)
    start = half * HANDOUTS.index(kind)
    return replace(fitted, panels=fitted.panels[start : start + half])


def hand_out(plan: Plan, graph: Graph, kind: Handout) -> Plan:
    """The plan with the numbers to be found left blank, or in the ink of the solution."""
    given = _given(graph)
    boxes = tuple(_box(box, _node(box.id) in given, kind) for box in plan.boxes)
    wires = tuple(_wire(wire, _node(wire.target) in given, kind) for wire in plan.wires)
    notes = tuple(_words(words, kind) if words.ink in (*_SOUGHT, "ink") else words for words in plan.notes)
    plan = replace(plan, boxes=boxes, wires=wires, notes=notes)
    if isinstance(plan, CircuitPlan):
        footer = tuple(_words(line, kind) if line.ink == "gradient" else line for line in plan.footer)
        return replace(plan, footer=footer)
    return plan


def _given(graph: Graph) -> set[str]:
    """The leaves, and the AccumulateGrads that stand for them; tensors that no function made."""
    leaves = topology_of(graph).leaves
    alone = {key for key, tensor in graph.tensors() if tensor["grad_fn"] is None}
    return {*leaves, *leaves.values(), *alone}


def _node(identifier: str) -> str:
    return identifier.partition(".")[0]


def _box(box: PlannedBox, given: bool, kind: Handout) -> PlannedBox:
    """A box; the data of a leaf is given, its gradients are not."""
    sought = {"gradient"} if given else _SOUGHT
    texts = tuple(_words(words, kind) if words.ink in sought else words for words in box.texts)
    return replace(box, texts=texts, rows=tuple(_row(row, given, kind) for row in box.rows))


def _row(row: CardRow, given: bool, kind: Handout) -> CardRow:
    if "grad" not in row.key and (given or row.key != "data"):
        return row
    return replace(row, lines=tuple(_words(words, kind) for words in row.lines))


def _wire(wire: PlannedWire, given: bool, kind: Handout) -> PlannedWire:
    """A wire; the value that comes from a leaf is given."""
    sought = {"gradient"} if given else _SOUGHT

    def changed(lines: tuple[StyledText, ...]) -> tuple[StyledText, ...]:
        return tuple(_words(words, kind) if words.ink in sought else words for words in lines)

    return replace(wire, label=changed(wire.label), below=changed(wire.below))


def _words(words: StyledText, kind: Handout) -> StyledText:
    if isinstance(words, TextTable):
        return replace(words, cells=tuple(tuple(_cell(cell, kind) for cell in row) for row in words.cells))
    if isinstance(words, HeatMap) and kind == "blanks":
        empty = tuple(tuple((0.0,) * len(row) for row in tile) for tile in words.tiles)
        return replace(words, tiles=empty, scale=(), ends=())
    if _SHAPE.match(words.text) or not _NUMBER.search(words.text):
        return words
    if kind == "solution":
        return replace(words, ink=SOLUTION)
    if isinstance(words, NumberGrid):
        return replace(words, rows=tuple(tuple("__" for _ in row) for row in words.rows))
    if words.ink not in _SOUGHT:  # a sentence
        return replace(words, text=_NUMBER.sub(BLANK, words.text))
    terms = re.split(_BETWEEN_TERMS, words.text)
    return replace(words, text="".join(_NUMBER.sub(BLANK, one) if _is_number(one) else one for one in terms))


def _cell(words: StyledText, kind: Handout) -> StyledText:
    """A text of a table of leaves, whose values are given."""
    return _words(words, kind) if words.ink == "gradient" else words


def _is_number(term: str) -> bool:
    """Whether a term is a number to be found, not part of a formula such as `1 + x`."""
    return all(_NUMBER.fullmatch(piece.rpartition(" ")[2].strip("()[]‖")) for piece in term.split(" + "))
