"""Three functions deep: y = √(1 + exp(−x))."""
import torch

x = torch.tensor(0.5, requires_grad=True)
e = torch.exp(-x)
y = torch.sqrt(1 + e)
y.backward()
