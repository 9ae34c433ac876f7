"""The compact circuit: every script of a first course on one slide, whole, with true numbers."""

# ruff: noqa: RUF001 (figures have the minus sign)
from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import pytest
import torch
from circuit_scripts import (
    DENSE_SCRIPTS,
    SCRIPTS,
    batch_loop,
    batch_norm_the_long_way,
    gated_unit,
    layer_loop,
    leaf,
    network,
    recurrence,
)
from geometry import problems, texts
from pictured import panel_texts

import inspector
from inspector.figure import Figure, draw
from inspector.figure.drawing import place_plans
from inspector.figure.frame_plans import FramePlans
from inspector.figure.handout import hand_out
from inspector.graph import Graph
from inspector.graph.row_types import Constant, TensorRow
from inspector.layout.least_size import covered_area, least_length
from inspector.layout.problem import CLOSE, TIGHT
from inspector.options import FigureOptions
from inspector.styles import STYLES, Plan
from inspector.styles.circuit_rows import cut_into_rows
from inspector.styles.composed_gates import composed
from inspector.styles.gates import gate_of, group_gate, whole_sign
from inspector.styles.line_groups import line_groups
from inspector.styles.loop_passes import loop_passes
from inspector.styles.loss_group import loss_group
from inspector.styles.operands import Operand, operands_of
from inspector.styles.operation_names import sign_lines, spoken_name
from inspector.styles.operations import operation
from inspector.styles.plan import CircuitPlan, NumberGrid, TextTable
from inspector.styles.source_text import short_formula
from inspector.typography import format_number

Script = Callable[[], torch.Tensor]
SLIDE = (960.0, 540.0)


@cache
def graph_of(script: Script) -> Graph:
    with inspector.record() as recording:
        script().backward()
    graph: Graph = recording.calls[0].graph
    return graph


@cache
def slide(script: Script) -> Figure:
    return draw(graph_of(script), FigureOptions(canvas="16:9"))


def densest(script: Script) -> CircuitPlan:
    """The plan with the loss as one gate."""
    return densest_of(graph_of(script))


def densest_of(graph: Graph) -> CircuitPlan:
    look = FigureOptions(style="circuit")
    plan = FramePlans(look, density=STYLES["circuit"].denser[2]).plan(graph, "after")
    assert isinstance(plan, CircuitPlan)
    return plan


@pytest.mark.parametrize("script", (*SCRIPTS, *DENSE_SCRIPTS))
def test_a_script_of_a_first_course_fits_one_slide(script: Script) -> None:
    figure = slide(script)
    assert {(scene.width, scene.height) for scene in figure.panels.values()} == {SLIDE}
    for scene in figure.panels.values():
        assert not problems(scene)
        assert min(text.size for panel in scene.panels for _, text in texts(panel)) >= 14
    assert not any("folded" in remark for remark in figure.remarks)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_function_is_a_gate_or_part_of_one(script: Script) -> None:
    graph = graph_of(script)
    plan = densest(script)
    loss = loss_group(graph)
    shown = {box.id for box in plan.boxes} | set(loss.members if loss else ())
    rest = [node["name"] for key, node in graph.functions() if not node["is_leaf"] and key not in shown]
    assert set(rest) <= {"TBackward0", "TransposeBackward0", "PermuteBackward0"}


@pytest.mark.parametrize("script", DENSE_SCRIPTS)
def test_every_function_of_a_dense_circuit_is_in_a_gate(script: Script) -> None:
    graph = graph_of(script)
    (panel,) = slide(script).panels["after"].panels
    shown = {box.id.partition(".")[0] for box in panel.boxes}
    groups = [group for group in (loss_group(graph), *line_groups(graph)) if group and group.members[0] in shown]
    shown.update(one for group in groups if not shown & set(group.members[1:]) for one in group.members)
    assert {key for key, node in graph.functions() if not node["is_leaf"]} <= shown


def test_each_line_is_a_gate_with_the_gradients_that_it_hands_on() -> None:
    graph = graph_of(gated_unit)
    look = FigureOptions(style="circuit")
    named = {density.name: density for density in STYLES["circuit"].denser}
    density = named["each line as one gate, numbers to 2 digits"]
    plan = FramePlans(look, density=density).plan(graph, "after")
    signs = [" ".join(words.text for words in box.texts) for box in plan.boxes if box.shape in ("gate", "chip")]
    shown = {"σ(wz·x+uz·h_prev)", "tanh(wh·x+uh·(r·h_prev))", "(1−z)·h_prev+z·h_tilde", "0.5·(h−1)²"}
    assert shown <= set(signs)
    wires = {wire.label[0].text: wire.below[0].text for wire in plan.wires if len(wire.label) == 2}
    expected = dict(zip("zrh", _gradients_of_gates(), strict=True))
    assert {name: float(text.replace("−", "-")) for name, text in wires.items() if name in expected} == expected


def test_leaves_listed_in_their_gates_have_the_gradients_of_torch() -> None:
    W, b, v = leaf([[0.5, -0.3], [0.8, 0.1]]), leaf(0.1, 0.0), leaf(1.0, -2.0)
    with inspector.record() as recording:
        h = torch.tanh(W @ torch.tensor([1.0, -0.5]) + b)
        L = (v @ h) ** 2
        L.backward()

    def tables(plan: Plan) -> list[tuple[str, ...]]:
        found = [words for box in plan.boxes for words in box.texts if isinstance(words, TextTable)]
        return [tuple(cell.text for cell in row) for table in found for row in table.cells]

    graph = recording.calls[0].graph
    density = next(one for one in STYLES["circuit"].denser if "with its leaves" in one.name)
    plan = FramePlans(FigureOptions(style="circuit"), density=density).plan(graph, "after")
    norms = [f"‖{format_number(one.grad.norm().item(), 2)}‖" for one in (W, b, v) if one.grad is not None]
    assert sorted(tables(plan)) == sorted(zip("Wbv", ("2×2", "[2]", "[2]"), norms, strict=True))
    assert not plan.hanging
    blank = tables(hand_out(plan, graph, "blanks"))
    assert {value for _, value, _ in blank} == {"2×2", "[2]"}
    assert not any(letter.isdigit() for *_, gradient in blank for letter in gradient)


@pytest.mark.parametrize("script", (network, recurrence, gated_unit, batch_norm_the_long_way))
def test_a_layout_is_as_large_as_its_bounds_say(script: Script) -> None:
    for density in STYLES["circuit"].denser[2::4]:
        plans = [FramePlans(FigureOptions(style="circuit"), density=density).plan(graph_of(script), "after")]
        for direction, spacing in (("RL", CLOSE), ("RL", TIGHT), ("TB", CLOSE)):
            _, placement, problem = place_plans(plans, direction, spacing)
            around = placement.area
            length = around.width if problem.horizontal else around.height
            assert 0 < least_length(problem) <= length + 1
            assert 0 < covered_area(problem) <= around.width * around.height


def _gradients_of_gates() -> list[float]:
    """Of z, r and h, by torch, with two digits."""
    z = torch.sigmoid(torch.tensor(0.5 * 1.0 + 0.4 * 0.5)).requires_grad_()
    r = torch.sigmoid(torch.tensor(-0.3 * 1.0 + 0.2 * 0.5)).requires_grad_()
    h = (1 - z) * 0.5 + z * torch.tanh(0.8 - 0.6 * (r * 0.5))
    found = torch.autograd.grad(0.5 * (h - 1) ** 2, [z, r, h])
    return [float(f"{gradient.item():.2g}") for gradient in found]


def test_the_gradients_of_one_output_in_a_line_are_added() -> None:
    def line() -> torch.Tensor:
        x = torch.tensor([1.0, -2.0], requires_grad=True)
        y = x * 3
        both = y * y + torch.exp(y) * 2
        shifted = both + y
        return torch.tanh(shifted).sum()

    graph = graph_of(line)
    by_line = {group.name: group for group in line_groups(graph)}
    assert list(by_line) == ["tanh(shifted).sum()", "y·y+exp(y)·2"]
    assert len(by_line["y·y+exp(y)·2"].members) == 4
    gate = group_gate(graph, "both", by_line["y·y+exp(y)·2"].members)
    (operand,) = [one for one in gate.operands if one.output]
    y = torch.tensor([3.0, -6.0])
    slope = 1 - torch.tanh(y * y + 2 * torch.exp(y) + y) ** 2
    assert torch.tensor(operand.gradient).allclose(slope * (2 * y + 2 * torch.exp(y)))


def test_the_value_of_a_shared_matrix_stands_below() -> None:
    footer = [words.text for words in densest(batch_norm_the_long_way).footer]
    assert "leaf = [[0.5, −1], [1.5, 2], [−0.5, 0.3], [1, 0]]" in footer


def test_matrices_are_grids_in_the_colours_of_values_and_gradients() -> None:
    plan = densest(network)
    grids = [[words for words in box.texts if isinstance(words, NumberGrid)] for box in plan.boxes]
    (found,) = [pair for pair in grids if len(pair) == 2 and len(pair[0].rows) == 3 and len(pair[0].rows[0]) == 2]
    data, gradient = found
    assert data.rows == (("0.5", "−0.3"), ("0.8", "0.1"), ("−0.6", "0.9"))
    assert (data.ink, gradient.ink) == ("value", "gradient")
    assert gradient.rows[0] == ("−0.14", "0.29")


def test_a_loss_by_hand_is_one_gate_with_its_name() -> None:
    loss = loss_group(graph_of(network))
    assert loss is not None and loss.name == "cross entropy" and len(loss.members) == 8
    assert "cross" in str([box.texts for box in densest(network).boxes])


def test_a_loss_needs_something_before_it() -> None:
    def all_in_one() -> torch.Tensor:
        w = torch.tensor(2.0, requires_grad=True)
        return (w * 3 - 1) ** 2

    assert loss_group(graph_of(all_in_one)) is None


def test_an_entropy_is_not_called_a_cross_entropy() -> None:
    def entropy() -> torch.Tensor:
        p = torch.softmax(torch.tensor([1.0, 2.0], requires_grad=True), 0)
        return -(p * torch.log(p)).sum()

    found = loss_group(graph_of(entropy))
    assert found is not None and found.name != "cross entropy"


@pytest.mark.parametrize("script", [recurrence, batch_loop, layer_loop])
def test_the_passes_of_a_loop_have_the_same_roles(script: Script) -> None:
    graph = graph_of(script)
    passes = loop_passes(graph)
    assert len(passes) == 3
    for roles in zip(*passes, strict=True):
        assert len({graph.function(one)["name"] for one in roles}) == 1


def test_what_repeats_within_the_lines_of_a_loop_is_no_pass() -> None:
    def logistic_map() -> torch.Tensor:
        r = torch.tensor(3.2, requires_grad=True)
        x = torch.tensor(0.4)
        for _ in range(3):
            x = r * x * (1 - x)
        return x

    def two_layers() -> torch.Tensor:
        first, second = (torch.tensor([[value]], requires_grad=True) for value in (0.4, -0.7))
        return (torch.relu(torch.ones(2, 1) @ first) @ second).sum()

    assert loop_passes(graph_of(logistic_map)) == loop_passes(graph_of(two_layers)) == []


@pytest.mark.parametrize("script", [batch_loop, layer_loop])
def test_the_passes_of_a_loop_stand_in_equal_columns(script: Script) -> None:
    (panel,) = slide(script).panels["after"].panels
    places = {box.id: box.area for box in panel.boxes}
    passes = loop_passes(graph_of(script))
    shifts = [
        (round(places[later].x - places[first].x, 1), round(places[later].y - places[first].y, 1))
        for first, later in zip(passes[0], passes[1], strict=True)
    ]
    assert len(set(shifts)) == 1 and shifts[0][0] > 0 and shifts[0][1] == 0
    assert len(panel.grounds) == 3
    assert len({(round(ground.area.y), round(ground.area.height)) for ground in panel.grounds}) == 1


def test_the_sum_over_the_passes_is_written_out() -> None:
    graph = graph_of(recurrence)
    written = [words.text for words in densest(recurrence).footer]
    (of_w,) = [text for text in written if "∂w" in text or "0 + (−0.049)" in text]
    assert of_w.endswith("= 0 + (−0.049) + (−0.02) = −0.069")
    gradient = next(tensor["gradient"] for _, tensor in graph.tensors() if tensor["is_leaf"])
    assert isinstance(gradient, float)


@pytest.mark.parametrize(
    ("compute", "sign"),
    [
        (lambda x: torch.mv(torch.ones(1, 1), x.view(1)), "·"),
        (lambda x: x**2, "^2"),
        (lambda x: x.view(1, 1).mm(torch.ones(1, 1)), "·"),
        (lambda x: torch.sigmoid(x), "σ"),
        (lambda x: torch.maximum(x, x * 2), "max"),
    ],
)
def test_a_gate_has_the_sign_that_one_writes(compute: Callable[[torch.Tensor], torch.Tensor], sign: str) -> None:
    def script() -> torch.Tensor:
        return compute(torch.tensor(2.0, requires_grad=True)).sum()

    graph = graph_of(script)
    signs = [
        gate_of(graph, key, operands_of(graph, key)).sign for key, node in graph.functions() if not node["is_leaf"]
    ]
    assert sign in signs


@pytest.mark.parametrize(
    ("op", "position", "value", "text", "sign"),
    [
        ("RsubBackward1", 1, 1, None, "1−"),
        ("MulBackward0", 1, 0.5, None, "×0.5"),
        ("DivBackward0", 1, 2**0.5, "math.sqrt(2)", "÷√2"),
        ("DivBackward0", 1, 2**0.5, "len(pair) ** 0.5", "÷√2"),
        ("DivBackward0", 1, 2**0.5, None, "÷1.414"),
        ("DivBackward0", 1, 5.09902, None, "÷5.099"),  # near the root of 26
        ("AddBackward0", 1, -3, None, "−3"),
        ("SubBackward0", 0, 2, None, "2−"),
    ],
)
def test_a_number_stands_in_its_gate(op: str, position: int, value: float, text: str | None, sign: str) -> None:
    def script() -> torch.Tensor:
        return torch.tensor(2.0, requires_grad=True).sin()

    with inspector.record() as recording:
        script().backward()
    graph = recording.calls[0].graph
    (key,) = [key for key, node in graph.functions() if not node["is_leaf"]]
    node = graph.function(key)
    node["name"] = op
    constant: Constant = {"position": position, "name": None, "value": value}
    node["constants"] = [constant if text is None else {**constant, "expression": text}]
    node["slot_positions"] = [1 - position]
    assert gate_of(graph, key, operands_of(graph, key)).sign == sign
    node["constants"][0]["name"] = "c"
    gate = gate_of(graph, key, operands_of(graph, key))
    assert [operand.constant is not None for operand in gate.operands].count(True) == 1


def test_a_long_circuit_is_cut_where_few_names_are_needed() -> None:
    graph = graph_of(network)
    gates = {
        key: gate_of(graph, key, operands_of(graph, key))
        for key, node in reversed(list(graph.functions()))
        if not node["is_leaf"]
    }
    order = {key: place for place, key in enumerate(gates)}
    cut = cut_into_rows(gates, 2)
    assert cut
    read = [operand for gate in gates.values() for operand in gate.operands if operand.id in cut]
    outputs = {operand.output for operand in read if operand.output}
    assert 1 <= len(outputs) <= 3
    assert all(order[operand.output[0]] < order[operand.user] for operand in read if operand.output)


def test_a_circuit_without_a_canvas_is_as_wide_as_a_page() -> None:
    graph = graph_of(gated_unit)
    broken = draw(graph, FigureOptions(style="circuit")).panels["after"]
    in_a_row = draw(graph, FigureOptions(style="circuit", direction="RL")).panels["after"]
    assert broken.width < 1300 < in_a_row.width and broken.height < 1.8 * broken.width
    assert not problems(broken)
    assert {box.id for box in broken.panels[0].boxes} == {box.id for box in in_a_row.panels[0].boxes}


def test_small_figures_on_a_slide_are_as_before() -> None:
    def square() -> torch.Tensor:
        x = torch.tensor(2.0, requires_grad=True)
        return x**2

    figure = slide(square)
    assert "is_leaf" in set(panel_texts(figure.panels["after"].panels[0]))
    assert not figure.remarks


def test_details_that_were_asked_for_are_not_left_out() -> None:
    look = FigureOptions(canvas="16:9", derivatives="symbols")
    figure = draw(graph_of(batch_loop), look)
    assert not any("circuit" in remark for remark in figure.remarks)


def test_the_gradient_of_a_matrix_that_is_read_twice_is_a_sum() -> None:
    with inspector.record() as recording:
        X, w = torch.tensor([[1.0, 2.0], [3.0, 1.0]]), torch.tensor([0.5, 0.5], requires_grad=True)
        a, v = torch.tensor([2.0, 3.0]), torch.tensor([1.0, 2.0], requires_grad=True)
        loss = (X @ w).pow(2).sum() + w.dot(w) + v.dot(a)
        loss.backward()
    look, density = FigureOptions(style="circuit"), STYLES["circuit"].denser[0]
    plan = FramePlans(look, density=density).plan(recording.calls[0].graph, "after")
    assert isinstance(plan, CircuitPlan)
    found = " ".join(words.text for words in plan.formulas)
    assert "∂loss/∂w += Xᵀ δ" in found and found.count("∂loss/∂w += δ w") == 2
    assert "∂loss/∂v = δ a" in found


def least_squares() -> torch.Tensor:
    t = torch.tensor([0.0, 0.5, 1.0, 1.5])
    A = torch.stack([t.cos(), t.sin()], 1)
    y = torch.tensor([1.0, 0.9, 0.6, 0.1])
    w = leaf(0.4, 0.6)
    S = torch.diag(torch.tensor([1.0, 2.0, 2.0, 1.0]))
    r = A @ w - y
    return r @ S @ r / 2


@cache
def attention_head() -> Graph:
    with inspector.record() as recording:
        X = torch.tensor([[1.0, 0.0], [0.5, -1.0]])
        Wq, Wk = leaf([[0.2, 0.5], [-0.3, 0.8]]), leaf([[0.6, -0.1], [0.4, 0.3]])
        Wv = leaf([[1.0, 0.2], [-0.5, 0.7]])
        Q, K, V = X @ Wq, X @ Wk, X @ Wv
        A = torch.softmax(Q @ K.T / 2**0.5, dim=-1)
        Y = A @ V
        loss = (Y**2).sum()
        loss.backward()
    graph: Graph = recording.calls[0].graph
    return graph


def test_an_attention_head_shows_all_its_matrices_and_gradients_as_grids() -> None:
    graph = attention_head()
    (panel,) = draw(graph, FigureOptions(style="circuit", canvas="16:9")).panels["after"].panels
    plan = FramePlans(FigureOptions(style="circuit"), density=STYLES["circuit"].denser[4]).plan(graph, "after")
    assert isinstance(plan, CircuitPlan)
    grids = [words for box in plan.boxes for words in box.texts if isinstance(words, NumberGrid)]
    lines = [words for wire in plan.wires for words in (*wire.label, *wire.below)]
    grids += [words for words in lines if isinstance(words, NumberGrid)]
    assert len(grids) == 2 * (3 + 7), "W, Q, K, V, two of scores, A and Y, each with its gradient"
    shown = {text.text for _, text in texts(panel)}
    assert {number for grid in grids for row in grid.rows for number in row} <= shown
    assert "X ·" in shown and "X = [[1, 0], [0.5, −1]]" in shown
    places = {box.id: box.area for box in panel.boxes}
    for chip, gate in plan.hanging.items():  # the line of a product begins at its weight
        assert places[chip].right < places[gate].x and abs(places[chip].center[1] - places[gate].center[1]) < 1


def test_a_gradient_behind_a_transpose_is_a_product_of_the_other_factor() -> None:
    density = STYLES["circuit"].denser[0]
    plan = FramePlans(FigureOptions(style="circuit"), density=density).plan(attention_head(), "after")
    assert isinstance(plan, CircuitPlan)
    assert "∂loss/∂K = δᵀ Q" in " ".join(words.text for words in plan.formulas)
    Q, K = leaf([[1.0, 2.0], [0.5, -1.0]]), leaf([[0.2, 0.1], [-0.4, 0.3]])
    delta = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    (Q @ K.T).backward(delta)
    assert K.grad is not None and K.grad.allclose(delta.T @ Q)


def test_one_over_a_tensor_is_one_gate() -> None:
    def inverses() -> torch.Tensor:
        x = leaf(2.0)
        y = 3 / torch.sin(x)
        shifted = torch.cos(1 / x)
        return y * shifted

    plan = densest(inverses)
    signs = [box.texts[0].text for box in plan.boxes if box.shape in ("gate", "chip") and box.id[0] != "t"]
    assert signs.count("3÷") == signs.count("1÷") == 1 and "×1" not in signs


def test_the_graph_of_a_derivative_has_no_gate_that_multiplies_by_one() -> None:
    u, v = leaf(3.0), leaf(2.0)
    with inspector.record() as recording:
        f = u * v + u**2
        du, dv = torch.autograd.grad(f, (u, v), create_graph=True)
        out = du * dv  # (v + 2u) u
        out.backward()
    graph = recording.calls[-1].graph
    plans = [FramePlans(FigureOptions(style="circuit")).plan(graph, "after"), densest_of(graph)]
    for plan, shape in zip(plans, ("circle", "gate"), strict=True):
        signs = sorted(box.texts[0].text for box in plan.boxes if box.shape == shape)
        assert signs == ["+", "=", "×", "×2"], "dv is u under another name"
    gates = composed(graph, {key: gate_of(graph, key, operands_of(graph, key)) for key in _functions(graph)})
    members = [one for key, gate in gates.items() for one in gate.members or (key,)]
    assert sorted(members) == sorted(_functions(graph)), "each Node is in one gate"
    gradients = [one.gradient for gate in gates.values() for one in gate.operands if _is_leaf(graph, one)]
    assert u.grad is not None and v.grad is not None
    assert sum(float(str(gradient)) for gradient in gradients) == u.grad.item() + v.grad.item() == 17


def _functions(graph: Graph) -> list[str]:
    return [key for key, node in graph.functions() if not node["is_leaf"]]


def _is_leaf(graph: Graph, operand: Operand) -> bool:
    return operand.output is not None and graph.function(operand.output[0])["is_leaf"]


def test_a_product_with_a_vector_is_one_gate_also_where_torch_reshapes_it() -> None:
    def quadratic_form() -> torch.Tensor:
        A, x = torch.tensor([[2.0, 1.0], [1.0, 3.0]]), leaf(0.5, -1.0)
        half = 0.5 * x
        return half @ A @ x

    graph = graph_of(quadratic_form)
    assert "UnsqueezeBackward0" in {node["name"] for _, node in graph.functions()}
    gates = composed(graph, {key: gate_of(graph, key, operands_of(graph, key)) for key in _functions(graph)})
    assert sorted(gate.sign for gate in gates.values()) == ["·", "·", "×0.5"]
    members = [one for key, gate in gates.items() for one in gate.members or (key,)]
    assert sorted(members) == sorted(_functions(graph)), "each Node is in one gate"
    (of_half,) = [one for gate in gates.values() if len(gate.members) == 3 for one in gate.operands if one.output]
    assert of_half.gradient == [0.0, -2.5], "A x"


def test_what_a_layer_norm_computed_itself_is_no_operand() -> None:
    graph = graph_of(lambda: torch.nn.functional.layer_norm(leaf(1.0, 2.0, 4.0), (3,)).sum())
    (key,) = [key for key, node in graph.functions() if node["name"] == "NativeLayerNormBackward0"]
    graph.function(key).pop("constants", None)
    assert [operand.constant for operand in operands_of(graph, key)] == [None]


def test_what_a_loop_starts_with_stands_before_its_first_pass() -> None:
    """Also if torch has turned `0 * x` into the product of x and 0."""

    def horner() -> torch.Tensor:
        x, y = leaf(1.5), 0.0
        for c in (2.0, -3.0, 1.0):
            y = y * x + c
        return y  # type: ignore[return-value]

    plan = densest(horner)
    chips = [(box.id, [words.text for words in box.texts]) for box in plan.boxes if box.id in plan.hanging]
    of_x = [identifier for identifier, words in chips if words[0].startswith("leaf")]
    starts = [box for box in plan.boxes if box.shape == "plain" and "0" in [words.text for words in box.texts]]
    assert len(of_x) == len(plan.passes) == 3 and len(starts) == 1


def test_rows_are_cut_between_the_passes_of_a_loop() -> None:
    graph = graph_of(recurrence)
    gates = {
        key: gate_of(graph, key, operands_of(graph, key))
        for key, node in reversed(list(graph.functions()))
        if not node["is_leaf"]
    }
    passes = loop_passes(graph)
    cut = cut_into_rows(gates, 2, passes)
    (output,) = {operand.output for gate in gates.values() for operand in gate.operands if operand.id in cut}
    assert output is not None
    assert graph.function(output[0])["name"] == "TanhBackward0"


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("NativeLayerNormBackward0", "layer norm"),
        ("MaxPool2DWithIndicesBackward0", "max pool"),
        ("LinalgVectorNormBackward0", "‖x‖"),
        ("ConvolutionBackward0", "conv"),
        ("CudnnBatchNormBackward0", "batch norm"),
        ("EmbeddingDenseBackward0", "embedding"),
        ("UnsafeViewBackward0", "reshape"),
        ("ScaledDotProductFlashAttentionForCpuBackward0", "attention"),
        ("TanhBackwardBackward0", "tanh′"),
        ("SoftmaxBackwardDataBackward0", "softmax′"),
        ("GridSampler2DBackward0", "grid sample"),
        ("ReluBackward0", "relu"),
        ("MyReLUBackward", "MyReLU"),
        ("pow.Tensor_Tensor", "pow"),
    ],
)
def test_a_gate_says_what_one_calls_the_operation(node: str, name: str) -> None:
    assert spoken_name(node) == name


def test_a_long_name_is_broken_between_words() -> None:
    assert sign_lines("binary cross entropy of logits") == ["binary cross", "entropy of", "logits"]
    assert sign_lines("AVeryLongNameOfAFunction") == ["AVeryLongNameOfAFunction"]
    assert sign_lines("x·W+b·(1 − h)²/2") == ["x·W+b·(1 − h)²/2"]


def test_a_badge_covers_no_end_of_a_wire() -> None:
    """Also at a wide gate, at which the wire of an attached box does not end in the middle."""
    for script in (least_squares, network):
        for panel in slide(script).scene.panels:
            for badge in panel.badges:
                ends = [wire.points[-1] for wire in panel.wires if wire.points]
                assert all(math.dist((badge.x, badge.y), end) > 12 for end in ends), (badge, script)


@pytest.mark.parametrize("is_known", [True, False])
def test_the_picture_says_whether_there_are_gradients(is_known: bool) -> None:
    with inspector.record() as recording:
        gated_unit().backward()
    graph = recording.calls[0].graph
    if not is_known:  # as under compiled autograd
        for _, row in graph.functions():
            row["gradient"] = {"unknown": "hooks run outside of Nodes"}
    said = " ".join(note.text for note in densest_of(graph).notes)
    assert ("gradients below them" in said) is is_known
    assert ("gradients are unknown" in said) is not is_known


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value, requires_grad=True)


def neuron() -> torch.Tensor:
    w0, x0, w1, x1, w2 = map(scalar, (2.0, -1.0, -3.0, -2.0, -2.5))
    return 1 / (1 + torch.exp(-(w0 * x0 + w1 * x1 + w2)))


def _levels(script: Script, values: list[float]) -> list[float]:
    """How far below the top of the slide the chips of the leaves with these values are."""
    graph = graph_of(script)
    (panel,) = draw(graph, FigureOptions(style="circuit", canvas="16:9")).panels["after"].panels
    rows = [(leaf, row) for leaf, row in graph.tensors() if row["is_leaf"] and row["requires_grad"]]
    leaves = {round(value_of(row), 3): leaf for leaf, row in rows}
    return [next(box.area.center[1] for box in panel.boxes if box.id == leaves[value]) for value in values]


def value_of(row: TensorRow) -> float:
    value = row["before"]["data"]
    assert isinstance(value, float)
    return value


def _difference() -> torch.Tensor:
    a, b, c = map(scalar, (1.5, 0.3, 0.7))
    return torch.sin(torch.exp(a) * b) - torch.exp(c)


def _deep_second() -> torch.Tensor:
    a, b = map(scalar, (1.5, 0.3))
    return torch.exp(a) / torch.sin(torch.exp(torch.tanh(b)))


def _three() -> torch.Tensor:
    a, b, c = map(scalar, (1.5, 0.3, 0.7))
    return torch.stack([torch.exp(torch.sin(one)) for one in (a, b, c)]).sum()


def _two_sums() -> torch.Tensor:
    a, b, c, d = map(scalar, (1.5, 0.3, 0.7, 0.2))
    return (torch.exp(a) + torch.exp(b)) * (torch.sin(c) + torch.sin(d))


@pytest.mark.parametrize(
    ("script", "values"),
    [
        (neuron, [-1.0, -2.0]),
        (_difference, [1.5, 0.7]),
        (_deep_second, [1.5, 0.3]),
        (_three, [1.5, 0.3, 0.7]),
        (_two_sums, [1.5, 0.3, 0.7, 0.2]),
    ],
)
def test_operands_stand_from_top_to_bottom_as_in_the_formula(script: Script, values: list[float]) -> None:
    levels = _levels(script, values)
    assert levels == sorted(levels) and len(set(levels)) == len(levels)


def test_a_chip_stands_before_its_gate_rather_than_aslant() -> None:
    graph = graph_of(neuron)
    (panel,) = draw(graph, FigureOptions(style="circuit", canvas="16:9")).panels["after"].panels
    plan = densest(neuron)
    places = {box.id: box.area for box in panel.boxes}
    for chip, gate in plan.hanging.items():
        dx, dy = (places[chip].center[axis] - places[gate].center[axis] for axis in (0, 1))
        assert abs(dx) < 1 or (dx < 0 and abs(dy) < 1), "straight above, below or before"


def newton() -> torch.Tensor:
    a, x = scalar(2.0), torch.tensor(1.0)
    for _ in range(3):
        x = 0.5 * (x + a / x)
    return x


def test_passes_too_wide_for_equal_columns_stay_in_one_row() -> None:
    figure = draw(graph_of(newton), FigureOptions(style="circuit", canvas="16:9"))
    assert [remark.partition(",")[0] for remark in figure.remarks] == ["passes as wide as their numbers"]
    (panel,) = figure.panels["after"].panels
    assert len({round(ground.area.y) for ground in panel.grounds}) == 1 and len(panel.grounds) == 3
    places = {box.id: box.area for box in panel.boxes}
    gates = [gate for one_pass in loop_passes(graph_of(newton)) for gate in one_pass]
    assert len({round(places[gate].center[1]) for gate in gates}) == 1
    assert not problems(figure.panels["after"])


@pytest.mark.parametrize(
    ("compute", "numbers"),
    [
        (lambda v: torch.lerp(v, v * 2, 0.3), [0.3]),
        (lambda v: torch.clamp(v, -0.5, 0.5), [-0.5, 0.5]),
        (lambda v: torch.where(torch.tensor([True, False]), v, 0.25), [0.25]),
        (lambda v: v.masked_fill(torch.tensor([True, False]), -math.inf), [-math.inf]),
        (lambda v: torch.addcmul(v, v, v * 3, value=0.75), [0.75]),
        (lambda v: torch.nn.functional.leaky_relu(v, 0.2), [0.2]),
    ],
)
def test_a_number_without_a_place_in_the_sign_hangs_on_the_gate(
    compute: Callable[[torch.Tensor], torch.Tensor], numbers: list[float]
) -> None:
    graph = graph_of(lambda: compute(torch.tensor([0.5, -1.0], requires_grad=True)).sum())
    functions = [key for key, node in graph.functions() if not node["is_leaf"]]
    gates = [gate_of(graph, key, operands_of(graph, key)) for key in functions]
    hung = [one.constant["value"] for gate in gates for one in gate.operands if one.constant]
    assert [value for value in hung if isinstance(value, float)] == numbers


@pytest.mark.parametrize("shape", [(2, 2), (2, 1), (1, 2)])
def test_a_frozen_layer_has_its_names_and_its_sign(shape: tuple[int, int]) -> None:
    frozen = torch.nn.Linear(*shape).requires_grad_(False)
    x = torch.full((1, shape[0]), 0.5, requires_grad=True)
    with inspector.record() as recording:
        frozen(x).sum().backward()
    graph: Graph = recording.calls[0].graph
    (key,) = [key for key, node in graph.functions() if node["name"] == "AddmmBackward0"]
    gate = gate_of(graph, key, operands_of(graph, key))
    assert gate.sign == "x Wᵀ + b"
    names = {one.constant["name"]: one.constant["value"] for one in gate.operands if one.constant}
    assert names == {"bias": frozen.bias.tolist(), "weight": frozen.weight.tolist()}


def test_a_constant_matrix_without_a_name_has_its_source_text() -> None:
    W, A = torch.ones(2, 2, requires_grad=True), torch.tensor([[1.0, 2.0], [0.0, 1.0]])
    with inspector.record() as recording:
        torch.relu(A @ A @ W).sum().backward()
    graph: Graph = recording.calls[0].graph
    (key,) = [key for key, node in graph.functions() if node["name"] == "MmBackward0"]
    assert whole_sign(graph, key) == "A@A ·"
    assert operation(graph, key).formula == "A@A · {0}"


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("pi * c", "pi·c"),
        ("torch.pi * x", "π·x"),
        ("2 * math.pi", "2·π"),
        ("F.relu(pi)", "relu(pi)"),
        ("np.pi", "π"),
        ("a + 1", "a+1"),
        ("a if c else b", "a if c else b"),
        ("a and not b", "a and not b"),
        ("a + (b if c else 0)", "a+(b if c else 0)"),
    ],
)
def test_source_text_as_a_formula(code: str, shown: str) -> None:
    """A variable `pi` is not the number, and words stay apart."""
    assert short_formula(code, 20) == shown


def test_a_call_has_its_constants_in_a_formula() -> None:
    x, k = torch.ones(1, 1, 4), torch.ones(1, 1, 2, requires_grad=True)
    with inspector.record() as recording:
        torch.nn.functional.conv1d(x, k).sum().backward()
    graph: Graph = recording.calls[0].graph
    (key,) = [key for key, node in graph.functions() if node["name"] == "ConvolutionBackward0"]
    assert operation(graph, key).formula == "conv(x, {0})"
    assert operation(graph, key).symbol == "conv"


class Heads(torch.nn.Module):
    """Two layers that one line calls."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        u = (x * 2.0).sin()
        v = (u * 3.0).cos()
        h = (v * 4.0).exp()
        a = self.query(h) * self.key(h)
        return torch.tanh(a)


def _rows_of_leaves(model: torch.nn.Module) -> list[str]:
    """The names in the tables of gates, one for each leaf."""
    with inspector.record() as recording:
        model(torch.ones(2, 2, requires_grad=True)).sum().backward()
    density = next(one for one in STYLES["circuit"].denser if "with its leaves" in one.name)
    plan = FramePlans(FigureOptions(style="circuit"), density=density).plan(recording.calls[0].graph, "after")
    found = [words for box in plan.boxes for words in box.texts if isinstance(words, TextTable)]
    return [row[0].text for table in found for row in table.cells if row[0].text.endswith(("weight", "bias"))]


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_leaves_in_the_tables_of_a_picture_have_different_names(blocks: int) -> None:
    model = torch.nn.Sequential(*(Heads() for _ in range(blocks)))
    rows = _rows_of_leaves(model)
    assert len(set(rows)) == len(list(model.parameters())) == len(rows)
    assert ("query.weight" in rows) == (blocks == 1), "no longer than they must be"
