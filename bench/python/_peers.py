"""The hosts of the engine's benchmark as anyone would write them in PyTorch, parameters named as in
the Programs, so that a state dict carries over."""

import torch
from torch import nn
from torch.nn import functional as F


class Mlp(nn.Module):
    def __init__(self, depth=4, width=64, classes=10):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        for layer in self.layers:
            x = F.relu(layer(x))
        return self.head(x)


class BasicBlock(nn.Module):
    def __init__(self, inside, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or inside != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, depth, width=16, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inside = width
        for stage in range(3):
            out = width << stage
            blocks = []
            for i in range((depth - 2) // 6):
                blocks.append(BasicBlock(inside, out, 2 if stage > 0 and i == 0 else 1))
                inside = out
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inside, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.qkv = nn.Linear(d, 3 * d)
        self.proj = nn.Linear(d, d)
        self.heads = heads

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(y.transpose(1, 2).reshape(n, t, d))


class Feed(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.fc = nn.Linear(d, 4 * d)
        self.proj = nn.Linear(4 * d, d)

    def forward(self, x):
        return self.proj(F.gelu(self.fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.ln1 = nn.LayerNorm(d)
        self.attn = Attention(d, heads)
        self.ln2 = nn.LayerNorm(d)
        self.mlp = Feed(d)

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class Gpt(nn.Module):
    def __init__(self, depth=2, d=128, heads=4, context=128, vocabulary=65):
        super().__init__()
        self.tok_emb = nn.Embedding(vocabulary, d)
        self.pos_emb = nn.Embedding(context, d)
        self.blocks = nn.ModuleList(Block(d, heads) for _ in range(depth))
        self.ln_f = nn.LayerNorm(d)
        self.head = nn.Linear(d, vocabulary, bias=False)

    def forward(self, x):
        h = self.tok_emb(x) + self.pos_emb.weight
        for block in self.blocks:
            h = block(h)
        return self.head(self.ln_f(h))


class Vgg(nn.Module):
    """VGG-11 with BatchNorm, for 32 x 32 pixels."""

    def __init__(self, width=32, classes=10):
        super().__init__()
        layers, inside = [], 3
        for stage, convolutions in enumerate((1, 1, 2, 2, 2)):
            out = width << min(stage, 3)
            for _ in range(convolutions):
                layers += [nn.Conv2d(inside, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out),
                           nn.ReLU(inplace=True)]
                inside = out
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(inside, classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class WideBlock(nn.Module):
    """Norm and ReLU before each convolution (Zagoruyko and Komodakis 2016)."""

    def __init__(self, inside, out, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv1 = nn.Conv2d(inside, out, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.shortcut = None
        if stride != 1 or inside != out:
            self.shortcut = nn.Conv2d(inside, out, 1, stride, bias=False)

    def forward(self, x):
        y = F.relu(self.bn1(x))
        short = x if self.shortcut is None else self.shortcut(y)
        return self.conv2(F.relu(self.bn2(self.conv1(y)))) + short


class WideResNet(nn.Module):
    def __init__(self, depth=16, widen=2, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        inside, blocks = 16, []
        for stage in range(3):
            out = (16 << stage) * widen
            for i in range((depth - 4) // 6):
                blocks.append(WideBlock(inside, out, 2 if stage > 0 and i == 0 else 1))
                inside = out
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(inside)
        self.fc = nn.Linear(inside, classes)

    def forward(self, x):
        return self.fc(F.relu(self.bn(self.blocks(self.conv1(x)))).mean((2, 3)))


class VitBlock(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.fc1, self.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.heads = heads

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = (self.qkv(self.ln1(x)).view(n, t, 3, self.heads, d // self.heads)
                   .permute(2, 0, 3, 1, 4))
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, d)
        x = x + self.proj(y)
        return x + self.fc2(F.gelu(self.fc1(self.ln2(x))))


class Vit(nn.Module):
    """A ViT of four blocks: patches of 4 x 4 pixels, 64 tokens, their mean is classified."""

    def __init__(self, depth=4, d=128, heads=4, classes=10):
        super().__init__()
        self.patches = nn.Conv2d(3, d, 4, 4)
        self.places = nn.Parameter(torch.randn(1, 64, d) * 0.02)
        self.blocks = nn.Sequential(*(VitBlock(d, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, classes)

    def forward(self, x):
        h = self.patches(x).flatten(2).transpose(1, 2) + self.places
        return self.head(self.norm(self.blocks(h)).mean(1))


def make(host):
    makers = {"mlp": Mlp, "gpt": Gpt, "vgg11": Vgg, "wrn16-2": WideResNet, "vit": Vit}
    if host in makers:
        return makers[host]()
    return ResNet(int(host.removeprefix("resnet")))


# Hosts that Esper does not bring: these models themselves are exported and trained.
EXPORTED = {"wrn16-2", "vit"}


def case_of(host, folder):
    """What our side is told: the host's name, or the file of the exported model."""
    if host not in EXPORTED:
        return host
    torch.manual_seed(1)
    exported = torch.export.export(
        make(host).train(), (torch.randn(4, 3, 32, 32),),
        dynamic_shapes=({0: torch.export.Dim("batch", min=2, max=4096)},), strict=False)
    file = f"{folder}/{host}.pt2"
    torch.export.save(exported, file)
    return file


class Training:
    """A training step in eager PyTorch at its best setting: channels-last, fused optimizer,
    gradients set to None."""

    def __init__(self, host, bf16, tensors):
        x, self.target = tensors.pop("x"), tensors.pop("target")
        images = x.dim() == 4
        self.x = x.contiguous(memory_format=torch.channels_last) if images else x
        self.model = make(host)
        mine = dict(self.model.named_parameters())
        if mine.keys() != tensors.keys():
            raise SystemExit(f"{host}: parameters differ: {mine.keys() ^ tensors.keys()}")
        with torch.no_grad():
            for name, value in tensors.items():
                mine[name].copy_(value)
        if images:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.bf16 = bf16
        parameters = self.model.parameters()
        # As bench/engine/engine_cases.h.
        if host in ("gpt", "vit"):
            self.optimizer = torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.99),
                                               weight_decay=0.01, fused=True)
        else:
            self.optimizer = torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, nesterov=True,
                                             weight_decay=0.01, fused=True)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        if self.bf16:
            with torch.autocast("cpu", torch.bfloat16):
                logits = self.model(self.x)
        else:
            logits = self.model(self.x)
        loss = F.cross_entropy(logits.flatten(0, -2).float(), self.target.flatten())
        loss.backward()
        self.optimizer.step()
        return loss
