"""Overlay the frames of a figure: which pieces are always visible, and which only in some frames.

The Scenes must have the same geometry. Formats that step through one picture (TikZ, reveal.js) write a piece once
for all frames that show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from inspector.export.drawing_primitives import FilledArea, Kind, Piece, parts
from inspector.scene.scene import Scene, TextRun

Span = tuple[int, int]
"""The first and the last frame, from 0, of a stretch of frames."""

_ORDER: tuple[Kind, ...] = ("wire", "box", "badge")


@dataclass(frozen=True, slots=True)
class ShownPiece:
    """A piece and the stretches of frames that show it. `always`: all of them do."""

    piece: Piece
    spans: tuple[Span, ...]
    always: bool


@dataclass(frozen=True, slots=True)
class LayeredPart:
    """A wire, a box or a badge with what it is in all frames, in the order of drawing."""

    id: str
    kind: Kind
    pieces: tuple[ShownPiece, ...]


@dataclass
class _PieceFrames:
    """A part while the frames are gone through: its pieces with their depth, and the frames of each."""

    id: str
    kind: Kind
    frames: dict[tuple[int, Piece], list[int]] = field(default_factory=dict)


def same_size(scenes: Sequence[Scene]) -> None:
    """Raises ValueError unless all Scenes are equally large, and there is one."""
    sizes = {(scene.width, scene.height) for scene in scenes}
    if len(sizes) != 1:
        raise ValueError(f"all frames must have the same size, got {len(sizes)} different sizes")


def lay_over(scenes: Sequence[Scene]) -> list[LayeredPart]:
    """The parts of all Scenes, wires below boxes below badges. Raises ValueError for several sizes."""
    same_size(scenes)
    seen: dict[tuple[int, int, Kind, str], _PieceFrames] = {}
    for frame, scene in enumerate(scenes):
        for place, panel in enumerate(scene.panels):
            for part in parts(panel):
                key = (place, _ORDER.index(part.kind), part.kind, part.id)
                record = seen.setdefault(key, _PieceFrames(part.id, part.kind))
                for index, piece in enumerate(part.pieces):
                    record.frames.setdefault((_depth(index, piece), piece), []).append(frame)
    ordered = sorted(seen.items(), key=lambda item: item[0][:2])  # stable: first seen, first drawn
    return [_layered(record, len(scenes)) for _, record in ordered]


def _layered(record: _PieceFrames, count: int) -> LayeredPart:
    """The pieces of a part from the lowest to the highest."""
    ordered = sorted(record.frames.items(), key=lambda item: item[0][0])
    shown = [ShownPiece(piece, _spans(frames), len(set(frames)) == count) for (_, piece), frames in ordered]
    return LayeredPart(record.id, record.kind, tuple(shown))


def _depth(index: int, piece: Piece) -> int:
    """How far above the ground a piece lies within its part: its body, strips, border and lines, texts.

    So a fill that some frames only have hides nothing of what the others show.
    """
    if isinstance(piece, TextRun):
        return 3
    if index == 0:
        return 0
    return 1 if isinstance(piece, FilledArea) and piece.fill is not None else 2


def _spans(frames: Sequence[int]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for frame in sorted(set(frames)):
        if spans and frame == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], frame)
        else:
            spans.append((frame, frame))
    return tuple(spans)
