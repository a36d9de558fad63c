"""Recipes for models of words, and of words beside images or series."""

import torch

from compat_recipe import anew, model_of, recipe, shrunk, tokens, with_any_input
from compat_recipes_images import SIGLIP2


@recipe("transformers/zamba")
def zamba():
    return with_any_input(anew(
        "zamba", vocab_size=120, hidden_size=64, intermediate_size=96, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=4, mamba_dt_rank=8,
        layers_block_type=["linear_attention", "hybrid", "linear_attention", "hybrid"]))


@recipe("transformers/zamba2")
def zamba2():
    return with_any_input(anew(
        "zamba2", vocab_size=120, hidden_size=64, intermediate_size=96, num_hidden_layers=4,
        num_attention_heads=4, n_mamba_heads=8, mamba_d_state=8, chunk_size=8, adapter_rank=4,
        layers_block_type=["linear_attention", "hybrid", "linear_attention", "hybrid"]))


@recipe("transformers/xmod")
def xmod():
    return with_any_input(shrunk("xmod", default_language="en_XX"))


@recipe("transformers/chameleon")
def chameleon():
    config = anew("chameleon", vocab_size=120, hidden_size=64, intermediate_size=96,
                  num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
                  vocabulary_map={"<image>": 110, **{f"IMGIMG{i}Z": i for i in range(3, 20)}},
                  vq_config={"embed_dim": 16, "num_embeddings": 16, "latent_channels": 16,
                             "resolution": 32, "base_channels": 32, "channel_multiplier": (1, 1),
                             "num_res_blocks": 1})
    return model_of(config), tokens()


@recipe("transformers/idefics")
def idefics():
    config = anew("idefics", vocab_size=120, hidden_size=64, intermediate_size=96,
                  num_hidden_layers=2, num_attention_heads=4, alpha_initializer="ones",
                  freeze_text_layers=False, freeze_vision_layers=False,
                  vision_config={"embed_dim": 64, "image_size": 32, "patch_size": 8,
                                 "intermediate_size": 96, "num_hidden_layers": 2,
                                 "num_attention_heads": 4})
    return model_of(config), {**tokens(), "pixel_values": torch.randn(2, 1, 3, 32, 32),
                              "image_attention_mask": torch.ones(2, 12, 1, dtype=torch.long)}


COMPASS = {"vocab_size": 120, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
           "num_attention_heads": 4, "num_key_value_heads": 4, "pad_token_id": 0, "bos_token_id": 1,
           "eos_token_id": 2, "layer_types": ["sliding_attention", "full_attention"],
           "rope_parameters": {kind: {"rope_type": "default", "rope_theta": 10000.0,
                                      "mrope_section": [4, 2, 2]}
                               for kind in ("sliding_attention", "full_attention")}}

COMPASS_EYES = {"depth": 2, "hidden_size": 64, "intermediate_size": 96, "num_heads": 4,
                "patch_size": 8, "out_hidden_size": 64, "num_position_embeddings": 64,
                "deepstack_visual_indexes": (0, 1)}


@recipe("transformers/cohere_compass_text")
def cohere_compass_text():
    return model_of(anew("cohere_compass_text", **COMPASS)), tokens()


@recipe("transformers/cohere_compass_vision")
def cohere_compass_vision():
    return with_any_input(anew("cohere_compass_vision", **COMPASS_EYES))


@recipe("transformers/cohere_compass")
def cohere_compass():
    return model_of(anew("cohere_compass", text_config=COMPASS, vision_config=COMPASS_EYES,
                         image_token_id=110, video_token_id=111, vision_start_token_id=112,
                         vision_end_token_id=113)), tokens()


@recipe("transformers/apertus1p5")
def apertus1p5():
    words = {"vocab_size": 200, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
             "num_attention_heads": 4, "pad_token_id": 0}
    eyes = {"codebook_size": 32, "embed_dim": 16, "latent_channels": 16, "base_channels": 32,
            "channel_multiplier": (1, 1), "num_res_blocks": 1, "attn_resolutions": (16,),
            "resolution": 32}
    ears = {"codebook_size": 32}
    config = anew("apertus1p5", text_config=words, vision_config=eyes, audio_config=ears,
                  image_token_id=110, audio_token_id=111, image_token_offset=120,
                  audio_token_offset=152)
    return model_of(config), tokens()


@recipe("transformers/autoformer", "transformers/informer", "transformers/time_series_transformer")
def series(kind):
    past, ahead, times = 12, 4, 2
    config = anew(kind, prediction_length=ahead, context_length=past - 3, lags_sequence=[1, 2, 3],
                  num_time_features=times, d_model=32, encoder_layers=2, decoder_layers=2,
                  encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48,
                  decoder_ffn_dim=48, **({"label_length": 4, "moving_average": 5}
                                         if kind == "autoformer" else {}))
    return model_of(config), {
        "past_values": torch.randn(2, past), "past_time_features": torch.randn(2, past, times),
        "past_observed_mask": torch.ones(2, past), "future_values": torch.randn(2, ahead),
        "future_time_features": torch.randn(2, ahead, times), "use_cache": False}


Q_FORMER = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
            "intermediate_size": 96, "encoder_hidden_size": 64, "vocab_size": 120}

Q_EYES = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
          "num_attention_heads": 4, "image_size": 32, "patch_size": 8}

Q_WORDS = {"model_type": "opt", "vocab_size": 120, "hidden_size": 64, "ffn_dim": 96,
           "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64,
           "word_embed_proj_dim": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


@recipe("transformers/blip_2_qformer")
def blip_2_qformer():
    return model_of(anew("blip_2_qformer", **Q_FORMER)), {
        "query_embeds": torch.randn(2, 4, 64), "encoder_hidden_states": torch.randn(2, 10, 64)}


@recipe("transformers/blip-2", "transformers/instructblip", "transformers/instructblipvideo")
def blip_2(kind):
    """Four learned questions to an image, whose answers take the places of four words."""
    video = kind == "instructblipvideo"
    token = {"video_token_index" if video else "image_token_index": 110}
    config = anew(kind, text_config=Q_WORDS, vision_config=Q_EYES, qformer_config=Q_FORMER,
                  num_query_tokens=4, **token)
    image = torch.randn(2, 2, 3, 32, 32) if video else torch.randn(2, 3, 32, 32)
    asked = {} if kind == "blip-2" else {"qformer_input_ids": tokens()["input_ids"]}
    return model_of(config), {**tokens(12, 110, 8 if video else 4), **asked, "pixel_values": image}


@recipe("transformers/bros")
def bros():
    config = anew("bros", vocab_size=120, hidden_size=64, num_hidden_layers=2,
                  num_attention_heads=4, intermediate_size=96, max_position_embeddings=64)
    return model_of(config), {**tokens(), "bbox": torch.rand(2, 12, 4)}


@recipe("transformers/dbrx")
def dbrx():
    config = anew("dbrx", d_model=64, n_heads=4, n_layers=2, max_seq_len=64, vocab_size=120,
                  attn_config={"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10000.0},
                  ffn_config={"ffn_hidden_size": 96, "moe_num_experts": 4, "moe_top_k": 2})
    return model_of(config), tokens()


@recipe("transformers/blt")
def blt():
    """With patches of four bytes: where its entropies would cut random lines depends on chance."""
    part = {"vocab_size": 260, "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2,
            "intermediate_size": 96, "max_position_embeddings": 64}
    local = {**part, "hidden_size_global": 128, "cross_attn_k": 2}
    config = anew("blt", max_position_embeddings=64, patcher_config=part, encoder_config=local,
                  decoder_config=local, encoder_hash_byte_group_vocab=200,
                  encoder_hash_byte_group_size=[3, 4],
                  global_config={"hidden_size": 128, "num_attention_heads": 4,
                                 "num_hidden_layers": 2, "intermediate_size": 96,
                                 "max_position_embeddings": 64})
    return model_of(config), {**tokens(12), "patch_lengths": torch.tensor([[1, 4, 4, 4]] * 2)[:, :4]
                              - torch.tensor([0, 0, 0, 1])}


@recipe("transformers/deepseek_v2")
def deepseek_v2():
    return model_of(shrunk("deepseek_v2", num_experts_per_tok=2)), tokens()


@recipe("transformers/deepseek_ocr2")
def deepseek_ocr2():
    config = anew("deepseek_ocr2", image_token_id=110,
                  text_config={"vocab_size": 120, "hidden_size": 64, "intermediate_size": 96,
                               "num_hidden_layers": 2, "num_attention_heads": 4,
                               "num_key_value_heads": 4, "n_routed_experts": 4,
                               "num_experts_per_tok": 2, "moe_intermediate_size": 32,
                               "mlp_layer_types": ["dense", "sparse"]},
                  vision_config={"sam_config": {"hidden_size": 32, "output_channels": 16,
                                                "num_hidden_layers": 2, "num_attention_heads": 4,
                                                "image_size": 64, "patch_size": 16,
                                                "window_size": 2, "global_attn_indexes": (1,),
                                                "downsample_channels": [32, 64]},
                                 "encoder_config": {"hidden_size": 64, "intermediate_size": 96,
                                                    "num_hidden_layers": 2,
                                                    "num_attention_heads": 4, "vocab_size": 120,
                                                    "num_key_value_heads": 4}})
    return model_of(config), tokens()


@recipe("transformers/dots1")
def dots1():
    return model_of(shrunk("dots1", n_shared_experts=1, n_routed_experts=4, num_experts_per_tok=2,
                           first_k_dense_replace=1)), tokens()


@recipe("transformers/diffusion_gemma")
def diffusion_gemma():
    config = anew("diffusion_gemma", boi_token_id=108, eoi_token_id=109, image_token_id=110,
                  canvas_length=8,
                  text_config={**GEMMA, "num_experts": 4, "top_k_experts": 2,
                               "moe_intermediate_size": 32},
                  vision_config=GEMMA_EYES)
    return model_of(config), {**tokens(), "decoder_input_ids": tokens(8)["input_ids"]}


GEMMA = {"vocab_size": 120, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
         "max_position_embeddings": 64, "sliding_window": 8, "pad_token_id": 0, "eos_token_id": 1,
         "bos_token_id": 2, "layer_types": ["sliding_attention", "full_attention"]}

GEMMA_EYES = {"model_type": "gemma4_vision", "hidden_size": 64, "intermediate_size": 96,
              "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
              "head_dim": 16, "patch_size": 4, "position_embedding_size": 64}

DOTS_WORDS = {"vocab_size": 120, "hidden_size": 64, "intermediate_size": 96,
              "moe_intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
              "num_key_value_heads": 4, "n_routed_experts": 4, "num_experts_per_tok": 2,
              "kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 8, "v_head_dim": 16,
              "qk_nope_head_dim": 8, "head_dim": 16, "max_position_embeddings": 64,
              "index_topk": 4, "index_head_dim": 16, "index_n_heads": 2, "pad_token_id": 0,
              "bos_token_id": 1, "eos_token_id": 2, "shared_experts_intermediate_size": 32}


@recipe("transformers/dots3_note")
def dots3_note():
    config = anew("dots3_note", text_config=DOTS_WORDS, image_token_id=110, video_token_id=111,
                  audio_token_id=112,
                  vision_config={"hidden_size": 64, "intermediate_size": 96,
                                 "num_hidden_layers": 2, "num_attention_heads": 4,
                                 "patch_size": 8, "moe_intermediate_size": 32,
                                 "mlp_layer_types": ["dense", "sparse"],
                                 "num_local_experts": 4, "num_experts_per_tok": 2,
                                 "adapter_in_dim": 64, "adapter_out_dim": 64},
                  audio_config={"hidden_size": 64, "intermediate_size": 96,
                                "num_hidden_layers": 2, "num_attention_heads": 4,
                                "max_position_embeddings": 64, "feature_size": 16,
                                "downsample_hidden_size": 16, "adapter_input_size": 64,
                                "adapter_out_dim": 64})
    return model_of(config), tokens()


@recipe("transformers/t5gemma2_encoder")
def t5gemma2_encoder():
    eyes = {"model_type": "siglip_vision_model", "hidden_size": 64, "intermediate_size": 96,
            "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 32, "patch_size": 8}
    config = anew("t5gemma2_encoder", text_config={**GEMMA, "dropout_rate": 0.0},
                  vision_config=eyes, mm_tokens_per_image=4, boi_token_index=108,
                  eoi_token_index=109, image_token_index=110)
    return model_of(config), tokens()


@recipe("transformers/step3p7")
def step3p7():
    config = anew("step3p7", image_token_id=110,
                  text_config={"vocab_size": 120, "hidden_size": 64, "intermediate_size": 96,
                               "num_hidden_layers": 2, "num_attention_heads": 4,
                               "num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0,
                               "max_position_embeddings": 64, "num_experts_per_tok": 2,
                               "n_routed_experts": 4, "moe_intermediate_size": 32,
                               "share_expert_dim": 32, "sliding_window": 8,
                               "num_sliding_attention_heads": 4,
                               "mlp_layer_types": ["dense", "sparse"],
                               "layer_types": ["full_attention", "sliding_attention"]},
                  vision_config={"hidden_size": 64, "intermediate_size": 96,
                                 "num_hidden_layers": 2, "num_attention_heads": 4,
                                 "image_size": 32, "patch_size": 8})
    return model_of(config), tokens()


@recipe("transformers/emu3")
def emu3():
    config = anew("emu3", vocabulary_map={"<image>": 110, "<|extra_200|>": 111,
                                          **{f"<|visual token {i:06}|>": i for i in range(40, 72)}},
                  text_config={"vocab_size": 120, "hidden_size": 64, "intermediate_size": 96,
                               "num_hidden_layers": 2, "num_attention_heads": 4,
                               "num_key_value_heads": 2, "max_position_embeddings": 64,
                               "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
                  vq_config={"codebook_size": 32, "embed_dim": 4, "latent_channels": 4,
                             "base_channels": 32, "channel_multiplier": (1, 1),
                             "num_res_blocks": 1, "hidden_size": 32, "attn_resolutions": (1,)})
    return model_of(config), tokens()


@recipe("transformers/ernie4_5_vl_moe")
def ernie4_5_vl_moe():
    config = anew("ernie4_5_vl_moe", image_start_token_id=106, image_end_token_id=107,
                  image_token_id=110, video_start_token_id=108, video_end_token_id=109,
                  video_token_id=111,
                  text_config={"vocab_size": 120, "hidden_size": 64, "intermediate_size": 96,
                               "num_hidden_layers": 2, "num_attention_heads": 4,
                               "num_key_value_heads": 2, "max_position_embeddings": 64,
                               "moe_intermediate_size": [32, 16], "moe_k": 2,
                               "moe_num_experts": 4, "moe_num_shared_experts": 1,
                               "mlp_layer_types": ["dense", "sparse"],
                               "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0,
                                                   "mrope_section": [3, 3, 2]}},
                  vision_config={"depth": 2, "hidden_size": 64, "num_heads": 4, "patch_size": 8,
                                 "intermediate_size": 96})
    return model_of(config), {**tokens(), "mm_token_type_ids": torch.zeros(2, 12, dtype=torch.long)}


@recipe("transformers/reformer")
def reformer():
    # Without dropout: the seed of its masks comes from the system's entropy, so no run repeats.
    config = anew("reformer", attention_head_size=16, attn_layers=("local", "lsh"),
                  axial_pos_shape=(4, 8), axial_pos_embds_dim=(16, 48), feed_forward_size=96,
                  hidden_size=64, local_attn_chunk_length=8, lsh_attn_chunk_length=8,
                  max_position_embeddings=32, num_attention_heads=4, num_buckets=4, vocab_size=120,
                  hash_seed=0, hidden_dropout_prob=0.0, local_attention_probs_dropout_prob=0.0)
    return model_of(config), {**tokens(32), "use_cache": False}


@recipe("transformers/gemma4_vision")
def gemma4_vision():
    places = torch.stack(torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij"), -1)
    sizes = {key: value for key, value in GEMMA_EYES.items() if key != "model_type"}
    return model_of(anew("gemma4_vision", **sizes)), {
        "pixel_values": torch.randn(2, 16, 48),
        "pixel_position_ids": places.reshape(1, 16, 2).expand(2, -1, -1)}


@recipe("transformers/pi0")
def pi0():
    heads = {"model_type": "gemma", "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 96}
    eyes = {"model_type": "siglip_vision_model", **SIGLIP2, "image_size": 32, "patch_size": 8,
            "vision_use_head": False}
    config = anew("pi0", vlm_config={"text_config": {**heads, "hidden_size": 64, "vocab_size": 120},
                                     "vision_config": eyes, "projection_dim": 64,
                                     "image_token_id": 110},
                  dit_config={**heads, "hidden_size": 32}, chunk_size=5)
    return model_of(config), {"action_embeds": torch.randn(2, 5, 32), **tokens(12, 110, 16),
                              "pixel_values": torch.randn(2, 1, 3, 32, 32),
                              "pixel_attention_mask": torch.ones(2, 1, dtype=torch.bool)}


@recipe("transformers/perception_lm")
def perception_lm():
    config = anew("perception_lm", image_token_id=110, video_token_id=111,
                  text_config={"model_type": "llama", "vocab_size": 120, "hidden_size": 64,
                               "intermediate_size": 96, "num_hidden_layers": 2,
                               "num_attention_heads": 4, "num_key_value_heads": 2},
                  vision_config={"model_type": "timm_wrapper", "num_classes": 2,
                                 "architecture": "vit_tiny_patch16_224",
                                 "model_args": {"img_size": 32, "depth": 2, "embed_dim": 48}})
    return model_of(config), tokens()


@recipe("transformers/hunyuan_v1_dense", "transformers/hunyuan_v1_moe")
def hunyuan(kind):
    return model_of(shrunk(kind, head_dim=16)), tokens()


HUNYUAN = {"vocab_size": 120, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
           "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
           "max_position_embeddings": 64,
           "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0,
                               "mrope_section": [2, 2, 2, 2]}}


@recipe("transformers/hunyuan_vl_text")
def hunyuan_vl_text():
    return model_of(anew("hunyuan_vl_text", **HUNYUAN)), tokens()


@recipe("transformers/hunyuan_vl")
def hunyuan_vl():
    config = anew("hunyuan_vl", text_config=HUNYUAN, image_token_id=110, im_start_id=111,
                  im_end_id=112, im_newline_id=113,
                  vision_config={"hidden_size": 64, "intermediate_size": 96,
                                 "num_attention_heads": 4, "num_hidden_layers": 2,
                                 "out_hidden_size": 64, "patch_size": 8, "max_image_size": 64,
                                 "min_image_size": 16, "max_vit_seq_len": 64,
                                 "img_max_token_num": 16, "text_hidden_size": 64})
    return model_of(config), tokens()


@recipe("transformers/lfm2_moe")
def lfm2_moe():
    config = anew("lfm2_moe", vocab_size=120, hidden_size=64, intermediate_size=96,
                  moe_intermediate_size=32, num_hidden_layers=3, num_attention_heads=4,
                  num_key_value_heads=2, num_dense_layers=1, num_experts_per_tok=2, num_experts=4,
                  max_position_embeddings=64, layer_types=["conv", "full_attention", "conv"])
    return model_of(config), tokens()


@recipe("transformers/ministral")
def ministral():
    config = anew("ministral", vocab_size=120, hidden_size=64, intermediate_size=96,
                  num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
                  max_position_embeddings=64, sliding_window=8,
                  layer_types=["sliding_attention", "full_attention"])
    return model_of(config), tokens()


@recipe("transformers/mimo_v2_flash")
def mimo_v2_flash():
    config = anew("mimo_v2_flash", vocab_size=120, hidden_size=64, intermediate_size=96,
                  num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=24,
                  v_head_dim=16, moe_intermediate_size=32, num_experts_per_tok=2,
                  n_routed_experts=4, max_position_embeddings=64, sliding_window=8,
                  layer_types=["full_attention", "sliding_attention"],
                  mlp_layer_types=["dense", "sparse"])
    return model_of(config), tokens()


@recipe("transformers/molmo2")
def molmo2():
    return model_of(shrunk("molmo2")), {
        **tokens(), "mm_token_type_ids": torch.zeros(2, 12, dtype=torch.long)}


@recipe("transformers/kosmos-2")
def kosmos_2():
    config = anew("kosmos-2", latent_query_num=4,
                  text_config={"vocab_size": 120, "embed_dim": 64, "layers": 2, "ffn_dim": 96,
                               "attention_heads": 4, "max_position_embeddings": 64,
                               "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
                  vision_config={"hidden_size": 64, "intermediate_size": 96,
                                 "num_hidden_layers": 2, "num_attention_heads": 4,
                                 "image_size": 32, "patch_size": 8})
    here = torch.zeros(2, 16, dtype=torch.long)
    here[:, 1:5] = 1
    return model_of(config), {**tokens(12, 110, 4), "pixel_values": torch.randn(2, 3, 32, 32),
                              "image_embeds_position_mask": here}
