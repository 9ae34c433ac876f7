"""The moments of a figure as plans: before and after, or every step of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from inspector.graph import Graph
from inspector.graph.model import Moment
from inspector.look import Look, Order
from inspector.styles.description import root_codes
from inspector.styles.lighting import light_current, light_paths
from inspector.styles.listing import make_listing
from inspector.styles.operations import ACCUMULATE_GRAD
from inspector.styles.paths import light
from inspector.styles.plan import TITLE_SIZE, LegendEntry, Plan, Words
from inspector.styles.subject import Subject
from inspector.styles.wording import function_name, plain, value_inline


@dataclass(frozen=True, slots=True)
class Moments:
    """What a figure shows at its moments. call: the code of the backward call. script: the text of the script."""

    look: Look
    call: str = ""
    script: str | None = None

    def plan(self, graph: Graph, moment: Moment, current: str | None = None) -> Plan:
        """One moment. current: the function that runs now.

        Raises ValueError for a style that does not exist, and PathError for a path that does not.
        """
        from inspector.styles import find_style  # the table of styles, which this module is a part of

        style = find_style(self.look.style)
        subject = Subject(graph, moment, self.call, self.look, style.arrows)
        plan = style.plan(subject)
        if self.look.path:
            plan = light_paths(plan, light(graph, self.look.path))
        if current is not None:
            plan = light_current(plan, _drawn_as(graph, current))
        if self.look.code:
            plan = replace(plan, listing=make_listing(subject, self.script, current))
        return plan

    def steps(self, graph: Graph, at: Callable[[Graph, int], Graph], order: Order) -> Iterator[Plan]:
        """Before, every step of the graph, after.

        at: the graph when so many of its steps had run. order: what the numbers of the steps mean.
        """
        for plan in self._steps(graph, at):
            yield replace(plan, legend=tuple(_retold(entry, order) for entry in plan.legend))

    def _steps(self, graph: Graph, at: Callable[[Graph, int], Graph]) -> Iterator[Plan]:
        yield self.plan(graph, "before")
        count = len(graph.steps)
        for number, identifier in enumerate(graph.steps, start=1):
            plan = self.plan(at(graph, number), "after", identifier)
            title = self._title(graph, identifier, f"step {number} of {count}")
            if number == count:
                plan = replace(plan, notes=())  # what was raised comes in the end
            yield replace(plan, moment=f"step-{number:02d}", title=title)
        if graph.steps or graph.error:
            yield self.plan(graph, "after")

    def _title(self, graph: Graph, identifier: str, step: str) -> tuple[Words, ...]:
        """The code that made the root, the step, and the line that runs now."""
        codes = root_codes(graph)
        words = [Words(plain("; ".join(codes)), "ink", "mono", TITLE_SIZE)] if codes else []
        words.append(Words(step, "gradient", "bold", TITLE_SIZE))
        words.append(Words(_line(graph, identifier), "gradient", "mono", TITLE_SIZE))
        return tuple(words)


def _retold(entry: LegendEntry, order: Order) -> LegendEntry:
    """The meaning of the numbers, where they are not the engine's."""
    if entry.sign == "badge" and order != "engine":
        return replace(entry, text="order of the steps, level by level from the root")
    return entry


def _drawn_as(graph: Graph, identifier: str) -> list[str]:
    """A function, and the leaf that stands in its place in some styles."""
    return [identifier, *(target for source, target, _ in graph.edges("accumulate") if source == identifier)]


def _line(graph: Graph, identifier: str) -> str:
    """`line 6: f = u*v + u**2`; for an AccumulateGrad what it does to its leaf."""
    node = graph[identifier]
    source = node["source"]
    if isinstance(source, dict):
        return f"line {source['line']}: {plain(source['code'])}"
    if node["name"] == ACCUMULATE_GRAD:
        for leaf in _drawn_as(graph, identifier)[1:]:
            tensor = graph[leaf]
            grad = value_inline(tensor["after"]["grad"], tensor["dtype"], tensor["shape"])
            return f"{plain(tensor['name'] or 'leaf')}.grad = {grad}"
    return function_name(node["name"])
