"""The loss after one step of Adam, as a function of the weight before it."""
import torch

w = torch.tensor(1.5, requires_grad=True)
lr = torch.tensor(0.1, requires_grad=True)
g = 2 * (w - 3)
m = 0.1 * g / (1 - 0.9)
v = 0.001 * g**2 / (1 - 0.999)
w_new = w - lr * m / (torch.sqrt(v) + 1e-8)
loss = (w_new - 3) ** 2
loss.backward()
