"""The course of the gallery: each script runs as it is, and one slide holds its circuit, whole."""

from __future__ import annotations

import ast
import contextlib
import io
import runpy

import geometry
import pytest
import torch
from running import GALLERY

import inspector
from inspector.figure import draw
from inspector.graph.elements import elements_of
from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.options import FigureOptions
from inspector.styles.composed_gates import composed
from inspector.styles.gates import gate_of
from inspector.styles.line_groups import line_groups
from inspector.styles.loss_group import loss_group
from inspector.styles.operands import operands_of

SCRIPTS = sorted((GALLERY / "course").glob("*.py"))
SLIDE = (960.0, 540.0)
LONGEST = 24
"""Lines of a script, with its title."""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_of_the_course_fits_a_slide(script):
    with inspector.record() as recording, contextlib.redirect_stdout(io.StringIO()):
        space = runpy.run_path(str(script), run_name="__main__")
    call = recording.calls[-1]
    figure = draw(call.graph, FigureOptions(style="circuit", canvas="16:9"), call=call.location["code"])
    for scene in figure.panels.values():
        assert (scene.width, scene.height) == SLIDE
        assert geometry.problems(scene) == []
        shown = {box.id.partition(".")[0] for box in scene.panels[0].boxes}
        groups = [group for group in (loss_group(call.graph), *line_groups(call.graph)) if group]
        shown.update(one for group in groups if not shown & set(group.members[1:]) for one in group.members)
        graph = call.graph
        functions = [key for key, node in graph.functions() if not node["is_leaf"]]
        gates = composed(graph, {key: gate_of(graph, key, operands_of(graph, key)) for key in functions})
        shown.update(one for key, gate in gates.items() if key in shown for one in gate.members)
        assert {key for key, node in call.graph.functions() if _has_its_gate(node)} <= shown, "none is folded away"
    if call.graph.error is None:
        _agree(call.graph, space)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_of_the_course_is_short_and_has_a_title(script):
    source = script.read_text("utf-8")
    title = ast.get_docstring(ast.parse(source))
    assert title and "\n" not in title and len(title) <= 90
    assert len(source.splitlines()) <= LONGEST


def _has_its_gate(node):
    """Whether a circuit draws a Node as a gate: not a leaf, nor the transpose of a weight."""
    return not node["is_leaf"] and not is_kind(node["name"], NodeKind.VIEW)


def _agree(graph, space):
    """The leaves' grads in the graph are those that the script ends with, where the script keeps them."""
    for _, tensor in graph.tensors():
        held = space.get(tensor["name"] or "")
        if isinstance(held, torch.Tensor) and held.is_leaf and held.grad is not None and tensor["is_leaf"]:
            grad = torch.tensor(elements_of(tensor["after"]["grad"]) or tensor["after"]["grad"])
            assert grad.reshape(held.shape).allclose(held.grad, equal_nan=True), tensor["name"]
