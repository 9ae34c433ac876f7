"""The one pair of torch's global step hooks that all recorders share."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest
import torch
from torch.optim import optimizer as torchs

from inspector.torch_api.step_hooks import STEP_HOOKS


def hooks() -> int:
    """The number of torch's global hooks of steps."""
    return len(torchs._global_optimizer_pre_hooks) + len(torchs._global_optimizer_post_hooks)


def optimizer() -> torch.optim.Optimizer:
    weight = torch.ones(2, requires_grad=True)
    weight.grad = torch.ones(2)
    return torch.optim.SGD([weight], lr=0.1)


def test_all_recorders_are_called_and_the_last_one_takes_the_hooks_away() -> None:
    before, seen = hooks(), list[str]()
    removers = [
        STEP_HOOKS.add(lambda *given, name=name: seen.append(name), lambda *given: seen.append("after"))
        for name in ("first", "second")
    ]
    one = optimizer()
    one.step()
    assert seen == ["first", "second", "after", "after"]
    removers[0]()
    one.step()
    assert seen[4:] == ["second", "after"]
    removers[1]()
    assert hooks() == before


def test_a_hook_that_raises_leaves_nothing() -> None:
    """A debugger that is left at a step raises through the hook."""
    before = hooks()

    def leave(*given: Any) -> None:
        raise KeyboardInterrupt

    remove = STEP_HOOKS.add(leave, lambda *given: None)
    with pytest.raises(KeyboardInterrupt):
        optimizer().step()
    remove()
    assert hooks() == before


def test_a_thread_that_steps_while_another_removes_goes_on() -> None:
    errors, ended = list[BaseException](), threading.Event()

    def steps() -> None:
        one = optimizer()
        try:
            while not ended.is_set():
                one.step()
        except BaseException as error:
            errors.append(error)

    keep = STEP_HOOKS.add(lambda *given: None, lambda *given: None)
    thread = threading.Thread(target=steps)
    thread.start()
    for _ in range(300):
        STEP_HOOKS.add(lambda *given: None, lambda *given: None)()
    ended.set()
    thread.join()
    keep()
    assert errors == []


def test_threads_that_start_at_once_are_all_called() -> None:
    """To add and to remove is to read, then to write: no thread may come between."""
    interval, missed = sys.getswitchinterval(), list[int]()
    start = threading.Barrier(4)
    others = [STEP_HOOKS.add(lambda *given: None, lambda *given: None) for _ in range(100)]

    def watch_one_step() -> None:
        one, seen = optimizer(), list[str]()
        start.wait()
        for number in range(50):
            remove = STEP_HOOKS.add(lambda *given: seen.append("before"), lambda *given: None)
            seen.clear()
            one.step()
            if "before" not in seen:
                missed.append(number)
            remove()

    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=watch_one_step) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
        for remove in others:
            remove()
    assert missed == []
    STEP_HOOKS.add(lambda *given: None, lambda *given: None)()  # no thread that has stepped is alive now
    assert hooks() == 0
