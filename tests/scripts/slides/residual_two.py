"""Two residual blocks: the gradient takes the shortcut."""
import torch

x = torch.tensor([1.0, -1.0], requires_grad=True)
W1 = torch.tensor([[0.1, 0.2], [-0.3, 0.4]], requires_grad=True)
W2 = torch.tensor([[0.5, -0.1], [0.2, 0.3]], requires_grad=True)


def block(x, W):
    return x + torch.relu(W @ x)


h1 = block(x, W1)
h2 = block(h1, W2)
loss = h2.sum()
loss.backward()
