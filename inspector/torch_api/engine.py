"""The autograd engine: its entry point, whether it is running, and its current Node."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
import torch.autograd.graph
from torch.utils.hooks import RemovableHandle

from inspector.torch_api.capability import Capability
from inspector.torch_api.patch import Patch

OUTSIDE = -1
"""torch's graph task id while the engine is not running."""


class EngineArguments(NamedTuple):
    """The arguments of an engine call.

    outputs: the tensors and GradientEdges it starts from. inputs: the tensors whose gradients are requested, empty
    for all leaves. accumulates: whether it adds to the leaves' `grad`. creates_graph: whether it runs under
    create_graph. gradients: the initial gradients of the outputs, each None where it is implicit; empty if
    unknown.
    """

    outputs: tuple[Any, ...]
    inputs: tuple[Any, ...]
    accumulates: bool
    creates_graph: bool
    gradients: tuple[Any, ...]


class EntryPoint(NamedTuple):
    """An entry point of the engine: the modules and classes that hold the function, its name, how to read its
    arguments, and from these the outputs of a call that adds to the leaves' `grad`."""

    owners: tuple[Any, ...]
    name: str
    read: Callable[..., EngineArguments]
    roots: Callable[[tuple[Any, ...], dict[str, Any]], Any]


def _several(given: Any) -> tuple[Any, ...]:
    """One tensor, a sequence of them or None, as a tuple."""
    if given is None:
        return ()
    return tuple(given) if isinstance(given, (list, tuple)) else (given,)


def _of_engine(
    t_outputs: Any,
    grad_tensors: Any,
    keep_graph: Any,
    create_graph: Any,
    inputs: Any = (),
    *others: Any,
    accumulate_grad: bool = False,
    **options: Any,
) -> EngineArguments:
    """The arguments of `_engine_run_backward`."""
    gradients = tuple(grad_tensors)
    return EngineArguments(
        tuple(t_outputs), tuple(inputs or ()), bool(accumulate_grad), bool(create_graph), gradients
    )


def _roots_of_engine(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0] if kwargs.get("accumulate_grad") else ()


def _roots_of_backward(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return _several(args[0] if args else kwargs["tensors"])


def _of_backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: Any = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> EngineArguments:
    """The arguments of `torch.autograd.backward`."""
    return EngineArguments(_several(tensors), _several(inputs), True, bool(create_graph), _several(grad_tensors))


def _of_grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: Any = None,
    create_graph: bool = False,
    *others: Any,
    **options: Any,
) -> EngineArguments:
    """The arguments of `torch.autograd.grad`."""
    return EngineArguments(_several(outputs), _several(inputs), False, bool(create_graph), _several(grad_outputs))


def _find_entry_point() -> EntryPoint:
    owners = (torch.autograd.graph, torch.autograd)  # both modules hold it
    for owner in owners:
        if not callable(vars(owner)["_engine_run_backward"]):
            raise TypeError("_engine_run_backward is not a function")
    return EntryPoint(owners, "_engine_run_backward", _of_engine, _roots_of_engine)


ENTRY_POINT = Capability(
    "engine entry point",
    "only backward(), torch.autograd.backward and torch.autograd.grad are recorded, no other use of the engine, "
    "and their inputs are not always known",
    _find_entry_point,
)

_DOCUMENTED = (
    EntryPoint((torch.autograd,), "backward", _of_backward, _roots_of_backward),  # `Tensor.backward` looks there
    EntryPoint((torch.autograd,), "grad", _of_grad, lambda args, kwargs: ()),
)


def entry_points() -> tuple[EntryPoint, ...]:
    """The functions that every engine call from Python passes through; the documented ones if torch has no common
    one."""
    found = ENTRY_POINT.parts
    return _DOCUMENTED if found is None else (found,)


def read_arguments(
    entry_point: EntryPoint, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> EngineArguments | None:
    """The arguments of an entry point's call; None for arguments that torch is about to refuse."""
    try:
        return entry_point.read(*args, **kwargs)
    except Exception as error:
        if entry_point in _DOCUMENTED:
            return None
        ENTRY_POINT.turn_off(error)  # torch itself calls it, never with wrong arguments
        return EngineArguments(_several(args[0]), (), True, False, ()) if args else None


def _find_graph_task() -> Callable[[], int]:
    current: Callable[[], int] = torch._C._current_graph_task_id
    if not isinstance(current(), int):
        raise TypeError("the graph task has no id")
    return current


GRAPH_TASK = Capability(
    "current graph task",
    "a backward() inside a hook on a device counts as a separate call, and what hooks compute as part of the "
    "forward",
    _find_graph_task,
)


def graph_task() -> Callable[[], int]:
    """A function that returns the id of the graph task of the calling thread, and `OUTSIDE` where there is none or
    torch cannot tell."""
    return GRAPH_TASK.parts or (lambda: OUTSIDE)


def in_backward() -> bool:
    """Whether the calling thread is inside a backward pass; False if torch cannot tell."""
    current = GRAPH_TASK.parts
    if current is None:
        return False
    try:
        return current() != OUTSIDE
    except Exception as error:
        GRAPH_TASK.turn_off(error)
        return False


def _find_current_node() -> Callable[[], Any]:
    current: Callable[[], Any] = torch._C._current_autograd_node
    if current() is not None and not torch._C._current_graph_task_id() != OUTSIDE:
        raise TypeError("a Node runs outside of backward")
    return current


CURRENT_NODE = Capability(
    "current Node",
    "gradients are captured by one hook per Node, which is slower",
    _find_current_node,
)


class _HookDict(NamedTuple):
    """Registers a dictionary of hooks with a Node, as `Tensor.register_hook` does."""

    register: Callable[[Any, Any], None]


def _find_hook_dict() -> _HookDict:
    accumulate_grad = vars(torch._C._functions)["AccumulateGrad"]
    if not callable(accumulate_grad._register_hook_dict) or not hasattr(torch.Tensor, "_backward_hooks"):
        raise AttributeError("_register_hook_dict")
    return _HookDict(_register_hook_dict)


def _register_hook_dict(node: Any, carrier: torch.Tensor) -> None:
    type(node)._register_hook_dict(node, carrier)  # a custom Function may have set it on its `ctx`


HOOK_DICT = Capability(
    "hook dictionaries", "gradients of light recordings are captured by slower hooks", _find_hook_dict
)


def register_shared(node: Any, carrier: torch.Tensor) -> bool:
    """Run the hooks of `carrier` (`hook_carrier`) when a gradient arrives at output 0 of `node`.

    Returns False if torch does not allow it.
    """
    parts = HOOK_DICT.parts
    if parts is None:
        return False
    try:
        parts.register(node, carrier)
    except Exception as error:
        HOOK_DICT.turn_off(error)
        return False
    return True


def hook_carrier(hooks: dict[int, Callable[..., Any]]) -> torch.Tensor:
    """A tensor whose hooks are the values of `hooks`, now and later."""
    carrier = torch.empty(0, device="cpu")
    carrier._backward_hooks = hooks
    return carrier


class _Registrar(NamedTuple):
    """The class and the name of the function that torch calls to add a hook to those of a Node, and a function
    that returns a new key for a hook."""

    owner: Any
    name: str
    new_key: Callable[[], int]


def _find_registrar() -> _Registrar:
    found = _Registrar(torch.autograd.function._HookMixin, "_register_hook", _new_key)
    hooks, handle = getattr(found.owner, found.name)(None, bool)
    if dict(hooks) != {handle.id: bool}:
        raise TypeError("_register_hook does not return hooks by the key of a handle")
    return found


def _new_key() -> int:
    key: int = RemovableHandle(OrderedDict()).id
    return key


REGISTRAR = Capability(
    "hook registration", "every hook on a Node of a full recording has a handle, which is slower", _find_registrar
)


class HooksByKey:
    """Hooks on Nodes, as `Node.register_prehook` and `Node.register_hook` add them.

    torch makes a handle for each, which takes longer than all else. Here, hooks that are added together are
    removed by one key.
    """

    def __init__(self) -> None:
        self._added: list[tuple[int, list[dict[int, Any]]]] = []
        self._handles: list[Any] = []

    def add(
        self, nodes: Sequence[Any], before: Callable[..., None], after: Callable[..., None] | None = None
    ) -> None:
        """Add a prehook to each Node, and a hook if one is given."""
        parts = REGISTRAR.parts
        if parts is not None:
            try:
                self._added.append(_add_with_one_key(nodes, before, after, parts))
                return
            except Exception as error:
                REGISTRAR.turn_off(error)
        self._handles += _register(nodes, before, after)

    def __len__(self) -> int:
        """The number of hooks that were not removed."""
        return sum(len(dictionaries) for _, dictionaries in self._added) + len(self._handles)

    def remove(self) -> None:
        """Remove the hooks."""
        while self._added:
            _remove(*self._added.pop())
        while self._handles:
            self._handles.pop().remove()


def _add_with_one_key(
    nodes: Sequence[Any], before: Callable[..., None], after: Callable[..., None] | None, parts: _Registrar
) -> tuple[int, list[dict[int, Any]]]:
    """Add hooks; returns their key, and the dictionaries that they were added to."""
    key, dictionaries = parts.new_key(), list[dict[int, Any]]()

    def without_handles(original: Any) -> Any:
        def _register_hook(hooks: dict[int, Any] | None, hook: Any) -> tuple[dict[int, Any], Any]:
            if hook is not before and hook is not after:  # of another thread
                found: tuple[dict[int, Any], Any] = original(hooks, hook)
                return found
            if hooks is None:
                hooks = OrderedDict()
            hooks[key] = hook
            dictionaries.append(hooks)
            return hooks, None

        return staticmethod(_register_hook)

    patch = Patch((parts.owner,), parts.name, without_handles)
    patch.install()
    try:
        _register(nodes, before, after)
    except BaseException:
        _remove(key, dictionaries)
        raise
    finally:
        patch.uninstall()
    return key, dictionaries


def _remove(key: int, dictionaries: Iterable[dict[int, Any]]) -> None:
    for hooks in dictionaries:
        hooks.pop(key, None)


def _register(
    nodes: Sequence[Any], before: Callable[..., None], after: Callable[..., None] | None
) -> list[Any]:
    """Add the hooks to each Node, by the methods of its class: a custom Function may have set `ctx.register_hook`.
    Returns the handles."""
    handles = []
    for node in nodes:
        kind = type(node)
        handles.append(kind.register_prehook(node, before))
        if after is not None:
            handles.append(kind.register_hook(node, after))
    return handles
