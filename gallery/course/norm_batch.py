"""Batch normalisation by hand, with scale γ and shift β."""
import torch

x = torch.tensor([1.0, 3.0, 5.0, 3.0])
w = torch.tensor(0.7, requires_grad=True)
gamma = torch.tensor(1.5, requires_grad=True)
beta = torch.tensor(0.2, requires_grad=True)
z = w * x
z_hat = (z - z.mean()) / (z.var(unbiased=False) + 0.01).sqrt()
loss = ((gamma * z_hat + beta) ** 3).mean()
loss.backward()
