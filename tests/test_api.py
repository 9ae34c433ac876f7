"""The doors of the library, on real graphs: trace, draw, record, load."""

import contextlib
import dataclasses
import gc
import json
import pickle
import sys
import warnings
import weakref
from collections import namedtuple
from types import SimpleNamespace

import networkx
import pytest
import torch
from running import valid_report

import inspector
from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS
from inspector.torch_api.saved_tensors import WRAPPERS


def leaf(value=2.0):
    return torch.tensor(value, requires_grad=True)


def named(graph):
    return {row["name"]: row for _, row in graph.tensors() if row["name"] is not None}


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# ---- trace ------------------------------------------------------------------------------------------------


def test_every_node_answers_four_questions():
    x, y = leaf(2.0), leaf(0.0)
    z = x**2 - y**2
    graph = inspector.trace(z)
    assert isinstance(graph.network, networkx.MultiDiGraph)
    for moment in ("before", "after"):
        for key, row in graph.at(moment).nodes(data=True):
            assert {"data", "grad", "is_leaf", "requires_grad"} <= row.keys(), key
    for name, tensor in (("x", x), ("y", y), ("z", z)):
        row = named(graph)[name]
        assert (row["is_leaf"], row["requires_grad"]) == (tensor.is_leaf, tensor.requires_grad)
        assert row["before"] == {"data": tensor.item(), "grad": None}
        assert row["dtype"] == "float32" and row["shape"] == [] and row["device"] == "cpu"


def test_before_and_after_of_the_same_tensor():
    x = leaf()
    y = x**2
    first = inspector.trace(y)
    assert "unknown" in named(first)["x"]["after"]["grad"], "backward has not run"
    y.backward()
    second = inspector.trace(y)
    assert named(second)["x"]["before"] == {"data": 2.0, "grad": None}
    assert named(second)["x"]["after"] == {"data": 2.0, "grad": 4.0}
    (power,) = [row for _, row in second.functions() if row["name"] == "PowBackward0"]
    states = ("held", "released") if WRAPPERS.is_available else ("unknown", "unknown")
    assert (power["saved"][0]["before"], power["saved"][0]["after"]) == states
    assert list(first.network.nodes) == list(second.network.nodes)


def test_a_graph_first_traced_after_backward_does_not_guess_what_was_before():
    x = leaf()
    y = x.exp()
    y.backward()
    row = named(inspector.trace(y))["x"]
    assert "unknown" in row["before"]["grad"] and row["after"]["grad"] == x.grad.item()


def test_a_kept_graph_used_twice():
    x = leaf()
    y = x**2
    inspector.trace(y)
    y.backward(retain_graph=True)
    assert named(inspector.trace(y))["x"]["after"]["grad"] == 4.0
    y.backward()
    row = named(inspector.trace(y))["x"]
    assert (row["before"]["grad"], row["after"]["grad"]) == (None, 8.0)


def test_values_that_are_already_there_before():
    x = leaf()
    x.grad = torch.tensor(1.0)
    y = x**2
    inspector.trace(y)
    y.backward()
    row = named(inspector.trace(y))["x"]
    assert (row["before"]["grad"], row["after"]["grad"]) == (1.0, 5.0)


@dataclasses.dataclass
class Output:
    loss: torch.Tensor
    logits: torch.Tensor
    note: str = "text"


class MappingOutput(dict):
    """As the outputs of transformers: a mapping whose items are attributes, too."""


Pair = namedtuple("Pair", "first second")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda a, b: [a, b],
        lambda a, b: (a, b),
        lambda a, b: {"a": a, "b": b},
        lambda a, b: Pair(a, b),
        lambda a, b: Output(a, b),
        lambda a, b: MappingOutput(loss=a, logits=b),
        lambda a, b: [{"losses": (a, [b, 3])}, None, "text"],
        lambda a, b: [a, torch.ones(2), b],
        lambda a, b: [torch.autograd.graph.get_gradient_edge(a), b],
    ],
    ids=["list", "tuple", "dict", "namedtuple", "dataclass", "mapping", "nested", "one without", "edge"],
)
def test_what_trace_takes(wrap):
    x = leaf()
    a, b = x**2, x * 3
    graph = inspector.trace(wrap(a, b))
    assert len(graph.roots) == 2
    names = [row["name"] for _, row in graph.functions()]
    assert names == ["PowBackward0", "AccumulateGrad", "MulBackward0"]


@pytest.mark.parametrize("thing", [3, None, "text", [], {}, [1, "a"], SimpleNamespace(a=1), Output, object()])
def test_what_holds_no_tensor(thing):
    with pytest.raises(TypeError, match=r"no tensor in .*; pass a tensor"):
        inspector.trace(thing)
    with pytest.raises(TypeError, match="no tensor"):
        inspector.draw(thing)


@pytest.mark.parametrize(
    "cut",
    [
        lambda x: torch.ones(2),
        lambda x: (x * 2).detach(),
        lambda x: [x.data, torch.ones(2)],
        lambda x: x.argmax(),
    ],
    ids=["constant", "detached", "two", "argmax"],
)
def test_what_has_no_graph(cut):
    with pytest.raises(ValueError, match="tensor has no graph: grad_fn is None") as error:
        inspector.trace(cut(leaf([1.0, 2.0])))
    assert len(str(error.value).splitlines()) == 1


def test_a_leaf_is_a_root_of_its_own():
    x = leaf()
    graph = inspector.trace(x)
    assert [row["name"] for _, row in graph.functions()] == ["AccumulateGrad"]
    assert graph[graph.roots[0]]["name"] == "x" and graph[graph.roots[0]]["is_leaf"]


def test_a_graph_goes_through_pickle_and_json_as_plain_values():
    x = leaf()
    graph = inspector.trace(x.sin() * x)
    rows = list(graph.network.nodes(data=True))
    assert pickle.loads(pickle.dumps(rows)) == rows
    json.dumps(rows, allow_nan=False)


def test_at_is_read_only_and_knows_its_moments():
    graph = inspector.trace(leaf() ** 2)
    with pytest.raises(networkx.NetworkXError):
        graph.at("before").add_node("mine")
    with pytest.raises(ValueError, match="unknown moment 'later'; choose from: before, after"):
        graph.at("later")


# ---- what is kept -----------------------------------------------------------------------------------------


def test_no_tensor_is_kept_alive_by_a_graph():
    def build():
        w = torch.rand(5, requires_grad=True)
        middle = (w * 2).exp()
        return [w, middle, middle.sum()]

    tensors = build()
    graph = inspector.trace(tensors[-1])
    _ = graph.network, graph.at("before")
    picture = inspector.draw(graph)
    references = [weakref.ref(tensor) for tensor in tensors]
    tensors.clear()
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
    assert graph.roots and picture.svg()


def test_a_graph_is_freed_without_the_garbage_collector():
    """Nothing of ours makes a cycle out of a graph, or holds the tensors that it saved."""

    class Held(torch.Tensor):
        pass

    gc.disable()
    try:
        constant = torch.rand(3).as_subclass(Held)
        gone = weakref.ref(constant)
        y = (torch.rand(3, requires_grad=True) * constant).sum()
        del constant
        assert gone() is not None
        inspector.trace(y)
        y.backward()
        inspector.trace(y)
        del y
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("how", ["trace", "record"])
def test_the_locals_of_a_running_function_are_let_go(how):
    """Up to Python 3.12 reading `f_locals`, and tracing lines, keeps what was in a variable until the function
    returns."""

    def work():
        x = leaf()
        big = torch.rand(10, requires_grad=True)
        with inspector.record() if how == "record" else contextlib.nullcontext():
            loss = (big * x).sum()
            loss.backward()
        if how == "trace":
            inspector.trace(loss)
        gone = weakref.ref(big), weakref.ref(loss)
        del big, loss
        return [reference() is None for reference in gone]

    assert work() == [True, True]


def test_locals_that_the_user_holds_stay_as_they_are():
    def work():
        x = leaf()
        mine = locals()
        inspector.trace(x**2)
        return mine

    mine = work()
    assert isinstance(mine["x"], torch.Tensor)


def test_a_traced_small_graph_leaves_the_keeper_empty():
    inspector.trace(leaf() ** 2)
    assert len(DEEP_GRAPHS) == 0


def test_tracing_changes_nothing_that_can_be_seen():
    x = torch.rand(4, requires_grad=True)
    h = x * 2
    h.retain_grad()
    loss = (h.sin() * h).sum()
    state = torch.get_rng_state()
    versions = [tensor._version for tensor in (x, h, loss)]
    number = torch._C._autograd._get_sequence_nr()
    inspector.trace(loss)
    assert torch.equal(torch.get_rng_state(), state)
    assert [tensor._version for tensor in (x, h, loss)] == versions
    assert torch._C._autograd._get_sequence_nr() == number
    assert x.grad is None and h.grad is None and torch.is_grad_enabled()
    assert loss._backward_hooks is None and not loss.grad_fn.next_functions[0][0].metadata


def test_unpack_hooks_are_not_called():
    called = []

    def unpack(packed):
        called.append(packed)
        return packed

    x = torch.rand(4, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, unpack):
        loss = (x.sin() * x).sum()
    graph = inspector.trace(loss)
    assert called == []
    state = "packed" if WRAPPERS.is_available else "unknown"
    assert {saved["before"] for _, row in graph.functions() for saved in row["saved"]} == {state}
    loss.backward()
    count = len(called)
    inspector.trace(loss)
    assert len(called) == count


# ---- draw -------------------------------------------------------------------------------------------------


def test_a_picture():
    x = leaf()
    z = x**2
    picture = inspector.draw(z)
    svg = picture._repr_mimebundle_()["image/svg+xml"]
    assert svg == picture.svg() and "PowBackward" in picture.svg(text="plain")
    assert picture.svg() == inspector.draw(picture.graph).svg()
    assert picture.svg(theme="dark") != picture.svg()


def test_a_picture_is_saved_by_its_suffix(tmp_path):
    picture = inspector.draw(leaf() ** 2)
    picture.save(tmp_path / "z.svg")
    assert (tmp_path / "z.svg").read_text() == picture.svg()
    with pytest.raises(ValueError, match=r"z\.jpeg2: unknown format '\.jpeg2'"):
        picture.save(tmp_path / "z.jpeg2")
    with pytest.raises(OSError):
        picture.save(tmp_path / "missing" / "z.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["z.svg"]


def test_unknown_styles_and_directions():
    with pytest.raises(ValueError, match="cubist"):
        inspector.draw(leaf() ** 2, style="cubist")


def test_drawing_before_and_after_shows_before_and_after():
    x = leaf()
    z = x**2
    before = inspector.draw(z).svg(text="plain")
    z.backward()
    after = inspector.draw(z).svg(text="plain")
    assert before != after
    assert "None → 4" in after.replace("\N{NO-BREAK SPACE}", " ") or ">4<" in after


# ---- record -----------------------------------------------------------------------------------------------


def test_record():
    x = leaf()
    with inspector.record() as recording:
        y = x**2
        y.backward()
        (x * 3).backward()
    assert recording.failure is None
    assert [call.index for call in recording.calls] == [1, 2]
    graph = recording.calls[0].graph
    assert named(graph)["y"]["gradient"] == 1.0 and named(graph)["x"]["after"]["grad"] == 4.0
    assert [graph[key]["name"] for key in graph.steps] == ["PowBackward0", "AccumulateGrad"]
    (row,) = [row for _, row in recording.after.nodes(data=True) if row["kind"] == "tensor" and row["name"] == "x"]
    assert (row["data"], row["grad"]) == (2.0, 4.0)
    assert recording.calls[0].location["code"] == "y.backward()"


def test_record_only_so_many_calls():
    x = leaf()
    with inspector.record(watch=1) as recording:
        (x * 2).backward()
        assert torch.autograd.graph._engine_run_backward.__module__ == "torch.autograd.graph"
        (x * 3).backward()
    assert len(recording.calls) == 1


def test_record_of_a_block_that_raises():
    x = leaf()
    with pytest.raises(ZeroDivisionError), inspector.record() as recording:
        (x * 2).backward()
        raise ZeroDivisionError("mine")
    assert recording.report().script.exit == {"status": 1, "exception": "ZeroDivisionError: mine"}
    assert len(recording.calls) == 1


def test_record_without_a_call():
    with inspector.record() as recording:
        pass
    with pytest.raises(IndexError, match=r"backward\(\) was not called within the block"):
        _ = recording.before


def test_records_within_records():
    x = leaf()
    with inspector.record() as outer:
        (x * 2).backward()
        with inspector.record() as inner:
            (x * 3).backward()
        (x * 4).backward()
    assert (len(outer.calls), len(inner.calls)) == (3, 1)
    assert outer.failure is None and inner.failure is None


def test_save_and_load(tmp_path):
    x = leaf()
    with inspector.record() as recording:
        y = x**2
        y.backward()
    recording.save(tmp_path / "run.json")
    valid_report(tmp_path / "run.json")
    report = inspector.load(tmp_path / "run.json")
    graph, again = recording.calls[0].graph, report.calls[0].graph
    assert list(again.network.nodes(data=True)) == list(graph.network.nodes(data=True))
    assert sorted(map(str, again.network.edges(data=True))) == sorted(map(str, graph.network.edges(data=True)))
    assert inspector.draw(again).svg() == inspector.draw(graph).svg()


# ---- the module -------------------------------------------------------------------------------------------


def test_reprs_never_raise():
    x = leaf()
    y = x**2
    with inspector.record() as recording:
        y.backward()
    things = [inspector.trace(y), inspector.draw(y), recording, recording.calls[0], recording.report()]
    for thing in things:
        assert isinstance(repr(thing), str) and isinstance(str(thing), str)


def test_doors():
    assert set(inspector.__all__) <= set(dir(inspector))
    for name in inspector.__all__:
        assert getattr(inspector, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = inspector.nothing
    assert "torch" in sys.modules


def test_a_notebook_shows_the_page_of_a_recording(monkeypatch) -> None:
    with inspector.record() as recording:
        x = torch.tensor(2.0, requires_grad=True)
        (x * x).backward()
    bundle = recording._repr_mimebundle_()
    assert list(bundle) == ["text/html", "image/svg+xml", "text/plain"]
    assert bundle["text/html"].startswith("<iframe srcdoc=") and "allow-same-origin" not in bundle["text/html"]
    monkeypatch.setattr("inspector.api.notebook.MOST_BYTES", 1000)
    assert list(recording._repr_mimebundle_()) == ["image/svg+xml", "text/plain"]
    assert "the page is not shown" in recording._repr_mimebundle_()["text/plain"]


def test_a_recording_of_nothing_says_so() -> None:
    with inspector.record() as recording:
        pass
    assert recording._repr_mimebundle_() == {"text/plain": "no backward call was recorded"}
