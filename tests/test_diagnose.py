"""`inspector.diagnose`, `inspector.assert_gradients` and the pytest plugin."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import inspector

pytest_plugins = ["pytester"]


class Halves(nn.Module):
    def __init__(self, *, cut: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.head, self.cut = nn.Linear(3, 4), nn.Linear(4, 1), cut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.encoder(x)
        return self.head(h.detach() if self.cut else h)


def test_gradients_that_are_right_pass_and_grads_stay_as_they_were() -> None:
    model = Halves(cut=False)
    model.encoder.weight.grad = kept = torch.ones(4, 3)
    loss = model(torch.ones(2, 3)).sum()
    inspector.assert_gradients(loss, model)
    assert model.encoder.weight.grad is kept and bool((kept == 1).all())
    assert model.head.weight.grad is None
    loss.backward()  # the graph is still there


def test_a_parameter_without_a_gradient_raises_with_its_name() -> None:
    model = Halves(cut=True)
    loss = model(torch.ones(2, 3)).sum()
    with pytest.raises(inspector.GradientError, match=r"encoder\.weight") as raised:
        inspector.assert_gradients(loss, model)
    assert raised.value.findings[0].severity in ("error", "warning")


def test_what_is_no_level_lists_the_right_ones() -> None:
    with pytest.raises(ValueError, match="unknown fail_on 'note'; choose from: error, warning"):
        inspector.assert_gradients(torch.ones(1, requires_grad=True).sum(), fail_on="note")


def test_a_loss_without_a_graph_is_diagnosed() -> None:
    found = inspector.diagnose(torch.ones(3).sum())
    assert [finding.rule for finding in found.findings] == ["no-graph"]
    assert str(found).startswith("error no-graph: the root has no grad_fn")


def test_a_healthy_loss_is_diagnosed_and_what_was_not_checked_is_said() -> None:
    model = Halves(cut=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = inspector.diagnose(model(torch.ones(2, 3)).sum(), model, optimizer)
    assert found.findings == []
    assert str(found).startswith("no findings\n")
    unseen = {check.rule: check.reason for check in found.checked if check.status == "not checked"}
    assert unseen["detached"] == "no gradient was recorded"


def test_what_is_no_optimizer_is_refused() -> None:
    with pytest.raises(TypeError, match="must be an Optimizer"):
        inspector.diagnose(torch.ones(1, requires_grad=True).sum(), optimizer=3)


TESTS = """
import torch

def test_wrong():
    w = torch.tensor(1.0, requires_grad=True)
    for _ in range(2):
        loss = (w * 2) ** 2
        if not loss.requires_grad:
            break
        loss.backward()
        with torch.no_grad():
            w = (w - 0.1 * w.grad)
    try:
        loss.backward()
    except RuntimeError:
        pass

def test_right(assert_gradients):
    w = torch.tensor(1.0, requires_grad=True)
    loss = (w * 2) ** 2
    assert_gradients(loss)
    loss.backward()
"""


def test_the_plugin_fails_a_test_with_its_findings(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TESTS)
    pytester.runpytest().assert_outcomes(passed=2)  # the plugin is an entry point of the package
    ran = pytester.runpytest("--inspect-gradients", "warning")
    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines(["*GradientError: error rebound-leaf at test_it.py:11: w is now the result of*"])
