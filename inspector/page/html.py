"""Write the page: the viewer, its fonts and the data of one backward call in one file that needs nothing else.

The viewer is plain ES modules (`viewer/`). They are joined here, in the order of their imports, into one script,
gzipped as the data is: a page is half as large so. A small script unpacks both and starts it. The page's content
security policy allows these two scripts by their hashes; no other script, and no request, is possible.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from inspector.page.embedded_fonts import LETTERS, embedded
from inspector.page.page_data import PageSource, page_data
from inspector.report.model import BackwardCall
from inspector.scene.theme import DIVERGING, THEMES
from inspector.typography.fonts import FACES, advances
from inspector.typography.sanitize import sanitize
from inspector.util.gc_pause import gc_paused

_VIEWER = Path(__file__).parent / "viewer"
_FIRST, _LOADER = "main.js", "loader.js"
_IMPORT = re.compile(r'^import [^;]*? from "\./(?P<name>[\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)
_POLICY = (
    "default-src 'none'; script-src 'sha256-{loader}' 'sha256-{script}'; style-src 'sha256-{style}'; img-src data:"
    "; font-src data:; base-uri 'none'; form-action 'none'"
)


@gc_paused()
def write_page(
    call: BackwardCall, source: PageSource | None = None, *, still: str = "", theme: str | None = None
) -> bytes:
    """The page of a backward call.

    source: what is shown besides the graph. still: HTML that is shown where no script runs: a picture and a
    table. theme: "light" or "dark"; None for that of the reader's system.
    """
    data = viewer_data(call, source)
    title = data["title"] or data["call"]["code"] or "autograd graph"
    theme_attribute = f' data-theme="{theme}"' if theme else ""
    style, loader, script = _style(), _loader(), joined_script()
    policy = _POLICY.format(loader=digest(loader), script=digest(script), style=digest(style))
    pieces = (
        f'<!doctype html>\n<html lang="en"{theme_attribute}>\n<head>\n<meta charset="utf-8">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>{escape(sanitize(title))}</title>\n<style>{style}</style>\n</head>\n<body>\n",
        _body(),
        f"<noscript>\n<h1>{escape(sanitize(title))}</h1>\n{still}</noscript>\n",
        f'<script type="text/plain" id="data">{packed(_json(data))}</script>\n',
        f'<script type="text/plain" id="viewer">{packed(script)}</script>\n',
        f'<script type="module">{loader}</script>\n</body>\n</html>\n',
    )
    return "".join(pieces).encode()


def viewer_data(call: BackwardCall, source: PageSource | None = None) -> dict[str, Any]:
    """The data of a page with what the viewer needs besides: the widths of characters."""
    return {**page_data(call, source or PageSource()), "advances": _advances()}


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def packed(text: str) -> str:
    """A text, gzipped, in base64: nothing in it can end the element that holds it."""
    content = gzip.compress(text.encode("utf-8", errors="replace"), 9, mtime=0)
    return base64.b64encode(content).decode("ascii")


@cache
def joined_script() -> str:
    """The modules of the viewer as one script."""
    sources = {path.name: path.read_text("utf-8") for path in sorted(_VIEWER.glob("*.js")) if path.name != _LOADER}
    order: list[str] = []

    def add(name: str) -> None:
        for other in _IMPORT.findall(sources[name]):
            if other not in order:
                add(other)
        order.append(name)

    add(_FIRST)
    return "".join(_without_comments(_EXPORT.sub("", _IMPORT.sub("", sources[name]))) for name in order)


@cache
def _loader() -> str:
    """The script that unpacks the viewer and its data, and starts it."""
    return _without_comments((_VIEWER / _LOADER).read_text("utf-8"))


_COMMENTS = re.compile(r"^\s*//[^\n]*\n|^\s+|/\*\*(?:[^*]|\*(?!/))*\*/[ \n]?|  // [^\n]*$", re.MULTILINE)


def _without_comments(source: str) -> str:
    """The source without comments, types and indentation, which are a third of it."""
    return _COMMENTS.sub("", source)


@cache
def _style() -> str:
    text = (_VIEWER / "page.css").read_text("utf-8")
    levels = (f"#outline .level-{n} {{ padding-left: {n * 0.75 - 0.4:.2f}rem; }}\n" for n in range(1, 13))
    heat = (f".h{n} > .body, .h{n}.body {{ fill: var(--h{n}); }}\n" for n in range(8))
    text = text.replace("LEVELS\n", "".join(levels)).replace("HEAT\n", "".join(heat))
    for wide, narrow in (("; }", "}"), (" { ", "{"), (": ", ":"), ("; ", ";"), (", ", ",")):
        text = text.replace(wide, narrow)
    return f"{_fonts()}{theme_style()}{text}"


@cache
def theme_style() -> str:
    """The colours of both themes as variables: those of the reader's system, unless the page chooses one."""
    light, dark = _colours("light"), _colours("dark")
    pairs = "".join(f"--{name}:light-dark({light[name]},{dark[name]});" for name in light)
    return (
        f":root{{color-scheme:light dark;{pairs}}}"
        ":root[data-theme=light]{color-scheme:light}:root[data-theme=dark]{color-scheme:dark}\n"
    )


_MORE = {
    "light": {"canvas": "#FBFBFC", "edge": "#DDE1E6", "frame": "#F3F5F8", "outline": "#3A3F47", "wire": "#8A919B",
              "error-pale": "#F7D4D9"},
    "dark": {"canvas": "#121419", "edge": "#343942", "frame": "#191C22", "outline": "#8B93A0", "wire": "#6B7280",
             "error-pale": "#4A2020"},
}  # fmt: skip
_HEAT = {"light": ("#FFF4EA", "#F5A45F"), "dark": ("#2A221C", "#8A4A1A")}


def _colours(theme: str) -> dict[str, str]:
    low, high = _HEAT[theme]
    colours = {
        ink.replace("_", "-"): colour for ink, colour in THEMES[theme].items() if ink not in DIVERGING[1:-1]
    }
    colours |= _MORE[theme] | {"pale": THEMES[theme]["gradient_pale"]}
    return colours | {f"h{step}": _mixed(low, high, step / 7) for step in range(8)}


def _mixed(low: str, high: str, part: float) -> str:
    pairs = ((int(low[at : at + 2], 16), int(high[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(one + (other - one) * part):02X}" for one, other in pairs)


@cache
def _fonts() -> str:
    """The faces of the figures, with the characters that names and numbers need."""
    rules = []
    for name in LETTERS:
        face = FACES[name]
        weight = "400 500" if name == "medium" else face.weight
        content = base64.b64encode(embedded(name)).decode("ascii")
        rules.append(
            f'@font-face{{font-family:"{face.family}";font-weight:{weight};'
            f'src:url(data:font/woff;base64,{content}) format("woff")}}\n'
        )
    return "".join(rules)


@cache
def _advances() -> dict[str, dict[str, float]]:
    """The widths of characters, so that the layout is the same in every browser."""
    table = {
        face: {letter: round(advances(name)[letter], 3) for letter in sorted(LETTERS[name])}
        for face, name in (("regular", "medium"), ("medium", "medium"), ("bold", "bold"))
    }
    return table | {"mono": {}}


@cache
def _body() -> str:
    text = (_VIEWER / "body.html").read_text("utf-8")
    swatch = '<svg width="14" height="10" aria-hidden="true"><rect class="h{} body" width="14" height="10"/></svg>'
    return text.replace("SCALE", "".join(map(swatch.format, range(8))))


def digest(text: str) -> str:
    """The hash by which a content security policy allows a script or a style sheet."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
