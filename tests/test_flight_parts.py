"""The parts of the flight recorder: thinning, columns, steps of several optimizers, cost, rules of triggers."""

from __future__ import annotations

import json
import math
import random
import statistics
from typing import Any

import pytest
import torch

from inspector.recording.flight.block import Block, Scalars
from inspector.recording.flight.careful_norms import careful_norms
from inspector.recording.flight.cost_control import CostControl
from inspector.recording.flight.followed import UnmovedParameters
from inspector.recording.flight.gradient_norms import MOST_COLUMNS, GradientColumns, GradientNorms, StepNorms
from inspector.recording.flight.roots import Root
from inspector.recording.flight.step_counter import StepCounter
from inspector.recording.flight.store import BLOCK, Step, StepStore
from inspector.recording.flight.thinned_rows import MOST_ROWS, ThinnedRows
from inspector.recording.flight.triggers import (
    ALIVE_STEPS,
    CONSTANT_STEPS,
    RATE_STEPS,
    SUSPECT_STEPS,
    WINDOW,
    ZERO_STEPS,
    NonFinite,
    Spikes,
    Standstills,
    ZeroGradients,
)
from inspector.torch_api.tensor_references import REFERENCES

# Thinning


def thinned(values: list[float], parts: list[int]) -> ThinnedRows:
    """Values of one column, added in parts of these sizes."""
    rows, start = ThinnedRows(), 0
    for part in parts:
        chunk = torch.tensor(values[start : start + part], dtype=torch.float64).unsqueeze(1)
        rows.add(chunk, torch.ones_like(chunk, dtype=torch.bool))
        start += part
    assert start == len(values)
    return rows


@pytest.mark.parametrize("count", [1, 64, MOST_ROWS, MOST_ROWS + 1, 5_000, 30_001])
def test_rows_are_bounded_and_lose_no_extreme(count: int) -> None:
    chosen = random.Random(count)
    values = [chosen.uniform(-5, 5) for _ in range(count)]
    parts = []
    while sum(parts) < count:
        parts.append(min(chosen.choice([1, 7, 64]), count - sum(parts)))
    rows = thinned(values, parts).rows
    assert len(rows) <= MOST_ROWS and int(rows.steps.sum()) == count
    assert len(set(rows.steps.tolist()[:-1])) <= 1, "every row but the last stands for equally many steps"
    start = 0
    for row, steps in enumerate(rows.steps.tolist()):
        part = values[start : start + steps]
        start += steps
        assert float(rows.low[row]) == min(part) and float(rows.high[row]) == max(part)
        assert min(part) <= float(rows.middle[row]) <= max(part)
        if steps == 1:
            assert float(rows.middle[row]) == part[0]


def test_what_is_not_finite_or_not_recorded_is_counted_apart() -> None:
    rows = ThinnedRows()
    values = torch.tensor([[1.0, 2.0], [math.nan, 3.0], [math.inf, 0.0]], dtype=torch.float64)
    known = torch.tensor([[True, True], [True, False], [True, False]])
    rows.add(values, known)
    assert rows.rows.bad.tolist() == [[0, 0], [1, 0], [1, 0]]
    assert rows.rows.middle[:, 1].isnan().tolist() == [False, True, True]


def test_a_column_that_comes_later() -> None:
    rows = thinned([1.0, 2.0], [2])
    rows.add(torch.tensor([[3.0, 4.0]], dtype=torch.float64), torch.ones(1, 2, dtype=torch.bool))
    assert rows.rows.middle[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert rows.rows.middle[:2, 1].isnan().all() and float(rows.rows.middle[2, 1]) == 4.0


# Gradients


def test_norms_are_those_of_torch() -> None:
    torch.manual_seed(0)
    grads = [torch.randn(3, 4), torch.randn(7).half(), torch.randn(2).double(), torch.randn(5) * 1e25]
    grads.append(torch.tensor(2.0))
    parameters = [torch.zeros_like(grad, requires_grad=True) for grad in grads]
    norms = GradientNorms()
    for number, (parameter, grad) in enumerate(zip(parameters, grads, strict=True)):
        parameter.grad = grad
        norms.add(parameter, f"p{number}")
    parameters[0].grad = None
    values, known = norms.matrix([[norms.measure()]])
    assert known.tolist() == [[False, True, True, True, True]]
    expected = [float(torch.linalg.vector_norm(grad.double())) for grad in grads]
    assert values[0].tolist()[1:] == pytest.approx(expected[1:], rel=1e-3)
    assert values.isfinite().all(), "the squares of 1e25 are too large for float32, its norm is not"


def usual_norms() -> tuple[list[torch.nn.Parameter], GradientNorms]:
    """Three parameters that have been measured, so that the next time may be the short way."""
    parameters, norms = [torch.nn.Parameter(torch.ones(size)) for size in (2, 3, 4)], GradientNorms()
    for number, parameter in enumerate(parameters):
        parameter.grad = torch.full_like(parameter, 2.0)
        norms.add(parameter, f"p{number}")
    norms.measure()
    return parameters, norms


def assert_measured(norms: GradientNorms, expected: list[float | None]) -> None:
    values, known = norms.matrix([[norms.measure()]])
    assert known[0].tolist() == [value is not None for value in expected]
    assert values[0].tolist() == pytest.approx([value or 0.0 for value in expected], rel=5e-3, abs=0, nan_ok=True)


@pytest.mark.parametrize(
    ("grad", "norm"),
    [
        (torch.tensor([3.0, 4.0]), 5.0),
        (torch.tensor([3.0, 4.0]).bfloat16(), 5.0),
        (torch.tensor([3.0, 4.0]).double(), 5.0),
        (torch.tensor([3e30, 4e30]), 5e30),
        (torch.tensor([3.0, math.nan]), math.nan),
        (torch.tensor([3.0, -math.inf]), math.inf),
        (torch.tensor([3e200, 4e200], dtype=torch.float64), 5e200),
        (torch.tensor([3e-30, 4e-30]), 5e-30),
        (torch.tensor([3e-200, 4e-200], dtype=torch.float64), 5e-200),
        (torch.zeros(2), 0.0),
        (torch.tensor([3.0, 4.0]).to_sparse(), None),
        (None, None),
    ],
    ids=str,
)
def test_a_grad_that_becomes_unusual_is_measured_as_before(grad: torch.Tensor | None, norm: float | None) -> None:
    parameters, norms = usual_norms()
    if grad is not None and grad.dtype != torch.float32:
        parameters[0].data = torch.zeros_like(grad)  # as `model.to` does
    for _ in range(2):
        parameters[0].grad = grad
        assert_measured(norms, [norm, 12**0.5, 4.0])
    parameters[0].data, parameters[0].grad = torch.zeros(2), None
    parameters[0].grad = torch.tensor([6.0, 8.0])
    for _ in range(2):
        assert_measured(norms, [10.0, 12**0.5, 4.0])


def test_the_next_grads_are_of_the_parameters_that_there_are_then() -> None:
    parameters, norms = usual_norms()
    parameters[1].grad = None
    for _ in range(2):
        assert_measured(norms, [8**0.5, None, 4.0])
    parameters[1].grad = torch.ones(3)
    assert_measured(norms, [8**0.5, 3**0.5, 4.0])
    added = torch.nn.Parameter(torch.ones(1))
    added.grad = torch.ones(1)
    norms.add(added, "added")
    assert_measured(norms, [8**0.5, 3**0.5, 4.0, 1.0])
    del parameters[2]
    for _ in range(2):
        assert_measured(norms, [8**0.5, 3**0.5, None, 1.0])


@pytest.mark.parametrize(
    "shape",
    [(1_000, 700), (64, 64, 16, 16), (7, 100_000), (700_000,), (3, 5), (257, 257), (1_000_003,), (1, 1_000_003)],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_norms_of_many_elements_have_five_digits(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    random = torch.randn(shape, dtype=dtype)
    for grad in (random, torch.full(shape, 0.1, dtype=dtype), random.transpose(0, -1)):
        (norm,) = careful_norms([grad]).tolist()
        assert norm == pytest.approx(float(torch.linalg.vector_norm(grad, dtype=torch.float64)), rel=1e-5)


def test_the_norm_of_an_embedding_has_five_digits_where_all_elements_are_equal() -> None:
    grad = torch.full((32_000, 2_048), 0.1)
    (norm,) = careful_norms([grad]).tolist()
    assert norm == pytest.approx(float(torch.linalg.vector_norm(grad, dtype=torch.float64)), rel=1e-5)


def test_the_norm_of_many_elements_whose_squares_underflow_has_five_digits() -> None:
    (norm,) = careful_norms([torch.full((1 << 20,), 1e-21)]).tolist()
    assert norm == pytest.approx(1_024e-21, rel=1e-5)


def test_a_swapped_parameter_is_measured() -> None:
    with REFERENCES.used():
        parameters, norms = usual_norms()
        other = torch.nn.Parameter(torch.ones(2))
        other.grad = torch.ones(2)
        torch.utils.swap_tensors(parameters[0], other)
        for _ in range(2):
            assert_measured(norms, [2**0.5, 12**0.5, 4.0])
    assert norms.measure().parts == ()


def test_a_parameter_that_the_script_deletes_is_not_kept() -> None:
    norms = GradientNorms()
    parameter = torch.zeros(3, requires_grad=True)
    norms.add(parameter, "w")
    del parameter
    assert norms.references[0]() is None and norms.measure().parts == ()


def test_sparse_grads_are_not_measured() -> None:
    embedding = torch.nn.Embedding(5, 3, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    norms = GradientNorms()
    norms.add(embedding.weight, "weight")
    assert norms.measure().parts == ()


@pytest.mark.parametrize("layers", [3, MOST_COLUMNS, 500])
def test_columns_are_bounded(layers: int) -> None:
    names = [f"blocks.{layer}.{part}.weight" for layer in range(layers) for part in ("a", "b")]
    columns = GradientColumns()
    columns.update(names)
    assert len(columns.names) <= MOST_COLUMNS
    assert sum(len(columns.parameters(column, names)) for column in range(len(columns.names))) == len(names)
    values = torch.rand(2, len(names), dtype=torch.float64)
    together, known = columns.combined(values, torch.ones_like(values, dtype=torch.bool))
    assert known.all()
    assert float(together.square().sum()) == pytest.approx(float(values.square().sum()))


# Steps


def test_steps_of_optimizers_that_take_turns() -> None:
    counter = StepCounter()
    assert [counter.add(number) for number in (0, 1, 0, 1, 0, 0)] == [False, False, True, False, True, True]
    assert (counter.finished, counter.current) == (3, 4)
    assert counter.end() and not counter.end() and counter.finished == 4


@pytest.mark.parametrize(("limit", "norms", "every"), [(0.03, 1e-9, 1), (0.03, 1e9, 64), (1.0, 1e9, 1)])
def test_the_cost_decides_how_often_gradients_are_measured(limit: float, norms: float, every: int) -> None:
    control = CostControl(limit)
    for _ in range(20):
        control.note_norms(norms)
    control.note_steps(20)
    assert control.every == every


def test_a_long_run_of_many_parameters_fits_a_small_report() -> None:
    norms = GradientNorms()
    tensors = [torch.zeros(1, requires_grad=True) for _ in range(2_000)]
    for number, tensor in enumerate(tensors):
        norms.add(tensor, f"blocks.{number // 4}.part{number % 4}.weight")
    store = StepStore(norms, UnmovedParameters(norms))
    positions, torch_numbers = tuple(range(len(tensors))), torch.Generator().manual_seed(0)
    for step in range(2_000):
        measured = StepNorms(((positions, torch.rand(len(tensors), generator=torch_numbers)),))
        root = math.nan if step % 300 == 299 else 1.0 / (step + 1)
        if store.add(Step(step + 1, {0: Root(root, True)}, {0: 0.1}, [measured])):
            store.flush()
    store.flush()
    rows = {"columns": store.columns(["optimizer"]), "windows": store.windows(), "rows": store.row_steps()}
    assert store.steps == 2_000 and sum(rows["rows"]) == 2_000
    assert len(json.dumps(rows)) < 2_000_000
    (window,) = rows["windows"]
    assert window["first"] <= 300 < window["first"] + len(window["columns"][0])
    assert window["columns"][0][300 - window["first"]] is None and window["columns"][0][0] is not None


# Triggers


def block(
    norms: list[list[float]], roots: list[float | None] | None = None, first: int = 1, rates: Any = None
) -> Block:
    """Steps of one optimizer."""
    values = torch.tensor(norms, dtype=torch.float64)
    count = len(norms)
    scalars = [
        {0: Scalars(root, rate)}
        for root, rate in zip(roots or [1.0 + n for n in range(count)], rates or [0.1] * count, strict=True)
    ]
    names = [f"p{position}" for position in range(values.shape[1])]
    calls = list(range(first, first + count))
    return Block(calls, calls, scalars, values, torch.ones_like(values, dtype=torch.bool), names)


def test_the_first_value_that_is_not_finite() -> None:
    finder = NonFinite()
    assert list(finder.find(block([[1.0, 1.0]] * 3))) == []
    found = list(finder.find(block([[1.0, 1.0], [1.0, math.nan], [math.nan, math.nan]], [1.0, 1.0, math.inf], 4)))
    assert [(item["kind"], item["step"], item["parameters"]) for item in found] == [
        ("root_not_finite", 6, []),
        ("gradient_not_finite", 5, ["p1"]),
    ]
    assert list(finder.find(block([[math.nan, 1.0]], [math.nan], 7))) == []


def test_a_spike() -> None:
    chosen = random.Random(0)
    norms = [[chosen.uniform(0.5, 2.0), chosen.uniform(0.5, 2.0)] for _ in range(100)]
    norms[80][1] = 500.0
    (found,) = Spikes().find(block(norms))
    assert (found["step"], found["parameters"]) == (81, ["p1"])
    before = [math.hypot(*row) for row in norms[80 - WINDOW : 80]]
    assert found["usual"] == pytest.approx(statistics.median(before))


@pytest.mark.parametrize(
    "norms",
    [
        [1.0] * 20 + [1e6] + [1.0] * 40,  # too few steps before
        [10.0 ** (step / 100) for step in range(300)],  # grows steadily
        [10.0 ** (-step / 30) for step in range(300)],  # falls
        [0.0] * 59 + [5.0] + [0.0] * 59 + [5.0],  # most are zero
        [1.0 + 9 * (step % 10 == 0) for step in range(200)],  # large ones are usual
        [1.0] * 100 + [15.0] * 100,  # another level, below 20 times
    ],
)
def test_no_spike(norms: list[float]) -> None:
    assert list(Spikes().find(block([[norm] for norm in norms]))) == []


def test_gradients_that_die() -> None:
    zeros = ZeroGradients()
    alive, dead = [[1.0, 1.0]] * (ALIVE_STEPS + 5), [[1.0, 0.0]] * (ZERO_STEPS + 10)
    zeros.update(block(alive))
    zeros.update(block(dead, first=len(alive) + 1))
    assert zeros.suspects == {1}
    zeros.confirm({0, 1})
    (found,) = zeros.triggers(["p0", "p1"])
    assert (found["step"], found["parameters"], found["steps"]) == (len(alive) + 1, ["p1"], len(dead))
    zeros.update(block([[1.0, 2.0]], first=200))
    assert zeros.triggers(["p0", "p1"]) == [], "it recovered"


def test_there_is_always_a_block_at_whose_end_zeros_are_suspected() -> None:
    assert ZERO_STEPS >= BLOCK + SUSPECT_STEPS


@pytest.mark.parametrize("case", ["loss of zero", "never alive", "not reached", "too short"])
def test_zeros_that_are_right(case: str) -> None:
    zeros = ZeroGradients()
    alive = [[1.0]] * (3 if case == "never alive" else 20)
    dead = [[0.0]] * (ZERO_STEPS - 1 if case == "too short" else ZERO_STEPS + 10)
    zeros.update(block(alive))
    zeros.update(block(dead, [0.0] * len(dead) if case == "loss of zero" else None, len(alive) + 1))
    zeros.confirm(set() if case == "not reached" else {0})
    assert case == "not reached" or not zeros.suspects
    assert zeros.triggers(["p0"]) == []


def test_standstills() -> None:
    count = CONSTANT_STEPS + 10
    found = list(Standstills().find(block([[1.0]] * count, [2.0] * count, rates=[0.1] * 5 + [0.0] * (count - 5))))
    kinds = {item["kind"]: item for item in found}
    assert (kinds["constant_root"]["step"], kinds["constant_root"]["steps"]) == (1, count)
    assert (kinds["zero_rate"]["step"], kinds["zero_rate"]["steps"]) == (6, count - 5)


@pytest.mark.parametrize(
    ("roots", "rates"),
    [
        ([0.0] * 100, None),
        ([1.0, 1.0, 2.0] * 30, None),
        ([float(n) for n in range(90)], [0.0] * (RATE_STEPS - 1) + [0.1] * (91 - RATE_STEPS)),
        ([math.nan] * 90, None),
    ],
)
def test_no_standstill(roots: list[float], rates: Any) -> None:
    assert list(Standstills().find(block([[1.0]] * len(roots), roots, rates=rates))) == []


class Clock:
    """`time.perf_counter` and `time.thread_time`, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        for name in ("perf_counter", "thread_time"):
            monkeypatch.setattr(f"time.{name}", lambda: self.now)

    def run(self, control: CostControl, *, step: float, work: float, steps: int) -> None:
        """Steps of the script, with the recorder's work in each."""
        for _ in range(steps):
            self.now += step
            begun = control.begin()
            self.now += work / 2
            control.end(begun)
            control.note_norms(work / 2)
            self.now += work / 2
        control.note_steps(steps)


@pytest.mark.parametrize(
    ("limit", "steps", "is_exceeded"),
    [(0.03, 100, False), (0.03, 100_000, True), (1.0, 100_000, False), (0.9, 100_000, False)],
    ids=["two-seconds-are-free", "too-much", "whatever-it-costs", "a-large-budget"],
)
def test_what_takes_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch, limit: float, steps: int, is_exceeded: bool
) -> None:
    clock = Clock(monkeypatch)
    control = CostControl(limit)
    for _ in range(10):
        clock.run(control, step=0.0002, work=0.0001, steps=steps // 10)
    assert control.is_exceeded(may_skip=False) is is_exceeded
    assert not control.is_exceeded(may_skip=True), "more steps may be counted only"


@pytest.mark.parametrize("report", [0.0, 0.1], ids=["alone", "with reports"])
@pytest.mark.parametrize(("counting", "is_exceeded"), [(1e-6, False), (3e-6, False), (2e-5, True)])
def test_what_the_first_steps_took_does_not_end_a_recording_that_has_become_cheap(
    monkeypatch: pytest.MonkeyPatch, counting: float, is_exceeded: bool, report: float
) -> None:
    clock, control, step, work = Clock(monkeypatch), CostControl(0.03), 0.0003, 0.001
    found = []
    for turn in range(3_000):
        if turn % 60 == 59:
            with control.apart():
                begun = control.begin()
                clock.now += report
                control.end(begun)
        begun = control.begin()
        clock.now += work
        control.end(begun)
        control.note_norms(0.0)
        clock.now += step
        if control.skips:
            clock.now += control.skips * (step + counting)
            control.note_skipped(control.skips, counting)
        control.note_steps(1, may_skip=True)
        found.append(control.is_exceeded(may_skip=True))
    assert any(found) is is_exceeded


def test_nothing_is_left_out_of_a_short_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    control = CostControl(0.03)
    control.note_norms(0.0001)
    for _ in range(40):
        clock.run(control, step=0.0002, work=0.0001, steps=100)
        control.note_steps(0, may_skip=True)
    assert (control.every, control.skips) == (1, 0)
    for _ in range(80):
        control.note_norms(0.0001)
        clock.run(control, step=0.0002, work=0.0001, steps=100)
    control.note_steps(16, may_skip=True)
    assert control.every > 1 or control.skips > 0


@pytest.mark.parametrize(
    ("hidden", "counting", "every"), [(0.0, 0.0, 64), (0.002, 0.0, 512), (0.002, 2e-6, 1024), (0.0, 5e-5, 256)]
)
def test_what_the_clock_does_not_see_counts_too(
    monkeypatch: pytest.MonkeyPatch, hidden: float, counting: float, every: int
) -> None:
    clock, control, step, work = Clock(monkeypatch), CostControl(0.03), 0.0003, 0.0001
    for _ in range(12_000):  # as the recorder: a recorded step, then those that are only counted
        begun = control.begin()
        clock.now += work
        control.end(begun)
        control.note_norms(0.0)
        clock.now += step + hidden
        control.turns.recorded()
        if control.skips:
            clock.now += control.skips * (step + counting)
            control.note_skipped(control.skips, counting)
        control.note_steps(1, may_skip=True)
    assert control.skips + 1 == every
    assert (work + hidden) / every <= 0.03 * step


@pytest.mark.parametrize("interrupted", [7, 16, 40], ids=lambda every: f"1 of {every}")
def test_another_process_in_a_measured_step_does_not_end_the_recording(
    monkeypatch: pytest.MonkeyPatch, interrupted: int
) -> None:
    clock, control, step, work, counting = Clock(monkeypatch), CostControl(0.03), 0.0003, 0.0001, 2e-6
    for turn in range(10_000):
        begun = control.begin()
        clock.now += work
        control.end(begun)
        control.note_norms(0.0)
        clock.now += step
        control.turns.recorded()
        if control.skips:
            other = 0.02 if turn % interrupted == 0 else 0.0
            clock.now += control.skips * (step + counting) + other
            control.note_skipped(control.skips, counting + other)
        control.note_steps(1, may_skip=True)
        assert not control.is_exceeded(may_skip=True)
    assert control.skips + 1 <= 256


def test_a_training_of_slow_steps_is_recorded_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    control = CostControl(0.03)
    for _ in range(10):
        clock.run(control, step=0.05, work=0.0001, steps=10_000)
    assert not control.is_exceeded(may_skip=False)
