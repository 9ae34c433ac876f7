"""The calls of modules that created every function, as a path."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import TypeVar

from inspector.graph.topology import Topology

Part = tuple[str, int]
"""One call of a module: its name in the enclosing one, and which pass through it this is. A module that was never
called, such as a ModuleList, is a part of the name: ("transformer.h.3", 1)."""
Path = tuple[Part, ...]
"""The calls around a function, outermost first: (("transformer.h.3", 1), ("attn", 1)); () for the outermost module
and for functions outside of modules."""

_DIGITS = re.compile(r"\d+")
_Step = TypeVar("_Step")


class ModulePaths:
    """The path of every function; for an AccumulateGrad, of the innermost call that contains all its users.

    known: the paths that there are. numbers: of the path of each function.
    named: the modules of the functions, split into names, if they were not recorded.
    """

    def __init__(self, of: Topology, named: Sequence[tuple[str, ...]] | None = None) -> None:
        self.known: list[Path] = []
        self._numbers: dict[Path, int] = {}
        if named is None:
            self.numbers = self._recorded(of)
        else:
            numbers = {names: self.number(tuple((name, 1) for name in names)) for names in dict.fromkeys(named)}
            self.numbers = list(map(numbers.__getitem__, named))
        commons: dict[tuple[int, int], int] = {}
        leaf = of.leaf_flags.find(1) if len(self.known) > 1 else -1
        while leaf >= 0:
            users = {self.numbers[user] for user in of.arrivals.of(leaf)}
            if users:
                self.numbers[leaf] = functools.reduce(functools.partial(self._common, commons), users)
            leaf = of.leaf_flags.find(1, leaf + 1)

    def number(self, path: Path) -> int:
        """The number of a path, a new one if it was not known."""
        number = self._numbers.setdefault(path, len(self.known))
        if number == len(self.known):
            self.known.append(path)
        return number

    def _common(self, commons: dict[tuple[int, int], int], one: int, other: int) -> int:
        if (one, other) not in commons:
            commons[one, other] = self.number(common(self.known[one], self.known[other]))
        return commons[one, other]

    def _recorded(self, of: Topology) -> list[int]:
        outside = self.number(())
        if str not in set(map(type, of.functions.modules)):
            return [outside] * len(of)
        found, result = dict[tuple[str, tuple[int, ...]], int](), list[int]()
        last_module: object = None
        last_passes, number = None, outside
        for module, passes in zip(of.functions.modules, of.functions.passes, strict=True):
            if module is not last_module or passes is not last_passes:
                last_module, last_passes, number = module, passes, outside
                if isinstance(module, str):
                    key = module, tuple(passes or ())
                    known = found.get(key)
                    number = found[key] = self.number(_path(*key)) if known is None else known
            result.append(number)
        return result


def name_of(path: Path) -> str:
    """The name of the innermost module: `transformer.h.3.attn`."""
    return ".".join(name for name, _ in path)


def names_in(path: Path) -> tuple[str, ...]:
    """The names along a path, without passes."""
    return tuple([name for name, _ in path]) if path else ()


def common(one: tuple[_Step, ...], other: tuple[_Step, ...]) -> tuple[_Step, ...]:
    """The common prefix of two paths."""
    if one == other:
        return one
    length = 0
    for mine, others in zip(one, other, strict=False):
        if mine != others:
            break
        length += 1
    return one[:length]


def _path(module: str, passes: tuple[int, ...]) -> Path:
    names = module.split(".") if module else []
    found: list[Part] = []
    waiting: list[str] = []
    for name, number in zip(names, passes or (1,) * len(names), strict=True):
        waiting.append(name)
        if number:
            found.append((".".join(waiting), number))
            waiting = []
    return tuple(found)


@functools.lru_cache(maxsize=100_000)
def mask_digits(text: str) -> str:
    """`blocks.*.attn` from `blocks.3.attn`."""
    return _DIGITS.sub("*", text)


@functools.lru_cache(maxsize=100_000)
def masked_names(path: Path) -> tuple[str, ...]:
    """The names along a path, without digits."""
    return tuple(map(mask_digits, names_in(path)))
