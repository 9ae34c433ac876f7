"""The inspector's trace functions are off while the inspector works, and those of others are left alone."""

import sys

import pytest
import torch

import inspector
from inspector.recording.training.event_log import EventLog
from inspector.util.own_tracing import OWN_TRACERS, untraced


def trace(frame, event, argument):
    return None


@pytest.fixture
def traced():
    previous = sys.gettrace()
    sys.settrace(trace)
    yield
    sys.settrace(previous)
    OWN_TRACERS.discard(trace)


def test_a_trace_function_of_the_inspector_is_off_within_the_block(traced):
    OWN_TRACERS.add(trace)
    with untraced():
        within = sys.gettrace()
    assert (within, sys.gettrace()) == (None, trace)


def test_one_that_was_stopped_within_the_block_does_not_come_back(traced):
    OWN_TRACERS.add(trace)
    with untraced():
        OWN_TRACERS.discard(trace)
    assert sys.gettrace() is None


def test_a_trace_function_of_another_tool_stays(traced):
    with untraced():
        assert sys.gettrace() is trace
    assert sys.gettrace() is trace


def test_events_of_the_training_are_recorded_untraced_and_tracing_goes_on(monkeypatch):
    add, found = EventLog.add, []

    def noted(self, kind, *rest, **facts):
        found.append((kind, sys.gettrace()))
        return add(self, kind, *rest, **facts)

    monkeypatch.setattr(EventLog, "add", noted)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    tracers = set(OWN_TRACERS)
    with inspector.record(watch=2) as recording:
        optimizer.zero_grad()
        after_zero_grad = sys.gettrace()
        model(torch.ones(2)).sum().backward()
        optimizer.step()
        assert tracers < OWN_TRACERS
    assert ("zero_grad", None) in found and ("step", None) in found
    assert after_zero_grad is not None
    assert tracers == OWN_TRACERS
    assert [call.graph.network.number_of_nodes() > 0 for call in recording.calls] == [True]
