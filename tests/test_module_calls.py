"""Modules by identity: named by the script's variables, with their passes, and containers that nobody calls."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import inspector
from inspector.folding import fold
from inspector.graph import Graph
from inspector.graph.saved_memory import saved_memory


def modules(graph: Graph) -> Counter[tuple[Any, tuple[int, ...]]]:
    """(module, passes) of every function but AccumulateGrad; passes are 1 where the row has none."""
    found: Counter[tuple[Any, tuple[int, ...]]] = Counter()
    for _, function in graph.functions():
        if not function["is_leaf"]:
            module = function["module"]
            names = module.split(".") if module else []
            found[module, tuple(function.get("passes", [1] * len(names)))] += 1
    return found


def names(graph: Graph) -> set[Any]:
    return {module for module, _ in modules(graph)}


def boxes(graph: Graph) -> dict[str, int]:
    """Label → number of equal parts."""
    return {node["name"]: node["count"] for _, node in graph.folds()}


def back(graph: Graph) -> int:
    return sum(edge["back"] for _, _, edge in graph.edges("flow"))


def perceptron(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for one, other in itertools.pairwise(sizes):
        layers += [nn.Linear(one, other), nn.Tanh()]
    return nn.Sequential(*layers)


@pytest.fixture(params=["full", "light"])
def mode(request: Any) -> Any:
    return request.param


def test_two_models_are_named_by_their_variables(mode: Any) -> None:
    G, D = perceptron(4, 8, 6), perceptron(6, 8, 1)
    with inspector.record(mode=mode) as recording:
        (D(torch.ones(3, 6)).mean() - D(G(torch.ones(3, 4))).mean()).backward()
    graph = recording.calls[0].graph
    passes = {(module, number) for module, number in modules(graph) if module is not None}
    assert passes == {
        *((f"D.{layer}", (number, number)) for layer in range(4) for number in (1, 2)),
        *((f"G.{layer}", (1, 1)) for layer in range(4)),
    }
    drawn = boxes(fold(graph))
    assert {"D.0, pass 1 of 2", "D.0, pass 2 of 2", "D.2, pass 2 of 2", "G.0", "G.2"} <= drawn.keys()
    kept = saved_memory(graph)
    assert kept is not None and kept.modules.keys() == {"D.*", "G.*"}


def test_each_part_of_a_parameter_is_in_the_box_of_its_own_module() -> None:
    class Coder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.gru = nn.Embedding(7, 4), nn.GRU(4, 4)

        def forward(self, tokens: torch.Tensor, hidden: Any = None) -> Any:
            return self.gru(self.embedding(tokens), hidden)

    encoder, decoder = Coder(), Coder()
    tokens = torch.ones(3, 2, dtype=torch.long)
    with inspector.record() as recording:
        decoder(tokens, encoder(tokens)[1])[0].sum().backward()
    graph = recording.calls[0].graph
    view = fold(graph, 2)
    drawn = {node["name"]: node["parameters"] for _, node in view.folds()}
    assert drawn["encoder.embedding"] == drawn["decoder.embedding"] == 1
    assert not back(fold(graph))


def test_one_model_that_is_called_once_needs_no_variable(mode: Any) -> None:
    model, criterion = perceptron(3, 3, 3), nn.MSELoss()
    with inspector.record(mode=mode) as recording:
        criterion(model(torch.ones(2, 3)), torch.ones(2, 3)).backward()
    assert names(recording.calls[0].graph) == {"0", "1", "2", "3", "criterion"}


def test_one_model_that_is_called_twice_has_passes(mode: Any) -> None:
    model = perceptron(3, 3, 3)
    with inspector.record(mode=mode) as recording:
        (model(torch.ones(2, 3)) * model(torch.zeros(2, 3))).sum().backward()
    graph = recording.calls[0].graph
    found = {key for key in modules(graph) if key[0] is not None}
    assert found == {(f"model.{layer}", (number, number)) for layer in range(4) for number in (1, 2)}
    assert {"model, pass 1 of 2", "model, pass 2 of 2"} == boxes(fold(graph, 1)).keys()


def test_parts_of_a_model_that_are_called_by_themselves_have_their_path_in_it(mode: Any) -> None:
    class VAE(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = perceptron(4, 4), perceptron(4, 4)

    vae = VAE()
    with inspector.record(mode=mode) as recording:
        vae.decoder(vae.encoder(torch.ones(2, 4))).sum().backward()
    assert names(recording.calls[0].graph) == {None, "encoder.0", "encoder.1", "decoder.0", "decoder.1"}


def test_modules_without_a_name_are_told_apart() -> None:
    def loss() -> torch.Tensor:
        one, other = nn.Linear(2, 2), nn.Linear(2, 2)
        return other(one(torch.ones(1, 2))).sum()

    with inspector.record() as recording:
        loss().backward()
    assert names(recording.calls[0].graph) == {None, "(Linear 1)", "(Linear 2)"}


def test_modules_in_a_list_are_named_by_their_place() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(2, 2) for _ in range(3)]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                x = layer(x)
            return x

    model = Net()
    with inspector.record() as recording:
        model(torch.ones(1, 2)).sum().backward()
    assert names(recording.calls[0].graph) == {None, "layers[0]", "layers[1]", "layers[2]"}


def test_a_shared_module_is_where_it_is_called() -> None:
    class Block(nn.Module):
        def __init__(self, act: nn.Module) -> None:
            super().__init__()
            self.act, self.linear = act, nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(self.act(self.linear(x)))

    act = perceptron(2, 2)
    model = nn.Sequential(Block(act), Block(act))
    with inspector.record() as recording:
        model(torch.ones(1, 2)).sum().backward()
    graph = recording.calls[0].graph
    found = {module for module in names(graph) if module and ".act." in module}
    assert found == {"0.act.0", "0.act.1", "1.act.0", "1.act.1"}
    assert not back(fold(graph, 1)) and boxes(fold(graph, 1)).keys() == {"0", "1"}


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mlp = nn.LayerNorm(4), perceptron(4, 8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.mlp(self.norm(x))


class GPT(nn.Module):
    """The members of a dict and a list that are never called themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(5, 4),
                "h": nn.ModuleList(Block() for _ in range(6)),
                "ln_f": nn.LayerNorm(4),
            }
        )
        self.lm_head = nn.Linear(4, 5)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.transformer["wte"](tokens)
        for block in self.transformer["h"]:  # type: ignore[union-attr]
            x = block(x)
        return F.cross_entropy(self.lm_head(self.transformer["ln_f"](x)), tokens)


def test_a_container_that_is_never_called_is_no_box(mode: Any) -> None:
    model = GPT()
    with inspector.record(mode=mode) as recording:
        model(torch.tensor([1, 2, 3])).backward()
    graph = recording.calls[0].graph
    assert modules(graph)["transformer.h.2.norm", (0, 0, 1, 1)] == 1
    closed = boxes(fold(graph, 1))
    assert closed["transformer.h.0\N{EN DASH}5"] == 6 and "lm_head" in closed
    assert not {"transformer", "transformer.h"} & closed.keys()
    drawn = boxes(fold(graph))
    assert drawn["transformer.h.0\N{EN DASH}4"] == 5 and "transformer.h.5.mlp" not in drawn  # it is open


def test_a_plain_holder_is_no_box_either() -> None:
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = perceptron(3, 3), perceptron(3, 3)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = Holder()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.parts.one(x) * self.parts.other(x)

    net = Net()
    with inspector.record() as recording:
        net(torch.ones(2, 3)).sum().backward()
    assert {"parts.one", "parts.other"} <= boxes(fold(recording.calls[0].graph, 1)).keys()


def test_equal_branches_of_a_loop_are_one_stack_for_each_line() -> None:
    policy = perceptron(3, 4, 2)
    kept = []
    with inspector.record() as recording:
        for _ in range(24):
            kept.append(policy(torch.randn(3)).log_softmax(-1)[0])
        losses = []
        for one in kept:
            losses.append(-one * 2)
        torch.stack(losses).sum().backward()
    graph = recording.calls[0].graph
    view = fold(graph)
    drawn = boxes(view)
    stacks = {label: count for label, count in drawn.items() if count > 1}
    assert {count for label, count in stacks.items() if label.startswith("line ")} == {24}
    assert any("losses.append(-one * 2)" in label for label in stacks)
    assert stacks["policy, pass 2\N{EN DASH}24 of 24"] == 23
    assert boxes(fold(graph, 1))["policy, 24 passes"] == 24
    assert not any(node["why"] == "joined" for _, node in view.folds())
    assert not back(view)


class Attention(nn.Module):
    """Twelve functions and more in a forward of five lines."""

    def __init__(self) -> None:
        super().__init__()
        self.W, self.a = nn.Parameter(torch.rand(6, 6)), nn.Parameter(torch.rand(6, 2))

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        h = F.leaky_relu(h @ self.W).reshape(2, 3, -1)
        ends = (h.transpose(0, 1).reshape(3, -1) @ self.a.repeat(1, 1)).exp().log1p()
        scores = (ends[:, :1] + ends[:, 1:].mT).tanh() * 2
        weights = scores.masked_fill(torch.eye(3).bool(), -1e9).softmax(-1)
        return (weights @ h).permute(1, 0, 2).reshape(3, -1).sigmoid()


def test_the_lines_of_a_module_are_boxes() -> None:
    one, two = Attention(), Attention()
    with inspector.record() as recording:
        two(one(torch.ones(3, 6))).sum().backward()
    drawn = boxes(fold(recording.calls[0].graph))
    assert any(label.startswith("scores = (ends[:, :1]") for label in drawn)
    assert any(label.startswith("weights = scores.masked_fill") for label in drawn)


class Field(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 2))

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return self.net(y**3)


def solved(field: nn.Module, y: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """Nine steps of the method of Runge and Kutta."""
    solution = [y]
    for _ in range(9):
        k1 = field(y)
        k2 = field(y + h * k1 / 2)
        k3 = field(y + h * k2 / 2)
        k4 = field(y + h * k3)
        y = y + h * (k1 + 2 * k2 + 2 * k3 + k4) / 6
        solution.append(y)
    return torch.stack(solution)


def test_stages_of_a_solver_that_feed_each_other_are_in_no_cycle() -> None:
    """Each stage of a step uses all earlier ones: neither they nor the steps are one after the other."""
    field = Field()
    with inspector.record() as recording:
        solved(field, torch.ones(1, 2), torch.tensor(0.1)).abs().mean().backward()
    view = fold(recording.calls[0].graph)
    assert not back(view)
    assert 12 <= sum(not node["is_leaf"] for _, node in view.functions()) + len(boxes(view)) <= 40


def test_stacks_that_would_be_in_a_cycle_are_taken_apart() -> None:
    """Blocks and norms alternate: neither all blocks nor all norms come first."""
    blocks, norms = [perceptron(3, 3) for _ in range(4)], [nn.LayerNorm(3) for _ in range(4)]
    x = torch.ones(2, 3, requires_grad=True)
    with inspector.record() as recording:
        for block, norm in zip(blocks, norms, strict=True):
            x = norm(block(x)) * 2
        x.sum().backward()
    for depth in ("auto", 1, 2):
        assert not back(fold(recording.calls[0].graph, depth)), depth


def test_a_step_says_of_which_loop() -> None:
    w = torch.ones(3, requires_grad=True)
    h = torch.ones(3)
    with inspector.record() as recording:
        for _ in range(12):
            h = torch.tanh(h * w)
            h = h.sin() + h.cos()
        h.sum().backward()
    labels = boxes(fold(recording.calls[0].graph, 1))
    first = test_a_step_says_of_which_loop.__code__.co_firstlineno + 5
    assert f"lines {first}\N{EN DASH}{first + 1}, step 2\N{EN DASH}12" in labels


def test_auto_never_shows_a_single_box() -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = perceptron(*[4] * 30)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x).sum()

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.outer = Wrapped()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.outer(x)

    model = Twice()
    with inspector.record() as recording:
        model(torch.ones(2, 4)).backward()
    shown = [node for _, node in fold(recording.calls[0].graph).nodes() if node["kind"] != "tensor"]
    assert len(shown) > 3


def test_an_iteration_is_in_no_cycle_with_what_is_between_its_parts() -> None:
    """The projection of all inputs at once is between the weight and the first step of a GRU."""
    gru = nn.GRU(3, 3)
    with inspector.record() as recording:
        gru(torch.randn(5, 2, 3, requires_grad=True))[0].sum().backward()
    for depth in ("auto", 1, 2):
        assert not back(fold(recording.calls[0].graph, depth)), depth


# Variants: what real programs do with modules


def recorded(program: Callable[[], torch.Tensor], mode: Any = "full") -> Graph:
    """The graph of a loss, whose program runs in a function of its own."""
    with inspector.record(mode=mode) as recording:
        program().backward()
    return recording.calls[0].graph


def leaves(graph: Graph) -> set[str]:
    return {str(row["name"]) for _, row in graph.tensors() if row["is_leaf"] and row["requires_grad"]}


def test_models_of_a_list_and_the_variable_of_a_loop_over_it(mode: Any) -> None:
    """After the loop, `member` is still the last model: it has the name that its siblings have."""
    ensemble = [perceptron(3, 4) for _ in range(3)]
    votes = []
    with inspector.record(mode=mode) as recording:
        for member in ensemble:
            votes.append(member(torch.ones(2, 3)))
        torch.stack(votes).sum().backward()
    graph = recording.calls[0].graph
    assert names(graph) - {None} == {f"ensemble[{index}].{layer}" for index in range(3) for layer in (0, 1)}
    assert leaves(graph) == {f"ensemble[{index}].0.{name}" for index in range(3) for name in ("weight", "bias")}


def test_the_variable_of_a_loop_over_named_models() -> None:
    G, D = perceptron(3, 3), perceptron(3, 1)
    for net in (G, D):
        net.train()
    with inspector.record() as recording:
        D(G(torch.ones(2, 3))).sum().backward()
    assert names(recording.calls[0].graph) - {None} == {"G.0", "G.1", "D.0", "D.1"}


def test_models_in_a_dict() -> None:
    nets = {"actor": perceptron(3, 2), "critic": perceptron(3, 1)}
    with inspector.record() as recording:
        (nets["actor"](torch.ones(1, 3)).sum() * nets["critic"](torch.ones(1, 3)).sum()).backward()
    found = names(recording.calls[0].graph) - {None}
    assert found == {f"nets['{name}'].{layer}" for name in nets for layer in (0, 1)}


def test_models_that_share_a_trunk() -> None:
    """The trunk is in the box of the model that calls it; its passes are those through that model."""

    class Headed(nn.Module):
        def __init__(self, trunk: nn.Module, out: int) -> None:
            super().__init__()
            self.trunk, self.out = trunk, nn.Linear(4, out)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.trunk(x))

    trunk = perceptron(4, 4)
    generator, critic = Headed(trunk, 4), Headed(trunk, 1)
    with inspector.record() as recording:
        (critic(generator(torch.ones(2, 4))).mean() - critic(torch.ones(2, 4)).mean()).backward()
    graph = recording.calls[0].graph
    found = {(module, passes[0]) for module, passes in modules(graph) if module and "trunk.0" in module}
    assert found == {("generator.trunk.0", 1), ("critic.trunk.0", 1), ("critic.trunk.0", 2)}
    assert {name for name in leaves(graph) if "trunk" in name} == {
        "generator.trunk.0.weight",
        "generator.trunk.0.bias",
    }


def test_an_averaged_teacher_that_makes_targets_takes_no_part(mode: Any) -> None:
    student, teacher = perceptron(3, 3, 2), perceptron(3, 3, 2)
    with inspector.record(mode=mode) as recording:
        with torch.no_grad():
            target = teacher(torch.ones(2, 3))
        (student(torch.ones(2, 3)) - target).pow(2).sum().backward()
    assert names(recording.calls[0].graph) - {None} == {f"student.{layer}" for layer in range(4)}


class Sliced(nn.Module):
    """Calls parts of a sequence: each slice is a new module, of which the script keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.features = perceptron(3, 3, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        early = self.features[:2](x)
        return self.features[2:](early).sum() + early.sum()

    def stem(self, x: torch.Tensor) -> torch.Tensor:
        return self.features[:4](x).sum()


def test_a_slice_of_a_sequence_is_no_module_of_its_own(mode: Any) -> None:
    net = Sliced()
    graph = recorded(lambda: net(torch.ones(2, 3)), mode)
    assert names(graph) - {None} == {"", *(f"features.{layer}" for layer in range(6))}
    assert not any("pass" in label or "(" in label for label in boxes(fold(graph, 1)))


def test_a_slice_that_is_called_outside_of_a_forward(mode: Any) -> None:
    net = Sliced()
    with inspector.record(mode=mode) as recording:
        net.stem(torch.ones(2, 3)).backward()
    graph = recording.calls[0].graph
    assert names(graph) - {None} == {f"features.{layer}" for layer in range(4)}
    assert leaves(graph) == {f"features.{layer}.{name}" for layer in (0, 2) for name in ("weight", "bias")}


def test_a_sequence_that_is_made_for_one_call() -> None:
    encoder, decoder = perceptron(3, 2), perceptron(2, 3)
    with inspector.record() as recording:
        nn.Sequential(encoder, decoder)(torch.ones(2, 3)).sum().backward()
    assert names(recording.calls[0].graph) - {None} == {"encoder.0", "encoder.1", "decoder.0", "decoder.1"}


def test_a_sequence_of_layers_that_nothing_else_holds() -> None:
    graph = recorded(lambda: nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))(torch.ones(2, 3)).sum())
    assert names(graph) == {None, "0", "1"}


def test_a_list_with_a_forward_of_its_own_is_a_box() -> None:
    class Cascade(nn.ModuleList):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self:
                x = x + layer(x)
            return x

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = (Cascade(nn.Linear(3, 3) for _ in range(4)) for _ in range(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.two(self.one(x).relu()).sum()

    net = Net()
    graph = recorded(lambda: net(torch.ones(2, 3)))
    assert {"one", "two"} <= boxes(fold(graph, 1)).keys()


def test_members_of_a_sequence_that_is_only_iterated() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = perceptron(*[3] * 7)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            kept = []
            for index, layer in enumerate(self.features):
                x = layer(x)
                if index % 4 == 1:
                    kept.append(x.mean())
            return torch.stack(kept).sum()

    net = Net()
    graph = recorded(lambda: net(torch.ones(2, 3)))
    closed = boxes(fold(graph, 1))
    assert "features" not in closed and any(label.startswith("features.") for label in closed)


def test_heads_of_a_dict_that_is_never_called() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = perceptron(3, 4)
            self.heads = nn.ModuleDict({"depth": nn.Linear(4, 1), "label": perceptron(4, 4, 2)})

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = self.body(x)
            return sum((head(hidden).sum() for head in self.heads.values()), torch.zeros(()))

    net = Net()
    graph = recorded(lambda: net(torch.ones(2, 3)))
    assert ("heads.depth", (0, 1)) in modules(graph) and ("heads.label.2", (0, 1, 1)) in modules(graph)
    assert "heads" not in boxes(fold(graph, 1))


def test_holders_within_holders() -> None:
    class Stage(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(2))
            self.scales = nn.ParameterList(nn.Parameter(torch.ones(3)) for _ in range(2))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stages = nn.ModuleList(Stage() for _ in range(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for stage in self.stages:
                for layer, scale in zip(stage.layers, stage.scales, strict=True):
                    x = layer(x).tanh() * scale
            return x.sum()

    net = Net()
    graph = recorded(lambda: net(torch.ones(2, 3)))
    called = {module for module in names(graph) if module}
    assert called == {f"stages.{stage}.layers.{layer}" for stage in (0, 1) for layer in (0, 1)}
    assert {"stages.0.scales.0", "stages.1.scales.1"} <= leaves(graph)
