"""The rules over steps: what optimizers use, hold and leave out, and graphs that outlive their call."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import inspector
from inspector.report import Finding

RULES = (
    "stale-gradient",
    "step-without-gradient",
    "moving-frozen-parameter",
    "clip-order",
    "scaled-step",
    "rebuilt-optimizer",
    "growing-graph",
    "optimizer-without-gradient",
    "replaced-parameter",
    "unregistered-module",
    "not-in-optimizer",
    "unreachable-parameter",
    "freed-graph",
)
X = torch.linspace(-1.0, 1.0, 8).reshape(4, 2)


def said(program: Callable[[], None], watch: int = 3) -> list[Finding]:
    """What these rules say of a program, notes left out."""
    with inspector.record(watch=watch) as recording:
        program()
    assert recording.failure is None
    report = recording.report()
    assert not [check for check in report.checked if "internal error" in (check.reason or "")]
    return [found for found in report.findings if found.rule in RULES and found.severity != "note"]


def only(program: Callable[[], None], rule: str, code: str, *parameters: str) -> Finding:
    """The one finding of a program, which is of this rule, at this line, and harms these."""
    (found,) = said(program)
    assert found.rule == rule
    assert code in found.location["code"]
    assert found.parameters == list(parameters)
    return found


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))


ALL = ("0.weight", "0.bias", "2.weight", "2.bias")


# stale-gradient


def test_a_step_without_zero_grad_uses_the_last_gradients_again() -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            model(X).sum().backward()
            optimizer.step()

    found = only(program, "stale-gradient", "optimizer.step()", *ALL)
    assert found.evidence == {"step_after": 2, "used_again": [1]}


def test_one_of_two_optimizers_is_never_zeroed() -> None:
    def program() -> None:
        first, second = nn.Linear(2, 2), nn.Linear(2, 1)
        one = torch.optim.SGD(first.parameters(), lr=0.1)
        other = torch.optim.Adam(second.parameters())
        for _ in range(3):
            one.zero_grad()
            second(first(X)).sum().backward()
            one.step()
            other.step()

    only(program, "stale-gradient", "other.step()", "second.weight", "second.bias")


@pytest.mark.parametrize("way", ["optimizer", "module", "zeros", "none by hand", "zero by hand"])
def test_grads_that_are_emptied_in_any_way_are_not_stale(way: str) -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            if way == "optimizer":
                optimizer.zero_grad()
            elif way == "module":
                model.zero_grad()
            elif way == "zeros":
                optimizer.zero_grad(set_to_none=False)
            for parameter in model.parameters() if "hand" in way else ():
                if way == "none by hand":
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter.grad.zero_()
            model(X).sum().backward()
            optimizer.step()

    assert not said(program)


def test_gradients_that_add_up_before_one_step_are_not_stale() -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            for part in X.chunk(2):
                model(part).sum().backward()
            optimizer.step()
            optimizer.zero_grad()

    assert not said(program)


def test_the_other_player_of_a_gan_is_filled_and_zeroed_in_its_turn() -> None:
    def program() -> None:
        generator, discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
        for_generator = torch.optim.Adam(generator.parameters())
        for_discriminator = torch.optim.Adam(discriminator.parameters())
        for _ in range(2):
            for_discriminator.zero_grad()
            (discriminator(generator(X).detach()) - discriminator(X)).mean().backward()
            for_discriminator.step()
            for_generator.zero_grad()
            (-discriminator(generator(X)).mean()).backward()
            for_generator.step()

    with inspector.record(watch=4) as recording:
        program()
    assert not [found for found in recording.findings if found.rule in RULES]


def test_a_closure_that_zeroes_is_right() -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=1)

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss: torch.Tensor = model(X).square().sum()
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)

    assert not said(program)


# step-without-gradient


def test_zero_grad_between_backward_and_step() -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            model(X).sum().backward()
            optimizer.zero_grad()
            optimizer.step()

    only(program, "step-without-gradient", "optimizer.zero_grad()", *ALL)


def test_grads_set_to_none_by_hand_before_the_step() -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(X).sum().backward()
        for parameter in model.parameters():
            parameter.grad = None
        optimizer.step()

    only(program, "step-without-gradient", "optimizer.step()", *ALL)


def test_a_step_before_any_backward_and_one_with_grads_of_ones_own_are_right() -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        optimizer.step()
        model(X).sum().backward()
        optimizer.zero_grad()
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()

    assert not said(program)


def test_a_gradient_that_is_zero_was_not_thrown_away() -> None:
    def program() -> None:
        w = torch.ones(3, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        (w * 0.0).sum().backward()
        optimizer.step()

    assert not said(program)


# moving-frozen-parameter


def test_a_frozen_parameter_with_an_old_grad_moves() -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(X).sum().backward()
        optimizer.step()
        model[0].requires_grad_(False)
        model[2].zero_grad()
        model(X).sum().backward()
        optimizer.step()

    only(program, "moving-frozen-parameter", "optimizer.step()", "0.weight", "0.bias")


def test_a_frozen_parameter_without_a_grad_stays() -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.AdamW(model.parameters())
        for frozen in (False, True):
            model[0].requires_grad_(not frozen)
            optimizer.zero_grad()
            model(X).sum().backward()
            optimizer.step()

    assert not said(program)


# clip-order


def clipped(order: str, limit: float = 1.0) -> Callable[[], None]:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            for turn in order:
                if turn == "b":
                    model(X).sum().backward()
                elif turn == "c":
                    nn.utils.clip_grad_norm_(model.parameters(), limit)
                elif turn == "s":
                    optimizer.step()

    return program


@pytest.mark.parametrize("order", ["cbs", "bsc"])
def test_clipping_before_backward_or_after_the_step(order: str) -> None:
    only(clipped(order), "clip-order", "clip_grad_norm_", *ALL)


@pytest.mark.parametrize("order", ["bcs", "bccs", "bbcs"])
def test_clipping_before_the_step(order: str) -> None:
    assert not said(clipped(order), watch=4)


def test_a_limit_of_infinity_measures() -> None:
    assert not said(clipped("bsc", torch.inf))


@pytest.mark.parametrize("unscales", [False, True])
def test_clipping_with_a_grad_scaler(unscales: bool) -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        scaler.scale(model(X).sum()).backward()
        if unscales:
            scaler.unscale_(optimizer)
        nn.utils.clip_grad_value_(list(model.parameters()), 1.0)
        scaler.step(optimizer)
        scaler.update()

    if unscales:
        assert not said(program)
    else:
        only(program, "clip-order", "clip_grad_value_", *ALL)


# growing-graph


def test_a_running_sum_keeps_the_graphs() -> None:
    def program() -> None:
        model = net()
        total = torch.tensor(0.0)
        for _ in range(3):
            loss = model(X).sum()
            loss.backward()
            total = total + loss

    only(program, "growing-graph", "total = total + loss", "total")


def test_a_list_of_losses_keeps_the_graphs() -> None:
    def program() -> None:
        model = net()
        losses = []
        for _ in range(3):
            loss = model(X).sum()
            loss.backward()
            losses.append(loss)

    only(program, "growing-graph", "loss = model(X).sum()", "losses[0]", "losses[1]")


def test_a_state_that_is_carried_over_an_update() -> None:
    def program() -> None:
        w = torch.ones(3, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        state = torch.zeros(3)
        for _ in range(2):
            optimizer.zero_grad()
            state = state + w
            state.sum().backward(retain_graph=True)
            optimizer.step()

    only(program, "growing-graph", "state = state + w", "state")


def test_numbers_and_detached_tensors_keep_nothing() -> None:
    def program() -> None:
        model = net()
        total, last, losses = 0.0, None, []
        for _ in range(3):
            loss = model(X).sum()
            loss.backward()
            total += loss.item()
            losses.append(loss.detach())
            last = loss
        assert last is not None

    assert not said(program)


def test_a_loss_for_each_step_of_a_sequence_and_an_update_at_its_end() -> None:
    def program() -> None:
        cell = nn.RNNCell(2, 3)
        optimizer = torch.optim.SGD(cell.parameters(), lr=0.1)
        optimizer.zero_grad()
        hidden = torch.zeros(4, 3)
        for _ in range(3):
            hidden = cell(X, hidden)
            hidden.sum().backward(retain_graph=True)
        optimizer.step()

    assert not said(program)


def test_an_inner_loop_that_is_differentiated() -> None:
    def program() -> None:
        w = torch.ones(3, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        fast = w
        for _ in range(2):
            (gradient,) = torch.autograd.grad((fast**2).sum(), fast, create_graph=True)
            fast = fast - 0.1 * gradient
        optimizer.zero_grad()
        (fast**2).sum().backward()
        optimizer.step()

    assert not said(program)


# optimizer-without-gradient, unreachable-parameter


def test_an_optimizer_of_another_copy_of_the_model() -> None:
    def program() -> None:
        first = net()
        model = deepcopy(first)
        optimizer = torch.optim.SGD(first.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            model(X).sum().backward()
            optimizer.step()

    only(
        program,
        "optimizer-without-gradient",
        "optimizer = torch.optim.SGD(first.parameters(), lr=0.1)",
        *(f"first.{name}" for name in ALL),
    )


@pytest.mark.parametrize("way", ["grad", "parameter", "grad and assigned"])
def test_a_model_in_use_without_a_gradient(way: str) -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            loss = model(X).square().sum()
            if way == "parameter":
                nn.Parameter(model(X)[0]).square().sum().backward()
            else:
                gradients = torch.autograd.grad(loss, list(model.parameters()))
                for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                    parameter.grad = gradient if way == "grad and assigned" else None
            optimizer.step()

    found = [finding for finding in said(program) if finding.rule == "optimizer-without-gradient"]
    if way == "grad":
        assert ": torch.autograd.grad (line " in found[0].message and "backward() instead" in found[0].advice
    else:  # a tensor that is wrapped in a parameter is `detached`
        assert not found


CUTS = {
    "q(X).argmax(1)": lambda q: q(X).argmax(1).float(),
    "q(X).detach()": lambda q: q(X).detach()[:, 0],
    "round": lambda q: q(X)[:, 0].round(),
}


@pytest.mark.parametrize("code", CUTS)
def test_the_only_way_of_a_model_to_the_loss_carries_no_gradient(code: str) -> None:
    """Another model gets the gradients; which of the two is wrong, the cut or the optimizer, is not known."""

    def program() -> None:
        q, target = net(), net()
        optimizer = torch.optim.SGD(q.parameters(), lr=0.1)
        for _ in range(2):
            chosen = CUTS[code](q)
            (chosen - target(X).amax(1)).square().mean().backward()
            optimizer.step()

    found = [finding for finding in said(program) if finding.rule == "optimizer-without-gradient"]
    if code == "round":  # its gradient is zero, but it is there
        assert not found
    else:
        assert f": the loss uses what they compute only by {code} (line " in found[0].message
        assert "or create the optimizer with the parameters of the model you train" in found[0].advice


def test_optimizers_that_take_turns() -> None:
    def program() -> None:
        model = net()
        first = torch.optim.SGD(model[0].parameters(), lr=0.1)
        second = torch.optim.SGD(model[2].parameters(), lr=0.1)
        for turn in range(3):
            model.zero_grad()
            model(X).sum().backward()
            (first, second)[turn % 2].step()

    assert not said(program)


class Forgets(nn.Module):
    """Its forward leaves out one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(2, 2)
        self.forgotten = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.forgotten(x)
        y: torch.Tensor = self.used(x)
        return y


@pytest.mark.parametrize("steps", [False, True])
def test_a_layer_that_leads_nowhere(steps: bool) -> None:
    def program() -> None:
        model = Forgets()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1) if steps else None
        model(X).sum().backward()
        if optimizer is not None:
            optimizer.step()

    (found,) = said(program)
    assert found.rule == "unreachable-parameter"
    assert found.parameters == ["forgotten.weight", "forgotten.bias"]


def test_heads_that_take_turns() -> None:
    def program() -> None:
        trunk, heads = nn.Linear(2, 2), nn.ModuleList(nn.Linear(2, 1) for _ in range(4))
        optimizer = torch.optim.SGD([*trunk.parameters(), *heads.parameters()], lr=0.1)
        for turn in range(3):
            optimizer.zero_grad()
            heads[turn](trunk(X)).sum().backward()
            optimizer.step()

    assert not said(program)


class Experts(nn.Module):
    """Three side by side, of which `used` run; or in a chain."""

    def __init__(self, used: tuple[int, ...], chained: bool) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
        self.used, self.chained = used, chained

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for index in self.used:
            y = self.experts[index](y) if self.chained else y + self.experts[index](x)
        return y


@pytest.mark.parametrize("used", [(1,), (0, 2)])
@pytest.mark.parametrize("chained", [False, True])
def test_an_expert_that_no_sample_was_sent_to_is_no_forgotten_layer(used: tuple[int, ...], chained: bool) -> None:
    def program() -> None:
        model = nn.Sequential(nn.Linear(2, 2), Experts(used, chained))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(X).sum().backward()
        optimizer.step()

    if chained and len(used) > 1:
        only(program, "unreachable-parameter", "nn.Linear(2, 2) for _", "1.experts.1.weight", "1.experts.1.bias")
    else:
        assert not said(program)


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 1)

    def forward(self, x: torch.Tensor, from_input: bool) -> torch.Tensor:
        h = checkpoint(self.first, x, use_reentrant=True) if from_input else self.first(x)
        h = h + self.head.weight
        y: torch.Tensor = self.head(checkpoint(self.second, h, use_reentrant=True))
        return y


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("from_input", [False, True])
def test_a_reentrant_checkpoint_gives_gradients_unless_its_input_needs_none(from_input: bool) -> None:
    def program() -> None:
        model = Checkpointed()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            model(X, from_input).sum().backward()
            optimizer.step()

    if from_input:
        only(program, "unreachable-parameter", "checkpoint(self.first, x", "first.weight", "first.bias")
    else:
        assert not said(program)


def test_what_a_reentrant_checkpoint_gives_can_be_stale() -> None:
    def program() -> None:
        model = Checkpointed()
        optimizer = torch.optim.SGD(model.second.parameters(), lr=0.1)
        for _ in range(2):
            model(X, False).sum().backward()
            optimizer.step()

    with inspector.record() as recording:
        program()
    (found,) = [found for found in recording.findings if found.rule == "stale-gradient"]
    assert found.parameters == ["second.weight", "second.bias"]


# replaced-parameter, unregistered-module, not-in-optimizer


def test_a_layer_that_was_replaced_after_the_optimizer_was_made() -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model[2] = nn.Linear(3, 2)
        for _ in range(2):
            optimizer.zero_grad()
            model(X).sum().backward()
            optimizer.step()

    found = only(program, "replaced-parameter", "model[2] = nn.Linear(3, 2)", "2.weight", "2.bias")
    assert found.evidence["optimizer_made"] == found.location["line"] - 1


def test_an_optimizer_made_after_the_last_change_holds_what_is_there() -> None:
    def program() -> None:
        model = net()
        first = torch.optim.SGD(model.parameters(), lr=0.1)
        model[2] = nn.Linear(3, 2)
        del first
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.to(torch.float64)
        optimizer.zero_grad()
        model(X.double()).sum().backward()
        optimizer.step()

    assert not said(program)


class Branches(nn.Module):
    """Some of its modules are in a plain list, in which it is registered too if `also`."""

    def __init__(self, kind: type[Any]) -> None:
        super().__init__()
        self.branches = kind([nn.Linear(2, 2), nn.Linear(2, 2)])
        self.head = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.head(sum(branch(x) for branch in self.branches))
        return y


@pytest.mark.parametrize("kind", [list, tuple])
def test_modules_in_a_plain_container(kind: type[Any]) -> None:
    def program() -> None:
        model = Branches(kind)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(X).sum().backward()
        optimizer.step()

    names = [f"branches[{index}].{name}" for index in range(2) for name in ("weight", "bias")]
    only(program, "unregistered-module", "self.branches = kind([nn.Linear(2, 2), nn.Linear(2, 2)])", *names)


def test_modules_in_a_list_that_the_optimizer_was_given() -> None:
    def program() -> None:
        model = Branches(list)
        branches = [parameter for branch in model.branches for parameter in branch.parameters()]
        optimizer = torch.optim.SGD([*model.parameters(), *branches], lr=0.1)
        model(X).sum().backward()
        optimizer.step()

    assert not said(program)


def test_modules_in_a_module_list_are_registered() -> None:
    def program() -> None:
        model = Branches(nn.ModuleList)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(X).sum().backward()
        optimizer.step()

    assert not said(program)


def test_a_part_of_the_model_that_no_optimizer_was_given() -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model[2].parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            model(X).sum().backward()
            optimizer.step()

    only(program, "not-in-optimizer", "optimizer = torch.optim.SGD", "0.weight", "0.bias")


def test_several_optimizers_share_a_model() -> None:
    def program() -> None:
        model = net()
        optimizers = [torch.optim.SGD(model[index].parameters(), lr=0.1) for index in (0, 2)]
        model(X).sum().backward()
        for optimizer in optimizers:
            optimizer.step()

    assert not said(program)


def test_what_is_frozen_or_moved_by_hand_or_from_a_hook_needs_no_optimizer() -> None:
    def program() -> None:
        model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 1), nn.Linear(1, 1))
        model[0].requires_grad_(False)
        for parameter in model[1].parameters():
            parameter.register_post_accumulate_grad_hook(lambda p: setattr(p, "grad", None))
        optimizer = torch.optim.SGD(model[3].parameters(), lr=0.1)
        for _ in range(2):
            model.zero_grad()
            model(X).sum().backward()
            optimizer.step()
            with torch.no_grad():
                for parameter in model[2].parameters():
                    parameter -= 0.1 * parameter.grad

    assert not said(program)


# freed-graph


def test_a_state_whose_graph_was_released() -> None:
    def program() -> None:
        cell = nn.RNNCell(2, 3)
        hidden = torch.zeros(4, 3)
        for _ in range(2):
            hidden = cell(X, hidden)
            hidden.sum().backward()

    with inspector.record() as recording, pytest.raises(RuntimeError, match="second time"):
        program()
    (found,) = [found for found in recording.findings if found.rule in RULES]
    assert found.rule == "freed-graph"
    assert found.location["code"] == "hidden.sum().backward()"
    assert found.evidence == {"released_by": 1}
    assert found.backward_call == 2


def test_a_graph_that_is_kept_is_not_freed() -> None:
    def program() -> None:
        loss = net()(X).sum()
        loss.backward(retain_graph=True)
        loss.backward()

    assert not said(program)


# Nothing is kept


def test_nothing_of_the_script_is_kept_alive() -> None:
    held = []

    def program() -> None:
        model = net()
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(X).sum()
            loss.backward()
            optimizer.step()
        held.extend([weakref.ref(model), weakref.ref(optimizer), weakref.ref(loss), weakref.ref(model[0].weight)])

    with inspector.record() as recording:
        program()
        gc.collect()
        assert [reference() for reference in held] == [None] * 4
    assert [len(leaf["calls"]) for leaf in recording.report().inventory.leaves] == [3] * 4


# scaled-step, and a clip of nothing


def test_a_step_without_the_scaler_uses_scaled_gradients() -> None:
    def program() -> None:
        model, scaler = net(), torch.amp.GradScaler("cpu", init_scale=8.0)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            scaler.scale(model(X).sum()).backward()
            optimizer.step()

    found = only(program, "scaled-step", "optimizer.step()", *ALL)
    assert found.evidence == {"scale": 8.0}


@pytest.mark.parametrize(
    "way", ["scaler", "fused", "unscale_", "by hand", "in place", "disabled", "unscaled loss"]
)
def test_gradients_that_are_divided_by_the_scale_in_any_way(way: str) -> None:
    def program() -> None:
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, enabled=way != "disabled")
        scaler.scale(net()(X).sum()).backward()
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=way == "fused")
        for _ in range(2):
            optimizer.zero_grad()
            loss = model(X).sum()
            (loss if way == "unscaled loss" else scaler.scale(loss)).backward()
            if way in ("scaler", "fused"):
                scaler.step(optimizer)
                scaler.update()
                continue
            if way == "unscale_":
                scaler.unscale_(optimizer)
            for parameter in model.parameters():
                if way == "by hand":
                    parameter.grad = parameter.grad / 8.0
                elif way == "in place":
                    parameter.grad /= 8.0
            optimizer.step()
            if way == "unscale_":
                scaler.update()

    assert not said(program)


def test_the_other_optimizer_steps_with_its_scale() -> None:
    def program() -> None:
        first, second, scaler = nn.Linear(2, 2), nn.Linear(2, 1), torch.amp.GradScaler("cpu", init_scale=8.0)
        one, other = (torch.optim.SGD(model.parameters(), lr=0.1) for model in (first, second))
        for _ in range(2):
            one.zero_grad()
            other.zero_grad()
            scaler.scale(second(first(X)).sum()).backward()
            scaler.step(one)
            other.step()
            scaler.update()

    only(program, "scaled-step", "other.step()", "second.weight", "second.bias")


@pytest.mark.filterwarnings("ignore:`parameters` is an empty generator")
@pytest.mark.parametrize("kept", ["iterator", "generator", "list", "anew", "empty list", "module list"])
def test_a_clip_of_an_iterator_that_is_used_up(kept: str) -> None:
    def program() -> None:
        model = net()
        parameters: Any = filter(lambda p: p.requires_grad, model.parameters())
        if kept == "generator":
            parameters = model.parameters()
        elif kept not in ("iterator", "generator"):
            parameters = list(parameters)
        optimizer = torch.optim.SGD(parameters, lr=0.1)
        given = {"empty list": [], "module list": nn.ParameterList(parameters)}.get(kept, parameters)
        for _ in range(2):
            optimizer.zero_grad()
            model(X).sum().backward()
            nn.utils.clip_grad_norm_(model.parameters() if kept == "anew" else given, 1.0)
            optimizer.step()

    if kept in ("iterator", "generator"):
        found = only(program, "clip-order", "clip_grad_norm_", *sorted(ALL))
        assert "the iterator gave no parameter" in found.message
    else:
        assert not said(program)


@pytest.mark.parametrize("given", ["other", "copy", "both", "part", "gone"])
def test_a_clip_of_the_parameters_of_another_model(given: str) -> None:
    def program() -> None:
        model, other = net(), nn.Linear(2, 1)
        average = deepcopy(model)
        optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (model, other)]
        clips = {
            "other": [other.parameters()],
            "copy": [average.parameters()],
            "gone": [deepcopy(model).parameters()],
            "both": [[*other.parameters(), *model.parameters()]],
            "part": [other.parameters(), model[0].parameters()],
        }[given]
        optimizers[0].zero_grad()
        model(X).sum().backward()
        for parameters in clips:
            nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizers[0].step()
        other(torch.ones(3, 2)).sum().backward()
        nn.utils.clip_grad_norm_(other.parameters(), 1.0)
        optimizers[1].step()

    if given in ("other", "copy"):
        found = only(program, "clip-order", "clip_grad_norm_", *sorted(f"model.{name}" for name in ALL))
        assert "got no gradient from backward call 1" in found.message
    else:
        assert not said(program)


# rebuilt-optimizer


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=0.01)


def momentum(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


MAKE = {"Adam": adam, "momentum": momentum}


@pytest.mark.parametrize("make", MAKE)
def test_an_optimizer_with_a_memory_for_every_step(make: str) -> None:
    def program() -> None:
        model, made_by = net(), MAKE[make]
        for _ in range(3):
            optimizer = made_by(model)
            model(X).sum().backward()
            optimizer.step()
            optimizer.zero_grad()

    found = only(program, "rebuilt-optimizer", "torch.optim.", *ALL)
    assert found.evidence == {"optimizers": 3}


@pytest.mark.parametrize(
    "way", ["once", "plain", "set back", "copies", "two steps each", "accumulated", "closure"]
)
def test_optimizers_that_are_made_for_a_reason(way: str) -> None:
    def program() -> None:
        model = net()
        start = deepcopy(model.state_dict())
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(4):
            if way == "set back":
                model.load_state_dict(start)
            elif way == "copies":
                model = deepcopy(model)
            if way == "plain":
                optimizer = torch.optim.SGD(model.parameters(), lr=0.01)  # type: ignore[assignment]
            elif way == "closure":
                optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)  # type: ignore[assignment]
            elif way != "once":
                optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
            for _ in range({"two steps each": 2, "accumulated": 2, "closure": 0}.get(way, 1)):
                model(X).square().mean().backward()
                if way == "two steps each":
                    optimizer.step()
                    optimizer.zero_grad()

            if way == "closure":
                optimizer.step(lambda net=model: (net(X).square().mean() + 1).backward() or 0.0)
            elif way != "two steps each":
                optimizer.step()
            optimizer.zero_grad()

    assert not [found for found in said(program, watch=12) if found.rule == "rebuilt-optimizer"]


# Nodes that other threads create


def in_a_thread(function: Callable[[], torch.Tensor]) -> torch.Tensor:
    """What a function returns in a new thread, whose sequence numbers begin at 0."""
    found: list[torch.Tensor] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("count", [1, 3])
def test_forwards_of_new_threads_have_no_nodes_in_common(count: int) -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            losses = [in_a_thread(lambda: model(X).square().mean()) for _ in range(count)]
            optimizer.zero_grad()
            torch.stack(losses).sum().backward()
            optimizer.step()

    assert said(program) == []


def test_backwards_of_new_threads_have_no_nodes_in_common() -> None:
    def program() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def backward(loss: torch.Tensor) -> torch.Tensor:
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        for step in range(4):
            loss = in_a_thread(lambda: model(X).square().mean()) if step % 2 else model(X).square().mean()
            optimizer.zero_grad()
            in_a_thread(lambda loss=loss: backward(loss))  # type: ignore[misc]
            optimizer.step()

    assert said(program, watch=9) == []  # the watch ends here, in the thread that steps


@pytest.mark.parametrize("backward_too", [False, True])
def test_what_a_thread_carries_over_is_in_the_next_graph(backward_too: bool) -> None:
    def program() -> None:
        w = nn.Parameter(torch.ones(()))
        optimizer = torch.optim.SGD([w], lr=0.1)
        total = torch.zeros(())

        def added(total: torch.Tensor) -> torch.Tensor:
            total = total + w * 2.0
            if backward_too:
                total.backward(retain_graph=True)  # type: ignore[no-untyped-call]
            return total

        for _ in range(3):
            optimizer.zero_grad()
            total = in_a_thread(lambda total=total: added(total))  # type: ignore[misc]
            if not backward_too:
                total.backward(retain_graph=True)  # type: ignore[no-untyped-call]
            optimizer.step()

    (found,) = [finding for finding in said(program, watch=9) if finding.rule == "growing-graph"]
    assert found.evidence["contained"] == 2, "without AccumulateGrad"
