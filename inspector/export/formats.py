"""Table of the formats, and writing by format name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from inspector.graph import Graph
    from inspector.scene import Scene

Holds = Literal["picture", "pages", "moments", "graph", "original"]


@dataclass(frozen=True, slots=True)
class Format:
    """One format of files.

    holds: `picture`: a file holds one picture (both panels, or one of them, or a step); `pages`: or several;
    `moments`: always all of them, one after the other; `graph`: it is written from the Graph, without a layout;
    `original`: from the text that torchviz made of the same roots, before backward ran.
    writer: `module:function` of this package, imported when it is needed, since each brings its own libraries.
    needs: the package of the extra `slides` without which it cannot be written.
    """

    suffix: str
    holds: Holds
    writer: str
    needs: str = ""

    def is_installed(self) -> bool:
        """Whether what it needs is there. Imports nothing."""
        return not self.needs or find_spec(self.needs) is not None

    def load(self) -> Callable[..., Any]:
        """The function that writes. Its libraries are imported now."""
        module, _, function = self.writer.partition(":")
        loaded: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), function)
        return loaded


WRITERS: Mapping[str, Format] = {
    "svg": Format(".svg", "picture", "svg:write_svg"),
    "html": Format(".html", "moments", "html:write_html"),
    "pdf": Format(".pdf", "pages", "pdf:write_pdf"),
    "png": Format(".png", "picture", "png:write_png"),
    "pptx": Format(".pptx", "moments", "pptx:write_pptx", needs="pptx"),
    "tex": Format(".tex", "moments", "tex:write_tex"),
    "gif": Format(".gif", "moments", "gif:write_gif", needs="PIL"),
    "reveal": Format(".reveal.html", "moments", "reveal:write_reveal"),
    "dot": Format(".dot", "graph", "dot:write_dot"),
    "mermaid": Format(".mmd", "graph", "mermaid:write_mermaid"),
    "torchviz": Format(".torchviz.svg", "original", "torchviz:write_original"),
}
"""Every format by its name on the command line."""


def format_of(file_name: str) -> str | None:
    """The format that a file's name asks for, None where no format ends like that."""
    name = file_name.lower()
    fitting = [format for format, known in WRITERS.items() if name.endswith(known.suffix)]
    return max(fitting, key=lambda format: len(WRITERS[format].suffix), default=None)


def write_scenes(format: str, scenes: Sequence[Scene], *, theme: str = "light", text: str = "path") -> bytes:
    """Scenes as the bytes of a file: one Scene of a format that holds a picture, else one for each moment.

    text: of an svg; every other format has its own way with text. A pdf of several Scenes has a page for each.
    Raises MissingExtra where the format needs packages that are not installed, ValueError for an unknown theme,
    text mode, ink or face, and for Scenes of several sizes in a format that lays them over each other.
    """
    writer = WRITERS[format].load()
    if format == "svg":
        return bytes(writer(scenes[0], theme=theme, text=text).encode())
    return bytes(writer(scenes, theme=theme))


def write_graph(format: str, graph: Graph) -> bytes:
    """The Graph in a language for graphs, dot or mermaid."""
    return bytes(WRITERS[format].load()(graph).encode())


def write_torchviz(source: str) -> bytes:
    """torchviz's own picture, from the text that it made. Raises LayoutFailed."""
    return bytes(WRITERS["torchviz"].load()(source))
