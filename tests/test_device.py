"""On a device of its own: its backward runs in a thread of the engine's, and it is waited for once a graph.

Needs g++. Where CI is set a missing one fails; elsewhere these tests are skipped.
"""

from __future__ import annotations

import fcntl
import math
import os
import shutil

import pytest
from other_device import built
from running import HERE

from inspector.graph.elements import elements_of

TRAINING = f"""
    import sys
    sys.path.insert(0, {str(HERE)!r})
    import torch, other_device
    from torch import nn
    import torch.nn.functional as F

    times_read_back = other_device.register(sys.argv[1])
    device = sys.argv[2]

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.up, self.down = nn.LayerNorm(32), nn.Linear(32, 64), nn.Linear(64, 32)

        def forward(self, x):
            return x + self.down(F.relu(self.up(self.norm(x))))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(20, 32)
            self.blocks = nn.Sequential(Block(), Block())
            self.head = nn.Linear(32, 20)

        def forward(self, ids):
            x = self.blocks(self.tokens(ids))
            parts = x.view(4, 8, 2, 16).transpose(1, 2)
            weights = (parts @ parts.transpose(-2, -1) / 4).softmax(-1)
            mixed = (weights @ parts).transpose(1, 2).reshape(4, 8, 32)
            return self.head(mixed)

    torch.manual_seed(0)
    model = Model().to(device)
    ids = torch.randint(0, 20, (4, 8)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
"""

EPOCHS = """
    for epoch in range(4):
        optimizer.zero_grad()
        logits = model(ids)
        scale = torch.ones(3, device=device).mean()
        loss = F.cross_entropy(logits.flatten(0, 1), ids.flatten()) * scale
        loss.backward()
        optimizer.step()
    for parameter in model.parameters():
        print(parameter.tolist())
"""

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None and not os.environ.get("CI"), reason="no g++ here to compile the device with"
)


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The device, compiled once: by the worker that comes first."""
    folder = tmp_path_factory.getbasetemp().parent
    with (folder / "device.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return str(built(folder))


@pytest.mark.parametrize("mode", ["full", "light", "none"])
def test_the_same_parameters_bit_by_bit(inspect_script, library, mode):
    plain = inspect_script.plain(TRAINING + EPOCHS, library, "other")
    ran = inspect_script(TRAINING + EPOCHS, library, "other", options=("-f", "json", "--record", mode))
    assert ran.status == plain.status == 0, ran.stderr + plain.stderr
    assert ran.stdout == plain.stdout
    assert "internal error" not in ran.stderr


COUNTED = """
    import inspector

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(ids).flatten(0, 1), ids.flatten())
        began = times_read_back()
        loss.backward()
        ended = times_read_back()
        optimizer.step()
        return ended - began

    with inspector.record(model, optimizer, watch=2, mode=sys.argv[3]):
        for number in range(4):
            began = times_read_back()
            backward = step()
            print(backward, times_read_back() - began - backward)
"""


@pytest.mark.parametrize("mode", ["full", "light"])
def test_a_graph_is_read_back_once(inspect_script, library, mode):
    """And the optimizer's step asks once whether there is anything in the grads, as long as steps are watched."""
    ran = inspect_script.plain(TRAINING + COUNTED, library, "other", mode)
    assert ran.stdout.splitlines() == ["1 1", "1 0", "0 0", "0 0"], ran.stderr


RECORDED = """
    import inspector

    with inspector.watch(model, optimizer, budget=1.0, calls=2, mode="light"):
        for number in range(2 + 3 * 64):
            began = times_read_back()
            optimizer.zero_grad()
            F.cross_entropy(model(ids).flatten(0, 1), ids.flatten()).backward()
            optimizer.step()
            print(times_read_back() - began)
"""


def test_steps_are_read_back_many_at_once(inspect_script, library):
    """What each step left on the device is read once in 64 steps, and not in the steps between."""
    ran = inspect_script.plain(TRAINING + RECORDED, library, "other")
    assert ran.status == 0, ran.stderr
    times = [int(line) for line in ran.stdout.splitlines()[2:]]
    assert len(times) == 3 * 64
    assert sum(count > 0 for count in times) <= 3 and max(times) <= 6


TWICE = """
    def derivative(of, by):
        return torch.autograd.grad(of, by, grad_outputs=torch.ones_like(of), create_graph=True)[0]

    net = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 1)).to(device)
    for step in range(2):
        x = torch.rand(32, 1).to(device).requires_grad_()
        u = net(x)
        slope = derivative(u, x)
        bend = derivative(slope, x)
        loss = (bend - 0.1 * slope + u * slope.detach()).pow(2).mean()
        loss.backward()
"""


@pytest.mark.parametrize("code, call", [(EPOCHS, 1), (TWICE, 3), (TWICE, 6)])
def test_the_report_is_that_of_the_processor(inspect_script, library, code, call):
    """Also of Nodes that the engine made in its own thread, with numbers that the script's thread has as well."""
    _compare(inspect_script, library, code, call, "--watch", "6", "--backward", str(call))


def test_what_a_call_made_that_was_only_counted_is_told_as_well(inspect_script, library):
    """The second derivative is not recorded, but its Nodes are in the graph of the loss."""
    call = _compare(inspect_script, library, TWICE, 3, "--watch", "1")
    made = {row.get("made_in") for row in call["graph"]["nodes"] if row["kind"] == "function"}
    assert made == {None, 1, 2}


def _compare(inspect_script, library, code, index, *options):
    """Compare a call on the processor and on the device, and return it."""
    here, there = (
        next(call for call in inspect_script(
            TRAINING + code, library, device, options=("-f", "json", *options)
        ).calls if call["index"] == index)
        for device in ("cpu", "other")
    )  # fmt: skip
    assert _detached(here) == _detached(there)
    ours, theirs = (_comparable(call["graph"], device) for call, device in ((here, "cpu"), (there, "other:0")))
    assert ours.keys() == theirs.keys()
    assert {which: found for which, row in ours.items() if (found := _differences(row, theirs[which]))} == {}
    return there


LARGE = f"""
    import sys
    sys.path.insert(0, {str(HERE)!r})
    import torch, other_device
    other_device.register(sys.argv[1], double=sys.argv[2] == "double")

    x = (torch.arange(1.0, 21) * 1e24).to("other").requires_grad_()
    half = torch.ones(40, dtype=torch.bfloat16).to("other").requires_grad_()
    y = x * torch.tensor([0.0, 1.0] * 10).to("other")
    few = torch.ones(1).to("other").requires_grad_()
    (y.sum() + half.exp().sum() + (few * 2).sum()).backward()
"""


def test_large_elements_have_a_norm_and_few_are_read_as_they_are(inspect_script, library):
    ran = inspect_script(LARGE, library, "double")
    assert ran.tensor("x")["before"]["data"]["norm"] == pytest.approx(1e24 * math.sqrt(2870))
    assert ran.tensor("y")["before"]["data"]["zeros"] == 10
    assert ran.tensor("x")["after"]["grad"]["norm"] == pytest.approx(math.sqrt(10))
    assert ran.tensor("few")["after"]["grad"] == [2.0]
    assert [row["gradient"] for row in ran.functions() if "unknown" in str(row["gradient"])] == []


def test_a_device_without_float64(inspect_script, library):
    """Such as MPS."""
    ran = inspect_script(LARGE, library, "single")
    assert "unknown" not in str(ran.tensor("half")["before"]["data"]) + str(ran.tensor("half")["after"]["grad"])
    assert ran.tensor("half")["after"]["grad"]["mean"] == pytest.approx(math.e, rel=1e-2)
    assert ran.tensor("x")["before"]["data"]["norm"] == pytest.approx(1e24 * math.sqrt(2870))
    assert ran.tensor("y")["before"]["data"]["zeros"] == 10


def _detached(call):
    return [cut for cut in call["cuts"] if cut["operation"] == "detach" and cut["direct"]]


def _comparable(graph, device):
    """Nodes and edges by their ids, where all tensors but those that torch makes of numbers are on a device."""
    rows = {row["id"]: row for row in graph["nodes"]}
    rows |= {(row["source"], row["target"], row["kind"], number): row for number, row in enumerate(graph["edges"])}
    for row in graph["nodes"]:
        assert row.get("device", device) == device or row["shape"] == [], row
        # `to` has made the leaves, the engine runs Nodes by their numbers, and `made_by` is unknown in its threads
        for key in ("device", "version", "step", "made_by", *(["source"] if row.get("is_leaf") else [])):
            row.pop(key, None)
    return rows


def _differences(one, other, path=""):
    """Where two values differ by more than rounding."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        if "elements" in one:
            one, other = ({**summary, "elements": elements_of(summary)} for summary in (one, other))
        return [found for key in one for found in _differences(one[key], other[key], f"{path}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [found for pair in zip(one, other, strict=True) for found in _differences(*pair, path)]
    if isinstance(one, float) and isinstance(other, float):
        other = one if math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-6) else other
    return [] if one == other else [f"{path}: {one} and {other}"]
