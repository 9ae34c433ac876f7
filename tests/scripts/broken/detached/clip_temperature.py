# expect: detached
# line: 22
# harmed: logit_scale

import torch
import torch.nn as nn
import torch.nn.functional as F


class TwoTower(nn.Module):
    """Image and text towers with a learnable temperature."""

    def __init__(self):
        super().__init__()
        self.image = nn.Linear(12, 8)
        self.text = nn.Linear(10, 8)
        self.logit_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, image, text):
        a = F.normalize(self.image(image), dim=-1)
        b = F.normalize(self.text(text), dim=-1)
        scale = min(self.logit_scale.exp().item(), 100.0)
        return scale * a @ b.t()


def clip_loss(logits):
    target = torch.arange(len(logits))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.t(), target)) / 2


torch.manual_seed(4)
model = TwoTower()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
image, text = torch.randn(8, 12), torch.randn(8, 10)
for step in range(4):
    loss = clip_loss(model(image, text))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{step}: loss {loss.item():.4f} scale {model.logit_scale.exp().item():.2f}")
