"""`--mend`: which text is changed, and that a fix is written only if it works."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from running import ScriptRunner

from inspector.diagnosis.fixes import fixes_of
from inspector.report import Finding


def found(rule: str, text: str, kind: str = "", part: str | None = None, **location: Any) -> Finding:
    evidence = {"kind": kind} if kind else {}
    place = {"file": "train.py", "line": 2, "code": text.strip(), "part": part or text.strip(), **location}
    return Finding(rule, "warning", "", "", place, 1, [], [], evidence)


@pytest.mark.parametrize(
    ("rule", "kind", "text", "part", "after"),
    [
        ("cut-path", "sample", "    z = q.sample()", "q.sample()", "    z = q.rsample()"),
        ("detached", "detach", "loss = critic(fake.detach())", "fake.detach()", "loss = critic(fake)"),
        ("cut-path", "item", "a = b * p.norm().item()", "p.norm().item()", "a = b * p.norm()"),
        ("no-graph", "grad", "g, = grad(u, t)", "grad(u, t)", "g, = grad(u, t, create_graph=True)"),
        ("detached", "data", "h = p.data * 2", "p.data", "h = p * 2"),
        ("attribute-without-effect", "", "p.require_grad = False", "p.require_grad", "p.requires_grad = False"),
        ("attribute-without-effect", "", "net.training = False", "net.training = False", "net.eval()"),
        ("statement-without-effect", "", "    loss.backward", "loss.backward", "    loss.backward()"),
        ("statement-without-effect", "", "w.clamp(0, 1)", "w.clamp(0, 1)", "w.clamp_(0, 1)"),
        ("non-finite-gradient", "", "d = x.sum().sqrt()", "x.sum().sqrt()", "d = (x.sum() + 1e-12).sqrt()"),
        ("non-finite-gradient", "", "d = (a + b).sqrt()", "(a + b).sqrt()", "d = (a + b + 1e-12).sqrt()"),
        ("non-finite-gradient", "", "d = torch.sqrt(x) * 2", "torch.sqrt(x)", "d = torch.sqrt(x + 1e-12) * 2"),
        ("non-finite-gradient", "", "u = z / z.norm(1)", "z / z.norm(1)", "u = z / (z.norm(1) + 1e-12)"),
        ("non-finite-gradient", "", "a / (b if c else d)", "a / (b if c else d)", "a / ((b if c else d) + 1e-12)"),
        ("non-finite-gradient", "", "torch.log(b or c)", "torch.log(b or c)", "torch.log((b or c) + 1e-12)"),
        ("non-finite-forward", "", "n = -p.log()", "p.log()", "n = -(p + 1e-12).log()"),
        (
            "stale-gradient",
            "",
            "    adam.step()",
            "adam.step()",
            "    adam.step()\n    adam.zero_grad()",
        ),
        (
            "statement-without-effect",
            "",
            "p.requires_grad == False",
            "p.requires_grad == False",
            "p.requires_grad = False",
        ),
    ],
)
def test_changes(rule: str, kind: str, text: str, part: str, after: str) -> None:
    (one,) = fixes_of([found(rule, text, kind, part)], "train.py", ["import torch", text])
    assert (one.line, one.before, one.after) == (2, text, after)


@pytest.mark.parametrize(
    "finding",
    [
        found("vanishing-gradient", "h = x.detach()", "detach"),
        found("detached", "h = f(x.detach(), x.detach())", "detach", "x.detach()"),  # which of them is not known
        found("detached", "h = x.detach()", "detach", file="model.py"),
        found("detached", "h = x.detach()", "detach", line=7),
        found("statement-without-effect", "w = w - g"),
        found("attribute-without-effect", "optimizer.lr = 0.1", part="optimizer.lr"),
        found("detached", "with torch.no_grad():", "no_grad"),
        found("stale-gradient", "if k % 4 == 0: adam.step()"),
        found("stale-gradient", "scaler.step(adam)"),
        found("non-finite-gradient", "d = x.acos()"),
        found("non-finite-gradient", "d = f(x)", part="f(x"),
    ],
)
def test_no_change_where_the_text_is_not_certain(finding: Finding) -> None:
    assert fixes_of([finding], "train.py", ["import torch", finding.location["code"]]) == []  # type: ignore[index]


SCRIPT = """
import torch
from torch.distributions import Normal

torch.manual_seed(0)
mean, decode = torch.nn.Linear(3, 2), torch.nn.Linear(2, 3)
optimizer = torch.optim.SGD([*mean.parameters(), *decode.parameters()], lr=0.1)
for x in torch.randn(2, 4, 3):
    q = Normal(mean(x), 1.0)
    z = q.sample()
    loss = (decode(z) - x).square().mean() + 0.1 * mean(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    x.clamp(0)
    mean.weight.mul(2)
"""


def test_a_fix_that_works_is_written_and_the_script_is_not_changed(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(SCRIPT, options=("-f", "json", "--mend"))
    assert "inspect: --mend: script.py:10: `z = q.rsample()` fixes cut-path" in ran.stderr
    assert "mean.weight.grad  norm" in ran.stderr
    refused = "`mean.weight.mul_(2)` does not work: the changed copy ends with RuntimeError: a leaf Variable"
    assert refused in ran.stderr
    patch = (ran.folder / "inspect-out" / "mend.patch").read_text().splitlines()
    assert [line for line in patch if line[0] in "+-"] == [
        "--- a/script.py",
        "+++ b/script.py",
        "-    z = q.sample()",
        "+    z = q.rsample()",
        "-    x.clamp(0)",
        "+    x.clamp_(0)",
    ]
    assert (ran.folder / "script.py").read_text().count("rsample") == 0



@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("loss = (w * x).square().sum(1).sqrt().mean()", "(w * x).square().sum(1).sqrt()"),
        ("loss = torch.sqrt((w * x).square().sum(1)).mean()", "torch.sqrt((w * x).square().sum(1))"),
        ("loss = (w * x).square().sum(1).rsqrt().clamp(max=9).mean()", "(w * x).square().sum(1).rsqrt()"),
        ("loss = ((w * x).abs().sum(1)).log().clamp(min=-9).mean()", "((w * x).abs().sum(1)).log()"),
        ("loss = (w[0] / (w * x).abs().sum(1)).tanh().mean()", "w[0] / (w * x).abs().sum(1)"),
    ],
)
def test_an_epsilon_brings_the_gradient_back(text: str, part: str) -> None:
    (one,) = fixes_of([found("non-finite-gradient", text, part=part)], "train.py", ["import torch", text])

    def gradient(statement: str) -> torch.Tensor:
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        names = {"torch": torch, "w": w, "x": torch.tensor([[1.0, 1.0], [0.0, 0.0]])}
        exec(statement, names)
        return torch.autograd.grad(names["loss"], w)[0]  # type: ignore[arg-type]

    assert not gradient(text).isfinite().all()
    assert gradient(one.after).isfinite().all() and gradient(one.after).any()
