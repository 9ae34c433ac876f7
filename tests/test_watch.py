"""`inspector.watch`: the flight recorder for a block of code, for trainers, for several models and threads."""

from __future__ import annotations

import gc
import math
import re
import sys
import threading
import types
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import optimizer as torch_optimizer

import inspector
from inspector.api.watch import FlightRecording

USE = Path(__file__).parent.parent / "docs" / "use.md"
STEPS = 30


def made(seed: int = 0, **options: Any) -> tuple[nn.Sequential, torch.optim.SGD]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    return model, torch.optim.SGD(model.parameters(), lr=0.02, **options)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, factor: float = 1.0) -> list[float]:
    """One step. factor: of 0 makes the gradients NaN. Returns the loss and the norms of the grads."""
    x = torch.linspace(-1, 1, 24).reshape(4, 6)
    gap = (model(x) - x.sum(1, keepdim=True)) * factor
    loss = gap.pow(2).sum(1).sqrt().mean()
    optimizer.zero_grad()
    loss.backward()
    norms = [float(p.grad.norm()) for p in model.parameters() if p.grad is not None]
    optimizer.step()
    return [loss.item(), *norms]


def hooks() -> list[Any]:
    return [
        *torch_optimizer._global_optimizer_pre_hooks.values(),
        *torch_optimizer._global_optimizer_post_hooks.values(),
    ]


def test_the_columns_are_the_numbers_of_torch() -> None:
    model, optimizer = made()
    with inspector.watch(model, optimizer, budget=1) as flight:
        truth = [step(model, optimizer) for _ in range(STEPS)]
        assert flight.steps == STEPS
    columns = flight.columns()
    assert list(columns) == [
        "step",
        "loss",
        "learning rate",
        *(f"{kind}/{name}" for kind in ("gradient", "update") for name, _ in model.named_parameters()),
        *(f"{kind}/{name}" for kind in ("module", "output") for name in reversed(dict(model.named_children()))),
    ]
    assert columns["step"].tolist() == list(range(1, STEPS + 1))
    names = ["loss", *(name for name in columns if name.startswith("gradient/"))]
    for name, expected in zip(names, np.array(truth).T, strict=True):
        assert columns[name] == pytest.approx(expected, rel=1e-5), name
    assert columns["learning rate"].tolist()[3:] == [0.02] * (STEPS - 3)


def test_the_block_changes_nothing_and_leaves_nothing() -> None:
    model, optimizer = made()
    for _ in range(STEPS):
        step(model, optimizer)
    other, its = made()
    with inspector.watch(other, its):
        for _ in range(STEPS):
            step(other, its)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
        assert one.grad is not None and two.grad is not None and torch.equal(one.grad, two.grad)
    assert not hooks()
    assert "inspector" not in torch.autograd.graph._engine_run_backward.__code__.co_filename
    alive = [weakref.ref(item) for item in (other, its, other[0].weight)]
    del other, its, one, two
    gc.collect()
    assert [reference() for reference in alive] == [None] * 3


def test_a_late_nan_is_found_with_its_line() -> None:
    model, optimizer = made()
    with inspector.watch(model, optimizer, budget=1) as flight:
        for number in range(1, STEPS + 1):
            step(model, optimizer, 0.0 if number == 20 else 1.0)
    (finding,) = [found for found in flight.findings if found.severity == "error"]
    assert finding.rule == "non-finite-gradient" and finding.message.startswith("at step 20, Sqrt")
    assert set(finding.parameters) == {name for name, _ in model.named_parameters()}
    text = str(flight)
    assert "!" in text and "the last loss was NaN" in " ".join(text.split())
    assert text.count("\n") < 40 and "\x1b" not in text


def test_the_picture_the_text_and_the_report(tmp_path: Path) -> None:
    model, optimizer = made()
    with inspector.watch(model, optimizer, budget=1) as flight:
        for _ in range(STEPS):
            step(model, optimizer)
    shown = flight._repr_mimebundle_()
    assert shown["text/plain"] == str(flight)
    assert shown["image/svg+xml"] == flight.picture().svg()
    assert f"{STEPS} steps of" in flight.picture(text="plain").svg()
    flight.picture(theme="dark").save(tmp_path / "flight.png")
    assert (tmp_path / "flight.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"a timeline cannot be written as '.dot'; choose from: .svg, .pdf, .png"):
        flight.picture().save(tmp_path / "flight.dot")
    flight.save(tmp_path / "flight.json")
    assert inspector.load(tmp_path / "flight.json").timeline == flight.report().timeline


def test_a_short_block_has_no_timeline() -> None:
    model, optimizer = made()
    with inspector.watch(model, optimizer) as flight:
        step(model, optimizer)
    assert flight.columns() == {} and flight.steps == 0
    assert str(flight).startswith("1 backward call recorded in full; no step after")
    with pytest.raises(ValueError, match="no timeline"):
        flight.picture()
    assert list(flight._repr_mimebundle_()) == ["text/html", "image/svg+xml", "text/plain"]


def test_several_at_once_see_their_own_steps() -> None:
    (one, its), (other, others) = made(1), made(2)
    with inspector.watch(one, its, budget=1) as first, inspector.watch(other, budget=1) as second:
        for number in range(1, STEPS + 1):
            expected = step(one, its)
            step(other, others, 0.0 if number >= 20 else 1.0)
    assert (first.steps, second.steps) == (STEPS, STEPS)
    assert first.columns()["loss"][-1] == pytest.approx(expected[0], rel=1e-5)
    assert first.findings == []
    triggers = [] if second.report().timeline is None else second.report().timeline["triggers"]
    assert [(found["kind"], found["step"]) for found in triggers] == [("gradient_not_finite", 20)]
    assert not hooks()


def test_the_picture_says_whose_loss_it_is() -> None:
    (generator, for_generator), (critic, for_critic) = made(1), made(2)
    with inspector.watch([generator, critic], [for_generator, for_critic], budget=1) as flight:
        for _ in range(10):
            step(critic, for_critic)
            step(generator, for_generator)
    names = [name.partition("/")[2] for name in flight.columns() if name.startswith("loss/")]
    assert len(names) == 2 and len(set(names)) == 2
    picture = flight.picture().svg(text="plain")
    assert [f"loss of {name.split(' ')[0]}" in picture for name in names] == [True, True]
    assert "loss.0" in picture and "loss.1.0" in picture


def test_each_thread_has_its_own() -> None:
    pairs = [made(number) for number in range(3)]
    flights = [inspector.watch(*pair, budget=1) for pair in pairs]
    truth: list[list[list[float]]] = [[], [], []]
    start = threading.Barrier(3)

    def train(place: int) -> None:
        start.wait()
        with flights[place]:
            for number in range(1, STEPS + 1 + place):
                truth[place].append(step(*pairs[place], 0.0 if (place, number) == (1, 25) else 1.0))

    threads = [threading.Thread(target=train, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place, flight in enumerate(flights):
        assert flight.failure is None and flight.steps == STEPS + place
        columns = flight.columns()
        names = [name for name in columns if name == "loss" or name.startswith("gradient/")]
        for name, expected in zip(names, np.array(truth[place]).T, strict=True):
            known = ~np.isnan(columns[name])
            assert known[10:24].all(), name
            assert columns[name][known] == pytest.approx(expected[known], rel=1e-5), name
    timeline = flights[1].report().timeline
    assert timeline is not None
    assert [(found["kind"], found["step"]) for found in timeline["triggers"]] == [("gradient_not_finite", 25)]
    with inspector.watch(*made(3)):
        pass  # torch's hooks stay while a thread that has stepped is alive: the next watch takes them off


def test_a_step_with_a_closure_that_is_open_when_the_watch_ends_is_counted() -> None:
    model, optimizer = made()
    x = torch.linspace(-1, 1, 24).reshape(4, 6)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss: torch.Tensor = (model(x) - 1).pow(2).mean()
        loss.backward()
        return loss

    with inspector.watch(model, optimizer, budget=1) as flight:
        for _ in range(STEPS):
            optimizer.step(closure)
    assert flight.steps == STEPS and not np.isnan(flight.columns()["loss"]).any()


def test_an_exception_ends_the_block_and_stays() -> None:
    model, optimizer = made()
    flight = inspector.watch(model, optimizer, budget=1)
    with pytest.raises(ZeroDivisionError), flight:
        for number in range(STEPS):
            step(model, optimizer)
            1 // (20 - number)
    assert flight.report().script.exit == {
        "status": 1,
        "exception": "ZeroDivisionError: integer division or modulo by zero",
    }
    assert flight.steps == 21 and not hooks()


def test_a_recording_is_of_one_run() -> None:
    model, optimizer = made()
    with inspector.watch(model, optimizer) as flight, pytest.raises(RuntimeError, match="has begun already"):
        flight.open()
    flight.close()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"budget": "much"}, TypeError, r"watch\(budget=...\) must be a number from 0 to 1, got str"),
        ({"budget": 3}, ValueError, r"must be from 0 to 1, such as 0.03 for 3 %, got 3"),
        ({"budget": math.nan}, ValueError, "must be from 0 to 1"),
        ({"calls": 0}, ValueError, r"watch\(calls=...\) must be at least 1, got 0"),
        ({"model": 3}, TypeError, "must be an nn.Module"),
        ({"optimizer": nn.Linear(1, 1)}, TypeError, "must be an Optimizer"),
        ({"mode": "fast"}, ValueError, "fast"),
    ],
)
def test_bad_arguments(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        inspector.watch(**options)


def test_a_budget_of_zero_records_no_step() -> None:
    model, optimizer = made()
    with inspector.watch(model, optimizer, budget=0) as flight:
        for _ in range(10):
            step(model, optimizer)
        assert not hooks()
    assert flight.report().timeline is None and len(flight.report().calls) == 3


def test_steps_that_are_too_short_to_record_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.recording.flight.cost_control.MOST_SKIPPED", 7)
    monkeypatch.setattr("inspector.recording.flight.cost_control._COMPLETE", 0.0)
    model, optimizer = made()
    with inspector.watch(model, optimizer, budget=0.0001) as flight:
        truth = [step(model, optimizer) for _ in range(150)]
        assert flight.steps == 150
        truth += [step(model, optimizer) for _ in range(151)]
    timeline = flight.report().timeline
    assert timeline is not None
    assert (timeline["steps"], timeline["calls"], sum(timeline["rows"])) == (301, 301, 301)
    level = timeline["levels"][-1]
    assert (level["every"], level.get("skips"), level["last"]) == (8, True, 301)
    columns = flight.columns()
    names = ["loss", *(name for name in columns if name.startswith("gradient/"))]
    for name, expected in zip(names, np.array(truth).T, strict=True):
        known = ~np.isnan(columns[name])
        assert columns[name][known] == pytest.approx(expected[known], rel=1e-5), name
    assert not np.isnan(columns["loss"]).any(), "the loss of each step is noted"
    recorded = ~np.isnan(columns[names[1]])
    assert recorded[:64].all() and 20 < recorded[70:].sum() < 40
    assert "at times only one of 8 steps, of the others only the loss" in " ".join(str(flight).split())
    other, its = made()
    for _ in range(301):
        step(other, its)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("way", ["one call", "two calls", "closure"])
def test_a_nan_among_counted_steps_has_its_step(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.recording.flight.cost_control.MOST_SKIPPED", 31)
    monkeypatch.setattr("inspector.recording.flight.cost_control._COMPLETE", 0.0)
    model, optimizer = made()

    def backward(number: int) -> torch.Tensor:
        loss = model(torch.full((4, 6), 0.1)).square().mean() * (math.nan if number == 203 else 1.0)
        loss.backward()
        return loss

    def train(number: int) -> None:
        optimizer.zero_grad()
        if way == "closure":
            optimizer.step(lambda: backward(number).item())
            return
        backward(number)
        if way == "two calls":
            backward(0)
        optimizer.step()

    with inspector.watch(model, optimizer, budget=0.0001) as flight:
        for number in range(1, 260):
            train(number)
    timeline = flight.report().timeline
    assert timeline is not None and timeline["steps"] == 259
    assert timeline["calls"] == 259 * (2 if way == "two calls" else 1)
    assert timeline["levels"][-1].get("skips")
    (found,) = [found for found in timeline["triggers"] if found["kind"] == "root_not_finite"]
    assert found["step"] == 203 and math.isnan(found["value"] or 0.0)
    recorded = [call.setting.step for call in flight.report().calls[3:]]
    assert recorded == [204 if way == "closure" else 203], "within a step, the next call is recorded"


# Trainers


def callback(of: str, **names: Any) -> Any:
    """An instance of the callback that docs/use.md shows for a trainer."""
    found = re.findall(r"```python\n(.*?)```", USE.read_text("utf-8"), re.DOTALL)
    (text,) = [block for block in found if of in block]
    assert text.count("\n") <= 12
    space: dict[str, Any] = {"inspector": inspector, **names}
    exec(text, space)
    return space["Flight"]()


def finished(recording: FlightRecording, printed: str) -> None:
    assert recording.steps == STEPS and printed.strip() == str(recording).strip()
    assert not hooks()


def test_the_callback_for_transformers(capsys: pytest.CaptureFixture[str]) -> None:
    """With what `Trainer` calls, in its order: an optimizer that wraps another, as that of accelerate."""
    import transformers
    flight = callback("transformers.TrainerCallback", transformers=transformers)
    model, optimizer = made()
    wrapped = torch.optim.SGD(model.parameters(), lr=0.02)
    wrapped.step = optimizer.step  # type: ignore[method-assign]
    given = {"model": model, "optimizer": wrapped, "lr_scheduler": None, "train_dataloader": None}
    flight.on_train_begin(None, None, None, **given)
    for _ in range(STEPS):
        step(model, wrapped)
    flight.on_train_end(None, None, None, **given)
    finished(flight.recording, capsys.readouterr().out)


def test_the_callback_for_lightning(capsys: pytest.CaptureFixture[str]) -> None:
    stand_in = types.SimpleNamespace(pytorch=types.SimpleNamespace(Callback=object))
    flight = callback("lightning.pytorch.Callback", lightning=stand_in)
    model, optimizer = made()
    trainer = types.SimpleNamespace(optimizers=[optimizer])
    flight.on_train_start(trainer, model)
    for _ in range(STEPS):
        step(model, optimizer)
    flight.on_train_end(trainer, model)
    finished(flight.recording, capsys.readouterr().out)
    flight.on_exception(trainer, model, ValueError())


def test_scalars_of_tensorboard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written: list[tuple[str, float, int]] = []

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path)

        def __enter__(self) -> SummaryWriter:
            return self

        def __exit__(self, *error: object) -> None:
            written.append(("closed", 0.0, 0))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

    model, optimizer = made()
    with inspector.watch(model, optimizer, budget=1) as flight:
        for number in range(1, 11):
            step(model, optimizer, 0.0 if number == 10 else 1.0)
    stand_in = types.ModuleType("torch.utils.tensorboard")
    stand_in.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    flight.to_tensorboard(tmp_path)
    assert written.pop() == ("closed", 0.0, 0)
    columns = flight.columns()
    assert [row for row in written if row[0] == "loss"] == [
        ("loss", value, number) for number, value in enumerate(columns["loss"].tolist(), 1)
    ]
    assert ("gradient/0.weight", columns["gradient/0.weight"][8], 9) in written
    assert not [row for row in written if math.isnan(row[1])]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        flight.to_tensorboard(tmp_path)
