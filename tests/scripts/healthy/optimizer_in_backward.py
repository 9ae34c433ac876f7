# expect: nothing

"""The optimizer runs inside the backward pass, so that no gradient is kept."""
import torch
import torch.nn as nn


def optimize_in_backward(model, **options):
    optimizers = {p: torch.optim.AdamW([p], foreach=False, **options) for p in model.parameters()}

    def hook(parameter):
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for p in model.parameters():
        p.register_post_accumulate_grad_hook(hook)
    return optimizers


torch.manual_seed(0)
x = torch.randn(32, 5)
y = torch.tanh(x @ torch.randn(5, 2))
model = nn.Sequential(nn.Linear(5, 24), nn.SiLU(), nn.Linear(24, 2))
optimize_in_backward(model, lr=1e-2)
for step in range(6):
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    print(step, loss.item())
