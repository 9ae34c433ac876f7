"""Scripts that train well until something goes wrong at a late step, and scripts that train well to their end.

A fault prints what torch itself shows, as the oracle: the step at which a loss or a gradient is not finite first,
and the parameters with such a gradient. `# here` marks the line at fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent, indent

_HEAD = """
import json, math, torch
from collections import OrderedDict
from torch import nn
from torch.nn import functional as F
torch.manual_seed({seed})
{setup}
fault = None
for step in range(1, {steps} + 1):
    bad = step >= {at}
    x = torch.randn(16, 6)
    y = x.sum(1, keepdim=True)
{body}
    optimizer.zero_grad()
    {backward}
    names = [name for name, p in model.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
    if fault is None and (names or not loss.isfinite().all()):
        fault = {{"step": step, "loss": bool(loss.isfinite().all()), "names": names}}
    {step_code}
{after}
print(json.dumps(fault))
"""
_MODEL = """
model = nn.Sequential(OrderedDict(body=nn.Linear(6, 12), act=nn.Tanh(), head=nn.Linear(12, 1)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
"""
_ADAM = """
model = nn.Sequential(OrderedDict(body=nn.Linear(6, 12), act=nn.ReLU(), head=nn.Linear(12, 1)))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
"""


@dataclass(frozen=True)
class Fault:
    """A script. rules: one of these finds it. kind: of the trigger. step: where the script does not print it."""

    name: str
    body: str
    rules: tuple[str, ...]
    kind: str
    setup: str = _MODEL
    after: str = ""
    at: int = 40
    steps: int = 60
    step: int | None = None
    parameters: tuple[str, ...] = ()
    seed: int = 0
    scaled: bool = False

    @property
    def code(self) -> str:
        """The script."""
        return _HEAD.format(
            seed=self.seed,
            setup=dedent(self.setup).strip(),
            steps=self.steps,
            at=self.at,
            body=indent(dedent(self.body).strip(), "    "),
            after=indent(dedent(self.after).strip(), "    "),
            backward="scaler.scale(loss).backward()" if self.scaled else "loss.backward()",
            step_code="scaler.step(optimizer); scaler.update()" if self.scaled else "optimizer.step()",
        )

    @property
    def line(self) -> int | None:
        """The line at fault."""
        found = [number for number, line in enumerate(self.code.splitlines(), 1) if "# here" in line]
        return found[0] if found else None


_FORWARD, _GRADIENT = ("non-finite-forward",), ("non-finite-gradient",)
_IN_NODES = ("non-finite-gradient", "non-finite-step")
"""Nothing that the Node has saved tells of it before backward."""

NOT_FINITE = [
    Fault(
        "log of zero",
        """
        p = torch.sigmoid(model(x)) * (0.0 if bad else 1.0)
        loss = -torch.log(p).mean()  # here
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "log of a negative number",
        """
        gap = (model(x) - y).pow(2).mean()
        loss = torch.log(gap + 1 - (1e3 if bad else 0.0))  # here
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "division by zero",
        """
        spread = y.std() * (0.0 if bad else 1.0)
        gap = (model(x) - y) / spread  # here
        loss = gap.pow(2).mean()
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "exp of a large number",
        """
        rate = torch.exp(model(x) * (1e4 if bad else 0.1))  # here
        loss = (rate - model(x)).mean()
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "sqrt of a negative number",
        """
        gap = (model(x) - y).pow(2).mean() - (1e3 if bad else 0.0)
        loss = torch.sqrt(gap)  # here
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "zero divided by its norm",
        """
        h = model.act(model.body(x)) * (0.0 if bad else 1.0)
        unit = h / h.pow(2).sum(1, keepdim=True)  # here
        loss = (model.head(unit) - y).pow(2).mean()
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "bad batch",
        """
        x[3, 2] = math.nan if bad else 0.5
        loss = (model(x) - 1).pow(2).mean()
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "infinite target",
        """
        y = y / (0.0 if bad else 1.0)
        loss = (model(x) - y).pow(2).mean()
        """,
        (*_FORWARD, "non-finite-step"),
        "root_not_finite",
    ),
    Fault(
        "mean of nothing",
        """
        kept = x[:, 0] > (100.0 if bad else -100.0)
        loss = (model(x) - y)[kept].pow(2).mean()
        """,
        (*_FORWARD, "non-finite-step"),
        "root_not_finite",
    ),
    Fault(
        "sqrt at zero",
        """
        gap = (model(x) - y) * (0.0 if bad else 1.0)
        loss = gap.pow(2).sum(1).sqrt().mean()  # here
        """,
        _GRADIENT,
        "gradient_not_finite",
    ),
    Fault(
        "power below one at zero",
        """
        gap = (model(x) - y) * (0.0 if bad else 1.0)
        loss = gap.abs().pow(0.5).mean()  # here
        """,
        _GRADIENT,
        "gradient_not_finite",
    ),
    Fault(
        "zero times infinity behind a where",
        """
        out = model(x) + 3.0
        base = out * (0.0 if bad else 1.0)
        root = base.clamp(min=0).sqrt()  # here
        loss = torch.where(base > 0, root, out * 0.1).mean()
        """,
        _GRADIENT,
        "gradient_not_finite",
    ),
    Fault(
        "division by zero behind a where",
        """
        out = model(x)
        below = out.detach().abs() * (0.0 if bad else 1.0)
        share = out / below  # here
        loss = torch.where(below > 0, share, out * 0.1).mean()
        """,
        _GRADIENT,
        "gradient_not_finite",
    ),
    Fault(
        "acos at one",
        """
        cosine = torch.tanh(model(x)) * 0.9
        cosine = torch.where(torch.tensor(bad), cosine / cosine.detach(), cosine)
        loss = torch.acos(cosine).mean()  # here
        """,
        _GRADIENT,
        "gradient_not_finite",
    ),
    Fault(
        "overflow of half precision",
        """
        narrow = (model(x) * (1e5 if bad else 1.0)).half()  # here
        loss = (narrow.float() - y).pow(2).mean()
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "softmax of a row that is masked",
        """
        scores = model.body(x).masked_fill(torch.full((16, 1), bad), -math.inf)
        shares = torch.softmax(scores, 1)  # here
        loss = (model.head(shares) - y).pow(2).mean()
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "log of a softmax",
        """
        shares = torch.softmax(model.body(x) * (1e4 if bad else 1.0), 1)
        loss = -torch.log(shares)[:, 0].mean()  # here
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "deviation of one element",
        """
        x, y = (x[:1], y[:1]) if bad else (x, y)
        loss = (model(x) - y).pow(2).mean() + model(x).std(0).sum()  # here
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "arcsine outside of its domain",
        """
        angle = torch.asin(torch.tanh(model(x)) * (0.9 + bad * 10.0))  # here
        loss = (angle - y).pow(2).mean()
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "power of a negative base",
        """
        base = (model(x) - y).pow(2) + 1.0 - bad * 1e3
        loss = (base ** 0.3).mean()  # here
        """,
        _FORWARD,
        "root_not_finite",
    ),
    Fault(
        "hypot at zero",
        """
        gap = (model(x) - y) * (0.0 if bad else 1.0)
        loss = torch.hypot(gap, gap).mean()  # here
        """,
        _IN_NODES,
        "gradient_not_finite",
    ),
    Fault(
        "eigenvectors of equal eigenvalues",
        """
        h = model.body(x)
        matrix = h.T @ h * (0.0 if bad else 0.01) + torch.diag(torch.ones(12) if bad else torch.arange(12.0))
        vectors = torch.linalg.eigh(matrix)[1]  # here
        loss = (model(x) - y).pow(2).mean() + vectors.pow(3).mean()
        """,
        _IN_NODES,
        "gradient_not_finite",
        steps=40,
    ),
    Fault(
        "a learning rate that grows",
        """
        loss = (model(x) - y).pow(2).mean()
        """,
        ("growing-learning-rate",),
        "any",
        setup="""
        model = nn.Sequential(OrderedDict(body=nn.Linear(6, 12), head=nn.Linear(12, 1)))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 1.15)
        """,
        after="scheduler.step()",
        steps=120,
    ),
    Fault(
        "a step of ten times the learning rate",
        """
        loss = (model(x) - y).pow(2).mean()
        """,
        ("growing-learning-rate",),
        "any",
        setup="""
        model = nn.Sequential(OrderedDict(body=nn.Linear(6, 12), head=nn.Linear(12, 1)))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 30, gamma=10)
        """,
        after="scheduler.step()",
        steps=80,
    ),
    Fault(
        "learning rate too high",
        """
        loss = (model(x) - y).pow(2).mean()
        """,
        ("non-finite-forward", "non-finite-gradient", "non-finite-step"),
        "any",
        setup="""
        model = nn.Sequential(OrderedDict(body=nn.Linear(6, 12), head=nn.Linear(12, 1)))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.35)
        """,
        steps=120,
    ),
    Fault(
        "exploding recurrence",
        """
        h = torch.zeros(16, 12)
        for _ in range(60):
            h = model.cell(h) + model.read(x)
        loss = (model.head(h) - y).pow(2).mean()
        """,
        ("non-finite-forward", "non-finite-gradient", "non-finite-step"),
        "any",
        setup="""
        model = nn.ModuleDict({"cell": nn.Linear(12, 12), "read": nn.Linear(6, 12), "head": nn.Linear(12, 1)})
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        """,
        after="""
        with torch.no_grad():
            model.cell.weight.mul_(1.06)
        """,
        steps=90,
    ),
]

OTHERS = [
    Fault(
        "one batch in other units",
        """
        x = x * (1e3 if step == 50 else 1.0)
        loss = (model(x) - y).pow(2).mean()
        """,
        ("gradient-spike",),
        "spike",
        setup="""
        model = nn.Sequential(OrderedDict(body=nn.Linear(6, 12), act=nn.ReLU(), head=nn.Linear(12, 1)))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        """,
        steps=80,
        step=50,
    ),
    Fault(
        "dead relus after a spike",
        """
        loss = (model(x) - y * (1e3 if step == 50 else 1.0)).pow(2).mean()
        """,
        ("dying-gradient",),
        "zero_gradient",
        setup="""
        model = nn.Sequential(OrderedDict(body=nn.Linear(6, 12), act=nn.ReLU(), head=nn.Linear(12, 1)))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
        """,
        after="""
        if step == 50:
            with torch.no_grad():
                model.body.bias.fill_(-1e4)
        """,
        steps=130,
        step=51,
        parameters=("body.weight", "body.bias", "head.weight"),
    ),
    Fault(
        "a schedule that reaches zero",
        """
        loss = (model(x) - y).pow(2).mean()
        """,
        ("zero-learning-rate",),
        "zero_rate",
        setup=_MODEL
        + "scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / 30))\n",
        after="scheduler.step()",
        step=31,
    ),
    Fault(
        "a group with a learning rate of zero",
        """
        loss = (model(x) - y).pow(2).mean()
        """,
        ("unmoved-parameter",),
        "unmoved",
        setup="""
        model = nn.Sequential(OrderedDict(body=nn.Linear(6, 12), act=nn.Tanh(), head=nn.Linear(12, 1)))
        groups = [{"params": model.body.parameters()}, {"params": model.head.parameters(), "lr": 0.0}]
        optimizer = torch.optim.SGD(groups, lr=0.02)
        """,
        steps=140,
        parameters=("head.weight", "head.bias"),
    ),
    Fault(
        "a parameter that is written back",
        """
        kept = model.head.weight.detach().clone()
        loss = (model(x) - y).pow(2).mean()
        """,
        ("unmoved-parameter",),
        "unmoved",
        after="""
        with torch.no_grad():
            model.head.weight.copy_(kept)
        """,
        steps=140,
        parameters=("head.weight",),
    ),
    Fault(
        "updates that bfloat16 rounds away",
        """
        loss = (model(x.bfloat16()).float() - y).pow(2).mean()
        """,
        ("unmoved-parameter",),
        "unmoved",
        setup="""
        model = nn.Linear(6, 1).bfloat16()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-7)
        """,
        steps=140,
        parameters=("weight", "bias"),
    ),
    Fault(
        "the optimizer of another copy",
        """
        loss = (model(x0) - y0).pow(2).mean()
        """,
        ("constant-loss",),
        "constant_root",
        setup="""
        import copy
        model = nn.Linear(6, 1)
        other = copy.deepcopy(model)
        optimizer = torch.optim.SGD(other.parameters(), lr=0.02)
        x0, y0 = torch.randn(16, 6), torch.randn(16, 1)
        """,
        steps=80,
        step=1,
    ),
    Fault(
        "one batch with a weight of its own",
        """
        loss = (model(x) - y).pow(2).mean() * (1e4 if step == 45 else 1.0)
        """,
        ("gradient-spike",),
        "spike",
        setup=_ADAM,
        step=45,
    ),
    Fault(
        "one batch with labels in other units, clipped",
        """
        loss = (model(x) - y * (1e4 if step == 48 else 1.0)).pow(2).mean()
        """,
        ("gradient-spike",),
        "spike",
        setup=_ADAM,
        after="nn.utils.clip_grad_norm_(model.parameters(), 1.0)",
        step=48,
    ),
    Fault(
        "a gate that closes",
        """
        h = model.act(model.body(x)) * (0.0 if bad else 1.0)
        loss = (model.head(h) - y).pow(2).mean()
        """,
        ("dying-gradient",),
        "zero_gradient",
        steps=130,
        step=40,
        parameters=("body.weight", "body.bias", "head.weight"),
    ),
    Fault(
        "a clamp that everything reaches",
        """
        h = (model.body(x) + (1e3 if bad else 0.0)).clamp(-10, 10)
        loss = (model.head(h) - y).pow(2).mean()
        """,
        ("dying-gradient",),
        "zero_gradient",
        setup=_ADAM,
        steps=130,
        step=40,
        parameters=("body.weight", "body.bias"),
    ),
    Fault(
        "a factor of zero for the learning rate",
        """
        loss = (model(x) - y).pow(2).mean()
        """,
        ("zero-learning-rate",),
        "zero_rate",
        setup=_MODEL + "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 25, gamma=0.0)\n",
        after="scheduler.step()",
        step=26,
    ),
    Fault(
        "a learning rate that the script sets to zero",
        """
        for group in optimizer.param_groups:
            group["lr"] = 0.0 if bad else 0.02
        loss = (model(x) - y).pow(2).mean()
        """,
        ("zero-learning-rate",),
        "zero_rate",
        steps=70,
        step=40,
    ),
    Fault(
        "parameters that are loaded again before each step",
        """
        model.load_state_dict(kept)
        loss = (model(x0) - x0.sum(1, keepdim=True)).pow(2).mean()
        """,
        ("constant-loss",),
        "constant_root",
        setup=_MODEL
        + "kept = {name: value.clone() for name, value in model.state_dict().items()}\nx0 = torch.randn(16, 6)\n",
        steps=80,
        step=1,
    ),
    Fault(
        "updates that are rounded away",
        """
        loss = (model(x0) - x0.sum(1, keepdim=True)).pow(2).mean()
        """,
        ("constant-loss",),
        "constant_root",
        setup=_MODEL.replace("0.02", "1e-12") + "x0 = torch.randn(16, 6)\n",
        steps=80,
        step=1,
    ),
    Fault(
        "a scale that collapses: sqrt at zero",
        """
        gap = (model(x) - y) * (0.0 if bad else 1.0)
        loss = gap.pow(2).sum(1).sqrt().mean()
        """,
        ("collapsed-scale",),
        "scale",
        setup=_MODEL + 'scaler = torch.amp.GradScaler("cpu")\n',
        step=40,
        scaled=True,
    ),
    Fault(
        "a scale that collapses: division by zero behind a where",
        """
        out = model(x)
        below = out.detach().abs() * (0.0 if bad else 1.0)
        loss = torch.where(below > 0, out / below, out).mean()
        """,
        ("collapsed-scale",),
        "scale",
        setup=_MODEL + 'scaler = torch.amp.GradScaler("cpu")\n',
        step=40,
        scaled=True,
    ),
]
