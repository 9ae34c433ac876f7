# expect: nothing

"""ReZero transformer with an extra zero-initialised control branch (as in ControlNet)."""
import torch
from torch import nn


class ReZeroLayer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, 2, batch_first=True)
        self.ff = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.alpha = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        x = x + self.alpha * self.attn(x, x, x, need_weights=False)[0]
        return x + self.alpha * self.ff(x)


class Controlled(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.inp = nn.Linear(4, width)
        self.control = nn.Linear(3, width)
        self.zero = nn.Linear(width, width)
        nn.init.zeros_(self.zero.weight)
        nn.init.zeros_(self.zero.bias)
        self.layers = nn.ModuleList(ReZeroLayer(width) for _ in range(2))
        self.out = nn.Linear(width, 1)

    def forward(self, x, c):
        h = self.inp(x) + self.zero(torch.tanh(self.control(c))).unsqueeze(1)
        for layer in self.layers:
            h = layer(h)
        return self.out(h.mean(dim=1))


torch.manual_seed(0)
model = Controlled()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
x, c = torch.randn(16, 5, 4), torch.randn(16, 3)
y = x.mean(dim=(1, 2)).unsqueeze(1) + c[:, :1]
for step in range(6):
    loss = nn.functional.mse_loss(model(x, c), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
