"""The loss of a variational autoencoder on one number: reconstruction and divergence."""
import torch

x, eps = torch.tensor(0.9), torch.tensor(0.4)
we, be = torch.tensor(0.6, requires_grad=True), torch.tensor(-0.1, requires_grad=True)
ws = torch.tensor(-0.5, requires_grad=True)
wd = torch.tensor(1.3, requires_grad=True)
mu = we * x + be
logvar = ws * x
z = mu + torch.exp(0.5 * logvar) * eps
x_hat = wd * z
reconstruction = (x - x_hat) ** 2
divergence = -0.5 * (1 + logvar - mu**2 - torch.exp(logvar))
loss = reconstruction + divergence
loss.backward()
