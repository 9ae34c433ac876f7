"""What is seen around the backward calls: optimizers, steps, zero_grad, clipping, a GradScaler."""

from __future__ import annotations

import itertools
import threading
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from needs import RELEASE
from torch import nn
from torch.optim.optimizer import _global_optimizer_pre_hooks

import inspector
from inspector.recording.training.event_log import EventLog
from inspector.recording.training.grad_changes import ZeroedGrads
from inspector.recording.training.grad_provenance import GradProvenance
from inspector.recording.training.leaf_registry import LeafRegistry
from inspector.user_code.paths import UserFiles


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


class Wrapper(torch.optim.Optimizer):
    """Wraps an optimizer, whose groups it shares."""

    def __init__(self, inner: torch.optim.Optimizer) -> None:
        self.inner = inner
        super().__init__(inner.param_groups, {})

    def step(self, closure: Any = None) -> None:
        self.inner.step()


def test_a_step_says_which_gradients_another_optimizer_has_used() -> None:
    model = nn.Linear(3, 1)
    with inspector.record(watch=5) as recording:
        one = torch.optim.SGD(model.parameters(), lr=0.1)
        other = torch.optim.SGD([model.bias], lr=0.1)
        for optimizers in ([one, other], [one], [other], [Wrapper(other)]):
            one.zero_grad()
            model(torch.ones(2, 3)).sum().backward()
            for optimizer in optimizers:
                optimizer.step()
    steps = [event for event in recording.report().events if event["event"] == "step"]
    assert [step.get("again") for step in steps] == [None, ["bias"], None, None, None, None]
    (found,) = [finding for finding in recording.findings if "move twice" in finding.message]
    assert found.parameters == ["bias"] and found.rule == "stale-gradient"


def test_an_optimizer_has_its_schedulers_and_whether_they_stepped() -> None:
    model = nn.Linear(3, 1)
    with inspector.record(watch=2) as recording:
        old, new = (torch.optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
        scheduler = torch.optim.lr_scheduler.StepLR(old, 1)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer=old)
        for _ in range(2):
            step(model, new)
            scheduler.step()
    del plateau
    first, second = recording.report().inventory.optimizers
    assert [(row["class"], row["stepped"]) for row in first["schedulers"]] == [
        ("StepLR", True),
        ("ReduceLROnPlateau", False),
    ]
    assert "schedulers" not in second
    (found,) = [finding for finding in recording.findings if finding.rule == "optimizer-never-steps"]
    assert "scheduler = " in found.location["code"] and set(found.parameters) == {"weight", "bias"}


class Wrapped(torch.optim.Optimizer):
    """Runs another optimizer, as accelerate does: their groups are the same."""

    def __init__(self, inner: torch.optim.Optimizer) -> None:
        self.inner = inner

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.inner.param_groups

    def step(self, closure: Any = None) -> Any:
        return self.inner.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.inner.zero_grad(set_to_none)


def test_the_scheduler_of_an_optimizer_that_runs_another_is_that_of_both() -> None:
    model = nn.Linear(3, 1)
    with inspector.record(watch=2) as recording:
        optimizer = Wrapped(torch.optim.SGD(model.parameters(), lr=0.1))
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
        for _ in range(2):
            step(model, optimizer)
            scheduler.step()
    rows = {row["class"]: row.get("schedulers") for row in recording.report().inventory.optimizers}
    assert optimizer.inner.param_groups[0]["lr"] == 0.025
    assert [row["class"] for row in rows["SGD"]] == ["StepLR"] and rows["SGD"][0]["stepped"]
    assert recording.findings == []


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
    assert recording.calls[0].setting.scale == 8.0
    assert kinds(recording) == [("unscale", 1), ("skipped_step", 1)]


def test_all_is_taken_off_after_the_last_watched_call() -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    names = ("__init__", "zero_grad")
    originals = [vars(torch.optim.Optimizer)[name] for name in names]
    clip = nn.utils.clip_grad_norm_
    with inspector.record(watch=1) as recording:
        assert vars(torch.optim.Optimizer)["zero_grad"] is not originals[1]
        step(model, optimizer)  # the watch goes as far as the step of an optimizer
        model(torch.ones(3)).sum().backward()
        assert [vars(torch.optim.Optimizer)[name] for name in names] == originals
        assert nn.utils.clip_grad_norm_ is clip
        assert not _global_optimizer_pre_hooks
    assert kinds(recording) == [("zero_grad", 0), ("clip", 1), ("step", 1)]
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


class Twice(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


@pytest.mark.parametrize("with_closure", [False, True])
def test_a_step_that_calls_that_of_its_base_class_is_one(with_closure: bool) -> None:
    x = torch.ones(3, requires_grad=True)

    def closure() -> torch.Tensor:
        loss = (x**2).sum()
        loss.backward()
        return loss

    with inspector.record() as recording:
        torch.optim.SGD([x], lr=0.1)  # now torch tells of the steps of both classes
        optimizer = Twice([x], lr=0.1)
        if with_closure:
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()
    assert kinds(recording) == [("step", 1)]


def test_the_content_of_grads_is_known_by_the_calls_that_gave_it() -> None:
    model = nn.Linear(3, 1)
    with inspector.record() as recording:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(torch.ones(2, 3)).sum().backward()
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        model.weight.sum().backward()
        optimizer.step()
    events = recording.report().events
    both = {"backward_calls": [1, 2], "parameters": ["weight", "bias"]}
    assert [event["content"] for event in events] == [[both], [both]]  # the last step was not watched any more


def test_a_step_within_backward_uses_the_call_that_is_under_way() -> None:
    model = nn.Linear(3, 1)
    with inspector.record() as recording:
        optimizers = {parameter: torch.optim.SGD([parameter], lr=0.1) for parameter in model.parameters()}

        def step(parameter: torch.Tensor) -> None:
            optimizers[parameter].step()
            optimizers[parameter].zero_grad()

        for parameter in model.parameters():
            parameter.register_post_accumulate_grad_hook(step)
        for _ in range(2):
            model(torch.ones(2, 3)).sum().backward()
    steps = [event for event in recording.report().events if event["event"] == "step"]
    assert [row["backward_calls"] for event in steps for row in event["content"]] == [[1], [1], [2], [2]]
    assert not recording.findings


@pytest.mark.parametrize("kind", ["generator", "map", "chain", "list", "values", "set", "one"])
def test_what_is_clipped_is_seen_and_clipped_as_without_us(kind: str) -> None:
    def parameters(model: nn.Module) -> Any:
        return {
            "generator": model.parameters(),
            "map": map(torch.Tensor.requires_grad_, model.parameters()),
            "chain": itertools.chain(model.parameters()),
            "list": list(model.parameters()),
            "values": dict(model.named_parameters()).values(),
            "set": set(model.parameters()),
            "one": next(model.parameters()),
        }[kind]

    def clipped() -> tuple[nn.Module, torch.Tensor]:
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        model(torch.ones(2, 3)).sum().backward()
        return model, nn.utils.clip_grad_norm_(parameters(model), max_norm=0.5)

    without, norm_without = clipped()
    with inspector.record(watch=2) as recording:
        model, norm = clipped()
    assert torch.equal(norm, norm_without)
    for one, other in zip(model.parameters(), without.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None and torch.equal(one.grad, other.grad)
    (event,) = recording.report().events
    assert set(event["parameters"]) == ({"model.weight"} if kind == "one" else {"model.weight", "model.bias"})
    assert event["limit"] == 0.5


def test_an_empty_generator_is_warned_of_as_without_us() -> None:
    said = []
    for watched in (nullcontext(), inspector.record()):
        with watched, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            nn.utils.clip_grad_norm_((item for item in ()), 1.0)
        said.append([(str(one.message), one.category) for one in caught])
    assert said[0] == said[1]
    assert RELEASE < (2, 10) or said[0]


def test_sparse_grads_are_no_hindrance() -> None:
    model = nn.Embedding(10, 3, sparse=True)
    with inspector.record() as recording:
        optimizer = torch.optim.SparseAdam(model.parameters())
        for _ in range(2):
            optimizer.zero_grad()
            model(torch.tensor([1, 2])).sum().backward()
            optimizer.step()
    assert recording.failure is None
    steps = [event for event in recording.report().events if event["event"] == "step"]
    assert [event["empty"] for event in steps] == [False, False]


@pytest.mark.filterwarnings("error")
def test_a_parameter_that_is_no_leaf_any_more_is_not_asked_for_its_grad() -> None:
    x = torch.ones(3, requires_grad=True)
    with inspector.record() as recording:
        optimizer = torch.optim.SGD([x], lr=0.1)
        x.sum().backward()
        optimizer.step()
        x.requires_grad_(False)
        x += torch.ones(3, requires_grad=True)
        x.sum().backward()
    assert recording.failure is None


def test_a_zero_grad_of_another_thread_is_no_part_of_that_of_this_one(tmp_path: Path) -> None:
    files, leaves = UserFiles(str(tmp_path)), LeafRegistry()
    log = EventLog(files, GradProvenance(leaves, files), lambda: 0)
    zeroed = ZeroedGrads(log)
    one, other = (torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1) for _ in range(2))

    def there() -> None:
        zeroed.before((other,), {})
        zeroed.after((other,), None)

    zeroed.before((one,), {})
    thread = threading.Thread(target=there)
    thread.start()
    thread.join()
    zeroed.after((one,), None)
    held = [[id(leaves.tensor(number)) for number in event.facts["parameters"]] for event in log.events]
    assert held == [[id(optimizer.param_groups[0]["params"][0])] for optimizer in (other, one)]
