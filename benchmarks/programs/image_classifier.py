"""An image classifier of timm or torchvision, by its name."""

import sys

import torch
import torch.nn.functional as F

library, name = sys.argv[1:]
torch.manual_seed(0)
if library == "timm":
    import timm

    sizes = {"img_size": 64, "depth": 6} if name.startswith("vit") else {}
    model = timm.create_model(name, num_classes=10, drop_path_rate=0.1, **sizes)
else:
    import torchvision

    model = torchvision.models.get_model(name, num_classes=10)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(2):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(torch.randn(2, 3, 64, 64)), torch.tensor([1, 2]))
    loss.backward()
    optimizer.step()
    print(f"{step} {loss.item():.4f}")
