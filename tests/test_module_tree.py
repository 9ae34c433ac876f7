"""What a module holds: torch's own lists are the oracle, and no code of the user's runs."""

from __future__ import annotations

import pytest
import torch
from networks import NETWORKS, made
from torch import nn

from inspector.user_code.module_tree import MOST_ITEMS, items, module_tree


def by_identity(pairs):
    return [(path, id(item)) for path, item in pairs]


@pytest.mark.parametrize("name", NETWORKS)
def test_paths_are_those_of_torch(name):
    model = made(name).model
    tree = module_tree(model)
    assert by_identity(tree.modules) == by_identity(model.named_modules())
    assert by_identity(tree.parameters) == by_identity(model.named_parameters())
    kept = model.state_dict(keep_vars=True).values()
    assert {id(tensor) for _, tensor in tree.tensors()} >= {id(tensor) for tensor in kept}
    assert tree.unregistered == []


def test_what_is_shared_has_its_first_path():
    linear = nn.Linear(2, 2)
    model = nn.ModuleDict({"first": linear, "second": linear, "third": nn.Linear(2, 2)})
    model["third"].weight = linear.weight
    tree = module_tree(model)
    assert [path for path, _ in tree.modules] == ["", "first", "third"]
    assert [path for path, _ in tree.parameters] == ["first.weight", "first.bias", "third.bias"]


def test_no_method_of_the_users_is_called():
    class Own(nn.Linear):
        def named_modules(self, *args, **kwargs):
            raise AssertionError

        named_parameters = modules = parameters = named_buffers = named_modules

    assert [path for path, _ in module_tree(Own(2, 2)).parameters] == ["weight", "bias"]


def test_a_module_in_itself_and_one_that_was_not_made():
    around = nn.Module()
    around.__dict__["_modules"] = {"self": around, "inner": nn.Linear(1, 1)}

    class Unmade(nn.Module):
        def __init__(self):
            pass

    assert [path for path, _ in module_tree(around).modules] == ["", "inner"]
    assert module_tree(Unmade()).modules == []


def test_plain_attributes_and_what_lies_in_lists():
    model = nn.Sequential(nn.Linear(1, 1))
    model.scale = torch.ones(3)
    model.heads = [nn.Linear(1, 1), {"gain": nn.Parameter(torch.ones(2))}, "text"]
    tree = module_tree(model)
    assert [path for path, _ in tree.tensors()] == ["0.weight", "0.bias", "scale"]
    assert [(path, keeper) for path, _, keeper in tree.unregistered] == [
        ("heads[0]", (nn.Sequential, "heads")),
        ("heads[1]['gain']", (nn.Sequential, "heads")),
    ]


def test_long_lists_of_plain_values_hold_nothing():
    assert list(items("lines", ["a"] * 5)) == []
    assert [path for path, _ in items("mixed", ["a", None, torch.ones(1)])] == ["mixed[2]"]
    assert len(list(items("many", [torch] * (MOST_ITEMS + 5)))) == MOST_ITEMS

    class Own(list):
        def __iter__(self):
            raise AssertionError

        def __getitem__(self, key):
            raise AssertionError

    assert [path for path, _ in items("own", Own([torch.ones(1)]))] == ["own[0]"]
