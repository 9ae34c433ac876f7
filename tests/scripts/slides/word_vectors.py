"""Skip-gram with two negative samples."""
import torch

v = torch.tensor([0.5, -0.3, 0.8], requires_grad=True)
u_pos = torch.tensor([0.4, 0.1, 0.6], requires_grad=True)
u_neg = torch.tensor([[0.2, 0.9, -0.4], [-0.7, 0.3, 0.1]], requires_grad=True)
pos = torch.log(torch.sigmoid(u_pos @ v))
neg = torch.log(torch.sigmoid(-(u_neg @ v))).sum()
loss = -(pos + neg)
loss.backward()
