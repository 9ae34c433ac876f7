"""One attention head on two tokens of two numbers."""
import torch

X = torch.tensor([[1.0, 0.0], [0.5, -1.0]])
Wq = torch.tensor([[0.2, 0.5], [-0.3, 0.8]], requires_grad=True)
Wk = torch.tensor([[0.6, -0.1], [0.4, 0.3]], requires_grad=True)
Wv = torch.tensor([[1.0, 0.2], [-0.5, 0.7]], requires_grad=True)
Q, K, V = X @ Wq, X @ Wk, X @ Wv
A = torch.softmax(Q @ K.T / 2**0.5, dim=-1)
Y = A @ V
loss = (Y**2).sum()
loss.backward()
