"""Models as `transformers` makes them from small configs: three training steps without a warning or an error."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import MODELS

import inspector


def trained(name: str, kind: type[torch.optim.Optimizer], options: dict[str, Any]) -> Any:
    """The report of three steps."""
    torch.manual_seed(0)
    with inspector.record(watch=3) as recording:
        model, inputs = MODELS[name]()
        model.train()
        optimizer = kind(model.parameters(), **options)  # type: ignore[call-arg]
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(**inputs).loss
            loss.backward()
            optimizer.step()
    assert recording.failure is None
    return recording.report()


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_three_steps_raise_no_alarm(name: str) -> None:
    report = trained(name, torch.optim.AdamW, {"lr": 1e-3})
    assert len(report.calls) == 3
    assert [finding for finding in report.findings if finding.severity in ("warning", "error")] == []
    assert not [check for check in report.checked if "internal error" in (check.reason or "")]
