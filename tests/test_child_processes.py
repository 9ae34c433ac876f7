"""Scripts that start processes: ranks are inspected; what is said of others, and what a forked one must not do."""

from __future__ import annotations

import json
import os
import sys

import pytest
from running import ScriptRunner, valid_report
from torch.distributed import distributed_c10d

from inspector.torch_api.process_group import DEFAULT_GROUP, on_default_group

WORK = """
import subprocess, sys
import torch
import torch.multiprocessing as mp

def train(rank):
    w = torch.ones(2, requires_grad=True)
    for _ in range(4):
        (w * w).sum().backward()
    print("rank", rank, w.grad.tolist(), flush=True)

"""

START = """
if __name__ == "__main__":
    context = mp.get_context("{method}")
    processes = [context.Process(target=train, args=(rank,)) for rank in range({count})]
    for process in processes:
        process.start()
        process.join()
    print([process.exitcode for process in processes])
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


@pytest.mark.parametrize(
    ("method", "count"),
    [
        pytest.param("fork", 1, marks=needs_fork),
        pytest.param("fork", 2, marks=needs_fork),
        ("forkserver", 2),
        ("spawn", 2),
    ],
)
def test_children_of_multiprocessing_are_counted(method: str, count: int, inspect_script: ScriptRunner) -> None:
    code = WORK + START.format(method=method, count=count)
    ran = inspect_script(code)
    assert (ran.status, ran.stdout) == (0, inspect_script.plain(code).stdout)
    assert ran.stdout.splitlines() == [
        *(f"rank {rank} [8.0, 8.0]" for rank in range(count)),
        str([0] * count),
    ]
    children = "its child process is not watched" if count == 1 else "its 2 child processes are not watched"
    assert ran.said == [
        f"inspect: nothing to draw: backward() was not called in script.py itself, and {children}; "
        "train in one process to inspect it"
    ]
    assert ran.calls == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("mp.spawn(train, nprocs=2)", "its 2 child processes are not watched"),
        ("mp.Pool(2).map(train, range(2))", "its 2 child processes are not watched"),
        (
            "subprocess.run([sys.executable, '-c', 'import torch; torch.ones((), requires_grad=True).exp()'])",
            "the processes that it started are not watched",
        ),
        (
            "import os\nif os.fork() == 0:\n    train(0)\n    os._exit(0)\nos.wait()",
            "its child process is not watched",
        ),
    ],
)
def test_other_children(statement: str, said: str, inspect_script: ScriptRunner) -> None:
    lines = "".join(f"    {line}\n" for line in statement.splitlines())
    ran = inspect_script(f"{WORK}\nif __name__ == '__main__':\n{lines}")
    assert ran.status == 0
    assert len(ran.said) == 1 and "in script.py itself, and" in ran.said[0] and said in ran.said[0]


def test_a_child_that_fails_is_the_scripts_error(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(WORK + "if __name__ == '__main__':\n    mp.spawn(sum, args=(1, 2), nprocs=1)\n")
    assert ran.status == 1 and "ProcessRaisedException" in ran.stderr
    assert "before script.py ended in script.py itself, and its child process is not watched" in ran.stderr


@pytest.mark.parametrize("code", ["import torch", "import torch\nimport torch.multiprocessing", "import math"])
def test_without_children_none_are_spoken_of(code: str, inspect_script: ScriptRunner) -> None:
    ran = inspect_script(code)
    assert "child" not in ran.stderr and "process" not in ran.stderr


def test_children_beside_a_training_are_not_spoken_of(inspect_script: ScriptRunner) -> None:
    """The workers of a data loader are child processes, too."""
    ran = inspect_script(
        """
        import torch
        from torch.utils.data import DataLoader
        w = torch.ones(2, requires_grad=True)
        if __name__ == "__main__":
            for rows in DataLoader(torch.ones(8, 2), batch_size=4, num_workers=2):
                (rows * w).sum().backward()
        """
    )
    assert len(ran.calls) == 2 and not ran.said


TRAIN_ALL = """
import concurrent.futures, multiprocessing, os, subprocess, sys
import torch
import torch.multiprocessing as mp

def start(seed):
    torch.manual_seed(seed)

def train(rate):
    w = torch.ones(2, requires_grad=True)
    (w * rate).sum().backward()
    return w.grad.tolist()

def share(model):
    model(torch.ones(1, 2)).sum().backward()

if __name__ == "__main__":
"""

_POOL = "with mp.get_context('fork').Pool(2, start, (0,)) as pool:\n    print(pool.map(train, [1.0, 2.0]))"
_EXECUTOR = (
    "with concurrent.futures.ProcessPoolExecutor(2, mp.get_context('fork')) as pool:\n"
    "    print(list(pool.map(train, [1.0, 2.0])))"
)
_POPEN = (
    "child = subprocess.Popen([sys.executable, '-c', 'print(1)'], stdout=-1, text=True)\n"
    "print(child.communicate()[0])"
)
_SHARED = (
    "model = torch.nn.Linear(2, 1).share_memory()\n"
    "child = multiprocessing.get_context('fork').Process(target=share, args=(model,))\n"
    "child.start()\nchild.join()\nprint(child.exitcode)\nshare(model)"
)
_THREAD = (
    "import threading\nthread = threading.Thread(target=train, args=(2.0,))\nthread.start()\nthread.join()"
)


@needs_fork
@pytest.mark.parametrize(
    ("work", "said", "calls"),
    [
        pytest.param(_POOL, "its 2 child processes are not watched", 0, id="a pool with an initializer"),
        pytest.param(_EXECUTOR, "its 2 child processes are not watched", 0, id="an executor"),
        pytest.param(_POPEN, "the processes that it started are not watched", 0, id="another program"),
        pytest.param(_SHARED, None, 1, id="a model in shared memory, which the parent trains, too"),
        pytest.param(_THREAD, None, 1, id="a thread is no child"),
    ],
)
def test_work_that_is_given_away(work: str, said: str | None, calls: int, inspect_script: ScriptRunner) -> None:
    code = TRAIN_ALL + "".join(f"    {line}\n" for line in work.splitlines())
    plain, ran = inspect_script.plain(code), inspect_script(code)
    assert (ran.status, ran.stdout) == (plain.status, plain.stdout) and plain.status == 0
    lines = [line for line in ran.said if "process" in line]
    assert len(ran.calls) == calls and len(lines) == (said is not None)
    assert said is None or said in lines[0]


RANKS = """
import sys
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

def train(rank, backend, store):
    if backend == "fake":  # no threads, which a fork may hang on
        from torch.testing._internal.distributed.fake_pg import FakeStore
        dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=2)
    else:
        dist.init_process_group("gloo", store=dist.FileStore(store, 2), rank=rank, world_size=2)
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    model = model if backend == "fake" else DistributedDataParallel(model)
    for _ in range(4):
        model(torch.ones(5, 4) * (rank + 1)).pow(2).mean().backward()
    if rank == 0:
        print([item.grad.tolist() for item in model.parameters()], flush=True)
    dist.destroy_process_group()

if __name__ == "__main__":
    method, backend, store = sys.argv[1:]
    mp.start_processes(train, args=(backend, store), nprocs=2, start_method=method)
"""


@pytest.mark.parametrize(
    ("method", "backend"),
    [
        pytest.param("fork", "fake", marks=needs_fork),
        pytest.param("spawn", "gloo", marks=pytest.mark.slow),
    ],
)
def test_children_with_a_process_group_are_ranks(method: str, backend: str, inspect_script: ScriptRunner) -> None:
    plain = inspect_script.plain(RANKS, method, backend, "plain")
    env = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    ran = inspect_script(RANKS, method, backend, "ours", env=env)
    assert (ran.status, ran.stdout) == (plain.status, plain.stdout) and plain.status == 0
    assert "inspect: the 2 ranks that the script started wrote rank-0000 to rank-0001 in inspect-out/" in ran.said
    folder = ran.folder / "inspect-out"
    assert not (folder / "report.json").exists()
    for number in range(2):
        report = valid_report(folder / f"rank-{number:04}" / "report.json")
        assert report["rank"] == {"number": number, "world": 2}
        assert (len(report["backward_calls"]), report["findings"]) == (3, [])
    merged = json.loads((folder / "merged.json").read_text("utf-8"))
    assert [row["number"] for row in merged["ranks"]] == [0, 1] and merged["findings"] == []


@needs_fork
@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("options", [("-f", "json"), ("-o", "z.svg"), ("-f", "json", "--stop")])
def test_a_forked_child_goes_on_without_us(
    before: int, options: tuple[str, ...], inspect_script: ScriptRunner
) -> None:
    """It neither records nor writes, and does not remove what the parent still needs."""
    code = f"""
        import os, sys, torch
        w = torch.ones(2, requires_grad=True)
        for _ in range({before}):
            (w * w).sum().backward()
        sys.stdout.flush()
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            (w * 3).sum().backward()
            print("parent", os.waitstatus_to_exitcode(status))
        else:
            for _ in range(5):
                (w * w).sum().backward()
            print("child", w.grad.tolist(), torch._C._len_torch_function_stack(), sys.gettrace())
            sys.exit(7)
        """
    stops = "--stop" in options and before == 3
    ran = inspect_script(code, options=options)
    assert ran.status == 0 and "Warning" not in ran.stderr
    grad = 2.0 * (before + 5)
    assert ran.stdout == ("" if stops else f"child {[grad, grad]} 0 None\nparent 7\n")
    if "z.svg" in options:
        assert (ran.folder / "z.svg").exists() and not (ran.folder / "inspect-out").exists()
    else:
        assert len(ran.calls) == min(before + 1, 3)
        assert [call["location"]["line"] for call in ran.calls][:before] == [5] * min(before, 3)


@needs_fork
def test_a_forked_child_that_imports_torch_first_is_not_watched(inspect_script: ScriptRunner) -> None:
    code = """
        import os, sys
        if os.fork() == 0:
            import torch
            w = torch.ones(2, requires_grad=True)
            for _ in range(5):
                (w * w).sum().backward()
            print(w.grad.tolist())
        else:
            os.wait()
        """
    ran = inspect_script(code, options=("-f", "dot"))
    assert (ran.status, ran.stdout) == (0, "[10.0, 10.0]\n")
    assert not (ran.folder / "inspect-out" / "backward-1.dot").exists()


class _Group:
    def rank(self) -> int:
        return 1

    def size(self) -> int:
        return 2


def test_an_error_of_ours_is_none_of_init_process_group(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    failed: list[Exception] = []
    monkeypatch.setattr(distributed_c10d, "_update_default_pg", seen.append)
    monkeypatch.setattr(DEFAULT_GROUP, "turn_off", failed.append)
    told: list[tuple[int, int]] = []

    def tell(rank: int, world: int) -> None:
        told.append((rank, world))
        raise KeyError("ours")

    on_default_group(tell)
    group = _Group()
    distributed_c10d._update_default_pg(group)
    assert (seen, told, [type(error) for error in failed]) == ([group], [(1, 2)], [KeyError])
