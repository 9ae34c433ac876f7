"""The plans of a figure's frames: before and after, or one for each step of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from inspector.figure.highlight import highlight_affected, highlight_current, highlight_paths
from inspector.figure.math_names import with_math_names
from inspector.graph import Graph
from inspector.graph.model import Moment
from inspector.graph.node_names import without_number
from inspector.graph.step_replay import ReplayFrame
from inspector.graph.topology import topology_of
from inspector.options.figure_options import FigureOptions
from inspector.styles.alt_text import root_codes
from inspector.styles.code_lines import make_listing
from inspector.styles.paths import find_paths
from inspector.styles.plan import TITLE_SIZE, LegendEntry, Plan, StyledText
from inspector.styles.subject import Subject
from inspector.styles.table import Density, find_style
from inspector.styles.value_text import plain_text, value_inline


@dataclass(frozen=True, slots=True)
class FramePlans:
    """The plans of a figure.

    call: the code of the backward call. script: the source of the script. density: a denser way to draw the style.
    """

    look: FigureOptions
    call: str = ""
    script: str | None = None
    density: Density | None = None

    def plan(
        self, graph: Graph, moment: Moment, current: Sequence[str] = (), final: Graph | None = None
    ) -> Plan:
        """One moment. current: the functions or boxes that run now. final: the graph after all steps.

        Raises ValueError for an unknown style, and PathError for an unknown path.
        """
        style = find_style(self.look.style)
        subject = Subject(graph, moment, self.call, self.look, style.arrows, final)
        plan = with_math_names((self.density or style).plan(subject), graph)
        if self.look.path:
            plan = highlight_paths(plan, find_paths(graph, self.look.path))
        plan = highlight_affected(plan, graph)
        if current:
            plan = highlight_current(plan, [drawn for one in current for drawn in _drawn_as(graph, one)])
        if self.look.code:
            plan = replace(plan, listing=make_listing(subject, self.script, current[-1] if current else None))
        return plan

    def steps(self, graph: Graph, turns: Sequence[ReplayFrame], at: Callable[[int], Graph]) -> Iterator[Plan]:
        """The plans before, at every frame of the graph, and after.

        at: number of steps → the graph after these steps.
        """
        numbers = _box_numbers(graph, turns)
        for plan in self._steps(graph, turns, at):
            yield _numbered(plan, numbers)

    def _steps(self, graph: Graph, turns: Sequence[ReplayFrame], at: Callable[[int], Graph]) -> Iterator[Plan]:
        yield self.plan(graph, "before")
        for number, turn in enumerate(turns, start=1):
            plan = self.plan(at(turn.last), "after", turn.shown, graph)
            title = self._title(graph, turn, _progress(turn, number, len(turns), len(graph.steps)))
            yield replace(plan, moment=f"step-{number:02d}", title=title)
        if graph.steps or graph.error:
            yield self.plan(graph, "after")

    def _title(self, graph: Graph, turn: ReplayFrame, step: str) -> tuple[StyledText, ...]:
        """The code that created the root, the step, and the line or box that is running."""
        codes = root_codes(graph)
        words = [StyledText(plain_text("; ".join(codes)), "ink", "mono", TITLE_SIZE)] if codes else []
        words.append(StyledText(step, "gradient", "bold", TITLE_SIZE))
        words.append(StyledText(_line(graph, turn), "gradient", "mono", TITLE_SIZE))
        return tuple(words)


def _drawn_as(graph: Graph, identifier: str) -> list[str]:
    """A function, and the leaf that replaces it in some styles."""
    leaf = topology_of(graph).leaves.get(identifier)
    return [identifier] if leaf is None else [identifier, leaf]


def _progress(turn: ReplayFrame, number: int, count: int, steps: int) -> str:
    """`step 3 of 5`; for functions that share a frame `steps 3-4 of 120`, with an en dash."""
    if count == steps or len(turn.shown) == 1:
        return f"step {number} of {count}"
    return f"steps {turn.first}\N{EN DASH}{turn.last} of {steps}"


def _box_numbers(graph: Graph, turns: Sequence[ReplayFrame]) -> dict[str, str]:
    """Box or function of a folded graph → its number, if frames are not the engine's steps."""
    if not any(graph.folds()):
        return {}
    return {one: str(number) for number, turn in enumerate(turns, start=1) for one in turn.shown}


def _numbered(plan: Plan, numbers: dict[str, str]) -> Plan:
    """The plan with the numbers of the boxes that have run by now."""
    number = _last_number(plan, len(numbers))
    if not numbers or not number:
        return plan
    shown = {box: text for box, text in numbers.items() if int(text) <= number}
    boxes = tuple(replace(box, badge=shown.get(box.id, box.badge)) for box in plan.boxes)
    entry = LegendEntry("badge", "execution order of the boxes", "gradient")
    return replace(plan, boxes=boxes, legend=(entry, *plan.legend))


def _last_number(plan: Plan, count: int) -> int:
    """The number of frames so far: none before, all of them after."""
    return {"before": 0, "after": count}.get(plan.moment) or int(plan.moment.partition("-")[2] or 0)


def _line(graph: Graph, turn: ReplayFrame) -> str:
    """`line 6: f = u*v + u**2`; for an AccumulateGrad the new grad of its leaf; for a box its steps."""
    identifier = turn.shown[-1]
    node = graph[identifier]
    if node["kind"] == "fold":
        first, last = node["steps"] or (0, 0)  # only boxes with steps have a frame
        return f"{plain_text(node['name'])}: steps {first} to {last}"
    assert node["kind"] == "function"
    source = node["source"]
    if source is not None and "line" in source:
        line = f"line {source['line']}"  # its code may already be in the title
        return line if source["code"] in root_codes(graph) else f"{line}: {plain_text(source['code'])}"
    if node["is_leaf"]:
        for leaf in _drawn_as(graph, identifier)[1:]:
            tensor = graph.tensor(leaf)
            grad = value_inline(tensor["after"]["grad"], tensor["dtype"], tensor["shape"])
            return f"{plain_text(tensor['name'] or 'leaf')}.grad = {grad}"
    return without_number(node["name"])
