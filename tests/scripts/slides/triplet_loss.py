"""A triplet loss: anchor, positive, negative."""
import torch

W = torch.tensor([[0.5, -0.2], [0.3, 0.8]], requires_grad=True)
anchor, positive, negative = torch.tensor([1.0, 0.0]), torch.tensor([0.9, 0.2]), torch.tensor([0.5, 0.5])
a, p, n = W @ anchor, W @ positive, W @ negative
d_pos = ((a - p) ** 2).sum()
d_neg = ((a - n) ** 2).sum()
loss = torch.relu(d_pos - d_neg + 0.5)
loss.backward()
