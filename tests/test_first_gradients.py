"""Parameters that are trained only later in a run: what their first steps seemed to show does not hold."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
import torch
from running import ScriptRunner
from torch import nn

import inspector
from inspector.recording.flight.block import Block
from inspector.recording.flight.first_gradients import FirstGradients
from inspector.report import Report

X = torch.linspace(-1.0, 1.0, 16).reshape(8, 2)
Losses = Iterator[tuple[torch.optim.Optimizer, torch.Tensor]]
LATE = 6


class Net(nn.Module):
    """A trunk with two heads."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk, self.head, self.aux = nn.Linear(2, 4), nn.Linear(4, 1), nn.Linear(4, 1)

    def loss(self, late: bool) -> torch.Tensor:
        hidden = torch.tanh(self.trunk(X))
        loss = self.head(hidden).sub(1).square().mean()
        return loss + self.aux(hidden).square().mean() if late else loss


def sgd(*modules: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD([tensor for module in modules for tensor in module.parameters()], lr=0.05)


def recorded(losses: Callable[[Net], Losses], steps: int) -> Report:
    """The report of a training of so many steps."""
    net = Net()
    with inspector.watch(budget=1) as flight:
        for optimizer, loss in itertools.islice(losses(net), steps):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert flight.failure is None
    return flight.report()


def said(losses: Callable[[Net], Losses], steps: int = 12) -> tuple[list[str], dict[str, int]]:
    """The rules with findings, after all steps, and the first gradients that were noted."""
    report = recorded(losses, steps)
    assert report.timeline is not None
    assert not [check for check in report.checked if "internal error" in (check.reason or "")]
    loud = [finding.rule for finding in report.findings if finding.severity != "note"]
    return loud, report.timeline.get("first_gradients", {})


def a_loss_that_is_added(net: Net) -> Losses:
    optimizer = sgd(net)
    for step in itertools.count(1):
        yield optimizer, net.loss(step >= LATE)


def a_second_stage(net: Net) -> Losses:
    optimizer = sgd(net)
    for step in itertools.count(1):
        hidden = net.trunk(X)
        yield optimizer, (net.aux(hidden.detach()) if step >= LATE else net.head(hidden)).square().mean()


def a_trunk_that_is_detached(net: Net) -> Losses:
    optimizer = sgd(net.trunk, net.head)
    for step in itertools.count(1):
        hidden = net.trunk(X)
        yield optimizer, net.head(hidden if step >= LATE else hidden.detach()).square().mean()


def a_trunk_without_gradients(net: Net) -> Losses:
    optimizer = sgd(net.trunk, net.head)
    for step in itertools.count(1):
        with torch.set_grad_enabled(step >= LATE):
            hidden = net.trunk(X)
        yield optimizer, net.head(hidden).square().mean()


def a_weight_that_is_zero(net: Net) -> Losses:
    optimizer = sgd(net)
    for step in itertools.count(1):
        weight = 1.0 if step >= LATE else 0.0
        yield optimizer, net.loss(False) + weight * net.aux(net.trunk(X)).square().mean()


def a_group_that_is_added(net: Net) -> Losses:
    optimizer = sgd(net.head)
    for step in itertools.count(1):
        if step == LATE:
            optimizer.add_param_group({"params": [*net.trunk.parameters(), *net.aux.parameters()]})
        yield optimizer, net.loss(True)


def an_optimizer_that_is_made_later(net: Net) -> Losses:
    optimizer, other = sgd(net.head), sgd(net.head)
    for step in itertools.count(1):
        if step == LATE:
            other = sgd(net)
        yield other if step >= LATE else optimizer, net.loss(True)


@pytest.mark.parametrize(
    "losses",
    [
        a_loss_that_is_added,
        a_second_stage,
        a_trunk_that_is_detached,
        a_trunk_without_gradients,
        a_weight_that_is_zero,
        a_group_that_is_added,
        an_optimizer_that_is_made_later,
    ],
)
def test_parameters_that_train_later_give_no_finding(losses: Callable[[Net], Losses]) -> None:
    first, _ = said(losses, steps=LATE - 1)
    assert first, "without the later steps, it is one"
    found, noted = said(losses)
    assert found == []
    first_steps = {LATE - 1} if losses is an_optimizer_that_is_made_later else {LATE}  # in a step, each steps once
    assert set(noted.values()) == first_steps


def test_an_optimizer_of_its_own_that_steps_before_its_model_is_used() -> None:
    late = nn.Linear(2, 1)

    def losses(net: Net) -> Losses:
        optimizer, other = sgd(net.trunk, net.head), sgd(late)
        for step in itertools.count(1):
            other.step()
            other.zero_grad()
            yield optimizer, net.loss(False) + (late(X).square().mean() if step >= LATE else 0.0)

    assert "optimizer-without-gradient" in said(losses, steps=LATE - 1)[0]
    assert said(losses)[0] == []


def test_a_warm_up_that_begins_at_zero() -> None:
    def losses(net: Net) -> Losses:
        optimizer = sgd(net)
        for step in itertools.count(1):
            optimizer.param_groups[0]["lr"] = 0.05 if step >= LATE else 0.0
            yield optimizer, net.loss(True)

    assert said(losses, steps=LATE - 1)[0] == ["step-without-effect"]
    assert said(losses)[0] == []


def test_a_finding_loses_only_the_parameters_that_train_later() -> None:
    def losses(net: Net) -> Losses:
        net.unused = nn.Linear(2, 1)
        optimizer = sgd(net)
        for step in itertools.count(1):
            yield optimizer, net.loss(step >= LATE)

    (found,) = [finding for finding in recorded(losses, 12).findings if finding.severity != "note"]
    assert (found.rule, found.parameters) == ("unreachable-parameter", ["unused.weight", "unused.bias"])


@pytest.mark.parametrize("zeros", [False, True])
def test_what_never_trains_is_still_reported(zeros: bool) -> None:
    def losses(net: Net) -> Losses:
        optimizer = sgd(net)
        for _ in itertools.count(1):
            yield optimizer, net.loss(False) + (0.0 * net.aux(net.trunk(X)).sum() if zeros else 0.0)

    found, noted = said(losses)
    assert found == ["zero-gradient" if zeros else "unreachable-parameter"]
    assert noted == {}


def test_the_first_step_is_that_of_the_first_gradient_that_is_not_zero() -> None:
    nan = torch.nan
    first = FirstGradients()
    norms = torch.tensor([[0.0, 2.0, 0.0], [1.0, 2.0, 0.0], [3.0, 2.0, nan]], dtype=torch.float64)
    known = torch.tensor([[True, False, True], [True, True, False], [True, True, True]])
    first.update(Block([4, 6, 9], [4, 6, 9], [{}] * 3, norms, known, ["a", "b", "c"]))
    more = torch.tensor([[0.0, 1.0, 1.0, 1.0]], dtype=torch.float64)
    first.update(Block([10], [10], [{}], more, torch.ones_like(more, dtype=torch.bool), ["a", "b", "c", "d"]))
    assert first.after(0, ["a", "b", "c", "d"]) == {"a": 6, "b": 6, "c": 9, "d": 10}
    assert first.after(6, ["a", "b", "c", "d"]) == {"c": 9, "d": 10}
    assert first.after(10, ["a", "b", "c", "d"]) == {}


def test_a_name_that_several_have_came_later_only_if_all_did() -> None:
    first = FirstGradients()
    norms = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0, 1.0], [1.0] * 3 + [0.0, 1.0]])
    first.update(Block([1, 7, 9], [1, 7, 9], [{}] * 3, norms, torch.ones_like(norms, dtype=torch.bool), []))
    assert first.after(3, ["a", "a", "b", "c", "c"]) == {"b": 7}, "one a had one earlier, one c never had one"
    assert first.after(3, ["x", "a", "a", "y", "z"]) == {"a": 7, "z": 7}


def test_models_of_one_name_that_are_trained_in_turn() -> None:
    """The first one's unused head is a fault, although a later one's is used."""

    def train(late: bool) -> None:
        net = Net()
        optimizer = sgd(net)
        for _ in range(8):
            optimizer.zero_grad()
            net.loss(late).backward()
            optimizer.step()

    with inspector.watch(budget=1) as flight:
        train(False)
        train(True)
    report = flight.report()
    assert [finding.rule for finding in report.findings if finding.severity != "note"] == ["unreachable-parameter"]
    assert report.timeline is not None and "first_gradients" not in report.timeline


def test_a_step_with_several_backward_calls_has_the_gradients_of_the_first() -> None:
    """Its last call was not recorded, so the gradients that it used are unknown."""
    net = Net()
    optimizer = torch.optim.LBFGS([*net.trunk.parameters(), *net.head.parameters()], lr=0.1, max_iter=6)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        found = net.loss(False)
        found.backward()
        return found

    with inspector.watch(budget=1) as flight:
        for _ in range(4):
            optimizer.step(loss)
    timeline = flight.report().timeline
    assert timeline is not None and timeline["steps"] > 1
    assert "first_gradients" not in timeline


def test_the_terminal_withdraws_what_it_said_of_the_first_steps(inspect_script: ScriptRunner) -> None:
    code = """
    import torch
    torch.manual_seed(0)
    first, second, x = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1), torch.ones(4, 2)
    optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.01)
    for step in range(1, 13):
        loss = (second(first(x).detach()) if step > 6 else first(x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    """
    ran = inspect_script(code, options=("-f", "json", "--budget", "100%"))
    said = " ".join(ran.stderr.split())
    assert said.count("never got a gradient") == 2, "reported, then withdrawn"
    assert "never got a gradient; step 7 is the first that uses their gradients" in said
    assert ran.report["findings"] == []
