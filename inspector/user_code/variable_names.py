"""The user's names for tensors: variables, attributes, items, and parameters of modules.

Names are looked up in the frames at the backward call, innermost first, then in the globals, and last among the
arguments of functions, since the caller's name says more. No object is kept alive: the result maps the identity of
a tensor to a text.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any, NamedTuple

import torch
from msgspec import Struct

from inspector.user_code.container_search import ContainerSearch
from inspector.user_code.module_tree import Keeper, ModuleTree, module_tree
from inspector.user_code.paths import UserFiles
from inspector.util.frame_locals import frames_outwards, loop_variables, variables_of


class Owner(Struct, frozen=True):
    """The module that a parameter belongs to.

    model: the name of the outermost module in the script. keeper: for a parameter in a plain list or dict, which
    `parameters()` does not return, the class of the module and its attribute; else None.
    """

    model: str
    keeper: tuple[type, str] | None = None


class _HeldModule(NamedTuple):
    """A module in a variable. is_users: whether the variable, or the module's class, is the user's. code: what
    assigns the variable, if that is known."""

    name: str
    module: torch.nn.Module
    is_users: bool
    code: CodeType | None = None

    @property
    def is_of_loop(self) -> bool:
        """Whether it is the variable of a loop, which holds its last item after it."""
        return self.code is not None and self.name in loop_variables(self.code)


class Names:
    """Names by the identity of the tensor. A variable takes precedence over an item of a container, but the path
    of a parameter, or of an item, over the variable of a loop; so it is with modules.

    The tensors are kept alive during the search, so that identities are unique.
    """

    def __init__(self) -> None:
        self._named: dict[int, tuple[torch.Tensor, str]] = {}
        self._codes: dict[int, CodeType] = {}  # by tensor, the code whose variable named it
        self._modules: dict[int, _HeldModule] = {}
        self._owners: dict[int, Owner] = {}
        self._trees: dict[int, ModuleTree] = {}  # they keep their modules alive, so ids are unique
        self._containers = ContainerSearch()
        self._outermost: list[_HeldModule] = []  # set by `add_parameters`
        self.given: list[tuple[str, torch.nn.Module]] = []
        """The modules of `add_module`, each with the prefix of its paths."""

    @property
    def outermost(self) -> list[tuple[str, torch.nn.Module]]:
        """The modules that are not inside another one, with their variables."""
        return [(held.name, held.module) for held in self._outermost]

    def name(self, tensor: torch.Tensor) -> str | None:
        """The first name found for `tensor`."""
        found = self._named.get(id(tensor))
        return None if found is None else found[1]

    def held(self, tensor: torch.Tensor) -> torch.Tensor:
        """The parameter that a module holds, for the whole tensor that `fully_shard` made of its shards; other
        tensors as they are."""
        return self._named[id(tensor)][0] if id(tensor) in self._named else tensor

    def rows(self) -> Iterator[tuple[torch.Tensor, str, Owner | None]]:
        """Every tensor with its name and, for a parameter, its owner."""
        for key, (tensor, name) in self._named.items():
            if key == id(tensor):  # else it is the parameter of a whole tensor
                yield tensor, name, self._owners.get(key)

    def add(self, name: str, tensor: torch.Tensor) -> None:
        """Name `tensor`, unless it has a name."""
        self._named.setdefault(id(tensor), (tensor, name))

    def add_variables(
        self, variables: Mapping[str, Any], code: CodeType | None = None, *, is_library: bool = False
    ) -> None:
        """Name the tensors in the variables of one scope. The contents of containers are named by `add_items`.

        code: the code that assigns the variables. is_library: whether it is the code of a library.
        """
        for name, value in list(variables.items()):
            kind = type(value)
            if not name.isidentifier():  # `.0` of a comprehension, `@py_assert1` of a test
                continue
            if issubclass(kind, torch.Tensor):
                if code is not None and id(value) not in self._named:
                    self._codes[id(value)] = code
                self.add(name, value)
            elif issubclass(kind, torch.nn.Module):
                self._add_held(_HeldModule(name, value, not is_library, code))
            elif not name.startswith("__"):
                self._containers.add(name, value, is_library=is_library)

    def add_parameters(self, files: UserFiles | None = None) -> None:
        """Name the parameters and buffers of all modules, also in containers, by paths in the outermost module.

        With several outermost modules, the name starts with the variable, `generator.fc.weight`; see `modules`.
        files: tell which classes are the user's.
        """
        self._containers.search()
        for name, module, in_users_variable in self._containers.modules:
            is_users = in_users_variable and "._" not in name  # what an object keeps private is its own
            self._add_held(_HeldModule(name, module, is_users))
        self._outermost = [
            _HeldModule(name, module, is_users or (files is not None and files.defines(type(module))))
            for name, module, is_users, _ in self._find_outermost()
        ]
        prefixes: dict[int, str] = {}
        for name, module in self.modules():
            prefixes[id(module)] = name
            self._add_tree(name, self.tree(module))
        for name, module in self.outermost:
            prefix, owner, tree = prefixes.get(id(module), ""), Owner(name), self.tree(module)
            for _, parameter in tree.parameters:
                self._owners.setdefault(id(parameter), owner)
            for path, tensor, keeper in _unregistered_tensors(tree):
                self.add(f"{prefix}.{path}" if prefix else path, tensor)
                if issubclass(type(tensor), torch.nn.Parameter):
                    self._owners.setdefault(id(tensor), Owner(name, keeper))

    def _add_held(self, given: _HeldModule) -> None:
        """Name a module, unless it has a name that says more."""
        held = self._modules.setdefault(id(given.module), given)
        if held is given or (held.is_users and not given.is_users):
            return
        # `trainer.model` says more than `pl_module`, and `members[2]` more than the `member` of a loop
        if given.is_users > held.is_users or (held.is_of_loop and not given.is_of_loop):
            self._modules[id(given.module)] = given

    def add_module(self, name: str, module: torch.nn.Module) -> None:
        """Name the parameters and buffers of one module. name: the prefix of their paths, or ""."""
        self.given.append((name, module))
        self._add_tree(name, self.tree(module))

    def modules(self) -> list[tuple[str, torch.nn.Module]]:
        """The outermost modules with tensors, each with the prefix of its paths: its variable, or nothing for the
        only model.

        That is the only module of the user with parameters, or the only one of all if none is the user's. Trainers
        hold others in their variables: metrics, losses, averaged copies.
        """
        outermost = [held for held in self._outermost if next(self.tree(held.module).tensors(), None) is not None]
        models = [held for held in outermost if self.tree(held.module).parameters] or outermost
        models = [held for held in models if held.is_users] or models
        only = models[0] if len(models) == 1 else None
        return [("" if held is only else held.name, held.module) for held in outermost]

    def owner(self, tensor: torch.Tensor) -> Owner | None:
        """The owner of a parameter; None for a tensor that is not a parameter of a module."""
        return self._owners.get(id(tensor)) if id(tensor) in self._named else None

    def tree(self, module: torch.nn.Module) -> ModuleTree:
        """The contents of a module, as of the first call."""
        if id(module) not in self._trees:
            self._trees[id(module)] = module_tree(module)
        return self._trees[id(module)]

    def _add_tree(self, name: str, tree: ModuleTree) -> None:
        prefix = f"{name}." if name else ""
        for path, tensor in tree.tensors():
            self._add_path(prefix + path, tensor)
        for key, (_, parameter) in tree.sharded.items():
            self._named[key] = self._named.get(id(parameter), (parameter, ""))

    def _add_path(self, path: str, tensor: torch.Tensor) -> None:
        """Name a tensor by its path, also if the variable of a loop still holds it."""
        code = self._codes.pop(id(tensor), None)
        if code is not None and self._named[id(tensor)][1] in loop_variables(code):
            self._named[id(tensor)] = (tensor, path)
        self.add(path, tensor)

    def _find_outermost(self) -> list[_HeldModule]:
        inner = {id(child) for held in self._modules.values() for _, child in self.tree(held.module).modules[1:]}
        found = {key: held for key, held in self._modules.items() if key not in inner}
        for key, held in list(found.items()):
            for _, kept, _ in self.tree(held.module).unregistered if key in found else ():
                # not outermost: the variable of a loop over them
                for _, child in module_tree(kept).modules if isinstance(kept, torch.nn.Module) else ():
                    found.pop(id(child), None)
        return list(found.values())

    def add_items(self) -> None:
        """Name the contents of the containers found so far; `trainable[0]` has lower precedence than a parameter's
        path, and higher than the variable of a loop, as all items of the container are named alike."""
        for name, tensor in self._containers.tensors:
            self._add_path(name, tensor)


def names_from(
    frame: FrameType | None, files: UserFiles, given: Iterable[tuple[str, torch.nn.Module]] = ()
) -> Names:
    """The names in the frames from `frame` outwards: user code first, then libraries.

    The locals of a library matter if it calls backward for the user (a Trainer's `model`). given: modules whose
    tensors are always named by their paths.
    """
    names = Names()
    for name, module in given:
        names.add_module(name, module)
    frames = [item for item in frames_outwards(frame) if _package_of(item) not in _KNOW_NO_MODEL]
    ours = [item for item in frames if files.is_users(item.f_code.co_filename)]
    others = [item for item in frames if item not in ours]
    seen: set[int] = set()
    codes = {id(item.f_globals): item.f_code for item in ours if item.f_code.co_name == "<module>"}
    for item in ours:
        _add_frame(names, item, seen, codes)
    for item in others:
        _add_frame(names, item, seen, None)
    for item in ours + others:
        if item.f_code.co_flags & inspect.CO_OPTIMIZED:
            variables = _variables(item, arguments=True)
            names.add_variables(variables, item.f_code, is_library=item in others)
    names.add_parameters(files)
    names.add_items()
    return names


_TEST_RUNNERS = ("_pytest", "pluggy", "pytest", "xdist", "execnet", "unittest")
_NOTEBOOKS = ("IPython", "ipykernel", "traitlets", "tornado", "asyncio")
_KNOW_NO_MODEL = frozenset([str(__package__).partition(".")[0], "torch", *_TEST_RUNNERS, *_NOTEBOOKS])
"""Packages whose variables name no tensor of the script: `relevant_args[0]`, the parameters of another test."""


def _package_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _add_frame(names: Names, frame: FrameType, seen: set[int], codes: Mapping[int, CodeType] | None) -> None:
    """codes: the running module code, by the id of its globals; None for a frame of a library, whose globals are
    left out."""
    if frame.f_code.co_filename.startswith("<frozen"):
        return
    if frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        names.add_variables(_variables(frame, arguments=False), frame.f_code, is_library=codes is None)
    elif id(frame.f_locals) not in seen:
        seen.add(id(frame.f_locals))
        names.add_variables(frame.f_locals, frame.f_code, is_library=codes is None)
    if codes is not None and id(frame.f_globals) not in seen:
        seen.add(id(frame.f_globals))
        names.add_variables(frame.f_globals, codes.get(id(frame.f_globals)))


def _variables(frame: FrameType, *, arguments: bool) -> dict[str, Any]:
    """The arguments of a function's frame, or its other variables."""
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    given = frozenset(code.co_varnames[:count])
    return {name: value for name, value in variables_of(frame).items() if (name in given) == arguments}


def _unregistered_tensors(tree: ModuleTree) -> Iterator[tuple[str, torch.Tensor, Keeper]]:
    for path, kept, keeper in tree.unregistered:
        if isinstance(kept, torch.nn.Module):
            yield from ((f"{path}.{below}", tensor, keeper) for below, tensor in module_tree(kept).tensors())
        else:
            yield path, kept, keeper
