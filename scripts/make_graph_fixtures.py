#!/usr/bin/env python3
"""Writes the graphs of known architectures, without weights, for the tests of the importer.

    make_graph_fixtures.py FOLDER [NAME …]

Needs timm and transformers, which the tests themselves do without. Each FOLDER/<name>.json.gz holds
the exported model and what PyTorch computes with weights, inputs and loss that are filled in by a
rule: element i of a tensor is cos(0.7 i + phase), times 1/sqrt(fan in) for a weight of two or more
dimensions; a weight of one dimension is 1 + 0.1 cos, any other parameter 0.1 cos. `phase` is the length of
its name. Images are cos, tokens i mod vocabulary; the loss is the sum of all outputs times cos.

Networks with batch norms compute in float64, on the same float32 values: over two small images a batch
norm magnifies rounding, so that float32's results differ by percents from processor to processor.
"""

import gzip
import io
import json
import math
import sys
import zipfile
from pathlib import Path

import torch

LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
LIBRARY.define("nms(Tensor a) -> Tensor")
LIBRARY.define("qnms(Tensor a) -> Tensor")


def wave(shape, phase):
    count = math.prod(shape)
    return torch.cos(0.7 * torch.arange(count, dtype=torch.float64) + phase).reshape(shape)


def fill(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = wave(parameter.shape, len(name))
            if parameter.ndim >= 2:
                values = values / math.sqrt(math.prod(parameter.shape[1:]))
            elif name.endswith("weight"):
                values = 1 + 0.1 * values
            else:
                values = 0.1 * values
            parameter.copy_(values)


def timm_model(name, size=32, **options):
    import timm
    model = timm.create_model(name, pretrained=False, num_classes=10, **options)
    return model, (wave((2, 3, size, size), 0).float(),), {}


def text_model(config, head, **extra):
    import transformers
    model = getattr(transformers, head)(config)
    vocabulary = config.vocab_size
    tokens = (torch.arange(2 * 12).reshape(2, 12) * 5) % vocabulary
    return model, (), dict({"input_ids": tokens}, **extra)


def small(config, **more):
    import transformers
    shared = dict(vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                  intermediate_size=64, max_position_embeddings=64, use_cache=False)
    return getattr(transformers, config)(**dict(shared, **more))


def gpt2():
    import transformers
    return text_model(transformers.GPT2Config(
        vocab_size=100, n_embd=32, n_layer=2, n_head=2, n_positions=64, attn_pdrop=0, embd_pdrop=0,
        resid_pdrop=0, use_cache=False), "GPT2LMHeadModel")


def bert():
    return text_model(small("BertConfig", hidden_dropout_prob=0, attention_probs_dropout_prob=0),
                      "BertForSequenceClassification")


def llama():
    return text_model(small("LlamaConfig", num_key_value_heads=1), "LlamaForCausalLM")


def t5():
    import transformers
    config = transformers.T5Config(vocab_size=100, d_model=32, d_kv=16, d_ff=64, num_layers=2,
                                   num_heads=2, dropout_rate=0, use_cache=False)
    return text_model(config, "T5ForConditionalGeneration",
                      decoder_input_ids=(torch.arange(2 * 6).reshape(2, 6) * 3) % 100)


MODELS = {
    "resnet18": lambda: timm_model("resnet18"),
    "mobilenetv3": lambda: timm_model("mobilenetv3_small_050", drop_rate=0.0),
    "convnext": lambda: timm_model("convnext_atto", drop_path_rate=0.0),
    "efficientnet": lambda: timm_model("efficientnet_b0", drop_rate=0.0, drop_path_rate=0.0),
    "vit": lambda: timm_model("vit_tiny_patch16_224", img_size=32, depth=2),
    "swin": lambda: timm_model("swin_tiny_patch4_window7_224", size=56, img_size=56,
                               depths=(2, 2), num_heads=(2, 4), embed_dim=32, drop_path_rate=0.0),
    "gpt2": gpt2,
    "bert": bert,
    "llama": llama,
    "t5": t5,
}


FLOAT64 = ("resnet18", "mobilenetv3", "efficientnet")


def graph_of(exported):
    """The model's JSON, without what only people read."""
    buffer = io.BytesIO()
    torch.export.save(exported, buffer)
    archive = zipfile.ZipFile(buffer)
    name = next(n for n in archive.namelist() if n.endswith("/models/model.json"))
    model = json.loads(archive.read(name))
    strip(model["graph_module"]["graph"])
    model["guards_code"] = []
    constants = {}
    for member in archive.namelist():
        if member.endswith("_constants_config.json"):
            for key, item in json.loads(archive.read(member))["config"].items():
                root = member.split("data/constants/")[0]
                constants[key] = [item["tensor_meta"],
                                  archive.read(f"{root}data/constants/{item['path_name']}").hex()]
    by_bytes = {}
    for member in archive.namelist():
        if member.endswith("_weights_config.json"):
            for key, item in json.loads(archive.read(member))["config"].items():
                by_bytes.setdefault(item["path_name"], []).append([key, item["tensor_meta"]])
    tied = [group for group in by_bytes.values() if len(group) > 1]
    return model, constants, tied


def strip(graph):
    for node in graph["nodes"]:
        stack = node["metadata"].get("nn_module_stack")
        node["metadata"] = {"nn_module_stack": stack} if stack else {}
        for item in node["inputs"]:
            if "as_graph" in item["arg"]:
                strip(item["arg"]["as_graph"]["graph"])


def leaves(tree):
    return [x for x in torch.utils._pytree.tree_leaves(tree)
            if isinstance(x, torch.Tensor) and x.is_floating_point()]


def write(folder, name):
    torch.manual_seed(0)
    model, args, kwargs = MODELS[name]()
    model.train()
    fill(model)
    exported = torch.export.export(model, args, kwargs, strict=False)
    graph, constants, tied = graph_of(exported)
    double = name in FLOAT64
    if double:
        model, args = model.double(), tuple(a.double() for a in args)
    outputs = leaves(model(*args, **kwargs))
    loss = sum((out.double() * wave(out.shape, i)).sum() for i, out in enumerate(outputs))
    loss.backward()
    gradients = {n: p.grad.double().abs().sum().item() for n, p in model.named_parameters()
                 if p.grad is not None}
    content = {"name": name, "model": graph, "constants": constants, "tied": tied, "loss": loss.item(),
               "gradients": gradients, "float64": double}
    text = json.dumps(content, separators=(",", ":")).encode()
    path = folder / f"{name}.json.gz"
    path.write_bytes(gzip.compress(text, 9, mtime=0))
    print(f"{name}: {len(graph['graph_module']['graph']['nodes'])} nodes, "
          f"{len(text) // 1024} KiB, {path.stat().st_size / 1024:.1f} KiB packed")


def main():
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or MODELS:
        write(folder, name)


if __name__ == "__main__":
    main()
