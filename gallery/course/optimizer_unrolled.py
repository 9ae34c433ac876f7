"""Through a step of descent: how the learning rate changes the loss after it."""
import torch

lr = torch.tensor(0.1, requires_grad=True)
w = torch.tensor(2.0)
gradient = 2 * (w - 3)
w1 = w - lr*gradient
loss = (w1 - 3) ** 2
loss.backward()
