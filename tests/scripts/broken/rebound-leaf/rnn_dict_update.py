# expect: rebound-leaf
# line: 27
# harmed: *
# exit: 1

import torch


def make_weights(n_in, n_hidden):
    return {
        "W_xh": torch.randn(n_in, n_hidden).mul_(0.3).requires_grad_(),
        "W_hh": torch.eye(n_hidden).mul_(0.5).requires_grad_(),
        "W_hy": torch.randn(n_hidden, 1).mul_(0.3).requires_grad_(),
    }


def rnn(weights, xs):
    h = torch.zeros(xs.shape[1], weights["W_hh"].shape[0])
    for x in xs:
        h = torch.tanh(x @ weights["W_xh"] + h @ weights["W_hh"])
    return h @ weights["W_hy"]


@torch.no_grad()
def sgd(weights, lr):
    for name, value in weights.items():
        weights[name] = value - lr * value.grad


torch.manual_seed(5)
xs = torch.randn(6, 16, 3)
target = xs.sum(dim=0).mean(dim=1, keepdim=True)
weights = make_weights(3, 8)
for i in range(4):
    loss = torch.mean((rnn(weights, xs) - target) ** 2)
    loss.backward()
    sgd(weights, lr=0.1)
    print(i, float(loss))
