"""The course: every script of `gallery/course` by topic, with its figure, its steps, a deck and an exercise."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from gallery.page.figures import PAGE, ROOT, THEMES, run_python, without_docstring
from gallery.page.looks import colours
from inspector.diagnosis import diagnose_report
from inspector.diagnosis.mark_graph import mark_graph
from inspector.export import write_scenes
from inspector.figure import Figure, draw, frames
from inspector.figure.together import draw_together
from inspector.options import FigureOptions, Presentation
from inspector.page import PageSource, still_of, write_page
from inspector.report import Report, load
from inspector.report.model import BackwardCall

COURSE = ROOT / "gallery" / "course"
TOPICS: Mapping[str, tuple[str, ...]] = {
    "The chain rule": ("chain_sine", "chain_logarithm", "chain_three_deep", "chain_quotient"),
    "Sums and paths": ("paths_sum", "paths_twice", "paths_three", "paths_product_rule", "paths_hypotenuse",
                       "paths_maximum"),
    "Neurons": ("neuron_sigmoid", "neuron_tanh", "neuron_relu_off", "neuron_vector"),
    "Losses": ("loss_squared", "loss_mean_squared", "loss_binary_cross_entropy", "loss_softmax",
               "loss_cross_entropy", "loss_hinge", "loss_weight_decay"),
    "Networks": ("network_layer", "network_xor", "network_two_three_one", "network_batch", "network_residual",
                 "network_dropout", "network_module", "network_two_moons"),
    "Normalisation": ("norm_standardise", "norm_batch", "norm_layer", "norm_rms"),
    "Convolution": ("conv_by_hand", "conv_one_dimension", "conv_pooling"),
    "Recurrence": ("recurrence_geometric", "recurrence_three_steps", "recurrence_loss_each_step",
                   "recurrence_gate"),
    "Attention": ("attention_one_query", "attention_head", "attention_mask", "attention_pattern"),
    "The steps of optimizers": ("optimizer_descent", "optimizer_sgd", "optimizer_momentum", "optimizer_unrolled"),
    "Second derivatives": ("second_cube", "second_saddle"),
    "Pitfalls": ("pitfall_accumulation", "pitfall_non_leaf", "pitfall_detach", "pitfall_no_grad",
                 "pitfall_in_place", "pitfall_square_root", "pitfall_vanishing"),
}  # fmt: skip
"""Topic → its scripts, in the order of a course."""
TOGETHER = ("second_cube", "second_saddle", "pitfall_accumulation")
"""Scripts whose figure shows all backward calls; the animation shows the last one."""
_LOOK = FigureOptions(style="circuit", canvas="16:9")


@dataclass(frozen=True)
class Lesson:
    """A script of the course, with its files in the folder of its name. size: of its figure, in points."""

    name: str
    title: str
    source: str
    size: tuple[int, int]


def make_lesson(script: Path, folder: Path) -> Lesson:
    """Run a script and write its figure, its steps, its deck, its exercise and its page."""
    own = folder / script.stem
    own.mkdir(parents=True, exist_ok=True)
    run_python(["-m", "inspector", "--quiet", "--backward", "all", "-f", "dot", "-o", f"{own}/", str(script)])
    report = diagnose_report(load(own / "report.json"))
    mark_graph(report)
    source = script.read_text("utf-8")
    title = (ast.get_docstring(ast.parse(source)) or script.stem).splitlines()[0]
    shown = script.stem in TOGETHER
    call = report.calls[-1 if shown else 0]
    presentation = Presentation(title=title.rstrip(".").partition(":")[0])
    figure = _together(report, presentation) if shown else _figure(call, presentation)
    scene = figure.scene if shown else list(figure.panels.values())[-1]
    for theme in THEMES:
        (own / f"figure.{theme}.svg").write_bytes(write_scenes("svg", [scene], theme=theme))
    _write_steps(call, own, presentation)
    _write_handout(call, own, presentation)
    page = write_page(call, PageSource(report, {script.name: source}), still=still_of(scene, "light"))
    (own / PAGE).write_bytes(page)
    return Lesson(script.stem, title, without_docstring(source), (round(scene.width), round(scene.height)))


def _figure(call: BackwardCall, presentation: Presentation) -> Figure:
    return draw(call.graph, _LOOK, call=call.location["code"], presentation=presentation)


def _together(report: Report, presentation: Presentation) -> Figure:
    calls = [(call.graph, call.location["code"]) for call in report.calls]
    return draw_together(calls, _LOOK, presentation=presentation)


def _write_steps(call: BackwardCall, own: Path, presentation: Presentation) -> None:
    """The steps as an animation in each theme, and as slides with notes."""
    in_steps = replace(presentation, frames=True, reveal=True)
    steps = list(frames(call.graph, _LOOK, call=call.location["code"], presentation=in_steps).panels.values())
    for theme in THEMES:
        (own / f"steps.{theme}.animated.svg").write_bytes(write_scenes("animation", steps, theme=theme))
    (own / "steps.pptx").write_bytes(write_scenes("pptx", steps))


def _write_handout(call: BackwardCall, own: Path, presentation: Presentation) -> None:
    """The exercise, and on the second page its solution."""
    pages = [_figure(call, replace(presentation, handout=kind)) for kind in ("blanks", "solution")]
    scenes = [list(figure.panels.values())[-1] for figure in pages]
    (own / "exercise.pdf").write_bytes(write_scenes("pdf", scenes, theme="light"))


# ---- the page ---------------------------------------------------------------------------------------------

_STYLE = """
:root { LIGHT color-scheme: light; }
:root:has(#dark:checked) { DARK color-scheme: dark; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; background: var(--function); color: var(--ink); font: 17px/1.55 Inter, system-ui, sans-serif; }
.page { max-width: 96rem; margin: 0 auto; padding: 0 1.5rem 5rem; display: grid; gap: 0 3rem; }
.page { grid-template-columns: 13rem minmax(0, 1fr); }
nav { position: sticky; top: 0; align-self: start; padding-top: 2.6rem; font-size: .95rem; }
nav a { display: block; color: var(--quiet); text-decoration: none; padding: .16rem 0; }
nav a:hover { color: var(--gradient); }
nav label { display: block; margin-top: 1.2rem; cursor: pointer; color: var(--quiet); }
h1 { font-size: 2.1rem; line-height: 1.15; margin: 2.5rem 0 .8rem; }
h2 { font-size: 1.45rem; margin: 4rem 0 1.2rem; }
.lead { max-width: 44rem; color: var(--quiet); margin: 0 0 1rem; }
section { background: var(--ground); border: 1px solid var(--header); border-radius: 14px; overflow: hidden; }
section { margin: 0 0 2rem; scroll-margin-top: 1rem; }
h3 { font-size: 1.1rem; margin: 0; padding: 1.1rem 1.5rem .4rem; font-weight: 600; }
h3 a { color: inherit; text-decoration: none; }
section img { display: block; width: 100%; height: auto; }
pre { margin: 0; padding: 1rem 1.5rem; background: var(--function); white-space: pre-wrap; }
pre { font: .82rem/1.6 "Fira Code", ui-monospace, monospace; }
.links { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; padding: .7rem 1.5rem; font-size: .92rem; }
.links { border-top: 1px solid var(--header); }
.links a { color: var(--value); }
button { font: inherit; color: var(--badge-text); background: var(--gradient); border: 0; border-radius: 1rem; }
button { padding: .05rem 1rem; cursor: pointer; }
:focus-visible { outline: 3px solid var(--value); outline-offset: 2px; }
:root:not(:has(#dark:checked)) .dark, :root:has(#dark:checked) .light { display: none; }
@media (min-width: 72rem) { .lesson { display: grid; grid-template-columns: minmax(0, 1fr) 27rem; } }
@media (min-width: 72rem) { .lesson pre { border-left: 1px solid var(--header); } }
@media (max-width: 56rem) { .page { grid-template-columns: minmax(0, 1fr); } nav { position: static; } }
@media (max-width: 56rem) { nav a { display: inline-block; margin-right: 1rem; } }
@media print { nav, .links { display: none; } section { break-inside: avoid; } }
"""
_SCRIPT = """
const dark = document.getElementById('dark');
dark.checked = matchMedia('(prefers-color-scheme: dark)').matches;
for (const button of document.querySelectorAll('button'))
  button.onclick = () => {
    const plays = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', plays);
    button.textContent = plays ? 'Stop' : 'Play the steps';
    for (const image of button.closest('section').querySelectorAll('img'))
      image.src = image.src.replace(/[^/]*$/, plays ? image.dataset.steps : image.dataset.figure);
  };
"""
_LEAD = (
    "Short scripts, each with what autograd does in it: values in blue, gradients in orange, all numbers torch's "
    "own. Play the steps to see the forward and then backward, each step with a sentence. The exercise leaves "
    "the numbers out; its second page has the solution."
)


def write_course(lessons: Mapping[str, Sequence[Lesson]]) -> str:
    """The page. lessons: by topic; the files of each lie in a folder of its name."""
    style = _STYLE.replace("LIGHT", colours("light")).replace("DARK", colours("dark"))
    topics = "".join(f'<a href="#{_anchor(topic)}">{escape(topic)}</a>\n' for topic in lessons)
    return "".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>Backpropagation, step by step</title>\n<style>{style}</style>\n</head>\n<body>\n",
            f'<div class="page">\n<nav>\n{topics}<a href="styles.html">All styles, and models</a>\n',
            '<label><input type="checkbox" id="dark"> dark</label>\n</nav>\n<main>\n',
            f'<h1>Backpropagation, step by step</h1>\n<p class="lead">{_LEAD}</p>\n',
            *(piece for topic, of_topic in lessons.items() for piece in _topic(topic, of_topic)),
            f"</main>\n</div>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n",
        )
    )


def _anchor(topic: str) -> str:
    return "-".join(topic.lower().split())


def _topic(topic: str, lessons: Sequence[Lesson]) -> Iterator[str]:
    yield f'<h2 id="{_anchor(topic)}">{escape(topic)}</h2>\n'
    for lesson in lessons:
        name = lesson.name
        yield f'<section id="{name}">\n<h3><a href="#{name}">{escape(lesson.title)}</a></h3>\n'
        yield '<div class="lesson">\n<div>\n'
        yield from (_image(lesson, theme) for theme in THEMES)
        yield f"</div>\n<pre><code>{escape(lesson.source)}</code></pre>\n</div>\n"
        yield '<div class="links"><button type="button" aria-pressed="false">Play the steps</button>'
        yield f'<a href="{name}/steps.pptx">Slides</a><a href="{name}/exercise.pdf">Exercise</a>'
        yield f'<a href="{name}/{PAGE}">Explore the graph</a></div>\n</section>\n'


def _image(lesson: Lesson, theme: str) -> str:
    width, height = lesson.size
    figure, steps = f"figure.{theme}.svg", f"steps.{theme}.animated.svg"
    return (
        f'<img class="{theme}" src="{lesson.name}/{figure}" data-figure="{figure}" data-steps="{steps}"'
        f' alt="{escape(lesson.title)}" width="{width}" height="{height}" loading="lazy">\n'
    )
