"""A convolution in one dimension, window by window."""
import torch

x = torch.tensor([1.0, 2.0, -1.0, 0.5, 3.0])
k = torch.tensor([0.5, -1.0, 0.25], requires_grad=True)
bias = torch.tensor(0.1, requires_grad=True)

y = []
for i in range(3):
    y.append((x[i:i + 3] * k).sum() + bias)
out = torch.stack(y)
loss = (out ** 2).mean()
loss.backward()
