"""Steps of which little is noted: their timeline is that of steps recorded with all that may be due."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import inspector
from inspector.recording.flight.cost_control import CostControl
from inspector.recording.flight.depth_control import UNUSUAL, DepthControl
from inspector.recording.flight.flight import Flight
from inspector.recording.flight.gradient_norms import GradientNorms
from inspector.recording.flight.light_steps import MOST_LIGHT, LightSteps
from inspector.recording.flight.update_norms import UpdateNorms
from inspector.torch_api.step_hooks import STEP_HOOKS

STEPS = 150
"""With the steps at which other work is due: those at the start, and step 128."""


class Nested(torch.optim.SGD):
    """Its step is that of its base class, whose hooks are called, too."""

    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


class Noted:
    """The steps that were noted."""

    def __init__(self) -> None:
        self.steps = 0


@pytest.fixture(autouse=True)
def noted(monkeypatch: pytest.MonkeyPatch) -> Noted:
    """No decision depends on the time that anything takes."""
    found, append = Noted(), LightSteps._append

    def count(self: LightSteps, optimizer: Any) -> None:
        found.steps += 1
        append(self, optimizer)

    monkeypatch.setattr(LightSteps, "_append", count)
    monkeypatch.setattr(CostControl, "note_steps", lambda self, steps, *, may_skip=False: None)
    monkeypatch.setattr(DepthControl, "decide", lambda self, left: None)
    monkeypatch.setattr(UpdateNorms, "is_due", lambda self, step, cost: step % 50 == 0)
    return found


class Loop:
    """A training of a small model. step: makes one, of this number."""

    def __init__(self, optimizer: Callable[..., Any] = torch.optim.SGD) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
        self.optimizer = optimizer(self.model.parameters(), lr=0.01)
        self.step: Callable[[int], object] = self.plain

    def loss(self, factor: float = 1.0) -> torch.Tensor:
        loss: torch.Tensor = self.model(torch.randn(4, 3)).pow(2).mean() * factor
        return loss

    def plain(self, number: int, factor: float = 1.0) -> None:
        self.optimizer.zero_grad()
        self.loss(factor).backward()
        self.optimizer.step()


class Mode(TorchDispatchMode):
    """Sees operations, and does them."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return function(*args, **(kwargs or {}))


def unexpected(here: bool) -> contextlib.AbstractContextManager[object]:
    """A mode, in which a call is recorded with all that may be due."""
    return Mode() if here else contextlib.nullcontext()


def accumulated(self: Loop, number: int) -> None:
    self.optimizer.zero_grad()
    for part in range(3):
        with unexpected(number == 60 and part == 2):
            self.loss().backward()
    self.optimizer.step()


def with_closure(self: Loop, number: int) -> None:
    def closure() -> torch.Tensor:
        self.optimizer.zero_grad()
        loss = self.loss()
        with unexpected(number == 60):
            loss.backward()
        return loss

    self.optimizer.step(closure)


def scheduled(self: Loop, number: int) -> None:
    self.optimizer.param_groups[0]["lr"] = 0.01 / number
    self.plain(number)


def two_rates(self: Loop, number: int) -> None:
    if number == 90:
        new = torch.nn.Parameter(torch.full((2,), 0.01))
        self.optimizer.add_param_group({"params": [new], "lr": 0.5})
        self.loss = lambda factor=1.0: Loop.loss(self, factor) + new.pow(2).sum()  # type: ignore[method-assign]
    self.plain(number)


def second_optimizer(self: Loop, number: int) -> None:
    self.plain(number)
    if number >= 90:
        self.other = getattr(self, "other", None) or torch.optim.Adam(self.model[2].parameters())
        self.other.step()


def spiking(self: Loop, number: int) -> None:
    self.plain(number, 10 * UNUSUAL if number == 100 else 1.0)


def with_penalty(self: Loop, number: int) -> None:
    self.optimizer.zero_grad()
    x = torch.randn(4, 3, requires_grad=True)
    (slope,) = torch.autograd.grad(self.model(x).sum(), x, create_graph=True)
    (self.loss() + slope.pow(2).mean()).backward()
    self.optimizer.step()


def twice(self: Loop, number: int) -> None:
    self.plain(number)
    if number % 7 == 0:
        self.optimizer.step()


def frozen(self: Loop, number: int) -> None:
    self.model[0].weight.requires_grad_(number < 80 or number > 120)
    self.plain(number)


def failing(self: Loop, number: int) -> None:
    if number % 20 != 19:
        return self.plain(number)
    with contextlib.suppress(RuntimeError):
        loss = self.loss()
        loss.backward()
        loss.backward()
    self.optimizer.step()
    with contextlib.suppress(ZeroDivisionError):
        loss = self.loss()
        loss.register_hook(lambda gradient: 1 // 0)
        loss.backward()
    return self.optimizer.step()


def clipped(self: Loop, number: int) -> None:
    self.optimizer.zero_grad()
    self.loss().backward()
    torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1e-3)
    self.optimizer.step()


def scaled(self: Loop, number: int) -> None:
    self.scaler = getattr(self, "scaler", None) or torch.amp.GradScaler("cpu", init_scale=8.0)
    self.optimizer.zero_grad()
    self.scaler.scale(self.loss()).backward()
    self.scaler.step(self.optimizer)
    self.scaler.update()


def in_a_mode(self: Loop, number: int) -> None:
    with unexpected(number > 70):
        self.plain(number)


def in_a_thread(self: Loop, number: int) -> None:
    if number < 100:
        return self.plain(number)
    thread = threading.Thread(target=self.plain, args=(number,))
    thread.start()
    return thread.join()


def timeline_of(step: Callable[[Loop, int], None], optimizer: Callable[..., Any] = torch.optim.SGD) -> Any:
    """The timeline without what depends on time, and the last gradients."""
    loop = Loop(optimizer)
    with inspector.watch(budget=0.03, mode="light") as flight:
        for number in range(1, STEPS + 1):
            step(loop, number)
    timeline = flight.report().timeline
    assert timeline is not None
    del timeline["cost"]
    for level in timeline["levels"]:
        level.pop("cost", None)
    return timeline, [parameter.grad for parameter in loop.model.parameters()]


@contextlib.contextmanager
def none_light() -> Iterator[None]:
    """All that may be due is recorded of every step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flight, "expected", lambda self, optimizer, until: None)
        yield


@pytest.mark.parametrize(
    ("step", "least"),
    [
        (Loop.plain, 90), (accumulated, 40), (with_closure, 40), (scheduled, 90), (two_rates, 50),
        (second_optimizer, 50), (spiking, 40), (with_penalty, 0), (twice, 90), (frozen, 80), (failing, 20),
        (clipped, 90), (scaled, 0), (in_a_mode, 30), (in_a_thread, 60),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)  # fmt: skip
def test_the_timeline_is_the_same(step: Callable[[Loop, int], None], least: int, noted: Noted) -> None:
    found, grads = timeline_of(step)
    assert noted.steps >= least
    with none_light():
        expected, plain = timeline_of(step)
    assert found == expected
    assert all(map(torch.equal, grads, plain))


@pytest.mark.parametrize(
    "optimizer",
    [Nested, torch.optim.AdamW, lambda held, lr: torch.optim.SGD(held, lr=torch.tensor(lr))],
    ids=["nested", "AdamW", "rate-is-a-tensor"],
)
def test_the_timeline_is_the_same_with(optimizer: Callable[..., Any], noted: Noted) -> None:
    found, _ = timeline_of(Loop.plain, optimizer)
    assert noted.steps >= 90
    with none_light():
        assert found == timeline_of(Loop.plain, optimizer)[0]


@pytest.mark.parametrize("bad", [100, 101, 117])
@pytest.mark.parametrize("kind", ["root_not_finite", "gradient_not_finite"])
def test_a_nan_has_its_step(kind: str, bad: int, noted: Noted) -> None:
    def step(loop: Loop, number: int) -> None:
        loop.optimizer.zero_grad()
        loss = loop.loss(math.nan if number == bad and kind == "root_not_finite" else 1.0)
        if number == bad and kind == "gradient_not_finite":
            loss.register_hook(lambda gradient: gradient * math.inf)
        loss.backward()
        loop.optimizer.step()

    timeline, _ = timeline_of(step)
    assert noted.steps > 50
    (found,) = timeline["triggers"]
    assert (found["kind"], found["step"], found["backward_call"]) == (kind, bad, bad)


class Seen(torch.nn.Parameter):
    """Notes what is asked of it."""

    asked: ClassVar[list[str]] = []

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.asked.append(getattr(function, "__qualname__", str(function)))
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args, **(kwargs or {}))


def test_a_class_of_the_script_sees_its_own_operations_only(noted: Noted) -> None:
    seen = []
    for budget in (0.0, 0.03):
        Seen.asked.clear()
        loop = Loop(lambda held, lr: None)
        loop.model[0].weight = Seen(loop.model[0].weight.detach())
        loop.optimizer = torch.optim.SGD(loop.model.parameters(), lr=0.01)
        with inspector.watch(budget=budget, mode="light"):
            for number in range(1, STEPS + 1):
                loop.plain(number)
                last = len(Seen.asked)
        seen.append(Seen.asked[:last])
    assert noted.steps > 50 and seen[0] == seen[1]


def operations_of(budget: float) -> dict[str, int]:
    """What a profiler of the script sees of 20 steps, after 60 others."""
    loop = Loop()
    with inspector.watch(budget=budget, mode="light"):
        for number in range(1, 61):
            loop.plain(number)
        with torch.autograd.profiler.profile() as profiler:
            for number in range(61, 81):
                loop.plain(number)
    return {row.key: row.count for row in profiler.key_averages()}


def test_a_profiler_sees_the_operations_of_the_script_only(noted: Noted, monkeypatch: pytest.MonkeyPatch) -> None:
    found = operations_of(0.03)
    assert noted.steps > 20 and "aten::mm" in found
    assert found == operations_of(0.0)
    monkeypatch.setattr(Flight, "skips", lambda self: 100)  # steps are only counted
    assert found == operations_of(0.03)


def test_what_is_known_is_asked_for_at_any_time() -> None:
    loop = Loop()
    with inspector.watch(budget=0.03, mode="light") as flight:
        for number in range(1, STEPS + 1):
            loop.plain(number)
            timeline = flight.report().timeline if number > 10 else None
            assert timeline is None or timeline["steps"] == timeline["calls"] == number


def test_an_error_in_measuring_ends_the_recording_and_not_the_script(
    noted: Noted, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = GradientNorms.measure

    def fails(self: GradientNorms, wanted: Any = None) -> Any:
        if noted.steps > 20:
            raise LookupError("lost")
        return measure(self, wanted)

    monkeypatch.setattr(GradientNorms, "measure", fails)
    loop = Loop()
    with inspector.watch(budget=0.03, mode="light") as flight:
        for number in range(1, STEPS + 1):
            loop.plain(number)
    assert noted.steps < 20 + MOST_LIGHT
    assert flight.failure is not None and "lost" in flight.failure
    STEP_HOOKS.add(lambda *given: None, lambda *given: None)()  # torch's hooks stay if they fail within a step


def test_roots_of_unusual_size_are_not_expected() -> None:
    control = DepthControl()
    for number in range(40):
        control.note((None, "modules", "nodes")[number % 3], 1.0, 0.0)  # type: ignore[arg-type]
    assert control.until_due(1, 16) == (16, math.inf), "too few roots are known"
    control.not_looked_at([*[100.0] * 16, *[-2.0] * 48], None)
    assert control.until_due(1, 16) == (16, 2.0 * UNUSUAL), "the large ones are forgotten by the end"
    assert control.until_due(1, 2) == (2, 100.0 * UNUSUAL)
    assert control.until_due(120, 16)[0] == 8, "step 128 is looked at"
    control.depth, control.every = "modules", 4
    assert [control.until_due(step, 16)[0] for step in range(4, 9)] == [0, 3, 2, 1, 0]
