"""The operands of a Node's operation: which position has each slot, and the constants among them.

They come from the call in the forward, if it was recorded, from the tensors that the Node saved and from its
attributes. torch's signature says what is an operand and in which order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from inspector.graph.node_names import op_of
from inspector.graph.values import Value
from inspector.torch_api.formulas import Argument, arguments_of
from inspector.tracing.traced_graph import NodeFacts
from inspector.tracing.uses import SeenCall, SeenConstant


class FoundConstant(Struct, frozen=True):
    """A constant of a Node.

    seen: as an argument of the recorded call, if it was. saved: the position of its tensor among the constants of
    the graph, if the Node saved it. value: of an attribute of the Node.
    """

    position: int
    seen: SeenConstant | None = None
    saved: int | None = None
    value: Value = None


class Operands(Struct, frozen=True):
    """The operands of a Node.

    slot_positions: the position of each slot's operand; None if the order is unknown. constants: by position.
    """

    slot_positions: list[int] | None
    constants: list[FoundConstant]

    are_in_order: bool = True
    """Whether the k-th slot is the k-th operand."""


class OperandFinder:
    """Finds the operands of the Nodes of one graph, whose signatures are asked for once by name."""

    def __init__(self) -> None:
        self._signatures: dict[tuple[str, int], _Signature | None] = {}

    def operands_of(self, node: NodeFacts, targets: Sequence[bool], call: SeenCall | None) -> Operands:
        """The operands of a Node. targets: for each slot, whether it leads to a Node. call: that created it."""
        key = node.name, len(targets)
        if key not in self._signatures:
            self._signatures[key] = _signature(arguments_of(node.name), len(targets))
        signature = self._signatures[key]
        return Operands(None, []) if signature is None else _operands(node, signature, targets, call)


def _operands(
    node: NodeFacts, signature: _Signature, targets: Sequence[bool], call: SeenCall | None
) -> Operands:
    positions, slots = signature.positions, list(signature.slots)
    found: dict[int, FoundConstant] = {}
    for name, argument in signature.scalars.items():
        value = node.fields["attributes"].get(name)
        if isinstance(value, (int, float, complex)) and not _is_default(argument, value):
            found[positions[name][0]] = FoundConstant(positions[name][0], value=value)
    for saved in node.saved:
        if not isinstance(saved.tensor, int):
            continue
        name, _, index = saved.name.partition("[")
        places = positions.get(name, range(0))
        number = int(index.removesuffix("]")) if index else 0
        if number < len(places):
            found[places[number]] = FoundConstant(places[number], saved=saved.tensor)
    for position, seen in _seen(node, positions, call):
        known = found.get(position, FoundConstant(position))
        found[position] = replace(known, seen=seen)
    taken = {position for position, is_edge in zip(slots, targets, strict=True) if is_edge} if found else ()
    constants = [found[position] for position in sorted(found.keys() - taken)]
    return Operands(slots, constants, signature.is_in_order)


class _Signature(NamedTuple):
    """The arguments of an op for some number of slots: the positions of each, those of the slots, the numbers.

    is_in_order: whether the k-th slot is the k-th operand.
    """

    positions: dict[str, range]
    slots: tuple[int, ...]
    scalars: dict[str, Argument]
    is_in_order: bool


_SETTINGS = ("correction",)
"""Numbers that are no operands: what a variance subtracts from the number of elements."""


def _signature(all_arguments: tuple[Argument, ...], slots: int) -> _Signature | None:
    """The operands of Nodes with this signature and this number of slots; None if these do not fit."""
    arguments = [item for item in all_arguments if item.kind != "other" and item.name not in _SETTINGS]
    positions = _positions(arguments, slots)
    if positions is None:
        return None
    of_slots = tuple(place for item in arguments if item.is_differentiable for place in positions[item.name])
    scalars = {item.name: item for item in arguments if item.kind == "scalar"}
    return _Signature(positions, of_slots, scalars, of_slots == tuple(range(len(of_slots))))


def _positions(arguments: Sequence[Argument], slots: int) -> dict[str, range] | None:
    """The positions of each argument, of which a list of tensors has several; None if the slots do not fit."""
    lists = [item for item in arguments if item.kind == "tensors"]
    single = sum(item.is_differentiable for item in arguments if item.kind != "tensors")
    has_slots = any(item.is_differentiable for item in lists)
    if len(lists) > 1 or (slots != single and not has_slots) or slots < single or not arguments:
        return None
    found, position = {}, 0
    for item in arguments:
        count = 1
        if item.kind == "tensors":
            count = slots - single if item.is_differentiable else _MOST_INDICES
        found[item.name] = range(position, position + count)
        position += count
    return found


_MOST_INDICES = 16
"""More tensors than torch indexes with: a tensor has fewer dimensions in practice."""


def _seen(
    node: NodeFacts, positions: dict[str, range], call: SeenCall | None
) -> list[tuple[int, SeenConstant]]:
    """The constants of a call that are operands of its Node; none if its arguments are not those of the Node."""
    if call is None:
        return []
    signature = arguments_of(node.name)
    order = _order(call, op_of(node.name).partition(".")[0], signature)
    found = []
    for seen in call.constants:
        argument, number = order(seen.place)
        places = positions.get(argument, range(0))
        is_default = seen.type is None and _is_default(_named(signature, argument), seen.value)
        if number < len(places) and not is_default:
            found.append((places[number], seen))
    return found


def _named(signature: Sequence[Argument], name: str) -> Argument | None:
    return next((item for item in signature if item.name == name), None)


def _is_default(argument: Argument | None, value: object) -> bool:
    """Whether a number is what torch's signature has for an argument that is not given."""
    if argument is None or argument.default is None:
        return False
    try:
        return float(argument.default) == value
    except ValueError:
        return value is None


_Order = Callable[[int | str], tuple[str, int]]
"""From the place of an argument in a call to its name in torch's signature, and its number in a list."""


def _order(call: SeenCall, op: str, signature: Sequence[Argument]) -> _Order:
    name = call.operation.strip("_")
    known = _ORDERS.get((name, op))
    same = name == op or name in _NAMES.get(op, ())
    names = known if known is not None else tuple(item.name for item in signature) if same else ()
    first_is_list = bool(signature) and signature[0].kind == "tensors"

    def order(place: int | str) -> tuple[str, int]:
        if isinstance(place, str):
            return (_KEYWORDS.get(place, place) if names else "", 0)
        if first_is_list and names:
            return names[0], place
        return (names[place], 0) if place < len(names) else ("", 0)

    return order


_KEYWORDS = {"input": "self"}
"""Arguments that Python names otherwise than the signature."""

_NAMES = {
    "add": ("iadd", "radd"),
    "sub": ("isub", "subtract"),
    "mul": ("imul", "rmul", "multiply"),
    "div": ("divide", "true_divide", "truediv", "itruediv", "idiv"),
    "pow": ("ipow", "float_power"),
    "maximum": ("max",),
    "minimum": ("min",),
    "clamp": ("clip",),
    "convolution": ("conv1d", "conv2d", "conv3d"),
    "native_layer_norm": ("layer_norm",),
    "mm": ("matmul", "imatmul"),
    "mv": ("matmul",),
    "dot": ("matmul", "inner", "vdot"),
    "bmm": ("matmul",),
    "remainder": ("mod", "imod"),
    "hardtanh": ("relu6",),
}
"""Other names of calls whose arguments are those of an op, without underscores at their ends."""

_ORDERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("rpow", "pow"): ("exponent", "self"),
    ("rmatmul", "mm"): ("mat2", "self"),
    ("rmatmul", "mv"): ("vec", "self"),
    ("rmatmul", "dot"): ("tensor", "self"),
    ("rmatmul", "bmm"): ("mat2", "self"),
    ("rdiv", "mul"): ("self", "other"),
    ("rtruediv", "mul"): ("self", "other"),
    ("linear", "addmm"): ("mat1", "mat2", "self"),
    ("embedding", "embedding"): ("indices", "weight"),
    ("index", "index"): ("self",),
    ("cross_entropy", "nll_loss"): ("", "target"),
    ("batch_norm", "native_batch_norm"): ("input", "running_mean", "running_var", "weight", "bias"),
}
"""The arguments of a call by their names in the signature of its op, where the order is another."""
