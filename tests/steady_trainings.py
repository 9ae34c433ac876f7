"""Long trainings that are healthy, although their numbers are not those of a textbook."""

from __future__ import annotations

_START = """
import math, torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)
"""

_SCRIPTS = {
    "warm-up from zero": """
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 100))
for step in range(250):
    x = torch.randn(16, 6)
    loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step(); schedule.step()
""",
    "cosine to zero": """
model = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 250)
for step in range(250):
    x = torch.randn(16, 6)
    loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step(); schedule.step()
""",
    "one-cycle": """
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=300)
for step in range(300):
    x = torch.randn(16, 6)
    loss = F.cross_entropy(model(x), x[:, :3].argmax(1))
    optimizer.zero_grad(); loss.backward(); optimizer.step(); schedule.step()
""",
    "adversarial": """
generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
for_generator = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.99))
for_critic = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.99))
ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)
for step in range(250):
    real, fake = torch.randn(32, 2) * 0.5 + 2, generator(torch.randn(32, 4))
    loss = F.binary_cross_entropy_with_logits(critic(real), ones)
    loss = loss + F.binary_cross_entropy_with_logits(critic(fake.detach()), zeros)
    for_critic.zero_grad(); loss.backward(); for_critic.step()
    loss = F.binary_cross_entropy_with_logits(critic(fake), ones)
    for_generator.zero_grad(); loss.backward(); for_generator.step()
""",
    "sparse rewards": """
policy = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
for step in range(300):
    states = torch.randn(10, 4)
    choice = torch.distributions.Categorical(logits=policy(states))
    actions = choice.sample()
    reward = float(step % 60 == 59) * 10
    loss = -(choice.log_prob(actions) * reward).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "curriculum": """
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(300):
    x = torch.randn(16, 6) * (1 + step // 100)
    loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "low-rank adapters": """
class Adapted(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(2, inner.in_features) * 0.1)
        self.up = nn.Parameter(torch.zeros(inner.out_features, 2))
    def forward(self, x):
        return self.inner(x) + x @ self.down.T @ self.up.T
model = nn.Sequential(Adapted(nn.Linear(6, 16)), nn.ReLU(), Adapted(nn.Linear(16, 1)))
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
for step in range(250):
    x = torch.randn(16, 6)
    loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "a margin that everything passes": """
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
x = torch.randn(32, 4)
sign = torch.sign(x[:, :1])
for step in range(300):
    loss = F.relu(1 - sign * model(x)).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "converged to the last bit": """
x = torch.randn(32, 3)
y = x @ torch.tensor([[1.0], [2.0], [3.0]]) + torch.randn(32, 1)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
for step in range(400):
    loss = (model(x) - y).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "accumulation and clipping": """
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(80):
    optimizer.zero_grad()
    for _ in range(4):
        x = torch.randn(16, 6)
        ((model(x) - x.sum(1, keepdim=True)).pow(2).mean() / 4).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
""",
    "closures": """
model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)
x = torch.randn(32, 3)
for step in range(60):
    def closure():
        optimizer.zero_grad()
        loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
        loss.backward()
        return loss
    optimizer.step(closure)
""",
    "layers that are released one after another": """
model = nn.ModuleDict({"body": nn.Linear(6, 16), "head": nn.Linear(16, 1)})
optimizer = torch.optim.SGD(model["head"].parameters(), lr=0.02)
for p in model["body"].parameters():
    p.requires_grad_(False)
for step in range(250):
    if step == 100:
        for p in model["body"].parameters():
            p.requires_grad_(True)
        optimizer.add_param_group({"params": model["body"].parameters(), "lr": 0.005})
    x = torch.randn(16, 6)
    loss = (model["head"](model["body"](x).relu()) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "two tasks, one after the other": """
model = nn.ModuleDict({"body": nn.Linear(6, 16), "first": nn.Linear(16, 1), "second": nn.Linear(16, 1)})
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(300):
    x = torch.randn(16, 6)
    head = model["first" if step < 150 else "second"]
    loss = (head(model["body"](x).relu()) - x.sum(1, keepdim=True)).pow(2).mean()
    loss = loss + 0.0 * sum(p.sum() for p in model["second"].parameters()) if step < 5 else loss
    optimizer.zero_grad(set_to_none=False); loss.backward(); optimizer.step()
""",
    "a bias before a batch norm": """
model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
for step in range(250):
    x = torch.randn(16, 6)
    loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "sequences of any length": """
embed, cell, head = nn.Embedding(20, 8, sparse=True), nn.GRUCell(8, 8), nn.Linear(8, 20)
dense = torch.optim.Adam([*cell.parameters(), *head.parameters()], lr=0.01)
sparse = torch.optim.SparseAdam(embed.parameters(), lr=0.01)
for step in range(150):
    tokens = torch.randint(20, (4, 3 + step % 4))
    h, loss = torch.zeros(4, 8), 0.0
    for now, then in zip(tokens.T, tokens.T[1:]):
        h = cell(embed(now), h)
        loss = loss + F.cross_entropy(head(h), then)
    dense.zero_grad(); sparse.zero_grad(); loss.backward(); dense.step(); sparse.step()
""",
    "a scaler that finds its place": """
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
for step in range(250):
    x = torch.randn(16, 6)
    loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean() * 10
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
""",
    "heavy tails": """
model = nn.Linear(6, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
for step in range(400):
    x = torch.randn(16, 6)
    noise = torch.distributions.StudentT(3.0).sample((16, 1))
    loss = (model(x) - x.sum(1, keepdim=True) - noise).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "without an optimizer": """
w, b = torch.randn(6, 1, requires_grad=True), torch.zeros(1, requires_grad=True)
for step in range(250):
    x = torch.randn(16, 6)
    loss = (x @ w + b - x.sum(1, keepdim=True)).pow(2).mean()
    loss.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= 0.05 * p.grad
            p.grad = None
""",
    "a new optimizer for each round": """
model = nn.Linear(6, 1)
for step in range(200):
    if step % 5 == 0:
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    x = torch.randn(16, 6)
    loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "the bias of a Wasserstein critic, which only the generator's loss moves": """
generator, critic = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
g_optimizer = torch.optim.RMSprop(generator.parameters(), 1e-3)
c_optimizer = torch.optim.RMSprop(critic.parameters(), 1e-3)
for step in range(120):
    real, fake = torch.randn(16, 2) + 2, generator(torch.randn(16, 2))
    c_optimizer.zero_grad(); (critic(fake.detach()).mean() - critic(real).mean()).backward(); c_optimizer.step()
    for weight in critic.parameters():
        weight.data.clamp_(-0.05, 0.05)
    if step % 3 == 0:
        g_optimizer.zero_grad(); (-critic(fake).mean()).backward(); g_optimizer.step()
""",
}

_MORE = {
    "warm restarts": """
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 40)
for step in range(200):
    x = torch.randn(16, 6)
    loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step(); schedule.step()
""",
    "dropout and noisy labels": """
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(200):
    x = torch.randn(8, 6)
    labels = torch.where(torch.rand(8) < 0.2, torch.randint(3, (8,)), x[:, :3].argmax(1))
    loss = F.cross_entropy(model(x), labels)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "a gradient penalty": """
critic = nn.Sequential(nn.Linear(2, 16), nn.Softplus(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3)
for step in range(150):
    x = torch.randn(16, 2, requires_grad=True)
    out = critic(x)
    slope, = torch.autograd.grad(out.sum(), x, create_graph=True)
    loss = (out - x.sum(1, keepdim=True)).pow(2).mean() + (slope.norm(dim=1) - 1).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "bfloat16 by autocast": """
model = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
for step in range(200):
    x = torch.randn(16, 6)
    with torch.autocast("cpu", torch.bfloat16):
        out = model(x)
    loss = (out.float() - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "a teacher that follows": """
import copy
student = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 4))
teacher = copy.deepcopy(student).requires_grad_(False)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
for step in range(200):
    x = torch.randn(16, 6)
    noisy = x + 0.1 * torch.randn_like(x)
    loss = F.mse_loss(student(noisy), teacher(x)) + F.cross_entropy(student(x), x[:, :4].argmax(1))
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    with torch.no_grad():
        for mine, its in zip(teacher.parameters(), student.parameters()):
            mine.lerp_(its, 0.05)
""",
    "a body that is frozen late": """
model = nn.ModuleDict({"body": nn.Linear(6, 16), "head": nn.Linear(16, 1)})
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(250):
    if step == 120:
        model["body"].requires_grad_(False)
    x = torch.randn(16, 6)
    loss = (model["head"](model["body"](x).relu()) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "a temperature that is learned": """
left, right = nn.Linear(6, 8), nn.Linear(6, 8)
scale = nn.Parameter(torch.tensor(2.0))
optimizer = torch.optim.Adam([*left.parameters(), *right.parameters(), scale], lr=0.01)
for step in range(200):
    x = torch.randn(16, 6)
    one, two = F.normalize(left(x), dim=1), F.normalize(right(x + 0.1 * torch.randn(16, 6)), dim=1)
    loss = F.cross_entropy(one @ two.T * scale.exp(), torch.arange(16))
    optimizer.zero_grad(); loss.backward(); optimizer.step()
""",
    "a sequence cut into pieces": """
cell, head = nn.LSTMCell(3, 8), nn.Linear(8, 3)
optimizer = torch.optim.RMSprop([*cell.parameters(), *head.parameters()], lr=0.005)
h, c = torch.zeros(4, 8), torch.zeros(4, 8)
for step in range(150):
    h, c, loss = h.detach(), c.detach(), 0.0
    for _ in range(4):
        x = torch.randn(4, 3)
        h, c = cell(x, (h, c))
        loss = loss + (head(h) - x).pow(2).mean()
    optimizer.zero_grad(); loss.backward()
    nn.utils.clip_grad_norm_(cell.parameters(), 0.5)
    optimizer.step()
""",
}

STEADY = {name: _START + body for name, body in (_SCRIPTS | _MORE).items()}
SLOW = frozenset(_MORE)
"""Those that only a long test run trains."""
