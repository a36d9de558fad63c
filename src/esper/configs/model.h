#pragma once

#include "esper/configs/section.h"

namespace esper::configs {

#define ESPER_HOSTS(X) X(kMlp, 0, "mlp") X(kResnet, 1, "resnet") X(kVgg, 2, "vgg") X(kGpt, 3, "gpt")
ESPER_CONTRACT_ENUM(Host, ESPER_HOSTS)

#define ESPER_NORMS(X)    \
    X(kAuto, 0, "auto")   \
    X(kNone, 1, "none")   \
    X(kBatch, 2, "batch") \
    X(kGroup, 3, "group") \
    X(kLayer, 4, "layer") \
    X(kRms, 5, "rms")
ESPER_CONTRACT_ENUM(Norm, ESPER_NORMS)

#define ESPER_MODEL_KEYS(X)                                                                       \
    X(Host, host, Host::kGpt, rule::any(), "the network that growth starts from")                 \
    X(std::string, path, "", rule::any(),                                                         \
      "a saved network to start from, with fresh values: a Program's file or a run's folder; "    \
      "empty: model.host")                                                                        \
    X(int, depth, 2, rule::within(1, 10000),                                                      \
      "layers: hidden layers of an mlp, 6n+2 of a resnet, convolutions of a vgg, blocks of a "    \
      "gpt")                                                                                      \
    X(int, width, 128, rule::within(1, 1 << 20),                                                  \
      "features of a hidden layer, channels of the first stage, embedding of a gpt")              \
    X(int, heads, 4, rule::within(1, 1024), "attention heads; must divide the width (gpt)")       \
    X(int, context, 128, rule::within(1, 1 << 20), "longest sequence the model takes (gpt)")      \
    X(double, dropout, 0.0, rule::below(0, 1),                                                    \
      "share of activations dropped while training (gpt)")                                        \
    X(int, classes, 0, rule::within(0, 1 << 24),                                                  \
      "outputs; 0: as many as the data has classes or characters")                                \
    X(Norm, norm, Norm::kAuto, rule::any(),                                                       \
      "normalisation; auto: the host's own, batch (resnet, vgg), layer (gpt), none (mlp); a vgg " \
      "does without, too")
ESPER_CONFIG_SECTION(ModelConfig, ESPER_MODEL_KEYS)

}  // namespace esper::configs
