"""Graphs built by hand, without torch: the rows of report.json for small programs over scalars.

A `Program` is told the leaves and the operations with their local derivatives; it walks and runs backward as
torch's engine does (highest sequence number first, AccumulateGrad as soon as it is ready).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from inspector.graph import Graph, from_rows, unknown

Input = tuple[str, str, float]  # key of the tensor, symbol and value of the local derivative


@dataclass
class Tensor:
    key: str
    value: Any
    name: str | None
    expression: str = ""
    function: str = ""  # empty: a leaf
    inputs: Sequence[Input] = ()
    code: str = ""
    grad_before: Any = None
    constant: float | None = None  # a number that went in and needs no gradient


@dataclass
class Program:
    """Leaves and operations in the order of the script. A tensor without a name is named by its key here."""

    tensors: dict[str, Tensor] = field(default_factory=dict)

    def leaf(self, name: str, value: Any, *, grad: Any = None) -> Program:
        code = f"{name} = torch.tensor({value}, requires_grad=True)"
        self.tensors[name] = Tensor(name, value, name, code=code, grad_before=grad)
        return self

    def op(
        self, key: str, function: str, value: Any, inputs: Sequence[Input], *, expression: str = "",
        code: str = "", constant: float | None = None,
    ) -> Program:  # fmt: skip
        """`expression` makes an unnamed tensor, otherwise its name is the key."""
        name = None if expression else key
        code = code or f"{key} = …"
        self.tensors[key] = Tensor(key, value, name, expression, function, inputs, code, constant=constant)
        return self

    def graph(self, *roots: str, error_at: str = "", ran: bool = True) -> Graph:
        """The Graph of `backward()` from these tensors. error_at: the function that raises, by its tensor."""
        return from_rows(_Rows(self, roots).rows(error_at, ran))


class _Rows:
    def __init__(self, program: Program, roots: Sequence[str]) -> None:
        self.tensors = program.tensors
        self.roots = roots
        self.order: list[str] = []
        for root in roots:
            self._walk(root)
        self.node = {key: f"n{index}" for index, key in enumerate(self.order)}
        self.id = {key: f"t{index}" for index, key in enumerate(self.order)}

    def _walk(self, root: str) -> None:
        waiting = [root]
        while waiting:
            key = waiting.pop()
            if key in self.order:
                continue
            self.order.append(key)
            waiting += [source for source, _, _ in reversed(self.tensors[key].inputs)]

    def rows(self, error_at: str, ran: bool) -> dict[str, Any]:
        steps, gradients, edges = self._backward(error_at) if ran else ([], {}, {})
        nodes, links = [], []
        for key in self.order:
            after = gradients.get(key) if key in steps or not ran else None
            nodes += [self._function(key, steps, after), self._tensor(key, steps, after)]
            nodes += self._constant(key)
            links += self._edges(key, edges, after)
        return {
            "nodes": nodes,
            "edges": links,
            "roots": [self.id[root] for root in self.roots],
            "steps": [self.node[key] for key in steps],
            "error": f"RuntimeError: backward of {error_at} failed" if error_at else None,
        }

    def _backward(self, error_at: str) -> tuple[list[str], dict[str, float], dict[tuple[str, int], float]]:
        waiting = dict.fromkeys(self.order, 0)
        for key in self.order:
            for source, _, _ in self.tensors[key].inputs:
                waiting[source] += 1
        gradients: dict[str, float] = dict.fromkeys(self.roots, 1.0)
        edges: dict[tuple[str, int], float] = {}
        ready = [root for root in self.roots if not waiting[root]]
        sequence = list(self.tensors)
        steps: list[str] = []
        while ready:
            leaves = [key for key in ready if not self.tensors[key].function]
            key = leaves[0] if leaves else max(ready, key=sequence.index)
            ready.remove(key)
            steps.append(key)
            if key == error_at:
                break
            for slot, (source, _, local) in enumerate(self.tensors[key].inputs):
                edges[key, slot] = local * gradients[key]
                gradients[source] = gradients.get(source, 0.0) + edges[key, slot]
                waiting[source] -= 1
                if not waiting[source]:
                    ready.append(source)
        return steps, gradients, edges

    def _grads(self, key: str, steps: list[str], gradient: float | None) -> tuple[Any, Any]:
        tensor = self.tensors[key]
        before = tensor.grad_before
        if tensor.function or key not in steps or gradient is None:
            return before, before
        return before, (before or 0.0) + gradient

    def _states(self, key: str, steps: list[str], gradient: float | None) -> dict[str, Any]:
        before, after = self._grads(key, steps, gradient)
        value = self.tensors[key].value
        return {"before": {"data": value, "grad": before}, "after": {"data": value, "grad": after}}

    def _function(self, key: str, steps: list[str], gradient: float | None) -> dict[str, Any]:
        tensor = self.tensors[key]
        return {
            "id": self.node[key],
            "kind": "function",
            "name": tensor.function or "AccumulateGrad",
            "is_leaf": not tensor.function,
            "requires_grad": True,
            "module": None,
            "source": {"file": "script.py", "line": 1, "code": tensor.code} if tensor.function else None,
            "step": steps.index(key) + 1 if key in steps else None,
            "attributes": {"exponent": tensor.constant} if self._is_power(key) else {},
            "empty_slots": [],
            "formula": {},
            "saved": [
                {"name": "other", "tensor": row["id"], "before": "held", "after": "released"}
                for row in self._constant(key)
            ],
            "gradient": unknown("did not run") if gradient is None else gradient,
            **self._states(key, steps, gradient),
        }

    def _is_power(self, key: str) -> bool:
        return self.tensors[key].constant is not None and self.tensors[key].function == "PowBackward0"

    def _constant(self, key: str) -> list[dict[str, Any]]:
        """The tensor that a product with a number saves."""
        if self.tensors[key].constant is None or self._is_power(key):
            return []
        state = {"data": self.tensors[key].constant, "grad": None}
        blank = {"name": None, "is_leaf": True, "requires_grad": False, "grad_fn": None, "retains_grad": False}
        held = {"dtype": "int64", "shape": [], "device": "cpu", "version": 0, "source": unknown("a number")}
        states = {"before": state, "after": state, "gradient": unknown("it does not require a gradient")}
        return [{"id": f"t{1000 + self.order.index(key)}", "kind": "tensor", **blank, **held, **states}]

    def _tensor(self, key: str, steps: list[str], gradient: float | None) -> dict[str, Any]:
        tensor = self.tensors[key]
        row = {
            "id": self.id[key],
            "kind": "tensor",
            "name": tensor.name,
            "is_leaf": not tensor.function,
            "requires_grad": True,
            "grad_fn": self.node[key] if tensor.function else None,
            "retains_grad": False,
            "dtype": "float32",
            "shape": [],
            "device": "cpu",
            "version": 0,
            "source": {"file": "script.py", "line": 1, "code": tensor.code},
            "gradient": unknown("did not run") if gradient is None else gradient,
            **self._states(key, steps, gradient),
        }
        return row | ({"expression": tensor.expression} if tensor.expression else {})

    def _edges(
        self, key: str, gradients: dict[tuple[str, int], float], arrived: float | None
    ) -> list[dict[str, Any]]:
        if not self.tensors[key].function:
            held = unknown("did not run") if arrived is None else arrived
            return [{"source": self.node[key], "target": self.id[key], "kind": "accumulate", "gradient": held}]
        edges: list[dict[str, Any]] = [{"source": self.id[key], "target": self.node[key], "kind": "grad_fn"}]
        for slot, (source, symbol, local) in enumerate(self.tensors[key].inputs):
            edges.append(
                {
                    "source": self.node[key],
                    "target": self.node[source],
                    "kind": "next",
                    "slot": slot,
                    "input_nr": 0,
                    "gradient": gradients.get((key, slot), unknown("did not run")),
                    "local": {"symbol": symbol, "value": local},
                }
            )
        return edges


# ---- the five seeds ---------------------------------------------------------------------------------------


def square() -> Graph:
    """S1: y = x**2 at 2."""
    program = Program().leaf("x", 2.0)
    program.op("y", "PowBackward0", 4.0, [("x", "2*x", 4.0)], code="y = x**2", constant=2)
    return program.graph("y")


def polynomial() -> Graph:
    """S2: z = x**2 + 2*x + 1 at 2."""
    program = Program().leaf("x", 2.0)
    program.op("a", "PowBackward0", 4.0, [("x", "2*x", 4.0)], expression="x**2", constant=2)
    program.op("b", "MulBackward0", 4.0, [("x", "2", 2.0)], expression="2*x", constant=2)
    program.op("c", "AddBackward0", 8.0, [("a", "1", 1.0), ("b", "1", 1.0)], expression="x**2 + 2*x")
    program.op("z", "AddBackward0", 9.0, [("c", "1", 1.0)], code="z = x**2 + 2*x + 1")
    return program.graph("z")


def product_and_square() -> Graph:
    """S3: f = u*v + u**2 at (1, 2)."""
    program = Program().leaf("u", 1.0).leaf("v", 2.0)
    program.op("a", "MulBackward0", 2.0, [("u", "v", 2.0), ("v", "u", 1.0)], expression="u*v")
    program.op("b", "PowBackward0", 1.0, [("u", "2*u", 2.0)], expression="u**2", constant=2)
    program.op("f", "AddBackward0", 3.0, [("a", "1", 1.0), ("b", "1", 1.0)], code="f = u*v + u**2")
    return program.graph("f")


def saddle(x: float, y: float, *, grad: float | None = None, error_at: str = "", ran: bool = True) -> Graph:
    """S4 and S5: z = x**2 - y**2. grad: what x.grad held before."""
    program = Program().leaf("x", x, grad=grad).leaf("y", y)
    program.op("a", "PowBackward0", x * x, [("x", "2*x", 2 * x)], expression="x**2", constant=2)
    program.op("b", "PowBackward0", y * y, [("y", "2*y", 2 * y)], expression="y**2", constant=2)
    inputs = [("a", "1", 1.0), ("b", "-1", -1.0)]
    program.op("z", "SubBackward0", x * x - y * y, inputs, code="z = x**2 - y**2")
    return program.graph("z", error_at=error_at, ran=ran)


SEEDS: dict[str, Callable[[], Graph]] = {
    "S1": square,
    "S2": polynomial,
    "S3": product_and_square,
    "S4": lambda: saddle(0.0, 0.0),
    "S5": lambda: saddle(2.0, 0.0),
}


# ---- harder shapes ----------------------------------------------------------------------------------------


def sum_of_leaves(count: int) -> Graph:
    """`count` leaves, each through a square of its own, stacked and summed."""
    program = Program()
    for index in range(count):
        program.leaf(f"w{index}", float(index))
    for index in range(count):
        name = f"w{index}"
        program.op(f"s{index}", "PowBackward0", float(index**2), [(name, f"2*{name}", 2.0 * index)],
                   expression=f"{name}**2")  # fmt: skip
    inputs = [(f"s{index}", "1", 1.0) for index in range(count)]
    total = float(sum(index**2 for index in range(count)))
    return program.op("total", "StackBackward0", total, inputs, code="total = stack(squares)").graph("total")


def named_chain(length: int) -> Graph:
    """x, then h1 … hn, each a named intermediate."""
    program = Program().leaf("x", 0.5)
    last = "x"
    for index in range(1, length + 1):
        inputs = [(last, f"cos({last})", 0.9)]
        program.op(f"h{index}", "SinBackward0", 0.25, inputs, code=f"h{index} = {last}.sin()")
        last = f"h{index}"
    return program.graph(last)


def parallel_edges() -> Graph:
    """y = x * x: two edges between the same functions."""
    inputs = [("x", "x", 3.0), ("x", "x", 3.0)]
    return Program().leaf("x", 3.0).op("y", "MulBackward0", 9.0, inputs, code="y = x * x").graph("y")


def fan_out() -> Graph:
    """A named intermediate that three functions use, and whose gradients meet again."""
    program = Program().leaf("a", 2.0).leaf("b", 1.0)
    program.op("h", "MulBackward0", 2.0, [("a", "b", 1.0), ("b", "a", 2.0)], code="h = a * b")
    program.op("p", "SinBackward0", 0.9093, [("h", "cos(h)", -0.4161)], expression="h.sin()")
    program.op("q", "PowBackward0", 4.0, [("h", "2*h", 4.0)], expression="h**2")
    program.op("r", "ExpBackward0", 7.389, [("h", "exp(h)", 7.389)], code="r = h.exp()")
    program.op("s", "AddBackward0", 4.909, [("p", "1", 1.0), ("q", "1", 1.0)], expression="h.sin() + h**2")
    inputs = [("s", "1", 1.0), ("r", "1", 1.0)]
    return program.op("out", "AddBackward0", 12.3, inputs, code="out = h.sin() + h**2 + r").graph("out")


def two_roots() -> Graph:
    """torch.autograd.backward([y, z]) over one leaf."""
    program = Program().leaf("x", 2.0)
    program.op("y", "PowBackward0", 4.0, [("x", "2*x", 4.0)], code="y = x**2")
    program.op("z", "MulBackward0", 6.0, [("x", "3", 3.0)], code="z = 3 * x")
    return program.graph("y", "z")


def leaf_root() -> Graph:
    """x.backward() of a leaf."""
    return Program().leaf("x", 2.0).graph("x")


def long_names() -> Graph:
    """Names and expressions of 200 characters, in several scripts."""
    name = "gewicht_der_verborgenen_schicht_" * 6 + "größe"
    other = "重み" * 60
    program = Program().leaf(name, 1.23456789).leaf(other, -12345678.9)
    inputs = [(name, other, -12345678.9), (other, name, 1.23456789)]
    expression = f"torch.nn.functional.scaled({name}, {other}, dropout=0.25)"
    program.op("p", "AVeryLongCustomFunctionNameThatSomebodyWroteInAHurryBackward", 3.14159265, inputs,
               expression=expression)  # fmt: skip
    program.op(
        "ŷ", "SinBackward0", -0.0, [("p", f"cos({name} * {other} + 1)", -1.0)], code=f"ŷ = {expression}.sin()"
    )
    return program.graph("ŷ")


def layered(width: int, depth: int, *, letters: bool = False) -> Graph:
    """A net of scalars: `depth` layers of `width` functions, each fed by two of the layer before.

    letters: tell the leaves apart, instead of numbers: functions of leaves that differ in a number are equal.
    """
    program = Program()
    words = [f"x{one}{other}" for one in "abc" for other in "abcdefghijklmnopqrstuvwxyz"]
    last = [words[index] if letters else f"x{index}" for index in range(width)]
    for name in last:
        program.leaf(name, 1.0)
    for layer in range(depth):
        keys = [f"h{layer}_{index}" for index in range(width)]
        for index, key in enumerate(keys):
            inputs = [(last[index], "w", 0.5), (last[(index + 1) % width], "w", 0.25)]
            program.op(key, "TanhBackward0", 0.5, inputs, expression=f"tanh({key})")
        last = keys
    inputs = [(key, "1", 1.0) for key in last]
    return program.op("loss", "MeanBackward0", 0.5, inputs, code="loss = mean(h)").graph("loss")


def chain(length: int) -> Graph:
    """One leaf and `length` functions in a row, without names."""
    program = Program().leaf("x", 1.0)
    last = "x"
    for index in range(length):
        program.op(f"v{index}", "SinBackward0", 0.5, [(last, "c", 0.5)], expression=f"sin({index})")
        last = f"v{index}"
    return program.graph(last)


SHAPES: dict[str, Callable[[], Graph]] = {
    **SEEDS,
    "one leaf": lambda: sum_of_leaves(1),
    "three leaves": lambda: sum_of_leaves(3),
    "eight leaves": lambda: sum_of_leaves(8),
    "named chain": lambda: named_chain(4),
    "long chain": lambda: named_chain(9),
    "parallel edges": parallel_edges,
    "fan-out": fan_out,
    "two roots": two_roots,
    "leaf root": leaf_root,
    "long names": long_names,
    "raised": lambda: saddle(2.0, 0.0, error_at="b"),
    "accumulated": lambda: saddle(2.0, 0.0, grad=4.0),
    "never ran": lambda: saddle(2.0, 0.0, ran=False),
    "net": lambda: layered(4, 4),
}
