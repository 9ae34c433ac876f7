# expect: nothing

"""Twelve pre-norm layers: norms over depth stay level."""
import torch
from torch import nn


class PreNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, 2, dropout=0.1, batch_first=True)
        self.ff = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attn(h, h, h, need_weights=False)[0]
        return x + self.ff(self.norm2(x))


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), *(PreNorm(16) for _ in range(12)), nn.LayerNorm(16), nn.Linear(16, 4))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
x = torch.randn(8, 10, 4).cumsum(dim=1)
for step in range(4):
    loss = nn.functional.smooth_l1_loss(model(x[:, :-1]), x[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
