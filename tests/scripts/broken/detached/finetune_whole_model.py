# expect: detached
# line: 27 or 28
# harmed: backbone.*

"""Fine-tune a (pretend pretrained) encoder and its head together."""
import torch
from torch import nn


class Backbone(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.proj = nn.Linear(6, width)
        self.layer = nn.TransformerEncoderLayer(width, 4, 32, dropout=0.0, batch_first=True)

    def forward(self, x):
        return self.layer(self.proj(x))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        with torch.no_grad():
            feats = self.backbone(x)
        return self.head(feats.mean(dim=1))


torch.manual_seed(0)
model = Classifier()
optimizer = torch.optim.AdamW(
    [
        {"params": model.backbone.parameters(), "lr": 1e-4},
        {"params": model.head.parameters(), "lr": 1e-2},
    ]
)
x = torch.randn(12, 5, 6)
y = torch.randint(0, 3, (12,))
for step in range(4):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    print(f"step {step}: {loss.item():.4f}")
