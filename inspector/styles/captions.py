"""What a frame says in words: which gradient a step gets, what the step does, and what it hands on.

A caption claims only what the numbers of the graph bear out: "unchanged to both" is said of gradients that equal
the one that arrived. Where no special sentence holds, a general one names the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard, cast

from msgspec import Struct

from inspector.graph import Graph
from inspector.graph.elements import elements_of
from inspector.graph.model import Moment
from inspector.graph.node_kinds import NodeKind, is_kind, is_listed
from inspector.graph.node_names import op_of, without_backward
from inspector.graph.row_types import FunctionRow, NextEdge
from inspector.graph.step_replay import ReplayFrame
from inspector.graph.topology import topology_of
from inspector.graph.value_norms import value_norm
from inspector.graph.values import Value, is_number, is_summary, is_unknown
from inspector.options.words import Words
from inspector.styles.operands import operands_of
from inspector.styles.operation_names import spoken_name
from inspector.styles.operations import operation
from inspector.styles.subject import Subject
from inspector.styles.tensor_captions import broadcast_dimensions, passed_count, reduction, shape_of
from inspector.styles.value_text import (
    AGREEMENT,
    derivative_text,
    gradient_text,
    matrix_rows,
    sides_text,
    value_inline,
)
from inspector.typography import format_number, one_line
from inspector.typography.formula_format import format_formula
from inspector.typography.number_format import factor_text

_MOST_LISTED = 4
"""Names, values and gradients that a caption lists; an ellipsis stands for the rest."""
_LONGEST_NAME = 24
_LONGEST_VALUE = 32
_PRODUCTS = {"mm": "matrix", "mv": "matrix", "bmm": "matrix", "dot": "dot"}
_SPREADS = ("sum", "sum.dim_IntList")
_AVERAGES = ("mean", "mean.dim")


class _Part(Struct, frozen=True):
    """What a function hands on along one edge. name: of the tensor that gets it."""

    name: str
    gradient: Value
    text: str  # of the gradient; empty if it is unknown
    factor: float | None  # the local derivative, if it times what arrived is the gradient
    symbol: str  # the same with its formula, `2x = 4`; empty if that is not known
    upstream: Value
    form: str = ""  # the gradient in terms of matrices, `δ xᵀ`; empty if there is none
    shape: tuple[int, ...] | None = None  # of the tensor, if it is known

    @property
    def slope(self) -> str:
        """`2x = 4`, or the number alone."""
        return self.symbol or ("" if self.factor is None else format_number(self.factor))

    @property
    def product(self) -> str:
        """`3 · 1 = 3`, or the gradient alone."""
        if self.factor is None or not _is_real(self.upstream):
            return self.text
        return f"{format_number(self.factor)} · {factor_text(self.upstream)} = {self.text}"


class Captions(Struct, frozen=True):
    """The captions of a figure in its words. graph: after all steps."""

    graph: Graph
    words: Words

    def before(self) -> str:
        """Before backward: the values of the roots."""
        values = [f"{name} = {value}" for name, value in self._roots()]
        return self.words.say("before", values=_listed(values)) if values else self.words.say("before-backward")

    def after(self) -> str:
        """After backward: the grads of the leaves, or the error."""
        if self.graph.error:
            return self.words.say("raised", error=one_line(self.graph.error))
        grads = [
            f"{self._name(function)}.grad = {_value(self.graph, leaf, 'after', 'grad')}"
            for function, leaf in topology_of(self.graph).leaves.items()
            if self.graph.tensor(leaf)["name"] and not is_unknown(self.graph.tensor(leaf)["after"]["grad"])
        ]
        return self.words.say("after", grads=_listed(grads)) if grads else self.words.say("after-backward")

    def leaves(self) -> str:
        """The values of the leaves, before the forward."""
        values = [
            f"{self._name(function)} = {_value(self.graph, leaf, 'before', 'data')}"
            for function, leaf in topology_of(self.graph).leaves.items()
        ]
        return self.words.say("leaves", values=_listed(values) or self.words.say("nothing"))

    def forward(self, identifier: str) -> str:
        """A step of the forward: `y = 3·2 = 6`."""
        formula = operation(self.graph, identifier).formula
        in_brackets = formula.endswith(")")
        for slot, (source, edge) in enumerate(self._edges(identifier)):
            formula = formula.replace(f"{{{slot}}}", self._operand(source, edge["input_nr"], in_brackets))
        data = self.graph.function(identifier)["before"]["data"]
        value = "?" if is_unknown(data) else value_inline(data, "", ())
        made = [self.graph.tensor(tensor)["name"] for tensor in topology_of(self.graph).made.get(identifier, ())]
        name = _listed([one_line(one) for one in made if one])
        if formula == value:  # of a minus sign
            name, formula = "", self._name(identifier)
        key = "forward" if name else "forward-unnamed"
        return self.words.say(key, name=name, formula=formula, value=value)

    def forward_step(self, turn: ReplayFrame, shown: Graph) -> str:
        """A frame of the forward. shown: the view that is drawn, with its boxes."""
        (identifier, *others) = turn.shown
        if not others and shown[identifier]["kind"] == "function":
            return self.forward(identifier)
        names = [one_line(shown[one]["name"] or "") for one in turn.shown]
        return self.words.say("forward-boxes", names=_listed(names))

    def step(self, turn: ReplayFrame, shown: Graph) -> str:
        """A frame of backward. shown: the view that is drawn, with its boxes."""
        if len(turn.shown) > 1:
            names = _listed([without_backward(shown[one]["name"] or "") for one in turn.shown])
            return self.words.say("functions", count=len(turn.shown), functions=names)
        (identifier,) = turn.shown
        node = shown[identifier]
        if node["kind"] == "fold":
            first, last = node["steps"] or (turn.first, turn.last)
            return self.words.say("box", name=one_line(node["name"]), first=first, last=last)
        assert node["kind"] == "function"
        if node["is_leaf"]:
            return " ".join([*self._arriving(identifier), self._leaf(identifier)])
        return " ".join([*self._begins(identifier), *self._arriving(identifier), self._function(identifier, node)])

    # ---- parts ----------------------------------------------------------------------------------------------

    def _begins(self, identifier: str) -> Iterator[str]:
        """At a root, the gradient that backward began with."""
        makers = topology_of(self.graph).makers
        for root in dict.fromkeys(self.graph.roots):
            if root in makers and makers[root][0] == identifier:
                seed = self._gradient(self.graph.tensor(root).get("seed", 1.0))
                if seed:
                    yield self.words.say("begins", name=self._name(identifier), gradient=seed)

    def _arriving(self, identifier: str) -> Iterator[str]:
        """Several gradients that are added."""
        text = Subject(self.graph, "after").sum_text(identifier)
        if text:
            count = sum(edge["kind"] == "next" for _, edge in self.graph.rows.in_edges(identifier))
            yield self.words.say("arrive", count=count, sum=text)

    def _leaf(self, identifier: str) -> str:
        """An AccumulateGrad: the new grad of its leaf."""
        name, leaf = self._name(identifier), topology_of(self.graph).leaves.get(identifier)
        row = None if leaf is None else self.graph.tensor(leaf)
        if leaf is None or row is None or is_unknown(row["after"]["grad"]):
            return self.words.say("leaf-unknown", name=name)
        grad = _value(self.graph, leaf, "after", "grad")
        gradient = self._gradient(self.graph.function(identifier)["gradient"])
        before = row["before"]["grad"]
        if before is None or is_unknown(before) or not gradient:
            return self.words.say("leaf", name=name, grad=grad)
        was = _value(self.graph, leaf, "before", "grad")
        return self.words.say("leaf-adds", name=name, grad=grad, before=was, gradient=gradient)

    def _function(self, identifier: str, node: FunctionRow) -> str:
        parts = [self._part(identifier, target, edge) for target, edge in self._edges(identifier)]
        function = self._called(identifier, node)
        if not parts or not all(part.text for part in parts):
            return self.words.say("unknown", function=function)
        upstream = node["gradient"]
        found = self._of_sum(identifier, node, parts) or self._of_products(function, node, parts)
        found = found or self._of_tensors(function, node, parts)
        if found:
            return " ".join([found, *self._broadcast(identifier, parts)])
        gradients = _listed([self._gets(part.name, part.text) for part in parts])
        arrived = self._gradient(upstream)
        key = "other" if arrived else "other-unknown"
        said = self.words.say(key, function=function, gradient=arrived, gradients=gradients)
        return " ".join([said, *self._broadcast(identifier, parts)])

    def _of_sum(self, identifier: str, node: FunctionRow, parts: Sequence[_Part]) -> str:
        """Of sums, differences and signs, where the gradients are those that arrived; else an empty text."""
        upstream, first = node["gradient"], parts[0]
        op = op_of(node["name"])
        signs = [_sign(part.gradient, upstream) for part in parts]
        if is_kind(node["name"], NodeKind.ADDS) and signs == [1, 1]:
            return self.words.say("sum", gradient=first.text)
        if is_kind(node["name"], NodeKind.ADDS) and signs == [1]:
            return self.words.say("sum-constant", gradient=first.text, name=first.name)
        if op == "sub" and signs == [1, -1]:
            names = {"first": first.name, "second": parts[1].name}
            return self.words.say("difference", **names, gradients=f"{first.text}, {parts[1].text}")
        if signs == [-1] and (op == "neg" or is_kind(node["name"], NodeKind.ADDS)):
            return self.words.say("negative", gradient=first.text)
        return ""

    def _of_products(self, function: str, node: FunctionRow, parts: Sequence[_Part]) -> str:
        """Of scalars whose local derivatives are known; else an empty text."""
        if any(part.factor is None for part in parts) or not is_number(node["gradient"]):
            return ""
        op, first = op_of(node["name"]), parts[0]
        products = _listed([self._gets(part.name, part.product) for part in parts])
        chosen = sum(part.factor != 0 for part in parts)  # at a tie, all get a share
        if is_kind(node["name"], NodeKind.CHOOSES) and len(parts) > 1 and chosen == 1:
            return self.words.say("chooses", function=function, products=products)
        if op == "mul":
            if len(parts) == 1:
                return self.words.say("product-constant", name=first.name, product=first.product)
            return self.words.say("product", products=products)
        if len(parts) > 1:
            return self.words.say("chains", function=function, products=products)
        if first.factor == 0:
            return self.words.say("stops", function=function, name=first.name)
        if first.factor == 1 and is_kind(node["name"], NodeKind.RECTIFIES, NodeKind.CLAMPS, NodeKind.MASKS):
            return self.words.say("passes", function=function, gradient=first.text)
        parts_of = {"product": first.product, "name": first.name}
        return self.words.say("chain", function=function, slope=first.slope, **parts_of)

    def _of_tensors(self, function: str, node: FunctionRow, parts: Sequence[_Part]) -> str:
        """Of functions of vectors and matrices, by what they do; else an empty text."""
        op, name = op_of(node["name"]), node["name"]
        gradients = _listed([self._gets(part.name, part.text) for part in parts])
        product = _PRODUCTS.get(op)
        if product == "matrix" and (forms := self._forms(parts)):
            return self.words.say("matrix-forms", gradients=forms)
        if product:
            if len(parts) == 1:
                return self.words.say(f"{product}-constant", name=parts[0].name, gradient=parts[0].text)
            return self.words.say(product, gradients=gradients)
        if op in _SPREADS and _is_constant(parts[0].gradient, node["gradient"]):
            return self.words.say("spreads", gradients=gradients)
        count = len(_numbers(parts[0].gradient))
        arrived = node["gradient"]
        if op in _AVERAGES and _is_real(arrived) and count and _is_constant(parts[0].gradient, arrived / count):
            return self.words.say("averages", count=count, gradients=gradients)
        if reduced := reduction(node, parts[0].gradient):
            part = self._along(reduced.dimensions, reduced.rank)
            key = "mean-along" if reduced.count else "sum-along"
            return self.words.say(key, part=part, count=reduced.count, gradients=gradients)
        if is_kind(name, NodeKind.RECTIFIES, NodeKind.CLAMPS, NodeKind.MASKS) and len(parts) == 1:
            passed = passed_count(parts[0].gradient, arrived)
            if passed is not None:
                count, total = passed
                return self.words.say("masks", function=function, count=count, total=total, gradients=gradients)
        arrived_count = len(_numbers(node["gradient"]))
        selects = is_kind(name, NodeKind.SELECTS) and is_kind(name, NodeKind.CHOOSES)
        if is_kind(name, NodeKind.REARRANGES) or (selects and 0 < arrived_count == count):
            return self.words.say("rearranges", function=function, gradients=gradients)
        if is_kind(name, NodeKind.COVERS):
            return self.words.say("copies", function=function, gradients=gradients)
        if selects and 0 < arrived_count < count:
            return self.words.say("selects", function=function, gradients=gradients)
        forms = self._forms(parts)
        return self.words.say("forms", function=function, gradients=forms) if forms else ""

    def _forms(self, parts: Sequence[_Part]) -> str:
        """The gradients in terms of matrices; empty if that is not known of one of them."""
        if not all(part.form and part.shape for part in parts):
            return ""
        return _listed([self._gets_form(part) for part in parts])

    def _gets_form(self, part: _Part) -> str:
        shape, form = "×".join(map(str, part.shape or ())), format_formula(part.form)  # noqa: RUF001
        norm = None if _is_short(part.gradient) else value_norm(part.gradient)
        if norm is None:
            return self.words.say("gets-form", name=part.name, shape=shape, form=form, value=part.text)
        return self.words.say("gets-form-norm", name=part.name, shape=shape, form=form, norm=format_number(norm))

    def _broadcast(self, identifier: str, parts: Sequence[_Part]) -> Iterator[str]:
        """The operands that were repeated along a dimension."""
        output = shape_of(self.graph, identifier, 0) or []
        positions = [operand.position for operand in operands_of(self.graph, identifier) if operand.edge]
        for place, part in zip(positions, parts, strict=False):
            found = () if part.shape is None else broadcast_dimensions(self.graph, identifier, place, part.shape)
            if found:
                yield self.words.say("broadcast", name=part.name, part=self._repeated(found, output))

    def _along(self, dimensions: tuple[int, ...], rank: int) -> str:
        """What a reduction over dimensions takes together: `each row` is the second of two."""
        if rank == 2 and len(dimensions) == 1:
            return self.words.say("each-row" if dimensions == (1,) else "each-column")
        return self.words.say("dimension", numbers=", ".join(map(str, dimensions)))

    def _repeated(self, dimensions: tuple[int, ...], output: Sequence[int]) -> str:
        if len(output) == 2 and len(dimensions) == 1:
            key = "the-rows" if dimensions == (0,) else "the-columns"
            return self.words.say(key, count=output[dimensions[0]])
        return self.words.say("dimension", numbers=", ".join(map(str, dimensions)))

    def _gets(self, name: str, value: str) -> str:
        return self.words.say("gets", name=name, value=value)

    def _part(self, identifier: str, target: str, edge: NextEdge) -> _Part:
        upstream, gradient = self.graph.function(identifier)["gradient"], edge.get("gradient")
        local = edge.get("local")
        value: Any = local.get("value") if isinstance(local, dict) else None
        factor: float | None = None
        if _is_real(value) and _is_real(upstream) and _is_real(gradient) and _close(value * upstream, gradient):
            factor = value
        text = self._gradient(gradient)
        symbol = derivative_text(gradient, local, upstream)
        name, shape = self._name(target, edge["input_nr"]), shape_of(self.graph, target, edge["input_nr"])
        form = edge.get("matrix")
        return _Part(
            name,
            gradient,
            text,
            factor,
            symbol,
            upstream,
            form if isinstance(form, str) else "",
            None if shape is None else tuple(shape),
        )

    def _edges(self, identifier: str) -> Iterator[tuple[str, NextEdge]]:
        edges = self.graph.rows.out_edges(identifier)
        flowing = [(target, cast("NextEdge", edge)) for target, edge in edges if edge["kind"] == "next"]
        yield from sorted(flowing, key=lambda found: found[1]["slot"])

    def _called(self, identifier: str, node: FunctionRow) -> str:
        """What a function is called: its sign, or its name."""
        symbol = operation(self.graph, identifier).symbol
        return symbol if symbol.isalpha() and len(symbol) == 1 else spoken_name(node["name"])

    def _name(self, identifier: str, output: int = 0) -> str:
        """What the output of a function is called: by the script, by its code, or by the function."""
        tensor = topology_of(self.graph).outputs.get((identifier, output))
        name = Subject(self.graph, "after").name(self.graph.tensor(tensor)) if tensor else ""
        node = self.graph.function(identifier)
        if name and len(name) <= _LONGEST_NAME:
            return name
        return self.words.say("leaf-name") if node["is_leaf"] else spoken_name(node["name"])

    def _gradient(self, gradient: Value) -> str:
        """A gradient that is short enough, else its norm; empty if it is unknown."""
        if _is_short(gradient):
            return value_inline(gradient, "", ())
        norm = None if is_number(gradient) or is_unknown(gradient) else value_norm(gradient)
        return gradient_text(gradient) if norm is None else self.words.say("of-norm", norm=format_number(norm))

    def _operand(self, identifier: str, output: int, in_brackets: bool) -> str:
        """The value of an operand, or its name. in_brackets: whether the formula has brackets around it."""
        tensor = topology_of(self.graph).outputs.get((identifier, output))
        row = self.graph.function(identifier) if tensor is None else self.graph.tensor(tensor)
        data = row["before"]["data"]
        text = factor_text(data) if _is_real(data) else self._name(identifier, output)
        if _is_real(data):
            return format_number(data) if in_brackets else text
        return text if in_brackets or text.isidentifier() else f"({text})"

    def _roots(self) -> Iterator[tuple[str, str]]:
        for root in dict.fromkeys(self.graph.roots):
            tensor = self.graph.tensor(root) if root in self.graph.rows else None
            if tensor is not None and tensor["name"] and not is_unknown(tensor["before"]["data"]):
                yield one_line(tensor["name"]), _value(self.graph, root, "before", "data")


def _is_short(value: Value) -> bool:
    """Whether a caption writes a value in full."""
    return matrix_rows(value) is not None and len(value_inline(value, "", ())) <= _LONGEST_VALUE


def _value(graph: Graph, tensor: str, moment: Moment, key: str) -> str:
    row = graph.tensor(tensor)
    state = row["before"] if moment == "before" else row["after"]
    value = state["data"] if key == "data" else state["grad"]
    norm = None if is_number(value) or _is_short(value) else value_norm(value)
    if norm is not None:
        return f"{sides_text(row['shape'])} ‖{format_number(norm)}‖"
    return value_inline(value, row["dtype"], row["shape"])


def _op(name: str) -> str:
    """What torch calls the operator of a Node; the name of a custom Function."""
    return op_of(name).partition(".")[0] if is_listed(name) else without_backward(name)


def _listed(texts: Sequence[str]) -> str:
    shown = list(texts[:_MOST_LISTED])
    return ", ".join([*shown, "…"] if len(texts) > _MOST_LISTED else shown)


def _close(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= AGREEMENT * max(abs(one), abs(other))


def _numbers(value: Value) -> list[float]:
    """The numbers of a value; empty if they are not all known."""
    if is_summary(value):
        return elements_of(value) or []
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [float(value)] if _is_real(value) else []


def _is_real(value: Any) -> TypeGuard[float]:
    return is_number(value) and not isinstance(value, complex)


def _sign(gradient: Value, upstream: Value) -> int:
    """1 if a gradient is the one that arrived, -1 if it is its opposite, else 0."""
    ours, theirs = _numbers(gradient), _numbers(upstream)
    if not ours or len(ours) != len(theirs):
        return 0
    if all(_close(one, other) for one, other in zip(ours, theirs, strict=True)):
        return 1
    return -1 if all(_close(-one, other) for one, other in zip(ours, theirs, strict=True)) else 0


def _is_constant(gradient: Value, wanted: Value) -> bool:
    """Whether all numbers of a gradient are this one."""
    found = _numbers(gradient)
    return bool(found) and _is_real(wanted) and all(_close(number, float(wanted)) for number in found)
