# expect: growing-graph
# line: 25
# harmed: *

"""Predicts the next value of a series; gradients are accumulated over many steps before the first update."""
import torch
from torch import nn


class Predictor(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.GRUCell(1, 8), nn.Linear(8, 1)

    def forward(self, x, state):
        return self.cell(x, state)


def main():
    torch.manual_seed(0)
    model = Predictor()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    series, state = torch.sin(torch.arange(40) / 3), torch.zeros(1, 8)
    for step in range(8):
        state = model.cell(series[step].view(1, 1), state)
        loss = (model.head(state) - series[step + 1]).square().mean()
        loss.backward(retain_graph=True)
    optimizer.step()
    print(f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
