# expect: nothing

"""MAML on sine waves: an inner step with create_graph, the outer loss through it."""
import torch
import torch.nn as nn
from torch.func import functional_call


def sample_task():
    amplitude, phase = torch.rand(1) * 4 + 0.5, torch.rand(1) * 3.14

    def batch(n=10):
        x = torch.rand(n, 1) * 10 - 5
        return x, amplitude * torch.sin(x + phase)

    return batch


def adapt(model, params, x, y, lr=0.02, steps=2):
    for _ in range(steps):
        loss = nn.functional.mse_loss(functional_call(model, params, (x,)), y)
        grads = torch.autograd.grad(loss, list(params.values()), create_graph=True)
        params = {name: p - lr * g for (name, p), g in zip(params.items(), grads)}
    return params


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 1))
meta_optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
tasks = [sample_task() for _ in range(3)]
for iteration in range(4):
    meta_loss = 0.0
    for task in tasks:
        fast = adapt(model, dict(model.named_parameters()), *task())
        x, y = task()
        meta_loss = meta_loss + nn.functional.mse_loss(functional_call(model, fast, (x,)), y)
    meta_optimizer.zero_grad()
    meta_loss.backward()
    meta_optimizer.step()
    print(iteration, meta_loss.item() / len(tasks))
