"""Table of the formats, and writing by format name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from inspector.graph import Graph
    from inspector.scene import Scene

Holds = Literal["picture", "pages", "moments", "graph", "page", "original"]


class Format(Struct, frozen=True):
    """One file format.

    holds: what one file contains. `picture`: one picture (both panels, one of them, or a step); `pages`: one
    picture or several; `moments`: all moments, in order; `graph`: the Graph, without a layout; `page`: the page of
    a call; `original`: torchviz's drawing of the same roots, made before backward ran.
    writer: `module:function` of this package, imported on use, since each needs its own libraries; empty for the
    page, which the package `page` writes. needs: the package of the extra `slides` that the format requires.
    """

    suffix: str
    holds: Holds
    writer: str
    needs: str = ""

    def is_installed(self) -> bool:
        """Whether the required package is installed. Imports nothing."""
        return not self.needs or find_spec(self.needs) is not None

    def load(self) -> Callable[..., Any]:
        """The function that writes the format. Imports its libraries."""
        module, _, function = self.writer.partition(":")
        loaded: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), function)
        return loaded


WRITERS: Mapping[str, Format] = {
    "svg": Format(".svg", "picture", "svg:write_svg"),
    "html": Format(".html", "page", ""),
    "pdf": Format(".pdf", "pages", "pdf:write_pdf"),
    "png": Format(".png", "picture", "png:write_png"),
    "pptx": Format(".pptx", "moments", "pptx:write_pptx", needs="pptx"),
    "tex": Format(".tex", "moments", "tex:write_tex"),
    "gif": Format(".gif", "moments", "gif:write_gif", needs="PIL"),
    "animation": Format(".animated.svg", "moments", "animated_svg:write_animated_svg"),
    "reveal": Format(".reveal.html", "moments", "reveal:write_reveal"),
    "dot": Format(".dot", "graph", "dot:write_dot"),
    "mermaid": Format(".mmd", "graph", "mermaid:write_mermaid"),
    "torchviz": Format(".torchviz.svg", "original", "torchviz:write_original"),
}
"""Every format, by its name on the command line."""


def format_of(file_name: str) -> str | None:
    """The format that belongs to a file's suffix; None if there is none."""
    name = file_name.lower()
    fitting = [format for format, known in WRITERS.items() if name.endswith(known.suffix)]
    return max(fitting, key=lambda format: len(WRITERS[format].suffix), default=None)


def write_scenes(
    format: str, scenes: Sequence[Scene], *, theme: str = "light", text: str = "path", ground: bool = True
) -> bytes:
    """Scenes as the bytes of a file. scenes: one Scene for a format that holds a picture, else one per moment.

    text: how an svg stores text; other formats ignore it. ground: whether an svg or png has the theme's ground, or
    is transparent. A pdf of several Scenes has a page for each. Raises MissingExtra if
    the format needs packages that are not installed, and ValueError for an unknown theme, text mode, ink or face,
    and for Scenes of different sizes in a format that overlays them.
    """
    writer = WRITERS[format].load()
    if format == "svg":
        return bytes(writer(scenes[0], theme=theme, text=text, ground=ground).encode())
    if format == "png":
        return bytes(writer(scenes, theme=theme, ground=ground))
    return bytes(writer(scenes, theme=theme))


def write_graph(format: str, graph: Graph) -> bytes:
    """The Graph as the bytes of a file, for a format that holds a `graph`."""
    return bytes(WRITERS[format].load()(graph).encode())


def write_torchviz(source: str) -> bytes:
    """torchviz's own picture. source: its DOT text. Raises LayoutFailed."""
    return bytes(WRITERS["torchviz"].load()(source))
