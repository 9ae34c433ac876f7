"""Parts of a graph that have the same shape are isomorphic, and have one certificate."""

import random

import torch
from torch import nn

import inspector
from inspector.folding.isomorphism import IsomorphismKey
from inspector.folding.part_shape import PartShapes, numbered, outside_of_parts
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
    names = of.functions.names
    labels, keys = numbered(names), IsomorphismKey(of)
    shapes = PartShapes(of, numbered(of.leaf_flags), outside_of_parts(of))
    found = {}
    for part in parts_of(of):
        certificate = IsomorphismKey.key_of(keys, part, names.__getitem__)
        assert found.setdefault(shapes.shape_of(part, labels), certificate) == certificate
        assert keys.key_of_equal(part, names.__getitem__, labels) == certificate
    assert 3 < len(set(found.values())) < len(parts_of(of)) - 20  # some are equal, some are not


def test_single_functions_have_one_number_for_one_certificate():
    of = stack_of(6)
    names, keys = of.functions.names, IsomorphismKey(of)
    certificates = [keys.key_of_one(position, names[position]) for position in range(len(of))]
    signs = keys.signs_of_single(range(len(of)), numbered(names))
    pairs = set(zip(signs, certificates, strict=True))
    assert len(pairs) == len(set(signs)) == len(set(certificates)) < len(of)


def test_many_parts_are_compared_at_once():
    of = stack_of(12)
    names, keys = of.functions.names, IsomorphismKey(of)
    labels, shapes = numbered(names), PartShapes(of, numbered(of.leaf_flags), outside_of_parts(of))
    for size in (2, 3, 7, 18):
        parts = [range(start, start + size) for start in range(0, len(of) - size, size)]
        together, alone = shapes.shapes_of_many(parts, labels), [shapes.shape_of(part, labels) for part in parts]
        assert len(set(zip(together, alone, strict=True))) == len(set(together)) == len(set(alone))
        found = {}
        for shape, part in zip(keys.shapes_of_many(parts, labels), parts, strict=True):
            certificate = keys.key_of(part, names.__getitem__)
            assert found.setdefault(shape, certificate) == certificate
        assert len(set(found.values())) < len(parts) or size == 18
    assert len(set(found.values())) > 1
