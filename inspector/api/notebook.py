"""What a notebook shows: the page in a frame, with the picture and a text for where no page can be shown."""

from __future__ import annotations

import os
import sys
from html import escape
from pathlib import Path

from inspector.diagnosis.mark_graph import mark_graph
from inspector.export.svg import write_svg
from inspector.figure import draw
from inspector.graph import Graph, is_unknown, unknown
from inspector.layout.errors import LayoutFailed, TooManyBoxes
from inspector.options.choices import Text, Theme
from inspector.page import PageSource, files_of, still_of, write_page
from inspector.report import BackwardCall, Report
from inspector.scene import Scene
from inspector.user_code.paths import UserFiles

MOST_BYTES = 5_000_000
"""Maximum size of a page in a cell; above, only the picture is shown."""
_HEIGHT = 640
_NOTEBOOK = "<notebook>"
_FRAME = (
    '<iframe srcdoc="{page}" sandbox="allow-scripts allow-downloads" width="100%" height="{height}"'
    ' frameborder="0" title="{title}"></iframe>'
)


def notebook_bundle(
    call: BackwardCall,
    scene: Scene | None,
    *,
    source: PageSource | None = None,
    theme: Theme = "light",
    said: str = "",
    text: Text = "path",
) -> dict[str, str]:
    """The representations of a call by MIME type: HTML, SVG and text.

    scene: the picture; None if there is none. said: the text; by default the title of the picture.
    The frame is sandboxed: the page cannot reach the notebook. A page of more than 5 MB is left out, and the text
    says so.
    """
    title = scene.title if scene else "autograd graph"
    shown = {"text/plain": said or title}
    if scene is not None:
        shown = {"image/svg+xml": write_svg(scene, theme=theme, text=text), **shown}
    page = write_page(
        call, source, still=still_of(scene, theme) if scene else "", theme="dark" if theme == "dark" else None
    )
    if len(page) > MOST_BYTES:
        shown["text/plain"] += f" (the page is not shown: {len(page) / 1e6:.0f} MB)"
        return shown
    frame = _FRAME.format(page=escape(page.decode()), height=_HEIGHT, title=escape(title))
    return {"text/html": frame, **shown}


def call_bundle(call: BackwardCall, source: PageSource | None = None, *, said: str = "") -> dict[str, str]:
    """The representations of a call, without a picture if it is too large to be drawn."""
    code = None if is_unknown(call.location) else call.location["code"]
    try:
        scene = draw(call.graph, call=code).scene
    except (LayoutFailed, TooManyBoxes):
        scene = None
    return notebook_bundle(call, scene, source=source, said=said)


def graph_bundle(graph: Graph) -> dict[str, str]:
    """The representations of a Graph by itself."""
    return call_bundle(BackwardCall(1, unknown("the graph was traced"), graph))


def source_of(report: Report, call: BackwardCall, files: UserFiles) -> PageSource:
    """What the page of a recorded call shows besides the graph: the run, and the source lines."""
    return PageSource(report, {name: text for name in files_of(call) if (text := files.text_of(name))})


def script_name() -> str:
    """What a report calls the program: the notebook, if the server tells its name, or the script."""
    shell = sys.modules.get("IPython.core.interactiveshell")
    if shell is None or not shell.InteractiveShell.initialized():
        return Path(sys.argv[0]).name if sys.argv and sys.argv[0] else _NOTEBOOK
    return Path(os.environ.get("JPY_SESSION_NAME", "")).name or _NOTEBOOK


def first_shown(report: Report) -> BackwardCall:
    """The first call with a finding, else the first call. Its boxes are marked with the findings."""
    mark_graph(report)
    found = {finding.backward_call for finding in report.findings}
    return next((call for call in report.calls if call.index in found), report.calls[0])
