"""Processes of a launcher: each rank writes its own folder, and rank 0 alone prints."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from forkserver import ForkServer
from launched import Launched, Launcher, launched_once
from ranks_scripts import (
    FAULTS_SCRIPT,
    NAN,
    REPLICAS,
    REPLICAS_SCRIPT,
    SHARDED,
    SHARDED_SCRIPT,
    UNUSED,
    killed_script,
)
from running import OUTPUT

from inspector.commands.launch import launch_command
from inspector.commands.options import (
    CheckOptions,
    Destination,
    DrawOptions,
    OptionError,
    Options,
    WatchOptions,
)
from inspector.commands.ranks import Rank, options_of, rank_of


@pytest.mark.parametrize(
    ("given", "rank"),
    [
        ({}, None),
        ({"RANK": "0", "WORLD_SIZE": "1"}, None),
        ({"RANK": "3", "WORLD_SIZE": "4"}, Rank(3, 4, 4)),
        ({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}, Rank(3, 4, 2)),
        ({"RANK": "4", "WORLD_SIZE": "4"}, None),
        ({"RANK": "x", "WORLD_SIZE": "4"}, None),
        ({"WORLD_SIZE": "4"}, None),
    ],
)
def test_the_rank_is_that_of_the_environment(given: dict[str, str], rank: Rank | None) -> None:
    assert rank_of(given) == rank


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("torchrun --nnodes 2 train.py --lr 1", "torch.distributed.run --nnodes 2 {} train.py --lr 1"),
        ("torchrun -m pkg.train a.py", "torch.distributed.run {} -m pkg.train a.py"),
        ("accelerate launch --module pkg.train", "accelerate.commands.launch {} -m pkg.train"),
        ("python -m torch.distributed.run -x t.py", "torch.distributed.run -x {} t.py"),
        ("python train.py", None),
        ("train.py torchrun", None),
    ],
)
def test_the_inspector_stands_before_the_script_of_a_launcher(given: str, wanted: str | None) -> None:
    command = launch_command(given.split(), ["-f", "svg"])
    expected = None if wanted is None else ["-m", *wanted.format("-m inspector -f svg").split()]
    assert (None if command is None else command[1:]) == expected


def test_a_launcher_may_be_given_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("bin", "work"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "torchrun").write_text("#!/bin/sh\n")
        (tmp_path / folder / "torchrun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    command = launch_command([str(tmp_path / "bin" / "torchrun"), "train.py"], [])
    assert command is not None and command[1:] == ["-m", "torch.distributed.run", "-m", "inspector", "train.py"]
    assert launch_command([str(tmp_path / "work" / "torchrun"), "train.py"], []) is None  # a script of this name


@pytest.mark.parametrize("given", ["torchrun --standalone", "torchrun --no-python train.py"])
def test_a_launcher_without_a_python_script_is_refused(given: str) -> None:
    with pytest.raises(OptionError, match=r"^torchrun"):
        launch_command(given.split(), [])


def test_a_file_is_named_after_the_rank() -> None:
    to = Destination(Path("out"), Path("figure.dot"), ("dot",))
    options = options_of(Rank(1, 2, 2), Options(WatchOptions(), DrawOptions(), to, CheckOptions()))
    assert options.destination.file == Path("figure.rank-0001.dot")


ALL = "--watch", "20"
"""Record every call of these scripts."""


@pytest.fixture(scope="session")
def replicas(server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Launched:
    """Data parallel trainings on two ranks, one after another."""
    return launched_once(
        tmp_path_factory,
        server,
        "replicas",
        lambda launch: launch(REPLICAS_SCRIPT, 2, *ALL, merges=True),
    )


@pytest.fixture(scope="session")
def sharded(server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Launched:
    """Trainings of sharded parameters on four ranks, one after another."""
    return launched_once(
        tmp_path_factory, server, "sharded", lambda launch: launch(SHARDED_SCRIPT, 4, *ALL)
    )


@pytest.fixture(scope="session")
def faults(server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Launched:
    """Trainings on two ranks, the second of which has faults and ends with an error."""
    return launched_once(
        tmp_path_factory, server, "faults", lambda launch: launch(FAULTS_SCRIPT, 2, *ALL, names=["ours"])
    )


@pytest.fixture(scope="session")
def killed(server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Launched:
    """A training on two ranks, the second of which is killed before the fourth step."""
    return launched_once(tmp_path_factory, server, "killed", lambda launch: launch(killed_script(3), 2))


def lines(launched: Launched) -> list[list[dict[str, Any]]]:
    """What each rank has printed for each training; it is the same without us, bit by bit."""
    assert [ran.status for ran in launched.ours] == [0] * len(launched.ours), launched.ours[0].stderr
    assert [ran.status for ran in launched.plain] == [0] * len(launched.plain), launched.plain[0].stderr
    assert [ran.stdout for ran in launched.ours] == [ran.stdout for ran in launched.plain]
    return [[json.loads(line) for line in ran.stdout.splitlines()] for ran in launched.ours]


def norm(grad: Any) -> float:
    return torch.tensor(grad, dtype=torch.float64).norm().item()


@pytest.mark.parametrize("name", REPLICAS)
def test_data_parallel_training_has_the_same_grads(name: str, replicas: Launched) -> None:
    number = [*REPLICAS].index(name)
    first, second = (rank[number] for rank in lines(replicas))
    assert first == second
    call = replicas.merged["backward_calls"][2 * number + (3 if name == "no_sync" else 1)]
    leaves = {leaf["name"]: leaf for leaf in call["leaves"]}
    assert leaves.keys() == first.keys()
    for leaf, grad in first.items():
        reduced, local = leaves[leaf]["reduced"], leaves[leaf]["local"]
        assert reduced["low"] == reduced["high"] == pytest.approx(norm(grad))
        assert local["low"] < local["high"] and "different" not in leaves[leaf]["data"]


def test_rank_0_alone_prints_and_merges_what_has_no_finding(replicas: Launched) -> None:
    assert [len(rank) for rank in lines(replicas)] == [len(REPLICAS) + 1] * 2
    first, second = replicas.ours
    assert first.stderr.count("backward 1  model(torch.randn(5") == 1
    assert second.stderr == replicas.plain[1].stderr
    assert "inspect: rank 0 of 2; the other rank wrote rank-0001 in inspect-out/" in first.said
    rows = replicas.merged
    assert [row["number"] for row in rows["ranks"]] == [0, 1] and rows["findings"] == rows["remarks"] == []
    assert len(rows["backward_calls"]) == 2 * len(REPLICAS) + 4
    assert [report["findings"] for report in replicas.reports.values()] == [[], []]
    assert not (replicas.folder / OUTPUT / "merged.svg").exists()  # only the report was wanted


@pytest.mark.parametrize("name", SHARDED)
def test_sharded_parameters_keep_their_names_and_their_shards_make_the_whole(name: str, sharded: Launched) -> None:
    number = [*SHARDED].index(name)
    call = sharded.merged["backward_calls"][2 * number + 1]
    merged = {leaf["name"]: leaf for leaf in call["leaves"]}
    for rank, printed in enumerate(lines(sharded)):
        nodes = sharded.reports[rank]["backward_calls"][2 * number + 1]["graph"]["nodes"]
        leaves = {node["name"]: node for node in nodes if node["kind"] == "tensor" and node["is_leaf"]}
        for leaf, (whole, shard) in printed[number]["grads"].items():
            row, part = merged[leaf], leaves[leaf]["part"]
            assert leaves[leaf]["shape"] == list(torch.tensor(whole).shape)
            assert part["shape"] == list(torch.tensor(shard).shape)
            if part["parts"] > 1:
                assert row["whole"]["parts"] == part["parts"]
                assert row["whole"]["reduced"] == pytest.approx(norm(whole))
                assert part["number"] == rank % part["parts"]
            else:
                assert "whole" not in row and row["reduced"]["high"] == pytest.approx(norm(whole))
    rows = [merged[leaf] for leaf in printed[number]["grads"]]
    norms = [row["whole"]["reduced"] if "whole" in row else row["reduced"]["high"] for row in rows]
    assert math.hypot(*norms) == pytest.approx(printed[number]["norm"])  # as clip_grad_norm_ computes it


def test_sharded_trainings_have_no_finding(sharded: Launched) -> None:
    assert [len(rank) for rank in lines(sharded)] == [len(SHARDED)] * 4
    assert sharded.merged["findings"] == sharded.merged["remarks"] == [] and sharded.merged["compared"] == 0
    assert len(sharded.merged["backward_calls"]) == 2 * len(SHARDED)
    assert [report["findings"] for report in sharded.reports.values()] == [[]] * 4


@pytest.mark.parametrize(
    ("rule", "calls", "said"),
    [
        ("rank-disagreement", UNUSED, "got a gradient on rank 1 only, in 2 backward calls; the mean counts"),
        ("rank-disagreement", NAN, "NaN or infinite on rank 1 only; the reduction has spread it to all ranks"),
        ("non-finite-forward", NAN, "x[0, 0] returned NaN or infinity"),
    ],
)
def test_a_fault_of_one_rank_is_told_once(rule: str, calls: tuple[int, int], said: str, faults: Launched) -> None:
    found = [item for item in faults.merged["findings"] if item["rule"] == rule and item["backward_call"] in calls]
    assert [item["ranks"] for item in found] == [[1]] and said in found[0]["message"]
    assert found[0]["backward_call"] == calls[0]


def test_what_only_follows_from_a_fault_of_one_rank_is_not_told(faults: Launched) -> None:
    """As that the parameters of both ranks are NaN after NaN on one."""
    assert len(faults.merged["findings"]) == 3
    assert faults.said_of_all.count("  on      rank 1\n") == 1  # the others say it in their message


def test_a_rank_that_raises_leaves_what_it_had(faults: Launched) -> None:
    assert [ran.status for ran in faults.ours] == [0, 1]
    assert len(faults.reports[1]["backward_calls"]) == NAN[-1]
    assert "rank 1 ended with ValueError: midway" in faults.said_of_all
    second = faults.ours[1].stderr
    assert "inspect" not in second and second.endswith("ValueError: midway\n")


def test_a_rank_that_is_killed_leaves_what_it_had(killed: Launched) -> None:
    """The others then fail as they do without us."""
    statuses = [[ran.status for ran in ranks] for ranks in (killed.ours, killed.plain)]
    assert statuses == [[1, -9]] * 2 and "RuntimeError" in killed.ours[0].stderr
    assert [ran.stdout for ran in killed.ours] == [ran.stdout for ran in killed.plain]
    assert len(killed.reports[1]["backward_calls"]) == 3 == len(killed.ours[1].stdout.splitlines())
    assert killed.reports[1]["exit"]["status"] is None
    assert [row["number"] for row in killed.merged["ranks"]] == [0, 1]
    assert killed.merged["findings"] == [] and "rank 0 ended with RuntimeError" in killed.said_of_all


@pytest.mark.slow  # rank 0 waits for the other one
def test_rank_0_merges_without_a_rank_that_was_killed_before_its_first_backward(
    server: ForkServer, tmp_path: Path
) -> None:
    launched = Launcher(server, tmp_path)(killed_script(0), 2, names=["ours"], merges=True)
    assert [ran.status for ran in launched.ours] == [1, -9]
    assert launched.merged["absent"] == [1]
    assert launched.merged["remarks"] == ["rank 1 wrote no report: merged without"]
