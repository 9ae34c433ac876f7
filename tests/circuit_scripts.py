"""Scripts of a first course, for tests of figures on slides: functions that compute and return a root."""

# ruff: noqa: RET504 (the name of the root stands in its figure)
from __future__ import annotations

import torch
from torch import Tensor, nn


def leaf(*values: object) -> Tensor:
    return torch.tensor(values[0] if len(values) == 1 else values, requires_grad=True)


def network() -> Tensor:
    x, t = torch.tensor([1.0, -2.0]), torch.tensor(1.0)
    W1, b1 = leaf([[0.5, -0.3], [0.8, 0.1], [-0.6, 0.9]]), leaf(0.1, 0.0, -0.2)
    W2, b2 = leaf([[1.0, -1.0, 0.5]]), leaf([0.3])
    h = torch.tanh(W1 @ x + b1)
    y_hat = torch.sigmoid(W2 @ h + b2)
    L = -(t * torch.log(y_hat) + (1 - t) * torch.log(1 - y_hat)).sum()
    return L


def recurrence() -> Tensor:
    w, u, h = leaf(0.9), leaf(0.5), torch.tensor(0.0)
    for x in [1.0, -0.5, 2.0]:
        h = torch.tanh(w * h + u * x)
    L = (h - 1) ** 2
    return L


def sine_times_exponential() -> Tensor:
    x = leaf(1.0)
    y = torch.sin(x**2) * torch.exp(-(x**2))
    return y


def attention() -> Tensor:
    X = torch.tensor([[1.0, 0.0], [0.5, -1.0]])
    Q = X @ leaf([[0.2, -0.4], [0.7, 0.1]])
    K = X @ leaf([[0.5, 0.3], [-0.2, 0.6]])
    V = X @ leaf([[1.0, -0.5], [0.3, 0.8]])
    A = torch.softmax(Q @ K.T / 2**0.5, dim=1)
    out = (A @ V).sum()
    return out


def logistic_regression() -> Tensor:
    x1, x2, y = 1.5, -2.0, 1.0
    z = leaf(0.4) * x1 + leaf(-0.3) * x2 + leaf(0.1)
    p = torch.sigmoid(z)
    loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p))
    return loss


def softmax_cross_entropy() -> Tensor:
    z, t = leaf(1.0, 2.0, 0.5), torch.tensor([0.0, 1.0, 0.0])
    e = torch.exp(z)
    p = e / e.sum()
    loss = -(t * torch.log(p)).sum()
    return loss


def layer_norm() -> Tensor:
    x, g, b = leaf(1.0, 2.0, 4.0), leaf(1.0, 0.5, 2.0), leaf(0.0, 0.1, -0.1)
    d = x - x.mean()
    var = (d**2).mean()
    y = g * (d / torch.sqrt(var + 1e-5)) + b
    L = (y * torch.tensor([1.0, -1.0, 0.5])).sum()
    return L


def convolution() -> Tensor:
    x, k = torch.tensor([1.0, 2.0, -1.0, 3.0]), leaf(0.5, -1.0)
    y = torch.stack([(x[i : i + 2] * k).sum() for i in range(3)])
    loss = (y**2).sum()
    return loss


def momentum() -> Tensor:
    w, v = leaf(2.0), torch.tensor(0.0)
    p = w
    for _ in range(3):
        g = 2 * p
        v = 0.9 * v + g
        p = p - 0.1 * v
    loss = p**2
    return loss


def residual_block() -> Tensor:
    x = torch.tensor([1.0, -1.0])
    h = torch.relu(leaf([[0.5, 0.2], [-0.3, 0.8]]) @ x)
    y = x + leaf([[1.0, 0.1], [0.4, -0.6]]) @ h
    L = (y**2).mean()
    return L


def lstm_cell() -> Tensor:
    x, h, c = torch.tensor(1.0), torch.tensor(0.2), torch.tensor(-0.5)
    wi, wf, wo, wg = leaf(0.5), leaf(0.3), leaf(-0.4), leaf(0.9)
    i, f, o = torch.sigmoid(wi * x + h), torch.sigmoid(wf * x + h), torch.sigmoid(wo * x + h)
    g = torch.tanh(wg * x + h)
    c2 = f * c + i * g
    h2 = o * torch.tanh(c2)
    return h2


def product_of_a_list() -> Tensor:
    p: Tensor | float = 1.0
    for x in [leaf(2.0), leaf(3.0), leaf(-1.0), leaf(0.5)]:
        p = p * x
    assert isinstance(p, Tensor)
    return p


def batch_loop() -> Tensor:
    w, b = leaf(1.5), leaf(0.0)
    loss: Tensor | float = 0.0
    for x, t in [(1.0, 2.0), (2.0, 3.0), (3.0, 5.0)]:
        y = w * x + b
        loss = loss + (y - t) ** 2
    assert isinstance(loss, Tensor)
    return loss


def layer_loop() -> Tensor:
    h = torch.tensor([1.0, -1.0])
    for W in [leaf([[0.5, -0.2], [0.1, 0.9]]) for _ in range(3)]:
        h = torch.tanh(W @ h)
    L = h.sum()
    return L


def linear_layers() -> Tensor:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    return nn.functional.mse_loss(model(torch.tensor([[1.0, 2.0]])), torch.tensor([[1.0]]))


SCRIPTS = (
    network,
    recurrence,
    sine_times_exponential,
    attention,
    logistic_regression,
    softmax_cross_entropy,
    layer_norm,
    convolution,
    momentum,
    residual_block,
    lstm_cell,
    product_of_a_list,
    batch_loop,
    layer_loop,
    linear_layers,
)


def gated_unit() -> Tensor:
    wz, uz, wr, ur, wh, uh = (leaf(value) for value in (0.5, 0.4, -0.3, 0.2, 0.8, -0.6))
    x, h_prev = torch.tensor(1.0), torch.tensor(0.5)
    z = torch.sigmoid(wz * x + uz * h_prev)
    r = torch.sigmoid(wr * x + ur * h_prev)
    h_tilde = torch.tanh(wh * x + uh * (r * h_prev))
    h = (1 - z) * h_prev + z * h_tilde
    loss = 0.5 * (h - 1) ** 2
    return loss


def batch_norm_the_long_way() -> Tensor:
    n = 4
    hpreact = leaf([[0.5, -1.0], [1.5, 2.0], [-0.5, 0.3], [1.0, 0.0]])
    gain, bias = leaf([[1.0, 0.5]]), leaf([[0.0, 0.1]])
    mean = 1 / n * hpreact.sum(0, keepdim=True)
    diff = hpreact - mean
    diff2 = diff**2
    var = 1 / (n - 1) * diff2.sum(0, keepdim=True)
    var_inv = (var + 1e-5) ** -0.5
    raw = diff * var_inv
    h = torch.tanh(gain * raw + bias)
    loss = h.square().mean()
    return loss


def attention_by_einsum() -> Tensor:
    Q, K = leaf([[0.2, -0.4, 1.0], [0.7, 0.1, -1.0]]), leaf([[0.5, 0.3, 0.0], [-0.2, 0.6, 1.0]])
    V = leaf([[1.0, -0.5, 0.2], [0.3, 0.8, -0.1]])
    scores = torch.einsum("qd,kd->qk", Q, K) / 3**0.5
    weights = scores.softmax(dim=-1)
    context = torch.einsum("qk,kd->qd", weights, V)
    loss = context.pow(2).sum()
    return loss


def pendulum() -> Tensor:
    g, dt, length = 9.81, 0.1, leaf(1.2)
    theta, omega = torch.tensor(0.5), torch.tensor(0.0)
    for _ in range(3):
        alpha = -g / length * torch.sin(theta)
        omega = omega + dt * alpha
        theta = theta + dt * omega
    error = (theta - 0.2) ** 2
    return error


def convolution_in_a_loop() -> Tensor:
    signal, kernel, bias = torch.tensor([1.0, -2.0, 3.0, 0.5, 2.0]), leaf(0.2, -0.5, 0.3), leaf(0.1)
    out = [(signal[at : at + 3] * kernel).sum() + bias for at in range(3)]
    feature = torch.relu(torch.stack(out))
    loss = feature.max()
    return loss


DENSE_SCRIPTS = (gated_unit, batch_norm_the_long_way, attention_by_einsum, pendulum, convolution_in_a_loop)
"""Scripts that only the denser circuits hold."""
