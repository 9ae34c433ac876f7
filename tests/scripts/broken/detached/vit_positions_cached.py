# expect: detached
# line: 18 or 20
# harmed: position.weight

import torch
import torch.nn as nn


class PatchClassifier(nn.Module):
    def __init__(self, patches=9, width=12, classes=3):
        super().__init__()
        self.patch = nn.Linear(4, width)
        self.position = nn.Embedding(patches, width)
        self.attn = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    @torch.inference_mode()
    def positions(self, count):
        return self.position(torch.arange(count))

    def forward(self, patches):
        x = self.patch(patches) + self.positions(patches.shape[1])
        h = self.norm(x)
        x = x + self.attn(h, h, h, need_weights=False)[0]
        return self.head(x.mean(dim=1))


torch.manual_seed(0)
model = PatchClassifier()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
images = torch.randn(10, 9, 4)
labels = torch.randint(0, 3, (10,))
for epoch in range(3):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
