"""Rules about NaN and infinities: non-finite-forward, non-finite-gradient."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch._dynamo import compiled_autograd
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import inspector
from inspector.graph import is_unknown

X = torch.linspace(-1, 1, 32).reshape(8, 4)
Loss = Callable[[nn.Module], torch.Tensor]


def linear(value: float = 0.1) -> nn.Linear:
    layer = nn.Linear(4, 4)
    with torch.no_grad():
        layer.weight.fill_(value)
        layer.bias.zero_()
    return layer


def findings(loss: Loss, model: nn.Module | None = None) -> list[Any]:
    model = model or linear()
    with inspector.record() as recording:
        loss(model).backward()
    assert recording.failure is None
    return recording.findings


def the_finding(loss: Loss, rule: str, model: nn.Module | None = None) -> Any:
    (found,) = findings(loss, model)
    assert found.rule == rule and found.severity == "error"
    return found


def of_constant_column(model: nn.Module) -> torch.Tensor:
    x = torch.ones(8, 4)
    x = (x - x.mean(0)) / x.std(0)
    h = model(x)
    return h.sum()


def of_exp(model: nn.Module) -> torch.Tensor:
    h = model(X)
    e = torch.exp(1000 * h)
    p = e / e.sum(1, keepdim=True)
    return p.log().mean()


def of_log(model: nn.Module) -> torch.Tensor:
    h = F.relu(model(X))
    logs = torch.log(h)
    return (logs * 2).mean()


def of_mask(model: nn.Module) -> torch.Tensor:
    scores = model(X).masked_fill(torch.ones(8, 4, dtype=torch.bool), float("-inf"))
    weights = scores.softmax(1)
    return weights.sum()


def of_added_mask(model: nn.Module) -> torch.Tensor:
    mask = torch.full((8, 4), float("-inf"))
    scores = model(X) + mask
    weights = scores.softmax(1)
    return weights.sum()


def of_one_sample(model: nn.Module) -> torch.Tensor:
    h = model(X[:1])
    spread = h.std(0)
    return (h / spread).sum()


@pytest.mark.parametrize(
    ("loss", "code"),
    [
        (of_constant_column, "x = (x - x.mean(0)) / x.std(0)"),
        (of_exp, "e = torch.exp(1000 * h)"),
        (of_log, "logs = torch.log(h)"),
        (of_mask, "weights = scores.softmax(1)"),
        (of_added_mask, "weights = scores.softmax(1)"),
        (of_one_sample, "spread = h.std(0)"),
    ],
)
@pytest.mark.filterwarnings("ignore:std")
def test_the_first_operation_that_is_not_finite(loss: Loss, code: str) -> None:
    found = the_finding(loss, "non-finite-forward")
    assert found.location["code"] == code
    assert "weight" in found.parameters


@pytest.mark.parametrize(
    ("loss", "averaged"),
    [
        (lambda h: h[:0].pow(2).mean(), ("Mean", "0 elements, ")),
        (lambda h: h.mul(2)[:, :0].mean(1).sum(), ("Mean", "0 elements, ")),
        (lambda h: F.mse_loss(h[:0], X[:0]), ("MseLoss", "0 elements, ")),
        (lambda h: F.cross_entropy(h[:0], torch.arange(0)), ("NllLoss", "0 elements, ")),
        (lambda h: F.cross_entropy(h, torch.full((8,), -100)), ("NllLoss", "0 elements (all targets are")),
    ],
)
def test_a_mean_of_nothing_is_named(
    loss: Callable[[torch.Tensor], torch.Tensor], averaged: tuple[str, str]
) -> None:
    found = the_finding(lambda model: loss(model(X)) + model(X).square().sum(), "non-finite-forward")
    node, elements = averaged
    assert found.message.startswith(f"{node} (line ") and f" averaged {elements}" in found.message


def test_data_that_nobody_was_seen_to_spoil_are_named_where_they_are_used() -> None:
    data = X.clone()
    data[3, 1] = float("nan")

    def loss(model: nn.Module) -> torch.Tensor:
        return model(data).mean()

    found = the_finding(loss, "non-finite-forward")
    assert "`data`" in found.message and "1 NaN of 32 elements" in found.message
    assert found.location["code"] == "return model(data).mean()"


def test_a_parameter_that_was_not_finite_is_named() -> None:
    found = the_finding(lambda model: model(X).mean(), "non-finite-forward", linear(float("inf")))
    assert "weight` holds" in found.message


def test_what_a_step_made_not_finite_is_found_in_a_light_call() -> None:
    model = nn.Sequential(*[linear(2.0) for _ in range(40)])  # too large to be traced in full in every call
    optimizer = torch.optim.SGD(model.parameters(), lr=1e38)
    with inspector.record() as recording:
        for _ in range(3):
            optimizer.zero_grad()
            model(X).mean().mul(1e-20).backward()
            optimizer.step()
    (found,) = [item for item in recording.findings if item.rule.startswith("non-finite")]
    assert found.rule == "non-finite-forward" and found.backward_call == 2


@pytest.mark.parametrize(
    ("loss", "computed"),
    [
        (lambda y: (y.pow(2) * 0.0).sum() / (y.detach() * 0.0).sum(), "Div"),
        (lambda y: y.pow(2).mean() / (y.detach()[:2, :1] * 0.0).expand(2, 8), "Div"),
        (lambda y: (y * 1e30).pow(2).mean() / y.detach().sum(), "Pow"),
    ],
    ids=["of-a-number", "of-many", "not-by-zero"],
)
def test_a_division_by_zero_is_named_where_only_what_was_saved_is_known(
    loss: Callable[[torch.Tensor], torch.Tensor], computed: str
) -> None:
    with inspector.record(mode="none") as recording:
        loss(linear()(X)).sum().backward()
    (found,) = [item for item in recording.findings if item.rule == "non-finite-forward"]
    assert found.message.startswith(f"{computed} ")


def test_masks_and_dead_branches_are_silent() -> None:
    def masked(model: nn.Module) -> torch.Tensor:
        mask = torch.triu(torch.full((8, 8), float("-inf")), 1)
        h = model(X)
        attention = (h @ h.T + mask).softmax(1)
        filled = h.masked_fill(torch.eye(8, 4) > 0, float("-inf")).softmax(1)
        return (attention @ h).pow(2).sum() + filled.pow(2).sum() + torch.logsumexp(h + mask[:, :4], 1)[4:].sum()

    assert not findings(masked)


def test_a_safe_where_is_silent() -> None:
    def loss(model: nn.Module) -> torch.Tensor:
        h = F.relu(model(X))
        safe = torch.where(h > 0, h, torch.ones_like(h))
        return torch.where(h > 0, safe.log(), torch.zeros_like(h)).sum()

    assert not findings(loss)


# Gradients


def distance(model: nn.Module) -> torch.Tensor:
    difference = model(X) - model(X)
    squares = difference**2
    root = squares.sum(1).sqrt()
    return root.mean()


def where(model: nn.Module) -> torch.Tensor:
    h = model(X.abs()) * (X > 0)
    logs = torch.log(h)
    return torch.where(h > 0, logs, torch.zeros_like(h)).sum()


def angle(model: nn.Module) -> torch.Tensor:
    h = model(X)
    cosine = h / h.abs()  # of vectors with one element
    angles = torch.acos(cosine)
    return angles.sum()


def power(model: nn.Module) -> torch.Tensor:
    error = (model(X) - model(X)).abs()
    compressed = error**0.5
    return compressed.sum()


@pytest.mark.parametrize(
    ("loss", "node", "code"),
    [
        (distance, "SqrtBackward0", "root = squares.sum(1).sqrt()"),
        (where, "LogBackward0", "logs = torch.log(h)"),
        (angle, "AcosBackward0", "angles = torch.acos(cosine)"),
        (power, "PowBackward0", "compressed = error**0.5"),
    ],
)
def test_the_node_where_the_gradient_broke(loss: Loss, node: str, code: str) -> None:
    model = linear()
    with inspector.record() as recording:
        loss(model).backward()
    (found,) = recording.findings
    assert found.rule == "non-finite-gradient"
    assert recording.calls[0].graph[found.nodes[0]]["name"] == node
    assert found.location["code"] == code
    assert found.parameters


@pytest.mark.parametrize("loss", [distance, angle, power])
@pytest.mark.filterwarnings("ignore:Anomaly Detection", "ignore:Error detected")
def test_anomaly_mode_names_a_later_node(loss: Loss) -> None:
    """It looks for NaN only: an infinite gradient passes, and what makes NaN of it is blamed."""
    with inspector.record() as recording:
        loss(linear()).backward()
    ours = recording.calls[0].graph[recording.findings[0].nodes[0]]
    with pytest.raises(RuntimeError) as caught, torch.autograd.detect_anomaly():
        loss(linear()).backward()
    theirs = re.search(r"Function '(\w+)' returned nan", str(caught.value))
    assert theirs is not None
    print(f"{loss.__name__}: anomaly mode names {theirs[1]}, we name {ours['name']}")
    assert theirs[1] != ours["name"]


def test_a_light_call_says_it_too() -> None:
    model = nn.Sequential(*[linear(0.5) for _ in range(40)])

    def loss(scale: float) -> torch.Tensor:
        h = model(X).pow(2).sum() * scale
        root = h.sqrt()
        return root * 1.0

    with inspector.record() as recording:
        loss(1.0).backward()
        model.zero_grad()
        loss(0.0).backward()
    (found,) = recording.findings
    assert found.rule == "non-finite-gradient" and found.backward_call == 2
    assert found.location["code"] == "root = h.sqrt()"


def test_what_a_grad_scaler_skips_is_a_note() -> None:
    model = linear()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with inspector.record() as recording:
        loss = model(X).half().float().sum()  # the gradient of a float16 is at most 65504
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    (found,) = [item for item in recording.findings if item.rule.startswith("non-finite")]
    assert found.rule == "non-finite-gradient" and found.severity == "note"
    assert "GradScaler (scale 1.05e+06) skips" in found.message


def under_compiled_autograd(loss: Loss, *, scale: float = 0.0, before: float | None = None) -> list[Any]:
    """The findings of a backward in which what arrives at Nodes is unknown. before: in the grads."""
    model = linear()
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, enabled=bool(scale))
    if before is not None:
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, before)
    with inspector.record() as recording:
        root = scaler.scale(loss(model))
        with compiled_autograd._enable(lambda graph: graph):
            root.backward()
    torch._dynamo.reset()
    assert all(is_unknown(row["gradient"]) for _, row in recording.calls[0].graph.functions())
    return recording.findings


@pytest.mark.parametrize("loss", [distance, where, angle, power])
def test_grads_tell_where_gradients_are_unknown(loss: Loss) -> None:
    (found,) = under_compiled_autograd(loss)
    assert (found.rule, found.severity) == ("non-finite-gradient", "error")
    assert found.message.startswith("backward left NaN in grads although the root is finite; the Node that caused")
    assert "compiled autograd ran backward" in found.message and found.location["code"] == "root.backward()"
    assert set(found.parameters) == {"weight", "bias"}


def test_where_gradients_are_unknown_grads_are_judged_as_gradients_are() -> None:
    assert under_compiled_autograd(lambda model: model(X).tanh().sum()) == []
    assert under_compiled_autograd(lambda model: F.relu(model(X) - 10).sqrt().sum()) == []
    assert under_compiled_autograd(distance, before=float("nan")) == []  # no work of this backward
    (found,) = under_compiled_autograd(lambda model: model(X).half().float().sum(), scale=2.0**20)
    assert found.severity == "note" and found.message.endswith("a GradScaler (scale 1.05e+06) skips such a step")
    (found,) = under_compiled_autograd(lambda model: (model.get_parameter("bias") * 1e20).sum() * 1e20)
    assert found.message.startswith("backward left infinity in grads") and found.parameters == ["bias"]


def norm_of_zero(model: nn.Module) -> torch.Tensor:
    return torch.as_tensor(model(0 * X)).pow(2).sum(1).sqrt()


def power_of_zero(model: nn.Module) -> torch.Tensor:
    return torch.as_tensor(model(0 * X)).pow(0.5)


def log_behind_where(model: nn.Module) -> torch.Tensor:
    h = model(X)
    return torch.where(h > 0, (h * (h > 0)).log(), 0.0)


def checkpointed(inside: Loss, after: Callable[[torch.Tensor], torch.Tensor] = torch.sum) -> Loss:
    """The loss of a function in a reentrant checkpoint, whose input needs a gradient and gets a finite one."""

    def loss(model: nn.Module) -> torch.Tensor:
        x = torch.ones(1, requires_grad=True) * 1
        result = checkpoint(lambda x: inside(model) + x, x, use_reentrant=True)
        return after(torch.as_tensor(result))

    return loss


@pytest.mark.parametrize(
    ("inside", "name"), [(norm_of_zero, "Sqrt"), (power_of_zero, "Pow"), (log_behind_where, "Log")]
)
def test_the_node_inside_of_a_reentrant_checkpoint(inside: Loss, name: str) -> None:
    """Only parameters inside of it get the NaN."""
    found = the_finding(checkpointed(inside), "non-finite-gradient")
    assert re.match(rf"{name} in the graph that CheckpointFunction \(line \d+\) ran in backward", found.message)
    assert "is infinite" in found.message and "weight" in found.parameters


def test_a_reentrant_checkpoint_that_is_not_at_fault() -> None:
    assert not findings(checkpointed(lambda model: torch.as_tensor(model(X)).tanh()))
    assert not findings(checkpointed(lambda model: F.relu(model(X) - 10).sqrt()))  # lost at the relu
    found = the_finding(
        checkpointed(lambda model: torch.as_tensor(model(0 * X)), lambda h: (h - 1).pow(2).sum().sqrt()),
        "non-finite-gradient",
    )
    assert found.message.startswith("Sqrt (line")


def test_a_gradient_that_is_lost_on_its_way_harms_nobody() -> None:
    assert not findings(lambda model: F.relu(model(X) - 10).sqrt().sum())


@pytest.mark.parametrize("is_there_before", [True, False])
def test_a_parameter_that_a_step_did_not_make_non_finite(is_there_before: bool) -> None:
    """An element that no earlier call used is not blamed on the last step."""
    table, head = nn.Embedding(3, 4), nn.Linear(4, 1)
    optimizer = torch.optim.SGD([*table.parameters(), *head.parameters()], lr=0.1)
    with inspector.record() as recording:
        for step in range(2):
            with torch.no_grad():
                table.weight[2] = torch.nan if is_there_before or step else 1.0
            optimizer.zero_grad()
            head(table(torch.tensor([0, 2 * step]))).sum().backward()
            optimizer.step()
    (found,) = [found for found in recording.findings if found.rule == "non-finite-forward"]
    assert ("before the forward" in found.message) == is_there_before
    assert ("since the last step" in found.message) != is_there_before
