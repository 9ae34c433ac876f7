"""`--path` on folded graphs: what is lit is what has a member on a path of the whole graph."""

import json
import re

import networkx
import pytest
from columns import transformer

import inspector
from inspector.figure import draw
from inspector.folding import fold
from inspector.graph import from_rows, to_rows
from inspector.options import FigureOptions
from inspector.styles.paths import PathError, find_paths


def expected(whole, start, end):
    """The functions on a way between two, by networkx."""
    flow = networkx.DiGraph((source, target) for source, target, _ in whole.edges("next"))
    inside = (networkx.descendants(flow, start) | {start}) & (networkx.ancestors(flow, end) | {end})
    assert inside
    return inside


def leaf_of(whole, layer):
    """A weight in the middle of the model, the name of it and the AccumulateGrad."""
    user = next(key for key, node in whole.functions() if node["module"] == f"blocks.{layer}.linear")
    taker = next(target for _, target, _ in whole.network.out_edges(user, data=True) if whole[target]["is_leaf"])
    leaf = next(iter(whole.network.adj[taker]))
    return whole[leaf]["name"], taker


@pytest.mark.parametrize("depth", ["auto", 1, 2, 3])
def test_boxes_on_the_way_are_lit_and_no_others(depth):
    whole = transformer(6)
    name, taker = leaf_of(whole, 3)
    inside = expected(whole, "n0", taker)
    folded = fold(whole, depth)
    lit = find_paths(folded, f"{name}:loss0")
    for identifier, node in folded.network.nodes(data=True):
        if node["kind"] != "tensor":
            members = node["members"] if node["kind"] == "fold" else [identifier]
            assert (identifier in lit.nodes) == bool(inside.intersection(members)), identifier
    assert any(node["kind"] != "tensor" and key not in lit.nodes for key, node in folded.network.nodes(data=True))


def test_wires_on_the_way_are_lit_in_the_picture_and_the_rest_fades():
    whole = transformer(6)
    name, taker = leaf_of(whole, 3)
    inside = expected(whole, "n0", taker)
    folded = fold(whole, 2)
    boxes = [(key, node) for key, node in folded.network.nodes(data=True) if node["kind"] == "fold"]
    holders = {member: key for key, box in boxes for member in box["members"]}
    pairs = {
        (holders.get(source, source), holders.get(target, target))
        for source, target, _ in whole.edges("next")
        if {source, target} <= inside and target != taker
    }
    panel = draw(folded, FigureOptions(style="modules", path=f"loss0:{name}")).scene.panels[0]
    wires = [wire for wire in panel.wires if not wire.dashed and not wire.id.startswith("legend")]
    lit = {(wire.source, wire.target) for wire in wires if wire.ink != "faded"}
    assert lit == {(source, target) for source, target in pairs if source != target}
    assert 0 < len(lit) < len(wires)


def test_the_path_of_a_model_that_was_not_recorded():
    import torch
    from torch import nn

    model = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(12)))
    loss = model(torch.ones(2, 4)).sum()
    picture = inspector.draw(inspector.trace(loss), path="loss:6.0.weight")
    inks = {box.ink for box in picture.figure.scene.panels[0].boxes}
    assert "faded" in inks and len(inks) > 1
    with pytest.raises(PathError, match=r"did you mean 6\.0\.weight"):
        inspector.draw(inspector.trace(loss), path="loss:6.0.weigth")


def test_a_graph_that_was_saved_folded():
    folded = fold(transformer(6), 2)
    name, _ = leaf_of(folded.whole, 3)
    saved = from_rows(json.loads(json.dumps(to_rows(folded))))
    with pytest.raises(PathError, match=re.escape(f"no tensor '{name}'")):  # in a box: its name was not saved
        find_paths(saved, f"{name}:loss0")
    tied = next(node["name"] for _, node in saved.tensors() if node["is_leaf"])
    shown = {key for key in find_paths(folded, f"{tied}:loss0").nodes if key in saved.network}
    assert find_paths(saved, f"{tied}:loss0").nodes == shown
