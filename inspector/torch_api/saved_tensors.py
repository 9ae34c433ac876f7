"""What a Node saved for backward: tensors and other values.

Reading must never run user code: a saved tensor with an unpack hook (checkpointing, save_on_cpu) is not read, and
a custom Function's `saved_tensors` never is, since one access may forbid the next.

torch exposes a saved tensor as `_saved_self`, and the wrapper around it as `_raw_saved_self`. In newer releases
the wrapper shows whether a hook packed the tensor. In older ones `_saved_self` is only read for Nodes created
while `HookWatch` saw that the script used no such hook.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Container
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import torch
import torch.autograd.graph
from msgspec import Struct, field
from msgspec.structs import replace

from inspector.graph.row_types import SavedState
from inspector.torch_api.capability import Capability
from inspector.torch_api.modes import unobserved
from inspector.torch_api.nodes import sequence_counter, sequence_number_of
from inspector.torch_api.patch import Patch

_RAW, _SAVED, _OF_CUSTOM = "_raw_saved_", "_saved_", "_raw_saved_tensors"
_UNSIGNED_END = 1 << 64
_SIGN = 1 << 63
_INTEGERS = {int}
_MODIFIED = "modified by an inplace operation"
"""torch's error for an overwritten saved tensor, if only the text of the error shows it."""


class SavedTensorState(Struct):
    """One tensor saved by a Node.

    state: held, modified (in place since), packed (by a hook), released, empty or unknown.
    tensor: the live tensor if it is held or modified, else None.
    """

    name: str
    state: SavedState
    tensor: torch.Tensor | None
    is_output: bool = False
    output_nr: int = 0


# Names of saved values


class _Attribute(NamedTuple):
    """The names of a saved value, of the attribute that returns it, and of that which returns its wrapper."""

    name: str
    saved: str
    raw: str


class _Names(Struct):
    """The attributes to read on every Node of one class. is_custom: whether it is that of a custom Function, whose
    other attributes are user code."""

    plain: list[_Attribute] = field(default_factory=list)
    tensors: list[_Attribute] = field(default_factory=list)
    is_custom: bool = False


_names_by_type: dict[type, _Names] = {}


def _names_of(node_type: type) -> _Names:
    """The names of a class of Nodes. Cached, since `dir` takes 6 microseconds."""
    known = _names_by_type.get(node_type)
    if known is None:
        known = _names_by_type[node_type] = _Names(is_custom=hasattr(node_type, _OF_CUSTOM))
        names = [] if known.is_custom else dir(node_type)
        raw = [name.removeprefix(_RAW) for name in names if name.startswith(_RAW)]
        saved = [name.removeprefix(_SAVED) for name in names if name.startswith(_SAVED)]
        known.tensors = [_attribute(name) for name in raw]
        known.plain = [_attribute(name) for name in saved if name not in raw]
    return known


def _attribute(name: str) -> _Attribute:
    """Interned, since Python caches the attributes of a class by such names only."""
    return _Attribute(*map(sys.intern, (name, _SAVED + name, _RAW + name)))


@functools.cache
def _example() -> tuple[torch.Tensor, Any]:
    """A leaf, and the Node of its square, for probing torch once."""
    with unobserved(), torch.enable_grad():
        leaf = torch.ones((), device="cpu", requires_grad=True)
        return leaf, (leaf**2).grad_fn


# Values other than tensors


def _find_attributes() -> Callable[[Any], dict[str, Any]]:
    _, node = _example()
    if _attributes(node) != {"exponent": 2}:
        raise AttributeError("_saved_exponent")
    return _attributes


def _attributes(node: Any) -> dict[str, Any]:
    found = {}
    for name, saved, _ in _names_of(type(node)).plain:
        try:
            value = getattr(node, saved)
        except RuntimeError:  # some are released with the tensors
            continue
        kind = type(value)
        is_plain = kind in _AS_THEY_ARE or (kind is int and value < _SIGN)  # nearly always
        found[name] = value if is_plain else _plain(value)
    return found


_AS_THEY_ARE = frozenset({bool, type(None), str, float, complex})


def _plain(value: Any) -> Any:
    """A saved attribute as JSON can hold it. torch returns negative integers as unsigned ones."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value - _UNSIGNED_END if value >= _SIGN else value
    if isinstance(value, (list, tuple)):
        is_small = set(map(type, value)) == _INTEGERS and max(value) < _SIGN  # nearly always: sizes, dimensions
        return list(value) if is_small else [_plain(item) for item in value]
    is_plain = value is None or isinstance(value, (bool, str, float, complex))
    return value if is_plain else str(value).removeprefix("torch.")


ATTRIBUTES = Capability(
    "Node attributes",
    "exponents, dimensions and other arguments of operations are unknown",
    _find_attributes,
)


def attributes_of(node: Any) -> dict[str, Any]:
    """The non-tensor values a Node saved: `{"exponent": 2}`. Empty if torch cannot tell."""
    parts = ATTRIBUTES.parts
    if parts is None:
        return {}
    try:
        return parts(node)
    except Exception as error:
        ATTRIBUTES.turn_off(error)
        return {}


# Tensors


class _Wrappers(NamedTuple):
    """Reads the wrapper that torch keeps around a saved tensor. undispatched: a context in which no tensor class
    of the script is asked for an operation."""

    hook: Callable[[Any], Any]
    data: Callable[[Any], Any]
    undispatched: Callable[[], AbstractContextManager[Any]]


def _find_wrappers() -> _Wrappers:
    leaf, node = _example()
    undispatched = getattr(torch._C, "_DisableTorchDispatch", nullcontext)
    found = _Wrappers(attrgetter("unpack_hook"), attrgetter("data"), undispatched)
    wrapper = node._raw_saved_self
    if found.hook(wrapper) is not None or found.data(wrapper) is not leaf:
        raise TypeError("a wrapper does not hold the tensor that was saved")
    return found


WRAPPERS = Capability(
    "saved tensor wrappers",
    "saved tensors are unknown for custom Functions, for graphs created before recording, and where the script "
    "uses saved-tensor hooks (checkpointing, save_on_cpu)",
    _find_wrappers,
)


def _find_default_hooks() -> Callable[[bool], Any]:
    top: Callable[[bool], Any] = torch._C._autograd._top_saved_tensors_default_hooks
    if not isinstance(top(True), (tuple, type(None))):
        raise TypeError("the hooks in force are neither a pair nor None")
    return top


DEFAULT_HOOKS = Capability(
    "hooks in force on saved tensors",
    "the values inside small recurrent cells are unknown where the script uses saved-tensor hooks",
    _find_default_hooks,
)


def are_saved_as_they_are() -> bool:
    """Whether no hook packs the tensors that Nodes save now, as far as torch shows it."""
    top = DEFAULT_HOOKS.parts
    try:
        return top is None or top(True) is None
    except Exception as error:
        DEFAULT_HOOKS.turn_off(error)
        return True


def _find_values() -> Callable[[Any, str], Any]:
    leaf, node = _example()
    if getattr(node, _SAVED + "self") is not leaf:
        raise TypeError("_saved_self is not the tensor that was saved")
    return getattr


SAVED_TENSORS = Capability("saved tensors", "saved tensors are unknown", _find_values)


def saved_by(node: Any, held: Container[str] = ()) -> list[SavedTensorState]:
    """The tensors a Node saved, with their current state. Empty if torch does not show them.

    held: the names of those that it held before: if they are gone now, they were released. To ask torch takes as
    long as all the rest, since it raises an exception.
    """
    names = _names_of(type(node))
    if not (names.tensors or names.is_custom):
        return []
    value = SAVED_TENSORS.parts
    if value is None:
        return []
    try:
        wrappers = WRAPPERS.parts if WRAPPERS.is_available else None
        if wrappers is None:
            return _saved_without_wrappers(node, value)
        if names.is_custom:
            return _saved_by_custom(node, wrappers)
        return _saved_by_torch(node, value, wrappers, held)
    except Exception as error:
        (WRAPPERS if WRAPPERS.is_available else SAVED_TENSORS).turn_off(error)
        return saved_by(node, held)


def _saved_by_torch(
    node: Any, value: Callable[[Any, str], Any], wrappers: _Wrappers, held: Container[str]
) -> list[SavedTensorState]:
    found: list[SavedTensorState] = []
    for name, saved, raw_name in _names_of(type(node)).tensors:
        try:
            raw = getattr(node, raw_name)
        except RuntimeError:  # a released list of tensors cannot be read
            found.append(SavedTensorState(name, "released", None))
            continue
        if isinstance(raw, tuple):
            found += [_of_wrapper(f"{name}[{k}]", item, wrappers) for k, item in enumerate(raw)]
            continue
        hook, data = wrappers.hook(raw), wrappers.data(raw)
        if hook is None and data is None and name in held:
            found.append(SavedTensorState(name, "released", None))
        elif hook is None and type(data) in _PLAIN:  # nearly always
            found.append(_of_plain(name, data, node, saved, value))
        else:
            found.append(_of_wrapper(name, raw, wrappers, node, partial(value, node, saved)))
    return found


def _of_plain(
    name: str, data: Any, node: Any, saved: str, value: Callable[[Any, str], Any]
) -> SavedTensorState:
    """The state of what a wrapper without a hook holds, an ordinary tensor or None. saved: the attribute that
    returns it."""
    try:
        tensor = value(node, saved)
    except RuntimeError:
        return SavedTensorState(name, "released" if data is None else "modified", data)
    return SavedTensorState(name, "empty", None) if data is None else _held(name, tensor, node)


def _saved_by_custom(node: Any, wrappers: _Wrappers) -> list[SavedTensorState]:
    try:
        raws = getattr(node, _OF_CUSTOM)
    except RuntimeError:  # "Trying to backward through the graph a second time"
        return [SavedTensorState("saved_tensors", "released", None)]
    return [_of_wrapper(f"saved_tensors[{k}]", raw, wrappers) for k, raw in enumerate(raws or ())]


def _of_wrapper(
    name: str, raw: Any, wrappers: _Wrappers, node: Any = None, value: Callable[[], Any] | None = None
) -> SavedTensorState:
    """The state of one saved tensor. node, value: to read it as `_saved_…` too, which runs no user code."""
    if wrappers.hook(raw) is not None:
        return SavedTensorState(name, "packed", None)
    data = wrappers.data(raw)
    is_there = isinstance(data, torch.Tensor)
    if value is None:
        return SavedTensorState(name, "held", data) if is_there else SavedTensorState(name, "empty", None)
    try:
        with wrappers.undispatched():  # torch would ask a subclass to detach a saved output
            tensor = value()
    except RuntimeError:
        return SavedTensorState(name, "modified", data) if is_there else SavedTensorState(name, "released", None)
    if not is_there:
        return SavedTensorState(name, "empty", None)
    held = _held(name, tensor, node)
    return replace(held, tensor=data) if held.is_output else held


_PLAIN = (torch.Tensor, torch.nn.Parameter, type(None))


def _held(name: str, tensor: torch.Tensor, node: Any) -> SavedTensorState:
    if tensor.grad_fn is node:
        return SavedTensorState(name, "held", tensor, is_output=True, output_nr=tensor.output_nr)
    return SavedTensorState(name, "held", tensor)


# Tensors, if wrappers do not show hooks


def _saved_without_wrappers(node: Any, value: Callable[[Any, str], Any]) -> list[SavedTensorState]:
    if _names_of(type(node)).is_custom:  # its class may allow only one access
        WRAPPERS.miss()
        return [SavedTensorState("saved_tensors", "unknown", None)]
    names = _names_of(type(node)).tensors
    if not names:
        return []
    if not HOOKS.are_certainly_absent(node):
        WRAPPERS.miss()
        return [SavedTensorState(name, "unknown", None) for name, _, _ in names]
    found = []
    for name, saved, _ in names:
        try:
            tensors = value(node, saved)
        except RuntimeError as error:
            found.append(SavedTensorState(name, "modified" if _MODIFIED in str(error) else "released", None))
            continue
        if isinstance(tensors, (list, tuple)):
            found += [_or_empty(f"{name}[{k}]", tensor, node) for k, tensor in enumerate(tensors)]
        else:
            found.append(_or_empty(name, tensors, node))
    return found


def _or_empty(name: str, tensor: Any, node: Any) -> SavedTensorState:
    return _held(name, tensor, node) if isinstance(tensor, torch.Tensor) else SavedTensorState(name, "empty", None)


class HookWatch:
    """Detects whether the script uses saved-tensor hooks, from `install` to `uninstall`.

    Only needed if torch's wrappers do not show it; otherwise it does nothing.
    """

    def __init__(self) -> None:
        self._patch: Patch | None = None
        self._used = False
        self._thread = 0
        self._first = 0

    def install(self) -> None:
        """Start watching, in the calling thread. Does nothing if it is watching."""
        if self._patch is not None or WRAPPERS.is_available:
            return
        self._used, self._thread, self._first = False, threading.get_ident(), sequence_counter()()
        self._patch = Patch((torch.autograd.graph.saved_tensors_hooks,), "__enter__", self._noting)
        self._patch.install()

    def uninstall(self) -> None:
        """Stop watching."""
        if self._patch is not None:
            self._patch.uninstall()
            self._patch = None

    def are_certainly_absent(self, node: Any) -> bool:
        """Whether no hook can have packed what this Node saved."""
        if self._patch is None or self._used or threading.get_ident() != self._thread:
            return False
        return sequence_number_of(node) >= self._first

    def _noting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __enter__(context: Any) -> Any:
            self._used = True
            return original(context)

        return __enter__


HOOKS = HookWatch()
"""Process-wide, like torch's hooks."""
