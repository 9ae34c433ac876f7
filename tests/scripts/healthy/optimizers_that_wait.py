# expect: nothing

"""The actor steps in one step of four; SGD takes over from Adam at the end; a part is moved by hand."""

import torch
from torch import nn

torch.manual_seed(0)
actor, critic, scale = nn.Linear(4, 2), nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1)), nn.Linear(1, 1)
actor_optimizer = torch.optim.Adam(actor.parameters(), 1e-3)
first = torch.optim.Adam(critic.parameters(), 1e-3)
then = torch.optim.SGD(critic.parameters(), 1e-2)
unused = torch.optim.SGD(scale.parameters(), 1e-2)
for step in range(12):
    state = torch.randn(32, 4)
    score = scale(critic(torch.cat([state, actor(state)], dim=1)))
    loss = (score - state.sum(1, keepdim=True)).square().mean()
    for module in (actor, critic, scale):
        module.zero_grad()
    loss.backward()
    (first if step < 8 else then).step()
    if step % 4 == 3:
        actor_optimizer.step()
    with torch.no_grad():
        for parameter in scale.parameters():
            parameter -= 0.01 * parameter.grad
