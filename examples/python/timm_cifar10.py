"""A small timm CNN that grows on CIFAR-10, is handed back as plain PyTorch, and runs without Esper.

    pip install --no-deps timm; python timm_cifar10.py FOLDER_OF_CIFAR10 OUT [EPOCHS [IMAGES]]
    python timm_cifar10.py --check OUT        in a process that never imports Esper

Every epoch takes the next 2,500 photographs (IMAGES), so that nothing is gained by learning them by
heart.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F


def build():
    from timm.models.resnet import BasicBlock, ResNet

    torch.manual_seed(0)
    return ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10, channels=(8, 16, 24, 32),
                  stem_type="deep", stem_width=8)


def images(path, limit=None):
    """Pictures [n, 3, 32, 32] and labels [n] of CIFAR-10's binary files."""
    raw = torch.frombuffer(bytearray(Path(path).read_bytes()), dtype=torch.uint8)
    rows = raw.view(-1, 3073)[:limit]
    return (rows[:, 1:].reshape(-1, 3, 32, 32).float() - 120) / 64, rows[:, 0].long()


def batches(x, y, size=500):
    return list(zip(x.split(size), y.split(size)))


def main(data, out, epochs=12, count=2500):
    import esper

    data, out = Path(data), Path(out)
    x, y = (torch.cat(part) for part in zip(*(
        images(data / f"data_batch_{i}.bin") for i in (1, 2, 3, 4))))
    probe = images(data / "data_batch_5.bin", 2 * count)
    validation = images(data / "test_batch.bin", 2 * count)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    growth = esper.wrap(
        model, x[:2], optimizer, epochs=epochs, run=out / "run",
        probe=esper.probe(model, batches(*probe), F.cross_entropy),
        overrides=["growth.isolation=shadow", "growth.blueprints=[conv_block_3x3]",
                   "growth.training=3ep", "growth.stabilization=20ba", "growth.fine_tune=1ep",
                   "growth.graft_steps=40", "growth.start=0", "growth.cooldown=0ep",
                   "growth.gate.budget=4ep", "growth.gate.rent=0.001",
                   "controller.policy=periodic", "controller.period=1ep"])
    shuffled = torch.randperm(len(x))
    for epoch in range(epochs):
        model.train()
        fresh = shuffled[epoch * count % len(x):][:count]
        for chosen in fresh.split(64):
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            growth.step(loss, again=lambda: F.cross_entropy(model(x[chosen]), y[chosen]))
        scheduler.step()
        model.eval()
        with torch.no_grad():
            logits = torch.cat([model(part) for part, _ in batches(*validation)])
        loss = F.cross_entropy(logits, validation[1]).item()
        right = (logits.argmax(1) == validation[1]).float().mean().item()
        print(f"epoch {epoch + 1}: loss {loss:.3f}, {100 * right:.1f} % right")
        for d in growth.epoch(loss):
            print(f"  {d['command']} {d['blueprint']} at {d['anchor']}: {d['reason']}")
    print(growth.summary(), growth.waiting_for)
    model = growth.export(out).eval()
    with torch.no_grad():
        torch.save({"x": validation[0][:64], "y": model(validation[0][:64])}, out / "case.pt")
    return growth


def check(out):
    """Reloads what was handed back; its outputs are those of the network that grew."""
    from safetensors.torch import load_file

    out = Path(out)
    model = build()
    if (out / "grown.py").exists():
        sys.path.insert(0, str(out))
        import grown

        model = grown.grow(model)
    model.load_state_dict(load_file(out / "model.safetensors"))
    case = torch.load(out / "case.pt", weights_only=True)
    with torch.no_grad():
        error = (model.eval()(case["x"]) - case["y"]).abs().max().item()
    assert "esper" not in sys.modules
    assert error <= 1e-5, f"outputs differ by {error}"
    print(f"the same outputs to {error:.1e}, without Esper")


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        check(sys.argv[2])
    else:
        main(*sys.argv[1:3], *(int(a) for a in sys.argv[3:]))
