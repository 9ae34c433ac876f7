"""A causal mask: the first token gets no gradient from the second."""
import torch

S = torch.tensor([[0.5, 1.0], [0.2, -0.4]], requires_grad=True)
V = torch.tensor([[1.0], [2.0]], requires_grad=True)
mask = torch.tensor([[0.0, -torch.inf], [0.0, 0.0]])
A = torch.softmax(S + mask, dim=-1)
loss = (A @ V).sum()
loss.backward()
