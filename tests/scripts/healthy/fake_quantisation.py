# expect: nothing

"""Quantisation-aware training with fake-quantised weights and activations."""
import torch
import torch.nn as nn


class FakeQuantize(nn.Module):
    def __init__(self, bits=8, momentum=0.1):
        super().__init__()
        self.low, self.high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        self.momentum = momentum
        self.register_buffer("peak", torch.tensor(0.0))

    def forward(self, x):
        if self.training:
            current = x.detach().abs().max()
            self.peak.copy_(current if self.peak == 0 else self.peak.lerp(current, self.momentum))
        scale = self.peak / self.high
        return torch.fake_quantize_per_tensor_affine(x, scale.item(), 0, self.low, self.high)


class QuantLinear(nn.Linear):
    def __init__(self, n_in, n_out):
        super().__init__(n_in, n_out)
        self.weight_quant, self.act_quant = FakeQuantize(), FakeQuantize()

    def forward(self, x):
        return nn.functional.linear(self.act_quant(x), self.weight_quant(self.weight), self.bias)


torch.manual_seed(0)
x = torch.randn(48, 6)
y = (x[:, :3] ** 2).argmax(dim=1)
model = nn.Sequential(QuantLinear(6, 24), nn.ReLU(), QuantLinear(24, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(6):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
