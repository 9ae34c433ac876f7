# expect: optimizer-never-steps
# line: 13
# harmed: *

"""An autoencoder that is trained for some epochs, or so its author thinks."""
import torch
from torch import nn


def main():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 2), nn.Tanh(), nn.Linear(2, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(5):
        x = torch.randn(20, 6)
        loss = nn.functional.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        print(epoch, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
