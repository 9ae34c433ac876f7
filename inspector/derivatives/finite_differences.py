"""The root of a graph as a function of its leaves, re-evaluated from the recorded operations.

User code never runs a second time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy

from inspector.derivatives.elementary import find_elementary, find_reduction
from inspector.derivatives.forward_reconstruction import ForwardReconstruction, evaluate
from inspector.derivatives.linear_ops import STRUCTURAL, transposed_product
from inspector.derivatives.small_tensor import SmallTensor, values_agree
from inspector.graph.node_names import op_of
from inspector.graph.topology import Pair

REPRODUCED = 1e-4
"""Relative tolerance for the re-evaluated root. A long forward in float32 loses some digits."""

_STEP = 1e-4
"""Step of a finite difference, relative to the leaf (or to 1). With extrapolation the error is about 1e-12."""


_KINK = 1e-3
"""Minimum relative difference between the slopes on both sides of a kink."""


class NotEvaluable(Exception):
    """The root cannot be evaluated again. The message says why, in one line."""


class Evaluation:
    """The part of a graph that depends on one leaf, which can be evaluated at other values of the leaf."""

    def __init__(self, forward: ForwardReconstruction, root: Pair, leaf: Pair) -> None:
        """Raises NotEvaluable if a function on the path from the leaf to the root cannot be evaluated."""
        self._forward = forward
        self._root = root
        self._leaf = leaf
        at = forward.value(leaf)
        if at is None:
            raise NotEvaluable("its full value is unknown (more than 9 elements, or not recorded)")
        self.at = at
        self._steps = self._dependent()
        if not self._steps and root != leaf:
            raise NotEvaluable("the root does not depend on it")
        self._check()

    def __call__(self, moved: SmallTensor) -> SmallTensor:
        """The root with the leaf at `moved`; NaN outside of the domain of a function."""
        values = {self._leaf: moved}
        for function in self._steps:
            result = self._forward.apply(function, values)
            if result is None:
                raise NotEvaluable(_why_not(self._forward, function))
            values[function, 0] = result
        return values[self._root]

    def along(self, position: float) -> float:
        """The root with a leaf of one element at `position`."""
        return self(numpy.full(self.at.shape, position)).item()

    def slopes(self) -> SmallTensor:
        """d root / d leaf at the point by finite differences, element by element."""
        return numpy.reshape([_slope(*probe) for probe in self._probes()], self.at.shape)

    def kinks(self) -> list[tuple[float, float]]:
        """(slope from the left, from the right) for each element where the two differ."""
        sides = [_sides(*probe) for probe in self._probes()]
        return [
            side for side in sides if not values_agree(side[0], side[1], _KINK) and max(map(abs, side)) > _KINK
        ]

    def _probes(self) -> list[tuple[Callable[[float], float], float]]:
        """For each element of the leaf: the root as a function of it, and its value."""

        def probe(element: int) -> Callable[[float], float]:
            def root(position: float) -> float:
                moved = self.at.copy()
                moved.flat[element] = position
                return self(moved).item()

            return root

        return [(probe(element), item) for element, item in enumerate(self.at.ravel().tolist())]

    def _dependent(self) -> list[str]:
        """The functions between the leaf and the root, in the order of the forward."""
        touched = {self._leaf[0]}
        steps = []
        for function in self._forward.order:
            if function in touched:
                continue
            if any(target in touched for target, _ in self._forward.edges(function)):
                touched.add(function)
                steps.append(function)
        return steps if self._root[0] in touched else []

    def _check(self) -> None:
        """Check that the root has the recorded value; an in-place write or an unknown constant can change it."""
        recorded, again = self._forward.value(self._root), self(self.at)
        if again.size != 1:
            raise NotEvaluable("the root is not a single number")
        if recorded is None or (math.isnan(recorded.item()) and math.isnan(again.item())):
            return
        if not values_agree(again.item(), recorded.item(), REPRODUCED):
            shown = f"{again.item():.6g} instead of {recorded.item():.6g}"
            raise NotEvaluable(f"re-evaluating the recorded operations gives {shown} for the root")


@numpy.errstate(all="ignore")
def derivatives_by_rules(forward: ForwardReconstruction, root: Pair, seed: float) -> dict[Pair, SmallTensor]:
    """d root / d tensor times `seed` for every tensor that the rules of the tables reach, in double precision.

    Tensors whose gradient passes through a function outside of the tables are left out.
    """
    value = forward.value(root)
    if value is None or value.size != 1:
        return {}
    found: dict[Pair, SmallTensor] = {root: numpy.full(value.shape, seed)}
    blocked: set[Pair] = set()
    for function in reversed(forward.order):
        pair = (function, 0)
        if pair not in found and pair not in blocked:
            continue
        upstream = None if pair in blocked else found[pair]
        for target, edge in forward.edges(function):
            into = (target, edge["input_nr"])
            part = None if upstream is None else _flow_back(forward, function, edge["slot"], into, upstream)
            if part is None or into in blocked:
                blocked.add(into)
                found.pop(into, None)
            else:
                found[into] = found[into] + part if into in found else part
    return found


def local_slope(forward: ForwardReconstruction, function: str, slot: int) -> SmallTensor | None:
    """The derivative of an elementary function or a reduction by the input of a slot; None if unknown."""
    row = forward.function(function)
    entry = find_elementary(row) or find_reduction(row)
    if entry is None or slot >= len(entry.derivatives):
        return None
    name, text = list(entry.derivatives.items())[slot]
    operands = known_operands(forward, function)
    if name in operands:
        operands["n"] = numpy.array(float(operands[name].size))
    return evaluate(text, operands)


def known_operands(forward: ForwardReconstruction, function: str) -> dict[str, SmallTensor]:
    """The known values of a function's operands and of its `result`."""
    found = {}
    for name, operand in (*forward.operands(function).items(), ("result", None)):
        pair = (function, 0) if operand is None else operand.pair
        value = forward.value(pair) if pair is not None else operand.value if operand is not None else None
        if value is not None:
            found[name] = value
    return found


def _flow_back(
    forward: ForwardReconstruction, function: str, slot: int, into: Pair, upstream: SmallTensor
) -> SmallTensor | None:
    """The gradient along one edge: local derivative times upstream, summed if the input was broadcast."""
    at = forward.value(into)
    if at is None:
        return None
    if op_of(forward.nodes[function]["name"]) in STRUCTURAL:
        return transposed_product(_moving(forward, function, into, slot), at, upstream)
    local = local_slope(forward, function, slot)
    if local is None:
        return None
    if local.size != upstream.size and 1 not in (local.size, upstream.size):
        return None
    products = local.ravel() * upstream.ravel()
    if at.size == 1:
        return numpy.full(at.shape, products.sum())
    if products.size not in (1, at.size):
        return None
    return numpy.broadcast_to(products, at.size).reshape(at.shape)


def _moving(
    forward: ForwardReconstruction, function: str, into: Pair, slot: int
) -> Callable[[SmallTensor], SmallTensor | None]:
    """A function as a linear map of its input at one slot; other inputs are as recorded (stack and cat: zero)."""
    names = forward.inputs(function)
    others = [
        edge["slot"]
        for target, edge in forward.edges(function)
        if (target, edge["input_nr"]) == into and edge["slot"] != slot
    ]
    row = forward.nodes[function]
    operands = known_operands(forward, function)
    op = op_of(row["name"])
    is_sum = op in ("stack", "cat")

    def function_of(moved: SmallTensor) -> SmallTensor | None:
        arrays = dict(operands)
        if is_sum:  # the other inputs must not contribute
            arrays = {key: numpy.zeros_like(item) for key, item in operands.items()}
        elif others:
            return None
        arrays[names[slot]] = moved
        if any(name not in arrays for name in names):
            return None
        return STRUCTURAL[op]([arrays[name] for name in names], row["attributes"], forward.shape((function, 0)))

    return function_of


def _slope(function: Callable[[float], float], at: float) -> float:
    """Central differences with two step sizes, extrapolated (Richardson)."""
    step = _STEP * max(1.0, abs(at))
    coarse = (function(at + step) - function(at - step)) / (2 * step)
    fine = (function(at + step / 2) - function(at - step / 2)) / step
    return (4 * fine - coarse) / 3


def _sides(function: Callable[[float], float], at: float) -> tuple[float, float]:
    step = 1e-6 * max(1.0, abs(at))
    here = function(at)
    return (here - function(at - step)) / step, (function(at + step) - here) / step


def _why_not(forward: ForwardReconstruction, function: str) -> str:
    name = forward.nodes[function]["name"]
    if forward.inputs(function):
        return f"an input of {name} was not recorded or is too large"
    return f"{name} is not an elementary function"
