"""What the flight recorder does at each backward call and at each step."""

from __future__ import annotations

import math
import threading
import time
import weakref
from collections.abc import Sequence
from types import FrameType

import torch
from msgspec import Struct, field
from msgspec.structs import replace
from torch.optim.optimizer import Optimizer

from inspector.recording.engine_hook import EngineCall
from inspector.recording.flight.block import Block, Scalars
from inspector.recording.flight.chosen import Chosen, leaves_of
from inspector.recording.flight.cost_control import CostControl
from inspector.recording.flight.extra_call import ExtraCall
from inspector.recording.flight.followed import Followed
from inspector.recording.flight.gradient_norms import StepNorms
from inspector.recording.flight.light_steps import (
    LARGEST,
    MOST_LIGHT,
    Expected,
    LightStep,
    Seconds,
    StepBegun,
)
from inspector.recording.flight.nap import Roots
from inspector.recording.flight.node_norms import Depth
from inspector.recording.flight.node_watch import Look, NodeWatch
from inspector.recording.flight.roots import Root, root_of
from inspector.recording.flight.scaler_watch import ScalerWatch
from inspector.recording.flight.stepping import KnownOptimizers, NextStep, OpenSteps, rate_of
from inspector.recording.flight.store import BLOCK, Step, StepStore
from inspector.recording.flight.watched_steps import WatchedRun, WatchedSteps
from inspector.recording.session import Session
from inspector.recording.training.optimizer_steps import held_by
from inspector.report import BackwardCall
from inspector.report.timeline import NOT_FINITE, LevelRow, Reason, Timeline, Trigger, TriggerKind
from inspector.torch_api.compilation import was_compiled
from inspector.torch_api.leaves_in_use import LEAVES_IN_USE
from inspector.torch_api.modes import hidden
from inspector.user_code.paths import UserFiles

_LEAST_LIGHT = 2
"""Number of steps that are worth being noted together."""
_MOST_LEVELS = 20
"""Maximum number of times that the share of measured steps changes."""


class _Begun(Struct, frozen=True):
    """A backward call. extra: records it in full. is_suspected: only if a gradient is not finite. look: measures
    the gradients at Nodes, or only the time."""

    extra: ExtraCall | None = None
    is_suspected: bool = False
    look: Look | None = None


class _Level(Struct, frozen=True):
    """From a first step on: gradients are measured in one of so many steps. skips: the others are only counted.

    depth, looks: Nodes are looked at in one of so many steps. reason: why not, once it has ended. clock: of the
    cost, when it began. looked: number of calls whose Nodes had been looked at then.
    """

    first: int
    every: int
    skips: bool = False
    depth: Depth | None = None
    looks: int = 1
    reason: Reason | None = None
    clock: tuple[float, float] = (0.0, 0.0)
    looked: int = 0

    def is_like(self, other: _Level) -> bool:
        """Whether the same is recorded, as often."""
        return replace(self, first=0, clock=(0.0, 0.0), looked=0) == replace(
            other, first=0, clock=(0.0, 0.0), looked=0
        )

    def ended(self, looked: int, reason: Reason) -> _Level:
        """The level at its end. looked: number of calls whose Nodes have been looked at. reason: why no others."""
        is_deep = self.depth is not None and looked > self.looked
        return self if is_deep else replace(self, depth=None, looks=1, reason=reason)


class _Log(Struct):
    """What has happened so far.

    calls: number of backward calls. full: the last step whose backward calls were all watched in full.
    counts_steps: see `Flight`. last_root: of all calls. levels: see `_Level`.
    triggers: those that the numbers of the steps do not show. extra, is_over: see `Flight`.
    """

    calls: int
    full: int = 0
    counts_steps: bool = False
    last_root: Root | None = None
    levels: list[_Level] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    extra: list[BackwardCall] = field(default_factory=list)
    is_over: bool = False


class Flight:
    """Records the steps of a run. cost: its clock. scaler: what it knows of GradScalers. nodes: looks at Nodes."""

    def __init__(
        self, files: UserFiles, budget: float, session: Session, chosen: Chosen, kept_at: str | None = None
    ) -> None:
        self.cost = CostControl(budget)
        self.scaler = ScalerWatch(self._scaler_failed)
        self._watched = WatchedRun(files, session, chosen)
        self._followed = Followed(files)
        self._store = StepStore(self._followed.norms, self._followed.unmoved)
        self._steps = OpenSteps(KnownOptimizers(session.watch_optimizer))
        self._log = _Log(session.made)
        graphs = [call.graph for call in session.calls]
        roots = session.called_modules()
        self.nodes = NodeWatch(graphs, roots, is_fixed=budget >= 1.0, kept_at=kept_at)

    @property
    def calls(self) -> int:
        """Number of backward calls."""
        return self._log.calls

    @property
    def extra(self) -> list[BackwardCall]:
        """The calls that were recorded in full because of a trigger."""
        return self._log.extra

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be recorded, since it would take more time than the budget allows."""
        return self._log.is_over

    @property
    def counts_steps(self) -> bool:
        """Whether a step is what an optimizer calls a step; otherwise each backward call is one."""
        return self._log.counts_steps

    def begin(self) -> None:
        """Continue from the watched calls; later, from where it was closed."""
        log, watched = self._log, self._watched
        if log.levels:
            self.cost.resume()
            return
        log.counts_steps = watched.has_optimizer and not was_compiled()
        with hidden():
            for tensor, name in watched.parameters():
                self._followed.add(tensor, name)
        steps = WatchedSteps(watched, self._followed.norms.names, by_optimizer=log.counts_steps)
        for step in steps.steps(self._steps.counter):
            self._append(step)
        self._steps.step = steps.begun
        self._steps.next.root, self._steps.next.measured = steps.left()
        log.last_root = steps.root(watched.calls_made)
        is_prepared = self._steps.next.root is not None or self._steps.next.measured is not None
        log.full = self._steps.counter.current + (is_prepared and not self._takes_turns)
        log.levels.append(_Level(log.full + 1, self.cost.every, depth=self._depth_now))
        self.plan()

    def end(self) -> None:
        """Remove what other hooks than those of the recorder have been installed."""
        self.scaler.uninstall()
        self.nodes.outputs.close()

    def plan(self) -> None:
        """Before the forward of the next step: whether it is measured, too."""
        self.nodes.plan(self._steps.counter.current + 1, self.cost, self._why_blind)

    def stop_counting_steps(self) -> None:
        """From now on each backward call is a step: torch.compile, which is in use, would see optimizer hooks."""
        self._log.counts_steps = False

    # At each backward call

    def before_backward(self, call: EngineCall) -> _Begun | None:
        """Before the engine runs; None if the call does not accumulate gradients."""
        log, step = self._log, self._steps.next
        log.calls += 1
        if not call.given.accumulates:
            return None
        if step.root is None or self.scaler.has_skipped:
            step.measured = step.nodes = None  # of the step before
            step.is_looked_at = False
        self._note_root(call, step)
        if self._store.search.zeros.suspects and (reached := self._reached(call)):
            self._store.search.zeros.confirm(reached)
        self._look_at_scale()
        self._followed.unmoved.look(self._steps.counter.current + 1)
        if log.extra or not (step.is_broken or self._is_suspected(call, step)):
            return _Begun(look=self._look(call, step))
        extra = ExtraCall(self._watched, log.calls)
        with self.cost.paused():
            extra.begin(call)
        return _Begun(extra, not step.is_broken, self._look(call, step) if self.nodes.keeps else None)

    def _look(self, call: EngineCall, step: NextStep) -> Look | None:
        """Look at the Nodes of a call, if it is worth its time and nothing else would see it."""
        reason = self._why_blind
        if reason is not None:
            self.nodes.seen.reason = reason
            return None
        root = step.root
        value = root.value if root is not None and isinstance(root.value, float) else None
        found = self.nodes.begin(call, self._steps.counter.current + 1, value, self.cost)
        step.is_looked_at = found is not None and found.hooks is not None
        return found

    def _note_root(self, call: EngineCall, step: NextStep) -> None:
        """Note the root of a call; one that is not finite only if it is known to be of the chosen parameters."""
        root = self.scaler.take_root() or root_of(call.given.outputs)
        if root is None:
            return
        if not root.is_finite and not self._watched.chosen.reached_by(call):
            return
        self._log.last_root = root
        step.add_root(root)

    def after_backward(self, begun: _Begun | None, result: object, error: BaseException | None) -> None:
        """After the engine has run or raised."""
        if begun is None:
            return
        log, step = self._log, self._steps.next
        if begun.look is not None:
            step.nodes = self.nodes.end(begun.look, self.cost, failed=error is not None)
            scale = None if step.nodes is None else self.scaler.scale_on(step.nodes.norms.device)
            if step.nodes is not None and scale is not None:
                step.nodes = step.nodes.without(scale)
        if begun.extra is not None:
            with self.cost.paused():
                found = begun.extra.end(result, error)
            log.extra += [] if found is None else [found]
        if error is not None:
            return
        if not self.scaler.scales and self._measures(step):
            self._measure(step)
        if begun.is_suspected and _are_finite(step):
            log.extra.clear()
            self.nodes.risky.was_false()
        if not log.counts_steps:
            self._commit(0, None)
            self._finish_step(self._steps.end())
            self.plan()

    def prepared(self) -> Block:
        """The step that is being prepared, as a block of one step."""
        taken = self._steps.next
        norms, known = self._followed.norms.matrix([[] if taken.measured is None else [taken.measured]])
        root = None if taken.root is None else taken.root.number()
        scalars = {} if root is None else {0: Scalars(root, None)}
        names = list(self._followed.norms.names)
        return Block([self._steps.counter.current + 1], [self._log.calls], [scalars], norms, known, names)

    def prepared_at(self, wanted: str) -> tuple[Block | None, Block | None]:
        """What arrives at the Nodes with a name or a line, and what they send, each as a block of one step with
        one column; None if nothing does."""
        nodes = self._steps.next.nodes
        if nodes is None:
            return None, None
        positions = set(nodes.layout.found(wanted))
        norms = [
            norm for at, norm in zip(nodes.order, nodes.norms.tolist(), strict=True) if at in positions
        ]
        sent = [] if nodes.sent is None else [nodes.sent.item()]
        return self._column(wanted, norms), self._column(wanted, sent)

    def _column(self, wanted: str, norms: list[float]) -> Block | None:
        if not norms:
            return None
        column = torch.tensor([norms], dtype=torch.float64).square().sum(1, keepdim=True).sqrt()
        if self.scaler.scales and not bool(column.isfinite().all()):
            return None  # a step that is skipped
        known = torch.ones_like(column, dtype=torch.bool)
        return Block([self._steps.counter.current + 1], [self._log.calls], [{}], column, known, [wanted])

    def measured(self) -> StepNorms:
        """The norms of all gradients that there are now."""
        return self._followed.norms.measure()

    def grads(self) -> dict[str, torch.Tensor | None]:
        """The grads of the parameters that are followed, by name."""
        norms = self._followed.norms
        tensors = zip(norms.names, (reference() for reference in norms.references), strict=True)
        return {name: tensor.grad for name, tensor in tensors if tensor is not None}

    # At each step

    def before_step(self, optimizer: Optimizer, frame: FrameType | None) -> None:
        """Before an optimizer steps."""
        if not self._watched.chosen.has(optimizer):
            self._steps.forget()
            return
        held = held_by(optimizer)
        number = self._steps.optimizers.number(optimizer)
        ids, is_new = tuple(map(id, held)), False
        if not self._steps.optimizers.holds(number, ids):
            is_new = not self._followed.are_known(held)
            if is_new:
                self._followed.add_all(held, frame, self._watched.names())
            self._steps.optimizers.hold(number, ids, self._followed.positions(held))
        is_scaled, step = getattr(optimizer, "grad_scale", None) is not None, self._steps.next
        if not is_scaled and self._is_due(step):
            if LEAVES_IN_USE.may_be_elsewhere:  # of what this thread's optimizer is about to read, too
                self._measure(step, self._steps.optimizers.positions(number))
            elif self.scaler.scales or is_new:
                self._measure(step)
        due = self._followed.updates.is_due(self._steps.counter.finished + 1, self.cost)
        if due and not LEAVES_IN_USE.may_be_elsewhere:
            self._followed.updates.begin(self._steps.optimizers.positions(number))

    def after_step(self, optimizer: Optimizer) -> None:
        """After an optimizer has stepped."""
        if not self._watched.chosen.has(optimizer):
            return
        self.scaler.stepped()
        if (updates := self._followed.updates.end(self.cost)) is not None:
            self._steps.next.updates = updates
        self._commit(self._steps.optimizers.number(optimizer), rate_of(optimizer))
        self.plan()

    def _commit(self, number: int, rate: float | None) -> None:
        """An optimizer has stepped, with what `next` holds."""
        taken = self._steps.next
        optimizers, followed = self._steps.optimizers, len(self._followed.norms)
        mine = None if taken.measured is None else optimizers.part(number, taken.measured, followed)
        self._finish_step(self._steps.add(number, rate, mine, self._log.calls))
        if not self._takes_turns:
            self._finish_step(self._steps.end())

    def _finish_step(self, step: Step | None) -> None:
        if step is not None and self._append(step):
            new = 0 if self.cost.skips else BLOCK  # after each nap, its recorded step was noted
            self.cost.note_steps(new, may_skip=self._may_skip)
            self._decided()

    def _decided(self) -> None:
        """The cost was looked at: note the level from now on."""
        self._log.is_over = self.cost.is_exceeded(may_skip=self._may_skip)
        levels, skips = self._log.levels, self.cost.skips
        control, first = self.nodes.control, self._steps.counter.finished + 1
        control.decide(self.cost.left)
        every = skips + 1 if skips else self.cost.every
        depth, looked, reason = self._depth_now, self.nodes.seen.looked, self._why_not_deeper
        self.nodes.seen.reason = None
        looks = 1 if depth is None else control.every
        level = _Level(
            first, every, skips > 0, depth, looks, None if depth else reason, self.cost.clock, looked
        )
        if levels:
            levels[-1] = levels[-1].ended(looked, reason)
        if levels and not levels[-1].is_like(level):
            if len(levels) >= _MOST_LEVELS:
                last = levels.pop()
                every, looks = max(last.every, level.every), max(last.looks, level.looks)
                level = replace(
                    level, first=last.first, every=every, looks=looks, clock=last.clock, looked=last.looked
                )
            levels.append(level)

    @property
    def _may_skip(self) -> bool:
        """Whether steps may be counted without being recorded."""
        return self._log.counts_steps and not self._takes_turns

    def has(self, optimizer: Optimizer) -> bool:
        """Whether the steps of an optimizer are recorded."""
        return self._watched.chosen.has(optimizer)

    @property
    def records_all(self) -> bool:
        """Whether the steps of every optimizer are recorded."""
        return self._watched.chosen.is_all

    def skips(self) -> int:
        """How many steps are only counted from now on, at the end of a step."""
        return 0 if self._steps.next.is_broken or not self._may_skip else self.cost.skips

    def expected(self, optimizer: Optimizer, until: float | None) -> Expected | None:
        """At the end of a step: what steps are expected of which only root, rate and gradients are noted; None if
        more is due in the next one. until: when something else is due, if ever."""
        if not self._is_quiet or was_compiled() or LEAVES_IN_USE.may_be_elsewhere or not self.has(optimizer):
            return None
        finished, held = self._steps.counter.finished, held_by(optimizer)
        number = self._steps.optimizers.number(optimizer)
        count = self._followed.updates.until_due(finished + 1, MOST_LIGHT, self.cost)
        count, largest = self.nodes.until_due(finished + 1, count)
        if count < _LEAST_LIGHT or not self._steps.optimizers.holds(number, tuple(map(id, held))):
            return None
        return Expected(
            weakref.ref(optimizer),
            number,
            len(held),
            threading.get_ident(),
            finished + count,
            self.cost.every,
            min(largest, LARGEST),
            math.inf if until is None else until,
        )

    @property
    def _is_quiet(self) -> bool:
        """Whether nothing is due between two steps but what is noted of every step."""
        log, followed = self._log, self._followed.unmoved.are_copied and not self._store.search.zeros.suspects
        is_whole = log.counts_steps and not self._takes_turns and not log.is_over and not self.cost.skips
        has_risks = self.nodes.risky.are_any and not log.extra
        scales = self.scaler.scales or self.scaler.has_skipped
        return is_whole and followed and not has_risks and not scales and self._steps.next.root is None

    @property
    def begun(self) -> StepBegun:
        """The step that is to come in this thread."""
        return StepBegun(self._log.calls, measured=self._steps.next.measured, ended=self._steps.counter.finished)

    def go_on(self, begun: StepBegun) -> None:
        """A step that may have begun is recorded with all that may be due."""
        self._log.calls = begun.calls
        step = self._steps.next
        step.root, step.measured = _exact(begun.root), begun.measured
        self._log.last_root = step.root or self._log.last_root

    def noted(self, number: int, steps: Sequence[LightStep], seconds: Seconds) -> None:
        """These steps of the only optimizer, which has this number, were noted."""
        self.cost.note_light(seconds.norms, seconds.measured, seconds.rest)
        self.nodes.not_looked_at([step.root for step in steps if step.root is not None], seconds.engine)
        step = self._steps.next
        for noted in steps:
            self._log.calls = noted.calls
            step.root, step.measured = _exact(noted.root), noted.measured
            self._log.last_root = step.root or self._log.last_root
            self._commit(number, noted.rate)

    @property
    def is_broken(self) -> bool:
        """Whether the last root is known not to be finite."""
        return self._log.last_root is not None and not self._log.last_root.is_finite

    def skipped(self, roots: Roots, calls: int, seconds: float) -> None:
        """Steps with these roots were only counted, with so many backward calls. seconds: of counting one."""
        log = self._log
        if roots:
            self._steps.next.measured = self._steps.next.root = None
            self._note_skipped_roots(roots)
            self._store.skip(roots)
            self._steps.counter.finished += len(roots)
            self.cost.note_skipped(len(roots), seconds)
            self.cost.note_steps(1, may_skip=self._may_skip)
            self._decided()
        log.calls += calls

    def _note_skipped_roots(self, roots: Roots) -> None:
        """Note the last root, and a trigger at the first that is not finite: a step that calls backward itself."""
        log, known = self._log, [root for root in roots if root is not None]
        bad = next((step for step, root in enumerate(roots) if root is not None and root - root != 0), None)
        if bad is not None and not self.is_broken:
            step = self._steps.counter.finished + bad + 1
            found = self._trigger("root_not_finite", known[-1])
            log.triggers.append({**found, "step": step, "backward_call": None})  # one of several
        if known:
            log.last_root = Root(known[-1], is_exact=True)

    @property
    def _takes_turns(self) -> bool:
        """Whether a step of the run may consist of the steps of several optimizers."""
        several = max(len(self._steps.optimizers), len(self._watched.optimizers)) > 1
        return self._log.counts_steps and several

    def _append(self, step: Step) -> bool:
        """Append a step; returns whether a block was completed."""
        is_full = self._store.add(step)
        if is_full:
            self._store.flush()
        return is_full

    def _measures(self, step: NextStep) -> bool:
        """Whether gradients are measured after a backward call; while several threads train, before a step."""
        return self._is_due(step) and not LEAVES_IN_USE.may_be_elsewhere

    def _is_due(self, step: NextStep) -> bool:
        """Whether the gradients of a step that has begun are measured."""
        if step.is_looked_at or self.cost.skips:  # skips: every recorded step
            return True
        return self._steps.counter.finished % self.cost.every == 0 or step.is_broken

    def _measure(self, step: NextStep, positions: frozenset[int] | None = None) -> None:
        """Measure all gradients, or those at some positions."""
        began = time.perf_counter()
        step.measured = self._followed.norms.measure(positions)
        self.cost.note_norms(time.perf_counter() - began)

    def _is_suspected(self, call: EngineCall, step: NextStep) -> bool:
        """Whether the gradients may become infinite; not if a GradScaler would skip the step."""
        risky = self.nodes.risky
        return risky.are_any and not self.scaler.scales and self._measures(step) and risky.find(call.given.outputs)

    def _reached(self, call: EngineCall) -> set[int]:
        """The positions of the parameters that the graph of a call reaches."""
        return set(self._followed.positions(leaves_of(call)))

    def _look_at_scale(self) -> None:
        triggers = self._log.triggers
        scale = None if triggers else self.scaler.collapsed()
        if scale is not None:
            triggers.append(self._trigger("scale", scale))

    def _trigger(self, kind: TriggerKind, value: float) -> Trigger:
        step = self._steps.counter.current + 1
        return {"kind": kind, "step": step, "backward_call": self._log.calls, "parameters": [], "value": value}

    def _scaler_failed(self, error: Exception) -> None:
        """After an internal error: without the scaler, roots and gradients contain its scale."""
        self.scaler.uninstall()

    # Results

    def timeline(self, ended: bool) -> Timeline | None:
        """The steps so far; None if no backward call followed the watched ones. ended: whether the script has."""
        log = self._log
        if log.calls == self._watched.calls_made:
            return None
        if ended and (step := self._steps.end()) is not None:
            self._append(step)
        self._store.flush()
        triggers = [*self._store.triggers(), *log.triggers]
        left = self._steps.last
        if left.is_broken and not any(found["kind"] == "root_not_finite" for found in triggers):
            assert left.root is not None
            triggers.append(self._trigger("root_not_finite", left.root.number()))
        self._date_extra(triggers)
        triggers = _first_not_finite(sorted(triggers, key=lambda found: found["step"]))
        last = self._store.steps
        found: Timeline = {
            "unit": "optimizer" if log.counts_steps else "backward",
            "steps": last,
            "calls": log.calls,
            "budget": self.cost.limit,
            "cost": round(self.cost.cost, 4),
            "levels": self._levels(last),
            "last_root": None if log.last_root is None else log.last_root.number(),
            "rows": self._store.row_steps(),
            "columns": self._store.columns(self._watched.optimizer_names()),
            "windows": self._store.windows(),
            "triggers": triggers,
        }
        if first := self._store.first.after(log.full, self._followed.norms.names):
            had = self._watched.with_gradient()  # also in a step whose last call was not recorded
            if later := {name: step for name, step in first.items() if name not in had}:
                found["first_gradients"] = later
        if not ended:
            found["so_far"] = True
        if log.is_over:
            found["stopped"] = True
        if self.nodes.seen.others:
            found["other_graphs"] = self.nodes.seen.others
        return found

    def _date_extra(self, triggers: list[Trigger]) -> None:
        """Write the step of a trigger into the call that was recorded because of it."""
        log = self._log
        for position, call in enumerate(log.extra):
            steps = [
                found["step"]
                for found in triggers
                if found["kind"] in NOT_FINITE and (found["backward_call"] or 0) >= call.index
            ]
            if steps:
                log.extra[position] = replace(call, setting=replace(call.setting, step=min(steps)))

    def _levels(self, last: int) -> list[LevelRow]:
        """The levels, by step."""
        log = self._log
        found: list[LevelRow] = []
        if log.full:
            found.append({"level": "full", "first": 1, "last": min(log.full, last) or 1, "every": 1})
        ends = [level.first - 1 for level in log.levels[1:]] + [last]
        clocks = [level.clock for level in log.levels[1:]] + [self.cost.clock]
        started = [*log.levels[:-1], log.levels[-1].ended(self.nodes.seen.looked, self._why_not_deeper)]
        for level, end, (spent, passed) in zip(started, ends, clocks, strict=True):
            if end >= level.first:
                row: LevelRow = {
                    "level": level.depth or "parameters", "first": level.first, "last": end, "every": level.every
                }  # fmt: skip
                if level.skips:
                    row["skips"] = True
                if level.depth is not None:
                    row["looks"] = level.looks
                elif level.reason is not None:
                    row["reason"] = level.reason
                row["cost"] = round((spent - level.clock[0]) / max(passed - level.clock[1], 1e-9), 4)
                found.append(row)
        return found

    @property
    def _depth_now(self) -> Depth | None:
        return None if self.nodes.seen.reason or not self.nodes.layouts else self.nodes.control.depth

    @property
    def _why_blind(self) -> Reason | None:
        """Why Nodes and modules cannot be looked at; None if they can. Where steps are counted, the recorder has
        asked whether something is compiled."""
        if not self._log.counts_steps and was_compiled():
            return "compiled"
        if LEAVES_IN_USE.may_be_elsewhere:
            return "threads"
        return None if self.nodes.layouts else "graph"

    @property
    def _why_not_deeper(self) -> Reason:
        """Why Nodes and modules were not looked at since the last decision."""
        seen = self.nodes.seen
        is_unseen = not seen.looked and bool(seen.others or self.nodes.control.depth)
        return seen.reason or ("graph" if is_unseen else "budget")


def _exact(root: float | None) -> Root | None:
    return None if root is None else Root(root, is_exact=True)


def _are_finite(step: NextStep) -> bool:
    """Whether the gradients that were measured last are finite."""
    return step.measured is None or all(bool(norms.isfinite().all()) for _, norms in step.measured.vectors())


def _first_not_finite(triggers: list[Trigger]) -> list[Trigger]:
    """The triggers without those that follow from the first that is not finite: at one step, from the root."""
    bad = [found for found in triggers if found["kind"] in NOT_FINITE]
    first = min(bad, key=lambda found: (found["step"], NOT_FINITE.index(found["kind"])), default=None)
    return [found for found in triggers if found["kind"] not in NOT_FINITE or found is first]
