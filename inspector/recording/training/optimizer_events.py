"""Record optimizers and changes to grads between backward calls: steps, zero_grad, clipping, GradScaler.

Steps are recorded by torch's own global optimizer hooks, everything else by passive wrappers around functions of
torch. Parameters are held by weak references.
"""

from __future__ import annotations

import functools
import re
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Set, ValuesView
from dataclasses import dataclass, field
from types import FrameType, GeneratorType
from typing import Any, cast

import torch
from torch import nn
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from inspector.graph.values import unknown
from inspector.recording.training.grad_provenance import GradProvenance, are_empty
from inspector.recording.training.leaf_registry import is_leaf
from inspector.recording.training.optimizers import Optimizers
from inspector.report.row_types import EventRow
from inspector.tensor_stats.plain_tensor import plain_tensor
from inspector.torch_api.compilation import skip_in_dynamo, without_dynamo
from inspector.torch_api.modes import unobserved, without_functions
from inspector.user_code.paths import UserFiles
from inspector.user_code.variable_names import Names, names_from

MOST_EVENTS = 1_000
"""Maximum number of events, so that a loop that zeroes grads for hours before its first backward does not fill the
memory."""

MOST_COMPARED = 1_000_000
"""Maximum elements of a frozen parameter compared before and after a step: 4 MB."""

_OUTSIDE = unknown("it was not called from user code")


@dataclass(slots=True)
class _OptimizerEvent:
    """kind: step, skipped_step, zero_grad, clip, unscale, hook. after_call: number of backward calls that had
    ended. optimizer: its number, or None. facts: the numbers of leaves, by fact. content: the calls whose
    gradients the leaves held in their grads. limit: of a clip. empty: of a step: whether all grads were None or
    zero."""

    kind: str
    after_call: int
    optimizer: int | None
    source: Any
    facts: dict[str, list[int]] = field(default_factory=dict)
    content: dict[tuple[int, ...], list[int]] = field(default_factory=dict)
    limit: float | None = None
    empty: bool | None = None


@dataclass(frozen=True, slots=True)
class _RefusedClip:
    """A tensor that is no leaf and was given to an optimizer. source: where it was made."""

    name: str
    source: Any
    after_call: int


_Sample = tuple[weakref.ref[torch.Tensor], torch.Tensor]
"""A frozen parameter, and its first elements before a step."""


class OptimizerEvents:
    """Records optimizers from `install` to `uninstall`.

    history: the registry of leaves and the origin of their grads. made_by: the line that created a non-leaf
    tensor. ended: number of backward calls that have ended. fail: called with an internal error.
    """

    def __init__(
        self,
        files: UserFiles,
        history: GradProvenance,
        made_by: Callable[[torch.Tensor], Any],
        ended: Callable[[], int],
        fail: Callable[[Exception], None],
    ) -> None:
        self._files, self._history, self._made_by = files, history, made_by
        self._ended, self._fail = ended, fail
        self._leaves = history.leaves
        self.optimizers = Optimizers(self._leaves)
        self._refused: list[_RefusedClip] = []
        self._events: list[_OptimizerEvent] = []
        self._undo: list[Callable[[], None]] = []
        self._in_scaler = False
        self._scale: float | None = None
        self._clipped_leaves: list[int] = []
        self._zeroed_leaves: list[int] = []
        self._thrown_away: dict[tuple[int, ...], list[int]] = {}
        self._frozen: list[_Sample] = []
        self._step: _OptimizerEvent | None = None
        self._stepping: tuple[int, int] | None = None
        self._steps_within = 0

    # Installing and removing

    def install(self) -> None:
        """Install the hooks and wrappers. Does nothing if they are installed."""
        if self._undo:
            return
        skip_in_dynamo(OptimizerEvents._before_step, OptimizerEvents._after_step)
        self._undo += [
            register_optimizer_step_pre_hook(self._before_step).remove,
            register_optimizer_step_post_hook(self._after_step).remove,
        ]
        for owners, name, look in (
            ((Optimizer,), "__init__", self._made),
            ((torch.Tensor,), "register_hook", self._hooked),
            ((torch.amp.GradScaler,), "scale", self._scaled),
            ((torch.amp.GradScaler,), "unscale_", self._unscaled),
        ):
            self._wrap(owners, name, look)
        for owner in (Optimizer, nn.Module):
            self._wrap((owner,), "zero_grad", self._zeroed, before=self._zeroes)
        self._wrap((torch.amp.GradScaler,), "step", self._scaler_stepped, before=self._scaler_steps)
        for name in ("clip_grad_norm_", "clip_grad_value_"):
            self._wrap((nn.utils, nn.utils.clip_grad), name, self._clipped, before=self._clips)

    def uninstall(self) -> None:
        """Remove the hooks and wrappers. If other code has wrapped one since, it stays and only passes calls on.
        """
        while self._undo:
            self._undo.pop()()

    def _wrap(
        self,
        owners: tuple[Any, ...],
        name: str,
        after: Callable[[tuple[Any, ...], FrameType | None], None],
        before: Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, ...]] | None = None,
    ) -> None:
        """Call `after` after each call of a function, with its arguments and the frame that called it.

        before: returns the positional arguments to call it with, from those it was given (and may change the
        others). Calls that raise count too: such a call may be the last of a script.
        """
        original = vars(owners[0])[name]
        watch = self

        @functools.wraps(original)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if before is not None:
                args = without_dynamo(watch._ask, before, args, kwargs)
            try:
                return original(*args, **kwargs)
            finally:
                without_dynamo(watch._look, after, args, kwargs, sys._getframe(1))

        skip_in_dynamo(watched)
        for owner in owners:
            setattr(owner, name, watched)

        def undo() -> None:
            for owner in owners:
                if vars(owner).get(name) is watched:
                    setattr(owner, name, original)

        self._undo.append(undo)

    def _ask(self, before: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            with without_functions():  # the script's modes must not see these queries
                return before(args, kwargs) if self._undo else args
        except Exception as error:
            self._fail(error)
            return args

    def _look(self, look: Any, args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType | None) -> None:
        if not self._undo:  # a wrapper that other code still holds
            return
        try:
            with without_functions():
                look((*args, *kwargs.values()), frame)
        except Exception as error:
            self._fail(error)

    # What was seen

    def take_scale(self) -> float | None:
        """The scale by which a GradScaler multiplied a loss since the last query; None if it did not."""
        scale, self._scale = self._scale, None
        return scale

    def events(self) -> list[EventRow]:
        """The rows of the events, in order; then the tensors that optimizers refused."""
        refused: list[EventRow] = [
            {
                "event": "refused",
                "after_call": item.after_call,
                "optimizer": None,
                "source": item.source,
                "parameters": [item.name],
            }
            for item in self._refused
        ]
        return [self._row(event) for event in self._events] + refused

    def _row(self, event: _OptimizerEvent) -> EventRow:
        content = [
            {"backward_calls": list(calls), "parameters": self._leaves.names(leaves)}
            for calls, leaves in event.content.items()
        ]
        row: dict[str, Any] = {
            "event": event.kind,
            "after_call": event.after_call,
            "optimizer": event.optimizer,
            "source": event.source,
            **{key: self._leaves.names(numbers) for key, numbers in event.facts.items()},
            **({"content": content} if event.kind in _ABOUT_GRADS else {}),
            **({} if event.limit is None else {"limit": event.limit}),
            **({} if event.empty is None else {"empty": event.empty}),
        }
        return cast(EventRow, row)

    # What happens

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        moment = (id(optimizer), self._ended())
        if moment == self._stepping:  # a step that calls that of its base class
            self._steps_within += 1
            return
        self._stepping, self._steps_within = moment, 0
        without_dynamo(self._look, self._steps, (optimizer,), {}, None)
        if not _closure(args, kwargs):
            without_dynamo(self._look, self._stepped, (optimizer,), {}, sys._getframe(1))

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self._steps_within:
            self._steps_within -= 1
            return
        self._stepping = None
        if _closure(args, kwargs):
            without_dynamo(self._look, self._stepped, (optimizer,), {}, sys._getframe(1))
        without_dynamo(self._look, self._has_moved, (optimizer,), {}, None)

    def _steps(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """A step starts: remember parameters that do not require a gradient but have a grad."""
        frozen = [tensor for tensor in _held(args[0]) if tensor.grad is not None and not tensor.requires_grad]
        with unobserved():
            samples = [(weakref.ref(tensor), _first_elements(tensor)) for tensor in frozen]
            self._frozen = [(reference, sample.clone()) for reference, sample in samples if sample is not None]

    def _stepped(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """A step is about to use the grads (one with a closure has used them)."""
        optimizer = args[0]
        tensors = _held(optimizer)
        numbers = self._leaves.add_all(tensors)
        held = dict(zip(numbers, tensors, strict=True))
        grads = {number: tensor.grad for number, tensor in held.items()}
        empty = are_empty(grad for grad in grads.values() if grad is not None)
        if empty:
            self._history.zeroed(held)  # by hand: torch has no hook for it
        self._step = self._add(
            "step",
            frame,
            optimizer,
            held,
            numbers,
            without_gradient=[number for number, grad in grads.items() if grad is None],
            frozen=[
                number for number, grad in grads.items() if grad is not None and not held[number].requires_grad
            ],
        )
        if self._step is not None:
            self._step.empty = empty

    def _has_moved(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        """A step has ended: find the frozen parameters that it changed."""
        frozen, self._frozen = self._frozen, []
        with unobserved():
            moved = [
                self._leaves.add(tensor)
                for reference, sample in frozen
                if (tensor := reference()) is not None
                and (now := _first_elements(tensor)) is not None
                and not torch.equal(now, sample)
            ]
        if self._step is not None and moved:
            self._step.facts["moved"] = moved

    def _made(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        given = args[1] if len(args) > 1 and isinstance(args[1], (list, tuple)) else ()
        derived = [item for item in given if isinstance(item, torch.Tensor) and item.grad_fn is not None]
        if not derived:
            self._number(args[0], self._source(frame), frame)
            return
        names = names_from(frame, self._files)  # the constructor has refused them
        for tensor in derived:
            name = names.name(tensor) or "a tensor"
            self._refused.append(_RefusedClip(name, self._made_by(tensor), self._ended()))

    def _hooked(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        tensor = args[0]
        if not isinstance(tensor, torch.Tensor) or not tensor.requires_grad or not is_leaf(tensor):
            return
        number, source = self._leaves.add(tensor), self._source(frame)
        last = self._events[-1] if self._events else None
        # where a mode sees functions, torch calls this one again from within itself
        if last is None or (last.kind, last.facts.get("parameters"), last.source) != ("hook", [number], source):
            self._add("hook", frame, None, parameters=[number])

    def _zeroes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Note the content of what is about to be zeroed."""
        self._zeroed_leaves = self._leaves.add_all(_of(args[0]))
        self._thrown_away = self._history.content(self._zeroed_leaves)
        return args

    def _zeroed(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        leaves = self._zeroed_leaves
        self._history.zeroed(leaves)
        optimizer = args[0] if isinstance(args[0], Optimizer) else None
        event = self._add("zero_grad", frame, optimizer, (), leaves, parameters=leaves)
        if event is not None:
            event.content = self._thrown_away

    def _clips(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Note what is to be clipped. An iterator is replaced by one that also notes its items."""
        leaves: list[int] = []
        self._clipped_leaves = leaves
        given = args[0] if args else kwargs.get("parameters")
        if isinstance(given, Iterator):
            passed = self._passed(given, leaves) if type(given) is GeneratorType else self._mapped(given, leaves)
            if args:
                return passed, *args[1:]
            kwargs["parameters"] = passed
        elif isinstance(given, (torch.Tensor, list, tuple, Set, ValuesView)):
            tensors = [given] if isinstance(given, torch.Tensor) else given
            leaves += [self._leaves.add(item) for item in tensors if isinstance(item, torch.Tensor)]
        return args

    def _mapped(self, given: Iterator[Any], leaves: list[int]) -> Iterator[Any]:
        """No generator, as that was none: torch tells the two apart."""

        def noted(item: Any) -> Any:
            if isinstance(item, torch.Tensor):
                leaves.append(self._leaves.add(item))
            return item

        return map(noted, given)

    def _passed(self, given: Iterator[Any], leaves: list[int]) -> Iterator[Any]:
        for item in given:
            if isinstance(item, torch.Tensor):
                leaves.append(self._leaves.add(item))
            yield item

    def _clipped(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        clipped = [leaf for leaf in self._clipped_leaves if self._leaves.tensor(leaf) is not None]
        event = self._add("clip", frame, None, clipped, parameters=clipped)
        numbers = [item for item in args if isinstance(item, (int, float)) and not isinstance(item, bool)]
        if event is not None and numbers:
            event.limit = float(numbers[0])

    def _scaled(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        if args[0].is_enabled():
            self._scale = args[0].get_scale()

    def _unscaled(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        if not self._in_scaler:
            self._add("unscale", frame, args[1])

    def _scaler_steps(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        self._in_scaler = True
        self._steps_before = len(self._events)
        return args

    def _scaler_stepped(self, args: tuple[Any, ...], frame: FrameType | None) -> None:
        self._in_scaler = False
        if args[0].is_enabled() and not any(event.kind == "step" for event in self._events[self._steps_before :]):
            self._add("skipped_step", frame, args[1])

    def _add(
        self,
        kind: str,
        frame: FrameType | None,
        optimizer: Optimizer | None,
        about: Iterable[int] = (),
        held: list[int] | None = None,
        **facts: list[int],
    ) -> _OptimizerEvent | None:
        """Note an event, unless there are too many.

        about: the leaves whose grads it reads, by their numbers. held: the numbers of all that the optimizer
        holds, where they are known. facts: see `_OptimizerEvent`.
        """
        content = self._history.content(tuple(about))
        if len(self._events) >= MOST_EVENTS:
            return None
        source = self._source(frame)
        number = None
        if optimizer is not None:
            number = self.add_optimizer(optimizer, frame, held)
            self.optimizers.set_name(number, _name_in(source))
        event = _OptimizerEvent(kind, self._ended(), number, source, facts, content)
        self._events.append(event)
        return event

    def add_optimizer(
        self, optimizer: Optimizer, frame: FrameType | None = None, held: list[int] | None = None
    ) -> int:
        """The number of an optimizer; if it is new, its creation was not seen. held: the numbers of its leaves."""
        return self._number(optimizer, unknown("it was created before recording started"), frame, held)

    def _number(
        self, optimizer: Optimizer, source: Any, frame: FrameType | None, held: list[int] | None = None
    ) -> int:
        def names() -> Names:
            return names_from(frame, self._files)

        return self.optimizers.number(optimizer, source, names, held)

    def _source(self, frame: FrameType | None) -> Any:
        while frame is not None and not self._files.is_users(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is None:
            return _OUTSIDE
        path, line = frame.f_code.co_filename, frame.f_lineno
        return {"file": self._files.display_path(path), "line": line, "code": self._files.statement_at(path, line)}


_ABOUT_GRADS = ("step", "zero_grad", "clip")
"""The kinds of events that read or clear grads."""

_NAMED = re.compile(r"([A-Za-z_][\w.]*(?:\[[^\]]*\])?)\.(?:step|zero_grad)\(\s*([A-Za-z_][\w.]*)?")


def _name_in(source: Any) -> str | None:
    """The name that a line uses for the optimizer: `optimizer.step()`, `scaler.step(self.optimizer)`."""
    found = _NAMED.search(source.get("code", ""))
    if found is None:
        return None
    return found[2] if found[2] and "scaler" in found[1] else found[1]


def _of(owner: Optimizer | nn.Module) -> list[torch.Tensor]:
    return _held(owner) if isinstance(owner, Optimizer) else list(owner.parameters())


def _held(optimizer: Optimizer) -> list[torch.Tensor]:
    return [tensor for group in optimizer.param_groups for tensor in group["params"]]


def _first_elements(tensor: torch.Tensor) -> torch.Tensor | None:
    elements, _ = plain_tensor(tensor)
    return None if elements is None else elements.flatten()[:MOST_COMPARED]


def _closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a step was given a closure, which runs backward inside it."""
    return kwargs.get("closure") is not None or any(callable(item) for item in args[1:])
