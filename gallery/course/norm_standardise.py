"""Standardise three numbers: every input moves the mean and the variance."""
import torch

x = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
mu = x.mean()
var = ((x - mu) ** 2).mean()
x_hat = (x - mu) / torch.sqrt(var + 1e-5)
y = x_hat[2]
y.backward()
