// One line per blueprint: name (of its function and its file), kinds of anchors, sham or not. The
// including source defines ESPER_BLUEPRINT.
#define ESPER_IMAGES graph::AnchorKind::kImage
#define ESPER_VECTORS graph::AnchorKind::kVector
#define ESPER_TOKENS graph::AnchorKind::kTokens

ESPER_BLUEPRINT(conv_block_3x3, false, ESPER_IMAGES)
ESPER_BLUEPRINT(double_conv_3x3, false, ESPER_IMAGES)
ESPER_BLUEPRINT(depthwise_separable, false, ESPER_IMAGES)
ESPER_BLUEPRINT(bottleneck_1x1, false, ESPER_IMAGES)
ESPER_BLUEPRINT(squeeze_excite, false, ESPER_IMAGES)
ESPER_BLUEPRINT(transformer_block, false, ESPER_TOKENS)
ESPER_BLUEPRINT(causal_mixer, false, ESPER_TOKENS)
ESPER_BLUEPRINT(gated_unit, false, ESPER_VECTORS, ESPER_TOKENS)
ESPER_BLUEPRINT(bottleneck_mlp, false, ESPER_VECTORS, ESPER_TOKENS)
ESPER_BLUEPRINT(low_rank, false, ESPER_VECTORS, ESPER_TOKENS)
ESPER_BLUEPRINT(sham, true, ESPER_IMAGES, ESPER_VECTORS, ESPER_TOKENS)
ESPER_BLUEPRINT(sham_trained, true, ESPER_IMAGES, ESPER_VECTORS, ESPER_TOKENS)

#undef ESPER_IMAGES
#undef ESPER_VECTORS
#undef ESPER_TOKENS
#undef ESPER_BLUEPRINT
