# expect: statement-without-effect
# line: 11
# harmed: *
import torch
from torch import nn

torch.manual_seed(0)
teacher = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
student = nn.Linear(6, 3)
teacher.requires_grad_(False)
teacher.eval
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
for step in range(2):
    x = torch.randn(7, 6)
    target = teacher(x).softmax(-1)
    loss = nn.functional.kl_div(student(x).log_softmax(-1), target, reduction="batchmean")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
