"""Nearly all edges of scalars have a symbol; `tests/symbols.py` counts all scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from symbols import FOLDERS, Count, add, count_of

import inspector

COURSE = FOLDERS[0]


def test_scalar_edges_of_a_first_course_have_symbols() -> None:
    topics = ("chain_*", "paths_*", "neuron_*", "second_*")
    scripts: list[Path] = sorted(script for topic in topics for script in COURSE.glob(f"{topic}.py"))
    count = count_of(scripts)
    assert count.edges > 60 and count.share >= 0.98, count.without


def test_an_edge_without_a_symbol_is_counted() -> None:
    x = torch.tensor(0.0, requires_grad=True)
    with inspector.record() as recording:
        torch.sqrt(x).backward()
    count = Count()
    add(count, recording.calls[0].graph, "root")
    assert (count.edges, count.share) == (1, 0.0) and "SqrtBackward0 → AccumulateGrad" in count.without[0]


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_the_backward_of_a_function_has_symbols(name: str) -> None:
    x = torch.tensor(0.7, requires_grad=True)
    with inspector.record() as recording:
        (slope,) = torch.autograd.grad(getattr(torch, name)(2 * x), x, create_graph=True)
        (slope**2).backward()
    count = Count()
    add(count, recording.calls[-1].graph, name)
    assert count.edges >= 5 and not count.without
