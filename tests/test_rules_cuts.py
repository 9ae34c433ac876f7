"""Rules on tensors that left the graph: no-graph, rewrapped-loss, rebound-leaf, detached, non-leaf-tensor."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

import inspector
from inspector.report import Finding


def findings(run: Callable[[], Any]) -> list[Finding]:
    """What is said, as warning or error, of a function that may raise torch's error."""
    torchs_own = contextlib.suppress(RuntimeError, TypeError, ValueError, AttributeError)
    with inspector.record() as recording, torchs_own:
        run()
    assert recording.failure is None
    return [finding for finding in recording.findings if finding.severity != "note"]


def only(run: Callable[[], Any], rule: str) -> Finding:
    (finding,) = findings(run)
    assert finding.rule == rule
    return finding


class Tower(nn.Module):
    """An encoder whose output is changed on its way to the head."""

    def __init__(self, way: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.head, self.way = nn.Linear(3, 4), nn.Linear(4, 1), way

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.way(self.encoder(x)))


def train(model: nn.Module, steps: int = 2) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()


WAYS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "detach": lambda h: h.detach(),
    "data": lambda h: h.data * 2,
    "numpy": lambda h: torch.from_numpy(h.detach().numpy()),
    "tensor": lambda h: h.clone().detach(),
    "item": lambda h: torch.ones(2, 4) * h.sum().item(),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_encoder_behind_a_cut_is_detached(way: str) -> None:
    finding = only(lambda: train(Tower(WAYS[way])), "detached")
    assert sorted(finding.parameters) == sorted(["encoder.weight", "encoder.bias"])
    assert f'"{way}": ' in finding.location["code"]
    assert finding.backward_call == 1


def test_a_part_that_runs_without_gradients_is_put_down_to_the_line_that_turned_them_off() -> None:
    class Frozen(Tower):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                h = torch.relu(self.encoder(x))
            return self.head(h)

    finding = only(lambda: train(Frozen(torch.relu)), "detached")
    assert finding.location["code"] == "with torch.no_grad():"
    assert sorted(finding.parameters) == sorted(["encoder.weight", "encoder.bias"])


def test_a_decorated_function_is_where_gradients_are_turned_off() -> None:
    @torch.no_grad()
    def encode(encoder: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return encoder(x)

    class Decorated(Tower):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(encode(self.encoder, x))

    finding = only(lambda: train(Decorated(torch.relu)), "detached")
    assert finding.location["code"].startswith("@torch.no_grad()")


def healthy() -> Iterator[tuple[str, Callable[[], Any]]]:
    def logs_its_loss() -> None:
        model = Tower(torch.relu)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loss = model(torch.ones(2, 3)).sum()
        print(loss.item(), loss.detach().numpy())
        loss.backward()
        optimizer.step()

    def frozen_that_no_optimizer_holds() -> None:
        model = Tower(torch.detach)
        optimizer = torch.optim.SGD(model.head.parameters(), lr=0.1)
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()

    def two_players() -> None:
        generator, critic = nn.Linear(3, 3), nn.Linear(3, 1)
        first = torch.optim.SGD(critic.parameters(), lr=0.1)
        second = torch.optim.SGD(generator.parameters(), lr=0.1)
        critic(generator(torch.ones(2, 3)).detach()).mean().backward()
        first.step()
        critic(generator(torch.ones(2, 3))).mean().backward()
        second.step()

    def the_other_players_turn_is_not_watched() -> None:
        generator, critic = nn.Linear(3, 3), nn.Linear(3, 1)
        first = torch.optim.SGD(critic.parameters(), lr=0.1)
        torch.optim.SGD(generator.parameters(), lr=0.1)
        for _ in range(3):
            first.zero_grad()
            critic(generator(torch.ones(2, 3)).detach()).mean().backward()
            first.step()

    def straight_through() -> None:
        train(Tower(lambda h: h + (h.round() - h).detach()))

    def updates_in_place() -> None:
        w = torch.tensor(1.0, requires_grad=True)
        for _ in range(3):
            (w * 2).backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
                w.grad = None

    def makes_a_new_leaf_of_each_update() -> None:
        w = torch.tensor(1.0, requires_grad=True)
        for _ in range(3):
            (w * 2).backward()
            w = (w - 0.1 * w.grad).detach().requires_grad_()

    def starts_at_a_leaf() -> None:
        x = torch.tensor(2.0, requires_grad=True)
        x.backward()

    def retains_its_grad() -> None:
        x = torch.tensor(2.0, requires_grad=True)
        y = x * 2
        y.retain_grad()
        (y * 3).backward()
        assert y.grad is not None

    def tied() -> None:
        """A weight that was initialised by `.data` and then thrown away for a tied one; nothing steps."""
        encoder, decoder = nn.Embedding(5, 3), nn.Linear(3, 5)
        decoder.weight.data = decoder.weight.data * 2
        decoder.weight = encoder.weight
        decoder(encoder(torch.tensor([1, 2]))).sum().backward()

    for run in (
        logs_its_loss,
        frozen_that_no_optimizer_holds,
        two_players,
        the_other_players_turn_is_not_watched,
        straight_through,
        updates_in_place,
        makes_a_new_leaf_of_each_update,
        starts_at_a_leaf,
        retains_its_grad,
        tied,
    ):
        yield run.__name__, run


@pytest.mark.parametrize("run", [run for _, run in healthy()], ids=[name for name, _ in healthy()])
def test_healthy_is_silent(run: Callable[[], Any]) -> None:
    assert findings(run) == []


def test_what_cut_a_root_off_is_named() -> None:
    model = nn.Linear(3, 4)

    def run() -> None:
        loss = model(torch.ones(2, 3)).argmax(1).float().mean()
        loss.backward()

    finding = only(run, "no-graph")
    assert finding.location["code"] == "loss = model(torch.ones(2, 3)).argmax(1).float().mean()"
    assert sorted(finding.parameters) == sorted(["weight", "bias"])
    assert finding.evidence == {"kind": "integer"}


def test_where_nothing_needs_a_gradient_the_tensor_whose_grad_is_asked_for_is_named() -> None:
    def run() -> None:
        coefficients = torch.ones(3)
        loss = (coefficients**2).sum()
        loss.backward()
        coefficients -= coefficients.grad

    finding = only(run, "no-graph")
    assert finding.parameters == ["coefficients"]
    assert finding.location["code"] == "loss.backward()"


@pytest.mark.filterwarnings("ignore:To copy construct")
def test_a_loss_that_was_wrapped_again() -> None:
    def run() -> None:
        model = nn.Linear(3, 1)
        loss = model(torch.ones(2, 3)).sum()
        loss = torch.tensor(loss, requires_grad=True)
        loss.backward()

    finding = only(run, "rewrapped-loss")
    assert finding.location["code"] == "loss = torch.tensor(loss, requires_grad=True)"
    assert sorted(finding.parameters) == sorted(["weight", "bias"])


def test_a_cut_loss_that_was_made_to_need_a_gradient() -> None:
    def run() -> None:
        model = nn.Linear(3, 1)
        loss = model(torch.ones(2, 3)).sum().detach()
        loss.requires_grad = True
        loss.backward()

    assert only(run, "rewrapped-loss").location["code"] == "loss.requires_grad = True"


def test_a_name_that_was_given_to_the_result_of_an_update() -> None:
    def run() -> None:
        w = torch.tensor(1.0, requires_grad=True)
        for _ in range(2):
            loss = (w * 2) ** 2
            loss.backward()
            with torch.no_grad():
                w = w - 0.1 * w.grad

    finding = only(run, "rebound-leaf")
    assert finding.parameters == ["w"]
    assert finding.location["code"] == "w = w - 0.1 * w.grad"


@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_a_parameter_that_an_operation_made() -> None:
    def run() -> None:
        w = torch.ones(3, requires_grad=True) * 0.1
        w.sum().backward()
        w -= w.grad

    finding = only(run, "non-leaf-tensor")
    assert finding.parameters == ["w"]
    assert finding.location["code"] == "w = torch.ones(3, requires_grad=True) * 0.1"


def test_a_tensor_that_an_optimizer_refused() -> None:
    def run() -> None:
        latent = torch.ones(3, requires_grad=True).clamp(-2, 2)
        torch.optim.SGD([latent], lr=0.1)

    finding = only(run, "non-leaf-tensor")
    assert finding.parameters == ["latent"]
    assert finding.location["code"] == "latent = torch.ones(3, requires_grad=True).clamp(-2, 2)"
    assert "retain_grad" not in finding.advice  # which would not make it a leaf


def test_a_tensor_that_was_computed_once_harms_the_leaf_behind_it() -> None:
    def run() -> None:
        log_scale, weight = torch.zeros(3, requires_grad=True), torch.ones(3, requires_grad=True)
        scale = log_scale.exp()
        optimizer = torch.optim.SGD([log_scale, weight], lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (scale * weight).square().sum().backward(retain_graph=True)
            optimizer.step()

    found = only(run, "non-leaf-tensor")
    assert found.message.startswith("scale was computed once") and found.parameters == ["log_scale"]


def test_a_length_that_was_made_an_integer() -> None:
    torch.manual_seed(0)
    length, layer = nn.Linear(4, 1), nn.Linear(4, 4)
    optimizer = torch.optim.SGD([*length.parameters(), *layer.parameters()], lr=0.1)

    def run(used: bool = False) -> None:
        x = torch.randn(10, 4)
        share = length(x.mean(0)).sigmoid()
        count = share.mul(9).long() + 1
        loss = layer(x)[:count].pow(2).mean()
        (loss * share.sum() if used else loss).backward()
        optimizer.step()

    found = only(run, "detached")
    assert found.message.startswith("share.mul(9) is converted to integers here")
    assert found.location["code"] == "count = share.mul(9).long() + 1"
    assert len(found.parameters) == 2
    assert findings(lambda: run(used=True)) == []


def test_a_comparison_of_a_nameless_tensor_has_its_text() -> None:
    layer = nn.Linear(2, 1)

    def run() -> None:
        loss = ((layer(torch.ones(3, 2)) < 0) == torch.ones(3, 1)).float().mean()
        loss.backward()

    assert " < 0 is a comparison, which has no derivative" in only(run, "no-graph").message


class Wrapped(nn.Module):
    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight


def test_a_tensor_that_is_wrapped_in_a_parameter_is_cut() -> None:
    torch.manual_seed(0)
    make, scale = nn.Linear(2, 3), nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([*make.parameters(), scale], lr=0.1)

    def run() -> None:
        made = make(torch.ones(1, 2))
        (Wrapped(made)(torch.ones(3)) * scale).sum().backward()
        optimizer.step()

    found = only(run, "detached")
    assert found.evidence["kind"] == "parameter" and set(found.parameters) == {"weight", "bias"}


GAIN = torch.ones(3, requires_grad=True)


def made_by_a_function() -> torch.Tensor:
    return nn.Parameter(data=GAIN.exp())


class Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.ParameterList([nn.Parameter(torch.ones(3) * GAIN)])

    def forward(self) -> torch.Tensor:
        return self.rows[0]


def replaced_weight() -> torch.Tensor:
    layer = nn.Linear(3, 1)
    layer.weight = nn.Parameter(layer.weight.detach() + GAIN)
    return layer(torch.ones(3))


WRAPS: dict[str, tuple[Callable[[], torch.Tensor], str | None]] = {
    "a temporary": (lambda: nn.Parameter(torch.ones(3) * GAIN), "torch.ones(3) * GAIN"),
    "a list": (lambda: next(nn.Parameter(row.detach() * GAIN) for row in torch.ones(2, 3)), "row.detach() * GAIN"),
    "a dict": (lambda: {"w": nn.Parameter(GAIN[:2])}["w"], "GAIN[:2]"),
    "a result": (made_by_a_function, "GAIN.exp()"),
    "a module's list": (lambda: Listed()(), "torch.ones(3) * GAIN"),
    "a replaced weight": (replaced_weight, "layer.weight.detach() + GAIN"),
    "torch's own": (lambda: nn.Embedding.from_pretrained(GAIN.view(3, 1) * 2, freeze=False).weight, None),
}


@pytest.mark.parametrize("way", WRAPS)
def test_an_expression_that_is_wrapped_in_a_parameter_is_cut(way: str) -> None:
    make, text = WRAPS[way]
    optimizer = torch.optim.SGD([GAIN], lr=0.1)

    def run() -> None:
        for _ in range(2):
            make().sum().backward()
            optimizer.step()

    found = only(run, "detached")
    assert found.evidence["kind"] == "parameter" and found.parameters == ["GAIN"]
    assert found.message.startswith(f"{text or 'a tensor'} is wrapped in an nn.Parameter here")
    assert (text or "from_pretrained") in found.location["code"]


def test_copied_and_reparametrised_weights_are_no_cut() -> None:
    old = nn.Linear(3, 3)
    new = torch.nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))
    optimizer = torch.optim.SGD([*old.parameters(), *new.parameters()], lr=0.1)

    def run() -> None:
        copied = nn.Parameter(old.weight.detach().clone())
        with torch.no_grad():
            halved = nn.Parameter(old.weight * 0.5)
        tied = nn.Parameter(old.weight)
        for _ in range(2):
            (new(old(torch.ones(2, 3))) @ (copied + halved + tied)).sum().backward()
            optimizer.step()

    assert [found.rule for found in findings(run) if found.rule == "detached"] == []


def test_a_parameter_made_of_numbers_is_no_cut() -> None:
    torch.manual_seed(0)
    make = nn.Linear(2, 3)

    def run() -> None:
        made = make(torch.ones(1, 2))
        (Wrapped(torch.ones(1, 3))(torch.ones(3)) + made.sum()).sum().backward()

    assert findings(run) == []


@pytest.mark.parametrize(
    ("term", "cut"),
    [
        (lambda w: w.square().sum().item(), False),  # a number, whose way into the sum is not seen
        (lambda w: w.data.square().sum(), True),
        (lambda w: w.square().sum(), False),
        (lambda w: torch.tensor(3.0), False),
    ],
)
def test_a_term_without_gradient_is_told_if_it_was_computed_from_trained_parameters(
    term: Callable[[torch.Tensor], Any], cut: bool
) -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def run() -> None:
        optimizer.zero_grad()
        (model(torch.ones(2, 3)).square().mean() + term(model.weight)).backward()
        optimizer.step()

    assert [finding.rule for finding in findings(run)] == ["cut-path"] * cut


def test_a_sample_that_a_log_prob_weighs_is_no_cut_path() -> None:
    model, critic = nn.Linear(3, 1), nn.Linear(1, 1)
    optimizer = torch.optim.SGD([*model.parameters(), *critic.parameters()], lr=0.1)

    def run(scored: bool) -> None:
        optimizer.zero_grad()
        policy = torch.distributions.Normal(model(torch.ones(2, 3)), 1.0)
        action = policy.sample()
        value = critic(action).mean()
        (value + (policy.log_prob(action) if scored else policy.mean).sum()).backward()
        optimizer.step()

    assert findings(lambda: run(True)) == []
    found = only(lambda: run(False), "cut-path")
    assert found.evidence["kind"] == "sample" and set(found.parameters) == {"model.weight", "model.bias"}


def test_actions_that_a_log_prob_scores_are_no_cut_path() -> None:
    """Whatever is computed from an action, and whether the critic's own optimizer steps now."""
    policy, critic = nn.Linear(3, 2), nn.Linear(3, 1)
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
    other = torch.optim.SGD(critic.parameters(), lr=0.1)

    def run(scored: bool) -> None:
        for step in range(2):
            x = torch.ones(4, 3)
            drawn = torch.distributions.Categorical(logits=policy(x))
            action = drawn.sample()
            reward, value = (action == 1).float(), critic(x).squeeze(1)
            score = drawn.log_prob(action) * (reward - value.detach()) if scored else drawn.entropy()
            optimizer.zero_grad()
            ((value - reward).square().mean() - score.mean()).backward()
            optimizer.step()
            if step == 1:
                other.step()

    assert findings(lambda: run(True)) == []
    assert only(lambda: run(False), "cut-path").evidence["kind"] == "integer"


class Kept:
    """What a step leaves for the next one."""

    def __init__(self) -> None:
        self.last, self.history = 0.0, [0.0]


def in_a_variable(other: nn.Linear, loss: Callable[[Any], None], x: torch.Tensor) -> None:
    last = 0.0
    for _ in range(3):
        loss(lambda base, last=last: base + 0.1 * last)  # type: ignore[misc]
        last = other(x).square().mean().item()


def in_an_average(other: nn.Linear, loss: Callable[[Any], None], x: torch.Tensor) -> None:
    average = 0.0
    for _ in range(3):
        loss(lambda base, average=average: base * average)  # type: ignore[misc]
        average = 0.9 * average + 0.1 * float(other(x).mean().detach())


def in_an_attribute(other: nn.Linear, loss: Callable[[Any], None], x: torch.Tensor) -> None:
    kept = Kept()
    for _ in range(3):
        loss(lambda base: base - kept.last)
        kept.last = other(x).mean().item()


def in_a_list(other: nn.Linear, loss: Callable[[Any], None], x: torch.Tensor) -> None:
    history = [1.0]
    for _ in range(3):
        loss(lambda base: base * (sum(history) / len(history)))
        history.append(other(x).mean().item())


def in_a_tensor(other: nn.Linear, loss: Callable[[Any], None], x: torch.Tensor) -> None:
    targets = [0.0, 0.0]
    for _ in range(3):
        loss(lambda base, targets=targets: base + (base - torch.tensor(targets)).square().mean())  # type: ignore[misc]
        targets = other(x).flatten().tolist()


def printed(other: nn.Linear, loss: Callable[[Any], None], x: torch.Tensor) -> None:
    for step in range(3):
        loss(lambda base: base)
        value = other(x).mean().item()
        assert f"{step}: {value:.3f}"


def collected(other: nn.Linear, loss: Callable[[Any], None], x: torch.Tensor) -> None:
    values = []
    for _ in range(3):
        loss(lambda base: 0.5 * base)
        values.append(other(x).mean().item())
    assert sum(values) / len(values) == sum(values) / 3


def compared(other: nn.Linear, loss: Callable[[Any], None], x: torch.Tensor) -> None:
    best, patience = float("inf"), 0.1
    for _ in range(3):
        loss(lambda base: base + patience)
        best = min(best, float(other(x).mean()))


def stepped_by(make: Callable[..., None]) -> Callable[[], None]:
    """A training of one layer, and what another one of the same optimizer computes after each step."""

    def run() -> None:
        torch.manual_seed(0)
        net, other, x = nn.Linear(3, 1), nn.Linear(3, 1), torch.ones(2, 3)
        optimizer = torch.optim.SGD([*net.parameters(), *other.parameters()], lr=0.1)

        def loss(of: Callable[[torch.Tensor], torch.Tensor]) -> None:
            optimizer.zero_grad()
            of(net(x).square().mean()).backward()
            optimizer.step()

        make(other, loss, x)

    return run


@pytest.mark.parametrize("make", [in_a_variable, in_an_average, in_an_attribute, in_a_list, in_a_tensor])
def test_a_number_of_the_step_before_that_the_next_loss_uses_is_a_cut(make: Callable[..., None]) -> None:
    found = only(stepped_by(make), "detached")
    assert "other(x)" in found.location["code"]
    assert sorted(found.parameters) == ["other.bias", "other.weight"]


@pytest.mark.parametrize("make", [printed, collected, compared])
def test_a_number_that_is_only_looked_at_is_no_cut(make: Callable[..., None]) -> None:
    only(stepped_by(make), "unreachable-parameter")  # which is true: only what is printed depends on it


def test_meanings_are_those_of_torchs_own_errors() -> None:
    from inspector.diagnosis.torch_errors import meaning_of

    leaf = torch.ones(2, requires_grad=True)

    def view() -> None:
        leaf[0] += 1

    refused: list[Callable[[], Any]] = [
        lambda: leaf.add_(1),
        view,
        (leaf * 2).backward,
        leaf.numpy,
        lambda: copy.deepcopy(leaf * 2),
        lambda: (0.0).backward(),  # type: ignore[attr-defined]
        lambda: torch.tensor([1], requires_grad=True),
    ]
    for run in refused:
        with pytest.raises((RuntimeError, AttributeError)) as raised:
            run()
        assert meaning_of(raised.value) is not None, raised.value
    assert meaning_of(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
