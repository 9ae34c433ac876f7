"""Where torch traces or transforms what runs, the inspector does nothing, and afterwards it records as before."""

import textwrap

import pytest
from undisturbed import run_both

MODEL = """
import torch
torch.manual_seed(0)
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(40, 40)
        self.norm = torch.nn.LayerNorm(40)
    def forward(self, x):
        scale = torch.ones(40)
        return (self.norm(torch.relu(self.inner(x))) * scale).pow(2).mean()
model = Model()
"""

TRAINED = """
model(torch.randn(8, 40)).backward()
print([parameter.grad.norm().item() for parameter in model.parameters()])
"""

TRACERS = {
    "export": """
        exported = torch.export.export(model, (torch.randn(3, 40),))
        print(exported)
        print([node.stack_trace for node in exported.graph.nodes])
        exported.module()(torch.randn(3, 40)).backward()
        """,
    "strict-export": """
        exported = torch.export.export(model, (torch.randn(3, 40),), strict=True)
        print(exported)
        print([node.stack_trace for node in exported.graph.nodes])
        """,
    "export-with-dynamic-shapes": """
        batch = torch.export.Dim("batch", min=2)
        for strict in (False, True):
            print(torch.export.export(model, (torch.randn(3, 40),), dynamic_shapes=({0: batch},), strict=strict))
        """,
    "export-that-fails": """
        import logging
        logging.disable()
        class Branching(torch.nn.Module):
            def forward(self, x):
                return x if x.sum() > 0 else -x
        for strict in (False, True):
            try:
                torch.export.export(Branching(), (torch.randn(3),), strict=strict)
            except Exception as error:
                print(type(error).__name__)
        """,
    "make_fx": """
        from torch.fx.experimental.proxy_tensor import make_fx
        for mode in ("real", "fake", "symbolic"):
            for early in (False, True):
                tracer = make_fx(
                    lambda x: (model(x) * torch.randn(20)).exp().sum(),
                    tracing_mode=mode, pre_dispatch=early, _allow_non_fake_inputs=True,
                )
                graph = tracer(torch.randn(5, 40))
                print(graph.code, [node.stack_trace for node in graph.graph.nodes])
        del graph
        """,
    "make_fx-of-a-gradient": """
        from torch.fx.experimental.proxy_tensor import make_fx
        def gradient(x):
            x = x.detach().requires_grad_()
            return torch.autograd.grad(model(x), x)[0]
        print(make_fx(gradient)(torch.randn(5, 40)).code)
        """,
    "symbolic_trace": """
        print(torch.fx.symbolic_trace(torch.nn.Sequential(model.inner, torch.nn.GELU(), model.norm)).code)
        """,
    "jit-trace": """
        print(torch.jit.trace(model, torch.randn(3, 40)).code)
        """,
    "onnx": """
        graph, _ = torch.jit._get_trace_graph(model, (torch.randn(3, 40),))  # of torch.onnx.export
        print([(node.kind(), node.scopeName()) for node in graph.nodes()])
        del graph
        """,
    "fake-mode": """
        from torch._subclasses.fake_tensor import FakeTensorMode
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            fake = Model()
            loss = fake(torch.randn(8, 40))
            loss.backward()
            torch.optim.SGD(fake.parameters(), lr=0.1).step()
            print(loss, fake.inner.weight.grad)
        del fake
        print((mode.from_tensor(torch.ones(20)) * 2).sum())
        """,
    "functionalize": """
        from torch.fx.experimental.proxy_tensor import make_fx
        def writes(x):
            y = x.clone()
            y[0] = 1
            return y.relu_().sum()
        print(make_fx(torch.func.functionalize(writes))(torch.randn(20)).code)
        """,
    "func-grad": """
        weights = dict(model.named_parameters())
        def loss(weights, x):
            return torch.func.functional_call(model, weights, (x,))
        found = torch.func.grad(loss)(weights, torch.randn(5, 40))
        print({name: value.norm().item() for name, value in found.items()})
        """,
    "vjp": """
        output, pull_back = torch.func.vjp(lambda a: a.sin() * 2, torch.randn(30))
        print(pull_back(torch.ones(30))[0].sum())
        """,
    "vmap-jacrev-jvp": """
        x = torch.randn(4, 40)
        print(torch.func.vmap(lambda a: model.inner(a).sum())(x))
        print(torch.func.jacrev(lambda a: model.inner(a).sum())(x).sum())
        print(torch.func.jvp(lambda a: a.sin(), (x,), (x,))[1].sum())
        print(torch.func.hessian(lambda a: a.pow(3).sum())(x[0, :3]))
        """,
    "linearize": """
        output, push = torch.func.linearize(lambda a: a.sin().sum(), torch.randn(20))
        print(output, push(torch.ones(20)))
        """,
    "leaked-transform": """
        kept = []
        torch.func.grad(lambda a: (kept.append(a * 2), a.sum())[1])(torch.ones(20))
        print(kept[0].shape, kept[0].dtype, kept[0].requires_grad)
        """,
    "between-steps": """
        from torch.fx.experimental.proxy_tensor import make_fx
        optimizer = torch.optim.Adam(model.parameters())
        def step(weight, x):
            return torch.autograd.grad(torch.tanh(torch.nn.functional.linear(x, weight)).mean(), weight)
        for number in range(3):
            optimizer.zero_grad()
            loss = model(torch.randn(8, 40))
            loss.backward()
            optimizer.step()
            print(loss.item())
            if number == 0:
                program = torch.export.export(model, (torch.randn(3, 40),))
                print([node.name for node in program.graph.nodes])
            if number == 1:
                print(make_fx(step)(model.inner.weight, torch.randn(3, 40)).code)
        model.zero_grad()
        """,
    "an-ensemble-by-vmap": """
        from torch.func import functional_call, grad_and_value, stack_module_state, vmap
        models = [Model() for _ in range(3)]
        parameters, buffers = stack_module_state(models)
        base = Model().to("meta")
        def loss(parameters, x):
            return functional_call(base, parameters, (x,))
        found, values = vmap(grad_and_value(loss), in_dims=(0, None))(parameters, torch.randn(5, 40))
        print(values.tolist(), {name: value.norm().item() for name, value in found.items()})
        del models, base
        """,
    "compiled-and-never-called": """
        never = torch.compile(lambda x: x * 2)
        import torch._dynamo
        print(callable(never))
        """,
    "TorchScript": """
        class Branching(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = torch.nn.Linear(3, 3)
            def forward(self, x):
                if x.sum() > 0:
                    x = x * 2
                return self.linear(x).relu()
        scripted = torch.jit.script(torch.nn.Sequential(Branching(), torch.nn.Linear(3, 1)))
        optimizer = torch.optim.SGD(scripted.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            loss = scripted(torch.randn(4, 3)).sum() + scripted[0](torch.ones(1, 3)).sum()
            loss.backward()
            optimizer.step()
            print(loss.item())
        del scripted, loss
        """,
    "shapes-without-data": """
        with torch.device("meta"):
            empty = Model()
            empty(torch.randn(8, 40, device="meta"))
        print(empty.inner.weight.shape)
        del empty
        """,
}


@pytest.mark.parametrize("tracer", TRACERS)
def test_a_tracer_sees_nothing_of_us(inspect_script, tracer):
    ran = run_both(inspect_script, MODEL + textwrap.dedent(TRACERS[tracer]) + TRAINED)
    weight = ran.tensor("inner.weight", call=-1)
    assert weight["after"]["grad"]["norm"] > 0
    assert not ran.report["recording"].get("remarks")  # nothing was given up
