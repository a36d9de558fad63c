"""The models of the compatibility table: built from configuration alone, as small as they come.

`catalogue()` lists what there is; `build(name)` makes (model, example) where the example is a tensor
or a dict of keyword arguments. Runs in .venv-compat.
"""

import inspect
import re
import warnings
from collections import defaultdict

import torch

# torchvision's wheel looks for operators that its C++ part would define; models need their schemas.
_library = torch.library.Library("torchvision", "FRAGMENT")
for _name in ("nms", "qnms"):
    try:
        _library.define(f"{_name}(Tensor a) -> Tensor")
    except RuntimeError:
        pass

MAX_PARAMETERS = 40_000_000
TIMM_PARAMETERS = 150_000_000
SMALLEST = ("test_", "atto", "femto", "pico", "nano", "_ti_", "tiny", "xxs", "micro", "mini", "_xs",
            "small", "_s_", "lite", "b0", "18", "050", "_m0", "_0_5", "base")


def catalogue():
    """[(name, source, family)], each name `source/…`."""
    return [*transformers_models(), *timm_models(), *torchvision_models()]


def build(name):
    source, _, rest = name.partition("/")
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, example = BUILDERS[source](rest)
    # Through a matrix of zeros, with which some readouts begin, no gradient comes to what is below.
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() >= 2 and not p.any():
                p.normal_(std=0.02)
    return model, example


# --- torchvision ---

def torchvision_models():
    """Of each of torchvision's families the three smallest architectures."""
    import torchvision

    families = defaultdict(list)
    for name in torchvision.models.list_models():
        builder = torchvision.models.get_model_builder(name)
        family = builder.__module__.rpartition(".")[2]
        if ".quantization." in builder.__module__:
            continue
        known = [w.meta["num_params"] for w in torchvision.models.get_model_weights(name)]
        families[family].append((min(known, default=0), name))
    return [(f"torchvision/{name}", "torchvision", family)
            for family, found in sorted(families.items())
            for i, (size, name) in enumerate(sorted(found)[:3]) if i == 0 or size < MAX_PARAMETERS]


def no_weights(name, builder):
    arguments = {"weights": None}
    if "weights_backbone" in inspect.signature(builder).parameters:
        arguments["weights_backbone"] = None
    if name in ("inception_v3", "googlenet"):
        arguments["init_weights"] = False
    return arguments


def build_torchvision(name):
    import torchvision

    builder = torchvision.models.get_model_builder(name)
    model = builder(**no_weights(name, builder))
    module = builder.__module__
    if ".video." in module:
        size = 224 if "mvit" in name or "swin" in name else 64
        return model, torch.randn(2, 3, 16 if "mvit" in name else 8, size, size)
    if ".optical_flow" in module:
        return model, {"image1": torch.randn(2, 3, 128, 128), "image2": torch.randn(2, 3, 128, 128),
                       "num_flow_updates": 2}
    if ".detection" in module:
        model.transform.min_size = (96,)
        model.transform.max_size = 128
        images = [torch.rand(3, 96, 96) for _ in range(2)]
        targets = [{"boxes": torch.tensor([[5.0, 5.0, 60.0, 60.0]]), "labels": torch.tensor([1]),
                    "masks": torch.ones(1, 96, 96, dtype=torch.uint8),
                    "keypoints": torch.full((1, 17, 3), 20.0)} for _ in range(2)]
        return model, {"images": images, "targets": targets}
    size = {"inception_v3": 128, "alexnet": 96, "vgg": 64}.get(
        name if name in ("inception_v3", "alexnet") else re.match(r"[a-z]+", name)[0], 64)
    if name.startswith(("vit_", "maxvit")):
        size = 224
    if ".segmentation" in module:
        size = 96
    return model, torch.randn(2, 3, size, size)


# --- timm ---

def timm_models():
    """Of each of timm's modules the two smallest architectures, going by their names."""
    import timm

    def rank(name):
        return next((i for i, word in enumerate(SMALLEST) if word in f"{name}_"), 99), len(name)

    listed = []
    for module in timm.list_modules():
        names = sorted(timm.list_models(module=module), key=rank)
        picked = []
        for name in names:
            if any(word in name for word in ("gigantic", "giant", "huge", "xlarge", "xxlarge",
                                             "enormous")):
                continue
            picked.append(name)
            if len(picked) == 2:
                break
        listed += [(f"timm/{n}", "timm", module) for n in picked]
    return listed


SHALLOW = {"depth": 2, "embed_dim": 96, "num_heads": 3}
SMALLER = ({"img_size": 64, **SHALLOW}, {"img_size": 64, "depth": 2}, {"img_size": 64},
           {"img_size": 128, **SHALLOW}, {"img_size": 128}, {})  # the first that fits is taken


def build_timm(name):
    import timm

    for options in SMALLER:
        try:
            with torch.device("meta"):
                model = timm.create_model(name, pretrained=False, num_classes=10, **options)
            size = options.get("img_size") or default_size(model)
            model(torch.empty(2, 3, size, size, device="meta"))
        except Exception:
            if not options:
                size = None
            continue
        break
    if sum(p.numel() for p in model.parameters()) > TIMM_PARAMETERS:
        raise MemoryError("too large even when reduced")
    model = timm.create_model(name, pretrained=False, num_classes=10, **options)
    size = size or default_size(model, full=True)
    channels = model.pretrained_cfg.get("input_size", (3,))[0]
    return model, torch.randn(2, channels, size, size)


def default_size(model, full=False):
    config = model.pretrained_cfg
    size = config.get("input_size", (3, 224, 224))[-1]
    if full or config.get("fixed_input_size"):
        return size
    return min(size, config.get("min_input_size", (3, 96, 96))[-1] if "min_input_size" in config
               else 96)


# --- transformers ---

SHRINK = {
    "hidden_size": 64, "d_model": 64, "dim": 64, "n_embd": 64, "embed_dim": 64, "d_embed": 64,
    "num_hidden_layers": 2, "num_layers": 2, "n_layer": 2, "n_layers": 2, "encoder_layers": 2,
    "decoder_layers": 2, "num_decoder_layers": 2, "num_encoder_layers": 2, "depth": 2,
    "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "num_key_value_heads": 4,
    "intermediate_size": 96, "d_ff": 96, "ffn_dim": 96, "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 96, "d_inner": 96, "hidden_dim": 96, "n_inner": 96, "d_kv": 16,
    "vocab_size": 120, "max_position_embeddings": 64, "n_positions": 64, "embedding_size": 64,
    "image_size": 32, "patch_size": 8, "num_channels": 3, "num_labels": 5, "head_dim": 16,
    "moe_intermediate_size": 32, "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "q_lora_rank": 16, "kv_lora_rank": 16,
    "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16, "projection_dim": 32,
    "rotary_dim": 8, "relative_attention_num_buckets": 8, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "attention_window": 4, "state_size": 8, "word_embed_proj_dim": 64,
}
FEW = {key: SHRINK[key] for key in (
    "num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers",
    "num_decoder_layers", "num_encoder_layers", "vocab_size", "pad_token_id", "bos_token_id",
    "eos_token_id")}


def transformers_models():
    """One base model of each type that takes text or images."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    return [(f"transformers/{kind}", "transformers", kind) for kind in sorted(MODEL_MAPPING_NAMES)]


def shrink(config, keys, depth=0):
    """Sets what makes a model large, wherever the configuration has it."""
    for key, value in keys.items():
        try:
            if type(getattr(config, key, None)) is int:
                setattr(config, key, value)
        except Exception:  # kinds of configuration that have an opinion of their own about a key
            continue
    if hasattr(config, "use_cache"):
        config.use_cache = False
    if isinstance(vars(config).get("layer_types"), (list, tuple)):
        config.layer_types = list(config.layer_types)[:SHRINK["num_hidden_layers"]]
    for key, value in vars(config).copy().items():
        if key.endswith("_config") and hasattr(value, "to_dict") and depth < 3:
            shrink(value, keys, depth + 1)
    return config


def build_transformers(kind):
    """The model with everything small or, where its sizes do not fit together then, with few layers
    and few words alone."""
    for keys in (SHRINK, FEW):
        try:
            model, example = transformers_model(kind, keys)
            with torch.no_grad():
                model.train()(**example)
            return model, example
        except Exception:
            if keys is FEW:
                raise


def transformers_model(kind, keys):
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    config = shrink(CONFIG_MAPPING[kind](), keys)
    classes = MODEL_MAPPING[type(config)]
    model_class = classes[0] if isinstance(classes, tuple) else classes
    if hasattr(config, "_attn_implementation"):
        config._attn_implementation = "eager"
    if count(model_class, config) > MAX_PARAMETERS:
        raise MemoryError("too large even when shrunk")
    model = model_class(config)
    example = transformers_example(model, config)
    if "use_cache" in inspect.signature(model.forward).parameters:
        example["use_cache"] = False
    return model, example


def count(model_class, config):
    with torch.device("meta"):
        return sum(p.numel() for p in model_class(config).parameters())


def transformers_example(model, config):
    names = inspect.signature(model.forward).parameters
    ids = torch.randint(3, 100, (2, 12))
    main = getattr(model, "main_input_name", "input_ids")
    example = {}
    if main == "pixel_values" or ("pixel_values" in names and "input_ids" not in names):
        size = image_size(config)
        example["pixel_values"] = torch.randn(2, getattr(config, "num_channels", 3) or 3, *size)
    elif main == "input_ids":
        example["input_ids"] = ids
        example["attention_mask"] = torch.ones_like(ids)
        if "pixel_values" in names and "text_config" in vars(config) and hasattr(
                config, "projection_dim"):
            size = image_size(config.vision_config)
            example["pixel_values"] = torch.randn(2, 3, *size)
    else:
        raise TypeError(f"takes {main}, neither text nor images")
    if "decoder_input_ids" in names:
        example["decoder_input_ids"] = ids
    return {k: v for k, v in example.items() if k in names}


def image_size(config):
    size = getattr(config, "image_size", None) or 64
    if isinstance(size, (list, tuple)):
        return tuple(size)[:2]
    return (size, size) if isinstance(size, int) else (64, 64)


BUILDERS = {"torchvision": build_torchvision, "timm": build_timm,
            "transformers": build_transformers}
