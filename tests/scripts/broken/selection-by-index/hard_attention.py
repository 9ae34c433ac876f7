# expect: selection-by-index
# line: 17
# harmed: look.*

"""Hard attention: the two patches with the best scores are classified."""
import torch
from torch import nn


class Glimpse(nn.Module):
    def __init__(self):
        super().__init__()
        self.look, self.read = nn.Linear(10, 1), nn.Linear(10, 3)

    def forward(self, patches):
        scores = self.look(patches).squeeze(2)
        best = scores.topk(2, dim=1).indices
        seen = torch.stack([patch[chosen] for patch, chosen in zip(patches, best, strict=True)])
        return self.read(seen).mean(dim=1)


def main():
    torch.manual_seed(0)
    model = Glimpse()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(3):
        patches, labels = torch.randn(8, 6, 10), torch.randint(3, (8,))
        loss = nn.functional.cross_entropy(model(patches), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
