"""Graphs deeper than any stack: traced without recursion, and freed without the crash that torch would die of.

In processes of their own, to the very end of the interpreter: what is tested is that they do not die.
"""

import json
import subprocess
import sys
import textwrap

import jsonschema_rs
import pytest
from running import command_line, environment

from inspector.report import load, schema
from inspector.report.json_file import LARGE

CHAIN = """
    import torch
    x = torch.tensor(1.0, requires_grad=True)
    def chain(depth):
        z = x
        for _ in range(depth):
            z = z * 1.0
        return z
"""


def run(folder, code, *command):
    (folder / "script.py").write_text(textwrap.dedent(code))
    ended = subprocess.run(
        [*(command or [sys.executable]), "script.py"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert "RecursionError" not in ended.stderr
    return ended


def check(ended, stdout):
    assert (ended.returncode, ended.stdout) == (0, stdout), ended.stderr[-2000:]


def test_torch_itself_dies_of_this(tmp_path):
    """If it does so no longer, the keeper has no use any more."""
    code = """
        z = chain(200_000)
        node = z.grad_fn
        while node is not None:
            node = node.next_functions[0][0] if node.next_functions else None
        del z
        print("alive")
    """
    ended = run(tmp_path, textwrap.dedent(CHAIN) + textwrap.dedent(code))
    assert ended.returncode < 0 and ended.stdout == ""


def test_library(tmp_path):
    code = """
        import inspector, weakref
        from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS
        z = chain(60_000)
        graph = inspector.trace(z)
        print(len(graph.network), len(graph.roots), len(DEEP_GRAPHS))
        gone = weakref.ref(z)
        del graph
        del z
        print(gone() is None)
        for _ in range(100): pass
        print(len(DEEP_GRAPHS))
        print(inspector.trace(chain(3)).roots)
    """
    ended = run(tmp_path, textwrap.dedent(CHAIN) + textwrap.dedent(code))
    # 60,000 Nodes and an AccumulateGrad; root and leaf, which the first Node saved; nothing else was seen.
    check(ended, "60003 1 60001\nTrue\n0\n['t0']\n")


def test_library_before_and_after(tmp_path):
    code = """
        import inspector
        from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS
        z = chain(60_000)
        inspector.trace(z)
        z.backward()
        graph = inspector.trace(z)
        print(graph[graph.roots[0]]["after"]["data"], x.grad.item())
        z = None
        z = chain(10)
        print(len(DEEP_GRAPHS))
    """
    check(run(tmp_path, textwrap.dedent(CHAIN) + textwrap.dedent(code)), "1.0 1.0\n0\n")


@pytest.mark.parametrize("held", ["root", "middle", "both"])
def test_who_holds_it_last(held, tmp_path):
    """Truncated BPTT holds a tensor in the middle of the graph for longer than the root."""
    code = f"""
        import gc, inspector
        from inspector.recording.deep_graph_keepalive import DEEP_GRAPHS
        middle = chain(30_000)
        z = middle
        for _ in range(30_000):
            z = z * 1.0
        inspector.trace([z, middle] if {held!r} == "both" else z)
        if {held!r} == "root":
            del middle
            del z
        else:
            del z
            gc.collect()
            print(0 < len(DEEP_GRAPHS) <= 30_002)
            middle.backward()
            del middle
            gc.collect()
        DEEP_GRAPHS.release()
        print(len(DEEP_GRAPHS))
    """
    expected = "0\n" if held == "root" else "True\n0\n"
    check(run(tmp_path, textwrap.dedent(CHAIN) + textwrap.dedent(code)), expected)


def check_report(folder, watched, functions):
    """report.json holds the graph folded; every Node is in report.full.json.gz."""
    report = json.loads((folder / "inspect-out" / "report.json").read_text())
    jsonschema_rs.validate(schema(), report)
    assert report["recording"]["watched"] == watched == len(report["backward_calls"])
    graph = report["backward_calls"][0]["graph"]
    nodes = [row["nodes"] if row["kind"] == "fold" else row["kind"] == "function" for row in graph["nodes"]]
    assert sum(nodes) == functions and len(nodes) < 10
    assert graph["folded"]["whole"] == "report.full.json.gz"
    whole = load(folder / "inspect-out" / "report.full.json.gz")
    assert sum(1 for _ in whole.calls[0].graph.functions()) == functions


def test_command(tmp_path):
    code = f"""
        z = chain({LARGE})
        z.backward()
        del z
        print(x.grad.item())
    """
    options = ("-f", "dot", "--watch", "1")
    ended = run(tmp_path, textwrap.dedent(CHAIN) + textwrap.dedent(code), *command_line(*options))
    check(ended, "1.0\n")
    assert "internal error" not in ended.stderr
    said = " ".join(ended.stderr.split())
    assert "this report holds its graph folded; all Nodes are in report.full.json.gz" in said
    check_report(tmp_path, 1, LARGE + 1)


@pytest.mark.slow
def test_command_over_three_iterations(tmp_path):
    """Each graph is dropped while the next one is bound to the same name."""
    code = """
        for step in range(3):
            z = chain(60_000)
            z.backward()
        del z
        print(x.grad.item())
    """
    ended = run(tmp_path, textwrap.dedent(CHAIN) + textwrap.dedent(code), *command_line("-f", "json"))
    check(ended, "3.0\n")
    check_report(tmp_path, 3, 60_001)


@pytest.mark.slow
def test_library_with_a_million_nodes(tmp_path):
    code = """
        import inspector
        z = chain(1_000_000)
        inspector.trace(z)
        del z
        print("alive")
    """
    check(run(tmp_path, textwrap.dedent(CHAIN) + textwrap.dedent(code)), "alive\n")


def test_a_long_recurrent_network(tmp_path):
    """Many tensors at every step, saved values, a loss over all of them: `inspect` of a training loop."""
    code = """
        import torch, weakref
        torch.manual_seed(0)
        cell = torch.nn.RNNCell(1, 2)
        seen = []
        for iteration in range(2):
            hidden, loss = torch.zeros(1, 2), 0
            for step in range(500):
                hidden = cell(torch.ones(1, 1), hidden)
                loss = loss + hidden.sum()
            loss.backward()
            seen.append(weakref.ref(loss))
        del hidden
        print(seen[0]() is None, seen[1]() is loss)
        del loss
        print(seen[1]() is None)
    """
    check(run(tmp_path, code, *command_line("-f", "json", "--watch", "2")), "True True\nTrue\n")
