"""Threads that run backward at the same time, and recordings that overlap."""

import os
import threading

import pytest
import torch
from undisturbed import run_both

import inspector
from inspector.recording.engine_hook import EngineHook
from inspector.torch_api.patch import Patch


class Errors:
    """The exceptions that end threads."""

    def __init__(self, monkeypatch):
        self.seen = []
        monkeypatch.setattr(threading, "excepthook", lambda ended: self.seen.append(ended.exc_value))


@pytest.fixture
def errors(monkeypatch):
    return Errors(monkeypatch)


def run_in_threads(functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("mode", ["full", "light", "none"])
@pytest.mark.parametrize("watch", [1, 3, 8])
def test_concurrent_backward(errors, mode, watch):
    for _ in range(6):
        weight = torch.randn(5, requires_grad=True)
        losses = [(weight * factor).sum() for factor in range(1, 9)]
        with inspector.record(mode=mode, watch=watch) as recording:
            run_in_threads([loss.backward for loss in losses])
        assert recording.failure is None and not errors.seen
        assert torch.equal(weight.grad, torch.full((5,), 36.0))
        assert watch <= len(recording.calls) <= 8
        indexes = [call.index for call in recording.calls]
        assert indexes == sorted(set(indexes))
        recording.report()


def test_each_thread_has_its_model(errors):
    models = [torch.nn.Sequential(torch.nn.Linear(20, 20), torch.nn.Linear(20, 1)) for _ in range(6)]

    def train(model):
        def run():
            for _ in range(3):
                model.zero_grad()
                model(torch.ones(4, 20)).sum().backward()

        return run

    with inspector.record(watch=18) as recording:
        run_in_threads([train(model) for model in models])
    assert recording.failure is None and not errors.seen
    assert len(recording.calls) == 18
    assert all(parameter.grad is not None for model in models for parameter in model.parameters())


CLEARING = """
    import threading, torch, inspector
    torch.set_num_threads(1)

    def train(model):
        for _ in range(3):
            model.zero_grad()
            model(torch.ones(4, 20)).sum().backward()

    for _ in range(12):
        models = [torch.nn.Sequential(torch.nn.Linear(20, 20), torch.nn.Linear(20, 1)) for _ in range(6)]
        threads = [threading.Thread(target=train, args=(model,)) for model in models]
        with inspector.record(watch=18) as recording:
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        assert recording.failure is None and len(recording.calls) == 18
    print("alive")
"""


def test_grads_that_another_thread_replaces_are_not_read(inspect_script):
    """torch itself dies of `p.grad` in one thread and `p.grad = None` in another."""
    ran = inspect_script.plain(CLEARING)
    assert (ran.status, ran.stdout) == (0, "alive\n"), ran.stderr


def test_grads_outside_of_the_graph_are_unknown_with_several_threads(errors):
    models = [torch.nn.Linear(3, 1) for _ in range(3)]
    with inspector.record(watch=3) as recording:
        run_in_threads([lambda model=model: model(torch.ones(3)).sum().backward() for model in models])
    assert recording.failure is None and not errors.seen
    for call in recording.calls:
        leaves = [row for _, row in call.graph.tensors() if row["is_leaf"] and row["requires_grad"]]
        assert len(leaves) == 2 and all(row["after"]["grad"] in ([[1.0] * 3], [1.0]) for row in leaves)


BESIDE = """
    import threading, torch, inspector
    both = torch.nn.ModuleList([torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)])
    trained, other = both
    other(torch.ones(3)).sum().backward()
    with inspector.record(both) as recording:
        thread = threading.Thread(target=lambda: trained(torch.ones(3)).sum().backward())
        thread.start()
        thread.join()
    after = [row["calls"][0]["after"] for row in recording.report().inventory.parameters]
    print(recording.failure, len(after), "unknown" in str(after))
"""


def test_one_thread_beside_the_main_thread_reads_all_grads(inspect_script):
    ran = inspect_script.plain(BESIDE)
    assert ran.stdout == "None 4 False\n", ran.stderr


def test_the_recording_ends_while_threads_run_backward(errors):
    weight = torch.randn(5, requires_grad=True)
    started, may_end = threading.Barrier(5), threading.Event()

    def hook(gradient):
        started.wait()
        may_end.wait()

    losses = [weight * factor for factor in range(1, 5)]
    for loss in losses:
        loss.register_hook(hook)
    threads = [threading.Thread(target=loss.sum().backward) for loss in losses]
    with inspector.record() as recording:
        for thread in threads:
            thread.start()
        started.wait()
    may_end.set()
    for thread in threads:
        thread.join()
    assert recording.failure is None and not errors.seen
    assert torch.equal(weight.grad, torch.full((5,), 10.0))


def test_threads_of_a_script(inspect_script):
    run_both(
        inspect_script,
        """
        import threading, torch
        weight = torch.ones(5, requires_grad=True)
        def work(factor):
            for _ in range(4):
                (weight * factor).sum().backward()
        threads = [threading.Thread(target=work, args=(factor,)) for factor in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(weight.grad)
        """,
    )


def test_a_thread_that_has_ended_has_no_graph_in_the_next_one():
    """Python gives its identifier to the next thread, and torch numbers the Nodes of both from 0."""

    def loss():
        return torch.nn.Linear(20, 1)(torch.ones(4, 20)).pow(2).mean()

    def train():
        loss().backward()

    def carry():
        first = loss()
        first.backward(retain_graph=True)
        (first + loss()).backward()

    with inspector.record(watch=5) as recording:
        for function in (train, train, train, carry):
            run_in_threads([function])
    assert [len(call.setting.contains) for call in recording.calls] == [0, 0, 0, 0, 1]


def test_an_error_of_a_thread_is_its_own(inspect_script):
    run_both(
        inspect_script,
        """
        import threading, torch
        threading.excepthook = lambda ended: print(type(ended.exc_value).__name__, ended.exc_value)
        weight = torch.ones(5, requires_grad=True)
        loss = weight.exp().sum()
        loss.backward()
        thread = threading.Thread(target=loss.backward)
        thread.start()
        thread.join()
        """,
    )


@pytest.mark.parametrize("order", ["as opened", "reversed"])
@pytest.mark.parametrize("mode", ["full", "light", "none"])
def test_recordings_that_overlap(order, mode):
    """Nothing of them stays installed, which a fixture of all tests checks."""
    weight = torch.ones(3, requires_grad=True)
    recordings = [inspector.record(mode=mode, watch=9) for _ in range(3)]
    for recording in recordings:
        recording.__enter__()
        (weight * 2).sum().backward()
    for recording in recordings if order == "as opened" else recordings[::-1]:
        recording.__exit__(None, None, None)
        (weight * 2).sum().backward()
    found = [len(recording.calls) for recording in recordings]
    assert found == ([3, 3, 3] if order == "as opened" else [5, 3, 1])
    assert all(recording.failure is None for recording in recordings)


class Owner:
    @staticmethod
    def function():
        return ["original"]


def naming(name):
    def wrapper(original):
        return lambda: [name, *original()]

    return wrapper


def test_patches_are_removed_in_any_order(monkeypatch):
    original = vars(Owner)["function"]
    monkeypatch.setattr(Owner, "function", original.__func__)
    plain = Owner.function
    first, second, third = patches = [Patch((Owner,), "function", naming(name)) for name in "abc"]
    for patch in patches:
        patch.install()
    assert Owner.function() == ["c", "b", "a", "original"]
    second.uninstall()
    assert Owner.function() == ["c", "a", "original"]
    first.uninstall()
    assert Owner.function() == ["c", "original"] and third.is_installed
    third.uninstall()
    assert Owner.function is plain


def test_a_patch_below_the_wrapper_of_others(monkeypatch):
    """Theirs stays, and so does the patch within it, which they call."""
    plain = Owner.function
    first, second = Patch((Owner,), "function", naming("a")), Patch((Owner,), "function", naming("b"))
    first.install()
    second.install()
    ours = Owner.function
    monkeypatch.setattr(Owner, "function", lambda: ["theirs", *ours()])
    first.uninstall()
    second.uninstall()
    assert Owner.function() == ["theirs", "b", "a", "original"]
    monkeypatch.setattr(Owner, "function", staticmethod(plain))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_does_not_wait_for_threads_that_it_does_not_have():
    hook, taken, done = EngineHook(None), threading.Event(), threading.Event()

    def hold():
        with hook._turn:
            taken.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if hook._turn.acquire(blocking=False) else 1)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0
