"""Modules by the names of parameters, against those that a recorder saw."""

import torch
from torch import nn

import inspector
from inspector.folding import FoldedGraph, fold
from inspector.folding.context import FoldingContext
from inspector.folding.module_paths import name_of


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.ln, self.fc, self.out = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.out(self.fc(self.ln(x)).relu())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 8)
        self.blocks = nn.ModuleList(Block(8) for _ in range(5))
        self.head = nn.Linear(8, 3)

    def forward(self, ids):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def traced():
    model = Net()
    loss = model(torch.tensor([[1, 2, 3]])).pow(2).mean()
    return inspector.trace(loss)


def recorded():
    model = Net()
    with inspector.record(model, mode="light") as recording:
        model(torch.tensor([[1, 2, 3]])).pow(2).mean().backward()
    return recording.calls[0].graph


def paths_of(graph):
    ground = FoldingContext(graph)
    names = [tuple(filter(None, name_of(path).split("."))) for path in map(ground.path, range(len(ground)))]
    return dict(zip(ground.topology.ids, names, strict=True)), ground.calls.are_inferred


def test_what_takes_a_parameter_is_of_its_module_and_all_of_a_block_is_of_that_block():
    seen, by_names = paths_of(recorded())
    assert not by_names
    graph = traced()
    found, by_names = paths_of(graph)
    assert by_names and found.keys() == seen.keys()
    takers = {source for source, target, _ in graph.edges("next") if graph[target]["is_leaf"]}
    assert len(takers) > 20
    for identifier, path in seen.items():
        if identifier in takers:
            assert found[identifier] == path
        if path[:1] == ("blocks",):
            assert found[identifier][:2] == path[:2], graph[identifier]["name"]


def test_it_folds_as_one_that_was_recorded_and_says_by_what():
    folded = fold(traced())
    assert isinstance(folded, FoldedGraph)
    labels = {node["name"] for _, node in folded.folds() if node["why"] == "equal"}
    assert labels == {node["name"] for _, node in fold(recorded()).folds() if node["why"] == "equal"} != set()
    assert "modules inferred from parameter names" in folded.note
    assert "names of parameters" not in fold(recorded()).note
    functions = [function for _, function in folded.whole.functions() if not function["is_leaf"]]
    assert all("unknown" in function["module"] for function in functions)


def test_names_without_a_path_tell_of_no_module():
    x, w = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    loss = (x * w).sum()
    found, by_names = paths_of(inspector.trace(loss))
    assert not by_names and set(found.values()) == {()}
