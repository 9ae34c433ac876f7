"""The levels of modules and Nodes: their norms, what is named, and that nothing changes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import inspector
from inspector.recording.flight import FlightRecorder
from inspector.recording.flight.break_point import BreakPoint
from inspector.recording.flight.cost_control import CostControl
from inspector.recording.flight.depth_control import DepthControl
from inspector.recording.flight.gradient_norms import GradientNorms
from inspector.recording.flight.node_norms import Depth
from inspector.recording.flight.update_norms import UpdateNorms
from inspector.recording.session import Callbacks, Session
from inspector.recording.watch_plan import WatchPlan
from inspector.report.timeline import Timeline
from inspector.torch_api.tensor_references import REFERENCES
from inspector.user_code.paths import UserFiles

WATCHED = 3
KINDS = ("module", "output")


class Net(nn.Module):
    """A model of which something can go wrong in its middle."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.act, self.head = nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1)

    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        h = self.act(self.body(x)) * scale
        return self.head(torch.hypot(h, h))


class Training:
    """A training of some steps. scale: of step `at`."""

    def __init__(self, *, at: int = 0, scale: float = 1.0, scaler: torch.amp.GradScaler | None = None) -> None:
        torch.manual_seed(0)
        self.model = Net()
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01)
        self.step, self._at, self._scale = 0, at, scale
        self._scaler = scaler or torch.amp.GradScaler("cpu", enabled=False)
        self._random = torch.Generator().manual_seed(0)
        self.grads: list[torch.Tensor] = []

    def __call__(self) -> torch.Tensor:
        self.step += 1
        x = torch.randn(16, 6, generator=self._random)
        out = self.model(x, self._scale if self.step == self._at else 1.0)
        loss = (out - x.sum(1, keepdim=True)).pow(2).mean()
        self.optimizer.zero_grad()
        self._scaler.scale(loss).backward()
        self.grads = [p.grad.clone() for p in self.model.parameters() if p.grad is not None]
        self._scaler.step(self.optimizer)
        self._scaler.update()
        return loss


def recorded(
    train: Callable[[], Any], steps: int, depth: Depth | None, budget: float = 1.0, stop: BreakPoint | None = None
) -> Timeline:
    """The timeline of a training, at one depth."""
    files, made = UserFiles(__file__.rpartition("/")[0]), []

    def go_on() -> None:
        recorder = FlightRecorder(files, budget, session, break_point=stop)
        if depth is not None:
            recorder.nodes.control = DepthControl(depth)
        recorder.open()
        made.append(recorder)

    with REFERENCES.used():
        session = Session(files, WatchPlan(WATCHED, "full"), Callbacks(on_done=go_on))
        session.open()
        try:
            for _ in range(steps):
                train()
        finally:
            session.close()
            made[0].close()
        assert made[0].failure is None
        found = made[0].timeline(ended=True)
    assert found is not None
    return found


def hooked(model: Net) -> dict[str, float]:
    """torch's own norms at the outputs of the modules, of the last step."""
    found: dict[str, float] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda module, gradients: found.update({name: gradients[0].norm().item()})

    for name, module in model.named_children():
        module.register_full_backward_pre_hook(note(name))
    return found


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize("depth", ["modules", "nodes"])
def test_the_norms_at_modules_are_those_of_torch(depth: Depth) -> None:
    timeline = recorded(Training(), 8, depth)
    levels = [(row["level"], row["first"], row["last"]) for row in timeline["levels"]]
    assert levels == [("full", 1, 3), (depth, 4, 8)]
    columns = {column["name"]: column["middle"] for column in timeline["columns"] if column["kind"] == "module"}
    again, norms = Training(), []
    now = hooked(again.model)
    for _ in range(8):
        again()
        norms.append(dict(now))
    assert set(columns) == {"body", "act", "head"}
    for name, middle in columns.items():
        assert middle[:WATCHED] == [None] * WATCHED
        truth = [row[name] for row in norms]
        assert middle[WATCHED:] == pytest.approx(truth[WATCHED:], rel=1e-5)


@pytest.mark.parametrize("depth", [None, "modules", "nodes"])
def test_gradients_have_the_same_bits_and_no_hook_stays(depth: Depth | None) -> None:
    plain, training = Training(), Training()
    for _ in range(10):
        plain()
    kept: list[torch.Tensor] = []

    def train() -> None:
        kept[:] = [training()]

    recorded(train, 10, depth)
    assert all(map(torch.equal, plain.grads, training.grads))
    assert not any(module._backward_hooks or module._forward_hooks for module in training.model.modules())
    assert not any(p._backward_hooks or p._post_accumulate_grad_hooks for p in training.model.parameters())


def test_a_gradient_that_is_not_finite_has_a_node() -> None:
    timeline = recorded(Training(at=40, scale=0.0), 50, "nodes")
    (found,) = [trigger for trigger in timeline["triggers"] if trigger["kind"] == "gradient_not_finite"]
    assert found["step"] == 40
    assert found["node"]["name"] == "HypotBackward0"  # whose derivative is 0 / 0
    source = found["node"]["source"]
    assert isinstance(source, dict) and "code" in source
    assert source["file"] == "test_flight_levels.py" and "hypot(" in source["code"]


def test_a_spike_has_a_module() -> None:
    training = Training(at=50, scale=1e12)
    timeline = recorded(training, 60, "modules")
    (found,) = [trigger for trigger in timeline["triggers"] if trigger["kind"] == "spike"]
    assert found["step"] == 50
    assert "node" not in found or (found["node"]["name"] is None and found["node"]["module"] is not None)


def test_a_graph_with_other_nodes_is_counted() -> None:
    model = nn.Linear(4, 1)
    optimizer, steps = torch.optim.SGD(model.parameters(), 0.01), iter(range(100))

    def train() -> None:
        out = model(torch.randn(8, 4))
        loss = (out.tanh() if next(steps) >= 10 else out).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    timeline = recorded(train, 20, "nodes")
    assert timeline["other_graphs"] == 10
    assert "10 steps had another graph" in inspector_line(timeline)


def test_a_scale_is_not_part_of_the_norms() -> None:
    scaled = Training(scaler=torch.amp.GradScaler("cpu", growth_interval=2), at=9, scale=1e36)
    plain = middles(recorded(Training(), 14, "nodes"), "module")
    found = middles(recorded(scaled, 14, "nodes"), "module")
    assert set(found) == {"head", "act", "body"}
    for name, middle in found.items():  # the 9th of 14 calls overflows: its step is skipped
        assert len(middle) == 13 and middle[WATCHED:8] == pytest.approx(plain[name][WATCHED:8], rel=1e-4)
        assert None not in middle[WATCHED:]


def test_the_outputs_of_modules_are_those_of_torch() -> None:
    class Several(Training):
        """The model is also called for an evaluation, with grad, and without."""

        def __call__(self) -> torch.Tensor:
            loss = super().__call__()
            self.model(torch.ones(3, 6))
            with torch.no_grad():
                self.model(torch.ones(3, 6))
            return loss

    training, truth, now = Several(), [], dict[str, float]()
    for name, module in training.model.named_children():
        module.register_forward_hook(lambda module, args, out, name=name: now.update({name: out.norm().item()}))
    training.optimizer.register_step_post_hook(lambda *arguments: truth.append(dict(now)))
    found = middles(recorded(training, 12, "modules"), "output")
    assert set(found) == {"head", "act", "body"}
    for name, middle in found.items():
        assert middle[:WATCHED] == [None] * WATCHED
        assert middle[WATCHED:] == pytest.approx([row[name] for row in truth[WATCHED:]], rel=1e-5)


def middles(timeline: Timeline, kind: str) -> dict[str, list[float | None]]:
    columns = [column for column in timeline["columns"] if column["kind"] == kind]
    return {column["name"].rpartition(".")[2]: column["middle"] for column in columns}


def test_an_output_has_the_norm_of_all_its_tensors_and_calls() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = nn.LSTM(3, 4), nn.Linear(4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out, (h, c) = self.cell(x)
            truth.append(torch.cat([out.flatten(), h.flatten(), c.flatten()]).norm().item())
            first, second = self.head(out), self.head(-out)
            heads.append(torch.cat([first, second]).norm().item())
            return (first * second).mean() + h.mean() + c.mean()

    truth, heads = list[float](), list[float]()
    net, x = Twice(), torch.randn(5, 2, 3)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def train() -> None:
        optimizer.zero_grad()
        net(x).backward()
        optimizer.step()

    found = middles(recorded(train, 8, "modules"), "output")
    assert found["cell"][WATCHED:] == pytest.approx(truth[WATCHED:], rel=1e-5)
    assert found["head"][WATCHED:] == pytest.approx(heads[WATCHED:], rel=1e-5)


def test_methods_of_the_scripts_own_classes_are_not_called() -> None:
    class Closed(dict):  # type: ignore[type-arg]
        def values(self) -> Any:
            raise KeyError("a method of the script")

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 1)

        def forward(self, x: torch.Tensor) -> Closed:
            return Closed(out=2 * self.head(x))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = Both()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.both(x)["out"]
            truth.append(out.norm().item())
            return out.mean()

    truth = list[float]()
    net, x = Net(), torch.randn(5, 3)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def train() -> None:
        optimizer.zero_grad()
        net(x).backward()
        optimizer.step()

    found = middles(recorded(train, 8, "modules"), "output")
    assert found["both"][WATCHED:] == pytest.approx(truth[WATCHED:], rel=1e-5)


@pytest.mark.parametrize("is_same", [False, True])
def test_two_models_that_take_turns(is_same: bool) -> None:
    torch.manual_seed(0)
    kinds: list[nn.Module] = [nn.Tanh(), nn.Tanh() if is_same else nn.Sigmoid()]
    left, right = (nn.Sequential(nn.Linear(4, 3), kind, nn.Linear(3, 1)) for kind in kinds)
    optimizers = [torch.optim.SGD(model.parameters(), 0.1) for model in (left, right)]
    truth: dict[str, list[float]] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda module, args, out: truth.setdefault(name, []).append(out.norm().item())

    for name, model in (("left", left), ("right", right)):
        for number, layer in enumerate(model):
            layer.register_forward_hook(note(f"{name}.{number}"))

    def train() -> None:
        left(torch.randn(5, 4)).pow(2).mean().backward()
        optimizers[0].step()
        right(torch.randn(5, 4)).pow(2).mean().backward()
        optimizers[1].step()

    timeline = recorded(train, 8, "modules")
    found = {column["name"]: column["middle"] for column in timeline["columns"] if column["kind"] == "output"}
    if is_same:  # which of them has made a graph cannot be told
        assert not found and {row.get("reason") for row in timeline["levels"][1:]} <= {None, "graph"}
        return
    assert set(found) == set(truth) and len(truth) == 6
    for name, middle in found.items():
        assert middle[2:] == pytest.approx(truth[name][2:], rel=1e-5)


def compiled(steps: int) -> None:
    training = Training()
    training.model.forward = torch.compile(training.model.forward, backend="eager")  # type: ignore[method-assign]
    try:
        for _ in range(steps):
            training()
    finally:
        torch._dynamo.reset()  # else later recordings rightly find that torch.compile is in use


def on_other_graphs(steps: int) -> None:
    model = nn.Linear(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for step in range(steps):
        out = model(torch.randn(8, 6))
        optimizer.zero_grad()
        (out if step < WATCHED else out.tanh()).mean().backward()
        optimizer.step()


def in_two_threads(steps: int) -> None:
    """Two threads that take turns."""
    trainings, turns = [Training(), Training()], [threading.Event(), threading.Event()]

    def work(number: int) -> None:
        for _ in range(steps // 2):
            assert turns[number].wait(60)
            turns[number].clear()
            trainings[number]()
            turns[1 - number].set()

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    turns[0].set()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("steps", [20, 150])
@pytest.mark.parametrize(
    ("run", "reason", "said"),
    [
        (compiled, "compiled", "torch.compile is in use"),
        (in_two_threads, "threads", "several threads train"),
        (on_other_graphs, "graph", "had another graph"),
    ],
)
def test_a_level_that_sees_nothing_is_not_claimed(
    run: Callable[[int], None], reason: str, said: str, steps: int
) -> None:
    with inspector.watch(budget=1.0) as flight:
        run(steps)
    timeline = flight.report().timeline
    assert timeline is not None
    assert {column["kind"] for column in timeline["columns"]}.isdisjoint({"module", "output"})
    full, *levels = timeline["levels"]
    assert full["level"] == "full" and levels[-1]["last"] == timeline["steps"]
    assert {(row["level"], row.get("reason")) for row in levels} == {("parameters", reason)}
    assert "down to" not in inspector_line(timeline) and said in inspector_line(timeline)


def inspector_line(timeline: Timeline) -> str:
    """The last line of the command."""
    from inspector.terminal.timeline_lines import watched_line

    return " ".join("".join(map(str, watched_line(timeline, 400))).split())


@pytest.mark.parametrize(
    ("modules", "nodes", "left", "expected"),
    [
        (0.001, 0.002, 0.01, ("nodes", 1)),
        (0.001, 0.02, 0.01, ("modules", 1)),
        (0.03, 0.2, 0.01, ("modules", 4)),
        (0.3, 2.0, 0.01, (None, 1)),
    ],
)
def test_the_deepest_that_fits(
    modules: float, nodes: float, left: float, expected: tuple[Depth | None, int]
) -> None:
    control = DepthControl()
    costs: dict[Depth | None, float] = {None: 0.0, "modules": modules, "nodes": nodes}
    seen = []
    for step in range(1, 40):
        depth = control.next(step, None)
        seen.append(depth)
        control.note(depth, 1.0 + costs[depth], 0.0)
        control.decide(left)
    assert seen[:6] == [None, "modules", "nodes"] * 2, "in turns"
    assert (control.depth, control.every) == expected


def test_a_loss_far_above_the_last_ones_is_looked_into() -> None:
    control = DepthControl()
    for step in range(1, 100):
        control.note(control.next(step, 1.0 + step % 3), 1.0, 10.0)
        control.decide(0.0)
    assert control.depth is None and control.next(101, 3.0) is None
    assert control.next(102, 100.0) == "nodes"
    assert control.next(103, 1e4) is None, "not again at once"


@pytest.mark.parametrize(
    ("wanted", "stops"),
    [("MulBackward0", 40), ("body", 40), ("HypotBackward0", 40), ("MeanBackward0", None), ("LogBackward0", None)],
)
def test_it_stops_at_a_node(wanted: str, stops: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    training = Training(at=40, scale=0.0)  # the derivative of hypot is NaN, then the parameters are NaN

    def stop() -> None:
        names = sys._getframe(1).f_locals
        seen.append((training.step, names["trigger"]["kind"], dict(names["guilty"])))

    monkeypatch.setattr("sys.breakpointhook", stop)
    recorded(training, 45, None, stop=BreakPoint(wanted))
    expected = [] if stops is None else [(stops, "gradient_not_finite")]
    assert [(step, kind) for step, kind, _ in seen] == expected
    if stops is not None and wanted != "body":
        arrived, *sent = seen[0][2].values()
        is_first = wanted == "HypotBackward0"  # what arrives there is finite, but not what it sends
        assert bool(arrived.isfinite().all()) == is_first
        assert sent and not any(bool(gradient.isfinite().all()) for gradient in sent)
        assert list(seen[0][2])[:2] == [wanted, f"{wanted}, slot 0"]


def test_the_block_of_the_library_names_the_node() -> None:
    training = Training(at=40, scale=0.0)
    with inspector.watch(training.model, training.optimizer, budget=1.0) as flight:
        for _ in range(50):
            training()
    found = {finding.rule: finding for finding in flight.findings}
    assert "non-finite-gradient" in found or "in backward it began at" in found["non-finite-step"].message


class Adding:
    """A training that notes what its optimizer adds, by torch."""

    def __init__(self) -> None:
        self.inner = Training()
        self.norms: list[list[float]] = []
        self.inner.optimizer.register_step_pre_hook(self._begins)
        self.inner.optimizer.register_step_post_hook(self._ends)
        self._old: list[torch.Tensor] = []

    def _begins(self, *arguments: Any) -> None:
        self._old = [p.detach().clone() for p in self.inner.model.parameters()]

    def _ends(self, *arguments: Any) -> None:
        new = self.inner.model.parameters()
        self.norms.append([(p.detach() - old).norm().item() for p, old in zip(new, self._old, strict=True)])


def test_the_norms_of_updates_are_those_of_torch() -> None:
    training = Adding()
    timeline = recorded(training.inner, 12, "modules")
    columns = {column["name"]: column["middle"] for column in timeline["columns"] if column["kind"] == "update"}
    assert list(columns) == [name for name, _ in training.inner.model.named_parameters()]
    for column, middle in enumerate(columns.values()):
        assert middle[: WATCHED - 1] == [None] * (WATCHED - 1)
        truth = [row[column] for row in training.norms]
        assert middle[WATCHED:] == pytest.approx(truth[WATCHED:], rel=1e-5)


def test_updates_that_cost_too_much_are_rare() -> None:
    cost = CostControl(0.03)
    parameters, tensor = GradientNorms(), torch.zeros(3, requires_grad=True)
    parameters.add(tensor, "x")
    updates = UpdateNorms(parameters)
    assert [step for step in range(1, 600) if updates.is_due(step, cost)] == [256, 512]
    updates.begin([0])
    updates.end(cost)
    assert [step for step in range(1, 600) if updates.is_due(step, cost)] == [256, 512], "nothing is left"
    cost.left = 1.0
    assert all(updates.is_due(step, cost) for step in range(1, 10))
    cost.skips = 7
    assert not any(updates.is_due(step, cost) for step in range(1, 600))


def test_only_so_many_elements_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.recording.flight.update_norms.MOST_COPIED", 10)
    parameters, tensors = GradientNorms(), [torch.zeros(size, requires_grad=True) for size in (8, 4, 2)]
    for number, tensor in enumerate(tensors):
        parameters.add(tensor, str(number))
    updates = UpdateNorms(parameters)
    updates.begin([0, 1, 2])
    with torch.no_grad():
        for tensor in tensors:
            tensor.add_(3.0)
    found = updates.end(CostControl(1.0))
    assert found is not None
    ((positions, norms),) = found.parts
    assert positions == (0, 2) and norms.tolist() == pytest.approx([3.0 * 8**0.5, 3.0 * 2**0.5])
    assert updates.end(CostControl(1.0)) is None


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("HypotBackward", "(did you mean HypotBackward0"),
        ("bdy", "(did you mean body"),
        ("nonsense", "has this name\n"),
        ("HypotBackward0", None),
        ("body", None),
        ("body.weight", None),
        ("nan", None),
    ],
)
def test_a_name_that_nothing_has_is_told(wanted: str, said: str | None, capfd: pytest.CaptureFixture[str]) -> None:
    recorded(Training(), 5, None, stop=BreakPoint(wanted))
    told = capfd.readouterr().err
    assert (told == "") == (said is None), told
    assert said is None or (f"--break {wanted}: no parameter" in told and said in told), told


@pytest.mark.parametrize("size", [1e-25, 1e-18, 1e18, 1e25])
def test_norms_at_modules_whose_squares_are_no_float32(size: float) -> None:
    model, arrived = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)), list[float]()
    optimizer = torch.optim.SGD(model.parameters(), 0.0)

    def train() -> None:
        out = model(torch.ones(5, 4))
        out.register_hook(lambda gradient: arrived.append(gradient.double().norm().item()))
        (out * size).sum().backward()
        optimizer.step()

    found = middles(recorded(train, 6, "nodes"), "module")
    assert found["2"][WATCHED:] == pytest.approx(arrived[WATCHED:], rel=1e-5)
    assert all(0 < (norm or 0.0) < 1e38 for its in found.values() for norm in its[WATCHED:])


def test_a_generator_that_runs_before_its_discriminator_has_outputs() -> None:
    torch.manual_seed(0)
    generator, critic = nn.Sequential(nn.Linear(3, 4), nn.Tanh()), nn.Sequential(nn.Linear(4, 1))
    optimizers, truth = [torch.optim.SGD(model.parameters(), 0.1) for model in (generator, critic)], list[float]()

    def train() -> None:
        generator(torch.ones(2, 3))  # whose graph is never used
        fake = generator(torch.randn(6, 3))
        truth.append(fake.norm().item())
        critic(fake.detach()).mean().backward()
        optimizers[1].step()
        critic(fake).mean().backward()
        optimizers[0].step()

    timeline = recorded(train, 12, "modules")
    (found,) = [
        column["middle"]
        for column in timeline["columns"]
        if column["kind"] == "output" and column["name"].endswith("1")
    ]
    assert found[WATCHED:] == pytest.approx(truth[WATCHED:], rel=1e-5)


def test_two_recordings_of_a_gan_have_the_numbers_of_their_models() -> None:
    torch.manual_seed(0)
    models = {
        "generator": nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)),
        "critic": nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)),
    }
    generator, critic = models.values()
    optimizers = {name: torch.optim.Adam(model.parameters()) for name, model in models.items()}
    truth: dict[str, list[tuple[float, ...]]] = {name: [] for name in models}

    def step(name: str, loss: torch.Tensor) -> None:
        models[name].zero_grad()
        loss.backward()
        grads = [parameter.grad for parameter in models[name].parameters() if parameter.grad is not None]
        truth[name].append((loss.item(), *(grad.norm().item() for grad in grads)))
        optimizers[name].step()

    with (
        inspector.watch(generator, optimizers["generator"], budget=1.0) as one,
        inspector.watch(critic, optimizers["critic"], budget=1.0) as other,
    ):
        for _ in range(30):
            fake = generator(torch.randn(6, 3))
            step("critic", critic(fake.detach()).mean() - critic(torch.randn(6, 2)).mean())
            step("generator", -critic(fake).mean())
    for name, flight in (("generator", one), ("critic", other)):
        timeline = flight.report().timeline
        assert timeline is not None and timeline["steps"] == 30 and not timeline["triggers"]
        numbers = [column["middle"] for column in timeline["columns"] if column["kind"] in ("root", "gradient")]
        for column, true in zip(numbers, zip(*truth[name], strict=True), strict=True):
            assert column == pytest.approx(true, rel=1e-5)
        at = {kind: {column["name"] for column in timeline["columns"] if column["kind"] == kind} for kind in KINDS}
        assert at["module"] == at["output"], "a module has one name"
