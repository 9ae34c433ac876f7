"""Healthy programs that come close to a defect, beside the defect itself."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.autograd.functional import hessian, jacobian, vhp
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

import inspector
from inspector.report import Finding


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def said(program: Callable[[], Any], watch: int = 3) -> list[Finding]:
    """The warnings and errors about a program."""
    with inspector.record(watch=watch) as recording:
        program()
    assert recording.failure is None
    report = recording.report()
    assert not [check for check in report.checked if "internal error" in (check.reason or "")]
    return [finding for finding in report.findings if finding.severity != "note"]


def train(model: nn.Module, loss_of: Callable[[nn.Module], torch.Tensor], steps: int = 3) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(steps):
        loss = loss_of(model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def rules(found: list[Finding]) -> list[str]:
    return [finding.rule for finding in found]


# Random masks


class Residual(nn.Module):
    def __init__(self, drop: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.linear, self.drop = nn.Linear(8, 8), drop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.drop(self.linear(x))


def of_timm(x: torch.Tensor) -> torch.Tensor:
    kept = x.new_empty((x.shape[0], 1)).bernoulli_(0.0)
    kept.div_(0.9)
    return x * kept


def of_transformers(x: torch.Tensor) -> torch.Tensor:
    kept = 0.0 + torch.rand((x.shape[0], 1), dtype=x.dtype)
    kept.floor_()
    return x.div(0.9) * kept


def of_a_comparison(x: torch.Tensor) -> torch.Tensor:
    return x * (torch.rand(1) > 1.5).to(x.dtype).expand_as(x)


def of_where(x: torch.Tensor) -> torch.Tensor:
    return torch.where(torch.rand(1) > 1.5, x, x.new_zeros(()))


def of_a_distribution(x: torch.Tensor) -> torch.Tensor:
    return x * torch.distributions.Bernoulli(torch.tensor(0.0)).sample()


def of_channels(x: torch.Tensor) -> torch.Tensor:
    return F.dropout1d(x[None, :2], p=1.0)[0].repeat(2, 1)


@pytest.mark.parametrize(
    "drop", [of_timm, of_transformers, of_a_comparison, of_where, of_a_distribution, of_channels]
)
def test_a_branch_that_is_dropped_at_random(drop: Callable[[torch.Tensor], torch.Tensor]) -> None:
    model = nn.Sequential(Residual(drop), nn.Linear(8, 3))
    assert said(lambda: train(model, lambda model: model(torch.randn(4, 8)).pow(2).mean())) == []


def of_zeros(x: torch.Tensor) -> torch.Tensor:
    return x * torch.zeros(1)


def of_data_that_is_random(x: torch.Tensor) -> torch.Tensor:
    lengths = torch.randint(1, 5, (x.shape[0], 1))
    return x * (lengths > torch.arange(8)).long().div(2, rounding_mode="floor")


def of_a_large_mask(x: torch.Tensor) -> torch.Tensor:
    return x * (torch.rand_like(x) > 1.5)


def of_a_mask_that_is_not_random_any_more(x: torch.Tensor) -> torch.Tensor:
    return x * torch.rand(1).mul_(torch.zeros(1))


@pytest.mark.parametrize(
    "drop", [of_zeros, of_data_that_is_random, of_a_large_mask, of_a_mask_that_is_not_random_any_more]
)
def test_a_branch_that_is_always_dropped(drop: Callable[[torch.Tensor], torch.Tensor]) -> None:
    model = nn.Sequential(Residual(drop), nn.Linear(8, 3))
    found = said(lambda: train(model, lambda model: model(torch.randn(4, 8)).pow(2).mean()))
    assert rules(found) == ["zero-gradient"]
    assert set(found[0].parameters) == {"0.linear.weight", "0.linear.bias"}


def test_parameters_that_were_initialised_at_random_are_no_mask() -> None:
    def program() -> None:
        model, x = nn.Linear(2, 3), torch.ones(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            (model(x) * torch.zeros(3)).sum().backward()
            optimizer.step()

    with inspector.record() as recording:
        program()
    assert not any(row.get("random") for _, row in recording.calls[0].graph.functions())
    (found,) = [found for found in recording.findings if found.severity != "note"]
    assert found.rule == "step-without-effect" and "MulBackward0" in found.message


def test_a_mask_that_is_zero_in_one_of_several_steps() -> None:
    model, masks = nn.Linear(8, 8), iter([torch.zeros(1), torch.ones(1), torch.ones(1)])
    assert said(lambda: train(model, lambda model: (model(torch.randn(4, 8)) * next(masks)).pow(2).sum())) == []


def test_a_mask_that_is_zero_in_one_loss_of_two() -> None:
    """Another loss gives the parameters a gradient; this one never does."""
    model, x = nn.Linear(8, 8), torch.randn(4, 8)

    def program() -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        (model(x) * torch.zeros(1)).sum().backward()
        model(x).pow(2).sum().backward()
        optimizer.step()

    assert rules(said(program)) == ["zero-gradient"]


# Cuts that torch makes


def test_torchs_own_hessian_and_jacobian() -> None:
    x = torch.randn(3, requires_grad=True)

    def program() -> None:
        hessian(lambda a: (a**3).sum(), x)
        jacobian(lambda a: a**2, x)
        vhp(lambda a: (a**3).sum(), x, torch.ones(3))

    assert said(program) == []


def test_modules_that_are_copied_or_averaged() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)

    def program() -> None:
        encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        twin = copy.deepcopy(layer)
        average = AveragedModel(layer)
        average.update_parameters(layer)
        state = layer.state_dict()
        encoder(torch.randn(2, 3, 8)).pow(3).sum().backward()
        del twin, state

    assert said(program) == []


def test_a_model_that_is_wrapped_in_ddp() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)

    def program() -> None:
        net = DistributedDataParallel(Net(), find_unused_parameters=True)
        optimizer = torch.optim.SGD(net.module.used.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            net(torch.ones(2, 4)).pow(2).sum().backward()
            optimizer.step()

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        assert said(program) == []
    finally:
        dist.destroy_process_group()


def test_what_the_script_detaches_itself_is_still_a_cut() -> None:
    encoder, head = nn.Linear(4, 4), nn.Linear(4, 1)

    def program() -> None:
        optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            head(encoder(torch.ones(2, 4)).detach()).sum().backward()
            optimizer.step()

    (found,) = said(program)
    assert found.rule == "detached" and set(found.parameters) == {"encoder.weight", "encoder.bias"}


def test_requires_grad_that_is_on_for_one_gradient_only() -> None:
    def slope(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z.requires_grad_(True)
        energy = z.pow(2).sum() + z.cos().sum()
        (slope,) = torch.autograd.grad(energy, z)
        z.requires_grad_(False)
        return slope, energy.detach()

    def program() -> None:
        start = torch.randn(3)
        slope(start)
        z = start.detach()
        for _ in range(4):
            z = (z - 0.1 * slope(z)[0]).detach()

    assert said(program) == []


# Norms


class Shifted(nn.Module):
    """A norm whose scale and shift come from a style, as in AdaIN."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.scale, self.shift = nn.InstanceNorm2d(6), nn.Linear(3, 6), nn.Linear(3, 6)

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        return self.norm(x) * (1 + self.scale(style)[..., None, None]) + self.shift(style)[..., None, None]


def test_a_shift_made_by_a_layer_that_meets_another_norm() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm = nn.Conv2d(3, 6, 3), Shifted()
            self.second, self.last = nn.Conv2d(6, 6, 1), Shifted()
            self.out = nn.Conv2d(6, 1, 1)

        def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            x = x + self.norm(x, style)
            return self.out(self.last(self.second(x), style).relu())

    def loss(model: nn.Module) -> torch.Tensor:
        return (model(torch.randn(2, 3, 8, 8), torch.randn(2, 3)) - 1).pow(2).mean()

    model = Net()
    assert said(lambda: train(model, loss)) == []
    assert float(model.norm.shift.bias.grad.norm()) < 1e-6 * float(model.out.weight.grad.norm())


@pytest.mark.parametrize(
    "norm",
    [lambda: nn.InstanceNorm2d(6, affine=True), lambda: nn.GroupNorm(6, 6), lambda: nn.BatchNorm2d(6)],
)
def test_the_bias_of_a_norm_whose_sum_meets_another_norm(norm: Callable[[], nn.Module]) -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            conv = nn.Conv2d(6, 6, 3, padding=1, padding_mode="reflect")
            self.way = nn.Sequential(conv, norm(), nn.ReLU(), copy.deepcopy(conv), norm())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.way(x)

    end = (nn.Conv2d(6, 6, 1), norm(), nn.ReLU(), nn.Conv2d(6, 1, 1))
    model = nn.Sequential(nn.Conv2d(3, 6, 3), Block(), Block(), *end)
    assert said(lambda: train(model, lambda model: (model(torch.randn(2, 3, 9, 9)) - 1).pow(2).mean())) == []


# Several losses


def test_several_losses_that_are_computed_before_the_first_backward() -> None:
    model = nn.Linear(4, 3)

    def program() -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            losses = [model(torch.randn(5, 4)).pow(2).mean() for _ in range(4)]
            for loss in losses:
                loss.backward()
            optimizer.step()

    assert said(program, watch=6) == []


def test_several_losses_of_a_library(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All calls share the user's line."""
    library = tmp_path / "site-packages" / "losses_of_a_library.py"
    library.parent.mkdir()
    library.write_text(
        """
import torch
def learn(models, optimizers, steps=2):
    for _ in range(steps):
        first = models[0](torch.randn(5, 4)).pow(2).mean()
        first.backward()
        optimizers[0].step()
        second = models[1](torch.randn(5, 4)).pow(2).mean()
        second.backward()
        optimizers[1].step()
        third = models[2](torch.randn(5, 4)).pow(2).mean()
        third.backward()
        optimizers[2].step()
        for optimizer in optimizers:
            optimizer.zero_grad()
"""
    )
    monkeypatch.syspath_prepend(str(library.parent))
    import losses_of_a_library

    models = [nn.Linear(4, 3) for _ in range(3)]
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models]
    assert said(lambda: losses_of_a_library.learn(models, optimizers), watch=6) == []


# Tensors without elements


@pytest.mark.parametrize(
    "loss",
    [
        lambda x, w: (torch.cosh(x) * torch.ones(1, 0, 3)).sum(),
        lambda x, w: x.exp().sum() * 0.7,
        lambda x, w: x.sum() + w[w > 100].pow(2).sum(),
        lambda x, w: torch.cat([x.flatten(), w[:0]]).tanh().sum(),
        lambda x, w: F.relu(w[:0] @ torch.ones(8, 2)).sum(),
    ],
)
def test_a_tensor_without_elements_has_no_gradient_to_lose(loss: Callable[..., torch.Tensor]) -> None:
    x, w = torch.randn(1, 0, 3, requires_grad=True), torch.randn(4, 8, requires_grad=True)
    assert said(lambda: loss(x, w).backward()) == []


# Half precision


def half(count: int = 40) -> torch.Tensor:
    return torch.linspace(0.1, 0.9, count, dtype=torch.float16, requires_grad=True)


class Zeros(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(gradient)


@pytest.mark.parametrize(
    ("function", "rule", "text"),
    [
        (lambda x: torch.div(x, 2, rounding_mode="trunc"), "zero-derivative", "rounding_mode='trunc'"),
        (lambda x: torch.div(x, torch.ones_like(x), rounding_mode="floor"), "zero-derivative", "'floor'"),
        (torch.sign, "zero-derivative", "sign has"),
        (torch.round, "zero-derivative", "round has"),
        (torch.floor, "zero-derivative", "floor has"),
        (torch.bernoulli, "zero-derivative", "bernoulli draws a sample"),
        (lambda x: torch.normal(x, 1.0), "zero-derivative", "normal draws a sample"),
        (lambda x: F.threshold(x, 2, 0), "dead-activation", "ThresholdBackward0"),
        (lambda x: F.hardshrink(x, 2.0), "dead-activation", "HardshrinkBackward0"),
        (lambda x: F.hardtanh(x + 3), "dead-activation", "HardtanhBackward0"),
        (Zeros.apply, "zero-gradient", "ZerosBackward"),
        (lambda x: x * 1e-3, "gradient-underflow", "MulBackward0"),
        (lambda x: x.mean(), "gradient-underflow", "MeanBackward0"),
    ],
)
@pytest.mark.parametrize("count", [8, 40])
def test_a_flat_function_is_no_underflow(function: Any, rule: str, text: str, count: int) -> None:
    x = half(count)
    scale = 1e-7 if rule == "gradient-underflow" else 1.0
    (found,) = said(lambda: (function(x).float().sum() * scale).backward())
    assert found.rule == rule and text in found.message


def test_a_division_that_does_not_round_is_not_flat() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    assert said(lambda: (torch.div(x, 2, rounding_mode=None) * torch.tensor([0.0, 1.0])).sum().backward()) == []


# A loss of zero


def clamped(model: nn.Module) -> Any:
    return (0.1 - model(torch.randn(16, 4)).pow(2).sum(1) - 1).clamp(min=0).mean()


def hinge(model: nn.Module, margin: float = 0.1) -> torch.Tensor:
    x = torch.randn(16, 4)
    return F.relu(margin - model(x).pow(2).sum(1) - 1).mean()


def test_a_hinge_without_violations_in_one_step() -> None:
    model, margins = nn.Linear(4, 8), iter([0.1, 0.1, 100.0])
    assert said(lambda: train(model, lambda model: hinge(model, next(margins)))) == []
    assert said(lambda: hinge(nn.Linear(4, 8)).backward()) == []


@pytest.mark.parametrize(
    ("loss", "rule"),
    [
        (hinge, "dead-activation"),
        (clamped, "step-without-effect"),
        (lambda model: torch.relu(model(torch.randn(16, 4)) - 100).mul(2).sum(), "dead-activation"),
    ],
)
def test_a_loss_that_is_zero_in_every_step_trains_nothing(loss: Any, rule: str) -> None:
    (found,) = said(lambda: train(nn.Linear(4, 8), loss))
    assert found.rule == rule and set(found.parameters) == {"weight", "bias"}


def test_a_dead_layer_whose_loss_is_therefore_zero() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3, bias=False))
    nn.init.constant_(model[0].bias, -100.0)
    (found,) = said(lambda: train(model, lambda model: model(torch.randn(16, 4)).sum(), steps=1))
    assert found.rule == "dead-activation" and set(found.parameters) == {"0.weight", "0.bias"}


def test_two_hinges_without_violations() -> None:
    """Another head in the sum does not make the hinge a layer."""
    heads = nn.ModuleList([nn.Linear(4, 8), nn.Linear(4, 8)])
    assert said(lambda: train(heads, lambda heads: hinge(heads[0]) + hinge(heads[1]), steps=1)) == []


# Optimizers


def test_an_optimizer_of_frozen_parameters() -> None:
    body, head = nn.Linear(4, 4), nn.Linear(4, 1)
    model = nn.Sequential(body, head)
    head.requires_grad_(False)

    def program() -> None:
        optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
        for _ in range(3):
            model(torch.ones(2, 4)).sum().backward()
            optimizer.step()

    (found,) = said(program)
    assert found.rule == "optimizer-without-gradient" and set(found.parameters) == {"1.weight", "1.bias"}
    assert found.message == (
        "optimizer holds only frozen parameters, while 0.weight, 0.bias get gradients and are in no optimizer"
    )


def test_optimizers_that_take_turns_with_frozen_parameters() -> None:
    """The body is frozen while the head warms up; its optimizer steps in vain."""
    body, head = nn.Linear(4, 4), nn.Linear(4, 1)
    body.requires_grad_(False)

    def program() -> None:
        optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (body, head)]
        for _ in range(3):
            for optimizer in optimizers:
                optimizer.zero_grad()
            head(body(torch.ones(2, 4))).sum().backward()
            for optimizer in optimizers:
                optimizer.step()

    assert said(program) == []


def stepped(optimizer: torch.optim.Optimizer, loss_of: Callable[[], torch.Tensor], steps: int = 3) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of().backward()
        optimizer.step()


def test_a_prompt_of_no_module_beside_a_frozen_model() -> None:
    model, prompt = nn.Linear(4, 2), nn.Parameter(torch.randn(1, 4))
    model.requires_grad_(False)
    (found,) = said(lambda: stepped(torch.optim.Adam(model.parameters()), lambda: model(prompt * 2).pow(2).sum()))
    assert found.rule == "optimizer-without-gradient" and set(found.parameters) == {"weight", "bias"}
    assert found.message.endswith(
        "holds only frozen parameters, while prompt gets a gradient and is in no optimizer"
    )


def test_the_base_of_an_adapter_in_the_place_of_the_adapter() -> None:
    class Adapted(nn.Module):
        def __init__(self, base: nn.Linear) -> None:
            super().__init__()
            self.base = base.requires_grad_(False)
            self.down, self.up = nn.Parameter(torch.randn(2, 4)), nn.Parameter(torch.randn(3, 2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.base(x) + x @ self.down.T @ self.up.T

    layer = nn.Linear(4, 3)
    optimizer, model = torch.optim.AdamW(layer.parameters()), nn.Sequential(Adapted(layer), nn.Tanh())
    (found,) = said(lambda: stepped(optimizer, lambda: model(torch.randn(5, 4)).pow(2).mean()))
    assert found.rule == "optimizer-without-gradient"
    assert "while 0.down, 0.up get gradients and are in no optimizer" in found.message


def test_a_frozen_head_that_is_replaced_is_told_once() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).requires_grad_(False)

    def program() -> None:
        optimizer = torch.optim.SGD(model[2].parameters(), lr=0.1)
        model[2] = nn.Linear(8, 5)
        stepped(optimizer, lambda: model(torch.randn(6, 4)).pow(2).mean())

    assert rules(said(program)) == ["replaced-parameter"]


def test_a_frozen_group_beside_one_that_learns() -> None:
    body, head = nn.Linear(4, 8).requires_grad_(False), nn.Linear(8, 3)
    groups = [{"params": list(body.parameters()), "lr": 1e-5}, {"params": list(head.parameters())}]
    assert said(lambda: stepped(torch.optim.AdamW(groups), lambda: head(body(torch.randn(6, 4))).mean())) == []


def test_a_frozen_model_whose_input_learns() -> None:
    """As in style transfer: the only optimizer holds the input."""
    model, image = nn.Linear(4, 2).requires_grad_(False), torch.randn(1, 4, requires_grad=True)
    assert said(lambda: stepped(torch.optim.SGD([image], lr=0.1), lambda: model(image).pow(2).sum())) == []


def test_players_that_freeze_each_other() -> None:
    one, other = nn.Linear(2, 2), nn.Linear(2, 1)

    def program() -> None:
        players = [(net, torch.optim.Adam(net.parameters())) for net in (one, other)]
        for _ in range(2):
            for net, optimizer in reversed(players):
                for each, _ in players:
                    each.requires_grad_(each is net)
                stepped(optimizer, lambda: other(one(torch.randn(4, 2))).pow(2).mean(), steps=1)

    assert said(program, watch=4) == []


# Variants of healthy programs


class Gated(nn.Module):
    """A residual branch that a gate drops: at random, or always."""

    def __init__(self, gate: Callable[[], torch.Tensor]) -> None:
        super().__init__()
        self.way, self.gate = nn.Sequential(nn.Linear(8, 8), nn.ReLU()), gate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.way(x) * self.gate()


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (lambda: (torch.rand(()) > 1.5).float() / 0.3, []),
        (lambda: torch.distributions.Categorical(torch.ones(1)).sample().float(), []),
        (lambda: torch.zeros(1), ["zero-gradient"]),
    ],
)
def test_layers_that_are_dropped_with_examples_that_are_mixed(gate: Any, expected: list[str]) -> None:
    model = nn.Sequential(*[Gated(gate) for _ in range(3)], nn.Linear(8, 3))

    def loss(model: nn.Module) -> torch.Tensor:
        x, y, part = torch.randn(8, 8), torch.randint(0, 3, (8,)), torch.distributions.Beta(0.4, 0.4).sample()
        out, other = model(part * x + (1 - part) * x.flip(0)), y.flip(0)
        return part * F.cross_entropy(out, y) + (1 - part) * F.cross_entropy(out, other)

    assert rules(said(lambda: train(model, loss)))[: len(expected) or None] == expected


def test_a_sampler_that_freezes_the_model_and_writes_into_its_buffer() -> None:
    energy, buffer = nn.Sequential(nn.Linear(2, 8), nn.SiLU(), nn.Linear(8, 1)), torch.rand(16, 2)

    def loss(model: nn.Module) -> torch.Tensor:
        model.requires_grad_(False)
        x = buffer[:4].clone()
        x.requires_grad = True
        for _ in range(3):
            (slope,) = torch.autograd.grad(model(x).sum(), x)
            x.data.add_(-0.1 * slope + 0.01 * torch.randn_like(x)).clamp_(0, 1)
        x.requires_grad = False
        buffer[:4] = x
        model.requires_grad_(True)
        real, sampled = model(torch.rand(4, 2)), model(x)
        return (real - sampled).mean() + 0.1 * (real.pow(2) + sampled.pow(2)).mean()

    assert said(lambda: train(energy, loss)) == []


def test_norms_of_several_kinds_after_each_other() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            inner = nn.Conv2d(6, 6, 3, padding=1)
            self.way = nn.Sequential(nn.GroupNorm(6, 6), nn.ReLU(), inner, nn.BatchNorm2d(6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.way(x) + x

    model = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.GroupNorm(6, 6), Block(), nn.InstanceNorm2d(6), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.LayerNorm(24), nn.Linear(24, 2),
    )  # fmt: skip

    def loss(model: nn.Module) -> torch.Tensor:
        return F.cross_entropy(model(torch.randn(4, 3, 12, 12)), torch.randint(0, 2, (4,)))

    assert said(lambda: train(model, loss)) == []


def test_torchs_own_products_with_a_hessian_beside_training() -> None:
    model, x = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), torch.randn(6, 2)

    def program() -> None:
        train(model, lambda model: model(x).pow(2).mean(), steps=1)
        for function in (torch.autograd.functional.hvp, vhp):
            function(lambda a: model(a).pow(2).sum(), x, torch.ones_like(x))
        torch.autograd.functional.jvp(model, x, torch.ones_like(x))
        torch.autograd.functional.vjp(model, x, torch.ones(6, 1))
        jacobian(model, x[:2], vectorize=True)
        train(model, lambda model: model(x).pow(2).mean(), steps=1)

    assert said(program) == []


def test_experts_that_get_no_rows() -> None:
    gate, experts = nn.Linear(4, 4), nn.ModuleList(nn.Linear(4, 4) for _ in range(4))
    nn.init.constant_(gate.bias[3:], 100.0)  # all rows go to the last

    def loss(model: nn.Module) -> torch.Tensor:
        x = torch.randn(3, 4)
        weights, chosen = gate(x).softmax(-1).max(-1)
        out = torch.zeros_like(x)
        for index, expert in enumerate(experts):
            rows = (chosen == index).nonzero().flatten()
            out = out.index_add(0, rows, expert(x[rows]) * weights[rows, None])
        return (out - x).pow(2).mean()

    assert "zero-gradient" not in rules(said(lambda: train(nn.ModuleList([gate, experts]), loss)))


def test_labels_that_the_model_in_eval_makes_for_itself() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    encoder, head = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), nn.Linear(8, 3)
    hidden = torch.tensor([[False, False, True], [False, False, False]])

    def loss(model: nn.Module) -> torch.Tensor:
        x = torch.randn(2, 3, 8)
        model.eval()
        with torch.no_grad():
            labels = head(encoder(x, src_key_padding_mask=hidden)).argmax(-1)
        model.train()
        return F.cross_entropy(head(encoder(x, src_key_padding_mask=hidden)).flatten(0, 1), labels.flatten())

    assert said(lambda: train(nn.ModuleList([encoder, head]), loss)) == []


def regression(use: Callable[[nn.Module, torch.Tensor], Any], *, before: bool) -> list[str]:
    """The rules with findings, for a model whose last bias gets no gradient.

    use: called with the model and a batch, before the loss or after the step.
    """
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))

    def program() -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(3):
            x = torch.randn(5, 2)
            used = use(model, x) if before else 0
            slope = torch.func.vmap(torch.func.grad(lambda row: model(row).sum()))(x)  # the bias is no part of it
            loss = (slope.pow(2).sum(1) - 1).pow(2).mean() + used
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if not before:
                use(model, x)

    return rules(said(program))


@pytest.mark.parametrize(
    "use",
    [
        lambda model, x: model(x).mean().item(),
        lambda model, x: [].append(float(model(x).detach().norm())),
        lambda model, x: model(x).detach().numpy().std(),
        lambda model, x: torch.func.vmap(lambda row: model(row).sum())(x).sum().item(),
    ],
)
def test_a_number_for_a_log_at_the_end_of_a_step_is_no_cut(use: Callable[..., Any]) -> None:
    assert regression(use, before=False) == []


@pytest.mark.parametrize(
    "use", [lambda model, x: model(x).mean().item(), lambda model, x: float(model(x).detach().norm())]
)
def test_a_number_that_is_added_to_the_loss_is_a_cut(use: Callable[..., Any]) -> None:
    assert regression(use, before=True) == ["detached"]


def test_losses_that_weigh_those_of_the_next_step() -> None:
    body, one, other = nn.Linear(4, 8), nn.Linear(8, 1), nn.Linear(8, 1)
    last = [1.0, 1.0]

    def loss(model: nn.Module) -> torch.Tensor:
        hidden = body(torch.randn(6, 4)).relu()
        parts = (one(hidden) - 1).pow(2).mean(), other(hidden).pow(2).mean()
        total = parts[0] / last[0] + parts[1] / last[1]
        last[:] = [part.item() for part in parts]
        return total

    assert said(lambda: train(nn.ModuleList([body, one, other]), loss)) == []


@pytest.mark.parametrize(
    ("cut", "rule"),
    [(lambda x: x.detach(), "detached"), (lambda x: torch.tensor(x.tolist()), "unreachable-parameter")],
)
def test_what_is_cut_at_the_end_of_a_step_and_used_in_the_next_loss(cut: Callable[..., Any], rule: str) -> None:
    """The encoder is trained by no loss: each uses what it made in the step before. What becomes of numbers is not
    known."""
    encoder, decoder = nn.Linear(4, 3), nn.Linear(3, 1)
    kept = [torch.ones(5, 3)]

    def program() -> None:
        optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)
        for _ in range(3):
            stepped(optimizer, lambda: decoder(kept[0]).pow(2).mean(), steps=1)
            kept[0] = cut(encoder(torch.randn(5, 4)))

    found = said(program)
    assert rules(found) == [rule] and set(found[0].parameters) == {"encoder.weight", "encoder.bias"}
