"""The pictures of one backward call, written to files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from inspector.command.options import Destination, Look
from inspector.graph.values import is_unknown
from inspector.layout import draw
from inspector.report import BackwardCall
from inspector.whole import write_text
from inspector.writers.dot import write_dot
from inspector.writers.svg import write_svg


def picture_paths(index: int, destination: Destination) -> list[Path]:
    """The files that `write_pictures` makes for one call."""
    if destination.file is not None:
        return [destination.file]
    return [destination.folder / name for format in destination.formats for name in _NAMES[format](index)]


def write_pictures(call: BackwardCall, destination: Destination, look: Look) -> None:
    """Draw a call and write every file of `picture_paths`.

    Raises TooManyBoxes or LayoutFailed where it cannot be drawn, OSError where it cannot be written.
    """
    if destination.file is None:
        destination.folder.mkdir(parents=True, exist_ok=True)
    else:
        destination.file.parent.mkdir(parents=True, exist_ok=True)
    for format in destination.formats:
        texts = _TEXTS[format](call, look)
        for path, text in zip(_paths(format, call.index, destination), texts, strict=False):
            write_text(path, text)


def _paths(format: str, index: int, destination: Destination) -> list[Path]:
    if destination.file is not None:
        return [destination.file]
    return [destination.folder / name for name in _NAMES[format](index)]


def _svg_texts(call: BackwardCall, look: Look) -> Iterator[str]:
    """Both panels, before, after."""
    code = None if is_unknown(call.location) else call.location["code"]
    figure = draw(call.graph, call=code, direction=look.direction)
    for scene in (figure.scene, *figure.panels.values()):
        yield write_svg(scene, theme=look.theme, text=look.text)


def _dot_texts(call: BackwardCall, _: Look) -> Iterator[str]:
    yield write_dot(call.graph)


_TEXTS = {"svg": _svg_texts, "dot": _dot_texts}
_NAMES = {
    "svg": lambda index: [f"backward-{index}{part}.svg" for part in ("", ".before", ".after")],
    "dot": lambda index: [f"backward-{index}.dot"],
}
