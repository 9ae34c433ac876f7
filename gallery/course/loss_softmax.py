"""Softmax and cross-entropy by hand: the gradient of the logits is p − y."""
import torch

y = torch.tensor([0.0, 1.0, 0.0])
z = torch.tensor([2.0, 1.0, 0.1], requires_grad=True)
p = torch.exp(z) / torch.exp(z).sum()
loss = -(y * torch.log(p)).sum()
loss.backward()
