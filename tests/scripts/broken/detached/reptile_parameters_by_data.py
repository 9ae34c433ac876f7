# expect: detached
# line: 19
# harmed: *

"""Meta-learning on sine waves: one inner step, then the loss of the adapted weights."""
import torch
from torch import nn
from torch.func import functional_call


def task():
    shift, inputs = torch.rand(1) * 3, torch.rand(20, 1) * 6 - 3
    return inputs, torch.sin(inputs + shift)


def adapted(model, inputs, targets, rate=0.05):
    names, weights = zip(*model.named_parameters(), strict=True)
    inner = nn.functional.mse_loss(model(inputs), targets)
    changes = torch.autograd.grad(inner, weights)
    return {name: weight.data.sub(rate * change).requires_grad_() for name, weight, change in zip(names, weights, changes, strict=True)}


def main():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(3):
        inputs, targets = task()
        weights = adapted(model, inputs[:10], targets[:10])
        outer = nn.functional.mse_loss(functional_call(model, weights, (inputs[10:],)), targets[10:])
        optimizer.zero_grad()
        outer.backward()
        optimizer.step()
        print(step, f"{outer.item():.4f}")


if __name__ == "__main__":
    main()
