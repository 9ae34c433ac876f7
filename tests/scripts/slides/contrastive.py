"""InfoNCE with cosine similarity, one pair against two others."""
import torch
import torch.nn.functional as F

z = torch.tensor([1.0, 0.5], requires_grad=True)
keys = torch.tensor([[0.9, 0.6], [-0.3, 1.0], [0.2, -1.0]])
u = z / z.norm()
scores = keys @ u / 0.5
loss = F.cross_entropy(scores.unsqueeze(0), torch.tensor([0]))
loss.backward()
