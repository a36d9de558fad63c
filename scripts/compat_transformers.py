"""Small models of transformers, from their configurations alone.

Every configuration is shrunk in a few ways and every model offered a few kinds of input, until its
forward pass runs: which sizes belong together, and what a model is called with, differs from model to
model. What is tried is ours; the first error of each way is kept for those that no way fits.
"""

import inspect

import torch

MAX_PARAMETERS = 100_000_000
LAYERS = 2

# Where sizes may be anything.
LAYER_COUNTS = {key: LAYERS for key in (
    "num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers",
    "num_decoder_layers", "num_encoder_layers", "depth", "num_encoder_blocks_", "num_blocks",
    "encoder_num_layers", "decoder_num_layers", "num_hidden_layers_", "text_encoder_layers",
    "n_text_layer", "vision_layers", "temporal_layers", "predictor_num_hidden_layers", "layers",
    "pred_num_hidden_layers", "num_attention_layers", "e_layers", "d_layers")}
WORDS = {"vocab_size": 120, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
         "decoder_start_token_id": 1, "decoder_vocab_size": 120, "vocab_size_per_layer_input": 120,
         "type_vocab_size": 2, "entity_vocab_size": 120}
SIZES = {
    "hidden_size": 64, "d_model": 64, "dim": 64, "n_embd": 64, "embed_dim": 64, "d_embed": 64,
    "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4, "attention_heads": 4,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "num_key_value_heads": 4,
    "decoder_num_attention_heads": 4, "encoder_num_attention_heads": 4, "decoder_hidden_size": 64,
    "encoder_hidden_size": 64, "cross_attention_hidden_size": 64, "num_query_heads": 4,
    "intermediate_size": 96, "d_ff": 96, "ffn_dim": 96, "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 96, "d_inner": 96, "hidden_dim": 96, "n_inner": 96, "d_kv": 16,
    "decoder_intermediate_size": 96, "encoder_intermediate_size": 96, "mlp_dim": 96,
    "max_position_embeddings": 64, "n_positions": 64, "embedding_size": 64, "n_ctx": 64,
    "max_source_positions": 32, "max_target_positions": 64,
    "image_size": 32, "patch_size": 8, "num_channels": 3, "num_labels": 5, "head_dim": 16,
    "num_frames": 4, "tubelet_size": 2, "temporal_patch_size": 2,
    "moe_intermediate_size": 32, "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "q_lora_rank": 16, "kv_lora_rank": 16,
    "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16, "projection_dim": 32,
    "shared_expert_intermediate_size": 32, "moe_num_experts": 4, "moe_top_k": 2, "top_k": 2,
    "num_shared_experts": 1, "n_shared_experts": 1, "expert_ffn_hidden_size": 32,
    "rotary_dim": 8, "relative_attention_num_buckets": 8, "attention_window": 4, "state_size": 8,
    "word_embed_proj_dim": 64, "index_n_heads": 2, "index_head_dim": 16, "out_hidden_size": 64,
    "num_queries": 8, "num_query_tokens": 4, "num_latents": 8, "d_latents": 64,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, "output_dim": 32,
    "mamba_d_head": 16, "mamba_n_groups": 1, "mamba_d_state": 8, "mamba_chunk_size": 8,
    "n_groups": 1, "chunk_size": 8, "conv_kernel_size": 7, "image_token_id": 110,
    "video_token_id": 111, "audio_token_id": 112, "vision_start_token_id": 113,
    "vision_end_token_id": 114, "image_token_index": 110, "audio_token_index": 112,
    "linear_num_key_heads": 4, "linear_num_value_heads": 4, "linear_key_head_dim": 16,
    "linear_value_head_dim": 16, "num_position_embeddings": 64, "position_embedding_size": 64,
    "encoder_hash_byte_group_vocab": 500,
    "num_kv_shared_layers": 0, "vision_output_channels": 64, "output_channels": 64,
    "num_pos_feats": 32, "image_seq_length": 16, "hidden_size_per_layer_input": 16,
    "first_k_dense_replace": 1,
}
# Where a configuration leaves them open.
ABSENT = {"vocab_size": 120, "prediction_length": 4, "context_length": 8}
SHARES = {"width_coefficient": 0.4, "depth_coefficient": 0.4}
SMALL = {**LAYER_COUNTS, **WORDS, **SIZES}
SQUARE = {**SMALL, "image_size": 64, "patch_size": 16}  # where strides of 32 follow
THIN = {**LAYER_COUNTS, **WORDS}
WAYS = (("set", SMALL), ("made", SMALL), ("anew", SMALL), ("set", THIN), ("made", THIN),
        ("set", SQUARE),
        ("made", SQUARE), ("set", LAYER_COUNTS), ("set", {}))


def models():
    """One base model of each type."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    return [(f"transformers/{kind}", "transformers", kind) for kind in sorted(MODEL_MAPPING_NAMES)]


def build(kind):
    """(model, keyword arguments) of the first way whose forward pass runs in training."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    default = CONFIG_MAPPING[kind]
    classes = MODEL_MAPPING[default]
    model_class = classes[0] if isinstance(classes, tuple) else classes
    errors = []
    for way, keys, turned in ((w, k, t) for w, k in WAYS for t in (None, 1.0, 0.5, 0.25)):
        if turned is not None and not (errors and "split_with_sizes" in str(errors[-1])):
            continue
        try:
            config = shrink(default(), keys) if way == "set" else made(default, keys, way)
            config = fitted(config, turned)
            if hasattr(config, "_attn_implementation"):
                config._attn_implementation = "eager"
            if count(model_class, config) > MAX_PARAMETERS:
                raise MemoryError("too large even when shrunk")
            torch.manual_seed(0)
            model = model_class(config)
        except Exception as error:
            errors.append(error)
            continue
        for example in examples(model, config):
            try:
                torch.manual_seed(0)
                with torch.no_grad():
                    model.train()(**example)
                return model, example
            except Exception as error:
                errors.append(error)
    raise errors[0] if errors else TypeError("nothing to call it with is known here")


def count(model_class, config):
    with torch.device("meta"):
        return sum(p.numel() for p in model_class(config).parameters())


# --- configurations ---

def shrink(config, keys, depth=0):
    """Sets what makes a model large, wherever the configuration has it."""
    layers = next((value_of(config, k) for k in ("num_hidden_layers", "num_layers", "n_layer")
                   if type(value_of(config, k)) is int), None)
    for key, value in {**keys, **(SHARES if keys else {})}.items():
        try:
            if type(getattr(config, key, None)) is type(value):
                setattr(config, key, value)
        except Exception:  # kinds of configuration that have an opinion of their own about a key
            continue
    for key, value in ABSENT.items():
        if hasattr(config, key) and getattr(config, key) is None:
            setattr(config, key, value)
    if hasattr(config, "use_cache"):
        config.use_cache = False
    if getattr(config, "use_pretrained_backbone", False):
        config.use_pretrained_backbone = False
    if "num_hidden_layers" in keys:
        for key, value in vars(config).copy().items():
            if isinstance(value, (list, tuple)) and layers and len(value) == layers > LAYERS:
                try:
                    setattr(config, key, type(value)(both_kinds(value)))
                except Exception:
                    continue
    for key, value in vars(config).copy().items():
        if key.endswith("_config") and hasattr(value, "to_dict") and depth < 3:
            shrink(value, keys, depth + 1)
    return config


def both_kinds(layers):
    """As many entries of a list that has one a layer, of two kinds where there are two."""
    try:
        other = next((item for item in layers if item != layers[0]), layers[1])
    except Exception:
        other = layers[1]
    return [layers[0], other][:LAYERS]


def made(kind, keys, way):
    """The same, made anew: what a configuration works out from other keys then fits them, and with
    `anew` what its parts work out, too."""
    default = kind()

    def smaller(config, depth=0):
        changed = {}
        for key, value in vars(config).items():
            if key.startswith("_"):
                continue
            if key.endswith("_config") and hasattr(value, "to_dict") and depth < 3:
                own = {} if way == "anew" else value.to_dict()
                changed[key] = {**own, **smaller(value, depth + 1)}
            elif type(value) is int and key in keys:
                changed[key] = keys[key]
            elif key == "use_pretrained_backbone":
                changed[key] = False
        return changed

    config = kind(**smaller(default))
    if hasattr(config, "use_cache"):
        config.use_cache = False
    return config


def value_of(config, key):
    """None, too, where it differs from layer to layer."""
    try:
        return getattr(config, key, None)
    except Exception:
        return None


def fitted(config, turned, depth=0):
    """Sizes that are products of others. turned: the share of a head that positions turn, where they
    are split into time, height and width."""
    get = lambda key: value_of(config, key)
    if type(get("qk_rope_head_dim")) is int and type(get("head_dim")) is int:
        config.head_dim = get("qk_rope_head_dim")
    hidden, heads = get("hidden_size"), get("num_attention_heads")
    head = get("head_dim") if type(get("head_dim")) is int else None
    if head is None and type(hidden) is int and type(heads) is int and heads:
        head = hidden // heads
    for key in ("rope_scaling", "rope_parameters"):
        rope = get(key)
        if turned is not None and isinstance(rope, dict) and head:
            half = int(head * turned) // 2
            rope["mrope_section"] = [half - 2 * (half // 3), half // 3, half // 3]
    width = get("hidden_size") or get("d_model")
    for expand, count, size in (("expand", "num_heads", "head_dim"),
                                ("mamba_expand", "mamba_n_heads", "mamba_d_head"),
                                ("expand", "mamba_num_heads", "mamba_head_dim"),
                                ("mamba_expand", "n_mamba_heads", "mamba_headdim")):
        if type(get(expand)) in (int, float) and type(get(count)) is int and type(
                get(size)) is int and type(width) is int:
            setattr(config, count, max(int(get(expand) * width) // get(size), 1))
    if type(get("image_embedding_size")) is int and type(get("image_size")) is int:
        config.image_embedding_size = get("image_size") // get("patch_size")
    if type(get("mamba_d_ssm")) is int:
        config.mamba_d_ssm = config.mamba_n_heads * config.mamba_d_head
    for value in vars(config).copy().values():
        if hasattr(value, "to_dict") and depth < 3:
            fitted(value, turned, depth + 1)
    return config


# --- what a model is called with ---

def first(config, *keys, default=None):
    """The first of these keys that the configuration or a part of it has as a number."""
    parts = [config, *(v for k, v in vars(config).items()
                       if k.endswith("_config") and hasattr(v, "to_dict"))]
    for key in keys:
        for part in parts:
            value = value_of(part, key)
            if type(value) is int:
                return value
            if isinstance(value, (list, tuple)) and value and type(value[0]) is int:
                return value[0]
    return default


def examples(model, config):
    """Dicts of keyword arguments, the likely ones first."""
    parameters = {n: p for n, p in inspect.signature(model.forward).parameters.items()
                  if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    required = {n for n, p in parameters.items() if p.default is p.empty}
    main = getattr(model, "main_input_name", "input_ids")
    found = []
    for recipe in recipes(config):
        recipe = {n: v for n, v in recipe.items() if n in parameters}
        if not recipe:
            continue
        for name in required - recipe.keys():
            extra = extras(config, recipe).get(name)
            if extra is not None:
                recipe[name] = extra
        if required - recipe.keys():
            continue
        if "decoder_input_ids" in parameters and "decoder_input_ids" not in recipe:
            recipe["decoder_input_ids"] = words()
        if "use_cache" in parameters:
            recipe["use_cache"] = False
        if "return_loss" in parameters and parameters["return_loss"].default is not None:
            recipe["return_loss"] = False
        found.append(recipe)
    found.sort(key=lambda recipe: main not in recipe)
    return found


def words(length=12):
    return torch.randint(3, 100, (2, length))


def recipes(config):
    text = {"input_ids": words(), "attention_mask": torch.ones(2, 12, dtype=torch.long)}
    channels = first(config, "num_channels", "in_channels", "in_chans", default=3) or 3
    sizes = [s for s in dict.fromkeys((first(config, "image_size", "img_size", default=64), 64, 32,
                                       128, 224)) if s and s <= 512]
    images = [torch.randn(2, channels, s, s) for s in sizes]
    frames = first(config, "num_frames", "frames_per_clip", default=4)
    films = [torch.randn(2, frames, channels, s, s) for s in sizes[:2]]
    mel = first(config, "num_mel_bins", "input_feat_per_channel", "feature_size", "n_mels",
                "mel_bins", "num_mel_filters", "input_dim", "input_size", default=80)
    long = first(config, "max_source_positions", default=32)
    spectra = [torch.randn(2, mel, 2 * long), torch.randn(2, 64, mel), torch.randn(2, 128, mel),
               torch.randn(2, mel, 64), torch.randn(2, 1, 64, mel),
               torch.randn(2, first(config, "max_length", "max_frames", default=64), mel)]
    waves = [torch.randn(2, 4000), torch.randn(2, 1, 4000), torch.randn(2, 16000),
             torch.randn(2, 1, 24000)]

    yield text
    yield {"input_ids": words()}
    for image in images[:2]:
        yield {**text, "pixel_values": image}
    for image in images:
        yield {"pixel_values": image}
    for image in images[:2]:
        yield {"pixel_values": image, "input_points": torch.rand(2, 1, 1, 2) * 8}
        yield {"pixel_values": image,
               "pixel_mask": torch.ones(2, *image.shape[-2:], dtype=torch.long)}
        yield {**text, "pixel_values": image.unsqueeze(1)}
    for film in films:
        yield {"pixel_values": film}
        yield {"pixel_values_videos": film}
    for film in films[:1]:
        yield {**text, "pixel_values": film}
        yield {**text, "pixel_values_videos": film}
    yield from patches(config, channels, text)
    for kind in (torch.long, torch.float):
        yield {**text, "bbox": torch.tensor([[1, 2, 30, 40]]).expand(2, 12, 4).to(kind)}
    yield {**text, "bbox": torch.rand(2, 12, 8)}
    features = first(config, "visual_feat_dim", "visual_embedding_dim", default=64)
    yield {**text, "visual_feats": torch.randn(2, 5, features), "visual_pos": torch.rand(2, 5, 4)}
    yield {"pixel_values": torch.randn(2, 2, 3, 64, 64)}
    for wave in waves:
        yield {"input_values": wave}
        yield {**text, "input_values": wave}
        yield {"audio_values": wave}
    for spectrum in spectra:
        rows = torch.ones(2, spectrum.shape[1], dtype=torch.long)
        yield {"input_features": spectrum}
        yield {"input_features": spectrum, "attention_mask": rows}
        yield {"input_values": spectrum}
        yield {**text, "input_features": spectrum}
    yield {"inputs": torch.randn(2, 12, first(config, "d_model", "hidden_size", default=64))}
    other = first(config, "encoder_hidden_size", default=64)
    yield {"query_embeds": torch.randn(2, 4, first(config, "hidden_size", default=64)),
           "encoder_hidden_states": torch.randn(2, 10, other)}
    yield {"inputs_embeds": torch.randn(2, 12, first(config, "hidden_size", default=64))}
    yield {"hidden_states": torch.randn(2, 12, first(config, "hidden_size", "d_model", default=64))}
    context = first(config, "context_length", "seq_length", default=16)
    variables = first(config, "num_input_channels", "input_size", default=1)
    yield {"past_values": torch.randn(2, context, variables)}
    yield from series(config)
    yield from decisions(config)


def patches(config, channels, text):
    """Of two images of 4 × 4 patches each: all patches in one list, and how many an image has."""
    size = first(config, "patch_size", default=8)
    times = first(config, "temporal_patch_size", default=1)
    grid = torch.tensor([[1, 4, 4], [1, 4, 4]])
    flat = torch.randn(32, channels * times * size * size)
    yield {"hidden_states": flat, "grid_thw": grid}
    yield {"pixel_values": flat, "image_grid_thw": grid}
    yield {"pixel_values": flat, "grid_thw": grid}
    yield {"pixel_values": flat.unflatten(1, (channels, -1, size))[:, :, :size], "grid_thw": grid}


def extras(config, recipe):
    """Arguments that some models want beside the others."""
    lines = torch.tensor([[1, 2, 30, 40]]).expand(2, 12, 4)
    features = first(config, "visual_feat_dim", "visual_embedding_dim", default=64)
    image = recipe.get("pixel_values")
    hidden = first(config, "hidden_size", "d_model", default=64)
    return {
        "input_ids": words(), "decoder_input_ids": words(),
        "attention_mask": torch.ones(2, 12, dtype=torch.long), "bbox": lines,
        "position_ids": torch.arange(12).expand(2, 12),
        "visual_feats": torch.randn(2, 5, features), "visual_pos": torch.rand(2, 5, 4),
        "image": torch.rand(2, 3, 224, 224), "qformer_input_ids": words(),
        "query_embeds": torch.randn(2, 4, hidden),
        "pixel_mask": (torch.ones(2, *image.shape[-2:], dtype=torch.long)
                       if image is not None else None),
        "pixel_values": torch.randn(2, 3, first(config, "image_size", default=64),
                                    first(config, "image_size", default=64)),
    }


def series(config):
    """Time series of the past, and of the future that is foretold."""
    length = first(config, "context_length", default=None)
    if length is None:
        return
    ahead = first(config, "prediction_length", default=4)
    lags = getattr(config, "lags_sequence", None) or [0]
    times = getattr(config, "num_time_features", 0) or 0
    past = length + max(lags)
    yield {"past_values": torch.randn(2, past), "past_time_features": torch.randn(2, past, times),
           "past_observed_mask": torch.ones(2, past), "future_values": torch.randn(2, ahead),
           "future_time_features": torch.randn(2, ahead, times)}


def decisions(config):
    state, act = (first(config, key, default=None) for key in ("state_dim", "act_dim"))
    if state is None or act is None:
        return
    yield {"states": torch.randn(2, 6, state), "actions": torch.randn(2, 6, act),
           "rewards": torch.randn(2, 6, 1), "returns_to_go": torch.randn(2, 6, 1),
           "timesteps": torch.arange(6).expand(2, 6),
           "attention_mask": torch.ones(2, 6, dtype=torch.long)}
