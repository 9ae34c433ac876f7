# expect: nothing

"""An optimizer of the script that moves by signs, with a step size of its own and a learning rate of 0."""
import torch
from torch import nn


class Signs(torch.optim.Optimizer):
    def __init__(self, params, size=0.01):
        super().__init__(params, {"lr": 0.0, "size": size})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                weight -= group["size"] * weight.grad.sign()


def main():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = Signs(model.parameters())
    for step in range(4):
        loss = (model(torch.randn(16, 3)) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}")


if __name__ == "__main__":
    main()
