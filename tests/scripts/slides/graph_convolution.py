"""One layer of a graph convolution on three nodes."""
import torch

A = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
D = torch.diag(A.sum(1) ** -0.5)
X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
W = torch.tensor([[0.4, -0.6], [0.7, 0.2]], requires_grad=True)
H = torch.relu(D @ A @ D @ X @ W)
score = H.mean(dim=0).max()
score.backward()
