"""The walk over `next_functions` and what each Node says of itself."""

import gc

import pytest
import torch
from needs import needs

import inspector
from inspector.torch_api.saved_tensors import HOOKS, WRAPPERS, attributes_of, saved_by
from inspector.tracing.node_facts import outputs_of
from inspector.tracing.roots import NoGraphError, gradient_edge, roots_of, tensors_in
from inspector.tracing.walk import EMPTY, name_of, walk


def leaf(value=2.0):
    return torch.tensor(value, requires_grad=True)


def walk_of(*tensors):
    return walk(gradient_edge(tensor) for tensor in tensors)


def states(node):
    return {saved.name: saved.state for saved in saved_by(node)}


@pytest.fixture
def watched():
    """As while a script runs: where torch's wrappers do not tell of hooks, they are watched for."""
    HOOKS.install()
    yield
    HOOKS.uninstall()


def test_pre_order_by_slot():
    x, y = leaf(), leaf()
    z = x.sin() * y.cos() + x
    walked = walk_of(z)
    assert [name_of(node) for node in walked.nodes] == walked.structure.names
    assert walked.structure.names == [
        "AddBackward0",
        "MulBackward0",
        "SinBackward0",
        "AccumulateGrad",
        "CosBackward0",
        "AccumulateGrad",
    ]
    edges = list(walked.structure.edges())
    assert edges == [(0, 0, 1, 0), (0, 1, 3, 0), (1, 0, 2, 0), (1, 1, 4, 0), (2, 0, 3, 0), (4, 0, 5, 0)]
    assert walked.roots == [(0, 0)]
    assert all(walked.index[node] == position for position, node in enumerate(walked.nodes))


def test_edges_are_those_of_next_functions():
    x = torch.rand(3, 3, requires_grad=True)
    values, vectors = torch.linalg.eigh(x @ x.T)
    a, b, c = vectors.unbind()
    walked = walk_of((values.sum() + (a * c).sum()) * 2 + b.max(0).values)
    found = {}
    for source, slot, target, number in walked.structure.edges():
        found[walked.nodes[source], slot] = (None if target == EMPTY else walked.nodes[target], number)
    expected = {(node, slot): edge for node in walked.nodes for slot, edge in enumerate(node.next_functions)}
    assert found == expected
    assert {number for _, number in found.values()} == {0, 1, 2}


def test_several_roots_share_nodes():
    x = leaf()
    y = x**2
    walked = walk_of(y, y.sin(), x)
    assert [name_of(walked.nodes[position]) for position, _ in walked.roots] == [
        "PowBackward0",
        "SinBackward0",
        "AccumulateGrad",
    ]
    assert len(walked.nodes) == 3


def test_the_collector_is_as_it_was():
    for switch, state in ((gc.disable, False), (gc.enable, True)):
        switch()
        walk_of(leaf() * 2)
        assert gc.isenabled() is state


def test_output_numbers_of_roots():
    first, second = leaf([1.0, 2.0]).unbind()
    assert walk_of(second, first).roots == [(0, 1), (0, 0)]
    graph = inspector.trace([second, first])
    assert [graph[key]["name"] for key in graph.roots] == ["second", "first"]
    assert [graph[key]["output_nr"] for key in graph.roots] == [1, 0]


def test_names_of_nodes():
    class Mine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = leaf([1.0, 2.0])
    assert name_of(gradient_edge(x)[0]) == "AccumulateGrad"
    assert name_of(Mine.apply(x).grad_fn) == "MineBackward"
    buffer = torch.zeros(2)
    buffer[0] = x[0]
    assert name_of(buffer.grad_fn) == "CopySlices"
    assert name_of(torch.special.gammainc(x, x).grad_fn) == "IgammaBackward0"


def test_saved_tensors_and_their_states(watched):
    x = leaf()
    y = x.exp()
    z = y.sin()
    (saved,) = saved_by(y.grad_fn)
    assert (saved.name, saved.state, saved.is_output, saved.output_nr) == ("result", "held", True, 0)
    (saved,) = saved_by(z.grad_fn)
    assert saved.tensor is y and not saved.is_output
    assert states((y * 2).grad_fn) == {"other": "held", "self": "empty"}
    y.add_(1)
    assert states(z.grad_fn) == {"self": "modified"}


def test_saved_tensors_are_released_by_backward(watched):
    x = leaf([1.0, 2.0])
    results = [x.exp().sum(), x[torch.tensor([0])].sum(), x.clone().sum()]
    nodes = [gradient_edge(result)[0].next_functions[0][0] for result in results]
    assert [states(node) for node in nodes] == [{"result": "held"}, {"indices[0]": "held"}, {}]
    torch.autograd.backward(results)
    assert [set(states(node).values()) for node in nodes] == [{"released"}, {"released"}, set()]


@needs(WRAPPERS)
@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch runs an LSTM step by step")
def test_a_workspace_that_torch_fills_only_partly_has_no_values():
    """Whatever the memory held before would be in it, also NaN, and another number in each run."""
    old = [torch.full((size,), float("nan")) for size in (1_000, 11_520, 40_000)]
    del old
    graph = inspector.trace(torch.nn.LSTM(8, 16)(torch.ones(5, 3, 8))[0].sum())
    (row,) = (row for _, row in graph.functions() if row["name"].startswith("MkldnnRnnLayerBackward"))
    saved = {one["name"]: graph.tensor(one["tensor"])["before"]["data"] for one in row["saved"]}
    assert "workspace" in saved.pop("result3")["unknown"]
    assert saved and not any(isinstance(data, dict) and "unknown" in data for data in saved.values())


@needs(WRAPPERS)
def test_saved_tensors_of_custom_functions():
    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, None, b)
            return a * b

        @staticmethod
        def backward(ctx, g):
            a, _, b = ctx.saved_tensors
            return g * b, g * a

    z = Two.apply(leaf(), torch.tensor(3.0))
    node = z.grad_fn
    assert states(node) == {
        "saved_tensors[0]": "held",
        "saved_tensors[1]": "empty",
        "saved_tensors[2]": "held",
    }
    z.backward()
    assert set(states(node).values()) == {"released"}


def test_packed_tensors_are_not_unpacked(watched):
    def unpack(packed):
        raise AssertionError("the script's hook was called")

    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: "packed", unpack):
        y = leaf().sin()
    (saved,) = saved_by(y.grad_fn)
    assert (saved.state, saved.tensor) == ("packed" if WRAPPERS.is_available else "unknown", None)


def test_attributes_are_plain():
    x = torch.rand(2, 3, requires_grad=True)
    assert attributes_of((x**2).grad_fn) == {"exponent": 2}
    assert attributes_of(x.softmax(-1).grad_fn)["dim"] == -1, "torch hands out 2**64 - 1"
    assert attributes_of(x.sum(dim=(0, 1)).grad_fn) == {"dim": [0, 1], "keepdim": False, "self_sym_sizes": [2, 3]}


def test_outputs():
    x = torch.rand(2, 3, requires_grad=True)
    facts = outputs_of(x.split([1, 2], dim=1)[0].grad_fn)
    assert [(fact.dtype, fact.shape, fact.device) for fact in facts] == [
        ("float32", (2, 1), "cpu"),
        ("float32", (2, 2), "cpu"),
    ]


def test_roots():
    x = leaf()
    y, constant = x * 2, torch.ones(1)
    assert tensors_in([{"a": (y,)}, constant, "text", 3]) == [y, constant]
    assert [output for output, _ in roots_of([y, constant])] == [y]
    assert gradient_edge(constant) is None
    with pytest.raises(NoGraphError, match=r"\(shape \[1\]\)"):
        roots_of(constant)


def test_a_stale_view_is_walked_as_torch_makes_it_anew():
    base = leaf([1.0, 2.0, 3.0]) * 1
    view = base[1]
    base.mul_(2)
    graph = inspector.trace(view)
    assert [row["name"] for _, row in graph.functions()][:2] == ["AsStridedBackward0", "MulBackward0"]


@pytest.mark.parametrize("times", [1, 3])
def test_ids_do_not_depend_on_what_was_recorded(times):
    def build():
        x = leaf([1.0, 2.0])
        a, b = x.exp().unbind()
        return a * b

    z = build()
    plain = inspector.trace(z)
    for _ in range(times):
        with inspector.record() as recording:
            z = build()
            z.backward()
        recorded = recording.calls[0].graph
        assert recorded.roots == plain.roots
        assert {key for key, _ in plain.tensors()} <= {key for key, _ in recorded.tensors()}
        assert [key for key, _ in plain.functions()] == [key for key, _ in recorded.functions()]
