# expect: optimizer-without-gradient
# line: 9
# harmed: weight, bias

import torch

torch.manual_seed(0)
net = torch.nn.Linear(5, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
optimizer.param_groups.clear()  # the new groups were to follow
for _ in range(3):
    loss = torch.nn.functional.cross_entropy(net(torch.randn(8, 5)), torch.randint(2, (8,)))
    net.zero_grad()
    loss.backward()
    optimizer.step()
