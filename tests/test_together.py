"""Several backward calls in one figure, and two panels on one slide."""

from __future__ import annotations

import geometry
import graphs
import pytest
import torch
from pictured import panel_texts

import inspector
from inspector.commands.export_figures import write_together
from inspector.commands.options import Destination, DrawOptions
from inspector.figure import draw
from inspector.figure.together import draw_together
from inspector.options import FigureOptions
from inspector.styles.title_and_legend import _short_call


def accumulated():
    x = torch.tensor(2.0, requires_grad=True)
    with inspector.record() as recording:
        for _ in range(2):
            y = x**2
            y.backward()
    return recording.calls


def differentiated_twice():
    x = torch.tensor(2.0, requires_grad=True)
    with inspector.record() as recording:
        y = x**3
        (dy,) = torch.autograd.grad(y, x, create_graph=True)
        dy.backward()
    return recording.calls


def named(calls):
    return [(call.graph, call.location["code"]) for call in calls]


@pytest.mark.parametrize("style", ["attributes", "circuit"])
def test_the_titles_of_panels_side_by_side_stand_on_one_line(style) -> None:
    figure = draw_together(named(differentiated_twice()), FigureOptions(style=style, canvas="16:9"))
    first, second = figure.scene.panels
    assert (first.area.x, second.area.x, first.area.y, second.area.y) == (0.0, 480.0, 0.0, 0.0)
    levels = [min(text.y for box in panel.boxes for text in box.texts) for panel in (first, second)]
    assert abs(levels[0] - levels[1]) < 0.01


def test_a_second_backward_adds_to_the_grad_in_one_figure() -> None:
    figure = draw_together(named(accumulated()), FigureOptions(style="attributes"))
    assert list(figure.panels) == ["before", "after-1", "after-2"]
    grads = [set(panel_texts(scene.panels[0])) & {"None → 4", "4 → 8"} for scene in figure.panels.values()]
    assert grads == [set(), {"None → 4"}, {"4 → 8"}]
    skeletons = [geometry.skeleton(panel) for panel in figure.scene.panels]
    assert skeletons[0] == skeletons[1] == skeletons[2]
    assert geometry.problems(figure.scene) == []


@pytest.mark.parametrize("style", ["attributes", "circuit"])
def test_a_graph_and_that_of_its_derivative_share_a_slide(style) -> None:
    figure = draw_together(named(differentiated_twice()), FigureOptions(style=style, canvas="16:9"))
    assert (figure.scene.width, figure.scene.height) == (960.0, 540.0)
    first, second = (set(panel_texts(panel)) for panel in figure.scene.panels)
    assert "after" in first & second
    assert "2x · 3 = 12" in second and any("12" in text for text in first), "y″ = 6x"
    assert geometry.problems(figure.scene) == []


def test_calls_beside_each_other_have_one_style() -> None:
    """The first alone would be cards, the second a circuit."""
    w, x = (torch.tensor(value, requires_grad=True) for value in (0.7, 1.5))
    with inspector.record() as recording:
        d = torch.tanh(w * x)
        (g,) = torch.autograd.grad(d, x, create_graph=True)
        penalty = (g - 1) ** 2
        penalty.backward()
    figure = draw_together(named(recording.calls), FigureOptions(canvas="16:9"))
    texts = [set(panel_texts(panel)) for panel in figure.scene.panels]
    assert not any("is_leaf" in shown for shown in texts)
    alone = draw(recording.calls[0].graph, FigureOptions(canvas="16:9")).panels["after"].panels[0]
    assert "is_leaf" in set(panel_texts(alone))
    assert geometry.problems(figure.scene) == []


def test_two_long_chains_have_the_upper_and_the_lower_half_in_one_look() -> None:
    w = torch.tensor(1.0, requires_grad=True)
    with inspector.record() as recording:
        inner = (w * 2.0 - 3.0) ** 2
        (g,) = torch.autograd.grad(inner, w, create_graph=True)
        fast = w - 0.1 * g
        outer = (fast * 1.5 - 2.0) ** 2
        outer.backward()
    figure = draw_together(named(recording.calls), FigureOptions(style="circuit", canvas="16:9"))
    assert (figure.scene.width, figure.scene.height) == (960.0, 540.0)
    assert {(panel.area.width, panel.area.height) for panel in figure.scene.panels} == {(960.0, 270.0)}
    assert len(set(figure.remarks)) == 1, "one density"
    for panel in figure.scene.panels:
        gates = [box.area.center for box in panel.boxes if box.shape == "circle"]
        assert len(gates) >= 3 and len({round(y) for _, y in gates}) == 1, "both run from left to right"
    assert geometry.problems(figure.scene) == []


def test_calls_together_are_written_in_every_format_of_pictures(tmp_path) -> None:
    place = Destination(tmp_path, None, ("svg", "pdf", "dot", "html"))
    written = write_together(accumulated(), place, DrawOptions())
    assert [path.name for path in written.files] == ["together.svg", "together.pdf"]


def test_two_panels_share_a_slide_of_16_to_9_if_each_has_room() -> None:
    look = FigureOptions(style="circuit", canvas="16:9")
    figure = draw(graphs.saddle(2.0, 0.0), look)
    assert (figure.scene.width, figure.scene.height) == (960.0, 540.0)
    assert {(panel.width, panel.height) for panel in figure.panels.values()} == {(960.0, 540.0)}
    assert [panel.id for panel in figure.scene.panels] == ["before", "after"]
    assert geometry.problems(figure.scene) == []


def test_others_have_a_slide_each() -> None:
    figure = draw(graphs.saddle(2.0, 0.0), FigureOptions(style="attributes", canvas="16:9"))
    assert (figure.scene.width, figure.scene.height) == (960.0, 1080.0)


@pytest.mark.parametrize(
    ("call", "short"),
    [
        ("z.backward()", "z.backward()"),
        ("2: (dy,) = torch.autograd.grad(y, x, create_graph=True)", "2: torch.autograd.grad(…)"),
        ("(zx, zy) = torch.autograd.grad(z, (x, y), create_graph=True)", "torch.autograd.grad(…)"),
    ],
)
def test_a_long_call_is_shortened(call, short) -> None:
    assert _short_call(call) == short
