"""`--mend`: which text is changed, and that a fix is written only if it works."""

from __future__ import annotations

import linecache
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from running import ScriptRunner

import inspector
from inspector.diagnosis import diagnose_report
from inspector.diagnosis.fixes import CHANGES, RULES_WITH_FIXES, changed, fixes_of, is_still_there
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
    ("rule", "lines", "evidence"),
    [
        ("optimizer-never-steps", ["sgd = SGD(ps)", "if k: l.backward()"], {"backward": 2}),
        ("optimizer-never-steps", ["sgd = SGD(ps)", "l.backward("], {"backward": 2}),
        ("optimizer-never-steps", ["make(SGD)", "l.backward()"], {"backward": 2}),
        ("optimizer-never-steps", ["sgd = SGD(ps)", "l.backward()"], {"backward": None}),
        ("step-without-gradient", ["sgd.zero_grad(); f()", "sgd.step()"], {"step": 2}),
        ("step-without-gradient", ["for p in ps: p.grad = None", "sgd.step()"], {"step": 2}),
        ("step-without-gradient", ["sgd.zero_grad()", "scaler.update(sgd)"], {"step": 2}),
    ],
)
def test_no_statement_is_moved_where_the_text_is_not_certain(rule: str, lines: list[str], evidence: Any) -> None:
    place: Any = {"file": "train.py", "line": 1, "code": lines[0]}
    assert fixes_of([Finding(rule, "warning", "", "", place, 1, [], [], evidence)], "train.py", lines) == []


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


_HEAD = """
import torch
from torch import nn
torch.manual_seed(0)
w = torch.tensor([1.0, 2.0], requires_grad=True)
v = torch.tensor([0.5, 0.25], requires_grad=True)
x = torch.tensor([3.0, -1.0])
optimizer = torch.optim.SGD([w, v], lr=0.1)
"""

MENDED: dict[tuple[str, str], str] = {
    ("attribute-without-effect", "misspelt"): """
        w.require_grad = False
        (w * v * x).sum().backward()
        right = w.grad is None and v.grad is not None
    """,
    ("attribute-without-effect", "mode"): """
        net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.9))
        net.training = False
        net(w).sum().backward()
        right = torch.equal(w.grad, net[0].weight.sum(0))
    """,
    ("cut-path", "item"): """
        penalty = w.square().sum().item()
        loss = (w * x).sum() + penalty
        loss.backward()
        right = torch.equal(w.grad, x + 2 * w)
        optimizer.step()
    """,
    ("cut-path", "sample"): """
        q = torch.distributions.Normal(w, 1.0)
        z = q.sample()
        loss = (z * v).sum() + w.sum()
        loss.backward()
        right = torch.equal(w.grad, v + 1)
        optimizer.step()
    """,
    ("detached", "data"): """
        h = w.data * x
        (h * v).sum().backward()
        right = w.grad is not None and torch.equal(w.grad, x * v)
    """,
    ("detached", "detach"): """
        h = torch.tanh(w * x)
        loss = (h.detach() * v).sum()
        loss.backward()
        right = w.grad is not None and w.grad.ne(0).all()
    """,
    ("no-graph", "grad"): """
        t = torch.ones(2, requires_grad=True)
        slope, = torch.autograd.grad((w * t ** 2).sum(), t)
        slope.sum().backward()
        right = torch.equal(w.grad, 2 * torch.ones(2))
    """,
    ("non-finite-forward", ""): """
        p = torch.relu(w * x)
        loss = -torch.log(p).mean()
        loss.backward()
        right = bool(loss.isfinite())
    """,
    ("non-finite-gradient", ""): """
        gap = torch.stack([w * 0, w * x])
        loss = gap.square().sum(1).sqrt().sum()
        loss.backward()
        right = bool(w.grad.isfinite().all())
    """,
    ("optimizer-never-steps", ""): """
        for _ in range(3):
            optimizer.zero_grad()
            (w * v * x).sum().backward()
        right = w.tolist() != [1.0, 2.0]
    """,
    ("stale-gradient", ""): """
        for _ in range(3):
            (w * x).sum().backward()
            optimizer.step()
        right = torch.allclose(w, torch.tensor([1.0, 2.0]) - 0.3 * x)
    """,
    ("statement-without-effect", "not called"): """
        for _ in range(2):
            optimizer.zero_grad
            (w * x).sum().backward()
        right = torch.equal(w.grad, x)
    """,
    ("statement-without-effect", "compared"): """
        w.requires_grad == False
        (w * v * x).sum().backward()
        right = w.grad is None
    """,
    ("statement-without-effect", "dropped"): """
        x.clamp(0)
        (w * x).sum().backward()
        right = w.grad.tolist() == [3.0, 0.0]
    """,
    ("step-without-gradient", ""): """
        for _ in range(2):
            (w * v * x).sum().backward()
            optimizer.zero_grad()
            optimizer.step()
        right = w.tolist() != [1.0, 2.0] and w.grad is None
    """,
}
"""A script for each kind of fix, by rule and kind. `right` asks torch for what the mended script is to have."""


def ran(text: str, path: str) -> tuple[list[Finding], bool]:
    """The findings of a script, and whether it ended with what is right."""
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    variables: dict[str, Any] = {"__name__": "__main__"}
    with inspector.record(watch=3) as recording:
        try:
            exec(compile(text, path, "exec"), variables)
        except RuntimeError as error:
            assert "does not require grad" in str(error)
    report = recording.report()
    report.script.exit.update(status=0, exception=None)
    return diagnose_report(report).findings, bool(variables.get("right"))


@pytest.mark.parametrize(("rule", "kind"), MENDED)
def test_what_every_fix_brings_back(
    rule: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the files below it are the user's
    text, path = _HEAD + dedent(MENDED[rule, kind]).lstrip("\n"), f"{tmp_path}/train.py"
    findings, right = ran(text, path)
    lines = text.removesuffix("\n").split("\n")
    (fix,) = [fix for fix in fixes_of(findings, "train.py", lines) if fix.finding.rule == rule]
    assert not right and is_still_there(fix, findings)
    again, right = ran("\n".join(changed([fix], lines)) + "\n", path)
    assert right and not is_still_there(fix, again)


def test_every_rule_that_offers_a_fix_has_such_a_script() -> None:
    assert {rule for rule, _ in MENDED} == RULES_WITH_FIXES
    kinds = {kind for rule, kind in CHANGES if kind}
    assert kinds == {kind for rule, kind in MENDED if rule in ("cut-path", "detached", "no-graph")}
