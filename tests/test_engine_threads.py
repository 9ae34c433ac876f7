"""Nodes of the engine's own threads, whose numbers those of the script's thread have too."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch

from inspector.recorder.forward.engine_threads import EngineThreads, call_of, is_either
from inspector.recorder.forward.ranges import sequence_number
from inspector.tracer.roots import gradient_edge
from inspector.tracer.walk import Walk, walk


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


def told(threads: EngineThreads, tensor: torch.Tensor) -> dict[str, Any]:
    """By the names of its Nodes: the call that made each, None for the script, "either"."""
    structure = walked(tensor).structure
    threads.tell_apart(structure)
    assert [threads.number_of(node) for node in walked(tensor).nodes] == list(structure.sequence_nrs)
    numbers = zip(structure.names, structure.sequence_nrs, strict=True)
    return {name: "either" if is_either(number) else call_of(number) for name, number in numbers}


@pytest.fixture
def forward() -> Any:
    """The product of a forward, in a thread whose numbers begin at 0 as well, and its leaf."""

    def make() -> Any:
        x = torch.ones(2, requires_grad=True)
        return x, x.exp() * 3

    return in_a_thread(make)


def test_what_the_engine_made_is_told_by_what_it_leads_to(forward: Any) -> None:
    _, y = forward
    made = in_a_thread(lambda: y.sin().cos())  # numbers 0 and 1, as `exp` and `mul` have
    threads = EngineThreads()
    threads.learn(4, walked(made), {*walked(y).index}, range(0))
    later = made.tan()
    assert told(threads, later) == {
        "TanBackward0": None,
        "CosBackward0": 4,
        "SinBackward0": 4,
        "MulBackward0": None,
        "ExpBackward0": None,
        "AccumulateGrad": None,
    }
    assert told(threads, y)["ExpBackward0"] is None
    again = in_a_thread(lambda: made.abs() + made)
    threads.learn(5, walked(again), {*walked(later).index}, range(0))
    assert told(threads, again) | {"AddBackward0": 5, "AbsBackward0": 5, "CosBackward0": 4} == told(threads, again)


def test_what_cannot_be_told_is_said_to_be_either(forward: Any) -> None:
    x, y = forward
    made = in_a_thread(lambda: x.exp().sin())  # `exp` with the same number, of the same leaf
    threads = EngineThreads()
    while sequence_number() < 10:
        y.exp()
    first = sequence_number()
    both = y.sum() + made.sum()
    here = range(first, sequence_number())
    threads.learn(1, walked(both), {*walked(y).index}, here)
    assert told(threads, made)["ExpBackward0"] == "either"


def test_nothing_is_learnt_where_the_script_itself_made_it() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    first = sequence_number()
    made = y.sin()
    threads = EngineThreads()
    threads.learn(1, walked(made), {*walked(y).index}, range(first, sequence_number()))
    assert set(told(threads, made).values()) == {None}
