"""The statements of the script that have no effect, found in its text and judged by what its variables hold."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import CodeType, FrameType, ModuleType
from typing import Any, TypeAlias

import torch
from msgspec import Struct

from inspector.graph.row_types import Source
from inspector.graph.traversal import reach
from inspector.recording.training.stray_attributes import (
    attributes_of,
    is_a,
    is_stray,
    modules_inside,
    stray_attributes,
)
from inspector.report.row_types import StatementKind, StatementRow
from inspector.torch_api.modules import children_of
from inspector.user_code.idle_statements import (
    Idle,
    called_functions,
    idle_statements,
    is_misspelt,
    own_attributes,
)
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

_Scopes: TypeAlias = dict[str, dict[str | None, Mapping[str, Any]]]
"""The user's files with running functions: for each function by name (None: the top level) its variables."""


class Seen(Struct, frozen=True):
    """What was seen of the run beside its variables.

    operations: returns the lines of user code that called an operation themselves, as file, line and operation.
    objects: returns modules and optimizers of the script.
    """

    operations: Callable[[], AbstractSet[tuple[str, int, str]]] = frozenset
    objects: Callable[[], Iterable[Any]] = tuple


class IdleCode:
    """Collects the statements without effect in the files of the user whose functions make backward calls.

    Of functions that are not running then, it reports only what is certain without their variables; and nothing of
    functions that nothing in their file refers to.
    """

    def __init__(self, files: UserFiles, seen: Seen | None = None) -> None:
        self._files = files
        self._seen = seen or Seen()
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
        unplaced: list[tuple[Idle, str]] = []
        own: set[str] = set()
        scopes = _scopes(frame, self._files)
        for path, running in scopes.items():
            text = "".join(linecache.getlines(path))
            known = called_functions(text)
            for idle in (*idle_statements(text), *partial_assignments(text)):
                variables = running.get(idle.function)
                if variables is None and idle.kind == "attribute":
                    variables = _self_of(idle, running, path)
                elif variables is None and idle.kind in _OF_ONE:
                    variables = _by_name(idle, running)
                is_shown = idle.function is None and idle.kind in _SHOWN and _NOTEBOOK in running[None]
                owner = next(_values(idle.owner, variables or {}), None)
                is_called = variables is not None or idle.function in known
                if not is_shown and (is_called or idle.kind == "dropped"):  # which was seen to run
                    self._note(idle, owner, path)
                if owner is None and idle.kind == "attribute":
                    unplaced.append((idle, path))
            own |= own_attributes(text)
        if unplaced:
            self._place([(idle, path) for idle, path in unplaced if idle.name not in own], scopes)

    def _note(self, idle: Idle, owner: Any, path: str) -> None:
        """Add the row of a statement if it has no effect. owner: what its expression before the last dot holds."""
        kind = _JUDGES[idle.kind](idle, owner)
        if kind is None and idle.kind == "dropped" and _may_drop(idle, owner):
            kind = "dropped" if (path, idle.line, idle.name) in self._seen.operations() else None
        if kind is not None:
            row = _row(kind, idle, owner, path, self._files)
            self._found.setdefault((row["source"]["file"], idle.line, idle.text), row)

    def _place(self, unplaced: Iterable[tuple[Idle, str]], scopes: _Scopes) -> None:
        """Find which assignments, whose owners are unknown, set the attributes that torch does not read.

        Only one assignment can have set an attribute that no known one has.
        """
        known = {row["text"].rpartition(".")[2] for row in self._found.values()}
        variables = [value for running in scopes.values() for held in running.values() for value in held.values()]
        strays = stray_attributes([*variables, *self._seen.objects()])
        for name in strays.keys() - known:
            able = [(idle, path) for idle, path in unplaced if idle.name == name]
            if len({(path, idle.line) for idle, path in able}) == 1:
                self._note(able[0][0], strays[name], able[0][1])


def _scopes(frame: FrameType | None, files: UserFiles) -> _Scopes:
    found: _Scopes = {}
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
    starts = (value for value in held if is_a(value, torch.nn.Module))
    for module in reach(starts, modules_inside):
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


def _row(kind: StatementKind, idle: Idle, owner: Any, path: str, files: UserFiles) -> StatementRow:
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
            held = attributes_of(owner)
            tables = (held, *(held.get(key) or {} for key in ("_parameters", "_buffers", "_modules")))
            yield from (table[attribute] for table in tables if isinstance(table, dict) and attribute in table)


def _not_called(idle: Idle, owner: Any) -> StatementKind | None:
    found = next((vars(kind)[idle.name] for kind in type(owner).__mro__ if idle.name in vars(kind)), None)
    return "not_called" if owner is None or callable(found) else None


def _compared(idle: Idle, owner: Any) -> StatementKind | None:
    of_torch = owner is None or is_a(owner, torch.Tensor, torch.nn.Module, torch.optim.Optimizer)
    return "compared" if of_torch else None


def _dropped(idle: Idle, owner: Any) -> StatementKind | None:
    return "dropped" if is_a(owner, torch.Tensor) and _returns_another(idle) else None


def _may_drop(idle: Idle, owner: Any) -> bool:
    """Whether a call drops the result of torch's operation of that name, if it is one: of a variable that is
    unknown, or a function (`torch.clamp(x, 0)`)."""
    is_name = isinstance(idle.owner, (ast.Name, ast.Attribute)) and (owner is None or is_a(owner, ModuleType))
    return is_name and _returns_another(idle) and not any(word in idle.text for word in ("out=", "inplace="))


def _returns_another(idle: Idle) -> bool:
    """Whether the operation of that name leaves a tensor as it is and returns another one."""
    if idle.name.endswith("_"):
        return False
    return idle.name in _NO_TWIN or hasattr(torch.Tensor, f"{idle.name}_")


def _attribute(idle: Idle, owner: Any) -> StatementKind | None:
    if is_misspelt(idle.name):
        return "misspelt" if owner is None or is_a(owner, torch.Tensor, torch.nn.Module) else None
    if is_stray(owner, idle.name):
        return "of_module" if is_a(owner, torch.nn.Module) else "of_optimizer"
    return None


def _rebound(idle: Idle, owner: Any) -> StatementKind | None:
    return "rebound" if owner is None or is_a(owner, torch.Tensor) else None


def _mode(idle: Idle, owner: Any) -> StatementKind | None:
    """Whether modules inside a module depend on the mode that is set on the outer one alone."""
    if not is_a(owner, torch.nn.Module) or not _modes_inside(owner):
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
            found += [(path + name, inner)] if is_a(inner, *_WITH_MODE) else []
            found += _modes_inside(inner, f"{path}{name}.")
    return found


def _group(idle: Idle, owner: Any) -> StatementKind | None:
    """Whether an option is set of one of several groups that are there for the sake of another option."""
    if not is_a(owner, torch.optim.Optimizer) or idle.name not in owner.defaults:
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
