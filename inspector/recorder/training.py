"""Sees optimizers, and what happens to grads between the backward calls: steps, zero_grad, clipping, a GradScaler.

Steps by torch's own hooks for all optimizers; all else by a wrapper around a function of torch that only looks.
Parameters are held by weak references.
"""

from __future__ import annotations

import functools
import re
import sys
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from inspector.files import Files
from inspector.graph.values import unknown
from inspector.naming import names_from
from inspector.recorder.dynamo import hide_alone, unseen
from inspector.recorder.forward.outputs import is_leaf
from inspector.recorder.leaves import Leaves

MOST_EVENTS = 1_000
"""So many are kept: a loop that zeroes grads for hours before its first backward must not fill the memory."""

_OUTSIDE = unknown("it was not called from the user's code")


@dataclass(slots=True)
class _Seen:
    """An optimizer: what it is, where it was made, the leaves that each of its groups holds, the script's name."""

    optimizer: weakref.ref[Optimizer]
    kind: str
    source: Any
    groups: list[dict[str, Any]]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class _Refused:
    """A tensor that is no leaf and was given to an optimizer. source: where it was made."""

    name: str | None
    source: Any
    after_call: int


@dataclass(slots=True)
class _Event:
    """kind: step, skipped_step, zero_grad, clip, unscale, hook. after_call: how many backward calls had ended.

    optimizer: its number, None where there is none. facts: more, by kind.
    """

    kind: str
    after_call: int
    optimizer: int | None
    source: Any
    facts: dict[str, list[int]] = field(default_factory=dict)


class TrainingWatch:
    """Watches from `install` to `uninstall`.

    leaves: which parameter is which. made_by: the line that made a tensor that is no leaf. ended: how many
    backward calls have ended. fail: is given an error of ours.
    """

    def __init__(
        self,
        files: Files,
        leaves: Leaves,
        made_by: Callable[[torch.Tensor], Any],
        ended: Callable[[], int],
        fail: Callable[[Exception], None],
    ) -> None:
        self._files, self._leaves, self._made_by = files, leaves, made_by
        self._ended, self._fail = ended, fail
        self._refused: list[_Refused] = []
        self._optimizers: list[_Seen] = []
        self._events: list[_Event] = []
        self._undo: list[Callable[[], None]] = []
        self._in_scaler = False
        self._scale: float | None = None

    # Installing and removing

    def install(self) -> None:
        """Begin to watch. Does nothing if it watches already."""
        if self._undo:
            return
        hide_alone(TrainingWatch._before_step, TrainingWatch._after_step)
        self._undo += [
            register_optimizer_step_pre_hook(self._before_step).remove,
            register_optimizer_step_post_hook(self._after_step).remove,
        ]
        for owners, name, look in (
            ((Optimizer,), "__init__", self._made),
            ((Optimizer,), "zero_grad", self._zeroed),
            ((nn.Module,), "zero_grad", self._zeroed),
            ((nn.utils, nn.utils.clip_grad), "clip_grad_norm_", self._clipped),
            ((nn.utils, nn.utils.clip_grad), "clip_grad_value_", self._clipped),
            ((torch.Tensor,), "register_hook", self._hooked),
            ((torch.amp.GradScaler,), "scale", self._scaled),
            ((torch.amp.GradScaler,), "unscale_", self._unscaled),
        ):
            self._wrap(owners, name, look)
        self._wrap((torch.amp.GradScaler,), "step", self._scaler_stepped, before=self._scaler_steps)

    def uninstall(self) -> None:
        """Watch no more. Where somebody has wrapped a function of ours since, it stays and passes calls on."""
        while self._undo:
            self._undo.pop()()

    def _wrap(
        self,
        owners: tuple[Any, ...],
        name: str,
        after: Callable[[tuple[Any, ...], FrameType | None], None],
        before: Callable[[], None] | None = None,
    ) -> None:
        """Have `after` called after each call of a function, with its arguments and the frame that called it.

        A call that raises is not told of, but that of a constructor, which may be the last that a script does.
        """
        original = vars(owners[0])[name]
        watch = self

        @functools.wraps(original)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if before is not None:
                before()
            try:
                return original(*args, **kwargs)
            finally:
                unseen(watch._look, after, args, kwargs, sys._getframe(1))

        hide_alone(watched)
        for owner in owners:
            setattr(owner, name, watched)

        def undo() -> None:
            for owner in owners:
                if vars(owner).get(name) is watched:
                    setattr(owner, name, original)

        self._undo.append(undo)

    def _look(self, look: Any, args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType | None) -> None:
        if not self._undo:  # a wrapper of ours that somebody kept
            return
        try:
            look((*args, *kwargs.values()), frame)
        except Exception as error:
            self._fail(error)

    # What was seen

    def take_scale(self) -> float | None:
        """The scale of a GradScaler that multiplied a loss since the last question; None if none did."""
        scale, self._scale = self._scale, None
        return scale

    def optimizers(self) -> list[dict[str, Any]]:
        """The rows of the optimizers, in the order in which they were made or first stepped."""
        return [
            {
                "name": seen.name,
                "class": seen.kind,
                "source": seen.source,
                "groups": [
                    {**group, "parameters": self._leaves.names(group["parameters"])} for group in seen.groups
                ],
            }
            for seen in self._optimizers
        ]

    def events(self) -> list[dict[str, Any]]:
        """The rows of the events, in their order."""
        return [
            {
                "event": event.kind,
                "after_call": event.after_call,
                "optimizer": event.optimizer,
                "source": event.source,
                **{key: self._leaves.names(indexes) for key, indexes in event.facts.items()},
            }
            for event in self._events
        ] + [
            {
                "event": "refused",
                "after_call": refused.after_call,
                "optimizer": None,
                "source": refused.source,
                "parameters": [refused.name or "a tensor"],
            }
            for refused in self._refused
        ]

    # What happens

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if not _closure(args, kwargs):
            unseen(self._look, self._stepped, (optimizer,), {}, sys._getframe(1))

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if _closure(args, kwargs):
            unseen(self._look, self._stepped, (optimizer,), {}, sys._getframe(1))

    def _stepped(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """A step is about to use the grads (one with a closure has used them)."""
        optimizer = args[0]
        held = list(_held(optimizer))
        self._add(
            "step",
            frame,
            optimizer,
            without_gradient=[tensor for tensor in held if tensor.grad is None],
            frozen=[tensor for tensor in held if tensor.grad is not None and not tensor.requires_grad],
        )

    def _made(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        given = args[1] if len(args) > 1 and isinstance(args[1], (list, tuple)) else ()
        derived = [item for item in given if isinstance(item, torch.Tensor) and item.grad_fn is not None]
        if derived:  # the constructor has refused them
            names = names_from(frame, self._files)
            for tensor in derived:
                self._refused.append(_Refused(names.name(tensor), self._made_by(tensor), self._ended()))
            return
        self._number(args[0], self._source(frame))

    def _zeroed(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        owner = args[0]
        if isinstance(owner, Optimizer):
            self._add("zero_grad", frame, owner, parameters=list(_held(owner)))
        else:
            self._add("zero_grad", frame, None, parameters=list(owner.parameters()))

    def _clipped(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        given = args[0]
        tensors = [given] if isinstance(given, torch.Tensor) else given
        if not isinstance(tensors, (list, tuple)):
            tensors = []  # a generator, which the call has used up
        self._add("clip", frame, None, parameters=[item for item in tensors if isinstance(item, torch.Tensor)])

    def _hooked(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        tensor = args[0]
        if not isinstance(tensor, torch.Tensor) or not tensor.requires_grad or not is_leaf(tensor):
            return
        number, source = self._leaves.add(tensor), self._source(frame)
        last = self._events[-1] if self._events else None
        # where a mode sees functions, torch calls this one again from within itself
        if last is None or (last.kind, last.facts.get("parameters"), last.source) != ("hook", [number], source):
            self._add("hook", frame, None, parameters=[tensor])

    def _scaled(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        if args[0].is_enabled():
            self._scale = args[0].get_scale()

    def _unscaled(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        if not self._in_scaler:
            self._add("unscale", frame, args[1])

    def _scaler_steps(self) -> None:
        self._in_scaler = True
        self._steps_before = len(self._events)

    def _scaler_stepped(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        self._in_scaler = False
        if args[0].is_enabled() and not any(event.kind == "step" for event in self._events[self._steps_before :]):
            self._add("skipped_step", frame, args[1])

    def _add(
        self, kind: str, frame: FrameType | None, optimizer: Optimizer | None, **facts: list[torch.Tensor]
    ) -> None:
        if len(self._events) >= MOST_EVENTS:
            return
        number = None if optimizer is None else self.know(optimizer)
        indexes = {key: [self._leaves.add(tensor) for tensor in tensors] for key, tensors in facts.items()}
        source = self._source(frame)
        self._events.append(_Event(kind, self._ended(), number, source, indexes))
        if number is not None and self._optimizers[number].name is None:
            self._optimizers[number].name = _name_in(source)

    def know(self, optimizer: Optimizer) -> int:
        """The number of an optimizer, whose making was not seen if it is new."""
        return self._number(optimizer, unknown("it was made before recording"))

    def _number(self, optimizer: Optimizer, source: Any) -> int:
        """The number of an optimizer, which is remembered when it is first seen; its groups are looked at anew."""
        groups = [
            {
                "parameters": [self._leaves.add(tensor) for tensor in group["params"]],
                "options": {key: item for key, item in group.items() if isinstance(item, (bool, int, float))},
            }
            for group in getattr(optimizer, "param_groups", ())
        ]
        for number, seen in enumerate(self._optimizers):
            if seen.optimizer() is optimizer:
                seen.groups = groups
                return number
        self._optimizers.append(_Seen(weakref.ref(optimizer), type(optimizer).__name__, source, groups))
        return len(self._optimizers) - 1

    def _source(self, frame: FrameType | None) -> Any:
        while frame is not None and not self._files.is_users(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is None:
            return _OUTSIDE
        path, line = frame.f_code.co_filename, frame.f_lineno
        return {"file": self._files.shown(path), "line": line, "code": self._files.statement(path, line)}


_NAMED = re.compile(r"([A-Za-z_][\w.]*(?:\[[^\]]*\])?)\.(?:step|zero_grad)\(\s*([A-Za-z_][\w.]*)?")


def _name_in(source: Any) -> str | None:
    """What a line calls the optimizer that it uses: `optimizer.step()`, `scaler.step(self.optimizer)`."""
    found = _NAMED.search(source.get("code", ""))
    if found is None:
        return None
    return found[2] if found[2] and "scaler" in found[1] else found[1]


def _held(optimizer: Optimizer) -> Iterable[torch.Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]


def _closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a step was given a closure, which runs backward within it."""
    return kwargs.get("closure") is not None or any(callable(item) for item in args[1:])
