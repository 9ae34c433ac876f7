# expect: not-in-optimizer
# line: 29
# harmed: cls_token, pos_embed

"""A tiny ViT with decoupled weight decay for the matrices only."""
import torch
from torch import nn


class TinyViT(nn.Module):
    def __init__(self, patches=9, width=16, classes=3):
        super().__init__()
        self.patch_embed = nn.Linear(4, width)
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, patches + 1, width))
        self.block = nn.TransformerEncoderLayer(width, 2, 32, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(width, classes)

    def forward(self, patches):
        x = self.patch_embed(patches)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        return self.head(self.block(x)[:, 0])


def build_optimizer(model, lr=1e-3, weight_decay=0.05):
    decay = [p for n, p in model.named_parameters() if n.endswith("weight") and p.ndim > 1]
    no_decay = [p for n, p in model.named_parameters() if n.endswith("bias") or "norm" in n]
    groups = [{"params": decay, "weight_decay": weight_decay}, {"params": no_decay, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr)


torch.manual_seed(0)
model = TinyViT()
optimizer = build_optimizer(model)
x, y = torch.randn(12, 9, 4), torch.randint(0, 3, (12,))
for epoch in range(3):
    model.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
