"""Write the figures of one backward call to files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path

from msgspec import Struct

from inspector.commands.options import Destination, DrawOptions
from inspector.export import WRITERS, write_graph, write_scenes
from inspector.export.formats import write_torchviz
from inspector.figure import Figure, draw, frames
from inspector.figure.together import draw_together
from inspector.folding.folded_graph import with_step_order
from inspector.graph import Graph
from inspector.graph.model import MOMENTS
from inspector.graph.values import is_unknown
from inspector.layout.errors import LayoutFailed, TooManyBoxes
from inspector.options.words import Words
from inspector.page import PageSource, files_of, still_of, write_page
from inspector.plots import plot_graph, plot_timeline, why_no_plot
from inspector.report import BackwardCall, Report
from inspector.report.originals import NOT_TAKEN, Original
from inspector.scene import Scene
from inspector.styles.code_lines import listed_file
from inspector.typography import pluralize
from inspector.util.atomic_write import write_bytes_atomically
from inspector.util.os_errors import with_path

_MOST_NAMED = 8
"""Keys of missing words that a note names."""


class Written(Struct, frozen=True):
    """The files of a call's pictures, and one remark for each deviation from the options."""

    files: list[Path]
    remarks: list[str]


def write_pictures(
    call: BackwardCall,
    destination: Destination,
    options: DrawOptions,
    original: Original | None = None,
    report: Report | None = None,
) -> Written:
    """Draw a call and write its files.

    original: torchviz's picture of the call, for its format; if there is none, a remark says so. report: the run,
    of which a page shows the findings and the other calls.
    Raises TooManyBoxes or LayoutFailed if the call cannot be drawn, ValueError for an unknown path, MissingExtra
    for a format that is not installed, OSError if a file cannot be written.
    """
    drawn = _Drawn(call, options, report)
    destination.folder.mkdir(parents=True, exist_ok=True)
    files, remarks = list[Path](), list[str]()
    for format in destination.formats:
        if WRITERS[format].holds == "original":
            _write_original(original or NOT_TAKEN, call.index, destination, Written(files, remarks))
            continue
        if WRITERS[format].holds == "graph" and next(call.graph.folds(), None) is not None:
            where = "" if call.whole is None else f"; all Nodes are in {call.whole}"
            remarks.append(f"no {format} of backward call {call.index}: this report holds its graph folded{where}")
            continue
        for path, scenes in _sheets(format, drawn, destination):
            try:
                write_bytes_atomically(path, _content(format, drawn, scenes))
            except OSError as error:  # for example of an encoder, without the path
                raise with_path(error, path) from error
            files.append(path)
    return Written(files, [*drawn.remarks, *remarks])


def write_together(
    calls: Sequence[BackwardCall], destination: Destination, options: DrawOptions
) -> Written:
    """Draw several calls in one figure, in each format that holds pictures.

    Raises the errors of `write_pictures`.
    """
    named = [(call.graph, _code(call) or "backward()") for call in calls]
    figure = draw_together(named, options.figure, depth=options.depth, presentation=options.presentation)
    destination.folder.mkdir(parents=True, exist_ok=True)
    files, ground = list[Path](), not options.transparent
    for format in destination.formats:
        holds = WRITERS[format].holds
        if holds in ("graph", "page", "original"):
            continue
        path = destination.file or destination.folder / f"together{WRITERS[format].suffix}"
        scenes = list(figure.panels.values()) if holds == "moments" else [figure.scene]
        write_bytes_atomically(
            path, write_scenes(format, scenes, theme=options.theme, text=options.text, ground=ground)
        )
        files.append(path)
    return Written(files, list(figure.remarks))


def write_timeline(report: Report, destination: Destination, options: DrawOptions) -> Written:
    """Draw the timeline of a report, in each format that holds a picture or pages.

    Raises ValueError if the report has no timeline, OSError if a file cannot be written.
    """
    figure = plot_timeline(report)
    destination.folder.mkdir(parents=True, exist_ok=True)
    files, remarks = list[Path](), list[str]()
    for format in destination.formats:
        if WRITERS[format].holds == "page":
            continue  # a page shows it below the graph
        if not can_hold_timeline(format):
            remarks.append(f"no timeline in {format}: choose svg, pdf or png")
            continue
        path = destination.file or destination.folder / f"timeline{WRITERS[format].suffix}"
        write_bytes_atomically(path, write_scenes(format, [figure.scene], theme=options.theme, text=options.text))
        files.append(path)
    return Written(files, remarks)


def can_hold_timeline(format: str) -> bool:
    """Whether a timeline can be written in a format."""
    return WRITERS[format].holds in ("picture", "pages")


def _write_original(original: Original, index: int, destination: Destination, written: Written) -> None:
    """Write torchviz's own picture; if there is none, add a remark. The other pictures are not affected."""
    path = destination.file or destination.folder / f"backward-{index}{WRITERS['torchviz'].suffix}"
    reason = original.reason
    if original.source is not None:
        try:
            write_bytes_atomically(path, write_torchviz(original.source))
            written.files.append(path)
            return
        except LayoutFailed as error:
            reason = str(error)
    written.remarks.append(f"no torchviz picture of backward call {index}: {reason}")


def _content(format: str, drawn: _Drawn, scenes: _Scenes) -> bytes:
    if WRITERS[format].holds == "graph":
        return write_graph(format, drawn.call.graph)
    if WRITERS[format].holds == "page":
        return _page(drawn)
    ground = not drawn.look.transparent
    return write_scenes(format, scenes(drawn), theme=drawn.look.theme, text=drawn.look.text, ground=ground)


def _page(drawn: _Drawn) -> bytes:
    """The page of a call. Where no script runs it shows the picture, if that can be drawn."""
    try:
        still = still_of(drawn.figure.scene, drawn.look.theme)
    except (LayoutFailed, TooManyBoxes):
        still = ""
    theme = "dark" if drawn.look.theme == "dark" else None
    source = PageSource(drawn.report, _sources(drawn), drawn.look.figure.values)
    return write_page(drawn.call, source, still=still, theme=theme)


def _sources(drawn: _Drawn) -> dict[str, str]:
    """The text of the user's files, as far as they can be read."""
    found = dict[str, str]()
    folder = drawn.look.folder
    if folder is None:
        return found
    for name in files_of(drawn.call):
        path = folder / name
        if path.suffix == ".py" and not name.startswith("site-packages/"):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                found[name] = path.read_text("utf-8")
    return found


def draw_call(call: BackwardCall, options: DrawOptions) -> Figure:
    """The figure of a call, before and after."""
    script, presentation = _script(call.graph, options), options.presentation
    graph = with_step_order(call.graph, presentation.order)  # so that its numbers match the frames
    return draw(
        graph, options.figure, call=_code(call), script=script, depth=options.depth, presentation=presentation
    )


def draw_frames(call: BackwardCall, options: DrawOptions) -> Figure:
    """The figure of a call, step by step."""
    script, presentation = _script(call.graph, options), options.presentation
    return frames(
        call.graph,
        options.figure,
        call=_code(call),
        script=script,
        depth=options.depth,
        presentation=presentation,
    )


def _code(call: BackwardCall) -> str | None:
    """The statement that called backward; if it is a library's, also the user's that led to it."""
    if is_unknown(call.location):
        return None
    library, code = call.location.get("library"), call.location["code"]
    return code if library is None else f"{library['code']} in {code}"


def _script(graph: Graph, options: DrawOptions) -> str | None:
    """The source of the file that created the graph; None if it is unavailable or not needed."""
    if options.folder is None or not options.figure.code:
        return None
    try:
        return (options.folder / listed_file(graph)).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


class _Drawn:
    """The figures of a call, each drawn on first use."""

    def __init__(self, call: BackwardCall, options: DrawOptions, report: Report | None) -> None:
        self.call = call
        self.report = report
        self.look = options

    @cached_property
    def figure(self) -> Figure:
        return draw_call(self.call, self.look)

    @cached_property
    def steps(self) -> Figure:
        return draw_frames(self.call, self.look)

    @cached_property
    def curves(self) -> Figure:
        return plot_graph(self.call.graph)

    @property
    def remarks(self) -> list[str]:
        """The remarks of all figures drawn, without duplicates, and why a plot is missing."""
        figures = [vars(self)[name] for name in ("figure", "steps", "curves") if name in vars(self)]
        remarks = [remark for figure in figures for remark in figure.remarks]
        reason = why_no_plot(self.call.graph) if self.look.further.plot else None
        words = _missing(self.look.presentation.words)
        return list(dict.fromkeys([*remarks, *(one for one in (reason, words) if one)]))


def _missing(words: Words) -> str:
    """How many texts a file of words leaves out, and which; empty if none."""
    if words.path is None or not words.missing:
        return ""
    named = ", ".join(words.missing[:_MOST_NAMED]) + (", …" if len(words.missing) > _MOST_NAMED else "")
    count = pluralize(len(words.missing), "text")
    return f"{words.path.name} lacks {count} ({named}), shown in English; inspect words prints all"


_Scenes = Callable[[_Drawn], list[Scene]]
"""Selects the Scenes of one file."""


def _sheets(format: str, drawn: _Drawn, destination: Destination) -> list[tuple[Path, _Scenes]]:
    """The files of a format, and the content of each."""
    call, options = drawn.call, drawn.look
    sheets, end = list(_named(format, drawn, destination.file is not None)), WRITERS[format].suffix
    has_plot = options.further.plot and WRITERS[format].holds not in ("graph", "page")
    plot = has_plot and why_no_plot(call.graph) is None
    plots: list[tuple[str, _Scenes]] = [(".plot", lambda drawn: [drawn.curves.scene])] if plot else []
    if destination.file is None:
        start = f"backward-{call.index}"
        return [(destination.folder / f"{start}{part}{end}", scenes) for part, scenes in (*sheets, *plots)]
    # One file holds both panels, or all steps if they are requested and the format has pages.
    all_steps = options.presentation.frames and WRITERS[format].holds == "pages"
    picture = (destination.file, sheets[-1 if all_steps else 0][1])
    name = destination.file.name[: -len(end)]
    return [picture, *((destination.file.with_name(f"{name}{part}{end}"), scenes) for part, scenes in plots)]


def _named(format: str, drawn: _Drawn, alone: bool) -> Iterator[tuple[str, _Scenes]]:
    """The infix of each file's name, and its content. Before is step 0, after is the last step.

    alone: whether only one picture is written, so that the step names need not be drawn.
    """
    holds, options = WRITERS[format].holds, drawn.look
    ran = drawn.call.graph.ran
    if holds in ("graph", "moments", "page"):
        yield "", _steps if options.presentation.frames else _panels
        return
    yield "", lambda drawn: [drawn.figure.scene]
    for number, moment in enumerate(MOMENTS if ran else MOMENTS[:1]):
        yield f".{moment}", partial(_one, _panels, number)
    if options.presentation.frames and holds == "pages":
        yield ".steps", _steps
    elif options.presentation.frames and not alone:
        for step in range(len(drawn.steps.panels)):
            yield f".step-{step:02d}", partial(_one, _steps, step)


def _panels(drawn: _Drawn) -> list[Scene]:
    return list(drawn.figure.panels.values())


def _steps(drawn: _Drawn) -> list[Scene]:
    return list(drawn.steps.panels.values())


def _one(several: _Scenes, number: int, drawn: _Drawn) -> list[Scene]:
    return [several(drawn)[number]]
