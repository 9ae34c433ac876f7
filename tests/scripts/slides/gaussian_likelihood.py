"""The negative log-likelihood of a normal distribution."""
import math

import torch

data = torch.tensor([1.2, 0.7, 2.1])
mu = torch.tensor(1.0, requires_grad=True)
log_sigma = torch.tensor(0.0, requires_grad=True)
sigma = torch.exp(log_sigma)
nll = (0.5 * ((data - mu) / sigma) ** 2 + log_sigma + 0.5 * math.log(2 * math.pi)).sum()
nll.backward()
