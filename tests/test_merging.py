"""Reports of several ranks, merged: real graphs of torch, one rank after another in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import torch
import torch.distributed as dist
from msgspec.structs import replace
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import inspector
from inspector.commands.merge import merge_folder
from inspector.commands.options import CheckOptions, Destination, DrawOptions, Options, WatchOptions
from inspector.commands.stderr_output import StderrOutput
from inspector.merging import RANK_RULES, merge_reports, to_json
from inspector.merging.bucket_text import bucket_texts
from inspector.merging.merged_file import schema
from inspector.merging.row_types import MergedRows
from inspector.merging.rules.rule import rank_list
from inspector.report import save
from inspector.report.schema_of import schema_of

Step = Callable[[DistributedDataParallel, int, int], torch.Tensor]
"""The loss of a rank in a step: (model, rank, step)."""


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.extra = nn.Linear(4, 16), nn.Linear(16, 2), nn.Linear(2, 2)

    def forward(self, x: torch.Tensor, whole: bool = False) -> torch.Tensor:
        y = self.b(torch.relu(self.a(x)))
        return self.extra(y) if whole else y


@pytest.fixture(autouse=True)
def process_group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def wrapped() -> DistributedDataParallel:
    return DistributedDataParallel(Net(), find_unused_parameters=True)


def record(
    folder: Path,
    step: Step,
    world: int = 2,
    *,
    moves: bool = False,
    net: Callable[[], DistributedDataParallel] = wrapped,
    calls: int = 3,
) -> None:
    """Write the report of each rank. moves: each rank steps with its own gradient; otherwise all with the same, as
    after a reduction."""
    for rank in range(world):
        torch.manual_seed(0)
        with inspector.record(watch=3) as recording:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            torch.manual_seed(rank)
            for number in range(calls):
                loss = step(model, rank, number)
                optimizer.zero_grad()
                loss.backward()
                if not moves:
                    for parameter in model.parameters():
                        parameter.grad = torch.full_like(parameter, 0.1)
                optimizer.step()
        path = folder / f"rank-{rank:04}" / "report.json"
        path.parent.mkdir(parents=True)
        exit = {"status": 0, "exception": None}
        report = recording.report()
        script = replace(report.script, rank={"number": rank, "world": world}, exit=exit)
        save(replace(report, script=script), path)


def merged(folder: Path) -> MergedRows:
    """The merged report, checked against its schema."""
    rows = merge_reports(folder).rows
    jsonschema_rs.Draft202012Validator(schema()).validate(json.loads(to_json(rows)))
    return rows


def about_ranks(rows: MergedRows) -> list[Any]:
    return [finding for finding in rows["findings"] if finding.rule in RANK_RULES]


def healthy(model: DistributedDataParallel, rank: int, step: int) -> torch.Tensor:
    loss: torch.Tensor = model(torch.randn(5, 4), True).pow(2).mean()
    return loss


def test_ranks_that_agree_are_shown_once_with_their_ranges(tmp_path: Path) -> None:
    record(tmp_path, healthy, world=3)
    rows = merged(tmp_path)
    assert rows["findings"] == [] and rows["absent"] == [] and rows["world"] == 3
    assert rows["compared"] == len(list(Net().parameters()))
    first = rows["backward_calls"][0]
    assert [graph["ranks"] for graph in first["graphs"]] == [[0, 1, 2]]
    torch.manual_seed(0)
    net, losses, norms = Net(), [], []
    for rank in range(3):
        torch.manual_seed(rank)
        losses.append(net(torch.randn(5, 4), True).pow(2).mean())
        norms.append(torch.autograd.grad(losses[-1], net.b.weight)[0].norm().item())
    values = [loss.item() for loss in losses]
    assert (first["root"]["low"], first["root"]["high"]) == pytest.approx((min(values), max(values)))
    (leaf,) = [leaf for leaf in first["leaves"] if leaf["name"] == "b.weight"]
    assert (leaf["local"]["low"], leaf["local"]["high"]) == pytest.approx((min(norms), max(norms)))
    assert leaf["local"]["highest"] == norms.index(max(norms))
    assert "different" not in leaf["data"]
    assert to_json(rows) == to_json(merged(tmp_path))


@pytest.mark.parametrize(("factor", "found"), [(100.0, True), (3.0, False)])
def test_a_loss_that_is_larger_than_data_explains(tmp_path: Path, factor: float, found: bool) -> None:
    """As of a rank that sums over its batch; a factor that batches may have is none."""

    def step(model: DistributedDataParallel, rank: int, number: int) -> torch.Tensor:
        return healthy(model, rank, number) * (factor if rank == 2 else 1.0)

    record(tmp_path, step, world=3)
    rows = merged(tmp_path)
    texts = [finding.message for finding in about_ranks(rows) if "loss" in finding.message]
    assert len(texts) == found
    if found:
        assert texts[0].startswith("the loss of rank 2 is at least ") and about_ranks(rows)[0].ranks == [2]


def test_a_gradient_on_some_ranks_only(tmp_path: Path) -> None:
    def step(model: DistributedDataParallel, rank: int, number: int) -> torch.Tensor:
        loss: torch.Tensor = model(torch.randn(5, 4), rank == 1).pow(2).mean()
        return loss

    record(tmp_path, step, world=3)
    rows = merged(tmp_path)
    (found,) = about_ranks(rows)
    assert found.rule == "rank-disagreement" and found.ranks == [1]
    assert set(found.parameters) == {"extra.weight", "extra.bias"}
    assert found.location["code"] == "return self.extra(y) if whole else y"
    graphs = [(graph["ranks"], graph["nodes"]) for graph in rows["backward_calls"][0]["graphs"]]
    assert [ranks for ranks, _ in graphs] == [[0, 2], [1]] and graphs[1][1] > graphs[0][1]


def test_nan_on_one_rank(tmp_path: Path) -> None:
    def step(model: DistributedDataParallel, rank: int, number: int) -> torch.Tensor:
        x = torch.randn(5, 4)
        return healthy(model, rank, number) * (float("nan") if (rank, number) == (1, 1) else 1.0) + 0 * x.sum()

    record(tmp_path, step)
    (found,) = about_ranks(merged(tmp_path))
    assert found.rule == "rank-disagreement" and found.ranks == [1] and found.backward_call == 2
    assert "a.weight" in found.parameters


def test_of_equally_bad_findings_the_earliest_comes_first(tmp_path: Path) -> None:
    def step(model: DistributedDataParallel, rank: int, number: int) -> torch.Tensor:
        loss = healthy(model, rank, number)
        if (rank, number) == (0, 2):
            loss = loss * float("nan")
        if (rank, number) == (1, 1):
            loss = loss * float("nan")
        return loss

    record(tmp_path, step)
    calls = [found.backward_call for found in merged(tmp_path)["findings"] if found.severity == "error"]
    assert calls == sorted(calls, key=int) and set(calls) == {2, 3}


def test_a_defect_of_several_ranks_is_told_once_with_its_ranks(tmp_path: Path) -> None:
    """In another call, at the same line: the first call counts."""

    def step(model: DistributedDataParallel, rank: int, number: int) -> torch.Tensor:
        return healthy(model, rank, number) * (float("nan") if number == 2 - rank else 1.0)

    record(tmp_path, step, world=3)
    rows = merged(tmp_path)
    found = [(item.rule, item.ranks, item.backward_call) for item in rows["findings"]]
    assert found == [("rank-disagreement", [2], 1), ("non-finite-forward", [0, 1, 2], 1)]


@pytest.mark.parametrize("is_reduced", [True, False])
def test_what_a_reduction_has_spread_is_not_told_again(tmp_path: Path, is_reduced: bool) -> None:
    """After call 2, every rank has NaN; without a reduction, that is a defect of each."""

    def spread(leaf: torch.Tensor) -> None:
        assert leaf.grad is not None
        leaf.grad.fill_(float("nan"))

    def step(model: DistributedDataParallel, rank: int, number: int) -> torch.Tensor:
        if number == 2:
            return healthy(model, rank, number) * float("nan")
        loss = healthy(model, rank, number)
        if (rank, number) == (1, 1):
            loss = loss * float("nan")
        if (rank, number) == (0, 1) and is_reduced:  # as the reduction would do
            for parameter in model.parameters():
                parameter.register_post_accumulate_grad_hook(spread)
        return loss

    record(tmp_path, step)
    own = [item for item in merged(tmp_path)["findings"] if item.rule not in RANK_RULES]
    assert {item.backward_call for item in own if 1 in item.ranks} >= {2}
    assert any(item.backward_call == 3 for item in own) is not is_reduced


@pytest.mark.parametrize("moves", [True, False])
def test_a_forward_that_goes_around_the_wrapper(tmp_path: Path, moves: bool) -> None:
    def step(model: DistributedDataParallel, rank: int, number: int) -> torch.Tensor:
        loss: torch.Tensor = model.module(torch.randn(5, 4), True).pow(2).mean()
        return loss

    record(tmp_path, step, moves=moves)
    found = about_ranks(merged(tmp_path))
    # replicas that stay equal were reduced in another way
    assert [(item.rule, item.ranks) for item in found] == ([("ddp-bypassed", [0, 1])] if moves else [])


def test_replicas_that_drift_apart(tmp_path: Path) -> None:
    record(tmp_path, healthy, moves=True)  # with one process each, nothing was reduced
    (found,) = about_ranks(merged(tmp_path))
    assert found.rule == "rank-disagreement" and found.severity == "error" and found.backward_call == 2
    assert "since backward call 1" in found.message and "reduce the gradients" in found.advice


def test_an_unused_parameter_that_ends_the_run(tmp_path: Path) -> None:
    def step(model: DistributedDataParallel, rank: int, number: int) -> torch.Tensor:
        loss: torch.Tensor = model(torch.randn(5, 4)).pow(2).mean()
        return loss

    record(tmp_path, step)
    assert about_ranks(merged(tmp_path)) == []  # on no rank, and no error
    for path in tmp_path.glob("*/report.json"):
        rows = json.loads(path.read_text("utf-8"))
        error = "RuntimeError: Expected to have finished reduction in the prior iteration before starting a new"
        path.write_text(json.dumps(rows | {"exit": {"status": 1, "exception": error}}), "utf-8")
    (found,) = about_ranks(merged(tmp_path))
    assert found.rule == "unused-parameter" and set(found.parameters) == {"extra.weight", "extra.bias"}
    assert "self.extra" in found.location["code"]


def test_a_rank_without_a_report_and_a_damaged_one(tmp_path: Path) -> None:
    record(tmp_path, healthy, world=4)
    (tmp_path / "rank-0002" / "report.json").unlink()
    (tmp_path / "rank-0003" / "report.json").write_text("{", "utf-8")
    to = Destination(tmp_path, None, ("svg",))
    options = Options(WatchOptions(), DrawOptions(text="plain"), to, CheckOptions())
    assert merge_folder(tmp_path, options, StderrOutput()) == 0
    rows = json.loads((tmp_path / "merged.json").read_text("utf-8"))
    assert rows["absent"] == [2, 3]
    assert "rank-0003/report.json is a damaged report" in rows["remarks"][0]
    picture = (tmp_path / "merged.svg").read_text("utf-8")
    assert "ranks 0 and 1 of 4" in picture and "…" in picture
    for path in tmp_path.glob("rank-*"):
        (path / "report.json").unlink(missing_ok=True)
    assert merge_folder(tmp_path, options, StderrOutput()) == 2


class Branches(nn.Module):
    """left and right may be called in either order. Not as registered: head comes first."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(32, 2)
        self.left, self.right = (nn.Sequential(*[nn.Linear(32, 32) for _ in range(3)]) for _ in range(2))

    def forward(self, x: torch.Tensor, swap: bool = False) -> torch.Tensor:
        out: torch.Tensor = self.head(self.left(self.right(x)) if swap else self.right(self.left(x)))
        return out


def record_branches(folder: Path, swapped: Callable[[int, int], bool], world: int = 2, **options: Any) -> None:
    """swapped: whether right is called first: (rank, step)."""

    def step(model: DistributedDataParallel, rank: int, number: int) -> torch.Tensor:
        loss: torch.Tensor = model(torch.randn(5, 32), swapped(rank, number)).pow(2).mean()
        return loss

    record(folder, step, world, net=lambda: DistributedDataParallel(Branches(), bucket_cap_mb=0.01, **options))


def test_a_bucket_that_waits_on_the_rank_with_another_order(tmp_path: Path) -> None:
    record_branches(tmp_path, lambda rank, number: rank == 2 and number > 0, world=3)
    rows = merged(tmp_path)
    (found,) = about_ranks(rows)
    assert (found.rule, found.severity, found.ranks, found.backward_call) == ("late-bucket", "note", [2], 2)
    assert found.location["code"].startswith("out: torch.Tensor = self.head(")
    assert "same order on every rank" in found.advice
    first, second, third = (call["buckets"] for call in rows["backward_calls"] if "buckets" in call)
    assert len(first) == 1 and [item["parameters"] for item in second] == [item["parameters"] for item in third]
    assert [item["number"] for item in second] == [*range(len(second))]
    waiting = [item for item in second if "waits_for" in item]
    assert waiting and all(wait["ranks"] == [2] for item in waiting for wait in item["waits_for"])
    for item in waiting:  # it is complete on rank 2 before the one for which it waits is
        cause = second[item["waits_for"][0]["bucket"]]
        assert item["earliest"] == 2 and cause["latest"] == 2 and item["least"] < cause["most"]
    assert bucket_texts(rows["backward_calls"][0]) == []
    texts = bucket_texts(rows["backward_calls"][1])
    assert len(texts) == len(second) and sum("waits for" in text for text in texts) == len(waiting)
    assert all(text.endswith(" on rank 2") for text in texts if "waits for" in text), texts


def test_all_buckets_wait_for_the_module_that_is_registered_last_and_called_first(tmp_path: Path) -> None:
    record_branches(tmp_path, lambda rank, number: True, find_unused_parameters=True)
    rows = merged(tmp_path)
    (found,) = about_ranks(rows)
    assert (found.rule, found.ranks, found.parameters) == ("late-bucket", [0, 1], ["right.0.weight"])
    assert "register the modules in the order" in found.advice
    to = Options(WatchOptions(), DrawOptions(text="plain"), Destination(tmp_path, None, ("svg",)), CheckOptions())
    assert merge_folder(tmp_path, to, StderrOutput()) == 0
    assert "waits for bucket" in (tmp_path / "merged.svg").read_text("utf-8")


@pytest.mark.parametrize("swapped", [True, False])
def test_buckets_in_the_order_of_their_gradients_wait_for_none(tmp_path: Path, swapped: bool) -> None:
    record_branches(tmp_path, lambda rank, number: swapped)
    rows = merged(tmp_path)
    assert about_ranks(rows) == []
    (text,) = bucket_texts(rows["backward_calls"][-1])
    assert text.endswith("buckets, reduced in the order in which their gradients arrived")


def test_a_bucket_that_is_never_complete(tmp_path: Path) -> None:
    def step(model: DistributedDataParallel, rank: int, number: int) -> torch.Tensor:
        loss: torch.Tensor = model(torch.randn(5, 4)).pow(2).mean()
        return loss

    record(tmp_path, step, net=lambda: DistributedDataParallel(Net()), calls=1)
    (bucket,) = merged(tmp_path)["backward_calls"][0]["buckets"]
    assert bucket["least"] is None and bucket["incomplete"] == [0, 1]
    assert {item["parameter"] for item in bucket["last"]} == {"extra.weight", "extra.bias"}


def test_the_words_for_ranks() -> None:
    assert rank_list([1]) == "rank 1"
    assert rank_list([2, 0]) == "ranks 0 and 2"
    assert rank_list([0, 1, 2, 3, 7]) == "ranks 0 to 3 and 7"


@pytest.mark.parametrize("name", RANK_RULES)
def test_every_rule_explains_itself(name: str) -> None:
    text = RANK_RULES[name].text
    assert all(part in text for part in ("Why it matters:", "How to fix it:", "Example:"))


def test_the_schema_follows_from_the_types(request: pytest.FixtureRequest) -> None:
    path = Path(inspector.__file__).parent / "merging" / "merged_schema.json"
    made = json.dumps(schema_of(MergedRows, "merged.json"), indent=1) + "\n"
    if request.config.getoption("--update-golden"):
        path.write_text(made, "utf-8")
    assert path.read_text("utf-8") == made
