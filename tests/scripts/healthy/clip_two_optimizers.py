# expect: nothing

"""Two towers, two optimizers, a learnable temperature in log space."""
import math

import torch
import torch.nn.functional as F
from torch import nn


class CLIP(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.vision = nn.Sequential(nn.Linear(12, 16), nn.GELU(), nn.Linear(16, dim))
        self.text = nn.Sequential(nn.EmbeddingBag(30, 16), nn.Linear(16, dim))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, image, tokens):
        v = F.normalize(self.vision(image), dim=-1)
        t = F.normalize(self.text(tokens), dim=-1)
        return self.logit_scale.exp() * v @ t.t()


torch.manual_seed(0)
model = CLIP()
vision_opt = torch.optim.SGD([*model.vision.parameters(), model.logit_scale], lr=0.02, momentum=0.9)
text_opt = torch.optim.Adam(model.text.parameters(), lr=5e-3)
image, tokens = torch.randn(10, 12), torch.randint(0, 30, (10, 5))
target = torch.arange(10)
for step in range(6):
    logits = model(image, tokens)
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.t(), target)) / 2
    for opt in (vision_opt, text_opt):
        opt.zero_grad()
    loss.backward()
    for opt in (vision_opt, text_opt):
        opt.step()
    with torch.no_grad():
        model.logit_scale.clamp_(0, math.log(100))
    print(step, loss.item())
