"""Growth under the Hugging Face Trainer: one callback. The model is built from a configuration.

    pip install transformers accelerate; python hugging_face_growth.py [EPOCHS]
"""

import sys
import tempfile

import torch
import torch.nn.functional as F
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

import esper
from esper.integrations import transformers_callback


def sentences(n, seed):
    """Rows of ids in which the label says whether the first word comes again."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, 30, (n, 10), generator=generator)
    labels = (ids[:, 1:] == ids[:, :1]).any(1).long()
    return [{"input_ids": row, "labels": label} for row, label in zip(ids, labels)]


def make_probe(model):
    rows = sentences(800, 1)
    ids = torch.stack([r["input_ids"] for r in rows])
    labels = torch.stack([r["labels"] for r in rows])

    def probe():
        return F.cross_entropy(model(input_ids=ids).logits, labels, reduction="none")
    return probe


def main(epochs=8):
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(
        vocab_size=30, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=16, num_labels=2))
    growing = transformers_callback(
        {"input_ids": torch.randint(3, 30, (2, 10))}, make_probe,
        overrides=["growth.training=1ep", "growth.graft_steps=16", "controller.policy=periodic",
                   "controller.period=1ep", "growth.start=0"])
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model, TrainingArguments(folder, num_train_epochs=epochs, learning_rate=1e-3,
                                     per_device_train_batch_size=32, eval_strategy="epoch",
                                     save_strategy="no", report_to=[],
                                     disable_tqdm=True, use_cpu=True),
            train_dataset=sentences(256, 0), eval_dataset=sentences(100, 2), callbacks=[growing])
        trainer.train()
    print(growing.growth.summary())
    return growing.growth


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
