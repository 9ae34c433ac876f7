# expect: nothing

"""All steps of a recurrent net run first; then each loss is differentiated by itself, to compare their gradients."""
import torch
from torch import nn


def main():
    torch.manual_seed(0)
    cell, head = nn.GRUCell(1, 8), nn.Linear(8, 1)
    optimizer = torch.optim.Adam([*cell.parameters(), *head.parameters()], lr=1e-2)
    series = torch.sin(torch.arange(40) / 3)
    for epoch in range(2):
        state, losses = torch.zeros(1, 8), []
        for step in range(5):
            state = cell(series[step].view(1, 1), state)
            losses.append((head(state) - series[step + 1]).square().mean())
        optimizer.zero_grad()
        for loss in losses:
            loss.backward(retain_graph=True)
        optimizer.step()
        print(epoch, f"{sum(losses).item():.4f}")


if __name__ == "__main__":
    main()
