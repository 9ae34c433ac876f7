"""Overlay the frames of a figure: which pieces are always visible, and which only in some frames.

The Scenes must have the same geometry. Formats that animate one picture (TikZ, reveal.js) write a piece once for
all frames that show it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from inspector.export.drawing_primitives import FilledArea, Kind, Piece, parts
from inspector.scene.scene import Scene, TextRun

Span = tuple[int, int]
"""The first and the last of a range of frames, from 0."""

_ORDER: tuple[Kind, ...] = ("ground", "wire", "box", "badge")


class ShownPiece(Struct, frozen=True):
    """A piece and the ranges of frames that show it. always: whether all frames do."""

    piece: Piece
    spans: tuple[Span, ...]
    always: bool


class LayeredPart(Struct, frozen=True):
    """A ground, a wire, a box or a badge with its pieces in all frames, in drawing order."""

    id: str
    kind: Kind
    pieces: tuple[ShownPiece, ...]


class _PieceFrames(Struct):
    """A part under construction: its pieces with their depths, and the frames of each."""

    id: str
    kind: Kind
    frames: dict[tuple[int, Piece], list[int]] = field(default_factory=dict)


def same_size(scenes: Sequence[Scene]) -> None:
    """Raise ValueError unless there are Scenes and all have the same size."""
    sizes = {(scene.width, scene.height) for scene in scenes}
    if len(sizes) != 1:
        raise ValueError(f"all frames must have the same size, got {len(sizes)} different sizes")


def lay_over(scenes: Sequence[Scene]) -> list[LayeredPart]:
    """The parts of all Scenes in drawing order, from the grounds up. Raises ValueError for different sizes."""
    same_size(scenes)
    seen: dict[tuple[int, int, Kind, str], _PieceFrames] = {}
    for frame, scene in enumerate(scenes):
        for place, panel in enumerate(scene.panels):
            for part in parts(panel):
                key = (place, _ORDER.index(part.kind), part.kind, part.id)
                record = seen.setdefault(key, _PieceFrames(part.id, part.kind))
                for index, piece in enumerate(part.pieces):
                    record.frames.setdefault((_depth(index, piece), piece), []).append(frame)
    ordered = sorted(seen.items(), key=lambda item: item[0][:2])  # stable: drawn in order of appearance
    return [_layered(record, len(scenes)) for _, record in ordered]


def _layered(record: _PieceFrames, count: int) -> LayeredPart:
    """The pieces of a part, lowest first."""
    ordered = sorted(record.frames.items(), key=lambda item: item[0][0])
    shown = [ShownPiece(piece, _spans(frames), len(set(frames)) == count) for (_, piece), frames in ordered]
    return LayeredPart(record.id, record.kind, tuple(shown))


def _depth(index: int, piece: Piece) -> int:
    """The layer of a piece within its part: body, strips, border and lines, texts.

    So a fill that only some frames have hides nothing in the others.
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
