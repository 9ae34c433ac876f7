"""Hooks that are added to many Nodes with one key: torch runs them as its own, and the script's stay."""

import pytest
import torch
from torch.autograd.function import _HookMixin

from inspector.torch_api import engine
from inspector.torch_api.engine import HooksByKey


def nodes_of(root):
    found, waiting = [], [root.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.append(node)
            waiting += [target for target, _ in node.next_functions]
    return found


@pytest.fixture
def root():
    x = torch.ones(3, requires_grad=True)
    return (x.sin() * x).sum()


def noting(seen, name):
    return lambda *gradients: seen.append(name)


@pytest.mark.parametrize("is_quick", [True, False])
def test_they_run_once_for_each_node_until_they_are_removed(root, is_quick, monkeypatch):
    if not is_quick:
        monkeypatch.setattr(engine.REGISTRAR, "parts", None, raising=False)
    plain, seen, hooks = _HookMixin._register_hook, [], HooksByKey()
    hooks.add(nodes_of(root), noting(seen, "before"), noting(seen, "after"))
    assert _HookMixin._register_hook is plain
    root.backward(retain_graph=True)
    count = len(nodes_of(root))
    assert seen.count("before") == seen.count("after") == count == 4
    hooks.remove()
    root.backward()
    assert len(seen) == 2 * count


def test_hooks_of_the_script_stay_and_run_in_the_order_in_which_they_were_added(root):
    seen, hooks, node = [], HooksByKey(), root.grad_fn
    node.register_prehook(noting(seen, "first"))
    hooks.add([node], noting(seen, "before"), None)
    handle = node.register_prehook(noting(seen, "last"))
    root.backward(retain_graph=True)
    assert seen == ["first", "before", "last"]
    hooks.remove()
    root.backward(retain_graph=True)
    handle.remove()
    root.backward()
    assert seen[3:] == ["first", "last", "first"]


def test_several_sets_of_hooks_have_keys_of_their_own(root):
    seen, one, other = [], HooksByKey(), HooksByKey()
    one.add([root.grad_fn], noting(seen, "one"))
    other.add([root.grad_fn], noting(seen, "other"))
    one.remove()
    root.backward()
    assert seen == ["other"]


def test_a_hook_that_another_thread_adds_meanwhile_has_its_handle(root):
    seen, hooks, handles = [], HooksByKey(), []

    def nodes():
        handles.append(root.grad_fn.register_hook(noting(seen, "script")))
        yield root.grad_fn

    hooks.add(nodes(), noting(seen, "before"), noting(seen, "after"))
    hooks.remove()
    root.backward(retain_graph=True)
    assert seen == ["script"]
    handles[0].remove()
    root.backward()
    assert seen == ["script"]


def test_what_was_added_before_an_error_is_removed(root):
    seen, hooks, plain = [], HooksByKey(), _HookMixin._register_hook
    with pytest.raises(KeyboardInterrupt):
        hooks.add(interrupted(root), noting(seen, "before"), noting(seen, "after"))
    assert _HookMixin._register_hook is plain
    root.backward()
    assert seen == []


def interrupted(root):
    yield root.grad_fn
    raise KeyboardInterrupt


def test_a_function_of_the_script_keeps_what_it_set_on_its_context():
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.register_hook = ctx.register_prehook = "mine"
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            return gradient * 2

    seen, hooks = [], HooksByKey()
    root = Twice.apply(torch.ones(2, requires_grad=True)).sum()
    hooks.add(nodes_of(root), noting(seen, "before"), noting(seen, "after"))
    root.backward()
    assert len(seen) == 6 and root.grad_fn.next_functions[0][0].register_hook == "mine"
