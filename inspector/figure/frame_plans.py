"""The plans of a figure's frames: before and after, or one for each step of the engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from inspector.figure.highlight import (
    highlight_affected,
    highlight_current,
    highlight_paths,
    highlight_tensor,
)
from inspector.figure.math_names import with_math_names
from inspector.figure.reveal import forward_turns, is_forward, moment_of
from inspector.folding.folded_graph import whole_of
from inspector.graph import Graph
from inspector.graph.model import Moment
from inspector.graph.step_replay import ReplayFrame
from inspector.graph.topology import topology_of
from inspector.options.figure_options import FigureOptions
from inspector.options.presentation import PLAIN, Presentation
from inspector.options.words import Words
from inspector.styles import title_and_legend
from inspector.styles.plan import SMALL_SIZE, TITLE_SIZE, LegendEntry, Plan, StyledText
from inspector.styles.subject import Subject
from inspector.styles.table import Density, find_style


class FramePlans(Struct, frozen=True):
    """The plans of a figure.

    call: the code of the backward call. script: the source of the script. density: a denser way to draw the style.
    """

    look: FigureOptions
    call: str = ""
    script: str | None = None
    presentation: Presentation = PLAIN
    density: Density | None = None

    def plan(
        self, graph: Graph, moment: Moment, current: Sequence[str] = (), final: Graph | None = None
    ) -> Plan:
        """One moment. current: the functions or boxes that run now. final: the graph after all steps.

        Raises ValueError for an unknown style, and PathError for an unknown path or highlighted tensor.
        """
        style = find_style(self.look.style)
        subject = Subject(graph, moment, self.call, self.look, style.arrows, final, self.presentation.title)
        plan = with_math_names((self.density or style).plan(subject), graph)
        plan = highlight_affected(self._with_path(plan, graph), graph)
        if current:
            plan = highlight_current(plan, [drawn for one in current for drawn in _drawn_as(graph, one)])
        plan = self._with_highlights(plan, graph)
        if self.presentation.notes:
            notes = [StyledText(note, "quiet", size=SMALL_SIZE) for note in self.presentation.notes]
            plan = replace(plan, notes=(*plan.notes, *notes))
        if self.look.code:
            from inspector.styles.code_lines import make_listing

            plan = replace(plan, listing=make_listing(subject, self.script, current[-1] if current else None))
        return with_words(plan, self.presentation.words)

    def steps(self, graph: Graph, turns: Sequence[ReplayFrame], at: Callable[[int], Graph]) -> Iterator[Plan]:
        """The plans before, at every frame of the graph, and after; with `reveal` those of the forward first.

        at: number of steps → the graph after these steps.
        """
        numbers = _box_numbers(graph, turns)
        captions = self.captions(graph, turns)
        for plan in self._steps(graph, turns, at):
            plan = _numbered(plan, numbers)
            yield replace(plan, notes=(*_caption(captions.get(plan.moment, "")), *plan.notes))

    def captions(self, graph: Graph, turns: Sequence[ReplayFrame]) -> dict[str, str]:
        """Moment → what its frame says in words."""
        from inspector.styles.captions import Captions  # a figure without steps does not need it

        captions = Captions(whole_of(graph), self.presentation.words)
        found = {"before": captions.before()}
        if self.presentation.reveal:
            forward = forward_turns(graph, turns)
            found[moment_of(0)] = captions.leaves()
            steps = enumerate(forward, 1)
            found |= {moment_of(number): captions.forward_step(turn, graph) for number, turn in steps}
        found |= {_step_moment(number): captions.step(turn, graph) for number, turn in enumerate(turns, 1)}
        return found | {"after": captions.after()}

    def _steps(self, graph: Graph, turns: Sequence[ReplayFrame], at: Callable[[int], Graph]) -> Iterator[Plan]:
        before = self.plan(graph, "before")
        if self.presentation.reveal and turns:
            count = len(forward_turns(graph, turns))
            for number in range(count + 1):
                step = self.presentation.words.say("forward-step", number=number, count=count) if number else ""
                yield replace(before, moment=moment_of(number), title=self._title(graph, step))
        yield before
        for number, turn in enumerate(turns, start=1):
            plan = self.plan(at(turn.last), "after", turn.shown, graph)
            title = self._title(graph, self._progress(turn, number, len(turns), len(graph.steps)))
            yield replace(plan, moment=_step_moment(number), title=title)
        if graph.steps or graph.error:
            yield self.plan(graph, "after")

    def _with_path(self, plan: Plan, graph: Graph) -> Plan:
        if not self.look.path:
            return plan
        from inspector.styles.paths import find_paths

        return highlight_paths(plan, find_paths(graph, self.look.path))

    def _with_highlights(self, plan: Plan, graph: Graph) -> Plan:
        if not self.presentation.highlights:
            return plan
        from inspector.styles.paths import find_tensor_paths

        for tensor in self.presentation.highlights:
            plan = highlight_tensor(plan, find_tensor_paths(graph, tensor.name), tensor)
        return plan

    def _title(self, graph: Graph, step: str) -> tuple[StyledText, ...]:
        """What the figure is called, and the step."""
        words = title_and_legend.figure_name(graph, self.presentation.title)
        return (*words, StyledText(step, "gradient", "bold", TITLE_SIZE)) if step else words

    def _progress(self, turn: ReplayFrame, number: int, count: int, steps: int) -> str:
        """`step 3 of 5`; for functions that share a frame `steps 3-4 of 120`, with an en dash."""
        if count == steps or len(turn.shown) == 1:
            return self.presentation.words.say("step", number=number, count=count)
        return self.presentation.words.say("steps", first=turn.first, last=turn.last, count=steps)


def with_words(plan: Plan, words: Words) -> Plan:
    """The plan with the fixed texts of its title and legend in other words."""
    if not words.texts:
        return plan
    title = tuple(replace(part, text=words.of_text(part.text)) for part in plan.title)
    legend = tuple(replace(entry, text=words.of_text(entry.text)) for entry in plan.legend)
    return replace(plan, title=title, legend=legend)


def _caption(text: str) -> tuple[StyledText, ...]:
    """A caption as a note. A line does not break inside of `2 · 1 = 2`."""
    whole = re.sub(" ([=\N{MIDDLE DOT}]) ", "\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text)
    return (StyledText(whole, "ink"),) if text else ()


def _step_moment(number: int) -> str:
    return f"step-{number:02d}"


def _drawn_as(graph: Graph, identifier: str) -> list[str]:
    """A function, and the leaf that replaces it in some styles."""
    leaf = topology_of(graph).leaves.get(identifier)
    return [identifier] if leaf is None else [identifier, leaf]


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
    if is_forward(plan):
        return 0
    return {"before": 0, "after": count}.get(plan.moment) or int(plan.moment.partition("-")[2] or 0)
