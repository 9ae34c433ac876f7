"""Frames: before, every step, after, over one geometry; orders, paths, and the code beside the graph."""

# ruff: noqa: RUF001 (figures have the minus sign)
from __future__ import annotations

import geometry
import graphs
import pytest
from golden import FOLDER
from pictured import badges, boxes, labels, panel_texts, plan

from inspector.figure import Figure, draw, frames
from inspector.folding import fold
from inspector.graph import from_rows, is_unknown, to_rows
from inspector.graph.step_replay import after_steps, reordered, replay_frames
from inspector.options import STYLE_NAMES, FigureOptions
from inspector.report import from_json
from inspector.scene import Panel
from inspector.styles.paths import PathError, find_paths, path_sum

SMALL = [name for name in STYLE_NAMES if name != "modules"]
SCRIPT = '''"""A saddle."""
import torch

x = torch.tensor(2.0, requires_grad=True)
z = x**2 - y**2
z.backward()
'''


def panels(figure: Figure) -> dict[str, Panel]:
    return {name: scene.panels[0] for name, scene in figure.panels.items()}


# ---- a graph while it runs --------------------------------------------------------------------------------


def test_a_graph_after_some_steps() -> None:
    graph = graphs.saddle(2.0, 0.0)
    half = after_steps(graph, 3)
    assert half.steps == ["n0", "n3", "n4"]
    assert [half[key]["step"] for key in ("n0", "n1", "n2", "n3", "n4")] == [1, None, None, 2, 3]
    assert half["t4"]["after"]["grad"] == 0.0
    assert half["t2"]["after"]["grad"] is None
    assert is_unknown(half["t2"]["gradient"])
    assert graph["t2"]["after"]["grad"] == 4.0, "the graph itself is as it was"
    assert after_steps(graph, 5) is graph


def test_orders() -> None:
    graph = graphs.saddle(2.0, 0.0)
    assert reordered(graph, "engine").steps == ["n0", "n3", "n4", "n1", "n2"]
    textbook = reordered(graph, "textbook")
    assert textbook.steps == ["n0", "n1", "n3", "n2", "n4"]
    assert [textbook[step]["step"] for step in textbook.steps] == [1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="unknown order 'random'; choose from: engine, textbook"):
        reordered(graph, "random")  # type: ignore[arg-type]


# ---- frames -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", SMALL)
@pytest.mark.parametrize("seed", graphs.SEEDS)
def test_frames_differ_in_text_colour_and_stroke_only(style: str, seed: str) -> None:
    graph = graphs.SEEDS[seed]()
    figure = frames(graph, FigureOptions(style=style))
    assert list(figure.panels) == ["before", *(f"step-{n:02d}" for n in range(1, len(graph.steps) + 1)), "after"]
    skeletons = [geometry.skeleton(panel) for panel in panels(figure).values()]
    wires = skeletons[-1][3]
    for skeleton, scene in zip(skeletons, figure.panels.values(), strict=True):
        assert skeleton[:3] == skeletons[0][:3]
        assert skeleton[3].items() <= wires.items()  # type: ignore[attr-defined]
        assert geometry.problems(scene) == []


def test_each_step_adds_its_number_and_its_gradients() -> None:
    shown = panels(frames(graphs.saddle(2.0, 0.0), FigureOptions(style="attributes")))
    numbers = [{badge.text for badge in panel.badges if badge.id != "legend.badge"} for panel in shown.values()]
    assert numbers == [set(map(str, range(1, count + 1))) for count in (0, 1, 2, 3, 4, 5, 5)]
    seen = [next((text for text in panel_texts(panel) if text == "None → 4"), "") for panel in shown.values()]
    assert seen == ["", "", "", "", "", "None → 4", "None → 4"]


def test_the_function_that_runs_now_stands_out_and_its_step_is_told() -> None:
    figure = frames(graphs.saddle(2.0, 0.0), FigureOptions(style="attributes"))
    step = panels(figure)["step-04"]
    assert [box.id for box in step.boxes if box.fill == "changed"] == ["n1"]
    texts = [text.replace("\N{NO-BREAK SPACE}", " ") for text in panel_texts(step)]
    assert "step 4 of 5" in texts
    assert "The slope of pow is 2x = 4 here; times what arrives: 4 · 1 = 4 for x." in texts
    last = [text.replace("\N{NO-BREAK SPACE}", " ") for text in panel_texts(panels(figure)["step-05"])]
    assert "x has its whole gradient: x.grad = 4." in last


def test_fan_in_is_summed_when_the_accumulate_grad_runs_once() -> None:
    shown = panels(frames(graphs.product_and_square(), FigureOptions(style="circuit")))
    seen = ["2 + 2 = 4" in panel_texts(panel) for panel in shown.values()]
    assert seen == [False, False, False, False, True, True, True]


def test_a_second_backward_adds() -> None:
    shown = panels(frames(graphs.saddle(2.0, 0.0, grad=4.0), FigureOptions(style="attributes")))
    assert "4" in panel_texts(shown["before"])
    assert "4 → 8" not in set(panel_texts(shown["step-04"]))
    assert "4 → 8" in set(panel_texts(shown["step-05"])) & set(panel_texts(shown["after"]))


def test_a_backward_that_raises_ends_with_what_it_raised() -> None:
    figure = frames(graphs.saddle(2.0, 0.0, error_at="b"), FigureOptions(style="circuit"))
    shown = panels(figure)
    assert list(shown) == ["before", "step-01", "step-02", "after"]
    said = ["RuntimeError: backward of b failed" in panel_texts(panel) for panel in shown.values()]
    assert said == [False, False, False, True]


def test_frames_of_a_graph_that_did_not_run() -> None:
    assert list(frames(graphs.saddle(2.0, 0.0, ran=False)).panels) == ["before"]


def test_many_steps_share_frames() -> None:
    """Each with the state after the last of its steps."""
    figure = frames(graphs.chain(120), FigureOptions(style="torchviz"), depth="full")
    assert len(figure.panels) == 61 + 2
    assert "121 steps in 61 frames, up to 2 steps in each" in figure.remarks
    third = panels(figure)["step-03"]
    assert "steps 5–6 of 121" in set(panel_texts(third))
    lit = {box.id for box in third.boxes if box.ink == "gradient"}
    assert lit == {"n4", "n5"}


def test_boxes_of_a_model_run_in_the_order_of_their_first_steps() -> None:
    """A frame shows the gradients that had arrived just before the next box began, and none that had not."""
    graph = from_json((FOLDER / "lstm.json").read_text("utf-8")).calls[0].graph
    folded_graph = fold(graph, 1)
    found = replay_frames(folded_graph, 100)
    starts = {identifier: node["steps"][0] for identifier, node in folded_graph.folds() if node["steps"]}
    boxes_in_order = sorted(starts, key=starts.__getitem__)
    assert [turn.shown for turn in found] == [(box,) for box in boxes_in_order]
    assert [turn.first for turn in found[1:]] == [turn.last + 1 for turn in found[:-1]]
    assert (found[0].first, found[-1].last) == (1, len(graph.steps))
    shown = panels(frames(graph, depth=1))
    assert list(shown) == ["before", *(f"step-{number:02d}" for number in range(1, 5)), "after"]
    assert len({str(geometry.skeleton(panel)) for panel in shown.values()}) == 1
    for number, turn in enumerate(found, start=1):
        panel = shown[f"step-{number:02d}"]
        texts = {box.id: {text.text for text in box.texts} for box in panel.boxes}
        assert [box for box in boxes_in_order if "not yet" in texts[box]] == boxes_in_order[number:]
        assert {badge.text for badge in panel.badges} == set(map(str, range(1, number + 1)))
        assert [box.id for box in panel.boxes if box.ink == "gradient"] == [turn.shown[0]]
    last, after = shown["step-04"].boxes, shown["after"].boxes
    assert [{text.text for text in box.texts} for box in last[:4]] == [
        {text.text for text in box.texts} for box in after[:4]
    ]


def test_frames_of_a_large_graph_are_folded_as_its_figure_is() -> None:
    graph = from_json((FOLDER / "lstm.json").read_text("utf-8")).calls[0].graph
    assert set(draw(graph, depth=1).remarks) <= set(frames(graph, depth=1).remarks)
    assert "folded to depth" in frames(graph).remarks[0]
    assert len(frames(graph, FigureOptions(style="circuit"), depth="full").panels) == len(graph.steps) + 2


def test_frames_are_slides() -> None:
    for scene in frames(graphs.saddle(2.0, 0.0)).panels.values():
        assert (scene.width, scene.height) == (960, 540)


# ---- paths ------------------------------------------------------------------------------------------------


def test_paths_and_the_sum_over_them() -> None:
    graph = graphs.product_and_square()
    lit = find_paths(graph, "u:f")
    assert lit.sum == "∂f/∂u = 1 · 2 + 1 · 2 = 4"
    assert lit.edges == {"n0.0", "n0.1", "n1.0", "n4.0"}
    assert {"n0", "n1", "n2", "n4", "t0", "t2"} <= lit.nodes
    assert not {"n3", "t3"} & lit.nodes
    assert find_paths(graph, "f:u") == lit, "in either order"


@pytest.mark.parametrize("seed", graphs.SEEDS)
def test_the_sum_is_the_gradient(seed: str) -> None:
    graph = graphs.SEEDS[seed]()
    for _, leaf, edge in graph.edges("accumulate"):
        text = path_sum(graph, leaf, graph.roots[0])
        assert float(text.rpartition(" = ")[2].replace("−", "-")) == edge["gradient"]


@pytest.mark.parametrize("style", SMALL)
def test_what_lies_on_no_path_fades(style: str) -> None:
    graph = graphs.product_and_square()
    shown = plan(graph, "after", style, path="u:f")
    boxes_by_id = {box.id: box for box in shown.boxes}
    assert boxes_by_id.get("t3", boxes_by_id.get("n3")).ink == "faded"  # type: ignore[union-attr]
    wires = {wire.id: wire.ink for wire in shown.wires}
    assert wires["n1.1"] == "faded"
    assert "faded" not in (wires["n0.0"], wires["n1.0"], wires["n4.0"], boxes_by_id["n1"].ink)
    assert ("∂f/∂u = 1 · 2 + 1 · 2 = 4", "gradient") in [(note.text, note.ink) for note in shown.notes]
    assert plan(graph, "before", style, path="u:f").notes == ()
    plain = draw(graph, FigureOptions(style=style)).panels["after"]
    lit = draw(graph, FigureOptions(style=style, path="u:f")).panels["after"]
    assert geometry.problems(lit) == []
    assert geometry.skeleton(plain.panels[0])[0] == geometry.skeleton(lit.panels[0])[0] or plain.width != lit.width


@pytest.mark.parametrize("path", ["", "a:e"])
def test_the_last_step_has_the_sums_that_after_has(path: str) -> None:
    def notes(panel: Panel) -> list[tuple[str, str]]:
        """The notes below the caption."""
        texts = [(text.text, text.ink) for box in panel.boxes if box.id == "notes" for text in box.texts]
        return [text for text in texts if text[1] != "ink"]

    graph = from_json((FOLDER / "olah.json").read_text("utf-8")).calls[0].graph
    shown = panels(frames(graph, FigureOptions(style="partials", path=path)))
    *_, last, after = shown
    assert len(notes(shown[after])) >= 2
    assert notes(shown[last]) == notes(shown[after])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("u:g", "no tensor 'g'; the tensors are: f, u, v"),
        ("uu:f", "no tensor 'uu' (did you mean u?); the tensors are: f, u, v"),
        ("u:v", "no path between u and v: neither was computed from the other"),
        ("u", "--path u: expected two tensors, as in --path x:loss"),
        (":f", "--path :f: expected two tensors, as in --path x:loss"),
    ],
)
def test_wrong_paths_are_told_in_one_line(path: str, message: str) -> None:
    with pytest.raises(PathError) as raised:
        draw(graphs.product_and_square(), FigureOptions(style="circuit", path=path))
    assert str(raised.value) == message


def test_a_path_over_unknown_derivatives_has_no_sum() -> None:
    rows = to_rows(graphs.square())
    for edge in rows["edges"]:
        edge.pop("local", None)
    assert find_paths(from_rows(rows), "x:y").sum == ""


# ---- code -------------------------------------------------------------------------------------------------


def script_graph() -> object:
    rows = to_rows(graphs.saddle(2.0, 0.0))
    for row in rows["nodes"]:
        if isinstance(row["source"], dict):
            row["source"] = {"file": "script.py", "line": 5, "code": "z = x**2 - y**2"}
        if row["kind"] == "tensor" and row["is_leaf"]:
            row["source"] = {"file": "script.py", "line": 4, "code": "x = torch.tensor(2.0, requires_grad=True)"}
    return from_rows(rows)


def test_lines_have_the_numbers_of_their_functions() -> None:
    figure = draw(script_graph(), FigureOptions(style="circuit", code=True), script=SCRIPT)  # type: ignore[arg-type]
    after = figure.panels["after"].panels[0]
    assert {badge.id for badge in after.badges} >= {"line-5.1", "line-5.2", "line-5.4"}
    texts = list(panel_texts(after))
    assert "x = torch.tensor(2.0, requires_grad=True)" in texts
    assert "import torch" not in texts, "the head of a script says nothing about the graph"
    for scene in (figure.scene, *figure.panels.values()):
        assert geometry.problems(scene) == []


def test_the_line_that_runs_now_stands_out() -> None:
    figure = frames(script_graph(), FigureOptions(style="circuit", code=True), script=SCRIPT)  # type: ignore[arg-type]
    (listing,) = [box for box in panels(figure)["step-01"].boxes if box.id == "listing"]
    assert [band.fill for band in listing.bands] == ["changed"]
    assert [text.ink for text in listing.texts if text.text == "z = x**2 - y**2"] == ["gradient"]


@pytest.mark.parametrize("script", [None, "something = else_entirely()\n", "def broken(:\n"])
def test_without_the_file_the_graphs_own_lines_stand_there(script: str | None) -> None:
    figure = draw(script_graph(), FigureOptions(style="circuit", code=True), script=script)  # type: ignore[arg-type]
    texts = list(panel_texts(figure.panels["after"].panels[0]))
    assert texts.count("z = x**2 - y**2") == 2, "the title, and the listing"
    assert "something = else_entirely()" not in texts


def test_without_the_wish_there_is_no_code() -> None:
    shown = plan(graphs.square(), "after", "circuit")
    assert shown.listing == ()
    assert badges(shown)
    assert labels(shown)
    assert boxes(shown, "name") == ["x", "y"]


def test_the_function_that_runs_now_stands_out_of_a_faded_rest() -> None:
    figure = frames(graphs.product_and_square(), FigureOptions(style="circuit", path="v:f"))
    (gate,) = [box for box in panels(figure)["step-02"].boxes if box.id == "n4"]
    assert (gate.ink, gate.fill) == ("gradient", "changed")
