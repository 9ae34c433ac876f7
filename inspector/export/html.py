"""Write the frames of a figure as one self-contained HTML page: no network, no script, embedded fonts.

Radio buttons (and so the arrow keys) select the visible frame. The page's content security policy allows only its
own style sheet.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from itertools import takewhile

from inspector.export.drawing_primitives import runs
from inspector.export.gradient_table import table
from inspector.export.svg import draw_embedded
from inspector.export.svg_parts import identifier
from inspector.export.svg_text import font_rules
from inspector.scene.scene import Scene
from inspector.scene.theme import Theme, find_theme
from inspector.typography.sanitize import sanitize

_STYLE = """
:root {{ color-scheme: {scheme}; }}
body {{ margin: 0; background: {ground}; color: {ink}; font: 16px/1.5 Inter, system-ui, sans-serif; }}
main {{ max-width: 72rem; margin: 0 auto; padding: 1.5rem; }}
h1 {{ font-size: 1.25rem; overflow-wrap: anywhere; }}
fieldset {{ border: 0; margin: 0; padding: 0; min-width: 0; }}
legend {{ color: {quiet}; padding: 0; }}
input {{ position: absolute; opacity: 0; }}
label {{ display: inline-block; margin: .25rem .25rem .75rem 0; padding: .25rem .9rem; cursor: pointer; }}
label {{ border: 1.5px solid {line}; border-radius: 1rem; }}
input:checked + label {{ background: {gradient}; border-color: {gradient}; color: {badge_text}; }}
input:focus-visible + label {{ outline: 3px solid {value}; outline-offset: 2px; }}
figure {{ display: grid; margin: 0 0 1.5rem; overflow-x: auto; }}
figure > svg {{ grid-area: 1 / 1; max-width: 100%; height: auto; visibility: hidden; }}
.table {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }}
caption {{ text-align: left; font-weight: bold; }}
th, td {{ padding: .25rem 1.5rem .25rem 0; text-align: left; border-bottom: 1px solid {line}; }}
thead th {{ color: {quiet}; font-weight: normal; }}
@media print {{
  input, label, legend {{ display: none; }}
  figure > svg {{ grid-area: auto; visibility: visible; break-inside: avoid; }}
}}
"""
_POLICY = "default-src 'none'; style-src 'sha256-{hash}'; font-src data:; base-uri 'none'; form-action 'none'"


def write_html(scenes: Sequence[Scene], *, theme: str = "light") -> bytes:
    """The page of a figure: its title, its moments and its table of gradients."""
    colours = find_theme(theme)
    fonts = identifier(scenes[0].prefix)
    style = f"{font_rules(runs(scenes), fonts)}{_look(colours)}{_choices(len(scenes))}"
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    title = escape(_title(scenes))
    pieces = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY.format(hash=digest)}">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
        *_moments(scenes, theme, fonts),
        table(scenes[0].description),
        "</main>\n</body>\n</html>\n",
    )
    return "".join(pieces).encode()


def _look(colours: Theme) -> str:
    dark = int(colours["ground"][1:3], 16) < 128
    return _STYLE.format(scheme="dark" if dark else "light", **colours)


def _choices(count: int) -> str:
    """The rules that show the moment of the selected button."""
    rules = (
        f"#moment-{index}:checked ~ figure > :nth-child({index + 1}) {{ visibility: visible; }}\n"
        for index in range(count)
    )
    return "".join(rules)


def _title(scenes: Sequence[Scene]) -> str:
    """The common beginning of the titles of all moments."""
    titles = [sanitize(scene.title) for scene in scenes]
    same = takewhile(lambda column: len(set(column)) == 1, zip(*titles, strict=False))
    return "".join(column[0] for column in same).rstrip(" :,;") or titles[0]


def _moments(scenes: Sequence[Scene], theme: str, fonts: str) -> Iterator[str]:
    yield "<fieldset>\n<legend>Moment</legend>\n"
    for index, scene in enumerate(scenes):
        name = escape(" and ".join(panel.id.replace("-", " ") for panel in scene.panels))
        checked = "" if index else " checked"
        yield f'<input type="radio" name="moment" id="moment-{index}"{checked}>'
        yield f'<label for="moment-{index}">{name}</label>\n'
    yield "<figure>\n"
    for index, scene in enumerate(scenes):
        yield draw_embedded(replace(scene, prefix=f"{scene.prefix}-{index}"), theme, fonts)
    yield "</figure>\n</fieldset>\n"
