# expect: nothing

"""Top-1 mixture of experts: in most batches some experts get no token."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class MoE(nn.Module):
    def __init__(self, width=8, experts=6):
        super().__init__()
        self.router = nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 16), nn.GELU(), nn.Linear(16, width)) for _ in range(experts)
        )

    def forward(self, x):
        probs = F.softmax(self.router(x), dim=-1)
        gate, index = probs.max(dim=-1)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            chosen = (index == i).nonzero().squeeze(1)
            if len(chosen):
                out = out.index_add(0, chosen, gate[chosen, None] * expert(x[chosen]))
        load = F.one_hot(index, len(self.experts)).float().mean(dim=0)
        balance = len(self.experts) * (load * probs.mean(dim=0)).sum()
        return x + out, balance


torch.manual_seed(3)
inp, moe, out = nn.Linear(4, 8), MoE(), nn.Linear(8, 1)
model = nn.ModuleList([inp, moe, out])
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
x = torch.randn(10, 4)
y = x.abs().sum(dim=1, keepdim=True)
for step in range(6):
    h, balance = moe(torch.tanh(inp(x)))
    loss = F.mse_loss(out(h), y) + 0.01 * balance
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
