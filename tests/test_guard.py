"""The guard of the benchmarks fails where a ratio lost a third of its speed, twice in a row."""

import json

import pytest

from benchmarks import guard
from benchmarks.whole import ROWS, Measured

NAME = "inspect saddle.py"


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """The ratios that are measured, in turn; the kept one is 2."""
    kept = tmp_path / "whole.json"
    kept.write_text(json.dumps({NAME: {"ratio": 2.0}}), encoding="utf-8")
    ratios = []
    monkeypatch.setattr(guard, "KEPT", kept)
    monkeypatch.setattr(guard, "measure", lambda name: Measured(1.0, 1.0, 1.0, 1.0, ratios.pop(0)))
    return ratios


@pytest.mark.parametrize(("ratios", "status"), [([2.9], 0), ([3.1, 2.9], 0), ([3.1, 3.2], 1)])
def test_it_fails_if_a_row_is_slower_by_more_than_a_third_twice(measured, ratios, status, capsys):
    measured += ratios
    assert guard.main() == status
    assert not measured
    assert ("slower by more than a third" in capsys.readouterr().out) == bool(status)


def test_it_fails_if_a_row_cannot_be_measured(measured, monkeypatch):
    monkeypatch.setattr(guard, "measure", lambda name: "ImportError: no torch")
    with pytest.raises(SystemExit, match=r"inspect saddle\.py: ImportError: no torch"):
        guard.main()


def test_every_kept_row_is_known_and_rows_beside_the_script_and_the_walk_are_measured():
    kept = json.loads((guard.ROOT / "benchmarks" / "results" / "whole.json").read_text(encoding="utf-8"))
    assert set(kept) <= set(ROWS)
    beside = {ROWS[name].peer for name in kept if not ROWS[name].slow}
    assert {"python saddle.py", "python gpt.py", "10 bare walks"} <= beside
    assert "-m benchmarks.guard" in (guard.ROOT / ".ci" / "full").read_text(encoding="utf-8")
