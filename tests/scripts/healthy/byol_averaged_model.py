# expect: nothing

"""BYOL: a target net that torch averages, a predictor, and no gradient through the target."""
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def mlp(inside, outside):
    return nn.Sequential(nn.Linear(inside, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, outside))


def regression(p, z):
    return 2 - 2 * F.cosine_similarity(p, z.detach(), dim=-1).mean()


torch.manual_seed(0)
online = nn.Sequential(mlp(10, 16), mlp(16, 8))
predictor = mlp(8, 8)
target = AveragedModel(online, multi_avg_fn=get_ema_multi_avg_fn(0.99))
optimizer = torch.optim.SGD([*online.parameters(), *predictor.parameters()], lr=0.05, momentum=0.9)
for step in range(4):
    x = torch.randn(16, 10)
    one, two = (x + 0.1 * torch.randn_like(x) for _ in range(2))
    with torch.no_grad():
        z_one, z_two = target(one), target(two)
    loss = regression(predictor(online(one)), z_two) + regression(predictor(online(two)), z_one)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    target.update_parameters(online)
    print(step, loss.item())
