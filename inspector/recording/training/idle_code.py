"""The statements of the script that have no effect, found in its text and judged by what its variables hold."""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

import torch

from inspector.graph.row_types import Source
from inspector.graph.traversal import reach
from inspector.report.row_types import StatementKind, StatementRow
from inspector.torch_api.modules import children_of
from inspector.user_code.idle_statements import REQUIRES_GRAD, Idle, called_functions, idle_statements, is_misspelt
from inspector.user_code.partial_assignments import partial_assignments
from inspector.user_code.paths import UserFiles
from inspector.util.frame_locals import frames_outwards, variables_of

_NO_TWIN = frozenset(["to", "cuda", "float", "half", "double", "bfloat16"])
"""Methods of a tensor that return another one, and have no form that works in place."""

_TENSORS_OF_TENSORS = ("data", "grad")
"""Attributes that torch computes: reading them could be seen by the script."""

_MOST = 20
"""Maximum number of rows: a file that is not what it looks like should not fill the report."""

_SHOWN, _NOTEBOOK = ("compared", "dropped"), "get_ipython"
"""A notebook shows the value of the last expression of a cell, and has this variable."""

_OF_ONE = ("mode", "group")
"""Assignments that are partial only if their owner has other parts."""

_CALLS = 8
"""Number of recorded calls at which the variables are looked at."""


class IdleCode:
    """Collects the statements without effect in the files of the user whose functions make backward calls.

    Of functions that are not running then, it reports only what is certain without their variables; and nothing of
    functions that nothing in their file refers to.
    """

    def __init__(self, files: UserFiles) -> None:
        self._files = files
        self._found: dict[tuple[str, int, str], StatementRow] = {}
        self._calls = 0

    @property
    def rows(self) -> list[StatementRow]:
        """The statements found so far, by file and line."""
        return [self._found[key] for key in sorted(self._found)][:_MOST]

    def read(self, frame: FrameType | None) -> None:
        """A backward call is made. frame: the innermost one.

        The first calls are enough: a variable that a loop assigns after the first step has its value at the next
        one, some calls later where gradients are accumulated.
        """
        self._calls += 1
        if self._calls > _CALLS:
            return
        for path, running in _scopes(frame, self._files).items():
            text = "".join(linecache.getlines(path))
            known = called_functions(text)
            for idle in (*idle_statements(text), *partial_assignments(text)):
                variables = running.get(idle.function)
                if variables is None and idle.kind == "attribute":
                    variables = _self_of(idle, running, path)
                elif variables is None and idle.kind in _OF_ONE:
                    variables = _by_name(idle, running)
                is_shown = idle.function is None and idle.kind in _SHOWN and _NOTEBOOK in running[None]
                if not is_shown and (variables is not None or idle.function in known):
                    row = _row(idle, variables or {}, path, self._files)
                    if row is not None:
                        self._found.setdefault((row["source"]["file"], idle.line, idle.text), row)


def _scopes(frame: FrameType | None, files: UserFiles) -> dict[str, dict[str | None, Mapping[str, Any]]]:
    """The user's files with running functions: for each function by name (None: the top level) its variables."""
    found: dict[str, dict[str | None, Mapping[str, Any]]] = {}
    for outer in frames_outwards(frame):
        code = outer.f_code
        if files.is_users(code.co_filename):
            name = None if code.co_name == "<module>" else code.co_name
            variables = {**outer.f_globals, **({} if name is None else variables_of(outer))}
            scopes = found.setdefault(code.co_filename, {None: outer.f_globals})
            scopes.setdefault(name, variables)
    return found


def _self_of(
    idle: Idle, running: Mapping[str | None, Mapping[str, Any]], path: str
) -> dict[str, torch.nn.Module] | None:
    """The `self` of a method that has returned, as a variable, if a module among the variables has that method of
    that file; None if there is none. What `__init__` set is still there."""
    held = [value for variables in running.values() for value in variables.values()]
    starts = (value for value in held if _is_a(value, torch.nn.Module))
    for module in reach(starts, _inner):
        for kind in type(module).__mro__:
            code = getattr(vars(kind).get(idle.function or ""), "__code__", None)
            if not isinstance(code, CodeType) or code.co_filename != path or not code.co_argcount:
                continue
            if any(line == idle.line for _, _, line in code.co_lines()):
                return {code.co_varnames[0]: module}
    return None


def _by_name(idle: Idle, running: Mapping[str | None, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The variables of a running function in which the owner of an assignment has a value; None if there is none.

    A function that has returned was usually given what its callers call by the same name.
    """
    found = (variables for variables in running.values() if any(True for _ in _values(idle.owner, variables)))
    return next(found, None)


def _inner(module: torch.nn.Module) -> list[torch.nn.Module]:
    return [inner for inner in (children_of(module) or {}).values() if inner is not None]


def _row(idle: Idle, variables: Mapping[str, Any], path: str, files: UserFiles) -> StatementRow | None:
    owner = next(_values(idle.owner, variables), None)
    kind = _JUDGES[idle.kind](idle, owner)
    if kind is None:
        return None
    code = files.statement_at(path, idle.line)
    source: Source = {"file": files.display_path(path), "line": idle.line, "code": code}
    of = None if owner is None else type(owner).__name__
    row: StatementRow = {"kind": kind, "source": source, "text": idle.text, "of": of}
    if kind == "of_parent" and owner is not None:
        row["inside"] = [name for name, _ in _modes_inside(owner)]
    return row


def _values(expression: Any, variables: Mapping[str, Any]) -> Iterator[Any]:
    """What a name or a chain of attributes holds, read without running any code of the script."""
    name = getattr(expression, "id", None)
    if name is not None:
        yield from (variables[name],) if name in variables else ()
        return
    attribute = getattr(expression, "attr", None)
    if attribute is not None:
        for owner in _values(expression.value, variables):
            if attribute in _TENSORS_OF_TENSORS and type(owner) in (torch.Tensor, torch.nn.Parameter):
                yield owner  # another tensor, of which nothing but its class counts
                continue
            held = _attributes(owner)
            tables = (held, *(held.get(key) or {} for key in ("_parameters", "_buffers", "_modules")))
            yield from (table[attribute] for table in tables if isinstance(table, dict) and attribute in table)


def _attributes(owner: Any) -> dict[str, Any]:
    """The attributes of an object itself, whatever its class makes of them."""
    try:
        return dict(object.__getattribute__(owner, "__dict__"))
    except AttributeError:
        return {}


def _is_a(owner: Any, *kinds: type) -> bool:
    return issubclass(type(owner), kinds)  # isinstance asks `__class__`, which may be user code


def _not_called(idle: Idle, owner: Any) -> StatementKind | None:
    found = next((vars(kind)[idle.name] for kind in type(owner).__mro__ if idle.name in vars(kind)), None)
    return "not_called" if owner is None or callable(found) else None


def _compared(idle: Idle, owner: Any) -> StatementKind | None:
    of_torch = owner is None or _is_a(owner, torch.Tensor, torch.nn.Module, torch.optim.Optimizer)
    return "compared" if of_torch else None


def _dropped(idle: Idle, owner: Any) -> StatementKind | None:
    if not _is_a(owner, torch.Tensor) or idle.name.endswith("_"):
        return None
    return "dropped" if idle.name in _NO_TWIN or hasattr(torch.Tensor, f"{idle.name}_") else None


def _attribute(idle: Idle, owner: Any) -> StatementKind | None:
    if is_misspelt(idle.name):
        return "misspelt" if owner is None or _is_a(owner, torch.Tensor, torch.nn.Module) else None
    if _is_a(owner, torch.nn.Module):
        return "of_module" if idle.name == REQUIRES_GRAD and REQUIRES_GRAD in _attributes(owner) else None
    if _is_a(owner, torch.optim.Optimizer) and type(owner).__module__.startswith("torch.optim"):
        return "of_optimizer" if idle.name in owner.defaults else None
    return None


def _rebound(idle: Idle, owner: Any) -> StatementKind | None:
    return "rebound" if owner is None or _is_a(owner, torch.Tensor) else None


def _mode(idle: Idle, owner: Any) -> StatementKind | None:
    """Whether modules inside a module depend on the mode that is set on the outer one alone."""
    if not _is_a(owner, torch.nn.Module) or not _modes_inside(owner):
        return None
    kinds = type(owner).__mro__
    names = {name for kind in kinds for name in (_names_in(vars(kind).get("forward")) | vars(kind).keys())}
    return None if "training" in names else "of_parent"  # it reads the mode itself, or sets it in its own way


def _names_in(function: Any) -> set[str]:
    code = getattr(function, "__code__", None)
    return set(code.co_names) if isinstance(code, CodeType) else set()


def _modes_inside(module: torch.nn.Module, path: str = "") -> list[tuple[str, torch.nn.Module]]:
    """The modules with dropout or batch norm inside a module, with their paths."""
    found = []
    for name, inner in (children_of(module) or {}).items():
        if inner is not None:
            found += [(path + name, inner)] if _is_a(inner, *_WITH_MODE) else []
            found += _modes_inside(inner, f"{path}{name}.")
    return found


def _group(idle: Idle, owner: Any) -> StatementKind | None:
    """Whether an option is set of one of several groups that are there for the sake of another option."""
    if not _is_a(owner, torch.optim.Optimizer) or idle.name not in owner.defaults:
        return None
    others = [
        {key: value for key, value in group.items() if key not in ("params", "initial_lr", idle.name)}
        for group in owner.param_groups
    ]
    return "of_group" if any(other != others[0] for other in others[1:]) else None


_WITH_MODE = (
    *(torch.nn.Dropout, torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d, torch.nn.AlphaDropout),
    *(torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d, torch.nn.SyncBatchNorm),
)

_JUDGES = {
    "not_called": _not_called,
    "compared": _compared,
    "dropped": _dropped,
    "attribute": _attribute,
    "rebound": _rebound,
    "mode": _mode,
    "group": _group,
}
"""What a statement of this kind is; None if it may have an effect. owner: what its expression before the last dot
holds; None if that is unknown."""
