"""What a running function deletes dies as it would without us: while it is recorded, asleep, and after the end."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

import inspector
from inspector.recording.forward.thread_line_tracer import IDLE_BUDGET
from inspector.util.frame_locals import frames_outwards, variables_of

MODES = ("full", "light", "none")


stays_until_the_next_line = pytest.mark.skipif(
    sys.version_info < (3, 11),
    reason="Python 3.10 itself keeps the variables of a traced function until it traces its next line",
)


def weight() -> torch.Tensor:
    return torch.ones(3, requires_grad=True)


def fall_asleep() -> None:
    for number in range(5 * IDLE_BUDGET):
        _ = number


def before_any_backward(mode: Any) -> Iterator[bool]:
    w = weight()
    with inspector.record(mode=mode):
        h = w * 2
        reference = weakref.ref(h)
        del h
        yield reference() is None
        h = w * 2
        reference = weakref.ref(h)
        h = w * 3
        yield reference() is None


def after_a_backward(mode: Any) -> Iterator[bool]:
    w = weight()
    with inspector.record(mode=mode):
        for _ in range(2):
            h = w * 2
            z = h.sum()
            z.backward()
            references = [weakref.ref(z), weakref.ref(h)]
            del z
            h = None
            yield all(reference() is None for reference in references)


def asleep(mode: Any) -> Iterator[bool]:
    w = weight()
    with inspector.record(mode=mode):
        (w * 2).sum().backward()
        h = w * 2
        reference = weakref.ref(h)
        fall_asleep()
        del h
        yield reference() is None


def after_the_end(mode: Any) -> Iterator[bool]:
    w = weight()
    with inspector.record(watch=1, mode=mode):
        h = w * 2
        h.sum().backward()
        reference = weakref.ref(h)
        del h
        yield reference() is None
        h = w * 2
    reference = weakref.ref(h)
    del h
    yield reference() is None


def in_the_caller(mode: Any) -> Iterator[bool]:
    w = weight()

    def step() -> None:
        (w * 2).sum().backward()

    with inspector.record(mode=mode):
        h = w * 2
        reference = weakref.ref(h)
        step()
        del h
        yield reference() is None


def in_a_closure(mode: Any) -> Iterator[bool]:
    w = weight()
    h: Any = w * 2
    reference = weakref.ref(h)

    def step() -> bool:
        nonlocal h
        h.sum().backward()
        h = None
        return reference() is None

    with inspector.record(mode=mode):
        yield step()


def in_a_constructor(mode: Any) -> Iterator[bool]:
    found = []

    class Trainer:
        def __init__(self) -> None:
            with inspector.record(mode=mode):
                layer = nn.Linear(2, 2)
                layer(torch.ones(1, 2)).sum().backward()
                reference = weakref.ref(layer)
                del layer
                found.append(reference() is None)

    Trainer()
    yield from found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "run",
    [
        before_any_backward,
        after_a_backward,
        pytest.param(asleep, marks=stays_until_the_next_line),
        after_the_end,
        in_the_caller,
        in_a_closure,
        in_a_constructor,
    ],
)
def test_what_is_deleted_dies(run: Callable[[Any], Iterator[bool]], mode: Any) -> None:
    found = list(run(mode))
    assert found and all(found)


@pytest.mark.parametrize("mode", MODES)
def test_in_another_thread(mode: Any) -> None:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.extend(after_a_backward(mode)))
    thread.start()
    thread.join()
    assert found == [True, True]


@stays_until_the_next_line
@pytest.mark.parametrize("mode", MODES)
def test_of_a_generator_that_waits(mode: Any) -> None:
    def batches() -> Iterator[Any]:
        for _ in range(2):
            batch = weight()
            reference = weakref.ref(batch)
            yield batch
            del batch
            yield reference() is None

    source = batches()
    with inspector.record(watch=1, mode=mode):
        (next(source) * 2).sum().backward()
        assert next(source) is True
        (next(source) * 2).sum().backward()
    assert next(source) is True


def test_variables_are_what_they_were() -> None:
    """Also those of cells, under a trace function, which has the interpreter write them back."""
    seen = []

    def trace(frame: Any, event: str, argument: Any) -> Any:
        return trace

    def outer() -> tuple[int, int]:
        count, kept = 1, 5

        def inner() -> None:
            nonlocal count
            count += 1
            seen.append([variables_of(frame) for frame in list(frames_outwards(sys._getframe()))[:2]])
            count += 1

        sys._getframe().f_trace = trace
        inner()
        del kept
        inner()
        kept = 7
        count += 1
        return count, kept

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        assert outer() == (6, 7)
    finally:
        sys.settrace(before)
    assert [names[0]["count"] for names in seen] == [2, 4]
    assert seen[0][1]["kept"] == 5 and "kept" not in seen[1][1]


def test_a_dictionary_that_the_user_holds_stays() -> None:
    kept = 3
    mine = locals()
    found = variables_of(sys._getframe())
    assert mine["kept"] == found["kept"] == kept
    assert mine is not found
