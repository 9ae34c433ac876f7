# expect: nothing

"""Fit a small network with L-BFGS."""
import torch
import torch.nn as nn


def main():
    torch.manual_seed(0)
    x = torch.linspace(-2, 2, 40).unsqueeze(1)
    y = torch.sin(2 * x)
    model = nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 1))
    criterion = nn.MSELoss()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.8, max_iter=5, history_size=5)

    def closure():
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        return loss

    for step in range(4):
        loss = optimizer.step(closure)
        print(f"step {step}: {loss.item():.6f}")


main()
