# expect: nothing

"""Mean teacher: consistency with an exponential moving average of the student."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def build():
    return nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 3))


torch.manual_seed(0)
student = build()
teacher = AveragedModel(student, multi_avg_fn=get_ema_multi_avg_fn(0.95))
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
labelled, labels = torch.randn(12, 6), torch.randint(0, 3, (12,))
unlabelled = torch.randn(40, 6)
for step in range(6):
    supervised = F.cross_entropy(student(labelled), labels)
    with torch.no_grad():
        target = teacher(unlabelled + 0.1 * torch.randn_like(unlabelled)).softmax(dim=1)
    consistency = F.mse_loss(student(unlabelled).softmax(dim=1), target)
    loss = supervised + 2.0 * consistency
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    teacher.update_parameters(student)
    print(f"step {step}: {supervised.item():.4f} + {consistency.item():.5f}")
