"""Growth under Lightning: one callback.

    pip install lightning; python lightning_growth.py [EPOCHS]
"""

import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

try:
    from lightning.pytorch import LightningModule, Trainer
except ImportError:
    from pytorch_lightning import LightningModule, Trainer

import esper
from esper.integrations import lightning_callback


def points(n, seed):
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))
    return x, 2 * x.abs() - x


class Net(LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6))

    def forward(self, x):
        return self.layers(x)

    def training_step(self, batch, index):
        return F.mse_loss(self(batch[0]), batch[1])

    def validation_step(self, batch, index):
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


def main(epochs=12):
    torch.manual_seed(0)
    growing = lightning_callback(
        torch.zeros(2, 6), lambda net: esper.probe(net, [points(800, 1)], F.mse_loss),
        again=lambda net, batch: F.mse_loss(net(batch[0]), batch[1]),
        overrides=["growth.isolation=shadow", "growth.training=1ep", "growth.graft_steps=16",
                   "controller.policy=periodic", "controller.period=1ep", "growth.start=0"])
    trainer = Trainer(max_epochs=epochs, accelerator="cpu", logger=False,
                      enable_checkpointing=False, enable_progress_bar=False,
                      enable_model_summary=False, callbacks=[growing])
    net = Net()
    trainer.fit(net, DataLoader(TensorDataset(*points(512, 0)), batch_size=32, shuffle=True),
                DataLoader(TensorDataset(*points(200, 2)), batch_size=100))
    print(growing.growth.summary())
    return growing.growth


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
