"""An actor and a critic with one hidden number."""
import torch

s, s2, r, gamma = torch.tensor(0.5), torch.tensor(0.8), 1.0, 0.9
w = torch.tensor(0.7, requires_grad=True)
v = torch.tensor(1.2, requires_grad=True)
pi = torch.tensor([0.3, -0.2], requires_grad=True)
h = torch.tanh(w * s)
value = v * h
with torch.no_grad():
    target = r + gamma * v * torch.tanh(w * s2)
critic = (target - value) ** 2
advantage = (target - value).detach()
actor = -advantage * torch.log_softmax(pi * h, dim=0)[0]
loss = actor + 0.5 * critic
loss.backward()
