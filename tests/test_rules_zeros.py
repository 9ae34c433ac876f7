"""Gradients that are zero or next to it: zero-gradient, zero-derivative, dead-activation, saturated-activation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import inspector

LOUD = ("error", "warning")


def loud(recording: Any) -> list[Any]:
    assert recording.failure is None
    report = recording.report()
    assert not [check for check in report.checked if "internal error" in (check.reason or "")]
    return [finding for finding in report.findings if finding.severity in LOUD]


def only(recording: Any, rule: str) -> Any:
    (finding,) = loud(recording)
    assert finding.rule == rule, finding
    return finding


def code(finding: Any) -> str:
    return str(finding.location["code"])


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def net(*middle: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 16), *middle, nn.Linear(16, 4))


def step(model: nn.Module, loss: torch.Tensor) -> None:
    """Backward and a step, so that an optimizer is seen to hold the parameters."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss.backward()
    optimizer.step()


# zero-gradient


@pytest.mark.parametrize(
    ("text", "name"),
    [("weight * loss", "weight"), ("loss * weight", "weight"), ("loss * (weight // 2)", "weight // 2")],
)
def test_a_weight_of_zero_has_its_name(text: str, name: str) -> None:
    model, weight = net(nn.Tanh()), 0
    with inspector.record() as recording:
        loss = model(torch.randn(5, 8)).square().mean()
        total = {
            "weight * loss": lambda: weight * loss,
            "loss * weight": lambda: loss * weight,
            "loss * (weight // 2)": lambda: loss * (weight // 2),
        }[text]()
        step(model, total)
    assert f"multiplied it by {name}, which is all zeros" in only(recording, "zero-gradient").message


def test_a_difference_that_is_zero_is_not_said_to_pass_zeros() -> None:
    """It passes a gradient to its inputs: the weight of the layer that it is given to gets none."""
    first, second, x = nn.Linear(3, 4), nn.Linear(4, 2), torch.randn(5, 3)
    with inspector.record() as recording:
        h = first(x)
        loss = second(h - h.detach()).square().mean()
        optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.1)
        loss.backward()
        optimizer.step()
    assert first.weight.grad is not None and bool(first.weight.grad.any())
    found = [finding for finding in loud(recording) if finding.rule == "zero-gradient"]
    assert [finding.parameters for finding in found] == [["second.weight"]]
    assert "computed only zeros" in found[0].message


def test_a_product_with_zeros() -> None:
    model, x = net(nn.Tanh()), torch.randn(5, 8)
    with inspector.record() as recording:
        mask = torch.zeros(5, 4)
        loss = (model(x) * mask).sum()
        step(model, loss)
    found = only(recording, "zero-gradient")
    assert code(found) == "loss = (model(x) * mask).sum()"
    assert set(found.parameters) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert "multiplied it by mask, which is all zeros" in found.message


def test_zeros_of_a_part_of_the_model_only() -> None:
    model, x = net(nn.Tanh()), torch.randn(5, 8)
    with inspector.record() as recording:
        hidden = model[1](model[0](x))
        hidden = hidden * torch.zeros(16)
        step(model, model[2](hidden).pow(2).sum())
    found = only(recording, "zero-gradient")
    assert code(found) == "hidden = hidden * torch.zeros(16)"
    assert set(found.parameters) == {"0.weight", "0.bias", "2.weight"}


def test_a_hook_that_gives_zeros() -> None:
    model, x = net(nn.Tanh()), torch.randn(5, 8)
    with inspector.record() as recording:
        model[0].weight.register_hook(torch.zeros_like)
        step(model, model(x).pow(2).sum())
    found = only(recording, "zero-gradient")
    assert found.parameters == ["0.weight"]
    assert "a hook replaced with zeros" in found.message
    assert code(found) == "model[0].weight.register_hook(torch.zeros_like)"


def test_a_hook_on_a_tensor_inside() -> None:
    model, x = net(nn.Tanh()), torch.randn(5, 8)
    with inspector.record() as recording:
        hidden = model[1](model[0](x))
        hidden.register_hook(lambda gradient: gradient * 0)
        step(model, model[2](hidden).pow(2).sum())
    found = only(recording, "zero-gradient")
    assert set(found.parameters) == {"0.weight", "0.bias"}
    assert "to hidden" in found.message


def test_a_clamp_beyond_whose_bounds_all_lie() -> None:
    model, x = net(nn.Tanh()), torch.randn(5, 8)
    with inspector.record() as recording:
        out = model(x).clamp(5, 6)
        step(model, out.sum())
    found = only(recording, "zero-gradient")
    assert code(found) == "out = model(x).clamp(5, 6)"
    assert "outside its bounds 5 and 6" in found.message


def test_two_factors_that_both_start_at_zero() -> None:
    class Adapter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Parameter(torch.zeros(8, 4)), nn.Parameter(torch.zeros(4, 8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + x @ self.a @ self.b

    model, x = Adapter(), torch.randn(5, 8)
    with inspector.record() as recording:
        step(model, model(x).pow(2).sum())
    found = only(recording, "zero-gradient")
    assert set(found.parameters) == {"a", "b"}


def test_frozen_zeros_are_no_zero_initialised_branch() -> None:
    model, x = net(nn.Tanh()), torch.randn(5, 8)
    nn.init.zeros_(model[2].weight).requires_grad_(False)
    with inspector.record() as recording:
        step(model, model(x).pow(2).sum() + model(x).sum())
    assert set(only(recording, "zero-gradient").parameters) == {"0.weight", "0.bias"}


# What zero-gradient is silent on


def silent(run: Callable[[], Any], watch: int = 3) -> None:
    with inspector.record(watch=watch) as recording:
        run()
    assert recording.calls
    assert loud(recording) == []


def test_stationary_points_of_lessons_are_silent() -> None:
    def saddle() -> None:
        x, y = torch.zeros((), requires_grad=True), torch.zeros((), requires_grad=True)
        (x**2 - y**2).backward()

    def product() -> None:
        x, y = torch.zeros((), requires_grad=True), torch.zeros((), requires_grad=True)
        (x * y).backward()

    def descent() -> None:
        w = torch.zeros(3, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        (w * w).sum().backward()
        optimizer.step()

    for lesson in (saddle, product, descent):
        silent(lesson)


class Lora(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.a, self.b = nn.Parameter(torch.randn(8, 4)), nn.Parameter(torch.zeros(4, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.frozen(x) + x @ self.a @ self.b


class ReZero(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.alpha = nn.Linear(8, 8), nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.alpha * torch.relu(self.inner(x))


class TanhGate(ReZero):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.tanh(self.alpha) * self.inner(x)


class ZeroConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.zero = nn.Conv1d(1, 4, 3, padding=1), nn.Conv1d(4, 1, 1)
        nn.init.zeros_(self.zero.weight)
        nn.init.zeros_(self.zero.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.zero(self.inner(x[:, None]))[:, 0]


class ZeroNorm(nn.Module):
    momentum = 0.1

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.norm = nn.Linear(8, 8), nn.BatchNorm1d(8, momentum=self.momentum)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.norm(self.inner(x))


class ZeroNormWithoutMomentum(ZeroNorm):
    """Its running mean stays zeros, and is nothing that a gradient is multiplied by."""

    momentum = 0.0


@pytest.mark.parametrize("kind", [Lora, ReZero, TanhGate, ZeroConvolution, ZeroNorm, ZeroNormWithoutMomentum])
@pytest.mark.parametrize("accumulated", [1, 3])
def test_zero_initialised_branches_are_silent(kind: type[nn.Module], accumulated: int) -> None:
    model, x = kind(), torch.randn(6, 8)
    optimizer = torch.optim.Adam([item for item in model.parameters() if item.requires_grad], lr=1e-3)

    def run() -> None:
        for turn in range(3):
            model(x).pow(2).mean().backward()
            if (turn + 1) % accumulated == 0:
                optimizer.step()
                optimizer.zero_grad()

    silent(run)


@pytest.mark.parametrize("mode", ["light", "full"])
def test_a_gate_of_zeros_seen_through_two_views_is_silent(mode: Any) -> None:
    model, x = net(nn.Tanh()), torch.randn(4, 8)
    model.gate = nn.Parameter(torch.zeros(4))
    with inspector.record(mode=mode) as recording:
        hidden = model[1](model[0](x))
        step(model, model[2](hidden * model.gate.unsqueeze(1).expand(4, 16)).pow(2).mean())
    assert loud(recording) == []


def test_a_bias_before_batch_norm_and_a_keys_bias_are_silent() -> None:
    normed = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.randn(6, 8)

    def run() -> None:
        step(normed, normed(x).pow(2).mean())
        step(attention, attention(x[None], x[None], x[None], need_weights=False)[0].pow(2).mean())

    silent(run)


def test_idle_experts_and_untouched_rows_are_silent() -> None:
    experts = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
    table = nn.Embedding(50, 8)
    model = nn.ModuleList([experts, table])
    ids = torch.tensor([1, 2, 2, 3])
    chosen = torch.tensor([0, 0, 1, 1])

    def run() -> None:
        x = table(ids)
        out = torch.zeros_like(x)
        for k, expert in enumerate(experts):
            rows = (chosen == k).nonzero()[:, 0]
            out = out.index_add(0, rows, expert(x[rows]))
        step(model, out.pow(2).mean())

    silent(run)


def test_an_idle_expert_of_a_dense_mixture_is_silent() -> None:
    experts, x = nn.ModuleList(nn.Sequential(nn.Linear(8, 8), nn.ReLU()) for _ in range(3)), torch.randn(6, 8)
    gates = F.one_hot(torch.tensor([0, 0, 1, 1, 0, 1]), 3).float()

    def run() -> None:
        outs = [expert(x) * gate[:, None] for expert, gate in zip(experts, gates.unbind(1), strict=True)]
        step(experts, sum(outs, torch.zeros(6, 8)).pow(2).mean())

    silent(run)


def test_a_mask_in_a_chain_is_no_idle_expert() -> None:
    layers, x = nn.ModuleList(nn.Linear(8, 8) for _ in range(3)), torch.randn(6, 8)
    masks = torch.ones(3, 8)
    masks[1] = 0.0
    with inspector.record() as recording:
        h = x
        for layer, mask in zip(layers, masks, strict=True):
            h = torch.tanh(layer(h)) * mask
        step(layers, h.pow(2).mean())
    assert "0.weight" in only(recording, "zero-gradient").parameters


@pytest.mark.parametrize("hinge", [torch.relu, lambda x: x.clamp(min=0)])
def test_a_hinge_that_no_sample_passes_is_silent(hinge: Any) -> None:
    model, x = nn.Linear(8, 1), torch.randn(32, 8)
    silent(lambda: step(model, hinge(-1000 + model(x)).mean()))


def test_the_critic_that_was_not_chosen_is_silent() -> None:
    critics, x = nn.ModuleList(nn.Linear(8, 1) for _ in range(2)), torch.randn(6, 8)
    silent(lambda: step(critics, torch.minimum(critics[0](x), critics[1](x) + 1000).mean()))


# zero-derivative


@pytest.mark.parametrize("name", ["round", "floor", "ceil", "trunc", "sign"])
def test_a_step_function_on_the_way(name: str) -> None:
    model, x = net(nn.Tanh()), torch.randn(5, 8)
    with inspector.record() as recording:
        out = getattr(model(x), name)()
        step(model, F.mse_loss(out, torch.randn(5, 4)))
    found = only(recording, "zero-derivative")
    assert code(found) == "out = getattr(model(x), name)()"
    assert len(found.parameters) == 4
    assert found.message.startswith(f"{name} has a derivative of zero")


STEPS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str]] = {
    "truncated": (lambda x: torch.div(x, 2, rounding_mode="trunc"), "a division with rounding_mode='trunc' has a"),
    "floored": (lambda x: x.div(0.1, rounding_mode="floor"), "a division with rounding_mode='floor' has a"),
    "sgn": (lambda x: x.sgn(), "sgn has a"),
    "decimals": (lambda x: x.round(decimals=2), "round has a"),
    "sampled": (lambda x: torch.bernoulli(x.sigmoid()), "bernoulli draws a sample, which has a"),
}
"""What is flat everywhere, and what the finding says of it."""
FLAT: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "threshold": lambda x: F.threshold(x, 100.0, 0.0),
    "hardshrink": lambda x: F.hardshrink(x, 100.0),
    "softshrink": lambda x: F.softshrink(x, 100.0),
    "hardtanh": lambda x: F.hardtanh(x + 50),
    "hardsigmoid": lambda x: F.hardsigmoid(x + 50),
    "relu": lambda x: F.relu(x - 50),
}
"""What is flat where these inputs are."""
SLOPED: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "divided": lambda x: torch.div(x, 2),
    "remainder": lambda x: x.remainder(0.5),
    "hardshrink": lambda x: F.hardshrink(x, 0.01),
    "hardsigmoid": F.hardsigmoid,
    "rounded straight through": lambda x: x + (x.round() - x).detach(),
}


def steps_of(dtype: torch.dtype, way: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Two steps of a net in a precision, with something done to its output."""
    model = net(nn.Tanh()).to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with inspector.record() as recording:
        for _ in range(2):
            optimizer.zero_grad()
            (way(model(torch.randn(5, 8).to(dtype))).float() - 0.3).square().mean().backward()
            optimizer.step()
    return recording


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("name", STEPS)
def test_what_is_flat_everywhere_is_no_underflow(name: str, dtype: torch.dtype) -> None:
    way, words = STEPS[name]
    found = only(steps_of(dtype, way), "zero-derivative")
    assert found.message.startswith(words) and len(found.parameters) == 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("name", FLAT)
def test_a_function_on_its_flat_side_is_no_underflow(name: str, dtype: torch.dtype) -> None:
    found = only(steps_of(dtype, FLAT[name]), "dead-activation")
    assert "passes nothing of its gradient" in found.message and len(found.parameters) == 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("name", SLOPED)
def test_functions_that_only_look_flat_are_silent(name: str, dtype: torch.dtype) -> None:
    assert not loud(steps_of(dtype, SLOPED[name]))


@pytest.mark.parametrize("loss", ["sum", "mean", "square", "scaled", "weighted"])
def test_a_dead_relu_whose_loss_is_zero_as_well(loss: str) -> None:
    """The zero of the loss does not hide that the relu made it so."""
    layer = nn.Linear(4, 3)
    nn.init.constant_(layer.bias, -100.0)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    weight = torch.rand(3)
    ends: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "sum": lambda h: h.sum(),
        "mean": lambda h: h.mean(),
        "square": lambda h: h.square().mean(),
        "scaled": lambda h: h.mul(2).sum(),
        "weighted": lambda h: (h * weight).mean(),
    }
    with inspector.record() as recording:
        for _ in range(3):
            optimizer.zero_grad()
            ends[loss](torch.relu(layer(torch.randn(8, 4)))).backward()
            optimizer.step()
    found = only(recording, "dead-activation")
    assert set(found.parameters) == {"weight", "bias"} and "torch.relu" in code(found)


def test_a_squared_hinge_that_is_met_once_is_silent() -> None:
    """Zeros of a relu, squared, as for a dead one; but the next batch has violations."""
    model = net(nn.Tanh())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with inspector.record() as recording:
        for margin in (-100.0, 1.0, 1.0):
            optimizer.zero_grad()
            torch.relu(margin - model(torch.randn(5, 8))).square().mean().backward()
            optimizer.step()
    assert not loud(recording)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_a_sampling_of_the_nearest_element(mode: str) -> None:
    model, images = nn.Linear(8, 6), torch.rand(5, 1, 4, 4)
    with inspector.record() as recording:
        grid = F.affine_grid(model(torch.randn(5, 8)).view(5, 2, 3), [5, 1, 4, 4], align_corners=False)
        out = F.grid_sample(images, grid, mode=mode, align_corners=False)
        step(model, F.mse_loss(out, torch.rand(5, 1, 4, 4)))
    if mode == "bilinear":
        assert not loud(recording)
    else:
        found = only(recording, "zero-derivative")
        assert code(found) == "out = F.grid_sample(images, grid, mode=mode, align_corners=False)"
        assert "with respect to the grid" in found.message and set(found.parameters) == {"weight", "bias"}


@pytest.mark.parametrize("start", [0.0, 1e-3])
def test_an_angle_at_the_origin(start: float) -> None:
    model = nn.Linear(8, 2)
    nn.init.constant_(model.weight, start)
    nn.init.constant_(model.bias, start)
    with inspector.record() as recording:
        x, y = model(torch.rand(5, 8)).unbind(1)
        angle = torch.atan2(x, y)
        step(model, (angle - 1).square().mean())
    if start:
        assert not loud(recording)
    else:
        found = only(recording, "zero-gradient")
        assert code(found) == "angle = torch.atan2(x, y)" and "both inputs are 0 everywhere" in found.message
        assert set(found.parameters) == {"weight", "bias"}


def test_a_softmax_over_one_element() -> None:
    model, x = nn.Linear(8, 1), torch.randn(5, 8)
    with inspector.record() as recording:
        probability = torch.softmax(model(x), dim=1)
        step(model, F.mse_loss(probability, torch.zeros(5, 1)))
    found = only(recording, "zero-derivative")
    assert code(found) == "probability = torch.softmax(model(x), dim=1)"
    assert set(found.parameters) == {"weight", "bias"}


def test_attention_to_the_only_token_is_silent() -> None:
    model, x = nn.Linear(8, 24), torch.randn(5, 1, 8)

    def run() -> None:
        q, k, v = model(x).chunk(3, -1)
        weights = F.dropout(torch.softmax(q @ k.transpose(1, 2), dim=-1), 0.1)
        step(model, (weights @ v).pow(2).mean())

    q, kv = nn.Linear(8, 8), nn.Linear(8, 16)
    both = nn.ModuleList([q, kv])

    def run_apart() -> None:
        k, v = kv(x).chunk(2, -1)
        step(both, (torch.softmax(q(x) @ k.transpose(1, 2), dim=-1) @ v).pow(2).mean())

    silent(run)
    silent(run_apart)


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        return gradients[0]


def test_straight_through_is_silent() -> None:
    model, x = net(nn.Tanh()), torch.randn(5, 8)

    def run() -> None:
        h = torch.tanh(model[0](x))
        h = h + (h.round() - h).detach()
        h = Straight.apply(h)
        step(model, model[2](h.round() - h.detach() + h).pow(2).mean())

    silent(run)


# dead-activation


def test_a_bias_that_kills_a_relu() -> None:
    model, x = net(), torch.randn(32, 8)
    nn.init.constant_(model[0].bias, -20.0)
    with inspector.record() as recording:
        h = torch.relu(model[0](x))
        step(model, model[1](h).pow(2).mean())
    found = only(recording, "dead-activation")
    assert code(found) == "h = torch.relu(model[0](x))"
    assert {"0.weight", "0.bias"} <= set(found.parameters)
    assert found.evidence == {"passed": 0.0, "alive": 0.0}


def test_next_to_nothing_is_dead_as_well() -> None:
    model, x = net(), torch.zeros(200, 8)
    x[0] = 1000 * torch.randn(8)
    nn.init.constant_(model[0].bias, -20.0)
    with inspector.record() as recording:
        step(model, model[1](torch.relu(model[0](x))).sum())
    found = only(recording, "dead-activation")
    assert 0 < found.evidence["alive"] < 1 / 200
    assert 0 < found.evidence["passed"] < 0.1


def test_a_leaky_relu_in_place_far_below_zero() -> None:
    model, x = net(nn.LeakyReLU(0.001, inplace=True)), torch.randn(32, 8)
    nn.init.constant_(model[0].bias, -20.0)
    with inspector.record() as recording:
        step(model, model(x).pow(2).mean())
    found = only(recording, "dead-activation")
    assert code(found) and set(found.parameters) == {"0.weight", "0.bias"}


def test_a_gelu_far_below_zero() -> None:
    model, x = net(), torch.randn(32, 8)
    nn.init.constant_(model[0].bias, -8.0)
    with inspector.record() as recording:
        step(model, model[1](F.gelu(model[0](x))).pow(2).mean())
    assert set(only(recording, "dead-activation").parameters) == {"0.weight", "0.bias"}


def test_ordinary_sparsity_is_silent() -> None:
    model, x = net(nn.ReLU()), torch.randn(32, 8)
    nn.init.constant_(model[0].bias, -0.5)  # a fifth alive
    silent(lambda: step(model, model(x).pow(2).mean()))


def test_a_softplus_that_makes_small_numbers_is_silent() -> None:
    """The deviation of a latent, or the step of a state space: initialised at a hundredth."""
    model = nn.Linear(6, 12)
    nn.init.constant_(model.bias, -4.6)
    x = torch.randn(8, 6)
    silent(lambda: step(model, F.softplus(model(x)).pow(2).mean()))


def test_a_relu_of_one_number_is_silent() -> None:
    def run() -> None:
        x = torch.tensor(-1.0, requires_grad=True)
        torch.relu(x).backward()

    silent(run)


# saturated-activation


@pytest.mark.parametrize("activation", [torch.sigmoid, torch.tanh])
def test_inputs_that_are_not_normalised(activation: Any) -> None:
    model, x = net(), 2000 * torch.rand(32, 8)
    with inspector.record() as recording:
        h = activation(model[0](x))
        step(model, model[1](h).pow(2).mean())
    found = only(recording, "saturated-activation")
    assert code(found) == "h = activation(model[0](x))"
    assert set(found.parameters) == {"0.weight", "0.bias"}
    assert found.evidence["slope"] < 0.05


def test_attention_without_its_scale() -> None:
    model, x = nn.Linear(32, 64), torch.randn(4, 10, 32)
    with inspector.record() as recording:
        q, k = (30 * model(x)).chunk(2, -1)
        weights = torch.softmax(q @ k.transpose(1, 2), dim=-1)
        step(model, (weights @ x).pow(2).mean())
    found = only(recording, "saturated-activation")
    assert code(found) == "weights = torch.softmax(q @ k.transpose(1, 2), dim=-1)"
    assert set(found.parameters) == {"weight", "bias"}


def test_masked_attention_and_gates_are_silent() -> None:
    model, cell, x = nn.Linear(32, 64), nn.LSTMCell(32, 32), torch.randn(4, 10, 32)
    nn.init.constant_(cell.bias_ih[32:64].detach(), 8.0)  # a forget gate that keeps

    def attention() -> None:
        q, k = model(x).chunk(2, -1)
        masked = (q @ k.transpose(1, 2)).masked_fill(torch.ones(10, 10).triu(1).bool(), -torch.inf)
        step(model, (torch.softmax(masked, -1) @ x).pow(2).mean())

    def gates() -> None:
        h, c = torch.zeros(4, 32), torch.ones(4, 32)
        for part in x.unbind(1):
            h, c = cell(part, (h, c))
        step(cell, h.pow(2).mean())

    silent(attention)
    silent(gates)


def test_a_confident_classifier_is_silent() -> None:
    model, x = nn.Linear(8, 1), torch.randn(32, 8)
    y = (x.sum(1, keepdim=True) > 0).float()
    nn.init.constant_(model.weight, 200.0)
    nn.init.zeros_(model.bias)

    silent(lambda: step(model, F.binary_cross_entropy(torch.sigmoid(model(x)), y)))


def test_a_confident_classifier_that_is_wrong_is_not() -> None:
    model, x = nn.Linear(8, 1), torch.randn(32, 8)
    y = (x.sum(1, keepdim=True) < 0).float()
    nn.init.constant_(model.weight, 200.0)
    nn.init.zeros_(model.bias)
    with inspector.record() as recording:
        step(model, F.binary_cross_entropy(torch.sigmoid(model(x)), y))
    assert set(only(recording, "saturated-activation").parameters) == {"weight", "bias"}


# step-without-effect


class Doubled(nn.Module):
    """A student whose teacher is the student itself."""

    def __init__(self) -> None:
        super().__init__()
        self.student = net(nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            target = self.student(x)
        return F.mse_loss(self.student(x), target)


USELESS: dict[str, tuple[Callable[[nn.Module, torch.Tensor], torch.Tensor], str]] = {
    "an empty mask": (lambda model, x: (model(x).square().sum(1) * (x[:, 0] > 99)).mean(), "x[:, 0] > 99"),
    "an inactive hinge": (lambda model, x: torch.relu(model(x) - 1000.0).mean(), "torch.relu"),
}


@pytest.mark.parametrize("way", USELESS)
def test_steps_whose_gradients_are_all_zero_have_one_finding(way: str) -> None:
    """It says where the zeros come from, and that the steps changed nothing."""
    loss, text = USELESS[way]
    model = net(nn.Tanh())
    before = [weight.detach().clone() for weight in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with inspector.record() as recording:
        for _ in range(3):
            optimizer.zero_grad()
            loss(model, torch.randn(5, 8)).backward()
            optimizer.step()
    assert all(map(torch.equal, before, model.parameters()))
    (finding,) = loud(recording)
    if finding.rule == "step-without-effect":
        assert "all gradients were zero in 2 steps of optimizer, which changed nothing" in finding.message
    else:
        assert finding.rule == "dead-activation"
    assert text in code(finding) and len(finding.parameters) == 4


def test_a_target_that_the_same_parameters_computed() -> None:
    model = Doubled()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with inspector.record() as recording:
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(5, 8)).backward()
            optimizer.step()
    finding = only(recording, "step-without-effect")
    assert "compares tensors that are equal" in finding.message and "F.mse_loss" in code(finding)


def test_zeros_that_change_parameters_or_end_are_silent() -> None:
    """Weight decay moves parameters without a gradient, and a loss that is zero once is none in the next step."""
    decayed, late = net(nn.Tanh()), net(nn.Tanh())
    decay = torch.optim.SGD(decayed.parameters(), lr=0.1, weight_decay=0.1)
    optimizer = torch.optim.SGD(late.parameters(), lr=0.1)
    with inspector.record() as recording:
        for number in range(3):
            x = torch.randn(5, 8)
            for model, used, target in ((decayed, decay, decayed(x)), (late, optimizer, late(x) + (number > 0))):
                used.zero_grad()
                F.mse_loss(model(x), target.detach()).backward()
                used.step()
    assert not [finding for finding in loud(recording) if finding.rule == "step-without-effect"]
