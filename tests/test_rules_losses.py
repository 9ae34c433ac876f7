"""Rules about what a loss is given: double-softmax, double-sigmoid, unstable-log-softmax, accidental-broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import inspector

X = torch.linspace(-1, 1, 32).reshape(8, 4)
CLASSES = torch.arange(8) % 3
FLAGS = (torch.arange(8) % 2).float()


def diagnosed(loss: Callable[[nn.Module], torch.Tensor], outputs: int = 3, last: nn.Module | None = None) -> Any:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, outputs), *([] if last is None else [last]))
    with inspector.record() as recording:
        loss(model).backward()
    assert recording.failure is None
    return recording.report()


def rules(report: Any) -> list[str]:
    return [finding.rule for finding in report.findings]


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda model: F.cross_entropy(model(X).softmax(1), CLASSES), "the loss applies log_softmax"),
        (lambda model: F.cross_entropy(model(X).softmax(-1).reshape(8, 3), CLASSES), "log_softmax"),
        (lambda model: F.nll_loss(model(X).softmax(1).softmax(1).log(), CLASSES), "a second softmax"),
        (lambda model: F.nll_loss(model(X).softmax(1), CLASSES), "nll_loss expects log probabilities"),
    ],
)
def test_double_softmax(loss: Callable[[nn.Module], torch.Tensor], message: str) -> None:
    (found, *rest) = diagnosed(loss).findings
    assert found.rule == "double-softmax" and message in found.message
    assert set(found.parameters) == {"0.bias", "0.weight"}
    assert "softmax" in found.location["code"]
    assert {finding.rule for finding in rest} <= {"unstable-log-softmax"}


def test_the_line_of_a_softmax_inside_of_a_model_is_that_of_its_call() -> None:
    def loss(model: nn.Module) -> torch.Tensor:
        scores = model(X)
        return F.cross_entropy(scores, CLASSES)

    (found,) = diagnosed(loss, last=nn.Softmax(1)).findings
    assert found.location["code"] == "scores = model(X)"


@pytest.mark.parametrize(
    "loss",
    [
        lambda model: F.cross_entropy(model(X), CLASSES),
        lambda model: F.cross_entropy(model(X), X[:, :3].softmax(1)),  # targets of another model
        lambda model: F.cross_entropy(X[:, :3], model(X).softmax(1)),  # a learned target
        lambda model: F.nll_loss(model(X).log_softmax(1), CLASSES),
        lambda model: F.kl_div(model(X).log_softmax(1), X[:, :3].softmax(1), reduction="batchmean"),
        lambda model: F.cross_entropy(model(X).softmax(1) @ torch.arange(9.0).view(3, 3), CLASSES),  # attention
        lambda model: (model(X).softmax(0).softmax(1) * X[:, :3]).sum(),  # over another dimension
    ],
)
def test_no_double_softmax(loss: Callable[[nn.Module], torch.Tensor]) -> None:
    assert not rules(diagnosed(loss))


@pytest.mark.parametrize(
    "loss",
    [
        lambda model: F.binary_cross_entropy_with_logits(model(X).sigmoid().squeeze(1), FLAGS),
        lambda model: F.binary_cross_entropy(model(X).sigmoid().squeeze(1).sigmoid(), FLAGS),
    ],
)
def test_double_sigmoid(loss: Callable[[nn.Module], torch.Tensor]) -> None:
    (found,) = diagnosed(loss, 1).findings
    assert found.rule == "double-sigmoid"
    assert len(found.parameters) == 2
    assert "sigmoid" in found.location["code"]


@pytest.mark.parametrize(
    "loss",
    [
        lambda model: F.binary_cross_entropy_with_logits(model(X).squeeze(1), FLAGS),
        lambda model: F.binary_cross_entropy(model(X).sigmoid().squeeze(1), FLAGS),
        lambda model: F.binary_cross_entropy_with_logits(model(X)[:, 0], model(X)[:, 0].sigmoid().detach()),
        lambda model: (model(X).sigmoid() * model(X).sigmoid().sigmoid()).sum(),  # gates
    ],
)
def test_no_double_sigmoid(loss: Callable[[nn.Module], torch.Tensor]) -> None:
    assert "double-sigmoid" not in rules(diagnosed(loss, 1))


@pytest.mark.parametrize(
    "loss",
    [
        lambda model: F.nll_loss(torch.log(model(X).softmax(1)), CLASSES),
        lambda model: -torch.log(model(X).softmax(1) + 1e-8)[range(8), CLASSES].mean(),
        lambda model: -torch.log(model(X).softmax(1).gather(1, CLASSES[:, None])).mean(),
    ],
)
def test_unstable_log_softmax_is_a_note(loss: Callable[[nn.Module], torch.Tensor]) -> None:
    (found,) = diagnosed(loss).findings
    assert found.rule == "unstable-log-softmax" and found.severity == "note"
    assert "log(" in found.location["code"]
    assert len(found.parameters) == 2


def test_a_log_of_something_else_is_stable() -> None:
    assert not rules(diagnosed(lambda model: model(X).softmax(1).sum(0).log().sum() + model(X).exp().log().sum()))


@pytest.mark.parametrize(
    "loss",
    [
        lambda model: F.mse_loss(model(X), FLAGS),
        lambda model: ((model(X) - FLAGS) ** 2).mean(),
        lambda model: (FLAGS - model(X)).abs().sum(),
        lambda model: F.smooth_l1_loss(model(X), FLAGS),
        lambda model: (FLAGS * model(X)).mean().neg(),
    ],
)
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_accidental_broadcast(loss: Callable[[nn.Module], torch.Tensor]) -> None:
    (found,) = diagnosed(loss, 1).findings
    assert found.rule == "accidental-broadcast" and "[8, 8]" in found.message
    assert sorted(found.evidence["operands"]) == [[8], [8, 1]]
    assert len(found.parameters) == 2
    assert "FLAGS" in found.location["code"]


def vector(model: nn.Module) -> torch.Tensor:
    return model(X).squeeze(1)


@pytest.mark.parametrize(
    "loss",
    [
        lambda model: F.mse_loss(vector(model), FLAGS),
        lambda model: F.mse_loss(model(X), FLAGS[:, None]),
        lambda model: (vector(model)[:, None] - vector(model)[None, :]).abs().mean(),  # pairwise
        lambda model: (vector(model).unsqueeze(1) - vector(model)).pow(2).mean(),
        lambda model: (model(X) - model(X).T).pow(2).sum(),
        lambda model: ((model(X) * FLAGS) @ X).sum(),  # a matrix of pairs that is used as one
        lambda model: (model(X) - FLAGS).softmax(1).pow(2).mean(),
        lambda model: (model(X) - torch.zeros(3)).pow(2).mean(),  # three of them: not the batch
    ],
)
def test_no_accidental_broadcast(loss: Callable[[nn.Module], torch.Tensor]) -> None:
    assert not rules(diagnosed(loss, 1))


def test_what_is_constant_by_mathematics() -> None:
    def own_target(model: nn.Module) -> torch.Tensor:
        out = model(X)
        return F.mse_loss(out, out.detach())

    constant: list[Callable[[nn.Module], torch.Tensor]] = [
        lambda model: model(X).softmax(1).sum(),
        lambda model: F.layer_norm(model(X), (3,)).mean(),
        lambda model: F.layer_norm(model(X)[:, :1], (1,)).square().sum() + 0 * X.sum(),
        lambda model: F.normalize(model(X)[:, :1], dim=1).mul(X[:, :1]).sum(),
        own_target,
    ]
    weighed: list[Callable[[nn.Module], torch.Tensor]] = [
        lambda model: (model(X).softmax(1) * X[:, :3]).sum(),
        lambda model: F.layer_norm(model(X), (3,)).mul(X[:, :3]).mean(),
        lambda model: F.layer_norm(model(X), (3,)).pow(3).sum(),
        lambda model: F.normalize(model(X), dim=1).mul(X[:, :3]).sum(),
        lambda model: F.mse_loss(model(X), model(-X).detach()),
    ]
    assert [rules(diagnosed(loss)) for loss in constant] == [["constant-output"]] * len(constant)
    assert [rules(diagnosed(loss)) for loss in weighed] == [[]] * len(weighed)


def step_by_step(model: nn.Module) -> torch.Tensor:
    """The outputs of a decoder, of a batch of one: [steps, 1, classes]."""
    out, hidden = torch.empty(8, 1, 3), model(X)[:1]
    for step in range(8):
        hidden = (hidden + X[step, :3]).tanh()
        out[step] = hidden
    return out


W = torch.nn.init.orthogonal_(torch.empty(3, 3))
SAME = {
    "mean": lambda model: F.cross_entropy(model(X).mean(0, keepdim=True).expand(8, -1), CLASSES),
    "mean of the sum": lambda model: F.mse_loss((model(X).sum(0) @ W).tanh().expand(8, 3), X[:, :3]),
    "largest": lambda model: F.mse_loss(model(X).amax(0, keepdim=True).repeat(8, 1).relu(), X[:, :3]),
    "the first sample": lambda model: F.cross_entropy(model(X)[0].expand(8, 3), CLASSES),
    "a sum with a constant row": lambda model: F.mse_loss((model(X).mean(0) + W[0]).expand(8, 3) * 2, X[:, :3]),
    "a layer after it": lambda model: F.cross_entropy(
        F.linear(model(X).mean(0, keepdim=True).expand(8, 3), W), CLASSES
    ),
}
DIFFERENT = {
    "baseline": lambda model: F.mse_loss(model(X) - model(X).mean(0), X[:, :3]),
    "context beside each": lambda model: F.mse_loss(
        torch.cat([model(X), model(X).mean(0).expand(8, 3)], 1), X.repeat(1, 2)[:, :6]
    ),
    "prototypes": lambda model: F.cross_entropy(-torch.cdist(model(X), model(X[:3])), CLASSES),
    "prototypes of means": lambda model: F.cross_entropy(X[:, :3] @ model(X).view(2, 4, 3).mean(0)[:3], CLASSES),
    "picked by an index": lambda model: F.mse_loss(model(X).mean(0)[CLASSES], FLAGS),
    "one target for all": lambda model: F.mse_loss(model(X).mean(0).expand(8, 3), torch.ones(8, 3)),
    "the last of a sequence": lambda model: F.cross_entropy(model(X.expand(8, 8, 4))[-1], CLASSES),
    "attention over the batch": lambda model: F.cross_entropy(
        (model(X) @ model(X).T).softmax(0) @ model(X), CLASSES
    ),
    "weights of the batch": lambda model: F.cross_entropy(X[:, :3] * model(X).mean(0), CLASSES),
    "written step by step": lambda model: F.cross_entropy(step_by_step(model).transpose(0, 1).squeeze(0), CLASSES),
    "masked": lambda model: F.mse_loss(model(X).mean(0).expand(8, 3) * FLAGS.unsqueeze(1), X[:, :3]),
}


@pytest.mark.parametrize("name", [*SAME, *DIFFERENT])
def test_a_prediction_that_is_the_same_for_all_samples(name: str) -> None:
    report = diagnosed((SAME | DIFFERENT)[name])
    found = [finding for finding in report.findings if finding.rule == "constant-output"]
    assert len(found) == (name in SAME), report.findings
    for finding in found:
        assert "the same for all 8 samples" in finding.message
        assert set(finding.parameters) == {"0.bias", "0.weight"}
