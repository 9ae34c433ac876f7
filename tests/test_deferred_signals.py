"""What a signal handler of the script raises is the script's, wherever the inspector is then."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import inspector
from inspector.recording.session import Session
from inspector.util.deferred_signals import handle_deferred, signals_deferred

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no signals but Ctrl-C")


@pytest.fixture
def alarm() -> Iterator[list[int]]:
    """The signals that a handler got, which raises TimeoutError."""
    seen: list[int] = []

    def handler(number: int, frame: Any) -> None:
        seen.append(number)
        raise TimeoutError("too slow")

    before = signal.signal(signal.SIGALRM, handler)
    yield seen
    signal.signal(signal.SIGALRM, before)


def interrupted(method: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the alarm go off in the middle of a method."""

    def wrapper(*args: Any) -> Any:
        signal.raise_signal(signal.SIGALRM)
        return method(*args)

    monkeypatch.setattr(Session, method.__name__, wrapper)


@pytest.mark.parametrize("method", [Session._before, Session._after, Session._start, Session._end])
def test_an_alarm_within_our_work_is_raised_by_backward(
    method: Callable[..., Any], alarm: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGALRM)
    interrupted(method, monkeypatch)
    w = torch.ones(3, requires_grad=True)
    with inspector.record(watch=2) as recording:
        loss = w.square().sum()
        with pytest.raises(TimeoutError, match="too slow"):
            loss.backward()
        monkeypatch.undo()
        w.grad = None
        w.square().sum().backward()
    assert alarm == [signal.SIGALRM]
    assert signal.getsignal(signal.SIGALRM) is handler
    assert recording.failure is None
    assert [call.index for call in recording.calls] == [1, 2]
    assert w.grad is not None and w.grad.tolist() == [2.0, 2.0, 2.0]


def test_every_signal_is_handled_once_and_after_the_work(alarm: list[int]) -> None:
    users: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: users.append(number))
    try:
        with signals_deferred():
            with signals_deferred():
                signal.raise_signal(signal.SIGALRM)
                signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR1)
            assert (alarm, users) == ([], [])
        with pytest.raises(TimeoutError):
            handle_deferred()
        assert (alarm, users) == ([signal.SIGALRM], [signal.SIGUSR1])
        handle_deferred()
        assert (alarm, users) == ([signal.SIGALRM], [signal.SIGUSR1])
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_an_event_loop_handles_a_signal_once() -> None:
    """asyncio reads the numbers of signals from the socket that the signal writes to, whatever the handler is."""
    seen: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, seen.append, 1)
        with signals_deferred():
            signal.raise_signal(signal.SIGUSR1)
        handle_deferred()
        for _ in range(3):
            await asyncio.sleep(0)
        loop.remove_signal_handler(signal.SIGUSR1)

    asyncio.run(main())
    assert seen == [1]


def test_ctrl_c_is_not_deferred() -> None:
    with pytest.raises(KeyboardInterrupt), signals_deferred():
        signal.raise_signal(signal.SIGINT)
