"""Weight decay: a second path from the loss to the weight."""
import torch

x, t = torch.tensor(2.0), torch.tensor(1.0)
w = torch.tensor(1.5, requires_grad=True)
error = (w*x - t) ** 2
penalty = 0.1 * w**2
loss = error + penalty
loss.backward()
