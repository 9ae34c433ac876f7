"""Single rows and columns of a traced graph, against the rows that are made together."""

import pytest
import torch
from torch import nn

import inspector
from inspector.graph.topology import topology_of

BLOCKS = 20  # graphs of fewer edges have derivatives on them, so that all rows are made
KINDS = ("grad_fn", "accumulate", "saved")


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out, self.norm = nn.Linear(8, 24), nn.Linear(8, 8), nn.LayerNorm(8)

    def forward(self, x, shared):
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        return x + self.out((q @ k.T / 3).softmax(-1) @ v * shared) * 2


def loss_of(count):
    """A loss: parallel edges, empty slots, several outputs of a Node, constants and a shared leaf."""
    torch.manual_seed(0)
    blocks, shared = [Block() for _ in range(count)], torch.randn(8, requires_grad=True)
    x = torch.randn(4, 8)
    for block in blocks:
        x = block(x, shared)
    return (x * x).mean() + shared.sum()


def long_chain():
    x = torch.ones(2, requires_grad=True)
    y = torch.ones(3) * x[0]
    for _ in range(20_000):  # more are traced as structure
        y = y + 1
    return y.sum()


def both(loss):
    """Two equal graphs; of the second one, all rows are made together."""
    late, whole = inspector.trace(loss), inspector.trace(loss)
    whole.make()
    assert late.source is not None and whole.source is None
    return late, whole


def ran():
    loss = loss_of(BLOCKS)
    inspector.trace(loss)
    loss.backward()
    return loss


LOSSES = {"before": lambda: loss_of(BLOCKS), "after": ran, "structure": long_chain}


@pytest.mark.parametrize("made", LOSSES.values(), ids=LOSSES)
def test_single_rows_are_those_made_together(made):
    late, whole = both(made())
    ids = list(whole.rows.nodes)
    few = ids if len(ids) < 1_000 else [*ids[:50], *ids[-50:]]
    assert late.source.in_walk_order(reversed(ids)) == ids
    for identifier in reversed(few):
        assert identifier in late
        assert late[identifier] == whole[identifier]
        edges = [(end, edge) for end, edge in whole.rows.out_edges(identifier) if edge["kind"] in KINDS]
        assert list(late.source.out_edges(identifier)) == edges
    assert late.ran == whole.ran
    first = late[ids[3]]
    assert late.source is not None
    assert list(late.rows.nodes.items()) == list(whole.rows.nodes.items())
    assert list(late.rows.edges()) == list(whole.rows.edges())
    assert late[ids[3]] is first and late.source is None


@pytest.mark.parametrize("made", LOSSES.values(), ids=LOSSES)
def test_columns_are_those_of_the_rows(made):
    late, whole = map(topology_of, both(made()))
    for name in ("ids", "starts", "targets", "makers", "roots", "index", "order", "levels", "leaves", "arrivals"):
        assert getattr(late, name) == getattr(whole, name), name
    for name in ("names", "leaf_flags", "modules", "passes", "sources", "made_in", "steps", "gradients", "parts"):
        assert getattr(late.functions, name) == getattr(whole.functions, name), name
    every = range(len(whole))
    assert late.functions.saved_bytes(every) == whole.functions.saved_bytes(every)
    assert late.edges.slots == whole.edges.slots and late.edges.input_nrs == whole.edges.input_nrs
    for number in range(0, len(whole.edges), 7):
        assert late.edges[number] == whole.edges[number]
        assert late.edges.gradient(number) == whole.edges.gradient(number)
    for tensor in whole.makers:
        for name in ("name", "shape", "gradient"):
            assert getattr(late.tensors, name)(tensor) == getattr(whole.tensors, name)(tensor)


def test_a_folded_picture_makes_few_rows():
    loss = loss_of(BLOCKS)
    late, whole = both(loss)
    assert inspector.draw(late).svg() == inspector.draw(whole).svg()
    assert late.source is not None


def test_an_unknown_id_is_a_key_error():
    late, whole = both(loss_of(BLOCKS))
    unknown = ("n9999", "t9999", "n", "t-1", "g:n0", "n01x", "")
    held = {key for key in whole.rows.nodes if key.startswith("t")}
    unseen = [f"t{number}" for number in range(len(whole.rows.nodes)) if f"t{number}" not in held]
    assert unseen
    for identifier in (*unknown, *unseen):
        assert identifier not in late
        with pytest.raises(KeyError):
            late[identifier]


def test_rows_that_were_changed_are_what_is_drawn():
    late, _ = both(loss_of(BLOCKS))
    topology_of(late)
    name = next(key for key, row in late.functions() if row["name"] == "SoftmaxBackward0")
    late.function(name)["name"] = "OtherBackward0"
    assert "OtherBackward0" in topology_of(late).functions.names


def value(w, x):
    for _ in range(120):
        x = (w * x).sin()
    return x.exp().sum()


def derived(w):
    """A training step, then a loss with a derivative in it, and a step again."""
    x = torch.ones(3, requires_grad=True)
    value(w, x).backward()
    (slope,) = torch.autograd.grad(value(w, x), x, create_graph=True)
    (slope.square() * w).sum().backward()
    value(w, x).backward()


def derived_twice(w):
    x = torch.ones(3, requires_grad=True)
    (one,) = torch.autograd.grad(value(w, x), x, create_graph=True)
    (two,) = torch.autograd.grad(one.sum(), x, create_graph=True)
    (one + two).sum().backward()


@pytest.mark.parametrize(
    ("program", "made"), [(derived, [set(), set(), {2}, set()]), (derived_twice, [set(), {1}, {1, 2}])]
)
def test_the_backward_call_that_created_a_function_is_the_one_in_its_row(program, made):
    with inspector.record() as recording:
        program(torch.randn(3, requires_grad=True))
    columns = []
    for call in recording.calls:
        functions = topology_of(call.graph).functions
        assert call.graph.source is not None
        columns.append(list(functions.made_in))
        assert columns[-1] == [row.get("made_in") for row in functions]
    assert [set(filter(None, column)) for column in columns] == made
