"""REINFORCE: the log-probability of the chosen action, times the advantage."""
import torch

theta = torch.tensor([[0.2, -0.1], [0.4, 0.3], [-0.5, 0.1]], requires_grad=True)
state = torch.tensor([1.0, 2.0])
reward, baseline = 3.0, 1.0
logits = theta @ state
log_p = torch.log_softmax(logits, dim=0)[1]
loss = -(reward - baseline) * log_p
loss.backward()
