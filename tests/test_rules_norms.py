"""Norms over depth: vanishing-gradient, exploding-gradient, gradient-underflow."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from test_rules_zeros import code, only, silent, step
from torch import nn

import inspector
from inspector.diagnosis.analysis.norm_along_path import NormAlongPath
from inspector.diagnosis.backward_view import BackwardView


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def stack(layers: int, activation: type[nn.Module], width: int = 32) -> nn.Sequential:
    return nn.Sequential(
        *(part for _ in range(layers) for part in (nn.Linear(width, width), activation())), nn.Linear(width, 4)
    )


def test_the_norms_of_depth_are_those_of_torch() -> None:
    model, x = stack(3, nn.Tanh), torch.randn(5, 32)
    inner: list[torch.Tensor] = []
    for layer in model:
        layer.register_forward_hook(lambda _, __, out: inner.append(out))
    with inspector.record() as recording:
        loss = model(x).pow(2).sum()
        loss.backward(retain_graph=True)
    call = BackwardView(recording.calls[0])
    sizes = {call.name(layer.leaf): layer.step.size for layer in NormAlongPath(call).layers}
    wanted = [float(torch.autograd.grad(loss, out, retain_graph=True)[0].norm()) for out in inner]
    for k in range(4):
        assert sizes[f"{2 * k}.weight"] == pytest.approx(wanted[2 * k], rel=1e-5)


def test_a_stack_of_sigmoids_vanishes() -> None:
    model, x = stack(12, nn.Sigmoid), torch.randn(16, 32)
    with inspector.record() as recording:
        h = x
        for part in model:
            h = part(h)
        step(model, h.pow(2).mean())
    found = only(recording, "vanishing-gradient")
    assert code(found) == "h = part(h)"
    assert "0.weight" in found.parameters
    assert "24.weight" not in found.parameters and "22.weight" not in found.parameters
    assert found.evidence["last"] < 1e-6 * found.evidence["first"]


def test_even_what_is_flushed_to_zero_has_vanished() -> None:
    model, x = stack(70, nn.Sigmoid, 16), torch.randn(16, 16)
    with inspector.record() as recording:
        step(model, model(x).pow(2).mean())
    assert float(model[0].weight.grad.norm()) == 0
    assert "0.weight" in only(recording, "vanishing-gradient").parameters


def test_one_factor_that_is_next_to_nothing_is_named() -> None:
    model, x = stack(2, nn.Tanh), torch.randn(16, 32)
    with inspector.record() as recording:
        h = model[1](model[0](x))
        h = h * 1e-9
        step(model, model[4](model[3](model[2](h))).pow(2).mean())
    found = only(recording, "vanishing-gradient")
    assert code(found) == "h = h * 1e-9"
    assert set(found.parameters) == {"0.weight", "0.bias"}


def test_wide_weights_explode() -> None:
    model, x = stack(8, nn.ReLU), torch.randn(16, 32)
    for layer in model[::2]:
        nn.init.normal_(layer.weight, std=1.5)
    with inspector.record() as recording:
        out = model(x)
        step(model, out.pow(2).mean())
    found = only(recording, "exploding-gradient")
    assert code(found) == "out = model(x)"
    assert "0.weight" in found.parameters and "16.weight" not in found.parameters


def test_a_scaler_is_divided_out() -> None:
    model, x = stack(8, nn.ReLU), torch.randn(16, 32)
    for layer in model[::2]:
        nn.init.normal_(layer.weight, std=1.5)
    firsts = []
    for scale in (None, 256.0):
        model.zero_grad()
        with inspector.record() as recording:
            loss = model(x).pow(2).mean()
            (loss if scale is None else torch.amp.GradScaler("cpu", init_scale=scale).scale(loss)).backward()
        firsts.append(only(recording, "exploding-gradient").evidence["first"])
    assert firsts[0] == pytest.approx(firsts[1], rel=1e-4)


@pytest.mark.parametrize("layers", [2, 6, 10])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.GELU])
def test_stacks_of_ordinary_depth_are_silent(layers: int, activation: type[nn.Module]) -> None:
    model, x = stack(layers if activation is not nn.GELU else min(layers, 8), activation), torch.randn(16, 32)
    silent(lambda: step(model, F.cross_entropy(model(x), torch.randint(0, 4, (16,)))))


def test_a_branch_that_opens_slowly_is_silent() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.inner = nn.Linear(8, 8), nn.Linear(8, 8)
            self.scale = nn.Parameter(1e-8 * torch.ones(8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            return x + self.scale * self.inner(x)

    model, x = Scaled(), torch.randn(16, 8)
    silent(lambda: step(model, model(x).pow(2).mean()))


def test_a_recurrent_net_is_judged_by_its_nearest_step() -> None:
    model, head, x = nn.RNNCell(8, 16), nn.Linear(16, 4), torch.randn(40, 5, 8)
    both = nn.ModuleList([model, head])

    def run() -> None:
        h = torch.zeros(5, 16)
        for part in x:
            h = model(part, h)
        step(both, head(h).pow(2).mean())

    silent(run)


# gradient-underflow


def halves(scale: float | None) -> Any:
    model, x = stack(3, nn.Tanh), torch.randn(64, 32)
    with inspector.record() as recording:
        with torch.autocast("cpu", dtype=torch.float16):
            out = model(x)
        loss = 1e-6 * out.float().pow(2).mean()
        if scale is None:
            step(model, loss)
            return recording
        scaler, optimizer = torch.amp.GradScaler("cpu", init_scale=scale), torch.optim.SGD(model.parameters(), 0.1)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
    return recording


def test_half_precision_flushes_small_gradients() -> None:
    found = only(halves(None), "gradient-underflow")
    assert "0.weight" in found.parameters
    assert code(found)


def test_a_scaler_saves_them() -> None:
    recording = halves(2.0**20)
    assert [finding for finding in recording.findings if finding.severity != "note"] == []


def test_relu_zeros_in_half_precision_are_silent() -> None:
    model, x = stack(3, nn.ReLU).half(), torch.randn(64, 32).half()
    silent(lambda: step(model, model(x).float().pow(2).mean()))
