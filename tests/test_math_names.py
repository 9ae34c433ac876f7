"""Names in mathematics: comments of the script give the names that figures write; the model keeps the script's."""

# ruff: noqa: RUF001 (the signs are those of mathematics)
from __future__ import annotations

import pytest
from pictured import labels, panel_texts, plan
from running import OUTPUT, ScriptRunner

from inspector.figure import draw
from inspector.options import STYLE_NAMES, FigureOptions
from inspector.report import load
from inspector.runscript.name_comments import drawn_names
from inspector.typography import covers
from inspector.typography.math_notation import math_notation

SCRIPT = '''
import torch
# inspect: w0 = w_0, alpha = \\alpha
theta = torch.tensor(2.0, requires_grad=True)  # inspect: theta = θ
w0 = torch.tensor(3.0, requires_grad=True)
alpha = torch.tensor(0.5, requires_grad=True)
text = "# inspect: w0 = v"  # a string is no comment
y_hat = w0*theta**2 + alpha*torch.sin(w0)  # inspect: y_hat = \\hat y
y_hat.backward()
'''


@pytest.mark.parametrize(
    ("written", "drawn"),
    [
        ("w_0", "w₀"), ("w_{12}", "w₁₂"), ("x_i", "xᵢ"), ("\\theta", "θ"), ("\\alpha_1", "α₁"), ("θ", "θ"),
        ("\\hat y", "ŷ"), ("\\hat{y}", "ŷ"), ("\\Omega", "Ω"), ("\\lambda", "λ"), ("x^2", "x²"), ("loss", "loss"),
    ],
)  # fmt: skip
def test_what_can_be_written(written: str, drawn: str) -> None:
    assert math_notation(written) == drawn
    assert covers(drawn, "bold") and covers(drawn, "medium")


@pytest.mark.parametrize("written", ["\\frac12", "w_q", "\\hat w_{", "", "{x}", "x_", "\\", "\\hat q"])
def test_what_cannot_be_written(written: str) -> None:
    assert math_notation(written) is None


def test_comments() -> None:
    names, remarks = drawn_names(SCRIPT)
    assert names == {"w0": "w₀", "alpha": "α", "theta": "θ", "y_hat": "ŷ"}
    assert remarks == []
    names, remarks = drawn_names("# inspect: w0 w_0\n# inspect: w1 = \\foo\n# inspect: 3 = x\n#inspect: b = b_1\n")
    assert names == {"b": "b₁"}
    assert remarks == [
        "line 1: '# inspect: w0 w_0' is not a name; write '# inspect: w0 = w_0'",
        "line 2: '\\foo' cannot be drawn; use \\alpha to \\Omega, \\hat y, w_0, x^2",
        "line 3: '# inspect: 3 = x' is not a name; write '# inspect: w0 = w_0'",
    ]
    assert drawn_names("def broken(:\n") == ({}, [])


def test_figures_write_them_and_the_model_keeps_the_names(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(SCRIPT)
    assert (ran.status, ran.said) == (0, [])
    graph = load(ran.folder / OUTPUT / "report.json").calls[0].graph
    held = {tensor["name"]: tensor.get("symbol") for _, tensor in graph.tensors() if tensor["name"]}
    assert held == {"w0": "w₀", "alpha": "α", "theta": "θ", "y_hat": "ŷ"}
    shown = labels(plan(graph, "after", "attributes"))
    assert {"2θ · 3 = 12", "sin(w₀) · 1 = 0.1411", "θ² · 1 = 4"} <= set(shown)
    for style in STYLE_NAMES:
        texts = " ".join(panel_texts(draw(graph, FigureOptions(style=style)).panels["after"].panels[0]))
        code = "y_hat = w0*theta**2 + alpha*torch.sin(w0)"
        assert style in ("modules", "torchviz") or all(name in texts for name in ("w₀", "θ", "α")), style
        assert code in texts, "code stays code"
        assert "theta" not in texts.replace(code, "").replace("theta**2", "").replace("w0*theta", "")


def test_what_names_nothing_is_said_and_the_script_goes_on(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(SCRIPT + "# inspect: w9 = w_9\n# inspect: rubbish\nprint('done')\n")
    assert (ran.status, ran.stdout) == (0, "done\n")
    assert ran.said == [
        "inspect: note: line 11: '# inspect: rubbish' is not a name; write '# inspect: w0 = w_0'",
        "inspect: note: a comment writes w9 as w₉, but no tensor is called w9",
    ]
