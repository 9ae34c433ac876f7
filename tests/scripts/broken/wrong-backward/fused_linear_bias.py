# expect: wrong-backward
# line: 12 or 19 or 24 or 36
# harmed: *
# options: --gradcheck

"""Character model whose output layer is a fused linear Function."""
import torch
from torch import nn
from torch.autograd import Function


class FusedLinear(Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return torch.addmm(bias, x, weight.t())

    @staticmethod
    def backward(ctx, grad_out):
        x, weight = ctx.saved_tensors
        grad_x = grad_out @ weight
        grad_weight = grad_out.t() @ x
        grad_bias = grad_out.mean(dim=0)
        return grad_x, grad_weight, grad_bias


class CharGRU(nn.Module):
    def __init__(self, chars=12, hidden=10):
        super().__init__()
        self.embed = nn.Embedding(chars, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, chars)

    def forward(self, tokens):
        h, _ = self.gru(self.embed(tokens))
        return FusedLinear.apply(h.flatten(0, 1), self.out.weight, self.out.bias)


torch.manual_seed(0)
model = CharGRU()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
text = torch.randint(0, 12, (6, 9))
for epoch in range(3):
    loss = nn.functional.cross_entropy(model(text[:, :-1]), text[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
