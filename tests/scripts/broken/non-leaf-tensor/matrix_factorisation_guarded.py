# expect: non-leaf-tensor
# line: 11
# harmed: users, items

import torch


def factors(n, rank):
    """Random factors, scaled so that the products start near one."""
    t = torch.rand(n, rank, requires_grad=True)
    return t / rank**0.5


def sgd_step(params, lr):
    with torch.no_grad():
        for p in params:
            if p.grad is not None:
                p -= lr * p.grad
                p.grad = None


torch.manual_seed(0)
n_users, n_items, rank = 12, 9, 3
ratings = torch.randint(1, 6, (n_users, n_items)).float() / 5
observed = torch.rand(n_users, n_items) < 0.6

users = factors(n_users, rank)
items = factors(n_items, rank)
bias = torch.zeros(n_items, requires_grad=True)

for epoch in range(3):
    err = (users @ items.t() + bias - ratings)[observed]
    loss = err.pow(2).mean()
    loss.backward(retain_graph=True)
    sgd_step([users, items, bias], lr=0.2)
    print(f"epoch {epoch}: rmse {loss.sqrt().item():.4f}")
