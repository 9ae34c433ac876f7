# expect: nothing

"""Two towers with a learnt temperature and symmetric cross-entropy; metrics and an exponential mean are detached."""
import torch
from torch import nn
from torch.nn import functional as F


class Clip(nn.Module):
    def __init__(self):
        super().__init__()
        self.image = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 8))
        self.text = nn.EmbeddingBag(30, 8)
        self.log_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, images, words):
        image, text = F.normalize(self.image(images), dim=1), F.normalize(self.text(words), dim=1)
        return self.log_scale.clamp(max=4.6).exp() * image @ text.t()


torch.manual_seed(0)
model = Clip()
decay = [p for p in model.parameters() if p.ndim > 1]
rest = [p for p in model.parameters() if p.ndim <= 1]
optimizer = torch.optim.AdamW([{"params": decay}, {"params": rest, "weight_decay": 0.0}], lr=1e-3)
smooth = torch.zeros(())
for step in range(4):
    logits = model(torch.randn(8, 1, 8, 8), torch.randint(0, 30, (8, 5)))
    own = torch.arange(8)
    loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.t(), own)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    smooth = 0.9 * smooth + 0.1 * loss.detach()
    accuracy = (logits.detach().argmax(1) == own).float().mean()
    print(step, smooth.item(), accuracy.item())
