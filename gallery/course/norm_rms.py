"""RMS normalisation: a vector divided by the root of its mean square."""
import torch

x = torch.tensor([3.0, 4.0], requires_grad=True)
g = torch.tensor([1.0, 0.5], requires_grad=True)
rms = torch.sqrt((x**2).mean())
y = g * x / rms
loss = y.sum()
loss.backward()
