# expect: step-without-effect
# line: 16
# harmed: *

"""The learning rate comes from a table of settings, where it was rounded."""
import torch
from torch import nn

SETTINGS = {"rate": round(0.003, 2), "width": 12}


def main():
    torch.manual_seed(1)
    width = SETTINGS["width"]
    model = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=SETTINGS["rate"])
    for step in range(4):
        x = torch.randn(16, 3)
        loss = (model(x) - x[:, :1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
