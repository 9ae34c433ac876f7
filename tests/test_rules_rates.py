"""The rule about a learning rate that a scheduler has made too large, and schedules that rise on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

import inspector
from inspector.diagnosis.analysis.learning_rates import rate_rows
from inspector.diagnosis.evidence import Evidence
from inspector.report import Finding, Report

STEPS = 60
Scheduler = Callable[[torch.optim.Optimizer], Any]


def trained(make: Scheduler, rate: float = 0.02, every: int = 1, steps: int = STEPS) -> tuple[Report, list[float]]:
    """The report of a training, and the rates that torch had at its steps.

    every: steps of the optimizer for each of the scheduler.
    """
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    rates = []
    with inspector.watch(model, optimizer, budget=1) as flight:
        scheduler = make(optimizer)
        for step in range(1, steps + 1):
            x = torch.randn(16, 4)
            optimizer.zero_grad()
            (model(x) - 3 * x.sum(1, keepdim=True)).pow(2).mean().backward()
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if step % every == 0:
                scheduler.step()
    return flight.report(), rates


def loud(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.severity != "note"]


@pytest.mark.parametrize(
    ("make", "every"),
    [
        (lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 1.1), 1),
        (lambda optimizer: lr_scheduler.StepLR(optimizer, 2, gamma=10), 10),
        (lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [20, 40], gamma=10), 1),
        (lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 + step), 1),
    ],
    ids=["factor of an epoch at each batch", "step of ten", "milestones", "a line without an end"],
)
def test_a_rate_that_grows_until_the_loss_is_worse(make: Scheduler, every: int) -> None:
    report, rates = trained(make, every=every)
    (found,) = loud(report)
    assert found.rule == "growing-learning-rate"
    assert found.evidence["rate"] == pytest.approx(rates[-1], rel=1e-4)
    assert found.evidence["initial"] == pytest.approx(rates[0])
    assert "(lambda optimizer: lr_scheduler." in found.location["code"]
    assert {"0.weight", "0.bias", "2.weight", "2.bias"} == set(found.parameters)
    assert [row.rate for row in rate_rows(Evidence(report), 0)][-1] == pytest.approx(rates[-1], rel=1e-4)


@pytest.mark.parametrize(
    ("make", "rate"),
    [
        (lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 1.35), 1e-6),
        (lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=60, pct_start=0.9), 0.1),
        (lambda optimizer: lr_scheduler.CyclicLR(optimizer, 1e-3, 0.05, step_size_up=60), 1e-3),
        (lambda optimizer: lr_scheduler.LinearLR(optimizer, 0.001, total_iters=40), 0.05),
        (lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: (step + 1) / 40), 0.05),
        (lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 1.06), 1e-3),
    ],
    ids=["search", "one cycle", "cycles", "warm-up", "warm-up by hand", "tenfold, and better for it"],
)
def test_a_rate_that_grows_on_purpose(make: Scheduler, rate: float) -> None:
    report, rates = trained(make, rate, steps=50)
    assert max(rates) >= 10 * rates[0]
    assert loud(report) == []
    notes = [finding for finding in report.findings if finding.rule == "growing-learning-rate"]
    scheduler = make(torch.optim.SGD([torch.zeros(1)], lr=rate))
    assert len(notes) == isinstance(scheduler, lr_scheduler.ExponentialLR)
    for note in notes:
        assert note.evidence["rate"] == pytest.approx(rates[-1], rel=1e-4) and "never fell" in note.message


def test_a_search_that_ends_in_a_spike_has_a_note() -> None:
    report, _ = trained(lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 1.35), 1e-6, steps=56)
    spikes = [finding for finding in report.findings if finding.rule == "gradient-spike"]
    assert [finding.severity for finding in spikes] == ["note"]


def test_the_line_that_steps_the_scheduler() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with inspector.record(watch=2) as recording:
        schedulers = [lr_scheduler.StepLR(optimizer, 5), lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)]
        for _ in range(2):
            model(torch.ones(3, 2)).sum().backward()
            optimizer.step()
            schedulers[1].step()
    (row,) = recording.report().inventory.optimizers
    assert ["stepped_at" in scheduler for scheduler in row["schedulers"]] == [False, True]
    assert row["schedulers"][1]["stepped_at"]["code"] == "schedulers[1].step()"


def test_without_a_timeline_it_is_not_checked() -> None:
    with inspector.record() as recording:
        nn.Linear(2, 1)(torch.ones(1, 2)).sum().backward()
    (check,) = [row for row in recording.report().checked if row.rule == "growing-learning-rate"]
    assert check.status == "not checked"
