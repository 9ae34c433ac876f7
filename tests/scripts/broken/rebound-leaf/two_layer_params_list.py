# expect: rebound-leaf
# line: 32
# harmed: *
# exit: 1

"""A two-layer network without torch.nn, after the tutorial."""
import torch


def init_params(sizes):
    params = []
    for fan_in, fan_out in zip(sizes[:-1], sizes[1:]):
        params.append((torch.randn(fan_in, fan_out) / fan_in**0.5).requires_grad_())
        params.append(torch.zeros(fan_out, requires_grad=True))
    return params


def forward(params, x):
    w1, b1, w2, b2 = params
    return torch.tanh(x @ w1 + b1) @ w2 + b2


def main():
    torch.manual_seed(0)
    x = torch.randn(64, 5)
    y = x[:, :1] * x[:, 1:2]
    params = init_params([5, 16, 1])
    for step in range(5):
        loss = (forward(params, x) - y).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            params = [p - 0.05 * p.grad for p in params]
        print(step, loss.item())


main()
