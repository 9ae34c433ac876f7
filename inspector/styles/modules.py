"""The `modules` style, the default for models: folded modules, the functions between them, and gradient norms.

A box shows its contents, the norm of the arriving gradient, and its place among all norms (a bar on a logarithmic
scale). The width of a wire shows the norm of its gradient. A leaf shared by several boxes is drawn as a chip on
each of them, which avoids long wires.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from inspector.folding import finding_marks
from inspector.folding.box_statistics import norm_range
from inspector.graph import Graph
from inspector.graph.node_names import without_number
from inspector.graph.row_types import FlowEdge, FoldRow, NextEdge, Norms
from inspector.graph.tensor_names import numbered_name
from inspector.graph.topology import topology_of
from inspector.styles import title_and_legend
from inspector.styles.plan import (
    MAIN_SIZE,
    SMALL_SIZE,
    CardRow,
    LegendEntry,
    Plan,
    PlannedBox,
    PlannedShape,
    PlannedWeightedWire,
    PlannedWire,
    StyledText,
)
from inspector.styles.shown_items import ShownFunction, ShownItems, shown_items
from inspector.styles.source_text import with_empty_brackets, without_packages
from inspector.styles.subject import Subject
from inspector.styles.value_text import value_inline
from inspector.typography import format_number, one_line, pluralize, width

TIMES = "\N{MULTIPLICATION SIGN}"
THINNEST, WIDEST = 1.4, 6.0
"""Widths of wires for the smallest and the largest gradient, in points."""
BAD = "!"
"""Marks a NaN or an infinity, as in the terminal."""

WIDEST_PATH, WIDEST_NAME = 250.0, 290.0
_DIGITS = re.compile(r"\d+")
_FLOWS_IN, _OF_PARAMETERS = "gradient in", "of parameters"
_FEW_BOXES = 8
"""Maximum boxes that also show the gradients of their parameters by default."""
_LEAST = 0.02
_LONGEST_CHIP = 4
_MOST_MARKS = 3
_EMPTY = (0.0, 0.0)
_DASH = "\N{EN DASH}"
_RETURN = "return "


def plan_modules(subject: Subject) -> Plan:
    """The figure of a graph, folded or not."""
    shown = shown_items(subject.graph)
    scale = _Scale.of(subject, shown)
    marks = finding_marks(subject.graph)
    passes = _passes(shown, subject.graph)
    full = {key: name for key, node in shown.items.items() if (name := _name(node, passes))}
    short = _short_names(list(full.values()))
    drawn = [
        _box(subject, key, node, scale, _texts(subject, node, short.get(full.get(key, ""), "")))
        for key, node in shown.items.items()
    ]
    boxes = [_marked(box, marks.get(box.id, [])) for box in drawn]
    chips = list(_chips(subject, shown))
    roots = list(_roots(subject, shown))
    hung = [*roots, *chips]
    note = one_line(subject.graph.note)
    return Plan(
        moment=subject.moment,
        boxes=(*boxes, *(box for box, _ in hung)),
        wires=(*_flows(subject, shown, scale), *(_link(box, host) for box, host in hung)),
        hanging={box.id: host for box, host in hung},
        title=title_and_legend.title(subject),
        notes=(*title_and_legend.notes(subject), *([StyledText(note, "quiet", size=SMALL_SIZE)] if note else ())),
        legend=tuple(_legend(subject, shown, scale)),
    )


# ---- how large gradients are ------------------------------------------------------------------------------


class _Scale(Struct):
    """The range of all norms in the picture, for a logarithmic scale."""

    low: float = math.inf
    high: float = 0.0
    signs: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, subject: Subject, shown: ShownItems) -> _Scale:
        scale = cls()
        if not subject.ran:
            return scale
        final = shown_items(subject.final) if subject.final else shown
        found = [node["arriving"] for node in final.boxes]
        found += [norm_range([node.gradient]) for key, node in final.functions.items() if key not in final.leaves]
        found += [_edge_norms(edge) for _, _, edge in final.wires]
        sizes = [size for item in found for size in (item["low"], item["high"]) if size]
        scale.low, scale.high = min(sizes, default=math.inf), max(sizes, default=0.0)
        return scale

    def place(self, size: float) -> float:
        """The place of a norm from 0 to 1: zero is at 0, the smallest positive norm slightly above, the largest at
        1."""
        if size <= 0 or self.high <= 0:
            return 0.0
        if self.high <= self.low:
            return 1.0
        return _LEAST + (1 - _LEAST) * math.log(size / self.low) / math.log(self.high / self.low)

    def width(self, size: float) -> float:
        """The width of a wire with a gradient of this norm."""
        return THINNEST + (WIDEST - THINNEST) * self.place(size)


def _range_text(found: Norms) -> str:
    """`0.84`, or `0.84 to 0.95` (with an en dash) if the rounded norms differ."""
    low, high = _short(found["low"] or 0.0), _short(found["high"] or 0.0)
    return low if low == high else f"{low} {_DASH} {high}"


def _short(size: float) -> str:
    """A norm with three significant digits."""
    return format_number(float(f"{size:.3g}"))


# ---- boxes ------------------------------------------------------------------------------------------------


def _box(
    subject: Subject, identifier: str, node: ShownFunction | FoldRow, scale: _Scale, texts: tuple[StyledText, ...]
) -> PlannedBox:
    if isinstance(node, ShownFunction):
        bad = subject.ran and norm_range([node.gradient])["nans"]
        return PlannedBox(identifier, "pill", texts, ink="error" if bad else "ink", fill="function")
    shape: PlannedShape = "stack" if node["count"] > 1 else "card"
    gradient = _gradient_row(subject, node, scale)
    rows = (gradient,) if _is_brief(subject) else (_size_row(node, shares=_shares(subject, identifier)), gradient)
    if node["parameters"] and _has_room(subject):
        rows = (*rows, _parameter_row(subject, node))
    header = "leaf_header" if node["parameters"] else "header"
    return PlannedBox(identifier, shape, texts, rows, header=header)


def _texts(subject: Subject, node: ShownFunction | FoldRow, name: str) -> tuple[StyledText, ...]:
    """The header of a card, or the lines of a pill. name: short for this picture."""
    if isinstance(node, ShownFunction):
        return _pill_texts(subject, node, name)
    header = StyledText(name, face="mono" if node["why"] == "line" else "bold")
    count = node["count"]
    return (header, StyledText(f"{TIMES}{count:,}", "value", "bold")) if count > 1 else (header,)


def _name(node: ShownFunction | FoldRow, passes: Mapping[str, int]) -> str:
    """The name of a box, or the module of a function. passes: as from `_passes`."""
    if not isinstance(node, ShownFunction):
        return one_line(node["name"])
    module = node.module
    if not isinstance(module, str) or not module:
        return ""
    count = passes.get(module, 1)
    number = (node.passes or [1])[-1]
    return one_line(f"{module}, pass {number:,} of {count:,}" if count > 1 else module)


def _passes(shown: ShownItems, graph: Graph) -> dict[str, int]:
    """The number of passes through the modules of the functions shown."""
    if not any(node.module for node in shown.functions.values()):
        return {}
    found: dict[str, int] = {}
    functions = topology_of(getattr(graph, "whole", graph)).functions
    for module, passes in zip(functions.modules, functions.passes, strict=True):
        if isinstance(module, str) and passes:
            found[module] = max(found.get(module, 1), passes[-1])
    return found


def _marked(box: PlannedBox, marks: Sequence[str]) -> PlannedBox:
    """The box with the findings about its members, as lines of a function or rows of a card."""
    if not marks:
        return box
    words = [StyledText(f"{BAD} {one_line(text)}", "error", "bold", SMALL_SIZE) for text in marks[:_MOST_MARKS]]
    more = len(marks) - len(words)
    if more:
        words.append(StyledText(f"and {more:,} more", "error", size=SMALL_SIZE))
    if box.rows:
        return replace(box, ink="error", rows=(*box.rows, CardRow("finding", tuple(words), key_ink="error")))
    return replace(box, ink="error", texts=(*box.texts, *words))


def _end_of_path(path: str, face: str = "bold", size: float = MAIN_SIZE) -> str:
    """A path without its first parts if it is too wide for a header. `layer.9` and `layer.10` lose the same
    parts."""
    parts = path.split(".")
    while len(parts) > 1 and width(_DIGITS.sub("00", path), size, face) > WIDEST_PATH:
        parts.pop(0)
        path = "\N{HORIZONTAL ELLIPSIS}" + ".".join(parts)
    return path


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """Each name with the end of its path, and with its beginning as well where two would be the same."""
    found = {name: _short_name(name) for name in names}
    counts = Counter(found.values())
    for name, short in found.items():
        if counts[short] > 1:
            found[name] = name if _is_code(name) else f"{name.split('.')[0]}{short}"
    counts = Counter(found.values())
    return {name: short if counts[short] == 1 else name for name, short in found.items()}


def _short_name(name: str) -> str:
    """The name of a box, with the end of a long path, or with empty brackets in a long line of code."""
    if _is_code(name):
        bare = without_packages(name)
        texts = (name, bare, bare.removeprefix(_RETURN))
        return next(filter(None, (with_empty_brackets(text, _fits_header) for text in texts)), name)
    path, comma, rest = name.partition(", ")
    short = f"{_end_of_path(path)}{comma}{rest}"
    while width(short, MAIN_SIZE, "bold") > WIDEST_NAME and "." in path:  # else its pass is cut
        path = path.partition(".")[2]
        short = f"\N{HORIZONTAL ELLIPSIS}{path}{comma}{rest}"
    return short


def _is_code(name: str) -> bool:
    return ": " in name or " = " in name or name.startswith(_RETURN)


def _fits_header(code: str) -> bool:
    return width(code, MAIN_SIZE, "mono") <= WIDEST_NAME


def _is_brief(subject: Subject) -> bool:
    """Whether boxes show only their names and gradients."""
    return subject.look.detail == "beginner"


def _shares(subject: Subject, identifier: str) -> bool:
    """Whether a box uses a parameter that others use, too."""
    rows = subject.graph.rows
    followed = (rows.nodes[target] for target, _ in rows.out_edges(identifier))
    return any(row["kind"] == "function" and row["is_leaf"] for row in followed)


def _size_row(node: FoldRow, *, shares: bool = False) -> CardRow:
    nodes = pluralize(node["nodes"], "Node")
    if "nested_leaves" in node:
        leaves = node["parameters"] + node["nested_leaves"]
        return CardRow(nodes, (StyledText(pluralize(leaves, "leaf", "leaves"), "value"),))
    if not node["parameters"]:
        return CardRow(nodes, (StyledText("shared parameters" if shares else "no parameters", "quiet"),))
    return CardRow(nodes, (StyledText(pluralize(node["elements"], "parameter"), "value"),))


def _has_room(subject: Subject) -> bool:
    """Whether boxes also show the gradients of their parameters."""
    if subject.look.detail is not None:
        return subject.look.detail == "expert"
    return sum(1 for _ in subject.graph.folds()) <= _FEW_BOXES


def _is_waiting(subject: Subject, node: FoldRow) -> bool:
    """Whether none of its Nodes has run at this moment."""
    return not subject.ran or (subject.final is not None and node["steps"] is None)


def _parameter_row(subject: Subject, node: FoldRow) -> CardRow:
    """The norms of the gradients of the parameters that only this box uses."""
    found = node["grads"]
    if _is_waiting(subject, node):
        return CardRow(_OF_PARAMETERS, (StyledText("not yet", "quiet"),))
    if found["nans"]:
        return CardRow(_OF_PARAMETERS, (StyledText(f"{BAD} NaN or Inf", "error", "bold"),))
    if found["low"] is None:
        return CardRow(_OF_PARAMETERS, (StyledText("None" if found["none"] else "?", "quiet"),))
    return CardRow(_OF_PARAMETERS, (StyledText(_range_text(found), "gradient"),))


def _gradient_row(subject: Subject, node: FoldRow, scale: _Scale) -> CardRow:
    """The norm of the gradient that flows in, with its bar; NaN, None and zero as text."""
    arriving, inner = node["arriving"], node["norms"]
    if _is_waiting(subject, node):
        return CardRow(_FLOWS_IN, (StyledText("not yet", "quiet"),), bar=_EMPTY)
    bad = arriving["nans"] + inner["nans"]
    if bad:
        return CardRow(_FLOWS_IN, (StyledText(f"{BAD} NaN or Inf", "error", "bold"),), bar=_EMPTY)
    if arriving["low"] is None:
        text = "None" if arriving["none"] else "?"
        return CardRow(_FLOWS_IN, (StyledText(text, "quiet"),), bar=_EMPTY)
    places = (scale.place(arriving["low"]), scale.place(arriving["high"] or 0.0))
    text = _range_text(arriving) if arriving["high"] else "0 (all zero)"
    return CardRow(_FLOWS_IN, (StyledText(text, "gradient", "bold"),), bar=places)


def _pill_texts(subject: Subject, node: ShownFunction, module: str) -> tuple[StyledText, ...]:
    """A function outside the folded modules, with the module that called it."""
    lines = [StyledText(without_number(node.name), face="medium")]
    if module and not _is_brief(subject):
        lines.append(StyledText(module, "quiet", size=SMALL_SIZE))
    if not _is_brief(subject):
        lines += [StyledText(text, "quiet", size=SMALL_SIZE) for text in node.texts]
    if subject.ran and norm_range([node.gradient])["nans"]:
        lines.append(StyledText(f"{BAD} NaN or Inf", "error", "bold", SMALL_SIZE))
    return tuple(lines)


# ---- attached boxes ----------------------------------------------------------------------------------


def _roots(subject: Subject, shown: ShownItems) -> Iterator[tuple[PlannedBox, str]]:
    """The roots, each attached to the box or function that created it."""
    for source, target in shown.roots:
        tensor = subject.graph.tensor(source)
        name = subject.name(tensor) or "root"
        value = value_inline(tensor[subject.moment]["data"], tensor["dtype"], tensor["shape"])
        lines = (StyledText(f"{name} = {value}", "value", "bold"), StyledText("root", "quiet", size=SMALL_SIZE))
        yield PlannedBox(source, "box", lines, ink="value", fill="leaf_header"), target


def _chips(subject: Subject, shown: ShownItems) -> Iterator[tuple[PlannedBox, str]]:
    """One chip per box, with the leaves that it shares with other boxes or that belong to none."""
    uses: Counter[str] = Counter()
    by_user: dict[str, dict[str, None]] = defaultdict(dict)
    for source, target, edge in shown.edges:
        if target in shown.leaves:
            uses[target] += edge["count"] if edge["kind"] == "flow" else 1
            by_user[source][target] = None
    for user, leaves in by_user.items():
        lines = [_leaf_words(subject, leaf, uses[leaf]) for leaf in leaves]
        more = len(lines) - _LONGEST_CHIP
        if more > 1:
            lines = [*lines[:_LONGEST_CHIP], StyledText(f"and {more:,} more leaves", "quiet", size=SMALL_SIZE)]
        identifier = f"{next(iter(leaves))}.{user}"
        yield PlannedBox(identifier, "box", tuple(lines), ink="value", fill="leaf_header"), user


def _leaf_words(subject: Subject, function: str, uses: int) -> StyledText:
    of = subject.topology
    naming = of.tensors.naming(of.leaves[function])
    name = one_line(numbered_name(naming) or naming.get("expression", "")) or "leaf"
    return StyledText(f"{name}, used {uses:,} times" if uses > 1 else name, "value", size=SMALL_SIZE)


def _link(box: PlannedBox, host: str) -> PlannedWire:
    return PlannedWire(f"{box.id}-{host}", box.id, host, dashed=True, head="none")


# ---- wires ------------------------------------------------------------------------------------------------


def _edge_norms(edge: NextEdge | FlowEdge) -> Norms:
    return edge["norms"] if edge["kind"] == "flow" else norm_range([edge.get("gradient")])


def _flows(subject: Subject, shown: ShownItems, scale: _Scale) -> Iterator[PlannedWire]:
    for source, target, edge in shown.wires:
        if edge["kind"] == "flow" and edge["back"]:
            # Reversed for the layout, which needs a graph without cycles; the arrowhead shows the direction of the
            # gradient.
            label: tuple[StyledText, ...] = (StyledText("back", "quiet", size=SMALL_SIZE),)
            yield PlannedWeightedWire(f"{source}.{target}", target, source, label, "gradient", True, "source")
            continue
        slot = edge["slot"] if edge["kind"] == "next" else target
        ink, wide, label = _look(subject, edge, scale)
        head = subject.head
        yield PlannedWeightedWire(f"{source}.{slot}", source, target, label, ink, head=head, width=wide)


def _look(subject: Subject, edge: NextEdge | FlowEdge, scale: _Scale) -> tuple[str, float, tuple[StyledText, ...]]:
    """Ink, width and text of a wire. The text says NaN, None or zero."""
    if not subject.ran:
        return "line", THINNEST, ()
    found = _edge_norms(edge)
    if found["nans"]:
        return "error", WIDEST / 2, (StyledText(f"{BAD} NaN or Inf", "error", "bold", SMALL_SIZE),)
    if found["low"] is None:
        text = "None" if found["none"] else ""
        return "line", THINNEST, (StyledText(text, "quiet", size=SMALL_SIZE),) if text else ()
    if not found["high"]:
        return "line", THINNEST, (StyledText("0", "gradient", "bold", SMALL_SIZE),)
    return "gradient", scale.width(found["high"]), ()


# ---- the legend -------------------------------------------------------------------------------------------


def _legend(subject: Subject, shown: ShownItems, scale: _Scale) -> Iterator[LegendEntry]:
    folds = shown.boxes
    yield title_and_legend.arrow_entry(subject)
    if subject.ran and scale.high > 0:
        low, high = _short(scale.low), _short(scale.high)
        ends = f"{low} to {high}, log scale" if low != high else f"{low} everywhere"
        yield LegendEntry("text", f"gradient norm (wires and bars): {ends}", "gradient", "wide")
    if any(node["parameters"] for node in folds) and _has_room(subject):
        yield LegendEntry("text", "norms of the gradients of its parameters", "gradient", _OF_PARAMETERS)
    if any(node["count"] > 1 for node in folds):
        yield LegendEntry("text", "N equal parts (range of their norms)", "value", f"{TIMES}N")
    if any(edge["kind"] == "flow" and edge["back"] for _, _, edge in shown.edges):
        yield LegendEntry("dashed", "edge back to an earlier box", "gradient")
