# expect: wrong-backward
# line: 10 or 18 or 23 or 33
# harmed: *
# options: --gradcheck

import torch
import torch.nn as nn


class RMSNormFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gain, eps):
        inv = torch.rsqrt(x.pow(2).mean(dim=-1, keepdim=True) + eps)
        ctx.save_for_backward(x, gain, inv)
        return gain * x * inv

    @staticmethod
    def backward(ctx, grad):
        x, gain, inv = ctx.saved_tensors
        normed = x * inv
        grad_gain = (grad * normed).flatten(0, -2).sum(dim=0)
        grad_x = grad * gain * inv
        return grad_x, grad_gain, None


class RMSNorm(nn.Module):
    def __init__(self, width, eps=1e-6):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        return RMSNormFunction.apply(x, self.gain, self.eps)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(width), RMSNorm(width)
        self.attn = nn.MultiheadAttention(width, 2, batch_first=True)
        self.ff = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attn(h, h, h, need_weights=False)[0]
        return x + self.ff(self.norm2(x))


torch.manual_seed(0)
inp, block, out = nn.Linear(3, 8), Block(8), nn.Linear(8, 1)
params = [p for m in (inp, block, out) for p in m.parameters()]
optimizer = torch.optim.AdamW(params, lr=2e-3)
x = torch.randn(6, 4, 3)
y = x.sum(dim=(1, 2)).unsqueeze(1)
for step in range(3):
    loss = nn.functional.mse_loss(out(block(inp(x)).mean(dim=1)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
