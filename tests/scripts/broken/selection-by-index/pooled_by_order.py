# expect: selection-by-index
# line: 17
# harmed: rank.*

"""Graph pooling: nodes are sorted by a learnt rank before the readout."""
import torch
from torch import nn


class SortPool(nn.Module):
    def __init__(self):
        super().__init__()
        self.rank = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
        self.readout = nn.Linear(15, 2)

    def forward(self, nodes):
        values, order = self.rank(nodes).squeeze(1).sort(descending=True)
        return self.readout(nodes[order[:3]].flatten())


def main():
    torch.manual_seed(2)
    model = SortPool()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(3):
        nodes, label = torch.randn(7, 5), torch.randint(2, ())
        loss = nn.functional.cross_entropy(model(nodes), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
