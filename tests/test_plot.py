"""`--plot` and `inspector.plot`: the curve along a leaf, the tangent, and its slope."""

import math
from itertools import combinations

import pytest
import torch
from geometry import text_area

import inspector
from inspector.derivatives.finite_differences import NotEvaluable
from inspector.export.svg import write_svg
from inspector.plots import plot_graph, why_no_plot
from inspector.plots.axis_ticks import axis_ticks
from inspector.plots.leaf_curves import slices
from inspector.plots.sampled_curve import sample

CURVES = {
    "square": (lambda x: x**2, 2.0),
    "inverse": (lambda x: 1 / x, 0.5),
    "log": (torch.log, 1.0),
    "exp": (lambda x: torch.exp(x) + 1, 2.0),
    "kink": (lambda x: torch.abs(x) + torch.relu(x), 0.0),
    "wave": (lambda x: torch.sin(5 * x) * x, 1.0),
    "sqrt": (torch.sqrt, 4.0),
    "far": (lambda x: (x - 1000.5) ** 2, 1000.0),
    "tiny": (lambda x: 1e-6 * x**3, 1e-3),
    "flat": (lambda x: x * 0 + 7, 1.0),
}


def leaf(value):
    return torch.tensor(value, requires_grad=True)


def graph_of(root):
    with inspector.record() as recording:
        root().backward()
    assert recording.failure is None
    return recording.calls[0].graph


def saddle(at_x, at_y):
    x, y = leaf(at_x), leaf(at_y)
    with inspector.record() as recording:
        z = x**2 - y**2
        z.backward()
    return recording.calls[0].graph


def problems(panel):
    """Texts over each other, over a line, or out of the picture; lines out of the picture."""
    areas = [(run.text, text_area(run)) for box in panel.boxes for run in box.texts]
    points = [point for wire in panel.wires for point in wire.points]
    for (one, area), (other, beside) in combinations(areas, 2):
        apart = area.right <= beside.x or beside.right <= area.x
        if not (apart or area.bottom <= beside.y or beside.bottom <= area.y):
            yield f"{one!r} over {other!r}"
    for text, area in areas:
        if area.x < 0 or area.y < 0 or area.right > panel.area.right or area.bottom > panel.area.bottom:
            yield f"{text!r} is clipped"
        if any(area.x < x < area.right and area.y < y < area.bottom for x, y in points):
            yield f"a line through {text!r}"
    if not all(0 <= x <= panel.area.right and 0 <= y <= panel.area.bottom for x, y in points):
        yield "a line is clipped"
    if any(run.size < 15 for box in panel.boxes for run in box.texts):
        yield "small text"


@pytest.mark.parametrize("name", CURVES)
def test_one_leaf(name):
    function, at = CURVES[name]
    x = leaf(at)
    graph = graph_of(lambda: function(x))
    ((item,), _) = slices(graph)
    assert item.slope == x.grad.item() and item.at == x.item()
    (panel,) = plot_graph(graph).scene.panels
    assert list(problems(panel)) == []
    assert any(run.text.startswith("slope") for box in panel.boxes for run in box.texts)


@pytest.mark.parametrize(("at", "flat"), [((0.0, 0.0), "xy"), ((2.0, 0.0), "y")])
def test_the_saddle_is_flat_along_both_at_the_origin_and_not_along_x_at_2(at, flat):
    graph = saddle(*at)
    found, remarks = slices(graph)
    assert remarks == []
    slopes = {graph[item.leaf]["name"]: item.slope for item in found}
    assert {name for name, slope in slopes.items() if slope == 0} == set(flat)
    figure = plot_graph(graph)
    (panel,) = figure.scene.panels
    assert list(problems(panel)) == []
    for name, slope in slopes.items():
        (tangent,) = [wire for wire in panel.wires if wire.id.endswith("tangent") and _of(graph, wire, name)]
        assert (tangent.points[0][1] == tangent.points[-1][1]) == (slope == 0)
    texts = [run.text for box in panel.boxes for run in box.texts]
    assert f"slope 2x = {int(2 * at[0])}" in texts and f"x.grad = {int(2 * at[0])}" in texts
    assert "z along y" in texts and f"at x = {int(at[0])}" in texts
    assert f"z along x: {int(at[0] ** 2)} at {int(at[0])}" in figure.scene.description


def _of(graph, wire, name):
    return graph[wire.id.split(".")[1]]["name"] == name


def test_a_second_backward_is_said_to_have_added():
    x = leaf(3.0)
    (x**2).backward()
    with inspector.record() as recording:
        (x**2).backward()
    texts = [run.text for box in plot_graph(recording.calls[0].graph).scene.panels[0].boxes for run in box.texts]
    assert "slope 2x = 6" in texts and "x.grad = 12 (accumulated)" in texts


def test_many_leaves_and_some_that_are_none():
    leaves = [leaf(float(value)) for value in range(1, 7)]
    vector = leaf([1.0, 2.0])
    graph = graph_of(lambda: sum(item**2 for item in leaves) + vector.sum())
    figure = plot_graph(graph)
    assert figure.remarks == ("only the first 4 of 6 leaves have a curve",)
    assert list(problems(figure.scene.panels[0])) == []


def test_why_there_is_no_plot():
    m, x = leaf([[1.0, 2.0], [3.0, 4.0]]), leaf(2.0)
    assert why_no_plot(graph_of(lambda: torch.linalg.det(m))) == "no curve: no leaf is a single number"
    assert why_no_plot(graph_of(lambda: torch.special.digamma(x))) == (
        "no curve along x: DigammaBackward0 is not an elementary function"
    )
    assert "a single number" in why_no_plot(graph_of(lambda: x))
    y = leaf(-1.0)
    assert why_no_plot(graph_of(lambda: torch.log(y))) == "no curve along y: the root is not finite there"
    with pytest.raises(NotEvaluable, match="not an elementary function"):
        plot_graph(graph_of(lambda: torch.special.digamma(x)))


# ---- the door of the library ------------------------------------------------------------------------------


def test_plot_of_a_tensor(tmp_path):
    x, y = leaf(2.0), leaf(0.0)
    z = x**2 - y**2
    picture = inspector.plot(z, x)
    texts = [run.text for box in picture.figure.scene.panels[0].boxes for run in box.texts]
    assert "z along x" in texts and "z along y" not in texts
    assert "slope 4" in texts and not any("grad" in text for text in texts), "backward has not run"
    for name in ("z.svg", "z.png", "z.pdf"):
        picture.save(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    with pytest.raises(ValueError, match="unknown leaf 'w'; choose from: x, y"):
        inspector.plot(z, "w")
    z.backward()
    assert "slope 4" in inspector.plot(z, "x", "y").svg(text="plain")


def test_plot_of_a_graph():
    assert "z along y" in inspector.plot(saddle(2.0, 0.0), "y").svg(text="plain")


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
@pytest.mark.parametrize("text", ["path", "embed", "plain"])
def test_themes_and_text_modes(theme, text):
    scene = plot_graph(saddle(2.0, 0.0)).scene
    drawn = write_svg(scene, theme=theme, text=text)
    assert drawn == write_svg(plot_graph(saddle(2.0, 0.0)).scene, theme=theme, text=text)


def test_the_option(inspect_script):
    script = (
        "import torch\nx = torch.tensor(2.0, requires_grad=True)\ny = torch.tensor(0.0, requires_grad=True)\n"
        "z = x**2 - y**2\nz.backward()\n"
    )
    ran = inspect_script(script, options=["--plot", "-f", "svg", "-f", "png"])
    assert ran.status == 0
    names = {path.name for path in (ran.folder / "inspect-out").iterdir()}
    assert {"backward-1.plot.svg", "backward-1.plot.png"} <= names
    assert "backward-1.plot.svg" in ran.stderr


def test_the_option_where_there_is_no_curve(inspect_script):
    script = "import torch\nw = torch.rand(3, requires_grad=True)\nw.sum().backward()\n"
    ran = inspect_script(script, options=["--plot"])
    assert "inspect: note: no curve: no leaf is a single number" in ran.stderr
    assert not (ran.folder / "inspect-out" / "backward-1.plot.svg").exists()


# ---- parts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-2, 2, [-2, -1, 0, 1, 2]), (-1, 5, [0, 2, 4]), (0.25, 0.75, [0.3, 0.4, 0.5, 0.6, 0.7]), (1, 1, [])],
)
def test_ticks(low, high, expected):
    assert axis_ticks(low, high) == expected


@pytest.mark.parametrize("low", [-1e9, -3.3, 0.0, 1e-12])
@pytest.mark.parametrize("span", [1e-9, 0.7, 12.0, 1e15])
def test_ticks_are_few(low, span):
    assert len(axis_ticks(low, low + span)) <= 5


def test_a_curve_stops_at_the_edge_of_its_domain_and_at_a_pole():
    def root(x):
        return math.sqrt(x) if x >= 0 else math.nan

    curve = sample(root, 1.0)
    ((start, *_, end),) = curve.lines
    assert start[0] == pytest.approx(0.0, abs=1e-6) and end[0] == curve.window.right
    pole = sample(lambda x: 1 / x if x else math.nan, 3.0)
    assert all(len({math.copysign(1, x) for x, _ in line}) == 1 for line in pole.lines)
