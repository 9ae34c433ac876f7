"""A picture of a large live graph reads what it shows; the rest is read later, or unknown."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import nn

import inspector
from inspector.graph import is_unknown
from inspector.tensor_stats import LateBatch


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(6, 12), nn.Linear(12, 6)

    def forward(self, x: Any) -> Any:
        return x + self.down(torch.tanh(self.up(x)))


def _loss(layers: int = 30) -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(*(_Block() for _ in range(layers)))
    return model, model(torch.randn(4, 6)).pow(2).mean()


def _norm(value: Any) -> float:
    """The norm of a tensor written in full, or of its summary."""
    return float(value["norm"]) if isinstance(value, dict) else float(torch.tensor(value).norm())


def _rows(graph: Any) -> dict[str, Any]:
    return dict(graph.nodes())


def test_the_picture_is_that_of_the_whole_trace() -> None:
    _model, loss = _loss()
    late, whole = inspector.draw(loss), inspector.draw(inspector.trace(loss))
    assert late.svg() == whole.svg()


@pytest.mark.parametrize("depth", ["auto", 2, "full"])
def test_depths_show_the_same_as_the_whole_trace(depth: Any) -> None:
    _model, loss = _loss()
    assert inspector.draw(loss, depth=depth).svg() == inspector.draw(inspector.trace(loss), depth=depth).svg()


def test_values_that_the_picture_does_not_show_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[tuple[int, int]] = []
    original = LateBatch.close

    def closing(self: LateBatch, again: Any) -> None:
        counts.append((sum(value.found is not None for value in self._values), len(self._values)))
        original(self, again)

    monkeypatch.setattr(LateBatch, "close", closing)
    inspector.draw(_loss()[1])  # nothing holds the model: its parameters have no names
    ((measured, every),) = counts
    assert 0 < 8 * measured < every


def test_the_rest_is_read_when_it_is_asked_for() -> None:
    _model, loss = _loss()
    picture = inspector.draw(loss)
    assert _rows(picture.graph) == _rows(inspector.trace(loss))


def test_the_rest_is_unknown_once_the_graph_is_gone() -> None:
    _model, loss = _loss()
    expected = _rows(inspector.trace(loss))
    picture = inspector.draw(loss)
    del loss
    rows = _rows(picture.graph)
    assert rows.keys() == expected.keys()
    assert any(is_unknown(row["before"]["data"]) for row in rows.values() if row["kind"] == "tensor")


@pytest.mark.parametrize("change", ["write", "backward"])
def test_the_rest_is_unknown_once_the_graph_has_changed(change: str) -> None:
    model, loss = _loss()
    picture = inspector.draw(loss)
    if change == "write":
        with torch.no_grad():
            next(model.parameters()).add_(1)
    else:
        loss.backward()
    unread = [row["before"]["data"] for _, row in picture.graph.tensors()]
    assert any(is_unknown(value) and "changed since" in value["unknown"] for value in unread)


def test_what_was_shown_stays_as_it_was() -> None:
    model, loss = _loss()
    picture = inspector.draw(loss, depth="full")
    before = {name: row["before"] for name, row in picture.graph.tensors()}
    with torch.no_grad():
        next(model.parameters()).add_(1)
    assert {name: row["before"] for name, row in picture.graph.tensors()} == before
    assert not any(is_unknown(state["data"]) for state in before.values())


def test_a_picture_keeps_no_tensor_alive() -> None:
    _model, loss = _loss()
    held = weakref.ref(loss)
    activation = weakref.ref(loss.grad_fn.next_functions[0][0]._saved_self.untyped_storage())
    picture = inspector.draw(loss)
    del loss
    gc.collect()
    assert held() is None
    assert activation() is None
    assert picture.svg()


def test_reading_the_rest_keeps_no_tensor_alive_until_garbage_is_collected() -> None:
    model, loss = _loss()
    picture, held = inspector.draw(loss), [weakref.ref(loss), weakref.ref(next(model.parameters()))]
    gc.collect()
    gc.disable()
    try:
        assert not any(is_unknown(row["before"]["data"]) for _, row in picture.graph.tensors())
        del model, loss
        assert [reference() for reference in held] == [None, None]
    finally:
        gc.enable()


def test_before_and_after_are_shown_by_two_pictures() -> None:
    _model, loss = _loss()
    inspector.draw(loss)
    loss.backward()
    leaves = [row for _, row in inspector.draw(loss).graph.tensors() if row["is_leaf"] and row["requires_grad"]]
    assert len(leaves) == 120
    for row in leaves:
        assert row["before"]["grad"] is None
        assert _norm(row["after"]["grad"]) > 0
        assert _norm(row["before"]["data"]) == _norm(row["after"]["data"]) > 0


def test_a_trace_after_a_picture_is_remembered_instead_of_it() -> None:
    _model, loss = _loss()
    inspector.draw(loss)
    inspector.trace(loss)
    loss.backward()
    drawn_first = _rows(inspector.trace(loss))
    _model, loss = _loss()
    inspector.trace(loss)
    loss.backward()
    assert drawn_first == _rows(inspector.trace(loss))


def test_a_failed_picture_holds_nothing() -> None:
    _model, loss = _loss()
    held = weakref.ref(loss)
    with pytest.raises(ValueError, match="nowhere"):
        inspector.draw(loss, path="nowhere:loss")
    del loss
    gc.collect()
    assert held() is None


def test_a_mode_of_the_script_does_not_see_the_reading() -> None:
    class Seeing(torch.overrides.TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[Any] = []

        def __torch_function__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
            self.seen.append(function)
            return function(*given, **(named or {}))

    _model, loss = _loss()
    inspector.draw(_loss()[1])  # the first use imports modules
    with Seeing() as mode:
        picture = inspector.draw(loss)
        picture.graph.make()
    assert mode.seen == []
