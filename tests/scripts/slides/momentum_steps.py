"""Three steps of gradient descent with momentum, differentiated through."""
import torch

lr = torch.tensor(0.1, requires_grad=True)
beta = torch.tensor(0.9, requires_grad=True)
w = torch.tensor(2.0)
v = torch.tensor(0.0)

for step in range(3):
    g = 2 * w
    v = beta * v + g
    w = w - lr * v
loss = w ** 2
loss.backward()
