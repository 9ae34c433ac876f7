"""A second run: nothing is watched until two steps before the wanted one, and the losses are compared."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from typing import Any

import pytest
import torch
from running import ScriptRunner
from torch import nn

import inspector
from inspector.api.again import SecondRecording
from inspector.recording.flight.same_losses import Comparison, compared

STEPS, BAD = 30, 20


def made(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))


def model_and_optimizer(seed: int = 0) -> tuple[nn.Sequential, torch.optim.SGD]:
    model = made(seed)
    return model, torch.optim.SGD(model.parameters(), lr=0.02)


def loss_of(model: nn.Module, step: int) -> torch.Tensor:
    x = torch.randn(4, 6)
    gap = (model(x) - x.sum(1, keepdim=True)) * (0.0 if step >= BAD else 1.0)
    return gap.pow(2).sum(1).sqrt().mean()


def plain(seed: int = 0) -> None:
    model, optimizer = model_and_optimizer(seed)
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        loss_of(model, step).backward()
        optimizer.step()


def accumulating() -> None:
    model, optimizer = model_and_optimizer()
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        for _ in range(3):
            loss_of(model, step).backward()
        optimizer.step()


def adversarial() -> None:
    (one, its), (other, others) = model_and_optimizer(1), model_and_optimizer(2)
    for step in range(1, STEPS + 1):
        for model, optimizer in ((other, others), (one, its)):
            optimizer.zero_grad()
            loss_of(model, step).backward()
            optimizer.step()


def without_optimizer() -> None:
    model = made()
    for step in range(1, STEPS + 1):
        model.zero_grad()
        loss_of(model, step).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.02 * parameter.grad  # type: ignore[operator]


def with_a_closure() -> None:
    model, _ = model_and_optimizer()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=2)
    for step in range(1, STEPS + 1):

        def closure(step: int = step) -> torch.Tensor:
            optimizer.zero_grad()
            loss = loss_of(model, step)
            loss.backward()
            return loss

        optimizer.step(closure)


def first_run(run: Callable[[], None]) -> Any:
    with inspector.watch(budget=1) as flight:
        run()
    return flight


@pytest.mark.parametrize(
    ("run", "calls"),
    [(plain, 3), (accumulating, 9), (adversarial, 6), (without_optimizer, 3)],
    ids=["plain", "accumulating", "adversarial", "without optimizer"],
)
def test_the_step_is_recorded_in_full_with_the_two_before(run: Callable[[], None], calls: int) -> None:
    flight = first_run(run)
    assert flight.report().timeline["triggers"][0]["step"] == BAD
    second = flight.again(run)
    steps = [call.setting.step for call in second.calls]
    per_step = calls // 3
    assert [step for step in steps if step >= BAD - 2][:calls] == [
        step for step in range(BAD - 2, BAD + 1) for _ in range(per_step)
    ]
    assert max(steps) == BAD and len(steps) <= calls + per_step
    assert second.calls[-1].index == BAD * per_step
    (finding,) = [found for found in second.findings if found.rule == "non-finite-gradient"]
    assert finding.message.startswith(f"at step {BAD}, Sqrt (line ")
    assert "gap.pow(2).sum(1).sqrt()" in finding.location["code"], finding
    assert second.remark.startswith("the losses of the first ") and "are those of the last run" in second.remark
    compared_steps = int(second.remark.split()[5])
    assert BAD - 5 <= compared_steps < BAD


def test_steps_with_closures() -> None:
    flight = first_run(with_a_closure)
    second = flight.again(with_a_closure, at=10)
    assert {8, 9, 10} <= {call.setting.step for call in second.calls}
    assert "are those of the last run" in second.remark


def test_the_second_run_changes_nothing() -> None:
    def run() -> None:
        model, optimizer = model_and_optimizer()
        for step in range(1, STEPS + 1):
            optimizer.zero_grad()
            loss_of(model, step).backward()
            optimizer.step()
        ends.append([*(parameter.detach().clone() for parameter in model.parameters())])

    ends: list[list[torch.Tensor]] = []
    run()
    first_run(run).again(run, at=BAD - 5)
    for after in ends[1:]:
        assert all(map(torch.equal, ends[0], after)) or all(item.isnan().all() for item in after)
    from torch.optim import optimizer as module

    assert not module._global_optimizer_pre_hooks and not module._global_optimizer_post_hooks


def test_a_run_that_differs_is_told_where() -> None:
    def run() -> None:
        model, optimizer = model_and_optimizer()
        for step in range(1, STEPS + 1):
            loss = loss_of(model, step) * (1.01 if runs and step >= 8 else 1.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        runs.append(1)

    runs: list[int] = []
    second = first_run(run).again(run)
    assert second.remark.startswith("the script is not deterministic: at step 8 the loss was ")


def test_a_step_that_never_comes() -> None:
    second = first_run(plain).again(plain, at=1_000)
    assert second.remark == f"step 1,000 did not come: the script made {STEPS} steps"
    assert second.calls == [] and second.findings == []


def test_the_first_steps() -> None:
    for at in (1, 2, 3, 4):
        second = SecondRecording(at, None)
        second.record(plain)
        assert [call.setting.step for call in second.calls][-1] == at
        assert [call.index for call in second.calls] == list(range(max(1, at - 2), at + 1))


def test_what_cannot_be_run_again() -> None:
    with inspector.watch(budget=1) as flight:
        model, optimizer = model_and_optimizer()
        for _ in range(10):
            loss_of(model, 1).backward()
            optimizer.step()
    with pytest.raises(ValueError, match="nothing went wrong in the recorded steps"):
        flight.again(plain)
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        flight.again(plain, at=0)


# The comparison


def timeline(rows: list[int], middle: list[float], **more: Any) -> Any:
    column = {"kind": "root", "name": "SGD", "parameters": [], "middle": middle, **more}
    return {"rows": rows, "columns": [column], "windows": []}


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([1.0, 2.0, 3.0, 4.0], Comparison(4)),
        ([1.0, 2.0], Comparison(2)),
        ([1.0, 2.5, 3.0, 5.0], Comparison(1, 2, 2.0, 2.5)),
        ([1.0, 2.0, math.nan, 4.0], Comparison(4)),
        ([1.0000004, 2.0, 3.0, 4.0], Comparison(4)),
        ([1.00001, 2.0, 3.0, 4.0], Comparison(0, 1, 1.0, 1.00001)),
        ([], Comparison(0)),
    ],
)
def test_losses_are_compared_by_step(losses: list[float], expected: Comparison) -> None:
    assert compared(timeline([1] * 4, [1.0, 2.0, 3.0, 4.0]), [array("d", losses)]) == expected


def test_rows_of_several_steps_are_compared_by_their_ends() -> None:
    rows = timeline([2, 2], [1.5, 3.5], low=[1.0, 3.0], high=[2.0, 4.0])
    assert compared(rows, [array("d", [1.0, 2.0, 4.0, 3.0])]) == Comparison(4)
    assert compared(rows, [array("d", [1.0, 2.0, 4.0, 2.0])]) == Comparison(2, 4, 3.0, 2.0)
    rows["windows"] = [{"first": 2, "columns": [[2.0, 9.0]]}]
    assert compared(rows, [array("d", [1.0, 2.0, 4.0, 3.0])]) == Comparison(2, 3, 9.0, 4.0)


# The command

SCRIPT = """
import torch
{seed}
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
for step in range(1, 31):
    gap = model(torch.randn(4, 3)) * (0.0 if step >= 20 else 1.0)
    loss = gap.pow(2).sum(1).sqrt().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
"""


def test_the_command(inspect_script: ScriptRunner) -> None:
    code = SCRIPT.format(seed="torch.manual_seed(0)")
    options = ("-f", "dot", "--budget", "100%")
    refused = inspect_script(code, options=("--again",))
    assert refused.status == 2 and "run the script without --again first, or give --at STEP" in refused.stderr
    inspect_script(code, options=options)
    for _ in range(2):  # the second finds the first run in previous.json
        ran = inspect_script(code, options=("-f", "dot", "--again"))
        assert ran.status == 0
        assert [call["index"] for call in ran.report["backward_calls"]] == [18, 19, 20]
        (row,) = [row for row in ran.report["findings"] if row["rule"] == "non-finite-gradient"]
        assert row["location"]["line"] == 8 and row["message"].startswith("at step 20, Sqrt")
        assert ran.said[-1] == "inspect: 3 backward calls recorded in full, up to step 20"
        assert "inspect: note: the losses of the first 17 steps are those of the last run" in ran.said
    late = inspect_script(code, options=("-f", "dot", "--at", "50"))
    assert late.said[-1] == "inspect: nothing to show: step 50 did not come: the script made 30 steps"
    both = inspect_script(code, options=("--again", "--at", "3"))
    assert both.status == 2 and "--again and --at cannot be combined" in both.stderr
