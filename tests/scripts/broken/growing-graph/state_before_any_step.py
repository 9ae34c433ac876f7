# expect: growing-graph
# line: 25
# harmed: *

"""Predicts the next value of a series, and prints how large the gradients are before anything is trained."""
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
    series, state = torch.sin(torch.arange(40) / 3), torch.zeros(1, 8)
    for step in range(8):
        model.zero_grad()
        state = model.cell(series[step].view(1, 1), state)
        loss = (model.head(state) - series[step + 1]).square().mean()
        loss.backward(retain_graph=True)
        print(step, f"{model.head.weight.grad.norm().item():.4f}")


if __name__ == "__main__":
    main()
