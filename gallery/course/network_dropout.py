"""Dropout: a mask lets two of four through, on the way back as well."""
import torch

x = torch.tensor([1.0, 2.0, -1.0, 0.5], requires_grad=True)
mask = torch.tensor([1.0, 0.0, 1.0, 0.0])
h = x * mask / 0.5
loss = (h**2).sum()
loss.backward()
