"""How a figure is presented: what is not reached yet is hidden, tensors in their colours, handouts, titles."""

from __future__ import annotations

from itertools import pairwise

import geometry
import graphs
import pytest
from pictured import panel_texts

from inspector.cli import _options, _parameters
from inspector.commands.export_figures import write_pictures
from inspector.commands.options import Destination, DrawOptions, OptionError
from inspector.commands.render_subprocess import _arguments
from inspector.figure import draw, frames
from inspector.figure.handout import BLANK
from inspector.graph import unknown
from inspector.options import FigureOptions, Presentation
from inspector.options.choices import COLOURS
from inspector.options.presentation import Highlight, read_highlights
from inspector.options.words import WORDS, read_words
from inspector.report import BackwardCall
from inspector.scene import Panel
from inspector.styles.paths import PathError
from inspector.styles.title_and_legend import figure_name
from inspector.user_code.script_title import script_title

STYLES = ["attributes", "circuit", "partials"]


def panels(figure) -> dict[str, Panel]:
    return {name: scene.panels[0] for name, scene in figure.panels.items()}


# ---- reveal -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
def test_each_step_of_the_forward_shows_what_it_reaches(style) -> None:
    figure = frames(graphs.saddle(2.0, 0.0), FigureOptions(style=style), presentation=Presentation(reveal=True))
    shown = panels(figure)
    assert list(shown)[:5] == ["forward-00", "forward-01", "forward-02", "forward-03", "before"]
    present = [{box.id.partition(".")[0] for box in panel.boxes} for panel in shown.values()]
    assert not present[0] & {"n0", "n1", "n3"}, "no function has run"
    assert all(one <= other for one, other in pairwise(present))
    assert present[3] == present[4] == present[-1]
    assert "n0" in present[3] - present[2], "the root is the last"
    whole = geometry.skeleton(shown["after"])
    for panel in list(shown.values())[:4]:
        assert geometry.skeleton(panel)[2].items() <= whole[2].items(), "everything keeps its place"
        ends = {box.id for box in panel.boxes}
        assert all({wire.source, wire.target} <= ends for wire in panel.wires if wire.source != "legend")


def test_without_reveal_there_is_no_forward() -> None:
    assert next(iter(frames(graphs.square()).panels)) == "before"


def test_a_graph_that_did_not_run_has_nothing_to_reveal() -> None:
    figure = frames(graphs.saddle(2.0, 0.0, ran=False), presentation=Presentation(reveal=True))
    assert list(figure.panels) == ["before"]


# ---- highlights -------------------------------------------------------------------------------------------


def test_colours_are_given_out_in_order_and_once() -> None:
    found = read_highlights(("u", "v=teal", "w"))
    assert found == (Highlight("u", "purple"), Highlight("v", "teal"), Highlight("w", "green"))
    assert len({tensor.colour for tensor in read_highlights(("a", "b", "c", "d"))}) == len(COLOURS)


@pytest.mark.parametrize("wanted", ["u=mauve", "=teal", ""])
def test_a_wrong_highlight_is_told(wanted) -> None:
    with pytest.raises(ValueError, match=r"unknown colour 'mauve'; choose from: teal|expected a tensor"):
        read_highlights((wanted,))


@pytest.mark.parametrize("style", STYLES)
def test_a_tensor_and_the_paths_to_it_have_its_colour_in_every_figure(style) -> None:
    presentation = Presentation(highlights=(Highlight("v", "teal"),))
    graph, look = graphs.product_and_square(), FigureOptions(style=style)
    for figure in (draw(graph, look, presentation=presentation), frames(graph, look, presentation=presentation)):
        for panel in panels(figure).values():
            coloured = {wire.id for wire in panel.wires if wire.ink == "teal" and wire.source != "legend"}
            assert {"n0.0", "n1.1"} <= coloured
            assert "n0.1" not in coloured, "u**2 does not lead to v"
            assert any(box.ink == "teal" for box in panel.boxes)


def test_a_tensor_that_is_not_there_is_told() -> None:
    with pytest.raises(PathError, match="no tensor 'q'; the tensors are: f, u, v"):
        draw(graphs.product_and_square(), presentation=Presentation(highlights=(Highlight("q", "teal"),)))


# ---- handouts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
def test_a_handout_leaves_the_gradients_out_and_its_solution_has_them(style) -> None:
    graph, look = graphs.saddle(2.0, 0.0), FigureOptions(style=style)
    plain, blank, solved = (
        draw(graph, look, presentation=Presentation(handout=kind)).panels["after"]
        for kind in (None, "blanks", "solution")
    )
    words = [text for text in panel_texts(blank.panels[0]) if BLANK in text]
    assert words
    inks = {"gradient", "value"}
    parts = [(name, run) for name, run in geometry.texts(blank.panels[0]) if name not in ("title", "legend")]
    left = [run.text for _, run in parts if run.ink in inks and "4" in run.text]
    assert left == [], "the gradient 4 of x and the value 4 of x**2 are to be found"
    sought = [text for _, text in geometry.texts(solved.panels[0]) if text.ink == "solution"]
    assert any("4" in run.text for run in sought)
    assert sorted(panel_texts(solved.panels[0])) == sorted(panel_texts(plain.panels[0]))
    assert geometry.skeleton(blank.panels[0])[2] == geometry.skeleton(solved.panels[0])[2]
    for scene in (blank, solved):
        assert geometry.problems(scene) == []


def test_the_values_of_leaves_are_given() -> None:
    look = FigureOptions(style="circuit")
    shown = draw(graphs.saddle(2.0, 0.0), look, presentation=Presentation(handout="blanks")).panels["after"]
    assert "2" in set(panel_texts(shown.panels[0]))


# ---- titles -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ('"""A saddle."""\nimport torch\n', "A saddle"),
        ("# A saddle\nimport torch\n", "A saddle"),
        ("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n# Copyright 2020 X\n# The saddle.\n", "The saddle"),
        ("import torch\n# not a title\n", ""),
        ('"""First. Then much that would not fit into the line of a title at all."""', "First"),
        ('"""The saddle: it is flat along one direction, curved along the other one."""', "The saddle"),
        ("# The saddle: it is flat along one direction, curved along the other one.\n", "The saddle"),
        ("# usage: python saddle.py, with any options after it that the script itself may take\n", ""),
        (f'"""{"long " * 20}"""', ""),
        ("def broken(:\n", ""),
        ("", ""),
    ],
)
def test_the_title_of_a_script(source, title) -> None:
    assert script_title(source) == title


def test_a_figure_has_the_title_of_its_script_or_short_code_or_none() -> None:
    graph = graphs.square()
    named = draw(graph, presentation=Presentation(title="A parabola")).panels["after"].panels[0]
    assert "A parabola" in set(panel_texts(named))
    code = graph.tensor(graph.roots[0])["source"]["code"]
    assert code in set(panel_texts(draw(graph).panels["after"].panels[0]))
    assert code not in set(panel_texts(named))


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("loss = (y * torch.tensor([1.0, 0.0, -1.0])).sum()", "loss = (y * torch.tensor([…])).sum()"),
        ("loss = nn.functional.cross_entropy(out, torch.tensor([0, 1]))", "loss = nn.functional.cross_entropy(…)"),
        ("return (prediction - target).pow(2).sum()", "(prediction - target).pow(2).sum()"),
        ("loss = -(t * torch.log(y_hat) + (1 - t) * torch.log(1 - y_hat))", "y"),
        ("y = " + " + ".join("abcdefghijklmnop"), "y"),
        ("return logits, F.cross_entropy(logits, targets)", "y"),
        ("return (x + y), (x, y)", "y"),
        ("logits, loss = model(x, y)", "logits, loss = model(x, y)"),
        ("return model(x, y)", "model(x, y)"),
    ],
)
def test_a_title_from_long_code_leaves_out_what_stands_in_brackets(code: str, title: str) -> None:
    graph = graphs.square()
    graph.tensor(graph.roots[0])["source"] = {"file": "script.py", "line": 3, "code": code}
    assert [words.text for words in figure_name(graph, "")] == [title]


# ---- the command ------------------------------------------------------------------------------------------


def parsed(*arguments: str) -> Presentation:
    return _options(_parameters([*arguments, "script.py"])).draw.presentation


def test_the_options_of_the_command_reach_the_process_that_draws(tmp_path) -> None:
    words = tmp_path / "de.json"
    words.write_text('{"step": "Schritt {number}"}', "utf-8")
    asked = ("--reveal", "--order", "textbook", "--highlight", "u", "--highlight", "v=pink", "--handout", "blanks")
    options = _options(_parameters([*asked, "--words", str(words), "--transparent", "--together", "script.py"]))
    parsed = options.draw.presentation
    assert (parsed.frames, parsed.reveal, parsed.order, parsed.handout) == (True, True, "textbook", "blanks")
    assert parsed.highlights == (Highlight("u", "teal"), Highlight("v", "pink"))
    assert parsed.words.say("step", number=3, count=5) == "Schritt 3"
    assert options.watch.backward == "all", "those that are shown together"
    again = _options(_parameters([*_arguments(options), "report.json"])).draw
    assert (again.presentation, again.transparent, again.further.together) == (parsed, True, True)


@pytest.mark.parametrize(
    "arguments", [("--highlight", "u=mauve"), ("--words", "none.toml"), ("--words", "x.yaml")]
)
def test_what_cannot_be_used_is_told_before_the_script_runs(arguments) -> None:
    with pytest.raises(OptionError, match=r"choose from: teal|cannot read none.toml|cannot read x.yaml"):
        parsed(*arguments)


def test_a_note_names_the_words_that_a_file_lacks(tmp_path) -> None:
    path = tmp_path / "de.json"
    path.write_text('{"step": "Schritt {number}"}', "utf-8")
    call = BackwardCall(1, unknown("not asked"), graphs.square())
    look = DrawOptions(presentation=Presentation(words=read_words(path)))
    written = write_pictures(call, Destination(tmp_path / "out", None, ("dot",)), look)
    (note,) = written.remarks
    assert note.startswith(f"de.json lacks {len(WORDS) - 1} texts (moment-before, moment-after, steps, ")
