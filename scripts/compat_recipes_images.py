"""Recipes for models of images."""

import torch

from compat_recipe import anew, model_of, recipe, shrunk, tokens


@recipe("transformers/depth_pro")
def depth_pro():
    eyes = {"model_type": "dinov2", "hidden_size": 32, "num_hidden_layers": 4,
            "num_attention_heads": 4, "image_size": 16, "patch_size": 4, "intermediate_size": 48}
    config = anew("depth_pro", patch_size=16, image_model_config=eyes, patch_model_config=eyes,
                  fov_model_config=eyes, fusion_hidden_size=16, intermediate_hook_ids=(2, 0),
                  intermediate_feature_dims=(16, 16), scaled_images_ratios=(0.5, 1.0),
                  scaled_images_overlap_ratios=(0.0, 0.2), scaled_images_feature_dims=(16, 16),
                  num_fov_head_layers=1)
    return model_of(config), {"pixel_values": torch.randn(2, 3, 32, 32)}


@recipe("transformers/uvdoc")
def uvdoc():
    config = anew("uvdoc", bridge_connector=(16, 16), out_point_positions2D=((16, 8), (8, 2)),
                  backbone_config={
                      "model_type": "uvdoc_backbone",
                      "resnet_head": ((3, 8), (8, 8)),
                      "resnet_configs": (((8, 8, 1, False), (8, 8, 3, False)),
                                         ((8, 16, 1, True), (16, 16, 3, False))),
                      "stage_configs": (((16, 1),), ((16, 2),)),
                      "out_features": ["stage1", "stage2"]})
    return model_of(config), {"pixel_values": torch.randn(2, 3, 64, 64)}


@recipe("transformers/video_llama_3_vision")
def video_llama_3_vision():
    config = shrunk("video_llama_3_vision")
    return model_of(config), {"pixel_values": torch.randn(32, 3 * config.patch_size ** 2),
                              "grid_thw": torch.tensor([[1, 4, 4], [1, 4, 4]]),
                              "merge_sizes": torch.tensor([2, 2])}


@recipe("transformers/vjepa2")
def vjepa2():
    config = anew("vjepa2", patch_size=8, crop_size=16, frames_per_clip=4, hidden_size=64,
                  num_attention_heads=4, num_hidden_layers=2, pred_hidden_size=48,
                  pred_num_attention_heads=4, pred_num_hidden_layers=2)
    return model_of(config), {"pixel_values_videos": torch.randn(2, 4, 3, 16, 16)}


@recipe("transformers/tvp")
def tvp():
    config = anew("tvp", backbone_config={"model_type": "resnet", "embedding_size": 16,
                                          "hidden_sizes": [16, 32], "depths": [1, 1],
                                          "layer_type": "basic", "out_features": ["stage2"]},
                  visual_prompt_size=8, max_img_size=64, num_frames=2, vocab_size=120,
                  hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                  num_attention_heads=4, max_position_embeddings=64)
    line = {name: value[:1] for name, value in tokens().items()}  # the library takes one at a time
    return model_of(config), {**line, "pixel_values": torch.randn(1, 2, 3, 64, 64)}


@recipe("transformers/timm_backbone")
def timm_backbone():
    return model_of(anew("timm_backbone", backbone="resnet18", out_indices=(1, 2))), {
        "pixel_values": torch.randn(2, 3, 64, 64)}


def siglip2_image(channels=3, patch=8):
    """Two images of 4 × 4 patches, as the library's preparation makes them."""
    return {"pixel_values": torch.randn(2, 16, channels * patch * patch),
            "pixel_attention_mask": torch.ones(2, 16, dtype=torch.long),
            "spatial_shapes": torch.tensor([[4, 4], [4, 4]])}


SIGLIP2 = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
           "num_attention_heads": 4}

SIGLIP2_EYES = {**SIGLIP2, "patch_size": 8, "num_patches": 16}


@recipe("transformers/siglip2_vision_model")
def siglip2_vision_model():
    return model_of(anew("siglip2_vision_model", **SIGLIP2_EYES)), siglip2_image()


@recipe("transformers/siglip2")
def siglip2():
    config = anew("siglip2", vision_config=SIGLIP2_EYES,
                  text_config={**SIGLIP2, "vocab_size": 120, "max_position_embeddings": 64,
                               "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2})
    return model_of(config), {**tokens(), **siglip2_image()}


EDGE_EYES = {"backbone_config": {"model_type": "timm_wrapper", "architecture": "repvit_m0_9",
                                 "num_classes": 2,
                                 "model_args": {"in_chans": 3, "features_only": True,
                                                "out_indices": [0, 1, 2, 3]}},
             "backbone_channel_list": [384, 192, 96, 48], "fpn_hidden_size": 32,
             "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]]}

SAM_PROMPT = {"hidden_size": 32, "image_size": 64, "patch_size": 16, "mask_input_channels": 8}

SAM_MASKS = {"hidden_size": 32, "mlp_dim": 48, "num_attention_heads": 4, "iou_head_hidden_dim": 32}


@recipe("transformers/edgetam_vision_model")
def edgetam_vision_model():
    return model_of(anew("edgetam_vision_model", **EDGE_EYES)), {
        "pixel_values": torch.randn(2, 3, 64, 64)}


@recipe("transformers/edgetam")
def edgetam():
    config = anew("edgetam", vision_config=EDGE_EYES, prompt_encoder_config=SAM_PROMPT,
                  mask_decoder_config=SAM_MASKS)
    return model_of(config), {"pixel_values": torch.randn(2, 3, 64, 64),
                              "input_points": torch.rand(2, 1, 1, 2) * 60}


@recipe("transformers/seggpt")
def seggpt():
    config = anew("seggpt", hidden_size=32, num_hidden_layers=4, num_attention_heads=4,
                  image_size=(64, 32), patch_size=8, pretrain_image_size=32, merge_index=1,
                  intermediate_hidden_state_indices=(1, 2, 3), decoder_hidden_size=16)
    image = lambda: torch.randn(2, 3, 32, 32)
    return model_of(config), {"pixel_values": image(), "prompt_pixel_values": image(),
                              "prompt_masks": image()}


@recipe("transformers/rf_detr")
def rf_detr():
    config = anew("rf_detr", backbone_config={"model_type": "rf_detr_dinov2", "image_size": 64,
                                              "patch_size": 8, "hidden_size": 32,
                                              "num_hidden_layers": 2, "num_attention_heads": 4,
                                              "num_windows": 2, "out_indices": [1, 2]},
                  d_model=32, decoder_ffn_dim=48, decoder_layers=2, decoder_n_points=2,
                  decoder_self_attention_heads=4, decoder_cross_attention_heads=4, num_queries=6,
                  group_detr=2, c2f_num_blocks=1)
    return model_of(config), {"pixel_values": torch.randn(2, 3, 64, 64)}


@recipe("transformers/pp_ocrv6_small_det")
def pp_ocrv6_small_det():
    eyes = {"model_type": "pp_lcnet_v3", "scale": 0.75, "divisor": 16,
            "out_features": ["stage2", "stage3", "stage4", "stage5"]}
    config = anew("pp_ocrv6_small_det", neck_out_channels=16, backbone_config=eyes,
                  layer_list_out_channels=(48, 96, 192, 384))
    return model_of(config), {"pixel_values": torch.randn(2, 3, 64, 64)}


SWIN = {"model_type": "swin", "image_size": 64, "patch_size": 4, "embed_dim": 16,
        "depths": [1, 1, 1, 1], "num_heads": [2, 2, 4, 4], "window_size": 4,
        "drop_path_rate": 0.1, "out_features": ["stage1", "stage2", "stage3", "stage4"]}


@recipe("transformers/oneformer")
def oneformer():
    config = anew("oneformer", backbone_config=SWIN, num_queries=6, task_seq_len=12,
                  text_encoder_width=64, text_encoder_context_length=12,
                  text_encoder_num_layers=2, text_encoder_vocab_size=120, text_encoder_n_ctx=2,
                  conv_dim=64, mask_dim=64, hidden_dim=64, encoder_feedforward_dim=48,
                  encoder_layers=2, decoder_layers=2, num_attention_heads=4, dim_feedforward=48,
                  is_training=True)
    return model_of(config), {"pixel_values": torch.randn(2, 3, 64, 64),
                              "task_inputs": torch.rand(2, 12),
                              "text_inputs": torch.randint(3, 100, (2, 4, 12))}


RESNET = {"model_type": "resnet", "embedding_size": 16, "hidden_sizes": [16, 16, 32, 32],
          "depths": [1, 1, 1, 1], "layer_type": "basic", "out_features": ["stage4"]}


@recipe("transformers/align")
def align():
    eyes = {"image_size": 64, "width_coefficient": 0.25, "depth_coefficient": 0.2,
            "hidden_dim": 320}
    config = anew("align", projection_dim=80, vision_config=eyes,
                  text_config={"vocab_size": 120, "hidden_size": 64, "num_hidden_layers": 2,
                               "num_attention_heads": 4, "intermediate_size": 96,
                               "max_position_embeddings": 64})
    return model_of(config), {**tokens(), "pixel_values": torch.randn(2, 3, 64, 64),
                              "return_loss": False}


@recipe("transformers/detr", "transformers/conditional_detr", "transformers/dab-detr")
def detr(kind):
    sizes = {"hidden_size": 64} if kind == "dab-detr" else {"d_model": 64}
    config = anew(kind, backbone_config=RESNET, encoder_layers=2, decoder_layers=2,
                  encoder_ffn_dim=96, decoder_ffn_dim=96, encoder_attention_heads=4,
                  decoder_attention_heads=4, num_queries=6, **sizes)
    return model_of(config), {"pixel_values": torch.randn(2, 3, 64, 64)}


@recipe("transformers/lw_detr")
def lw_detr():
    config = anew("lw_detr", backbone_config={"model_type": "lw_detr_vit", "image_size": 64,
                                              "pretrain_image_size": 64, "patch_size": 8,
                                              "hidden_size": 32, "num_hidden_layers": 2,
                                              "num_attention_heads": 4, "num_windows": 4,
                                              "window_block_indices": [0], "out_indices": [1, 2]},
                  d_model=32, decoder_ffn_dim=48, decoder_layers=2, decoder_n_points=2,
                  decoder_self_attention_heads=4, decoder_cross_attention_heads=4, num_queries=6,
                  group_detr=2, c2f_num_blocks=1, projector_scale_factors=[1.0])
    return model_of(config), {"pixel_values": torch.randn(2, 3, 64, 64)}


MUSE_EYES = {"patch_size": 8, "pos_emb_height": 4, "pos_emb_width": 4, "num_attention_heads": 4,
             "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 96}


@recipe("transformers/muse_spark_vision", "transformers/muse_glimmer_vision")
def muse_vision(kind):
    return model_of(anew(kind, **MUSE_EYES)), {
        "pixel_values": torch.randn(32, 2 * 3 * 8 * 8),
        "grid_thw": torch.tensor([[1, 4, 4], [1, 4, 4]])}


@recipe("transformers/minicpm_ocr_vision")
def minicpm_ocr_vision():
    config = anew("minicpm_ocr_vision", hidden_size=64, intermediate_size=96,
                  num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8,
                  insert_layer_id=0)
    return model_of(config), {"pixel_values": torch.randn(1, 3, 8, 32 * 8),
                              "target_sizes": torch.tensor([[4, 4], [4, 4]], dtype=torch.int32)}


@recipe("transformers/granite4_vision")
def granite4_vision():
    config = anew("granite4_vision", image_token_index=110, image_grid_pinpoints=[[32, 32]],
                  downsample_rate="1/2", deepstack_layer_map=[[-2, 0]],
                  spatial_target_layers=[0, 1, 0, 1],
                  text_config={"vocab_size": 120, "hidden_size": 64, "intermediate_size": 96,
                               "num_hidden_layers": 2, "num_attention_heads": 4},
                  vision_config={"model_type": "clip_vision_model", "hidden_size": 64,
                                 "intermediate_size": 96, "num_hidden_layers": 2,
                                 "num_attention_heads": 4, "image_size": 32, "patch_size": 8},
                  qformer_config={"model_type": "blip_2_qformer", "num_hidden_layers": 1,
                                  "intermediate_size": 96, "cross_attention_frequency": 1,
                                  "use_qformer_text_input": False})
    return model_of(config), tokens()
