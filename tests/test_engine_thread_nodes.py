"""Nodes of the engine's own threads, whose numbers those of the script's thread have too."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import pytest
import torch

import inspector
from inspector.recording.forward.engine_thread_nodes import EngineThreadNodes, call_of
from inspector.recording.forward.sequence_ranges import sequence_number
from inspector.tracing.roots import gradient_edge
from inspector.tracing.walk import Walk, walk


def walked(tensor: torch.Tensor) -> Walk:
    edge = gradient_edge(tensor)
    assert edge is not None
    return walk([edge])


def in_a_thread(make: Any) -> Any:
    """What `make` gives in a new thread, which counts its Nodes from 0."""
    given = []
    thread = threading.Thread(target=lambda: given.append(make()))
    thread.start()
    thread.join()
    return given[0]


def told(threads: EngineThreadNodes, tensor: torch.Tensor) -> dict[str, int | None]:
    """By the names of its Nodes the call that made each, None for the script."""
    found = walked(tensor)
    threads.renumber_engine_nodes(found)
    numbers = found.structure.sequence_nrs
    assert [threads.sequence_number_of(node) for node in found.nodes] == list(numbers)
    return {name: call_of(number) for name, number in zip(found.structure.names, numbers, strict=True)}


@pytest.fixture
def forward() -> Any:
    """The product of a forward, in a thread whose numbers begin at 0 as well, and its leaf."""

    def make() -> Any:
        x = torch.ones(2, requires_grad=True)
        return x, x.exp() * 3

    return in_a_thread(make)


def test_what_the_engine_made_is_told_by_its_mark(forward: Any) -> None:
    x, y = forward
    made = in_a_thread(lambda: y.sin() * x.exp())  # the numbers are those of the forward
    threads, other = EngineThreadNodes(), EngineThreadNodes()
    known = {*walked(y).index}
    assert threads.note_created_graph(4, walked(made), known, range(7, 7))
    later = made.tan()
    assert told(threads, later) == {
        "TanBackward0": None,
        "MulBackward0": None,  # the last of two: that of the forward
        "SinBackward0": 4,
        "ExpBackward0": 4,  # the last of two: that of the engine
        "AccumulateGrad": None,
    }
    assert told(threads, y) == {"MulBackward0": None, "ExpBackward0": None, "AccumulateGrad": None}
    assert set(told(other, later).values()) == {None}, "marks of another recording"
    number = threads.sequence_number_of(made.grad_fn)
    assert (call_of(number), threads.thread_counter_at(number), threads.thread_counter_at(3)) == (4, 7, 3)


def test_what_an_earlier_call_made_stays_its(forward: Any) -> None:
    _, y = forward
    first = in_a_thread(y.sin)
    threads = EngineThreadNodes()
    threads.note_created_graph(1, walked(first), {*walked(y).index}, range(0))
    second = in_a_thread(lambda: first.cos() + first)
    assert threads.note_created_graph(2, walked(second), {*walked(y).index}, range(0))
    found = told(threads, second)
    assert (found["AddBackward0"], found["CosBackward0"], found["SinBackward0"]) == (2, 2, 1)


def test_nothing_is_learnt_where_the_script_itself_made_it() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    first = sequence_number()
    made = y.sin()
    threads = EngineThreadNodes()
    assert not threads.note_created_graph(1, walked(made), {*walked(y).index}, range(first, sequence_number()))
    assert set(told(threads, made).values()) == {None}


def made_in(recording: Any, call: int) -> dict[str, int | None]:
    """By the names of the functions of a call, in which call each was made."""
    return {row["name"]: row.get("made_in") for _, row in recording.calls[call - 1].graph.functions()}


def test_what_a_hook_brings_in_was_made_by_the_script() -> None:
    x, w = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    with inspector.record(watch=2) as recording:
        scale = w.exp()
        y = x.pow(3).sum()
        x.register_hook(lambda gradient: gradient * scale)
        (gradient,) = torch.autograd.grad(y, x, create_graph=True)
        gradient.sum().backward()
    found = made_in(recording, 2)
    assert (found["ExpBackward0"], found["MulBackward0"]) == (None, 1)


def test_a_grad_that_is_added_to_keeps_what_an_earlier_call_made() -> None:
    p = torch.ones(3, requires_grad=True)
    with inspector.record(watch=3) as recording, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # create_graph keeps the grad alive
        p.sin().sum().backward(create_graph=True)
        p.cosh().sum().backward(create_graph=True)
        assert p.grad is not None
        p.grad.sum().backward()
    found = made_in(recording, 3)
    assert (found["CosBackward0"], found["SinhBackward0"]) == (1, 2)
    p.grad = None
