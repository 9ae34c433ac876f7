"""The five examples of the lesson: every number of report.json is the one worked out by hand."""

import functools
import json
import subprocess
from pathlib import Path

import pytest
import sympy
from running import Ran, ScriptRunner, command_line, environment

SEEDS = json.loads((Path(__file__).parent / "data" / "seeds_expected.json").read_text())


def script_of(seed) -> str:
    leaves = [f"{name} = torch.tensor({float(at)}, requires_grad=True)" for name, at in seed["inputs"].items()]
    steps = [f"{name} = {expression}" for name, expression in seed["stmts"]]
    return "\n".join(["import torch", *leaves, *steps, f"{seed['out']}.backward()", ""])


@pytest.fixture(params=SEEDS, ids=lambda seed: seed["id"])
def seed(request):
    return request.param


@pytest.fixture(scope="session")
def runs(server, tmp_path_factory):
    """The run of a seed by its id. Every seed runs once, and many tests read what it left."""

    @functools.cache
    def run(identifier):
        (seed,) = [seed for seed in SEEDS if seed["id"] == identifier]
        ran = ScriptRunner(server, tmp_path_factory.mktemp(identifier))(script_of(seed), warnings="error")
        assert (ran.status, ran.stdout, ran.said) == (0, "", [])
        return ran

    return run


@pytest.fixture
def ran(seed, runs):
    return runs(seed["id"])


def name_of_function(ran, identifier):
    return {row["id"]: row["name"] for row in ran.functions()}.get(identifier)


def check_tensors(seed, ran):
    for name, expected in seed["before"].items():
        row = ran.tensor(name)
        assert row["before"] == {"data": expected["data"], "grad": expected["grad"]}
        assert row["after"] == {"data": expected["data"], "grad": seed["after"][name]["grad_default"]}
        assert name_of_function(ran, row["grad_fn"]) == expected["grad_fn"]
        assert (row["is_leaf"], row["requires_grad"]) == (expected["is_leaf"], expected["requires_grad"])
        assert row["gradient"] == seed["after"][name]["grad_all"]


def test_tensors(seed, ran):
    check_tensors(seed, ran)


def test_every_tensor_of_the_script_is_there_once(seed, ran):
    names = [row["name"] for row in ran.nodes if row["kind"] == "tensor" and row["requires_grad"]]
    assert sorted(names) == sorted(seed["before"])


def test_functions_answer_for_what_they_made(seed, ran):
    for row in ran.functions():
        if row["name"] != "AccumulateGrad":
            (made,) = [item for item in ran.nodes if item.get("grad_fn") == row["id"]]
            assert (row["before"], row["after"], row["gradient"]) == (
                made["before"],
                made["after"],
                made["gradient"],
            )
        assert row["requires_grad"] is True
        assert row["is_leaf"] is (row["name"] == "AccumulateGrad")


def test_steps_in_the_order_of_the_engine(seed, ran):
    turns = sorted(ran.functions(), key=lambda row: row["step"])
    assert [row["step"] for row in turns] == list(range(1, len(turns) + 1))
    assert ran.calls[0]["graph"]["steps"] == [row["id"] for row in turns]
    order = dict.fromkeys((step["node"], step.get("out", step.get("into"))) for step in seed["steps"])
    assert [(row["name"], _what(ran, row)) for row in turns] == list(order)


def _what(ran, function) -> str:
    """The name of the tensor that a function made, or of the leaf that an AccumulateGrad adds to."""
    edges = ran.calls[0]["graph"]["edges"]
    ids = {edge["target"] for edge in edges if edge["kind"] == "accumulate" and edge["source"] == function["id"]}
    ids |= {edge["source"] for edge in edges if edge["kind"] == "grad_fn" and edge["target"] == function["id"]}
    (name,) = [row["name"] for row in ran.nodes if row["id"] in ids]
    return name


def test_every_step_has_its_local_derivative_and_its_gradients(seed, ran):
    rows = {row["id"]: row for row in ran.nodes}
    found = {
        (_what(ran, rows[edge["source"]]), _what(ran, rows[edge["target"]])): edge
        for edge in ran.calls[0]["graph"]["edges"]
        if edge["kind"] == "next"
    }
    expected = {(step["out"], step["to"]): step for step in seed["steps"] if "to" in step}
    assert found.keys() == expected.keys()
    for key, step in expected.items():
        edge = found[key]
        assert rows[edge["source"]]["gradient"] == step["upstream"]
        assert edge["gradient"] == step["downstream"]
        assert edge["local"]["value"] == step["local"]
        assert sympy.sympify(edge["local"]["symbol"]) == sympy.sympify(step["local_sym"])


def test_accumulate_grad_adds_what_arrived(seed, ran):
    added = {step["into"]: step["adds"] for step in seed["steps"] if "into" in step}
    edges = {
        edge["target"]: edge["gradient"] for edge in ran.calls[0]["graph"]["edges"] if edge["kind"] == "accumulate"
    }
    assert {row["name"]: edges[row["id"]] for row in ran.nodes if row["id"] in edges} == added


def test_two_processes_give_the_same_bytes_under_warnings_as_errors(tmp_path):
    """Real processes, each with its own hash seed; torch itself is imported under -W error here."""
    seed = SEEDS[-1]
    outputs = []
    for hash_seed in ("0", "4242"):
        folder = tmp_path / hash_seed
        folder.mkdir()
        (folder / "script.py").write_text(script_of(seed))
        command = command_line("-f", "svg", "-f", "dot", "script.py")
        ended = subprocess.run(
            [command[0], "-W", "error", *command[1:]],
            cwd=folder,
            env=environment(PYTHONHASHSEED=hash_seed),
            capture_output=True,
            text=True,
        )
        assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
        check_tensors(seed, Ran(0, "", ended.stderr, folder))
        files = {path.name: path.read_bytes() for path in (folder / "inspect-out").iterdir()}
        outputs.append((ended.stderr, files))
    assert {
        "report.json",
        "backward-1.svg",
        "backward-1.before.svg",
        "backward-1.after.svg",
        "backward-1.dot",
    } <= (outputs[0][1].keys())
    assert outputs[0] == outputs[1]
