"""Steps that are only counted: their losses, and the first that is not finite."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import optimizer as torchs

import inspector
from inspector.recording.flight.cost_control import CostControl
from inspector.torch_api.step_hooks import STEP_HOOKS

COUNTED = 7
"""Number of steps that are only counted after each recorded one."""


class Nested(torch.optim.SGD):
    """Its step is that of its base class, whose hooks are called, too."""

    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


@pytest.fixture(autouse=True)
def rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps are recorded, whatever they cost."""

    def decide(self: CostControl, steps: int, *, may_skip: bool = False) -> None:
        self.skips = COUNTED if may_skip else 0

    monkeypatch.setattr(CostControl, "note_steps", decide)
    monkeypatch.setattr("inspector.recording.flight.flight.BLOCK", 1)
    monkeypatch.setattr("inspector.recording.flight.store.BLOCK", 1)


def losses_of(optimizer: Callable[..., Any], *, bad: int | None, closure: bool, watchers: int) -> Any:
    """The flights of 60 steps, torch's own losses of them, and in how many torch's hooks only counted."""
    torch.manual_seed(0)
    model, losses, counted = torch.nn.Linear(3, 1), [], 0
    steps = optimizer(model.parameters(), lr=0.01)
    with contextlib.ExitStack() as stack:
        flights = [stack.enter_context(inspector.watch(budget=0.03, mode="light")) for _ in range(watchers)]
        for step in range(1, 61):
            x, seen = torch.randn(4, 3), list[float]()

            def run(step: int = step, x: torch.Tensor = x, seen: list[float] = seen) -> torch.Tensor:
                steps.zero_grad()
                loss = model(x).pow(2).mean() * (math.nan if step == bad else 1.0)
                loss.backward()
                seen.append(loss.item())
                return loss

            steps.step(run) if closure else (run(), steps.step())
            counted += STEP_HOOKS._counter is not None
            losses.append(seen[-1])
    return flights, losses, counted


@pytest.mark.parametrize(
    ("optimizer", "closure", "watchers"),
    [
        (torch.optim.SGD, False, 1),
        (Nested, False, 1),
        (torch.optim.SGD, True, 1),
        (lambda parameters, lr: torch.optim.LBFGS(parameters, lr=lr, max_iter=3), True, 1),
        (torch.optim.SGD, False, 2),
    ],
    ids=["plain", "nested", "closure", "several-calls", "two-recorders"],
)
@pytest.mark.parametrize("bad", [None, 45])
def test_every_step_has_its_loss(
    optimizer: Callable[..., Any], closure: bool, watchers: int, bad: int | None
) -> None:
    before = len(torchs._global_optimizer_pre_hooks)
    flights, losses, counted = losses_of(optimizer, bad=bad, closure=closure, watchers=watchers)
    assert len(torchs._global_optimizer_pre_hooks) == before and STEP_HOOKS._counter is None
    assert (counted > 30) == (watchers == 1)
    for flight in flights:
        timeline = flight.report().timeline
        assert timeline["steps"] == 60 and timeline["levels"][-1]["skips"]
        (root,) = [column for column in timeline["columns"] if column["kind"] == "root"]
        until = 60 if bad is None else bad - 1
        assert root["middle"][:until] == pytest.approx(losses[:until], rel=1e-5)
        found = [(trigger["kind"], trigger["step"]) for trigger in timeline["triggers"]]
        assert found == ([] if bad is None else [("root_not_finite", bad)])
