"""A vision transformer of timm."""

import timm
import torch
import torch.nn.functional as F

torch.manual_seed(0)
model = timm.create_model("vit_tiny_patch16_224", img_size=64, num_classes=10, depth=6, drop_path_rate=0.1)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(2):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(torch.randn(2, 3, 64, 64)), torch.tensor([1, 2]))
    loss.backward()
    optimizer.step()
    print(f"{step} {loss.item():.4f}")
