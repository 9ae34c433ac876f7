"""`--break`: the script stops in the debugger at the first step that goes wrong, and nowhere else."""

from __future__ import annotations

import math

import pytest
import torch
from running import ScriptRunner

from inspector.recording.flight.block import Block, Scalars
from inspector.recording.flight.break_point import BreakPoint
from inspector.recording.flight.triggers import LEAST_WINDOW

NAMES = ["body.weight", "head.weight"]


def block(step: int, root: float | None, norms: list[float]) -> Block:
    values = torch.tensor([norms], dtype=torch.float64)
    scalars = {} if root is None else {0: Scalars(root, None)}
    return Block([step], [step], [scalars], values, torch.ones_like(values, dtype=torch.bool), NAMES)


@pytest.mark.parametrize(
    ("wanted", "root", "norms", "kind"),
    [
        ("nan", math.nan, [1.0, 1.0], "root_not_finite"),
        ("nan", 1.0, [1.0, math.inf], "gradient_not_finite"),
        ("nan", 1.0, [1.0, 1e4], None),
        ("nan", None, [1.0, 1.0], None),
        ("spike", 1.0, [1.0, 1e4], "spike"),
        ("spike", math.nan, [1.0, 1.0], None),
        ("head.weight", 1.0, [1.0, 1e4], "spike"),
        ("head", 1.0, [1.0, math.nan], "gradient_not_finite"),
        ("body", 1.0, [1.0, math.nan], None),
        ("hea", 1.0, [1.0, math.nan], None),
    ],
)
def test_where_it_stops(wanted: str, root: float | None, norms: list[float], kind: str | None) -> None:
    point = BreakPoint(wanted)
    for step in range(1, LEAST_WINDOW + 2):
        assert point.look(block(step, 1.0 / step, [1.0, 1.0 + 1 / step])) is None
    found = point.look(block(LEAST_WINDOW + 2, root, norms))
    assert (None if found is None else (found["kind"], found["step"])) == (
        None if kind is None else (kind, LEAST_WINDOW + 2)
    )
    assert point.look(block(LEAST_WINDOW + 3, root, norms)) is None, "it stops once"


SCRIPT = """
import sys, torch
def stop():
    seen = sys._getframe(1).f_locals
    sizes = {name: grad.norm().item() for name, grad in seen["guilty"].items()}
    print(seen["trigger"]["step"], seen["trigger"]["kind"], sizes, seen["variables"]["step"])
    print(sorted(seen["grads"]), len(list(seen["graph"].functions())) if seen["graph"] else None)
sys.breakpointhook = stop
torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
for step in range(1, 61):
    gap = model(torch.randn(4, 3)) * (0.0 if step >= 50 else 1.0)
    loss = gap.pow(2).sum(1).sqrt().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
print(step)
"""


def test_the_names_at_hand(inspect_script: ScriptRunner) -> None:
    refused = inspect_script(SCRIPT, options=("--break", "nan"))
    assert refused.status == 2
    assert "--break needs a terminal for the debugger, or PYTHONBREAKPOINT" in refused.stderr
    options = ("-f", "dot", "--break", "nan")
    ran = inspect_script(SCRIPT, options=options, env={"PYTHONBREAKPOINT": "script.stop"})
    assert ran.status == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "50 gradient_not_finite {'weight': nan, 'bias': nan} 50",
        "['bias', 'weight'] 9",
        "60",
    ]
    assert "inspect: stopped at step 50: a gradient is not finite." in " ".join(ran.stderr.split())
