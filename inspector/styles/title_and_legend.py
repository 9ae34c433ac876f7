"""The title and legend of every style: name, error, and the meaning of arrows and steps."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterator
from typing import Any

from inspector.graph import Graph
from inspector.graph.hook_changes import hook_changes
from inspector.graph.values import is_number
from inspector.options.choices import Order
from inspector.styles.alt_text import root_codes
from inspector.styles.plan import SMALL_SIZE, TITLE_SIZE, LegendEntry, StyledText
from inspector.styles.shown_name import shown_name
from inspector.styles.source_text import with_empty_brackets
from inspector.styles.subject import Subject
from inspector.typography import change_text, format_number, one_line, pluralize

LONGEST_CODE = 48
"""Characters of code that a title repeats."""
_LONGEST_CALL = 32
_MOST_ALIASES = 6
_MOST_HOOKS = 3
_ORDERS: dict[Order, str] = {
    "engine": "execution order",
    "textbook": "order by level, from the root",
}
"""The meaning of the numbers in badges."""


def title(subject: Subject) -> tuple[StyledText, ...]:
    """What the figure is called, the moment, and the call."""
    words = list(figure_name(subject.graph, subject.title))
    if subject.call:
        ink = "gradient" if subject.ran else "quiet"
        words.append(StyledText(subject.moment, ink, "bold", TITLE_SIZE))
        words.append(StyledText(_short_call(one_line(subject.call)), ink, "mono", TITLE_SIZE))
    return tuple(words)


def _short_call(call: str) -> str:
    """The call; without what it is assigned to and its arguments if it is long."""
    if len(call) <= _LONGEST_CALL:
        return call
    number, colon, code = call.rpartition(": ")
    shown = re.sub(r"^[\w\s,()\[\]]+(?<![=!<>])=(?!=)\s*", "", code)
    return f"{number}{colon}{re.sub(r'[(].*[)]$', '(…)', shown)}"


def figure_name(graph: Graph, title: str) -> tuple[StyledText, ...]:
    """The title, else the code that created the root, in short, else the names of the roots; else nothing."""
    if title:
        return (StyledText(one_line(title), "ink", "medium", TITLE_SIZE),)
    names = [shown_name(graph.tensor(root)) for root in dict.fromkeys(graph.roots) if root in graph]
    written = [code.removeprefix("return ") for code in root_codes(graph)]
    if names and all(names) and any(map(_is_tuple, written)):
        written = []  # it does not say which of its parts is the root
    code = with_empty_brackets(one_line("; ".join(written)), _fits_title) or ", ".join(filter(None, names))
    return (StyledText(code, "ink", "mono", TITLE_SIZE),) if 0 < len(code) <= LONGEST_CODE else ()


def _fits_title(code: str) -> bool:
    return len(code) <= LONGEST_CODE


def _is_tuple(code: str) -> bool:
    """Whether code is an expression of several parts: `logits, F.cross_entropy(logits, targets)`."""
    with contextlib.suppress(SyntaxError, ValueError):
        return isinstance(ast.parse(code, mode="eval").body, ast.Tuple)
    return False


def notes(subject: Subject) -> tuple[StyledText, ...]:
    """The error of backward, the scale, gradients that were given or changed by a hook, and the definitions of
    short names in derivatives."""
    return (*raised(subject), *scale(subject), *_given(subject), *_changed(subject), *_aliases(subject))


def raised(subject: Subject) -> tuple[StyledText, ...]:
    """The error of backward."""
    error = subject.graph.error if subject.ran else None
    return (StyledText(one_line(error), "error"),) if error else ()


def scale(subject: Subject) -> tuple[StyledText, ...]:
    """A note if a GradScaler's scale is divided out of the gradients."""
    if subject.graph.scale is None:
        return ()
    text = f"gradients divided by the loss scale {format_number(subject.graph.scale)}"
    return (StyledText(text, "quiet", size=SMALL_SIZE),)


def _given(subject: Subject) -> Iterator[StyledText]:
    """`backward was given a gradient of 4 for z` for every root whose gradient does not begin with 1."""
    for root in dict.fromkeys(subject.graph.roots) if subject.ran else ():
        seed: Any = subject.graph.tensor(root).get("seed") if root in subject.graph else None
        if is_number(seed) and seed != 1:
            text = f"backward was given a gradient of {format_number(seed)}"
            name = subject.name(subject.graph.tensor(root))
            yield StyledText(f"{text} for {name}" if name else text, "quiet", size=SMALL_SIZE)


def _changed(subject: Subject) -> Iterator[StyledText]:
    """`a hook changed the gradient of h: 13 → 130`."""
    changes = hook_changes(subject.graph) if subject.ran else []
    for change in changes[:_MOST_HOOKS]:
        tensor = subject.graph.tensor(change.tensor)
        name = subject.name(tensor) or subject.graph.function(change.function)["name"]
        text = change_text(change.sent, change.arrived)
        yield StyledText(f"a hook changed the gradient of {name}: {text}", "quiet", size=SMALL_SIZE)
    if len(changes) > _MOST_HOOKS:
        text = f"hooks changed {pluralize(len(changes) - _MOST_HOOKS, 'more gradient')}"
        yield StyledText(text, "quiet", size=SMALL_SIZE)


def _aliases(subject: Subject) -> Iterator[StyledText]:
    """`v1 = exp(w·x)` for every alias in a derivative."""
    if not subject.ran or subject.look.derivatives in ("numbers", "none"):
        return
    held = [(node["alias"]["name"], _meaning(subject, key)) for key, node in subject.graph.functions()
            if "alias" in node]  # fmt: skip
    shown = [(name, text) for name, text in held if text]
    for name, text in sorted(shown, key=lambda item: (len(item[0]), item[0]))[:_MOST_ALIASES]:
        yield StyledText(one_line(f"{name} = {text}"), "quiet", size=SMALL_SIZE)


def _meaning(subject: Subject, function: str) -> str | None:
    """What an alias stands for: its expression, or the code that computed the number."""
    expression = subject.graph.function(function)["alias"]["expression"]
    tensor = subject.topology.outputs.get((function, 0))
    if expression or tensor is None:
        return expression
    row = subject.graph.tensor(tensor)
    return None if row["shape"] else row.get("expression")  # derivatives of vectors are not written out


def badge_entry(subject: Subject) -> tuple[LegendEntry, ...]:
    """The meaning of the badges, if there are any."""
    ran = subject.ran and any(isinstance(node["step"], int) for _, node in subject.graph.functions())
    return (LegendEntry("badge", _ORDERS[subject.graph.order], "gradient"),) if ran else ()


def arrow_entry(subject: Subject) -> LegendEntry:
    """The meaning of an arrow."""
    if subject.pointing == "forward":
        return LegendEntry("arrow", "direction of values (gradients flow back)", "ink")
    return LegendEntry("arrow", "direction of gradients", "gradient" if subject.ran else "line")
