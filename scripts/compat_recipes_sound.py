"""Recipes for models of sound and of films with sound."""

import torch

from compat_recipe import anew, model_of, recipe, shrunk, tokens


@recipe("transformers/xcodec2")
def xcodec2():
    semantic = {"model_type": "wav2vec2-bert", "hidden_size": 64, "num_hidden_layers": 2,
                "num_attention_heads": 4, "intermediate_size": 96,
                "feature_projection_input_dim": 16}
    config = anew("xcodec2", hidden_size=64, intermediate_size=96, num_hidden_layers=2,
                  num_attention_heads=4, num_key_value_heads=4, head_dim=16, encoder_hidden_size=4,
                  downsampling_ratios=(2, 2, 2), semantic_model_config=semantic,
                  quantization_dim=128, quantization_levels=(4, 4))
    return model_of(config), {"input_values": torch.randn(2, 1, 160),
                              "input_features": torch.randn(2, 20, 16)}


@recipe("transformers/bark")
def bark():
    """Its part that reads words: the whole has no forward pass, only `generate`."""
    from transformers.models.bark.configuration_bark import BarkSemanticConfig
    from transformers.models.bark.modeling_bark import BarkSemanticModel

    config = BarkSemanticConfig(block_size=32, input_vocab_size=120, output_vocab_size=120,
                                num_layers=2, num_heads=4, hidden_size=64, use_cache=False)
    config._attn_implementation = "eager"
    return BarkSemanticModel(config), tokens()


@recipe("transformers/csm")
def csm():
    words = {"vocab_size": 40, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 4, "num_codebooks": 4}
    config = anew("csm", text_vocab_size=120, **words, audio_token_id=110, audio_eos_token_id=111,
                  pad_token_id=0, bos_token_id=1, codebook_pad_token_id=0,
                  depth_decoder_config={**words, "backbone_hidden_size": 64},
                  codec_config={"model_type": "mimi", "num_filters": 4, "hidden_size": 32,
                                "num_hidden_layers": 1, "num_attention_heads": 4,
                                "num_key_value_heads": 4, "head_dim": 8, "intermediate_size": 48,
                                "codebook_dim": 8, "upsample_groups": 32,
                                "vector_quantization_hidden_dimension": 8,
                                "codebook_size": 32})
    codes = torch.randint(1, 40, (2, 12, 4))
    return model_of(config), {"input_ids": codes, "labels": codes, "use_cache": False}


@recipe("transformers/wav2vec2-bert")
def wav2vec2_bert():
    config = shrunk("wav2vec2-bert", feature_projection_input_dim=16)
    return model_of(config), {"input_features": torch.randn(2, 20, 16)}


@recipe("transformers/voxtral_realtime")
def voxtral_realtime():
    config = shrunk("voxtral_realtime", audio_config__num_mel_bins=16, downsample_factor=4)
    return model_of(config), {**tokens(), "input_features": torch.randn(2, 16, 96)}


@recipe("transformers/voxtral_realtime_text")
def voxtral_realtime_text():
    """The library has the class, but does not find it by its name."""
    from transformers.models.voxtral_realtime import modeling_voxtral_realtime as library

    config = shrunk("voxtral_realtime_text")
    config._attn_implementation = "eager"
    return library.VoxtralRealtimeTextModel(config), {
        **tokens(), "t_cond": torch.randn(2, 1, 64), "use_cache": False}


@recipe("transformers/audioflamingo3_encoder")
def audioflamingo3_encoder():
    config = shrunk("audioflamingo3_encoder", num_mel_bins=16)
    return model_of(config), {"input_features": torch.randn(2, 16, 64),
                              "input_features_mask": torch.ones(2, 64, dtype=torch.long)}


@recipe("transformers/clvp")
def clvp():
    reader = {"vocab_size": 120, "hidden_size": 64, "intermediate_size": 96, "projection_dim": 32,
              "num_hidden_layers": 2, "num_attention_heads": 2, "bos_token_id": 1,
              "eos_token_id": 2}
    config = anew("clvp", text_config=reader, speech_config=reader, projection_dim=32,
                  decoder_config={"vocab_size": 120, "max_position_embeddings": 80,
                                  "max_text_tokens": 40, "hidden_size": 64, "num_hidden_layers": 2,
                                  "num_attention_heads": 4, "num_mel_attn_blocks": 1,
                                  "feature_size": 16, "bos_token_id": 1, "eos_token_id": 2,
                                  "decoder_fixing_codes": (5, 6, 6, 7)})
    return model_of(config), {**tokens(), "input_features": torch.randn(2, 16, 24)}


@recipe("transformers/dac")
def dac():
    config = anew("dac", encoder_hidden_size=8, downsampling_ratios=(2, 2, 4), n_codebooks=2,
                  decoder_hidden_size=32, codebook_size=32, codebook_dim=4)
    return model_of(config), {"input_values": torch.randn(2, 1, 640)}


@recipe("transformers/clap")
def clap():
    config = anew("clap", projection_dim=32,
                  text_config={"vocab_size": 120, "hidden_size": 64, "num_hidden_layers": 2,
                               "num_attention_heads": 4, "intermediate_size": 96,
                               "max_position_embeddings": 64},
                  audio_config={"num_mel_bins": 16, "spec_size": 32, "window_size": 4,
                                "patch_embeds_hidden_size": 16, "hidden_size": 32,
                                "depths": (1, 1), "num_attention_heads": (2, 4),
                                "num_hidden_layers": 2, "projection_dim": 32})
    return model_of(config), {**tokens(), "input_features": torch.randn(2, 1, 64, 16),
                              "is_longer": torch.tensor([[False], [False]]), "return_loss": False}


VIBE = {"hidden_size": 16, "num_filters": 4, "downsampling_ratios": (2, 2), "depths": (1, 1, 2),
        "layer_scale_init_value": 0.1}


@recipe("transformers/vibevoice_acoustic_tokenizer_encoder")
def vibevoice_encoder():
    config = anew("vibevoice_acoustic_tokenizer_encoder", **VIBE)
    return model_of(config), {"hidden_states": torch.randn(2, 1, 64)}


@recipe("transformers/vibevoice_acoustic_tokenizer_decoder")
def vibevoice_decoder():
    config = anew("vibevoice_acoustic_tokenizer_decoder", **VIBE)
    return model_of(config), {"hidden_states": torch.randn(2, 16, 16)}


@recipe("transformers/vibevoice_acoustic_tokenizer")
def vibevoice_tokenizer():
    config = anew("vibevoice_acoustic_tokenizer", **VIBE)
    return model_of(config), {"input_values": torch.randn(2, 1, 64)}


QWEN = {"model_type": "qwen2", "vocab_size": 120, "hidden_size": 64, "intermediate_size": 96,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


@recipe("transformers/vibevoice_asr")
def vibevoice_asr():
    part = {"model_type": "vibevoice_acoustic_tokenizer_encoder", **VIBE}
    config = anew("vibevoice_asr", text_config=QWEN, acoustic_tokenizer_encoder_config=part,
                  semantic_tokenizer_encoder_config=part, audio_token_id=110,
                  audio_bos_token_id=111, audio_eos_token_id=112, acoustic_tokenizer_chunk_size=64)
    return model_of(config), {**tokens(12, 110, 8), "input_values": torch.randn(2, 1, 32),
                              "padding_mask": torch.ones(2, 32, dtype=torch.bool)}


@recipe("transformers/dia")
def dia():
    heads = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
             "head_dim": 16, "intermediate_size": 96, "max_position_embeddings": 64,
             "hidden_size": 64, "vocab_size": 120}
    config = anew("dia", encoder_config=heads, delay_pattern=[0, 1, 2],
                  decoder_config={**heads, "cross_num_attention_heads": 4, "cross_head_dim": 16,
                                  "cross_num_key_value_heads": 4, "cross_hidden_size": 64,
                                  "num_channels": 3, "pad_token_id": 0, "eos_token_id": 1,
                                  "bos_token_id": 2})
    return model_of(config), {**tokens(), "decoder_input_ids": torch.randint(3, 100, (2, 12, 3)),
                              "use_cache": False}


@recipe("transformers/speecht5")
def speecht5():
    """Between the layers that make sound and words into vectors, which other classes of it add."""
    config = anew("speecht5", vocab_size=120, hidden_size=64, encoder_layers=2, decoder_layers=2,
                  encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=96,
                  decoder_ffn_dim=96, num_conv_pos_embedding_groups=4, num_conv_pos_embeddings=16,
                  encoder_layerdrop=0.0, decoder_layerdrop=0.0, encoder_max_relative_position=16)
    return model_of(config), {"input_values": torch.randn(2, 16, 64),
                              "decoder_input_values": torch.randn(2, 12, 64), "use_cache": False}


FAST_SPEECH = {"hidden_size": 32, "vocab_size": 120, "num_mel_bins": 16, "encoder_layers": 2,
               "decoder_layers": 2, "encoder_linear_units": 48, "decoder_linear_units": 48,
               "speech_decoder_postnet_layers": 2, "speech_decoder_postnet_units": 16,
               "duration_predictor_channels": 16, "energy_predictor_channels": 16,
               "pitch_predictor_channels": 16, "pitch_predictor_layers": 2}


def spoken_words():
    """Twelve sounds, each two steps of the spectrogram long."""
    return {**tokens(), "spectrogram_labels": torch.randn(2, 24, 16),
            "duration_labels": torch.full((2, 12), 2), "pitch_labels": torch.randn(2, 12, 1),
            "energy_labels": torch.randn(2, 12, 1)}


@recipe("transformers/fastspeech2_conformer")
def fastspeech2_conformer():
    return model_of(anew("fastspeech2_conformer", **FAST_SPEECH)), spoken_words()


@recipe("transformers/fastspeech2_conformer_with_hifigan")
def fastspeech2_conformer_with_hifigan():
    config = anew("fastspeech2_conformer_with_hifigan", model_config=FAST_SPEECH,
                  vocoder_config={"model_in_dim": 16, "upsample_initial_channel": 16,
                                  "upsample_rates": (2, 2), "upsample_kernel_sizes": (4, 4),
                                  "resblock_kernel_sizes": (3,),
                                  "resblock_dilation_sizes": ((1, 3),)})
    return model_of(config), spoken_words()


def ears(bins, steps, name="input_features"):
    return {name: torch.randn(2, bins, steps),
            "input_features_mask": torch.ones(2, steps, dtype=torch.long)}


@recipe("transformers/fun_asr_nano_encoder")
def fun_asr_nano_encoder():
    config = anew("fun_asr_nano_encoder", num_mel_bins=8, hidden_size=64, num_attention_heads=4,
                  intermediate_size=96, num_hidden_layers=2, num_stacked_frames=7,
                  num_timestamp_prediction_layers=1, max_position_embeddings=64)
    return model_of(config), {"input_features": torch.randn(2, 16, 56),
                              "input_features_mask": torch.ones(2, 16, dtype=torch.long)}


@recipe("transformers/qwen3_asr_encoder")
def qwen3_asr_encoder():
    config = anew("qwen3_asr_encoder", num_mel_bins=16, encoder_layers=2, d_model=64,
                  encoder_attention_heads=4, encoder_ffn_dim=96, n_window=50, n_window_infer=200,
                  output_dim=64, downsample_hidden_size=16)
    return model_of(config), ears(16, 200)


GEMMA3N_EARS = {"input_feat_size": 16, "hidden_size": 64, "conf_attention_chunk_size": 4,
                "conf_attention_context_left": 5, "conf_num_attention_heads": 4,
                "conf_num_hidden_layers": 2, "conf_conv_kernel_size": 3, "conf_reduction_factor": 2,
                "sscp_conv_channel_size": (8, 8)}


@recipe("transformers/gemma3n_audio")
def gemma3n_audio():
    return model_of(anew("gemma3n_audio", **GEMMA3N_EARS)), {
        "audio_mel": torch.randn(2, 64, 16), "audio_mel_mask": torch.zeros(2, 64, dtype=torch.bool)}


@recipe("transformers/gemma4_audio")
def gemma4_audio():
    config = anew("gemma4_audio", hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
                  subsampling_conv_channels=(16, 8), conv_kernel_size=3, attention_chunk_size=4,
                  attention_context_left=5, output_proj_dims=64)
    return model_of(config), {"input_features": torch.randn(2, 64, 16),
                              "attention_mask": torch.ones(2, 64, dtype=torch.bool)}


POCKET = {"hidden_size": 64, "num_filters": 4, "upsampling_ratios": [2, 2], "upsample_groups": 64,
          "num_hidden_layers": 2, "intermediate_size": 96, "num_attention_heads": 4,
          "num_key_value_heads": 4, "max_position_embeddings": 64, "sliding_window": 8,
          "latent_stride": 2, "latent_dim": 8, "layer_scale_initial_scale": 0.1}


@recipe("transformers/pocket_tts_audio_tokenizer_decoder")
def pocket_tts_decoder():
    return model_of(anew("pocket_tts_audio_tokenizer_decoder", **POCKET)), {
        "latents": torch.randn(2, 64, 6)}


@recipe("transformers/pocket_tts_audio_tokenizer",
        "transformers/pocket_tts_audio_tokenizer_encoder")
def pocket_tts_tokenizer(kind):
    return model_of(anew(kind, **POCKET)), {"input_values": torch.randn(2, 1, 64)}


PE_EYES = {"architecture": "vit_tiny_patch16_224", "do_pooling": True, "num_classes": 32,
           "model_args": {"img_size": 32, "depth": 2, "embed_dim": 48}}

PE_FILM = {"vision_config": PE_EYES, "hidden_size": 64, "intermediate_size": 96,
           "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 16}


@recipe("transformers/pe_video_encoder")
def pe_video_encoder():
    return model_of(anew("pe_video_encoder", **PE_FILM)), {
        "pixel_values_videos": torch.randn(2, 4, 3, 32, 32)}


@recipe("transformers/pe_video")
def pe_video():
    config = anew("pe_video", video_config=PE_FILM, text_config=PE_WORDS)
    return model_of(config), {**tokens(), "pixel_values_videos": torch.randn(2, 4, 3, 32, 32)}


GRANITE5 = {"vocab_size": 120, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_mel_bins": 16, "max_position_embeddings": 64,
            "context_size": 8}


@recipe("transformers/granite_speech5_encoder")
def granite_speech5_encoder():
    return model_of(anew("granite_speech5_encoder", **GRANITE5)), {
        "input_features": torch.randn(2, 32, 64)}


@recipe("transformers/granite_speech5_ctc")
def granite_speech5_ctc():
    config = anew("granite_speech5_ctc", vocab_size=120, encoder_config=GRANITE5)
    return model_of(config), {"input_features": torch.randn(2, 32, 64)}


PE_SOUND = {"dac_config": {"model_type": "dac", "encoder_hidden_size": 4, "codebook_dim": 16,
                           "downsampling_ratios": [2, 2]},
            "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
            "num_attention_heads": 4, "head_dim": 16}

PE_WORDS = {"model_type": "modernbert", "hidden_size": 64, "vocab_size": 120, "pad_token_id": 0,
            "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}

PE_BOTH = {"audio_config": PE_SOUND, "video_config": PE_FILM, "hidden_size": 64, "head_dim": 16,
           "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}


@recipe("transformers/pe_audio_encoder")
def pe_audio_encoder():
    return model_of(anew("pe_audio_encoder", **PE_SOUND)), {"input_values": torch.randn(2, 1, 64)}


@recipe("transformers/pe_audio")
def pe_audio():
    return model_of(anew("pe_audio", audio_config=PE_SOUND, text_config=PE_WORDS)), {
        **tokens(), "input_values": torch.randn(2, 1, 64)}


@recipe("transformers/pe_audio_video_encoder")
def pe_audio_video_encoder():
    return model_of(anew("pe_audio_video_encoder", **PE_BOTH)), {
        "input_values": torch.randn(2, 1, 64), "pixel_values_videos": torch.randn(2, 4, 3, 32, 32)}


@recipe("transformers/pe_audio_video")
def pe_audio_video():
    config = anew("pe_audio_video", text_config=PE_WORDS, audio_video_config=PE_BOTH)
    return model_of(config), {**tokens(), "input_values": torch.randn(2, 1, 64),
                              "pixel_values_videos": torch.randn(2, 4, 3, 32, 32)}


@recipe("transformers/kyutai_speech_to_text")
def kyutai_speech_to_text():
    mimi = {"model_type": "mimi", "num_filters": 4, "hidden_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 8,
            "intermediate_size": 48, "codebook_dim": 8, "upsample_groups": 32,
            "vector_quantization_hidden_dimension": 8, "codebook_size": 32}
    config = anew("kyutai_speech_to_text", codebook_vocab_size=33, vocab_size=120, hidden_size=64,
                  num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64,
                  sliding_window=8, ffn_dim=96, num_codebooks=4, audio_bos_token_id=32,
                  audio_pad_token_id=240, pad_token_id=3, bos_token_id=119, codec_config=mimi)
    codes = torch.randint(4, 30, (2, 12, 5))
    return model_of(config), {"input_ids": codes}


@recipe("transformers/mimi_decoder")
def mimi_decoder():
    config = anew("mimi_decoder", num_filters=4, hidden_size=32, num_hidden_layers=1,
                  num_attention_heads=4, num_key_value_heads=4, head_dim=8, intermediate_size=48,
                  codebook_dim=8, upsample_groups=32, vector_quantization_hidden_dimension=8,
                  codebook_size=32, upsampling_ratios=[2, 2])
    return model_of(config), {"latents": torch.randn(2, 32, 6)}


@recipe("transformers/moonshine_streaming")
def moonshine_streaming():
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
             "num_attention_heads": 4, "max_position_embeddings": 64}
    config = anew("moonshine_streaming", vocab_size=120, **sizes, decoder_start_token_id=1,
                  num_key_value_heads=4,
                  encoder_config={**sizes, "num_key_value_heads": 4,
                                  "sliding_windows": ((4, 2), (4, 0))})
    return model_of(config), {"input_values": torch.randn(2, 1600),
                              "decoder_input_ids": tokens()["input_ids"], "use_cache": False}


@recipe("transformers/muse_spark_audio")
def muse_spark_audio():
    config = anew("muse_spark_audio", patch_sizes=(4, 2), hidden_sizes=(16, 32), depths=(1, 1),
                  num_hidden_layers=2, out_hidden_size=32)
    return model_of(config), {"input_values": torch.randn(2, 64)}


@recipe("transformers/neucodec")
def neucodec():
    semantic = {"model_type": "wav2vec2-bert", "hidden_size": 64, "num_hidden_layers": 2,
                "num_attention_heads": 4, "intermediate_size": 96,
                "feature_projection_input_dim": 16}
    config = anew("neucodec", hidden_size=64, intermediate_size=96, num_hidden_layers=2,
                  num_attention_heads=4, num_key_value_heads=4, head_dim=16, encoder_hidden_size=4,
                  downsampling_ratios=(2, 2, 2), semantic_model_config=semantic,
                  quantization_dim=128, quantization_levels=(4, 4))
    return model_of(config), {"input_values": torch.randn(2, 1, 160),
                              "input_features": torch.randn(2, 20, 16)}


@recipe("transformers/musicgen_melody")
def musicgen_melody():
    """The library's base class takes the decoder's configuration; two lines of four codes each."""
    from transformers.models.musicgen_melody.configuration_musicgen_melody import (
        MusicgenMelodyDecoderConfig)
    from transformers.models.musicgen_melody.modeling_musicgen_melody import MusicgenMelodyModel

    config = MusicgenMelodyDecoderConfig(
        vocab_size=120, max_position_embeddings=64, num_hidden_layers=2, ffn_dim=96,
        num_attention_heads=4, hidden_size=64, pad_token_id=120, bos_token_id=120, use_cache=False)
    config._attn_implementation = "eager"
    return MusicgenMelodyModel(config), {"input_ids": torch.randint(3, 100, (8, 12)),
                                         "use_cache": False}
