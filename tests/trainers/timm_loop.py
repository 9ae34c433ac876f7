from pathlib import Path

import timm
import torch
from timm.data import Mixup
from timm.loss import SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from timm.utils import AverageMeter, CheckpointSaver, ModelEmaV3, NativeScaler, random_seed
from tqdm import tqdm

random_seed(0)
model = timm.create_model(
    "vit_tiny_patch16_224", pretrained=False, num_classes=4, img_size=32, depth=2, drop_path_rate=0.1
)
optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.05, layer_decay=0.75)
scheduler = CosineLRScheduler(optimizer, t_initial=3, warmup_t=1, warmup_lr_init=1e-5)
scaler = NativeScaler(device="cpu")
ema = ModelEmaV3(model, decay=0.9)
mixup = Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, label_smoothing=0.1, num_classes=4)
criterion = SoftTargetCrossEntropy()
Path("timm_out").mkdir()
saver = CheckpointSaver(
    model, optimizer, model_ema=ema, amp_scaler=scaler, checkpoint_dir="timm_out", recovery_dir="timm_out"
)
data = torch.utils.data.TensorDataset(torch.randn(32, 3, 32, 32), torch.randint(0, 4, (32,)))
loader = torch.utils.data.DataLoader(data, batch_size=8)
updates = 0
for epoch in range(2):
    losses = AverageMeter()
    model.train()
    optimizer.zero_grad()
    for images, labels in tqdm(loader):
        images, targets = mixup(images, labels)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = criterion(model(images), targets)
        losses.update(loss.item(), images.size(0))
        scaler(loss, optimizer, clip_grad=1.0, clip_mode="norm", parameters=model.parameters())
        optimizer.zero_grad()
        updates += 1
        ema.update(model, step=updates)
        scheduler.step_update(num_updates=updates, metric=losses.avg)
    scheduler.step(epoch + 1, losses.avg)
    saver.save_checkpoint(epoch, metric=losses.avg)
print(losses.avg)
torch.save(model.state_dict(), "weights.pt")
