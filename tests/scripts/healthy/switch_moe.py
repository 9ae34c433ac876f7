# expect: nothing

"""A switch layer: each token goes to one expert; some experts get no token in the first steps."""
import torch
from torch import nn
from torch.nn import functional as F


class Switch(nn.Module):
    def __init__(self, width=8, experts=6):
        super().__init__()
        self.router = nn.Linear(width, experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, width)) for _ in range(experts)
        )

    def forward(self, x):
        gates = self.router(x).softmax(-1)
        gate, chosen = gates.max(-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            rows = (chosen == number).nonzero(as_tuple=True)[0]
            if len(rows):
                out[rows] = gate[rows, None] * expert(x[rows])
        share = F.one_hot(chosen, len(self.experts)).float().mean(0)
        return x + out, len(self.experts) * (share * gates.mean(0)).sum()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.layers = nn.Embedding(20, 8), nn.ModuleList([Switch(), Switch()])
        self.head = nn.Linear(8, 20)

    def forward(self, tokens):
        x, balance = self.embed(tokens).flatten(0, 1), 0.0
        for layer in self.layers:
            x, loss = layer(x)
            balance = balance + loss
        return self.head(x), balance


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(5):
    tokens = torch.randint(0, 20, (2, 6))
    logits, balance = model(tokens)
    loss = F.cross_entropy(logits, tokens.roll(-1, 1).flatten()) + 0.01 * balance
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
