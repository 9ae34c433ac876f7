# expect: optimizer-never-steps
# line: 13
# harmed: *

"""Gradients are accumulated over a hundred batches, of which there are twelve."""
import torch
from torch import nn


def main():
    torch.manual_seed(2)
    model = nn.GRU(3, 4, batch_first=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for number in range(1, 13):
        out, _ = model(torch.randn(2, 5, 3))
        loss = out.square().mean() / 100
        loss.backward()
        if number % 100 == 0:
            optimizer.step()
            optimizer.zero_grad()
    print(f"{loss.item():.6f}")


if __name__ == "__main__":
    main()
