"""Scripts drawn on a slide and judged as a browser shows them: whole, legible, and with torch's own numbers.

Each script runs once without the inspector, with hooks on the Nodes of its last backward call, and once recorded.
A slide must have 960 by 540 points and no text under 14 points; nothing may overlap, and no wire turn back. Each
Node must be shown or in a group that says so, constants must be there, and numbers be those of the hooks. Run as a
program, it prints what is wrong and how each script was made to fit::

    python tests/slides.py [SCRIPT or FOLDER ...] [--style STYLE ...] [--png FOLDER]

Without scripts: those of gallery/course and tests/scripts/slides. Needs Debian's package `chromium`.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import math
import os
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent), str(HERE)]

import torch  # noqa: E402
from chromium import SLIDE, Picture, new_page, open_browser, problems, show  # noqa: E402

import inspector  # noqa: E402
from inspector.export.drawing_primitives import runs  # noqa: E402
from inspector.export.png import write_png  # noqa: E402
from inspector.figure import Figure, draw  # noqa: E402
from inspector.graph import Graph  # noqa: E402
from inspector.graph.elements import elements_of  # noqa: E402
from inspector.graph.node_kinds import NodeKind, is_kind  # noqa: E402
from inspector.options import FigureOptions, Presentation  # noqa: E402
from inspector.scene import Scene  # noqa: E402
from inspector.scene.splines import sampled  # noqa: E402
from inspector.styles.composed_gates import composed  # noqa: E402
from inspector.styles.gates import gate_of  # noqa: E402
from inspector.styles.line_groups import line_groups  # noqa: E402
from inspector.styles.loss_group import loss_group  # noqa: E402
from inspector.styles.operands import operands_of  # noqa: E402

FOLDERS = (HERE.parent / "gallery" / "course", HERE / "scripts" / "slides")
STYLES = ("attributes", "circuit")
SMALLEST = 14.0
_BACK = 6.0
"""Points by which a wire may turn back at a badge or a bend."""
_NUMBER = re.compile(r"(?<![\w.²³])[−-]?\d+(?:\.\d+)?(?:e[−-]?\d+)?(?![\w.])")  # noqa: RUF001


@dataclass
class Slide:
    """A script on a slide. wrong: what is wrong, as lines. how: how it was made to fit."""

    script: str
    style: str
    nodes: int
    how: str
    wrong: list[str] = field(default_factory=list)


@dataclass
class Recorded:
    """The last backward call of a script. space: the variables at its end. plain: what the hooks of a run without
    the inspector saw of that call; None where it was no call of `backward`."""

    graph: Graph
    code: str
    title: str
    space: dict[str, Any]
    plain: PlainBackward | None


class PlainBackward:
    """`Tensor.backward`, which notes what arrives at every Node of the last call."""

    def __init__(self) -> None:
        self.root: Any = None
        self.arrived: dict[Any, tuple[Any, ...]] = {}
        self._usual: Callable[..., Any] = torch.Tensor.backward

    def __enter__(self) -> PlainBackward:
        def backward(tensor: torch.Tensor, *arguments: Any, **options: Any) -> None:
            self.root, self.arrived = tensor.grad_fn, {}
            hooks = [node.register_prehook(self._note(node)) for node in _nodes(tensor.grad_fn)]
            try:
                self._usual(tensor, *arguments, **options)
            finally:
                for hook in hooks:
                    hook.remove()

        torch.Tensor.backward = backward  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        torch.Tensor.backward = self._usual  # type: ignore[method-assign]

    def _note(self, node: Any) -> Callable[[Any], None]:
        def note(gradients: Any) -> None:
            self.arrived[node] = tuple(None if one is None else one.detach().clone() for one in gradients)

        return note


def _nodes(root: Any) -> list[Any]:
    found, waiting = dict[Any, None](), [root]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found[node] = None
            waiting += [target for target, _ in node.next_functions]
    return list(found)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what a script prints, and without the error at which one about a pitfall ends."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(RuntimeError):
        yield


def run(script: Path) -> Recorded | None:
    """The last backward call of a script; None if it has none."""
    before = Path.cwd()
    os.chdir(script.parent)  # the user's files are those in the working directory
    try:
        with _quiet(), PlainBackward() as plain:
            runpy.run_path(str(script), run_name="__main__")
        space: dict[str, Any] = {}
        with inspector.record() as recording, _quiet():
            space = runpy.run_path(str(script), run_name="__main__")
    finally:
        os.chdir(before)
    if not recording.calls:
        return None
    call = recording.calls[-1]
    title = (ast.get_docstring(ast.parse(script.read_text("utf-8"))) or script.stem).splitlines()[0]
    code = call.location.get("code") or ""
    seen = plain if ".backward(" in code and call.graph.error is None else None
    return Recorded(call.graph, code, title.rstrip(".").partition(":")[0], space, seen)


# ---- what is asked of a slide -----------------------------------------------------------------------------


def judged(script: Path, style: str, page: Any, folder: Path | None = None) -> Slide | None:
    """A script in a style on a slide; None if it has no backward call. folder: where its picture is written."""
    found = run(script)
    if found is None:
        return None
    look = FigureOptions(style=style, canvas="16:9")
    figure = draw(found.graph, look, call=found.code, presentation=Presentation(title=found.title))
    functions = sum(1 for _ in found.graph.functions())
    slide = Slide(script.stem, style, functions, "; ".join(figure.remarks))
    for scene in figure.panels.values():
        slide.wrong += shown_wrong(show(page, scene))
    slide.wrong += lacking(figure, found.graph)
    slide.wrong += untrue(found)
    if folder is not None:
        name = f"{script.stem}.{style}.png"
        (folder / name).write_bytes(write_png([list(figure.panels.values())[-1]]))
    return slide


def shown_wrong(picture: Picture) -> Iterator[str]:
    """What is wrong with a picture in the browser."""
    scene = picture.scene
    if (scene.width, scene.height) != SLIDE:
        yield f"it takes {scene.width:.0f} × {scene.height:.0f} points"  # noqa: RUF001
    yield from problems(picture)
    small = min(picture.sizes, default=SMALLEST) * picture.scale
    if small < SMALLEST - 0.01:
        yield f"a text has {small:.1f} points"
    yield from _wires_around(scene)


def _wires_around(scene: Scene) -> Iterator[str]:
    """Wires that turn back along both axes."""
    for panel in scene.panels:
        for wire in panel.wires:
            points = list(sampled(wire.points, 32))
            if all(_turned_back([point[axis] for point in points]) > _BACK for axis in (0, 1)):
                yield f"wire {wire.id} is led around"


def _turned_back(line: list[float]) -> float:
    """How far a line goes against its direction from end to end."""
    steps = [after - before for before, after in pairwise(line)]
    forward, back = (sum(abs(step) for step in steps if (step > 0) is up) for up in (True, False))
    return min(forward, back)


def lacking(figure: Figure, graph: Graph) -> Iterator[str]:
    """Nodes and constants that the last panel does not show."""
    (panel,) = list(figure.panels.values())[-1].panels
    shown = {box.id.partition(".")[0] for box in panel.boxes}
    functions = [key for key, node in graph.functions() if not node["is_leaf"]]
    gates = composed(graph, {key: gate_of(graph, key, operands_of(graph, key)) for key in functions})
    groups = [group for group in _groups(graph) if not shown & set(group[1:]) and group[0] in shown]
    grouped = {one for group in groups for one in group}
    grouped |= {one for key, gate in gates.items() if key in shown for one in gate.members}
    for key in functions:
        node = graph.function(key)
        if key not in shown | grouped and not is_kind(node["name"], NodeKind.VIEW):
            yield f"{node['name']} ({key}) is not shown"
    shown_runs = [run.text for run in runs(list(figure.panels.values())[-1:])]
    texts = " ".join([*shown_runs, *map(_without_spaces, shown_runs)])
    for key in functions:
        for operand in operands_of(graph, key) if key in shown else ():
            if operand.constant is not None and not _is_written(operand.constant, texts, operand.id, panel):
                yield f"constant {operand.constant['name'] or operand.constant['value']} of {key} is not shown"


def _groups(graph: Graph) -> list[tuple[str, ...]]:
    return [group.members for group in (loss_group(graph), *line_groups(graph)) if group]


def _is_written(constant: dict[str, Any], texts: str, identifier: str, panel: Any) -> bool:
    """Whether a constant has a box, or its name or number stands in a text."""
    name, value = constant["name"] or constant.get("expression"), constant["value"]
    if any(box.id.startswith(identifier) for box in panel.boxes):
        return True
    written = _without_spaces(str(name or ""))
    if written and re.search(rf"(?<!\w){re.escape(written)}(?!\w)", texts):
        return True
    shown = [*_numbers(texts), 1.0]
    return isinstance(value, (int, float)) and any(_close(abs(value), abs(number)) for number in shown)


def _without_spaces(text: str) -> str:
    return text.replace(" ", "").replace("*", "·")


_EXPONENTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def _numbers(text: str) -> list[float]:
    text += " " + " ".join(one.translate(_EXPONENTS) for one in re.findall("[⁰¹²³⁴-⁹]+", text))
    return [float(one.replace("−", "-")) for one in _NUMBER.findall(text)]  # noqa: RUF001


def _close(value: float, shown: float) -> bool:
    """Whether a number of two digits or more is what is shown, or a root is."""
    return math.isclose(value, shown, rel_tol=0.05, abs_tol=1e-3) or math.isclose(value**2, shown, rel_tol=1e-4)


def untrue(found: Recorded) -> Iterator[str]:
    """Values, grads and gradients of the graph that are not torch's."""
    graph = found.graph
    for _, tensor in graph.tensors():
        held = found.space.get(tensor["name"] or "")
        is_whole = isinstance(held, torch.Tensor) and held.is_leaf and "pass" not in tensor and tensor["is_leaf"]
        if not is_whole or held.grad is None or graph.error is not None:
            continue
        if not _equal(tensor["after"]["grad"], held.grad):
            yield f"grad of {tensor['name']} is {held.grad}, not {tensor['after']['grad']}"
    if found.plain is None:
        return
    for key, node in _pairs(graph, found.plain.root):
        gradients = found.plain.arrived.get(node, ())
        row = graph.function(key)["gradient"]
        if len(gradients) == 1 and gradients[0] is not None and not _equal(row, gradients[0]):
            yield f"gradient of {key} is {gradients[0]}, not {row}"


def _equal(row: Any, tensor: torch.Tensor) -> bool:
    """Whether a value of the graph is a tensor; statistics are not compared."""
    values = elements_of(row)
    values = row if values is None else values
    if isinstance(values, dict) or values is None:
        return isinstance(row, dict) and "unknown" not in row
    ours = torch.tensor(values, dtype=torch.float64)
    theirs = tensor.detach().double().reshape(-1)
    return torch.allclose(ours.reshape(-1), theirs, rtol=1e-5, atol=1e-9, equal_nan=True)


def _pairs(graph: Graph, root: Any) -> Iterator[tuple[str, Any]]:
    """Functions of the graph and the Nodes that they are, from the root along the slots."""
    first = graph.tensor(graph.roots[0])["grad_fn"]
    seen, waiting = set[str](), [(first, root)]
    targets = {(source, edge["slot"]): target for source, target, edge in graph.edges("next")}
    while waiting:
        key, node = waiting.pop()
        if key is None or node is None or key in seen:
            continue
        seen.add(key)
        yield key, node
        for slot, (target, _) in enumerate(node.next_functions):
            waiting.append((targets.get((key, slot)), target))


# ---- the program ------------------------------------------------------------------------------------------


def scripts_of(paths: list[Path]) -> list[Path]:
    """The scripts in folders, and scripts."""
    folders = [sorted(path.glob("*.py")) if path.is_dir() else [path] for path in paths]
    return [script for found in folders for script in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, default=list(FOLDERS))
    parser.add_argument("--style", nargs="+", default=list(STYLES))
    parser.add_argument("--png", type=Path)
    given = parser.parse_args()
    if given.png:
        given.png.mkdir(parents=True, exist_ok=True)
    slides: list[Slide] = []
    with open_browser() as browser:
        page = new_page(browser)
        for script in scripts_of([path.resolve() for path in given.paths]):
            for style in given.style:
                slide = judged(script, style, page, given.png)
                if slide is None:
                    print(f"{script.stem}: no backward call")
                    continue
                slides.append(slide)
                print(f"{slide.script} ({style}, {slide.nodes} Nodes): {slide.how or 'whole'}", flush=True)
                for line in slide.wrong:
                    print(f"    WRONG {line}")
    wrong = sum(bool(slide.wrong) for slide in slides)
    print(f"{len(slides)} slides, {wrong} with something wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
