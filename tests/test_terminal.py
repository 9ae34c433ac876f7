"""What the terminal says: the exact text of the seeds, every shape at every width, hostile names, broken calls."""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from graphs import SHAPES, Program, chain, fan_out, saddle, square
from msgspec.structs import replace
from reports import FILES, finding, model, report_of, summarised
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

import inspector
from inspector.graph import Graph, from_rows, unknown
from inspector.graph.value_norms import is_finite, is_zero, value_norm
from inspector.report import Check, Report
from inspector.terminal import lines, show, stderr_console
from inspector.terminal.console import print_lines
from inspector.terminal.labels import operand, with_superscripts
from inspector.terminal.print_call import Shown


def said(graph: Graph, width: int = 80, **more: Any) -> str:
    """The text about a graph's call, without colour."""
    report = report_of(graph, **more)
    return printed(Console(file=io.StringIO(), width=width), report)


def printed(console: Console, report: Report, files: tuple[str, ...] = FILES) -> str:
    show(console, report, Shown([report.calls[0].index], files))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# ---- the exact text -----------------------------------------------------------------------------------------

EXPECTED = {
    "S1": """\
backward 1  z.backward()  script.py:7

Node                  tensor   gradient
1 PowBackward         y = 4     ∂y/∂y = 1
└─ 2 AccumulateGrad   x = 2    2x · 1 = 4

tensor   data   grad       is_leaf   requires_grad   grad_fn
y        4      None       False     True            PowBackward
x        2      None → 4   True      True            None

y.grad  None: not a leaf; y.retain_grad() keeps it

wrote   inspect-out/ report.json backward-1.svg backward-1.html
checks  nothing was checked
page    inspect-out/backward-1.html
""",
    "S2": """\
backward 1  z.backward()  script.py:7

Node                          tensor           gradient     sum
1 AddBackward                 z = 9             ∂z/∂z = 1
└─ 2 AddBackward              x**2 + 2*x = 8            1
   ├─ 4 PowBackward           x**2 = 4                  1
   │  └─ 5 AccumulateGrad ↓   x                2x · 1 = 4
   └─ 3 MulBackward           2*x = 4                   1
      └─ 5 AccumulateGrad     x = 2             2 · 1 = 2   4 + 2 = 6

tensor   data   grad       is_leaf   requires_grad   grad_fn
z        9      None       False     True            AddBackward
x        2      None → 6   True      True            None

z.grad  None: not a leaf; z.retain_grad() keeps it

wrote   inspect-out/ report.json backward-1.svg backward-1.html
checks  nothing was checked
page    inspect-out/backward-1.html
""",
    "S3": """\
backward 1  z.backward()  script.py:7

Node                       tensor     gradient     sum
1 AddBackward              f = 3       ∂f/∂f = 1
├─ 3 MulBackward           u*v = 2             1
│  ├─ 4 AccumulateGrad ↓   u           v · 1 = 2
│  └─ 5 AccumulateGrad     v = 2       u · 1 = 1
└─ 2 PowBackward           u**2 = 1            1
   └─ 4 AccumulateGrad     u = 1      2u · 1 = 2   2 + 2 = 4

tensor   data   grad       is_leaf   requires_grad   grad_fn
f        3      None       False     True            AddBackward
u        1      None → 4   True      True            None
v        2      None → 1   True      True            None

f.grad  None: not a leaf; f.retain_grad() keeps it

wrote   inspect-out/ report.json backward-1.svg backward-1.html
checks  nothing was checked
page    inspect-out/backward-1.html
""",
    "S4": """\
backward 1  z.backward()  script.py:7

Node                     tensor     gradient
1 SubBackward            z = 0          ∂z/∂z = 1
├─ 4 PowBackward         x**2 = 0               1
│  └─ 5 AccumulateGrad   x = 0         2x · 1 = 0
└─ 2 PowBackward         y**2 = 0               \N{MINUS SIGN}1
   └─ 3 AccumulateGrad   y = 0      2y · (\N{MINUS SIGN}1) = 0

tensor   data   grad       is_leaf   requires_grad   grad_fn
z        0      None       False     True            SubBackward
x        0      None → 0   True      True            None
y        0      None → 0   True      True            None

z.grad  None: not a leaf; z.retain_grad() keeps it

wrote   inspect-out/ report.json backward-1.svg backward-1.html
checks  nothing was checked
page    inspect-out/backward-1.html
""",
    "S5": """\
backward 1  z.backward()  script.py:7

Node                     tensor     gradient
1 SubBackward            z = 4          ∂z/∂z = 1
├─ 4 PowBackward         x**2 = 4               1
│  └─ 5 AccumulateGrad   x = 2         2x · 1 = 4
└─ 2 PowBackward         y**2 = 0               \N{MINUS SIGN}1
   └─ 3 AccumulateGrad   y = 0      2y · (\N{MINUS SIGN}1) = 0

tensor   data   grad       is_leaf   requires_grad   grad_fn
z        4      None       False     True            SubBackward
x        2      None → 4   True      True            None
y        0      None → 0   True      True            None

z.grad  None: not a leaf; z.retain_grad() keeps it

wrote   inspect-out/ report.json backward-1.svg backward-1.html
checks  nothing was checked
page    inspect-out/backward-1.html
""",
    "fan-out": """\
backward 1  z.backward()  script.py:7

Node                       tensor                  gradient
1 AddBackward              out = 12.3                        ∂out/∂out = 1
├─ 2 AddBackward           h.sin() + h**2 = 4.909                        1
│  ├─ 5 SinBackward        h.sin() = 0.9093                              1
│  │  └─ 6 MulBackward ↓   h                                cos(h) · 1 = \N{MINUS SIGN}0.4161
│  └─ 4 PowBackward        h**2 = 4                                      1
│     └─ 6 MulBackward ↓   h                                    2h · 1 = 4
└─ 3 ExpBackward           r = 7.389                                     1
   └─ 6 MulBackward        h = 2                            exp(h) · 1 = 7.389
      │                                            \N{MINUS SIGN}0.4161 + 4 + 7.389 = 10.97
      ├─ 7 AccumulateGrad  a = 2                             b · 10.97 = 10.97
      └─ 8 AccumulateGrad  b = 1                             a · 10.97 = 21.95

tensor   data    grad           is_leaf   requires_grad   grad_fn
out      12.3    None           False     True            AddBackward
h        2       None           False     True            MulBackward
a        2       None → 10.97   True      True            None
b        1       None → 21.95   True      True            None
r        7.389   None           False     True            ExpBackward

out.grad, h.grad, r.grad  None: not a leaf; out.retain_grad() keeps it

wrote   inspect-out/ report.json backward-1.svg backward-1.html
checks  nothing was checked
page    inspect-out/backward-1.html
""",
    "raised": """\
backward 1  z.backward()  script.py:7

Node                   tensor     gradient
1 SubBackward          z = 4      ∂z/∂z = 1
├─ PowBackward         x**2 = 4           1
│  └─ AccumulateGrad   x = 2      ?
└─ 2 PowBackward       y**2 = 0           \N{MINUS SIGN}1
   └─ AccumulateGrad   y = 0      ?

tensor   data   grad   is_leaf   requires_grad   grad_fn
z        4      None   False     True            SubBackward
x        2      None   True      True            None
y        0      None   True      True            None

z.grad  None: not a leaf; z.retain_grad() keeps it
x.grad, y.grad  None: backward raised before it was reached

backward raised  RuntimeError: backward of b failed
                 the engine had reached 2 PowBackward (y**2), script.py:1

wrote   inspect-out/ report.json backward-1.svg backward-1.html
checks  nothing was checked
page    inspect-out/backward-1.html
""",
    "accumulated": """\
backward 1  z.backward()  script.py:7

Node                     tensor     gradient
1 SubBackward            z = 4          ∂z/∂z = 1
├─ 4 PowBackward         x**2 = 4               1
│  └─ 5 AccumulateGrad   x = 2         2x · 1 = 4
└─ 2 PowBackward         y**2 = 0               \N{MINUS SIGN}1
   └─ 3 AccumulateGrad   y = 0      2y · (\N{MINUS SIGN}1) = 0

tensor   data   grad       is_leaf   requires_grad   grad_fn
z        4      None       False     True            SubBackward
x        2      4 → 8      True      True            None
y        0      None → 0   True      True            None

z.grad  None: not a leaf; z.retain_grad() keeps it

wrote   inspect-out/ report.json backward-1.svg backward-1.html
checks  nothing was checked
page    inspect-out/backward-1.html
""",
}


MODEL = """\
backward 1  loss.backward()  script.py:7

61 Nodes  60 edges  42 deep  from loss
20   leaves require grad          81,920 elements
17   with gradient
 1   NaN or Inf                   n.b.12.f.projection.weight
 1   zero                         n.b.16.f.projection.weight
 1   no gradient (grad is None)   n.b.14.f.projection.weight

norm   largest                      norm       smallest
2      n.b.19.f.projection.weight   3.815e\N{MINUS SIGN}6   n.b.0.f.projection.weight
1      n.b.18.f.projection.weight   7.629e\N{MINUS SIGN}6   n.b.1.f.projection.weight
0.5    n.b.17.f.projection.weight   1.526e\N{MINUS SIGN}5   n.b.2.f.projection.weight

norm by layer  ▇▇▇0▅·▅!▃▃▃▃▂▂▂▂▂▁▁▁  3.815e\N{MINUS SIGN}6 to 2, root first

wrote   inspect-out/ report.json backward-1.svg backward-1.html
checks  nothing was checked
page    inspect-out/backward-1.html
"""


@pytest.mark.parametrize("shape", EXPECTED)
def test_the_exact_text(shape: str) -> None:
    assert said(SHAPES[shape]()) == EXPECTED[shape]


def test_the_exact_text_of_a_model() -> None:
    text = said(model(), code="loss.backward()")
    assert text == MODEL
    assert text.count("\n") <= 24, "a model fits one screen"


# ---- every shape --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 72, 80, 100, 200])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_line_is_wider_than_the_screen(shape: str, width: int) -> None:
    for line in said(SHAPES[shape](), width).splitlines():
        assert cell_len(line) <= width
        assert line == line.rstrip()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_edge_is_drawn_once(shape: str) -> None:
    graph = SHAPES[shape]()
    if sum(1 for _ in graph.functions()) > 30:
        return
    drawn = said(graph, 110).split("\n\n")[1].splitlines()[1:]
    branches = [line for line in drawn if "├" in line or "└" in line]
    assert len([line for line in branches if "AccumulateGrad" in line or "Backward" in line]) == sum(
        1 for _ in graph.edges("next")
    )


def test_a_deep_small_graph_keeps_its_names() -> None:
    text = said(chain(29))
    assert text.count("SinBackward") == 29 + 1  # and once in the table
    assert "30 AccumulateGrad" in text


def test_thirty_functions_are_drawn_and_thirty_one_are_summed_up() -> None:
    assert "├" in said(fan_out()) and "└" in said(chain(29))
    assert "31 Nodes" in said(chain(30)) and "└" not in said(chain(30))


# ---- what stays None, and why -------------------------------------------------------------------------------


def _changed(graph: Graph, name: str, /, **more: Any) -> Graph:
    for _, tensor in graph.tensors():
        if tensor["name"] == name:
            tensor.update(more)
    return graph


NOTHING = {"after": {"data": 2.0, "grad": None}}


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (square(), "y.grad  None: not a leaf; y.retain_grad() keeps it"),
        (_changed(square(), "x", gradient=None, **NOTHING), "x.grad  None: no gradient reached it"),
        (_changed(square(), "x", requires_grad=False, **NOTHING), "x.grad  None: requires_grad was turned off"),
        (_changed(square(), "x", **NOTHING), "x.grad  None: backward stored it, and a hook set it to None"),
        (saddle(2.0, 0.0, error_at="b"), "x.grad, y.grad  None: backward raised before it was reached"),
    ],
)
def test_a_none_is_explained(graph: Graph, reason: str) -> None:
    assert reason in said(graph)


def test_what_is_not_known_is_not_explained() -> None:
    graph = _changed(square(), "x", gradient=unknown("not measured"), **NOTHING)
    assert "x.grad" not in said(graph)


def test_a_grad_that_retain_grad_keeps() -> None:
    graph = _changed(square(), "y", retains_grad=True, after={"data": 4.0, "grad": 1.0})
    text = said(graph)
    assert "y        4      None → 1   False     True" in text and "y.grad" not in text


def test_an_in_place_change_of_data_is_shown() -> None:
    graph = _changed(square(), "x", after={"data": 1.6, "grad": 4.0})
    assert "2 → 1.6" in said(graph)


# ---- arithmetic ---------------------------------------------------------------------------------------------


def test_a_product_that_does_not_explain_the_gradient_is_left_out() -> None:
    graph = square()
    for _, _, edge in graph.edges("next"):
        edge["local"]["value"] = 3.0
    assert "2x" not in said(graph)


def test_what_a_hook_made_of_the_gradient_is_shown() -> None:
    graph = square()
    graph["n1"]["gradient"] = 5.0
    assert "2x · 1 = 4   → 5" in said(graph)


@pytest.mark.parametrize("width", [70, 72, 74, 76, 78, 80, 90, 100])
def test_a_sum_of_tensors_is_whole_in_every_width(width: int) -> None:
    matrix = {"dtype": "float32", "shape": [64, 16], "norm": 9.786}
    program = Program().leaf("encoder_weight", matrix)
    program.op("hidden", "AddmmBackward0", matrix, [("encoder_weight", None, 1.0)])
    program.op("length_of_hidden", "LinalgVectorNormBackward0", matrix, [("hidden", None, 1.0)])
    program.op("unit_of_hidden", "DivBackward0", matrix, [("hidden", None, 1.0), ("length_of_hidden", None, 1.0)])
    program.op("loss", "MeanBackward0", 7.872, [("unit_of_hidden", None, 1.0)])
    graph = program.graph("loss")
    for _, row in graph.functions():
        row["gradient"] = 1.0 if row["name"] == "MeanBackward0" else {**matrix, "norm": 0.2677}
    for _, _, edge in graph.edges("next"):
        edge["gradient"] = {**matrix, "norm": 0.07464}
    drawing = said(graph, width).partition("is_leaf")[0]
    totals = [line for line in drawing.splitlines() if "→" in line]
    assert totals and all(line.endswith("→ norm 0.2677") and len(line) <= width for line in totals)


def test_many_terms_are_cut() -> None:
    program = Program().leaf("x", 1.0)
    program.op("y", "StackBackward0", 1.0, [("x", "1", 1.0)] * 6)
    assert "1 + 1 + 1 + 1 + … = 6" in said(program.graph("y"))


def test_outputs_of_one_function_are_added_up_apart() -> None:
    rows_of = {"kind": "next", "slot": 0, "gradient": 1.0}
    graph = square()
    network: Any = graph.network
    network.add_node("n2", **{**graph["n1"], "name": "UnbindBackward0", "gradient": [1.0, 2.0]})
    network.remove_edge("n0", "n1")
    network.add_edge("n0", "n2", **rows_of, input_nr=0)
    network.add_edge("n0", "n2", **{**rows_of, "slot": 1, "gradient": 2.0}, input_nr=1)
    text = said(graph)
    assert "UnbindBackward ↓" in text and "= 3" not in text and "→" not in text.split("tensor   data")[0]


@pytest.mark.parametrize(
    ("symbol", "written"),
    [
        ("2*x", "2x"),
        ("x**2", "x²"),
        ("x2*y", "x2·y"),
        ("0.5*x", "0.5·x"),
        ("-sin(x)", "\N{MINUS SIGN}sin(x)"),
        ("1 - x**2", "(1 \N{MINUS SIGN} x²)"),
        ("exp(x + 1)", "exp(x + 1)"),
        ("x**n", "x**n"),
    ],
)
def test_a_symbol_in_mathematics(symbol: str, written: str) -> None:
    assert with_superscripts(symbol) == written


# ---- calls that went wrong ----------------------------------------------------------------------------------


def test_a_root_without_grad_fn() -> None:
    graph = _changed(square(), "y", grad_fn=None, is_leaf=True, requires_grad=False)
    rows = {"nodes": [{"id": "t0", **graph["t0"]}], "edges": [], "roots": ["t0"], "steps": []}
    error = "RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn"
    text = said(from_rows({**rows, "error": error}))
    assert "y has no grad_fn: no operation recorded by autograd created it" in text
    assert "backward raised  RuntimeError: element 0 of tensors does not require grad" in text
    assert "y.grad  None: requires_grad is False" in text


def test_a_call_without_tensors() -> None:
    text = said(from_rows({"nodes": [], "edges": [], "roots": [], "steps": [], "error": None}))
    assert "backward was called without a tensor" in text


def test_a_model_whose_backward_raised() -> None:
    graph = model()
    graph.error = (
        "RuntimeError: one of the variables has been modified inplace by an operation\nHint: " + 900 * "x"
    )
    text = said(graph)
    assert "backward raised  RuntimeError: one of the variables" in text
    assert "the engine had reached 61 AccumulateGrad" in text
    assert text.count("\n") < 30


def test_a_call_from_nowhere() -> None:
    report = report_of(square())
    call = type(report.calls[0])(1, unknown("called from C++"), report.calls[0].graph)
    report = replace(report, calls=[call])
    assert lines(report, Shown([1]), 80)[0].plain == "backward 1  called from an unknown line: called from C++"


# ---- values -------------------------------------------------------------------------------------------------

TWO = [[math.nan, math.inf], [complex(1, -1), -0.0]]


@pytest.mark.parametrize(
    "content", [math.nan, [math.nan] * 9, TWO, unknown("x"), True, 1 + 2j, None, [], summarised([9, 9], math.nan)]
)
def test_every_kind_of_value_can_be_shown(content: Any) -> None:
    graph = square()
    for _, attributes in graph.network.nodes(data=True):
        attributes.update(gradient=content, before={"data": content, "grad": content})
        attributes["after"] = {"data": content, "grad": content}
    for _, _, edge in graph.edges("next"):
        edge.update(gradient=content, local={"symbol": "2*x", "value": content})
    for line in said(graph).splitlines():
        assert cell_len(line) <= 80
    assert said(graph) == said(graph)


def test_measures() -> None:
    assert (
        value_norm([3.0, 4.0]) == 5.0
        and value_norm([3e200, 4e200]) == pytest.approx(5e200)
        and value_norm(3 + 4j) == 5.0
    )
    assert value_norm(None) is None and value_norm(unknown("x")) is None and value_norm([None]) is None
    assert value_norm([summarised([9], 3.0), 4.0]) == 5.0 and math.isnan(value_norm([math.nan, 1.0]) or 0)
    assert value_norm([3.0, None]) == 3.0 and value_norm([3.0, unknown("x")]) is None  # of several outputs
    assert not is_zero([0.0, unknown("x")]) and is_finite([0.0, unknown("x")])
    assert is_zero([0.0, -0.0]) and is_zero(summarised([3, 4], 0.0, zeros=12))
    assert not (is_zero(None) or is_zero(unknown("x")) or is_zero([0.0, math.nan]))
    assert is_finite(None) and not is_finite([1.0, math.inf]) and not is_finite(summarised([9], 1.0, nans=1))


def test_norms_over_depth_show_zero_and_nan() -> None:
    graph = model(12)
    graph["n1"]["gradient"] = 0.0
    graph["n4"]["gradient"] = math.nan
    for _, tensor in graph.tensors():
        tensor["name"] = None  # in no module
    bars = next(line for line in said(graph).splitlines() if line.startswith("norm over depth"))
    assert "0" in bars.split("  ")[1] and "!" in bars.split("  ")[1]


def test_names_of_leaves_without_gradient_are_cut() -> None:
    graph = model()
    for _, tensor in graph.tensors():
        tensor["after"] = {"data": None, "grad": None}
    assert "20   no gradient (grad is None)   n.b.19.f.projection.weight and 19 more" in said(graph)
    for _, tensor in graph.tensors():
        tensor["name"] = "w"
    assert "no gradient (grad is None)   w, w, w, w, w, w and 14 more" in said(graph)


# ---- hostile names ------------------------------------------------------------------------------------------

HOSTILE = [
    "[bold]x[/]",
    ":smile:",
    "a\nb\tc",
    "x" * 200,
    "\u202eevil",
    "שלום",
    "重み" * 60,
    "\x1b[31mred",
    "e\u0301" * 90,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(name: str) -> None:
    program = Program().leaf("x", 2.0).op("y", "PowBackward0", 4.0, [("x", name, 4.0)])
    graph = _changed(program.graph("y"), "x", name=name)
    graph.error = f"ValueError: {name}"
    found = finding(message=name, advice=name, parameters=[name] * 9)
    text = said(graph, code=name, findings=[found])
    for line in text.splitlines():
        assert cell_len(line) <= 80
        assert not [sign for sign in line if unicodedata.category(sign) in ("Cc", "Cs") or sign == "\u202e"]
    if name in ("[bold]x[/]", ":smile:"):
        assert f"{name.strip()}  " in text


# ---- findings and the end -----------------------------------------------------------------------------------


def test_findings_worst_first() -> None:
    found = [finding("note"), finding("warning"), finding()]
    text = said(square(), findings=found)
    assert text.index("error     no gradient") < text.index("warning   no gradient") < text.index("note      no")
    assert "  at      train.py:31  h = encoder(x).detach()" in text
    assert "  affects encoder.weight, encoder.bias" in text and "  fix     remove .detach()" in text
    assert "  in      backward" not in text


def test_a_message_of_three_lines_is_not_shortened() -> None:
    """It says the cause in its middle, which is what a shortened one would lose."""
    message = " ".join(f"word{number}" for number in range(30))
    text = said(square(), findings=[finding(message=message)])
    assert message in " ".join(text.split()) and "…" not in text.partition("error")[2].partition("  at ")[0]


def shown_text(report: Report, shown: Shown) -> str:
    return "\n".join(line.plain for line in lines(report, shown, 80))


def test_findings_of_calls_that_are_not_drawn_and_of_none_are_printed_once_after_the_drawn_ones() -> None:
    found = [
        finding("note", message="of the call drawn"),
        finding("warning", backward_call=2, message="of another call"),
        finding("error", backward_call=None, message="of no call"),
    ]
    report = report_of(square(), findings=found)
    text = shown_text(report, Shown([1]))
    assert [text.count(row.message) for row in found] == [1, 1, 1]
    assert text.index("tensor   data") < text.index("error     of no call")
    assert text.index("error     of no call") < text.index("warning   of another call")
    assert (
        text.index("warning   of another call") < text.index("note      of the call drawn") < text.index("checks ")
    )
    assert text.count("  in      backward call 2") == text.count("  in      ") == 1
    both = shown_text(replace(report, calls=[report.calls[0], replace(report.calls[0], index=2)]), Shown([1, 2]))
    assert [both.count(row.message) for row in found] == [1, 1, 1]
    assert both.count("  in      backward call 1") == both.count("  in      backward call 2") == 1
    without = shown_text(report, Shown([]))
    assert [without.count(row.message) for row in found] == [1, 1, 1] and "tensor   data" not in without


def test_one_finding_of_several_calls_is_printed_once() -> None:
    report = report_of(square(), findings=[finding(backward_call=call) for call in (1, 3, 2)])
    text = shown_text(report, Shown([1]))
    assert text.count("no gradient reaches") == 1 and "  in      " not in text  # it is of the call that is drawn
    text = shown_text(report, Shown([4]))
    assert text.count("no gradient reaches") == 1 and "  in      backward calls 1, 2 and 3" in text


def test_many_findings_are_counted_or_all_printed() -> None:
    found = [finding("note", message=f"note {number}") for number in range(3)]
    found += [finding("warning"), *(finding(message=f"error {number}") for number in range(4))]
    text = said(square(), findings=found)
    assert text.count("  fix     ") == 5 and "and 3 more in the report: 3 notes" in text
    text = shown_text(report_of(square(), findings=found), Shown([1], has_report=False))
    assert text.count("  fix     ") == 8 and "more in the report" not in text
    same = [finding() for _ in range(9)]
    assert "and 4 more in the report: 4 errors" in said(square(), findings=same)


def test_what_was_checked_and_what_was_not() -> None:
    reasons = ["no optimizer", "no optimizer", "no optimizer", "one call", "no ranks", "no values"]
    checked = [Check(f"rule-{n}", "not checked", why) for n, why in enumerate(reasons)]
    checked += [Check("fine", "nothing found", None)] * 2
    text = " ".join(said(square(), checked=checked).split())
    assert "2 rules without findings; not checked: rule-0, rule-1 and 1 more (no optimizer), rule-3" in text
    assert "1 more (other reasons)" in text


# ---- the console --------------------------------------------------------------------------------------------


def test_colours_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)

    def on_a_terminal() -> str:
        file = io.StringIO()
        return printed(
            Console(file=file, width=80, force_terminal=True, color_system="truecolor"), report_of(square())
        )

    coloured = on_a_terminal()
    assert "38;2;31;127;191" in coloured and "38;2;200;95;10" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert "38;2" not in on_a_terminal()
    assert "\x1b" not in said(square())


def test_stderr_that_is_no_terminal_is_80_to_100_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for columns, width in (("20", 80), ("90", 90), ("300", 100)):
        monkeypatch.setenv("COLUMNS", columns)
        assert stderr_console().width == width


def test_a_stream_without_utf8_gets_ascii() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    report = report_of(fan_out())
    show(Console(file=file, width=80), report, Shown([1], FILES))
    file.flush()
    text = file.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert "`- 3 ExpBackward" in text and "-0.4161 + 4 + 7.389 = 10.97" in text


def test_every_sign_of_ours_has_one_in_ascii() -> None:
    """Those that terminal texts and symbols are written with, by their source."""
    package = Path(inspector.__file__).parent
    written = "".join(
        path.read_text("utf-8") for part in ("terminal", "derivatives") for path in (package / part).glob("*.py")
    )
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    signs = {sign for sign in written if not sign.isascii() and sign != "漢"}
    assert {"√", "²", "∂"} <= signs
    print_lines(Console(file=file, width=200), [Text("".join(sorted(signs)) + " σ(x) √y x²·y³")])  # noqa: RUF001
    file.flush()
    text = file.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert "?" not in text
    assert text.rstrip().endswith("sigmoid(x) sqrty x^2*y^3")


def test_the_same_text_in_another_process_and_without_torch() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests'); from graphs import fan_out; from reports import *;"
        "from inspector.terminal import show, stderr_console; from inspector.terminal.print_call import Shown; "
        "report = report_of(fan_out());"
        "show(stderr_console(), report, Shown([1], FILES)); assert 'torch' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, env=environment
    )
    assert run.stdout == b""
    assert run.stderr.decode("utf-8") == EXPECTED["fan-out"]


def test_a_running_tqdm_bar_is_cleared_and_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import tqdm

    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    with tqdm.tqdm(total=10, file=screen, mininterval=0) as bar:
        bar.update(3)
        before = len(screen.getvalue())
        report = report_of(square())
        show(Console(file=screen, width=80), report, Shown([1]))
        shown = screen.getvalue()[before:]
    start = shown.index("backward 1")
    assert shown[:start].startswith("\r") and not shown[:start].strip(), "the bar is wiped before our text"
    assert "3/10" in shown[start:].split("checks  nothing was checked\n")[1], "and drawn again below it"


@pytest.mark.parametrize(("label", "shown"), [("z", "z"), ("self.w[0]", "self.w[0]"), ("x*x", "(x*x)"), ("", "")])
def test_what_is_no_name_stands_in_brackets(label: str, shown: str) -> None:
    assert operand(label) == shown
