# expect: rebound-leaf
# line: 27
# harmed: bias
# exit: 1

# Skip-gram style word vectors with a hand-written update.
import torch
import torch.nn.functional as F

torch.manual_seed(0)
vocab, dim = 12, 6
center = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7])
context = torch.tensor([1, 2, 3, 4, 5, 6, 7, 8])

emb_in = (0.1 * torch.randn(vocab, dim)).requires_grad_()
emb_out = (0.1 * torch.randn(dim, vocab)).requires_grad_()
bias = torch.zeros(vocab, requires_grad=True)
lr = 0.5

for epoch in range(6):
    scores = emb_in[center] @ emb_out + bias
    loss = F.cross_entropy(scores, context)
    loss.backward()
    with torch.no_grad():
        emb_in -= lr * emb_in.grad
        emb_out -= lr * emb_out.grad
        bias = bias - lr * bias.grad
        emb_in.grad.zero_()
        emb_out.grad.zero_()
    print(f"{epoch} {loss.item():.4f}")
