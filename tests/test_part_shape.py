"""Parts of a graph that have the same shape are isomorphic, and have one certificate."""

import random

import numpy
import torch
from torch import nn

import inspector
from inspector.folding.columns import Columns, numbered
from inspector.folding.graph_parts import GraphParts
from inspector.folding.isomorphism import IsomorphismKey, repeated_runs
from inspector.folding.part_shape import PartShapes, outside_of_parts, row_numbers
from inspector.graph.topology import topology_of


def stack_of(count):
    torch.manual_seed(0)
    shared, x = torch.randn(6, requires_grad=True), torch.randn(3, 6)
    for _ in range(count):
        layer = nn.Linear(6, 6)
        x = x + torch.relu(layer(x) * shared).softmax(-1) * x
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    return topology_of(inspector.trace(x.sum()))


def parts_of(of):
    """Windows of some lengths in walk order, and random functions."""
    chosen = random.Random(0)
    windows = [range(start, start + size) for size in (16, 18, 19) for start in range(len(of) - size)]
    return [*windows, *(sorted(chosen.sample(range(len(of)), 20)) for _ in range(20))]


def test_what_has_one_shape_has_one_certificate():
    of = stack_of(12)
    columns, names = Columns(of), of.functions.names
    colors = numbered([tuple(of.tensors.shape(of.leaves[one])) if one in of.leaves else None for one in of.ids])
    labels, keys = numbered(names), IsomorphismKey(columns)
    shapes = PartShapes(columns, colors, outside_of_parts(of))
    for size in (2, 3, 7, 18):
        parts = [range(start, start + size) for start in range(0, len(of) - size, size)]
        found = {}
        for shape, part in zip(shapes.shapes_of(numpy.array(parts), labels).tolist(), parts, strict=True):
            certificate = keys.key_of(part, names.__getitem__)
            assert found.setdefault(shape, certificate) == certificate
        assert len(set(found.values())) < len(parts) or size == 18
    assert len(set(found.values())) > 1


def test_parts_have_one_sign_where_they_have_one_certificate():
    of = stack_of(12)
    keys, names = IsomorphismKey(Columns(of)), of.functions.names
    labels = {0: numbered(names)}
    pairs = []
    for part in parts_of(of):
        others = [range(start, start + len(part)) for start in range(0, len(of) - len(part), len(part))]
        together = [part, *(other for other in others if not set(other) & set(part))]
        flat = numpy.array([position for one in together for position in one], numpy.int32)
        owners = numpy.repeat(numpy.arange(len(together)), len(part))
        signs = keys.signs(GraphParts.of(flat, owners, len(together)), numpy.zeros(len(together), int), labels)
        certificates = [keys.key_of(one, names.__getitem__) for one in together]
        pairs += zip(signs == signs[0], [one == certificates[0] for one in certificates], strict=True)
    assert {alike for alike, _ in pairs} == {True, False}
    assert all(alike == isomorphic for alike, isomorphic in pairs)


def test_single_functions_have_one_sign_where_they_have_one_certificate():
    of = stack_of(6)
    keys, names = IsomorphismKey(Columns(of)), of.functions.names
    each = GraphParts(numpy.arange(len(of), dtype=numpy.int32), numpy.arange(len(of) + 1))
    signs = keys.signs(each, numpy.zeros(len(of), int), {0: numbered(names)}).tolist()
    certificates = [keys.key_of([position], names.__getitem__) for position in range(len(of))]
    pairs = set(zip(signs, certificates, strict=True))
    assert len(pairs) == len(set(signs)) == len(set(certificates)) < len(of)


def test_rows_have_one_number_where_they_are_equal():
    chosen = random.Random(0)
    for kinds in (1, 3, 40):
        rows = [[chosen.randrange(kinds), 0, chosen.randrange(2)] for _ in range(300)]
        matrix = numpy.array(rows)
        numbers = row_numbers([matrix[:, :2], matrix[:, 2:], matrix[:, :0]]).tolist()
        pairs = set(zip(numbers, map(tuple, rows), strict=True))
        assert len(pairs) == len(set(numbers)) == len(set(map(tuple, rows)))


def test_runs_are_found_from_left_to_right():
    cases = {
        "aaabbb": [(0, 1, 3), (3, 1, 3)],
        "abababc": [(0, 2, 3)],
        "xabcabcabcx": [(1, 3, 3)],
        "abcdef": [],
        "aab": [],
        "aabaabaab": [(0, 3, 3)],
        "": [],
    }
    for text, runs in cases.items():
        assert repeated_runs(numpy.array(list(map(ord, text)), int), 3) == runs
