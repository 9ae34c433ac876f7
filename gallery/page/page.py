"""`styles.html`: a section a script, with its source, torchviz's picture, and ours in every style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from gallery.page.figures import PAGE, THEMES, Drawn, Entry, picture
from gallery.page.looks import colours
from inspector.options.choices import STYLE_NAMES

_STYLE = """
:root { LIGHT color-scheme: light; }
:root:has(#dark:checked) { DARK color-scheme: dark; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--function); color: var(--ink); font: 16px/1.5 Inter, system-ui, sans-serif; }
main, .bar > div { max-width: 82rem; margin: 0 auto; padding: 0 1.5rem; }
.bar { position: sticky; top: 0; z-index: 2; background: var(--ground); border-bottom: 1px solid var(--line); }
.bar > div { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; padding-block: .6rem; }
.bar strong { margin-right: 1rem; }
.bar label { margin-left: auto; cursor: pointer; }
button { font: inherit; font-size: .9rem; color: inherit; background: none; border: 1.5px solid var(--line); }
button { border-radius: 1rem; padding: .1rem .8rem; cursor: pointer; }
button:hover { border-color: var(--gradient); color: var(--gradient); }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 2.5rem 0 .5rem; }
h2 { font-size: 1.3rem; margin: 3.5rem 0 1rem; color: var(--quiet); font-weight: 500; }
h3 { font-size: 1.15rem; margin: 0 0 1rem; font-weight: 600; }
h3 a { color: inherit; text-decoration: none; }
.lead { max-width: 46rem; color: var(--quiet); margin: 0; }
section { background: var(--ground); border: 1px solid var(--header); border-radius: 14px; }
section { padding: 1.5rem; margin: 0 0 1.5rem; scroll-margin-top: 4rem; }
.sides { display: grid; grid-template-columns: minmax(19rem, 1fr) minmax(0, 2.5fr); gap: 1.5rem; }
pre { margin: 0 0 1rem; padding: .9rem 1rem; background: var(--function); border-radius: 8px; overflow-x: auto; }
pre { font: .74rem/1.6 "Fira Code", ui-monospace, monospace; }
figure { margin: 0; }
figcaption { color: var(--quiet); font-size: .85rem; margin-top: .5rem; }
figcaption a { color: var(--value); margin-left: .8rem; }
img { display: block; max-width: 100%; height: auto; }
.peer img { background: #fff; border-radius: 8px; padding: .5rem; max-height: 22rem; margin: 0 auto; }
.peer a { display: block; background: #fff; border-radius: 8px; border: 1px solid var(--header); }
.ours > input { position: absolute; opacity: 0; pointer-events: none; }
.big > figure { display: none; }
.big a.picture { display: grid; place-items: center; height: 30rem; }
.big a.picture img { max-height: 30rem; width: auto; }
.strip { display: grid; grid-template-columns: repeat(7, 1fr); gap: .6rem; margin-top: 1.2rem; }
.strip label { cursor: pointer; border: 1.5px solid var(--header); border-radius: 8px; padding: .4rem; }
.strip label { text-align: center; font-size: .8rem; color: var(--quiet); }
.strip label:hover { border-color: var(--line); }
.strip span.thumb { display: grid; place-items: center; height: 5.5rem; overflow: hidden; margin-bottom: .3rem; }
.strip img { max-height: 5.5rem; width: auto; }
:root:not(:has(#dark:checked)) .dark, :root:has(#dark:checked) .light { display: none !important; }
@media (max-width: 60rem) { .sides { grid-template-columns: minmax(0, 1fr); } .ours { order: -1; } }
@media (max-width: 60rem) { .strip { grid-template-columns: repeat(4, 1fr); } }
"""
_CHOSEN = """.ours > input:nth-of-type({n}):checked ~ .big > :nth-child({n}) {{ display: block; }}
.ours > input:nth-of-type({n}):checked ~ .strip > :nth-child({n}) {{ border-color: var(--gradient); }}
.ours > input:nth-of-type({n}):checked ~ .strip > :nth-child({n}) {{ color: var(--gradient); }}
.ours > input:nth-of-type({n}):focus-visible ~ .strip > :nth-child({n}) {{ outline: 3px solid var(--value); }}
"""
_SCRIPT = """
const dark = document.getElementById('dark');
dark.checked = matchMedia('(prefers-color-scheme: dark)').matches;
for (const button of document.querySelectorAll('button'))
  button.onclick = () => {
    for (const choice of document.querySelectorAll(`input[value="${button.textContent}"]`)) choice.checked = true;
  };
"""
_LEAD = (
    "Every script of the gallery, run as it is by <code>inspect</code>, in every style. Left: the script, and "
    "what torchviz draws of it before its first <code>backward()</code>. Right: ours, after it; the page below it "
    "shows the whole graph, step by step. Choose a style below a figure, or for all above."
)


def write_page(sections: Sequence[tuple[str, Sequence[Entry]]]) -> str:
    """The page. sections: headings with their scripts; the files lie in a folder of each script's name."""
    style = _STYLE.replace("LIGHT", colours("light")).replace("DARK", colours("dark"))
    style += "".join(_CHOSEN.format(n=number + 1) for number in range(len(STYLE_NAMES)))
    buttons = "".join(f'<button type="button">{name}</button>\n' for name in STYLE_NAMES)
    pieces = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>autograd inspector: gallery</title>\n<style>{style}</style>\n</head>\n<body>\n",
        f'<div class="bar"><div><strong><a href="index.html">The course</a></strong>\n{buttons}',
        '<label><input type="checkbox" id="dark"> dark</label></div></div>\n',
        f'<main>\n<h1>Gallery</h1>\n<p class="lead">{_LEAD}</p>\n',
        *(piece for heading, entries in sections for piece in _section(heading, entries)),
        f"</main>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n",
    )
    return "".join(pieces)


def _section(heading: str, entries: Sequence[Entry]) -> Iterator[str]:
    yield f"<h2>{escape(heading)}</h2>\n"
    for entry in entries:
        yield f'<section id="{entry.name}">\n<h3><a href="#{entry.name}">{escape(entry.about)}</a></h3>\n'
        yield f'<div class="sides">\n<div>\n<pre><code>{escape(entry.source)}</code></pre>\n'
        yield from _peer(entry)
        yield '</div>\n<div class="ours">\n'
        yield from _figures(entry)
        yield "</div>\n</div>\n</section>\n"


def _peer(entry: Entry) -> Iterator[str]:
    """torchviz's picture, or what it said in its place."""
    yield '<figure class="peer">'
    if entry.peer:
        yield f"<pre><code>{escape(entry.peer)}</code></pre>"
    else:
        yield f'<a href="{entry.name}/torchviz.svg">'
        yield f'<img src="{entry.name}/torchviz.svg" alt="{entry.name}.py by torchviz" loading="lazy"></a>'
    yield "<figcaption>torchviz, before backward</figcaption></figure>\n"


def _figures(entry: Entry) -> Iterator[str]:
    for drawn in entry.drawn:
        checked = " checked" if drawn.style == entry.best else ""
        yield f'<input type="radio" name="{entry.name}" id="{entry.name}-{drawn.style}" value="{drawn.style}"'
        yield f' aria-label="{drawn.style}"{checked}>\n'
    yield '<div class="big">\n'
    for drawn in entry.drawn:
        yield "<figure>"
        yield from (_link(entry, drawn, theme) for theme in THEMES)
        yield f"<figcaption>{drawn.style}"
        yield f'<a href="{entry.name}/{PAGE}">explore the graph</a>'
        yield "".join(f" · {escape(remark)}" for remark in (*drawn.remarks, *([entry.note] if entry.note else [])))
        yield "</figcaption></figure>\n"
    yield '</div>\n<div class="strip">\n'
    for drawn in entry.drawn:
        images = "".join(_image(entry, drawn, theme, "") for theme in THEMES)
        yield f'<label for="{entry.name}-{drawn.style}"><span class="thumb">{images}</span>{drawn.style}</label>\n'
    yield "</div>\n"


def _link(entry: Entry, drawn: Drawn, theme: str) -> str:
    image = _image(entry, drawn, "", f"{entry.name}.py in the style {drawn.style}", theme)
    return f'<a class="picture {theme}" href="{entry.name}/{picture(drawn.style, theme)}">{image}</a>'


def _image(entry: Entry, drawn: Drawn, classes: str, alt: str, theme: str = "") -> str:
    width, height = drawn.size
    return (
        f'<img class="{classes}" src="{entry.name}/{picture(drawn.style, theme or classes)}" alt="{escape(alt)}"'
        f' width="{width}" height="{height}" loading="lazy">'
    )
