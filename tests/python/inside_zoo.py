"""Models of other libraries that the library runs as a whole, with a blended seed in each; prints the
largest difference to what `unwrap` hands back."""

import torch
from timm.models.resnet import BasicBlock, ResNet
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2LMHeadModel

import esper
from esper._anchors import as_call, first_tensors

SMALL = {"vocab_size": 30, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
torch.manual_seed(0)
ids = torch.randint(0, 30, (4, 10))
models = [
    (ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10, channels=(8, 8, 8, 8)),
     torch.randn(4, 3, 32, 32)),
    (BertForSequenceClassification(BertConfig(intermediate_size=64, **SMALL)), {"input_ids": ids}),
    (GPT2LMHeadModel(GPT2Config(vocab_size=30, n_positions=16, n_embd=32, n_layer=2, n_head=2)),
     {"input_ids": ids, "use_cache": False}),
]
for model, example in models:
    growth = esper.wrap(model, example, path="export")
    growth.germinate(0, esper.blueprints(growth.anchors[0].kind)[0])
    growth.graft(0, "LINEAR", 10)
    growth.set_alpha(0, 0.5)
    model.eval()
    args, kwargs = as_call(example)
    outputs = []
    with torch.no_grad():
        for finish in (lambda: None, growth.unwrap):
            finish()
            outputs.append(next(first_tensors(model(*args, **kwargs))))
    print(type(model).__name__, (outputs[0] - outputs[1]).abs().max().item())
