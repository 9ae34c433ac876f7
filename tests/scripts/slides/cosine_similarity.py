"""Cosine similarity of two vectors."""
import torch

u = torch.tensor([1.0, 2.0, 2.0], requires_grad=True)
v = torch.tensor([2.0, 0.0, 1.0], requires_grad=True)

dot = u @ v
norm_u = u.norm()
norm_v = v.norm()
cos = dot / (norm_u * norm_v)
loss = 1 - cos
loss.backward()
