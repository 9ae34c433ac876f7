# expect: cut-path
# line: 14
# harmed: weight, bias

"""The share of errors is added to the loss, to train it as well."""
import torch
import torch.nn.functional as F

torch.manual_seed(0)
classify = torch.nn.Linear(6, 4)
optimizer = torch.optim.SGD(classify.parameters(), lr=0.1)
for x, y in [(torch.randn(8, 6), torch.randint(4, (8,))) for _ in range(3)]:
    scores = classify(x)
    errors = (scores.argmax(1) != y).float().mean()
    loss = F.cross_entropy(scores, y) + errors
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
