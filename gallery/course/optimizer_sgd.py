"""The same with torch.optim.SGD: backward, step, zero_grad."""
import torch

w = torch.tensor(1.0, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
for _ in range(2):
    f = (w - 3) ** 2
    f.backward()
    optimizer.step()
    optimizer.zero_grad()
