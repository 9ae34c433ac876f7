"""What a page shows where no script runs: the picture and the table of gradients."""

from __future__ import annotations

from inspector.export.gradient_table import table
from inspector.export.svg import write_svg
from inspector.scene import Scene


def still_of(scene: Scene, theme: str) -> str:
    """The HTML of a Scene and of the table of its description."""
    return f"{write_svg(scene, theme=theme, text='plain')}\n{table(scene.description)}"
