"""Which calls train, which are recorded, and when the watch ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from running import Ran, ScriptRunner

from inspector.recording.call_count import MOST_BEFORE_STEP, MOST_COUNTED, MOST_WITHOUT_OPTIMIZER, CallCount
from inspector.recording.watch_plan import WatchPlan

HEAD = """
import torch
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
"""

DERIVATIVES = (
    HEAD
    + """
x, t = (torch.linspace(0, 1, 6)[:, None].requires_grad_() for _ in range(2))

def derivative(y, of):
    return torch.autograd.grad(y.sum(), of, create_graph=True)[0]

for _ in range(5):
    u = net(torch.cat([x, t], 1))
    u_x = derivative(u, x)
    residual = derivative(u, t) + u * u_x - 0.01 * derivative(u_x, x)
    loss = residual.pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
)

PENALTY = (
    HEAD
    + """
for _ in range(5):
    x = torch.randn(6, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    loss = net(x).mean() + (slope.norm(dim=1) - 1).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
)

HESSIAN_VECTOR = (
    HEAD
    + """
x, held = torch.randn(6, 2), list(net.parameters())
for _ in range(5):
    loss = net(x).pow(2).mean()
    grads = torch.autograd.grad(loss, held, create_graph=True)
    product = torch.autograd.grad(grads, held, [torch.ones_like(item) for item in held], create_graph=True)
    loss = loss + sum(item.pow(2).sum() for item in product)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
)

META = (
    HEAD
    + """
held, x = list(net.parameters()), torch.randn(6, 2)
for _ in range(4):
    fast = held
    for _ in range(2):
        hidden = torch.tanh(torch.nn.functional.linear(x, fast[0], fast[1]))
        inner = torch.nn.functional.linear(hidden, fast[2], fast[3]).pow(2).mean()
        fast = [p - 0.1 * g for p, g in zip(fast, torch.autograd.grad(inner, fast, create_graph=True))]
    hidden = torch.tanh(torch.nn.functional.linear(x, fast[0], fast[1]))
    loss = torch.nn.functional.linear(hidden, fast[2], fast[3]).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
)

ATTACK = (
    HEAD
    + """
for _ in range(4):
    clean = torch.randn(6, 2)
    attacked = clean.clone().requires_grad_()
    for _ in range(3):
        (slope,) = torch.autograd.grad(net(attacked).mean(), attacked)
        attacked = (attacked + 0.1 * slope.sign()).detach().requires_grad_()
    loss = net(attacked).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
)

HESSIAN = """
import torch
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
hessian = torch.autograd.functional.hessian(lambda a: (a**3).sum(), x)
for _ in range(2):
    (x * 2).sum().backward()
"""

JACOBIAN = """
import torch
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
jacobian = torch.autograd.functional.jacobian(lambda a: a**2, x)
loss = (x * jacobian.diag()).sum()
loss.backward()
print(x.grad)
"""


def steps(ran: Ran) -> list[tuple[int, int | None]]:
    """The index of each recorded call, and the call whose step it is part of."""
    return [(call["index"], call.get("step_of")) for call in ran.calls]


@pytest.mark.parametrize(
    ("code", "within", "recorded"),
    [
        pytest.param(DERIVATIVES, 3, 12, id="derivatives of a network in its loss"),
        pytest.param(PENALTY, 1, 6, id="gradient penalty"),
        pytest.param(HESSIAN_VECTOR, 2, 9, id="Hessian-vector product"),
        pytest.param(META, 2, 9, id="meta-learning"),
        pytest.param(ATTACK, 3, 12, id="adversarial examples"),
    ],
)
def test_derivatives_in_a_loss_are_part_of_the_step(
    code: str, within: int, recorded: int, inspect_script: ScriptRunner
) -> None:
    ran = inspect_script(code)
    first = within + 1
    assert steps(ran)[:first] == [*((index, first) for index in range(1, first)), (first, None)]
    assert [call["index"] for call in ran.calls] == list(range(1, recorded + 1))
    trains = [call for call in ran.calls if "step_of" not in call]
    assert [call["location"]["code"] for call in trains] == ["loss.backward()"] * 3
    assert [call["recording"] for call in ran.calls[:first]] == ["full"] * first
    assert ran.report["recording"]["drawn"] == [first]
    assert ran.report["findings"] == []
    assert f"backward {first}  loss.backward()" in ran.stderr and "part of this step: backward call" in ran.stderr
    # two whole steps were seen between three calls that train
    assert [row["after_call"] for row in ran.report["events"] if row["event"] == "step"] == [first, 2 * first]


def test_a_defect_of_a_loss_of_derivatives_is_found(inspect_script: ScriptRunner) -> None:
    broken = DERIVATIVES.replace("residual.pow(2).mean()", "residual.pow(2).mean().detach().requires_grad_()")
    ran = inspect_script(broken)
    (finding,) = ran.report["findings"]
    line = 1 + broken.splitlines().index("    loss = residual.pow(2).mean().detach().requires_grad_()")
    assert (finding["rule"], finding["location"]["line"], finding["backward_call"]) == ("rewrapped-loss", line, 4)


@pytest.mark.parametrize(("code", "drawn", "calls"), [(HESSIAN, 5, [1, 2, 3, 5, 6]), (JACOBIAN, 4, [1, 2, 3, 4])])
def test_functions_of_derivatives_beside_training(
    code: str, drawn: int, calls: list[int], inspect_script: ScriptRunner
) -> None:
    ran = inspect_script(code)
    assert (ran.status, ran.stdout) == (0, inspect_script.plain(code).stdout)
    assert [call["index"] for call in ran.calls] == calls
    assert ran.report["recording"]["drawn"] == [drawn]
    expected = [2.0, 2.0, 2.0] if code == HESSIAN else [2.0, 4.0, 6.0]
    assert ran.grads("x", calls.index(drawn)) == (None, expected)


def test_only_the_first_derivatives_of_a_step_are_recorded_and_that_is_said(inspect_script: ScriptRunner) -> None:
    code = JACOBIAN.replace("[1.0, 2.0, 3.0]", "[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]")
    ran = inspect_script(code, options=("-f", "json", "--watch", "2"))
    assert steps(ran) == [(1, 8), (2, 8), (8, None)]
    remark = "backward calls 3 to 7 were not recorded: only the first 2 calls of torch.autograd.grad in a step"
    assert ran.report["recording"]["remarks"] == [remark]
    assert f"inspect: note: {remark}" in ran.said


def test_a_node_of_a_call_that_was_not_recorded_names_that_call(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(
        """
        import torch
        x = torch.tensor(2.0, requires_grad=True)
        for _ in range(3):
            torch.autograd.grad(x**2, x)
        y = x**3
        (slope,) = torch.autograd.grad(y, x, create_graph=True)
        (slope * y).backward()
        """
    )
    assert [call["index"] for call in ran.calls] == [1, 2, 3, 5]
    assert {row["made_in"] for row in ran.functions(3) if "made_in" in row} == {4}
    assert ran.grads("x", 3) == (None, 15 * 2.0**4)


@pytest.mark.parametrize("calls", [2, 3, 5])
def test_a_script_that_only_computes_derivatives_is_drawn_from_its_first_call(
    calls: int, inspect_script: ScriptRunner
) -> None:
    ran = inspect_script(
        f"""
        import torch
        x = torch.tensor(2.0, requires_grad=True)
        for _ in range({calls}):
            (slope,) = torch.autograd.grad(x**3, x)
        """
    )
    assert steps(ran) == [(index, None) for index in range(1, min(calls, 3) + 1)]
    assert ran.report["recording"]["drawn"] == [1]
    assert not any("note" in line for line in ran.said)


def test_the_last_call_before_a_step_trains_though_it_adds_to_no_grad(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(
        HEAD
        + """
for _ in range(5):
    x = torch.randn(6, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    held = list(net.parameters())
    for parameter, grad in zip(held, torch.autograd.grad(slope.pow(2).mean(), held, allow_unused=True)):
        parameter.grad = grad
    optimizer.step()
"""
    )
    assert steps(ran) == [(1, 2), (2, None), (3, 4), (4, None), (5, 6), (6, None)]
    assert ran.report["recording"]["drawn"] == [2]


ACCUMULATION = (
    HEAD
    + """
import sys
for _ in range(3):
    for _ in range(int(sys.argv[1])):
        net(torch.randn(3, 2)).pow(2).mean().backward()
        print("backward")
    optimizer.step()
    print("step")
    optimizer.zero_grad()
"""
)


@pytest.mark.parametrize(("calls", "recorded"), [(1, 3), (2, 3), (3, 3), (4, 4), (6, 6), (9, 6)])
def test_accumulated_gradients_are_watched_as_far_as_the_first_step(
    calls: int, recorded: int, inspect_script: ScriptRunner
) -> None:
    ran = inspect_script(ACCUMULATION, str(calls))
    assert [call["index"] for call in ran.calls] == list(range(1, recorded + 1))
    first, *_ = [row for row in ran.report["events"] if row["event"] == "step"]
    assert first["after_call"] == calls
    (content,) = first["content"]
    assert content["backward_calls"] == list(range(1, min(calls, recorded) + 1))
    assert ran.report["findings"] == []
    remarks = ran.report["recording"].get("remarks", [])
    assert remarks == (
        ["backward calls 7 to 9 were not recorded, only awaited until an optimizer steps"] if calls == 9 else []
    )


@pytest.mark.parametrize("calls", [2, 5])
def test_stop_ends_the_script_once_a_step_was_seen(calls: int, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(ACCUMULATION, str(calls), options=("-f", "json", "--stop"))
    assert ran.status == 0
    assert ran.stdout.split() == ["backward"] * calls + ["step"]
    assert any(row["event"] == "step" for row in ran.report["events"])


def test_a_closure_is_within_a_step_and_awaits_none(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(
        """
        import torch
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        optimizer = torch.optim.LBFGS([w], max_iter=10)
        def closure():
            optimizer.zero_grad()
            y = (w**4).sum()
            (slope,) = torch.autograd.grad(y, w, create_graph=True)
            loss = y + slope.pow(2).sum()
            loss.backward()
            return loss
        optimizer.step(closure)
        """
    )
    assert steps(ran) == [(1, 2), (2, None), (3, 4), (4, None), (5, 6), (6, None)]


@pytest.mark.parametrize(
    ("options", "calls", "drawn"),
    [
        (("--backward", "2"), 12, [2]),
        (("--backward", "6"), 12, [6]),
        (("--backward", "15"), 15, [15]),
        (("--backward", "all"), 12, list(range(1, 13))),
        (("--backward", "last"), 20, [20]),
        (("--watch", "1"), 2, [4]),
    ],
)
def test_the_call_that_is_asked_for(
    options: tuple[str, ...], calls: int, drawn: list[int], inspect_script: ScriptRunner
) -> None:
    ran = inspect_script(DERIVATIVES, options=("-f", "json", *options))
    assert ran.report["recording"]["drawn"] == drawn
    assert ran.report["recording"]["watched"] == calls


# Variants: who calls what, and when

CRITIC = (
    HEAD
    + """
G = torch.nn.Linear(2, 2)
of_G = torch.optim.SGD(G.parameters(), lr=0.01)
for _ in range(2):
    for _ in range(3):
        real, fake = torch.randn(4, 2), G(torch.randn(4, 2)).detach()
        mixed = torch.lerp(real, fake, torch.rand(4, 1)).requires_grad_()
        (slope,) = torch.autograd.grad(net(mixed).sum(), mixed, create_graph=True)
        optimizer.zero_grad()
        (net(fake).mean() - net(real).mean() + (slope.norm(dim=1) - 1).pow(2).mean()).backward()
        optimizer.step()
    of_G.zero_grad()
    (-net(G(torch.randn(4, 2))).mean()).backward()
    of_G.step()
"""
)

LAZY_PENALTY = (
    HEAD
    + """
for step in range(3):
    for _ in range(3):
        x = torch.randn(4, 2, requires_grad=step == 0)
        loss = net(x).mean()
        if step == 0:
            (slope,) = torch.autograd.grad(loss, x, create_graph=True)
            loss = loss + slope.pow(2).sum()
        (loss / 3).backward()
    optimizer.step()
    optimizer.zero_grad()
"""
)

NEWTON = (
    HEAD
    + """
held, x = list(net.parameters()), torch.randn(6, 2)
for _ in range(2):
    grads = torch.autograd.grad(net(x).pow(2).mean(), held, create_graph=True)
    flat = torch.cat([grad.flatten() for grad in grads])
    direction = torch.cat([
        part.flatten() for part in torch.autograd.grad(flat @ flat.detach(), held, retain_graph=True)
    ])
    with torch.no_grad():
        for parameter, part in zip(held, direction.split([item.numel() for item in held])):
            parameter.sub_(0.01 * part.view_as(parameter))
"""
)

TASKS = (
    HEAD
    + """
from torch.func import functional_call
for _ in range(2):
    optimizer.zero_grad()
    for task in range(2):
        fast, x = dict(net.named_parameters()), torch.randn(4, 2)
        inner = functional_call(net, fast, (x,)).pow(2).mean()
        grads = torch.autograd.grad(inner, fast.values(), create_graph=True)
        fast = {name: value - 0.1 * grad for (name, value), grad in zip(fast.items(), grads)}
        (functional_call(net, fast, (x,)) - task).pow(2).mean().backward()
    optimizer.step()
"""
)

SEARCH = (
    HEAD
    + """
optimizer = torch.optim.LBFGS(net.parameters(), max_iter=3, line_search_fn="strong_wolfe")
x = torch.linspace(0, 1, 5)[:, None].expand(5, 2).clone().requires_grad_()
def closure():
    optimizer.zero_grad()
    (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    loss = slope.pow(2).mean() + net(x).pow(2).mean()
    loss.backward()
    return loss
optimizer.step(closure)
"""
)

SALIENCY = (
    HEAD
    + """
for _ in range(3):
    x = torch.randn(4, 2)
    optimizer.zero_grad()
    net(x).pow(2).mean().backward()
    optimizer.step()
    x.requires_grad_()
    (saliency,) = torch.autograd.grad(net(x).sum(), x)
"""
)

PAIRS = [(1, 2), (2, None), (3, 4), (4, None), (5, 6), (6, None)]


@pytest.mark.parametrize(
    ("code", "wanted", "drawn"),
    [
        pytest.param(CRITIC, PAIRS, 2, id="several steps of a critic"),
        pytest.param(LAZY_PENALTY, PAIRS, 2, id="a penalty in some steps, accumulated"),
        pytest.param(NEWTON, [(1, None), (2, None), (3, None)], 1, id="steps without an optimizer"),
        pytest.param(TASKS, PAIRS, 2, id="an accumulation over tasks"),
        pytest.param(SEARCH, PAIRS, 2, id="a line search"),
        pytest.param(SALIENCY, [(1, None), (2, 3), (3, None), (4, 5), (5, None)], 1, id="after the step"),
    ],
)
def test_the_call_that_trains_is_drawn(
    code: str, wanted: list[tuple[int, int | None]], drawn: int, inspect_script: ScriptRunner
) -> None:
    ran = inspect_script(code)
    assert ran.status == 0 and steps(ran) == wanted
    assert ran.report["recording"]["drawn"] == [drawn]
    assert ran.report["findings"] == []


@dataclass
class Optimizer:
    """What `CallCount` asks of the optimizers."""

    steps: list[int] = field(default_factory=list)
    may_step: bool = True


def run(count: CallCount, kinds: str, optimizer: Any) -> list[int]:
    """Run calls until the watch ends, and return the recorded ones. g: autograd.grad, b: backward, s: a step."""
    recorded = []
    for kind in kinds:
        if count.is_done:
            break
        if kind == "s":
            optimizer.steps.append(count.ended)
            continue
        index = count.begins()
        is_recorded = count.is_recorded(index, accumulates=kind == "b")
        count.ends(index, accumulates=kind == "b", is_recorded=is_recorded)
        recorded += [index] if is_recorded else []
    return recorded


@pytest.mark.parametrize(
    ("kinds", "recorded", "trained"),
    [
        ("bsbsbsbs", [1, 2, 3], [1, 2, 3]),
        ("gbsgbsgbsgbs", [1, 2, 3, 4, 5, 6], [2, 4, 6]),
        ("gggggbsbsbs", [1, 2, 3, 6, 7, 8], [6, 7, 8]),
        ("bgsbgsbgs", [1, 2, 3, 4, 5], [1, 3, 5]),  # a derivative for a log file, after backward
        ("gsgsgsgs", [1, 2, 3], [1, 2, 3]),
        ("bssbssbss", [1, 2, 3], [1, 2, 3]),  # two optimizers
        ("gssgssgss", [1, 2, 3], [1, 2, 3]),
        ("bbbbbbbbsbb", [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6, 7, 8]),
        ("bbbggbs", [1, 2, 3, 6], [1, 2, 3, 6]),
    ],
)
def test_counting(kinds: str, recorded: list[int], trained: list[int]) -> None:
    optimizer = Optimizer()
    count = CallCount(WatchPlan(), optimizer)
    assert run(count, kinds, optimizer) == recorded
    assert count.trained == trained
    assert count.is_done


def test_the_wait_for_training_and_for_a_step_is_bounded() -> None:
    for kinds, may_step, most in [
        ("g" * 2_000, True, MOST_COUNTED),
        ("g" * 2_000, False, MOST_WITHOUT_OPTIMIZER),
        ("b" * 2_000, True, 3 + MOST_COUNTED),
        ("b" * 2_000, False, 3),
    ]:
        optimizer = Optimizer(may_step=may_step)
        count = CallCount(WatchPlan(), optimizer)
        recorded = run(count, kinds, optimizer)
        assert count.is_done and count.ended == most
        assert len(recorded) <= 3 + MOST_BEFORE_STEP
