"""Focal loss of one example: easy ones count less."""
import torch

w = torch.tensor([0.5, -1.0], requires_grad=True)
x = torch.tensor([2.0, 0.3])
gamma = 2.0

p = torch.sigmoid(w @ x)
loss = -((1 - p) ** gamma) * torch.log(p)
loss.backward()
