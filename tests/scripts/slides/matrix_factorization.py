"""A rating as a product of two vectors, with regularization."""
import torch

user = torch.tensor([0.8, -0.2], requires_grad=True)
item = torch.tensor([1.1, 0.4], requires_grad=True)
bu, bi = torch.tensor(0.1, requires_grad=True), torch.tensor(-0.3, requires_grad=True)
rating = 3.5
prediction = user @ item + bu + bi + 3.0
loss = (rating - prediction) ** 2 + 0.1 * (user @ user + item @ item)
loss.backward()
