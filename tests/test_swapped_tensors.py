"""`torch.utils.swap_tensors` refuses a tensor with a weak reference: the inspector's are not in its way."""

import gc
import textwrap
import weakref

import pytest
import torch
from running import QUICK
from undisturbed import run_both

import inspector
from inspector.torch_api.tensor_references import REFERENCES, reference_to

SCRIPTS = {
    "conversion": """
        torch.__future__.set_swap_module_params_on_conversion(True)
        layer = torch.nn.Linear(3, 5)
        layer.weight = torch.nn.Parameter(torch.randn(5, 3))
        layer.bfloat16()
        layer(torch.randn(2, 3).bfloat16()).sum().backward()
        print(layer.weight.dtype, layer.weight.grad.dtype)
        """,
    "conversion-between-steps": """
        torch.__future__.set_swap_module_params_on_conversion(True)
        layer = torch.nn.Linear(3, 5)
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        for dtype in (torch.float32, torch.float64, torch.float32, torch.float64, torch.float32):
            layer.to(dtype)
            optimizer.zero_grad()
            layer(torch.ones(2, 3, dtype=dtype)).pow(2).sum().backward()
            optimizer.step()
            print(layer.weight.dtype, layer.weight.sum().item())
        """,
    "loading": """
        torch.__future__.set_swap_module_params_on_conversion(True)
        layer, other = torch.nn.Linear(3, 5), torch.nn.Linear(3, 5)
        layer(torch.ones(2, 3)).sum().backward()
        layer.load_state_dict(other.state_dict())
        layer(torch.ones(2, 3)).sum().backward()
        print(torch.equal(layer.weight, other.weight), layer.weight.grad)
        """,
    "subclass": """
        from torch.testing._internal.two_tensor import TwoTensor
        layer = torch.nn.Linear(3, 3)
        layer.weight = torch.nn.Parameter(TwoTensor(torch.ones(3, 3), torch.ones(3, 3)))
        layer(torch.randn(2, 3)).sum().backward()
        print(type(layer.double().weight.data).__name__, layer.weight.dtype)
        """,
    "by-hand": """
        a, b = torch.ones(3, requires_grad=True), torch.zeros(2, requires_grad=True)
        (a * 2).sum().backward()
        torch.utils.swap_tensors(a, b)
        (a * 3).sum().backward()
        print(a, b, a.grad, b.grad)
        c, d = a.detach() * 2, b.detach() + 1
        torch.utils.swap_tensors(c, d)
        print(c, d)
        """,
    "refused-by-a-reference-of-the-script": """
        import weakref
        torch.__future__.set_swap_module_params_on_conversion(True)
        layer = torch.nn.Linear(3, 5)
        kept = weakref.ref(layer.weight)
        layer(torch.ones(2, 3)).sum().backward()
        layer.bfloat16()
        """,
    "an-average-that-is-loaded-and-taken-back": """
        import copy
        torch.__future__.set_swap_module_params_on_conversion(True)
        model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
        average = torch.optim.swa_utils.AveragedModel(model)
        optimizer = torch.optim.AdamW(model.parameters())
        for step in range(5):
            optimizer.zero_grad(set_to_none=step % 2 == 0)
            model(torch.randn(8, 4)).pow(2).mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            average.update_parameters(model)
            own = copy.deepcopy(model.state_dict())
            model.load_state_dict(average.module.state_dict())
            print(model.eval()(torch.ones(1, 4)).item())
            model.train().load_state_dict(own)
        print(model.double()[0].weight.sum().item())
        """,
    "refused-within-a-graph": """
        x = torch.ones(3, requires_grad=True)
        y = (x * 2).relu()
        z = y.exp()
        torch.utils.swap_tensors(y, torch.zeros(3))
        """,
    "after-the-watched-calls": """
        layer = torch.nn.Linear(3, 5)
        for _ in range(6):
            layer(torch.ones(2, 3)).sum().backward()
        torch.__future__.set_swap_module_params_on_conversion(True)
        print(layer.double().weight.dtype)
        """,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_that_swaps(inspect_script, script):
    run_both(inspect_script, "import torch\ntorch.manual_seed(0)\n" + textwrap.dedent(SCRIPTS[script]))


def test_nothing_refers_to_a_parameter_when_nothing_is_recorded_any_more(inspect_script):
    code = """
    import torch, weakref
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 5)
    for _ in range(6):
        layer(torch.ones(2, 3)).sum().backward()
    print(weakref.getweakrefs(layer.weight))
    """
    run_both(inspect_script, textwrap.dedent(code), options=(*QUICK, "--budget", "0"))


def test_a_parameter_stays_itself_when_it_is_converted(inspect_script):
    """Its grads before and after are those of one parameter, under one name."""
    ran = run_both(inspect_script, "import torch\n" + textwrap.dedent(SCRIPTS["conversion-between-steps"]))
    row = next(row for row in ran.report["parameters"] if row["name"] == "weight")
    assert [call["backward_call"] for call in row["calls"]] == [1, 2, 3]


def test_no_reference_is_left():
    layer = torch.nn.Linear(3, 5)
    with inspector.record(layer):
        loss = layer(torch.ones(2, 3)).sum()
        loss.backward()
        assert weakref.getweakrefs(layer.weight)
    inspector.trace(layer(torch.ones(2, 3)).sum())
    assert not weakref.getweakrefs(layer.weight) and not weakref.getweakrefs(loss)
    torch.utils.swap_tensors(layer.weight, torch.nn.Parameter(torch.ones(2, 2)))


def test_references():
    tensor, other, gone = torch.ones(2), torch.zeros(3), []
    with REFERENCES.used():
        reference = reference_to(tensor)
        assert reference is reference_to(tensor) and reference() is tensor
        reference.when_gone(tensor, gone.append)
        torch.utils.swap_tensors(tensor, other)
        assert reference() is tensor and tensor.shape == (3,) and not gone
        del tensor
        assert reference() is None and len(gone) == 1
        kept = reference_to(other)
    assert kept() is None


def test_a_swapped_tensor_with_a_history_counts_as_gone():
    """Its Node is another one now, so that nothing may be said of it by what it was."""
    computed, plain, gone = torch.ones(2, requires_grad=True).clone(), torch.zeros(2), []
    with REFERENCES.used():
        reference = reference_to(plain)
        reference.when_gone(plain, gone.append)
        torch.utils.swap_tensors(plain, computed)
        assert reference() is None and len(gone) == 1
        assert reference_to(plain)() is plain
    gc.collect()
