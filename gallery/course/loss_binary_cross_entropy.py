"""Binary cross-entropy: with a sigmoid before it, the gradient of the logit is p − t."""
import torch

t = torch.tensor(1.0)
z = torch.tensor(-0.4, requires_grad=True)
p = torch.sigmoid(z)
loss = -(t * torch.log(p) + (1 - t) * torch.log(1 - p))
loss.backward()
