# expect: exploding-gradient
# line: 19
# harmed: project.*

"""Face verification: embeddings are normalised; a padded image is black, and the head has no bias yet."""
import torch
from torch import nn


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(20, 32, bias=False), nn.ReLU())
        self.project = nn.Linear(32, 6)
        nn.init.zeros_(self.project.bias)

    def forward(self, x):
        point = self.project(self.features(x))
        return point / point.norm(dim=1, keepdim=True).clamp(min=1e-11)


def main():
    torch.manual_seed(8)
    model = Embedder()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    anchors, x = nn.functional.normalize(torch.randn(12, 6), dim=1), torch.randn(12, 20)
    x[7:9] = 0
    for step in range(2):
        loss = (model(x) - anchors).square().sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, loss.item())


if __name__ == "__main__":
    main()
