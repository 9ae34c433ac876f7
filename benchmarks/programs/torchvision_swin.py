"""A Swin transformer of torchvision."""

import torch
import torch.nn.functional as F
import torchvision

torch.manual_seed(0)
model = torchvision.models.swin_t(num_classes=10)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(2):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(torch.randn(2, 3, 64, 64)), torch.tensor([1, 2]))
    loss.backward()
    optimizer.step()
    print(f"{step} {loss.item():.4f}")
