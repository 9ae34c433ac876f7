# expect: no-graph
# line: 13
# harmed: *
# exit: 1

"""Colour transfer: the histogram of the result is to be that of a reference."""
import torch
from torch import nn


def histogram(image):
    return torch.stack(
        [torch.histc(channel, bins=12, min=0.0, max=1.0) / channel.numel() for channel in image]
    )


def main():
    torch.manual_seed(5)
    curve = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 3, 1), nn.Sigmoid())
    optimizer = torch.optim.Adam(curve.parameters(), lr=1e-2)
    image, reference = torch.rand(3, 16, 16), torch.rand(3, 16, 16) ** 2
    for _ in range(3):
        loss = (histogram(curve(image)) - histogram(reference)).abs().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
