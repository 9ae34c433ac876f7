"""The parameters and modules of a report: torch's own lists and grads are the oracle."""

from __future__ import annotations

import gc
import json
import math
import weakref
from typing import Any

import jsonschema_rs
import pytest
import torch
from networks import NETWORKS, made
from torch import nn

import inspector
from inspector.report import load, schema, to_json


def rows_of(report: Any) -> dict[str, dict[str, Any]]:
    jsonschema_rs.Draft202012Validator(schema()).validate(json.loads(to_json(report)))
    return {row["name"]: row for row in report.inventory.parameters}


def del_(holder: Any, key: str) -> None:
    del holder[key]


def norm(tensor: torch.Tensor | None) -> Any:
    return None if tensor is None else pytest.approx(float(tensor.norm()), rel=1e-5)


@pytest.mark.parametrize("mode", ["full", "light", "none"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_parameters_are_those_of_torch(name: str, mode: Any) -> None:
    network = made(name)
    with inspector.record(network.model, mode=mode) as recording:
        network.loss().backward()
        first = {key: norm(parameter.grad) for key, parameter in network.model.named_parameters()}
        network.loss().backward()
    assert recording.failure is None
    rows = rows_of(recording.report())
    assert list(rows) == [key for key, _ in network.model.named_parameters()]
    for key, parameter in network.model.named_parameters():
        row = rows[key]
        assert (row["shape"], row["elements"]) == (list(parameter.shape), parameter.numel())
        assert (row["dtype"], row["requires_grad"]) == ("float32", True)
        assert [call["backward_call"] for call in row["calls"]] == [1, 2]
        assert (row["calls"][0]["before"], row["calls"][0]["after"]) == (None, first[key])
        assert (row["calls"][1]["before"], row["calls"][1]["after"]) == (first[key], norm(parameter.grad))
        for call, seen in zip(row["calls"], recording.calls, strict=True):
            assert seen.graph[call["tensor"]]["name"] == key
    modules = recording.report().inventory.modules
    assert [(row["name"], row["class"], row["elements"]) for row in modules] == [
        (key, type(module).__name__, sum(map(torch.numel, module.parameters(recurse=False))))
        for key, module in network.model.named_modules()
    ]


def test_a_model_names_its_parameters_whatever_the_variables_are_called() -> None:
    layer = nn.Linear(2, 1)
    model = nn.Sequential(layer, nn.Tanh())
    other = nn.Linear(3, 3)
    weight = layer.weight
    with inspector.record(model) as recording:
        model(torch.rand(4, 2)).sum().backward()
    leaves = [row for _, row in recording.calls[0].graph.tensors() if row["is_leaf"] and row["requires_grad"]]
    names = {row["name"] for row in leaves}
    assert names == {"0.weight", "0.bias"}
    assert list(rows_of(recording.report())) == ["0.weight", "0.bias"]
    assert weight is layer.weight and other is not None


@pytest.mark.parametrize("as_list", [True, False])
def test_several_models(as_list: bool) -> None:
    generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)
    models = [generator, critic] if as_list else {"G": generator, "D": critic}
    one, two = ("0", "1") if as_list else ("G", "D")
    with inspector.record(models) as recording:
        critic(generator(torch.rand(3, 2)).detach()).sum().backward()
    rows = rows_of(recording.report())
    assert list(rows) == [f"{one}.weight", f"{one}.bias", f"{two}.weight", f"{two}.bias"]
    assert rows[f"{one}.weight"]["calls"] == [
        {"backward_call": 1, "tensor": None, "before": None, "after": None}
    ]  # not under the root
    assert rows[f"{two}.weight"]["calls"][0]["after"] == norm(critic.weight.grad)
    assert rows[f"{two}.weight"]["module"] == two


def test_they_are_found_where_nobody_gave_them() -> None:
    model, criterion = nn.Linear(2, 2), nn.MSELoss()
    with inspector.record() as recording:
        criterion(model(torch.rand(3, 2)), torch.rand(3, 2)).backward()
    assert list(rows_of(recording.report())) == ["weight", "bias"]  # a loss holds none: no name stands before them
    encoder = nn.Linear(2, 2)
    with inspector.record() as recording:
        criterion(model(encoder(torch.rand(3, 2))), torch.rand(3, 2)).backward()
    assert set(rows_of(recording.report())) == {
        "model.weight", "model.bias", "encoder.weight", "encoder.bias"
    }  # fmt: skip


def test_a_script_lists_them(inspect_script: Any) -> None:
    ran = inspect_script(
        """
        import torch
        from torch import nn
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.used, self.idle = nn.Linear(3, 1), nn.Linear(2, 2)
                self.used.bias.requires_grad_(False)
            def forward(self, x):
                return self.used(x)
        net = Net()
        loss = net(torch.ones(1, 3)).sum()
        loss.backward()
        """
    )
    rows = {row["name"]: row for row in ran.report["parameters"]}
    assert list(rows) == ["used.weight", "used.bias", "idle.weight", "idle.bias"]
    assert rows["used.weight"]["calls"][0]["after"] == pytest.approx(math.sqrt(3))
    assert rows["used.weight"]["calls"][0]["tensor"] == ran.tensor("used.weight")["id"]
    assert rows["used.bias"]["requires_grad"] is False
    assert rows["idle.weight"]["calls"] == [{"backward_call": 1, "tensor": None, "before": None, "after": None}]
    assert [row["name"] for row in ran.report["modules"]] == ["", "used", "idle"]


def test_optimizers_are_listed_with_their_parameters() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    own = torch.zeros(1, requires_grad=True)
    first = torch.optim.SGD([{"params": model[0].parameters()}, {"params": [own], "lr": 0.5}], lr=0.1)
    second = torch.optim.Adam(model[1].parameters())
    with inspector.record(model, {"a": first, "b": second}) as recording:
        model(torch.rand(1, 2)).sum().backward()
    one, two = recording.report().inventory.optimizers
    assert (one["class"], two["class"]) == ("SGD", "Adam")
    assert [group["parameters"] for group in one["groups"]] == [["0.weight", "0.bias"], ["own"]]
    assert [group["options"]["lr"] for group in one["groups"]] == [0.1, 0.5]
    assert two["groups"][0]["parameters"] == ["1.weight", "1.bias"]


def test_nan_and_frozen_and_lazy_and_the_file(tmp_path: Any) -> None:
    model = nn.ModuleDict({"bad": nn.Linear(1, 1), "frozen": nn.Linear(1, 1), "lazy": nn.LazyLinear(2)})
    model["frozen"].requires_grad_(False)
    model["frozen"].weight.grad = torch.full((1, 1), 3.0)
    with inspector.record(model) as recording:
        (model["bad"](torch.zeros(1, 1)) * float("nan")).sum().backward()
    rows = rows_of(recording.report())
    assert math.isnan(rows["bad.weight"]["calls"][0]["after"])
    assert rows["frozen.weight"]["calls"][0] == {"backward_call": 1, "tensor": None, "before": 3.0, "after": 3.0}
    assert (rows["lazy.weight"]["shape"], rows["lazy.weight"]["elements"]) == ([], 0)
    recording.save(tmp_path / "run.json")
    again = {row["name"]: row for row in load(tmp_path / "run.json").inventory.parameters}
    assert math.isnan(again["bad.weight"]["calls"][0]["after"])
    assert again["frozen.weight"] == rows["frozen.weight"]


def test_nothing_is_kept_alive() -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    references = [weakref.ref(item) for item in (model, model.weight, optimizer)]
    with inspector.record(model, optimizer) as recording:
        model(torch.rand(1, 2)).sum().backward()
    del model, optimizer
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
    assert list(rows_of(recording.report())) == ["weight", "bias"]


def test_a_parameter_that_is_dropped_while_backward_runs() -> None:
    model = nn.ParameterDict({"w": nn.Parameter(torch.ones(2)), "v": nn.Parameter(torch.ones(2))})
    with inspector.record(model) as recording:
        y = model["w"] * 2
        y.register_hook(lambda gradient: del_(model, "v"))
        y.sum().backward()
    rows = rows_of(recording.report())
    assert rows["v"]["calls"][0]["after"] == {"unknown": "the script had already deleted it"}
    assert rows["w"]["calls"][0]["after"] == pytest.approx(math.sqrt(8))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        ((2,), {}, TypeError, "record(model) must be an nn.Module, or a list or dict of them, got int"),
        ((nn.ReLU,), {}, TypeError,
         "record(model) must be an nn.Module, or a list or dict of them, got ReLU itself"),
        (([nn.ReLU(), 3],), {}, TypeError, "record(model)[1] must be an nn.Module, got int"),
        ((None, nn.ReLU()), {}, TypeError,
         "record(…, optimizer) must be an Optimizer, or a list or dict of them, got ReLU"),
        ((), {"watch": "3"}, TypeError, "record(watch=...) must be an int, got str"),
        ((), {"watch": 0}, ValueError, "record(watch=...) must be at least 1, got 0"),
        ((), {"mode": "all"}, ValueError, "unknown mode 'all'; choose from: full, light, none"),
    ],
)  # fmt: skip
def test_what_is_none_of_it_is_said_in_one_line(
    arguments: tuple[Any, ...], options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        inspector.record(*arguments, **options)
    assert str(raised.value) == text
