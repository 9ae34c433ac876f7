"""torch's layer_norm: one Node for the mean, the variance, the scale and the shift."""
import torch
from torch.nn import functional as F

x = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
gamma = torch.tensor([1.0, 1.0, 2.0], requires_grad=True)
beta = torch.tensor([0.0, 0.5, 0.0], requires_grad=True)
y = F.layer_norm(x, (3,), gamma, beta)
loss = (y**2).sum()
loss.backward()
