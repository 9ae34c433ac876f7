# expect: nothing

"""A duelling double DQN: target net by averaging, actions by indices, Huber loss."""
import copy
import random

import torch
from torch import nn


class Duelling(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 32), nn.ReLU())
        self.value, self.advantage = nn.Linear(32, 1), nn.Linear(32, 3)

    def forward(self, x):
        h = self.body(x)
        advantage = self.advantage(h)
        return self.value(h) + advantage - advantage.mean(1, keepdim=True)


random.seed(0)
torch.manual_seed(0)
online = Duelling()
target = copy.deepcopy(online).requires_grad_(False)
optimizer = torch.optim.RMSprop(online.parameters(), lr=1e-3)
memory = []
state = torch.randn(4)
for step in range(60):
    with torch.no_grad():
        action = random.randrange(3) if random.random() < 0.3 else int(online(state[None]).argmax())
    after = 0.8 * state + 0.2 * torch.randn(4)
    memory.append((state, action, float(action == int(state.argmax() % 3)), after))
    state = after
    if len(memory) < 32 or step % 4:
        continue
    s, a, r, n = zip(*random.sample(memory, 16))
    s, n, a, r = torch.stack(s), torch.stack(n), torch.tensor(a), torch.tensor(r)
    with torch.no_grad():
        best = online(n).argmax(1, keepdim=True)
        wanted = r + 0.95 * target(n).gather(1, best).squeeze(1)
    loss = nn.functional.smooth_l1_loss(online(s).gather(1, a[:, None]).squeeze(1), wanted)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(online.parameters(), 1.0)
    optimizer.step()
    with torch.no_grad():
        for p, q in zip(target.parameters(), online.parameters()):
            p.lerp_(q, 0.05)
    print(step, loss.item())
