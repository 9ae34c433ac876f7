"""Two steps of gradient descent on f = (w − 3)², by hand."""
import torch

w = torch.tensor(1.0, requires_grad=True)
for _ in range(2):
    f = (w - 3) ** 2
    f.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
    w.grad = None
