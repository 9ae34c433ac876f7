"""The picture of a timeline, for notebooks and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inspector.export import WRITERS, format_of, write_scenes
from inspector.export.svg import write_svg
from inspector.figure import Figure
from inspector.options.choices import Text, Theme, check_choice
from inspector.util.atomic_write import write_bytes_atomically


class TimelinePicture:
    """A drawn timeline. theme, text: the defaults of `svg` and `save`, as for `draw`."""

    def __init__(self, figure: Figure, *, theme: Theme = "light", text: Text | None = None) -> None:
        check_choice("theme", theme)
        if text is not None:
            check_choice("text", text)
        self.figure = figure
        self.theme: Theme = theme
        self.text: Text = text or "path"

    def svg(self, *, theme: Theme | None = None, text: Text | None = None) -> str:
        """The picture as SVG text."""
        return write_svg(self.figure.scene, theme=theme or self.theme, text=text or self.text)

    def save(self, path: str | Path, *, theme: Theme | None = None, text: Text | None = None) -> None:
        """Write the picture to a file: `.svg`, `.pdf` or `.png`. Raises ValueError for another suffix, OSError."""
        target = Path(path)
        format = format_of(target.name)
        if format is None or WRITERS[format].holds not in ("picture", "pages"):
            fitting = ", ".join(known.suffix for known in WRITERS.values() if known.holds in ("picture", "pages"))
            wrong = f"{target.name}: a timeline cannot be written as {target.suffix!r}"
            raise ValueError(f"{wrong}; choose from: {fitting}")
        content = write_scenes(format, [self.figure.scene], theme=theme or self.theme, text=text or self.text)
        write_bytes_atomically(target, content)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg(), "text/plain": self.figure.scene.title}
