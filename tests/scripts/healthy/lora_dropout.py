# expect: nothing

"""LoRA on a frozen net, with dropout before the adapters, weights merged now and then."""
import torch
from torch import nn
from torch.nn import functional as F


class LoRA(nn.Module):
    def __init__(self, base, rank=2, alpha=4.0, p=0.3):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(rank, base.in_features) / rank)
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scale, self.dropout = alpha / rank, nn.Dropout(p)

    def forward(self, x):
        return self.base(x) + self.scale * F.linear(F.linear(self.dropout(x), self.a), self.b)

    @torch.no_grad()
    def merged(self):
        return self.base.weight + self.scale * self.b @ self.a


torch.manual_seed(0)
model = nn.Sequential(LoRA(nn.Linear(8, 16)), nn.GELU(), LoRA(nn.Linear(16, 4)))
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
for step in range(5):
    x, y = torch.randn(8, 8), torch.randint(0, 4, (8,))
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item(), model[0].merged().norm().item())
