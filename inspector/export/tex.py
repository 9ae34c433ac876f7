r"""Write the frames of a figure as TikZ for Beamer: one picture that contains every box once, with the steps as
overlays.

The file compiles alone (`pdflatex backward-1.tex`) and inside a frame (`\input{backward-1}`, with
`\usepackage{tikz}`). Boxes are nodes named like those of the Graph, so that a lecturer can attach arrows to them.
Text uses the document's sans serif and typewriter fonts, squeezed where they are wider than the figure's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from inspector.export.drawing_primitives import DASHES, ArrowHead, FilledArea, Piece, StrokedLine, colour_of
from inspector.export.frame_overlay import LayeredPart, ShownPiece, Span, lay_over
from inspector.export.tex_text import escape
from inspector.scene.scene import Point, Scene, TextRun
from inspector.scene.theme import DIVERGING, Theme, find_theme
from inspector.typography.decimal import decimal
from inspector.typography.metrics import width
from inspector.typography.sanitize import sanitize

_HEAD = r"""%% TITLE
%% Alone: pdflatex on this file. In a frame of Beamer: \usepackage{tikz}, then \input this file. What is wider than
%% the line or higher than \inspectorheight is scaled down. A slide for each moment: MOMENTS.
\expandafter\ifx\csname @nodocument\endcsname\relax\else
  \documentclass[10pt]{beamer}
  \usepackage[T1]{fontenc}
  \usepackage{lmodern,textcomp,tikz}
  \geometry{papersize={WIDEpt,HIGHpt}}
  \setbeamersize{text margin left=0pt,text margin right=0pt}
  \setbeamertemplate{navigation symbols}{}
  \newcommand\inspectorheight{\textheight}
  \begin{document}
  \begin{frame}[plain]\centering\input{\jobname}\end{frame}
  \end{document}
\fi
\begingroup
\providecommand\inspectorheight{0.8\textheight}
\providecommand\inspectorcharacter[1]{\ifdefined\Uchar\Uchar"#1\relax\else
  \ifdefined\XeTeXversion\char"#1\relax\else\fbox{\phantom{\tiny x}}\fi\fi}
\providecommand\inspectoraccent[2]{\csname #1\endcsname{#2}}
\providecommand\inspectortext[4]{\fontsize{#1pt}{#1pt}\setbox0\hbox{#3#4}%
  \ifdim\wd0>#2pt \resizebox{#2pt}{\height}{\box0}\else\box0\fi}
"""
_BEGIN = r"""\pgfmathsetlengthmacro\inspectorwidth{min(WIDEpt,\linewidth,\inspectorheight*RATIO)}
\resizebox{\inspectorwidth}{!}{%
\begin{tikzpicture}[x=1pt,y=-1pt,inner sep=0pt,outer sep=0pt]
\path[use as bounding box] (0,0) rectangle (WIDE,HIGH);
"""
_END = r"""\end{tikzpicture}}%
\endgroup
"""
_FACES = {
    "regular": r"\sffamily\mdseries",
    "medium": r"\sffamily\mdseries",
    "bold": r"\sffamily\bfseries\boldmath",
    "mono": r"\ttfamily\mdseries",
}
_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}
_UNFIT_FOR_NAME = re.compile(r"[^A-Za-z0-9_-]")
_LARGEST = 16_000.0  # points; TeX's maximum length


def write_tex(scenes: Sequence[Scene], *, theme: str = "light") -> bytes:
    """Scenes of one size as a TikZ picture with a slide for each. Raises ValueError for different sizes."""
    layers = lay_over(scenes)
    scene = scenes[0]
    if max(scene.width, scene.height) > _LARGEST:
        raise ValueError(f"TeX cannot draw a figure longer than {_LARGEST:,.0f} pt; fold the graph")
    moments = "; ".join(f"{number} {sanitize(one.title)}" for number, one in enumerate(scenes, 1))
    values = {
        "TITLE": sanitize(scene.title),
        "MOMENTS": moments,
        "WIDE": decimal(scene.width),
        "HIGH": decimal(scene.height),
        "RATIO": f"{scene.width / scene.height:.5f}",
    }
    pieces = [shown.piece for part in layers for shown in part.pieces]
    used = {piece.fill for piece in pieces if isinstance(piece, FilledArea)}
    colours = {ink: colour for ink, colour in find_theme(theme).items() if ink in used or ink not in DIVERGING}
    writer = _Picture(colours, len(scenes))
    lines = (
        _filled(_HEAD, values),
        *writer.colours(),
        _filled(_BEGIN, values),
        *(line for part in layers for line in writer.part(part)),
        _END,
    )
    return "".join(lines).encode()


def _filled(template: str, values: dict[str, str]) -> str:
    return re.sub("|".join(values), lambda match: values[match[0]], template)


class _Picture:
    """The lines of one tikzpicture."""

    def __init__(self, theme: Theme, count: int) -> None:
        self._theme = theme
        self._count = count

    def colours(self) -> Iterator[str]:
        for ink, colour in self._theme.items():
            yield rf"\definecolor{{{_colour(ink)}}}{{HTML}}{{{colour.removeprefix('#')}}}" + "\n"

    def part(self, part: LayeredPart) -> Iterator[str]:
        """A part: an invisible node with the name of the part, then its pieces with their overlays."""
        areas = [shown.piece for shown in part.pieces if isinstance(shown.piece, FilledArea)]
        body = max(areas, key=lambda area: area.stroke is not None, default=None)
        if part.kind in ("ground", "box") and body is not None:
            size = f"minimum width={decimal(body.area.width)}pt,minimum height={decimal(body.area.height)}pt"
            name = _UNFIT_FOR_NAME.sub("-", part.id)
            yield rf"\node[{size}] ({name}) at {_place(body.area.center)} {{}};" + "\n"
        for shown in part.pieces:
            yield self._shown(shown)

    def _shown(self, shown: ShownPiece) -> str:
        drawn = self._piece(shown.piece)
        if shown.always or not drawn:
            return drawn
        return rf"\only<{','.join(map(self._slides, shown.spans))}>{{{drawn.rstrip()}}}" + "\n"

    def _slides(self, span: Span) -> str:
        """Slides count from 1. The last range is open, for frames with more slides than moments."""
        first, last = span[0] + 1, span[1] + 1
        if last == self._count:
            return f"{first}-"
        return str(first) if first == last else f"{first}-{last}"

    def _piece(self, piece: Piece) -> str:
        if isinstance(piece, FilledArea):
            return self._area(piece)
        if isinstance(piece, StrokedLine):
            return self._line(piece)
        if isinstance(piece, ArrowHead):
            corners = " -- ".join(map(_place, piece.corners))
            return rf"\fill[{self._ink(piece.ink)}] {corners} -- cycle;" + "\n"
        return self._text(piece)

    def _area(self, piece: FilledArea) -> str:
        area = piece.area
        paint = []
        if piece.fill is not None:
            paint.append(f"fill={self._ink(piece.fill)}")
        if piece.stroke is not None:
            paint.append(f"draw={self._ink(piece.stroke)},line width={decimal(piece.width)}pt")
        if piece.radius and 2 * piece.radius >= max(area.width, area.height):  # a disc
            circle = f"{_place(area.center)} circle [radius={decimal(piece.radius)}pt]"
            return rf"\path[{','.join(paint)}] {circle};" + "\n"
        round_corners = f"[rounded corners={decimal(piece.radius)}pt]" if piece.radius else ""
        sharp = "[sharp corners]" if piece.upper else round_corners
        path = (
            f"{_place((area.center[0], area.y))} {round_corners} -- {_place((area.right, area.y))} "
            f"{sharp} -- {_place((area.right, area.bottom))} -- {_place((area.x, area.bottom))} "
            f"{round_corners} -- {_place((area.x, area.y))} -- cycle"
        )
        return rf"\path[{','.join(paint)}] {path};" + "\n"

    def _line(self, piece: StrokedLine) -> str:
        start, *rest = piece.points
        curves = (
            f" .. controls {_place(rest[index])} and {_place(rest[index + 1])} .. {_place(rest[index + 2])}"
            for index in range(0, len(rest), 3)
        )
        on, off = map(decimal, DASHES)
        dashes = f",dash pattern=on {on}pt off {off}pt" if piece.dashed else ""
        look = f"{self._ink(piece.ink)},line width={decimal(piece.width)}pt{dashes}"
        return rf"\draw[{look}] {_place(start)}{''.join(curves)};" + "\n"

    def _text(self, run: TextRun) -> str:
        if not sanitize(run.text).strip():
            return ""
        room = decimal(width(run.text, run.size, run.face))
        text = rf"\inspectortext{{{decimal(run.size)}}}{{{room}}}{{{_FACES[run.face]}}}{{{escape(run.text)}}}"
        look = f"anchor={_ANCHORS[run.anchor]},text={self._ink(run.ink)}"
        return rf"\node[{look}] at {_place((run.x, run.y))} {{{text}}};" + "\n"

    def _ink(self, ink: str) -> str:
        colour_of(self._theme, ink)  # raises for an unknown ink, before TeX does
        return _colour(ink)


def _colour(ink: str) -> str:
    return f"inspector-{ink.replace('_', '-')}"


def _place(point: Point) -> str:
    return f"({decimal(point[0])},{decimal(point[1])})"
