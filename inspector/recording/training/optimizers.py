"""The optimizers of a script, their parameters, and the parameters that were replaced in their modules.

Holds weak references only.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from msgspec import Struct, field
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.optimizer import Optimizer

from inspector.recording.training.leaf_registry import LeafRegistry
from inspector.report.row_types import OptimizerGroup, OptimizerRow, Replaced, SchedulerRow
from inspector.torch_api.modules import parameters_in
from inspector.user_code.variable_names import Names


class _KnownScheduler(Struct):
    """A scheduler and its row. first: its count of steps when it was made."""

    scheduler: weakref.ref[LRScheduler]
    row: SchedulerRow
    first: int

    def look(self) -> None:
        """Note whether it has stepped since."""
        scheduler = self.scheduler()
        if scheduler is not None and _count(scheduler) > self.first:
            self.row["stepped"] = True


class _KnownOptimizer(Struct):
    """An optimizer.

    kind: the name of its class. source: where it was created. groups: the leaves and options of each group.
    name: the script's name for it. paths: the outermost module and path of each leaf when it was first seen.
    replaced: the rows of the leaves that their module no longer holds.
    """

    optimizer: weakref.ref[Optimizer]
    kind: str
    source: Any
    groups: list[dict[str, Any]] = field(default_factory=list)
    name: str | None = None
    paths: dict[int, tuple[weakref.ref[nn.Module], str] | None] = field(default_factory=dict)
    replaced: dict[int, Replaced] = field(default_factory=dict)
    schedulers: list[_KnownScheduler] = field(default_factory=list)


class Optimizers:
    """Optimizers by number, in the order of creation or first step."""

    def __init__(self, leaves: LeafRegistry) -> None:
        self._leaves = leaves
        self._seen: list[_KnownOptimizer] = []
        self._adding = threading.RLock()  # optimizers of several threads

    def number(
        self,
        optimizer: Optimizer,
        source: Any,
        names: Callable[[], Names],
        held: Iterable[int] | None = None,
    ) -> int:
        """The number of an optimizer, which is added if it is new. Its groups are read again.

        source: where it was created. names: called if it holds new leaves. held: the numbers of its leaves, if
        known.
        """
        number, seen = self._find(optimizer, source)
        for scheduler in [scheduler for known in self._seen for scheduler in known.schedulers]:
            scheduler.look()
        groups = getattr(optimizer, "param_groups", ())
        if held is None:
            held = self._leaves.add_all([tensor for group in groups for tensor in group["params"]])
        leaves = iter(held)
        seen.groups = [
            {
                "parameters": list(itertools.islice(leaves, len(group["params"]))),
                "options": {key: item for key, item in group.items() if isinstance(item, (bool, int, float))},
            }
            for group in groups
        ]
        new = [leaf for group in seen.groups for leaf in group["parameters"] if leaf not in seen.paths]
        if new:
            self._find_paths(seen, new, names())
        return number

    def add_scheduler(self, number: int, scheduler: LRScheduler, source: Any) -> None:
        """A scheduler was made for an optimizer. source: where.

        It is also that of an optimizer with the same groups: one that runs the other, as in trainers.
        """
        row: SchedulerRow = {"class": type(scheduler).__name__, "source": source, "stepped": False}
        known = _KnownScheduler(weakref.ref(scheduler), row, _count(scheduler))
        groups = _group_ids(self._seen[number])
        for place, seen in enumerate(self._seen):
            if place == number or groups & _group_ids(seen):
                seen.schedulers.append(known)

    def scheduler_steps(self, scheduler: LRScheduler, source: Any) -> None:
        """A scheduler steps. source: where; the first line of the user's code counts."""
        for known in (known for seen in self._seen for known in seen.schedulers):
            if known.scheduler() is scheduler and "line" in source:
                known.row.setdefault("stepped_at", source)

    def set_name(self, number: int, name: str | None) -> None:
        """Set the script's name for an optimizer; the first name counts."""
        self._seen[number].name = self._seen[number].name or name

    def update(self, index: int, names: Names, source: Callable[[torch.Tensor], Any]) -> None:
        """A backward call starts: find the parameters that their modules no longer hold.

        names: those of the call. source: returns where a leaf was created.
        """
        for seen in self._seen:
            for outermost, leaves in _by_model(seen):
                held = {id(tensor) for _, tensor in names.tree(outermost).parameters}
                for leaf, path in leaves:
                    tensor = self._leaves.tensor(leaf)
                    if leaf not in seen.replaced and tensor is not None and id(tensor) not in held:
                        seen.replaced[leaf] = self._replaced(index, leaf, _at(outermost, path), source)

    def alive(self) -> list[Optimizer]:
        """The optimizers that still exist."""
        return [optimizer for seen in self._seen if (optimizer := seen.optimizer()) is not None]

    @property
    def any_alive(self) -> bool:
        """Whether one of the optimizers can still make a step."""
        return any(seen.optimizer() is not None for seen in self._seen)

    def rows(self) -> list[OptimizerRow]:
        """The rows of the optimizers."""
        return [self._row(seen) for seen in self._seen]

    def _row(self, seen: _KnownOptimizer) -> OptimizerRow:
        groups: list[OptimizerGroup] = [
            {"parameters": self._leaves.names(group["parameters"]), "options": group["options"]}
            for group in seen.groups
        ]
        row: OptimizerRow = {"name": seen.name, "class": seen.kind, "source": seen.source, "groups": groups}
        if seen.replaced:
            row["replaced"] = list(seen.replaced.values())
        if seen.schedulers:
            row["schedulers"] = [known.row for known in seen.schedulers]
        return row

    def of_leaves(self) -> dict[int, list[int]]:
        """The numbers of the optimizers that hold each leaf."""
        found: dict[int, list[int]] = {}
        for number, seen in enumerate(self._seen):
            for leaf in dict.fromkeys(leaf for group in seen.groups for leaf in group["parameters"]):
                found.setdefault(leaf, []).append(number)
        return found

    def _find(self, optimizer: Optimizer, source: Any) -> tuple[int, _KnownOptimizer]:
        with self._adding:
            for number, seen in enumerate(self._seen):
                if seen.optimizer() is optimizer:
                    return number, seen
            self._seen.append(_KnownOptimizer(weakref.ref(optimizer), type(optimizer).__name__, source))
            return len(self._seen) - 1, self._seen[-1]

    def _find_paths(self, seen: _KnownOptimizer, new: Iterable[int], names: Names) -> None:
        self._leaves.update_names(names)
        places = {
            id(tensor): (weakref.ref(module), path)
            for _, module in reversed(names.outermost)
            for path, tensor in names.tree(module).parameters
        }
        for leaf in new:
            seen.paths[leaf] = places.get(id(self._leaves.tensor(leaf)))

    def _replaced(self, index: int, leaf: int, new: torch.Tensor | None, source: Any) -> Replaced:
        if new is not None:  # the new parameter has the same path, so both get its name
            self._leaves[leaf].name = self._leaves.name(self._leaves.add(new))
        return {
            "parameter": self._leaves.name(leaf),
            "backward_call": index,
            "source": None if new is None else source(new),
        }


def _group_ids(seen: _KnownOptimizer) -> set[int]:
    """The identities of the groups of an optimizer; none if it is gone."""
    return set(map(id, getattr(seen.optimizer(), "param_groups", ())))


def _count(scheduler: LRScheduler) -> int:
    """The steps of a scheduler; 0 where its class counts otherwise."""
    count = vars(scheduler).get("last_epoch")
    return count if isinstance(count, int) else 0


def _by_model(seen: _KnownOptimizer) -> Iterator[tuple[nn.Module, list[tuple[int, str]]]]:
    """The live outermost modules, with the leaves of the optimizer that were in them, and their paths."""
    found: dict[int, tuple[nn.Module, list[tuple[int, str]]]] = {}
    for leaf, place in seen.paths.items():
        outermost = None if place is None else place[0]()
        if place is not None and outermost is not None:
            found.setdefault(id(outermost), (outermost, []))[1].append((leaf, place[1]))
    yield from found.values()


def _at(outermost: nn.Module, path: str) -> torch.Tensor | None:
    """The current parameter at `path`."""
    owner, _, name = path.rpartition(".")
    try:
        found = parameters_in(outermost.get_submodule(owner)).get(name)
    except AttributeError:  # the module is gone
        return None
    return found
