# expect: attribute-without-effect
# line: 15
# harmed: *

"""A segmentation head on a backbone that is meant to be frozen."""
import torch
from torch import nn


def main():
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU())
    head = nn.Conv2d(6, 2, 1)
    model = nn.Sequential(backbone, head)
    backbone.requires_grad = False
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(3):
        image, mask = torch.rand(2, 3, 8, 8), torch.randint(2, (2, 8, 8))
        loss = nn.functional.cross_entropy(model(image), mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
