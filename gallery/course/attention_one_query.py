"""One query looks at two keys: softmax of the scores weighs the values."""
import torch

q = torch.tensor([1.0, 0.5], requires_grad=True)
K = torch.tensor([[1.0, 0.0], [0.0, 2.0]], requires_grad=True)
v = torch.tensor([3.0, -1.0], requires_grad=True)
a = torch.softmax(K @ q, dim=0)
y = a @ v
y.backward()
