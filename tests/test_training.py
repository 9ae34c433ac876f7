"""What is seen around the backward calls: optimizers, steps, zero_grad, clipping, a GradScaler."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.optimizer import _global_optimizer_pre_hooks

import inspector


def kinds(recording: Any) -> list[tuple[str, int]]:
    return [(event["event"], event["after_call"]) for event in recording.report().events]


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(2, 3)).sum().backward()
    nn.utils.clip_grad_norm_(list(model.parameters()), 1.0)
    optimizer.step()


def test_the_events_of_a_step_are_seen_in_their_order() -> None:
    model = nn.Linear(3, 1)
    with inspector.record() as recording:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        step(model, optimizer)
    assert kinds(recording) == [("zero_grad", 0), ("clip", 1), ("step", 1)]
    (row,) = recording.report().inventory.optimizers
    assert row["class"] == "SGD" and row["name"] == "optimizer"
    assert row["source"]["code"] == "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)"
    (group,) = row["groups"]
    assert group["parameters"] == ["weight", "bias"]
    assert group["options"]["lr"] == 0.1
    clip = recording.report().events[1]
    assert clip["parameters"] == ["weight", "bias"]


def test_an_optimizer_made_before_is_found_by_its_first_step() -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.Adam(model.parameters())
    with inspector.record() as recording:
        step(model, optimizer)
    assert [row["class"] for row in recording.report().inventory.optimizers] == ["Adam"]


def test_a_step_says_which_parameters_had_no_gradient() -> None:
    model = nn.Linear(3, 1)
    with inspector.record() as recording:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(torch.ones(2, 3)).sum().backward()
        optimizer.zero_grad()
        optimizer.step()
    (event,) = [event for event in recording.report().events if event["event"] == "step"]
    assert event["without_gradient"] == ["weight", "bias"]


def test_a_step_with_a_closure_follows_its_backward_calls() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    with inspector.record(watch=2) as recording:
        optimizer = torch.optim.LBFGS([x], max_iter=1)

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss = x**2
            loss.backward()
            return loss

        optimizer.step(closure)
    assert kinds(recording) == [("zero_grad", 0), ("step", 1)]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_scale_of_a_grad_scaler_and_a_step_that_it_skips() -> None:
    x = torch.tensor([1.0, 1.0], requires_grad=True)
    with inspector.record() as recording:
        optimizer = torch.optim.SGD([x], lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        scaler.scale((x * torch.inf).sum()).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
    assert recording.calls[0].scale == 8.0
    assert kinds(recording) == [("unscale", 1), ("skipped_step", 1)]


def test_all_is_taken_off_after_the_last_watched_call() -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    names = ("__init__", "zero_grad")
    originals = [vars(torch.optim.Optimizer)[name] for name in names]
    clip = nn.utils.clip_grad_norm_
    with inspector.record(watch=1) as recording:
        assert vars(torch.optim.Optimizer)["zero_grad"] is not originals[1]
        step(model, optimizer)
        assert [vars(torch.optim.Optimizer)[name] for name in names] == originals
        assert nn.utils.clip_grad_norm_ is clip
    assert kinds(recording) == [("zero_grad", 0)]
    assert not _global_optimizer_pre_hooks


@pytest.mark.parametrize("mode", ["full", "light"])
def test_a_hook_on_a_leaf_is_seen_once_and_works_once(mode: Any) -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    calls = []
    with inspector.record(mode=mode) as recording:
        y = x * 2
        x.register_hook(lambda gradient: calls.append(gradient))
        y.register_hook(lambda gradient: None)  # of no leaf
        y.sum().backward()
    assert len(calls) == 1
    (event,) = recording.report().events
    assert (event["event"], event["parameters"]) == ("hook", ["x"])
    assert event["source"]["code"] == "x.register_hook(lambda gradient: calls.append(gradient))"


def test_an_error_of_the_constructor_is_the_users_own() -> None:
    with inspector.record() as recording, pytest.raises(ValueError, match="non-leaf"):
        torch.optim.SGD([torch.ones(1, requires_grad=True) * 2], lr=0.1)
    assert recording.failure is None
