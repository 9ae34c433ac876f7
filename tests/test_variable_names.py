"""The script's names for tensors, as they are found in frames, containers and modules."""

import gc
import sys
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

import inspector
from inspector.user_code.paths import UserFiles
from inspector.user_code.variable_names import Names, names_from
from inspector.util.frame_locals import loop_variables

GLOBAL = torch.tensor(1.0, requires_grad=True)
FILES = UserFiles(".")


def names_here():
    return names_from(sys._getframe(1), FILES)


def found(value, name="v"):
    """What the tensors in one variable are called."""
    names = Names()
    names.add_variables({name: value})
    names.add_parameters()
    names.add_items()
    return {name for _, name, _ in names.rows()}


def test_locals_come_before_globals():
    mine = GLOBAL
    other = torch.ones(1)
    names = names_here()
    assert names.name(mine) == "mine"
    assert names.name(other) == "other"
    del mine, names
    assert names_here().name(GLOBAL) == "GLOBAL"


def test_inner_frames_come_before_outer_ones():
    x = torch.ones(1)

    def inner():
        renamed = x
        return names_here(), renamed

    assert inner()[0].name(x) == "renamed"


def test_what_the_caller_calls_an_argument_comes_before_its_name_in_a_function():
    x, data = torch.ones(1), {"mask": torch.ones(2)}

    def inner(given, d):
        made = given * 2
        return names_here(), made

    names, made = inner(x, data)
    assert [names.name(tensor) for tensor in (x, data["mask"], made)] == ["x", "data['mask']", "made"]
    names, _ = inner(torch.ones(1), {"own": x})
    assert names.name(x) == "x"
    alone = torch.ones
    names, _ = inner(alone(3), {})
    assert "given" in [name for _, name, _ in names.rows()]


def test_the_first_of_two_names_in_one_frame():
    first = torch.ones(1)
    second = first
    assert names_here().name(second) == "first"


def test_variables_beat_items_of_containers():
    tensor = torch.ones(1)
    aaa = [tensor]
    del tensor
    (zzz,) = aaa
    assert names_here().name(zzz) == "zzz"


@dataclass
class Pair:
    left: torch.Tensor
    right: torch.Tensor


class Row(NamedTuple):
    left: torch.Tensor
    right: Any


class Longer(Row):
    """A class of its own, as those that add methods."""


class Slots:
    __slots__ = ("tensor",)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda a, b: [a, b], {"v[0]", "v[1]"}),
        (lambda a, b: (a, b), {"v[0]", "v[1]"}),
        (lambda a, b: {"a": a, 3: b}, {"v['a']", "v[3]"}),
        (lambda a, b: {(1, 2): a, "b": b}, {"v['b']"}),
        (lambda a, b: Pair(a, b), {"v.left", "v.right"}),
        (lambda a, b: SimpleNamespace(a=a, inner=SimpleNamespace(b=[b])), {"v.a", "v.inner.b[0]"}),
        (lambda a, b: [[[a, [b]]]], {"v[0][0][0]"}),
        (lambda a, b: Row(a, [b]), {"v.left", "v.right[0]"}),
        (lambda a, b: Longer(a, b), {"v.left", "v.right"}),
        (lambda a, b: torch.return_types.max((a, b)), {"v[0]", "v[1]"}),
        (lambda a, b: Pair({"w": a}, SimpleNamespace(row=Row(b, 1))), {"v.left['w']", "v.right.row.left"}),
        (lambda a, b: Slots(), set()),
        (lambda a, b: "text", set()),
    ],
)
def test_containers(build, expected):
    assert found(build(torch.ones(1), torch.ones(2))) == expected


def test_the_path_of_a_parameter_is_a_better_name_than_an_item_of_a_list():
    model = torch.nn.Linear(2, 1)
    assert found([model, list(model.parameters())]) == {"weight", "bias"}


def test_a_container_that_holds_itself():
    cycle = [torch.ones(1)]
    cycle.append(cycle)
    assert "v[0]" in found(cycle)


def test_no_code_of_the_users_runs():
    class Trap:
        def __getattribute__(self, name):
            raise AssertionError(name)

    class TrapDict(dict):
        def __iter__(self):
            raise AssertionError

        def items(self):
            raise AssertionError

    trap = Trap()
    object.__setattr__(trap, "tensor", torch.ones(1))
    assert found(trap) == {"v.tensor"}
    assert found(TrapDict(a=torch.ones(1))) == {"v['a']"}

    class Liar:
        @property
        def __class__(self):
            raise AssertionError

    assert found(Liar()) == set()


def test_modules_by_the_path_of_their_parameters():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    names = names_here()
    assert {names.name(p) for p in model.parameters()} == {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert names.name(model[1].running_mean) == "1.running_mean"


def test_of_several_modules_the_variable_leads():
    generator, judge = nn.Linear(2, 2), nn.Linear(2, 1)
    names = names_here()
    assert names.name(generator.weight) == "generator.weight"
    assert names.name(judge.bias) == "judge.bias"


def test_a_part_of_a_module_in_a_variable_of_its_own_is_named_by_the_whole():
    part = nn.Linear(2, 2)
    model = nn.Sequential(part, nn.ReLU())
    assert names_here().name(part.weight) == "0.weight"
    assert len(list(model.parameters())) == 2


def test_tied_and_parametrized_weights():
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    model.extra = torch.ones(2)
    names = names_here()
    assert names.name(model[0].weight) == "0.weight"
    assert names.name(model.extra) == "extra"
    weighted = torch.nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    names = found(weighted)
    assert {"parametrizations.weight.original0", "parametrizations.weight.original1", "bias"} <= names


def test_modules_in_containers_and_attributes():
    assert found([nn.Linear(1, 1)]) == {"weight", "bias"}
    assert found(SimpleNamespace(net=nn.Linear(1, 1), other=nn.Linear(1, 1, bias=False))) == {
        "v.net.weight",
        "v.net.bias",
        "v.other.weight",
    }


def test_a_data_set_in_a_list_takes_no_time():
    """No more than 10,000 items are looked at, whatever there is."""
    many = [torch.ones(1) for _ in range(20_000)]
    assert len(found(many)) == 10_000


class Sample:
    def __init__(self) -> None:
        self.text, self.label = "", 0


class Trainer:
    """Holds a model, and is only an argument of its methods."""

    def __init__(self) -> None:
        self.model = nn.Linear(2, 1)

    def step(self, others: object) -> Names:
        return names_here()


def called_from(package: str, call, make):
    """What a call returns from a function of an installed package. make: makes one of its variables."""
    text = "def run(call, make):\n    mine = make()\n    return call()\n"
    variables = {"__name__": f"{package}.running"}
    exec(compile(text, f"/lib/site-packages/{package}/running.py", "exec"), variables)
    return variables["run"](call, make)


def parameters_here() -> list[str]:
    """The names of the parameters of a model that only an argument leads to."""
    return [name for _, name, owner in Trainer().step(None).rows() if owner]


def test_a_large_list_hides_nothing() -> None:
    def many() -> list[Sample]:
        return [Sample() for _ in range(12_000)]

    samples = many()
    assert parameters_here() == ["weight", "bias"], samples
    for package in ("lightning", "_pytest"):
        assert called_from(package, parameters_here, many) == ["weight", "bias"]


def test_a_test_runner_knows_the_modules_of_other_tests() -> None:
    def held() -> list[object]:
        return [SimpleNamespace(params={"layer": nn.Linear(3, 3)})]

    assert called_from("_pytest", parameters_here, held) == ["weight", "bias"]
    assert "mine[0].params['layer'].weight" in called_from("lightning", parameters_here, held)


class Model(nn.Linear):
    """A class of the user."""

    def __init__(self) -> None:
        super().__init__(1, 1)


def names_in_modules() -> list[str]:
    """The names of the parameters and buffers of all modules in the variables of the callers."""
    return [name for tensor, name, owner in names_here().rows() if owner or tensor.numel() == 7]


def test_a_trainer_holds_more_than_the_model() -> None:
    """Its metrics and its copy of the model come with a variable; the model of the user has the paths of torch."""
    model = ["weight", "bias"]
    metric = ["mine[1].running_mean", "mine[1].running_var"]
    held = called_from("lightning", names_in_modules, lambda: [nn.Linear(1, 1), nn.BatchNorm1d(7, affine=False)])
    assert sorted(held) == sorted(model + metric)
    held = called_from("lightning", names_in_modules, lambda: [nn.Linear(1, 1), Model()])
    assert sorted(held) == sorted([*model, "mine[0].weight", "mine[0].bias"])


def test_the_variable_of_the_user_is_the_name_of_what_a_trainer_holds() -> None:
    trainer = SimpleNamespace(module=nn.Linear(1, 1), other=nn.Linear(1, 1))
    held = called_from("lightning", names_in_modules, lambda: trainer.module)
    parts = "module.bias", "module.weight", "other.bias", "other.weight"
    assert sorted(held) == [f"trainer.{part}" for part in parts]
    trainer = SimpleNamespace(_average=nn.Linear(1, 1))
    held = called_from("lightning", names_in_modules, lambda: [trainer, Model()])
    assert sorted(held) == ["bias", "trainer._average.bias", "trainer._average.weight", "weight"]


class Cycle:
    """Is alive until the next garbage collection."""

    def __init__(self) -> None:
        self.myself = self


@pytest.mark.parametrize("as_attributes", [False, True])
def test_a_garbage_collection_while_a_dictionary_is_read(as_attributes: bool) -> None:
    before, holder = gc.get_threshold(), Sample()
    gc.collect()
    gc.disable()
    try:
        weak = weakref.WeakValueDictionary({str(number): Cycle() for number in range(1_000)})
        if as_attributes:
            holder.__dict__ = weak.data
        gc.set_threshold(gc.get_count()[0] + 500)
        gc.enable()
        assert found([holder if as_attributes else weak.data, torch.ones(1)]) == {"v[1]"}
    finally:
        gc.enable()
        gc.set_threshold(*before)


def test_a_class_without_the_usual_attributes() -> None:
    kind = type("Made", (), {"__module__": None, "__dict__": property(lambda self: 1 / 0)})
    assert found([kind(), torch.ones(1)]) == {"v[1]"}


def test_nothing_is_kept():
    def work():
        tensor = torch.ones(3)
        names_here()
        gone = weakref.ref(tensor)
        del tensor
        return gone() is None

    assert work()
    before = sys.getrefcount(GLOBAL)
    names_here()
    gc.collect()
    assert sys.getrefcount(GLOBAL) == before


def test_cells_and_generators():
    x = torch.ones(1)

    def closure():
        return names_here().name(x)

    def generate():
        y = torch.ones(2)
        yield names_here().name(y)

    assert closure() == "x"
    assert list(generate()) == ["y"]


def test_names_of_a_class_body_stay_in_place():
    class Body:
        tensor = torch.ones(1)
        name = names_here().name(tensor)

    assert Body.name == "tensor"
    assert Body.tensor.item() == 1


def test_a_traced_graph_has_the_names_of_the_caller():
    x = torch.tensor(2.0, requires_grad=True)
    model = nn.Linear(1, 1)

    def loss_of(value):
        scaled = value * 3
        return model(scaled.reshape(1)).sum()

    loss = loss_of(x)
    graph = inspector.trace(loss)
    names = {row["name"] for _, row in graph.tensors()}
    assert {"x", "loss", "weight", "bias"} <= names
    assert "scaled" not in names, "that variable is gone"


def test_the_variable_of_a_loop_over_parameters_is_the_name_of_none():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    kept = model[0].weight
    for _, (_name, parameter) in enumerate(model.named_parameters()):
        parameter.requires_grad_(True)
    for x in torch.ones(2, 3):
        x.add_(1)
    names = names_here()
    assert parameter is model[1].bias and names.name(parameter) == "1.bias"
    assert names.name(kept) == "kept"
    assert names.name(x) == "x"


def test_the_last_item_of_a_loop_over_a_list_is_named_like_the_others():
    weights = [torch.ones(1, requires_grad=True) for _ in range(3)]
    kept = weights[0]
    for w in weights:
        w.grad = None
    for pair in [(torch.zeros(1), torch.zeros(2))]:
        for part in pair:
            part.add_(1)
    names = names_here()
    assert [names.name(one) for one in weights] == ["kept", "weights[1]", "weights[2]"]
    assert kept is weights[0] and names.name(part) == "pair[1]"


def test_the_last_module_of_a_loop_over_a_list_is_named_like_the_others():
    members = [nn.Linear(2, 2) for _ in range(3)]
    kept = [nn.Linear(2, 2)]
    for member in members:
        member.requires_grad_(True)
    for alone in (nn.Linear(2, 2),):
        alone.requires_grad_(True)
    first = kept[0]
    names = dict(names_here().outermost)
    assert names["members[2]"] is member and "member" not in names
    assert names["alone"] is alone, "no list holds it"
    assert names["first"] is first, "a variable that no loop assigns comes before an item"


def test_variables_that_a_for_assigns():
    code = compile("for i, (a, b.c), *d in e:\n    f = 1\nfor g.h in e: pass\nfor k in e: l = k", "", "exec")
    assert loop_variables(code) == {"i", "a", "k"}


def test_variables_of_loops_at_the_level_of_a_module(tmp_path):
    text = "for name, p in model.named_parameters():\n    p.requires_grad_(True)\nnames = names_here()"
    variables = {"model": nn.Linear(2, 2), "names_here": names_here}
    exec(compile(text, str(tmp_path / "loop.py"), "exec"), variables)
    assert variables["names"].name(variables["p"]) == "bias"


def test_an_item_that_is_read_as_an_attribute_is_named_so() -> None:
    class Store:
        def __init__(self) -> None:
            self._mapping = {"train_mask": torch.ones(2), "taken": torch.ones(2), "not a name": torch.ones(2)}

    class Data:
        def __init__(self) -> None:
            self._store = Store()
            self.taken = torch.zeros(2)

        def __getattr__(self, name: str) -> torch.Tensor:
            return self._store._mapping[name]

    class Plain:
        def __init__(self) -> None:
            self._store = {"x": torch.ones(2)}

    data, plain = Data(), Plain()
    names = names_from(sys._getframe(), UserFiles(str(Path(__file__).parent)))
    kept = data._store._mapping
    assert names.name(kept["train_mask"]) == "data.train_mask"
    assert names.name(kept["taken"]) == "data._store._mapping['taken']"
    assert names.name(kept["not a name"]) == "data._store._mapping['not a name']"
    assert names.name(data.taken) == "data.taken"
    assert names.name(plain._store["x"]) == "plain._store['x']"
